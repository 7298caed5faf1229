//! Pages as browsers meet them, the document of the API, and static files.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::format_push_string,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod assets;
mod money;
mod openapi;
mod paying;
#[allow(dead_code, reason = "pages use a part of it")]
#[path = "../payments/scripted/mod.rs"]
mod scripted;
mod support;
mod visiting;
