//! The gateway from outside: access, tokens, webhooks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_push_string,
    reason = "tests end where something is not as it should be"
)]

mod access;
mod limits;
mod oauth;
mod receiver;
mod signed;
mod tokens;
mod webhook_delivery;
mod webhook_endpoints;
mod world;
