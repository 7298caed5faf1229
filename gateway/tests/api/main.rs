//! The gateway from outside: access, tokens, webhooks.

mod access;
mod oauth;
mod receiver;
mod signed;
mod tokens;
mod webhook_delivery;
mod webhook_endpoints;
mod world;
