//! What the tests of the whole system stand on: a world, a merchant's client, a payer,
//! processes, a browser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands"
)]

pub mod api;
pub mod browser;
pub mod http;
pub mod payer;
pub mod processes;
pub mod world;
