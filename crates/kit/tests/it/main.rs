//! The behaviour of kit over real connections.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a helper of a test cannot do fails the test"
)]

mod killed;
mod links;
mod local_links;
mod sandbox;
mod serving;
mod support;
