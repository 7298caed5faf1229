//! What the tests of the whole system stand on: a world, a merchant's client, a payer.

pub mod api;
pub mod http;
pub mod payer;
pub mod world;
pub mod processes;
