//! Pages as browsers meet them, the document of the API, and static files.

mod assets;
mod openapi;
mod paying;
#[path = "../scripted/mod.rs"]
mod scripted;
mod support;
mod visiting;
