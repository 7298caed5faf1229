//! What the tests of the whole system stand on: a world, a merchant's client, a payer.

pub mod api;
pub mod browser;
pub mod http;
pub mod payer;
pub mod processes;
pub mod world;
