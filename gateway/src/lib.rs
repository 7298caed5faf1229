//! The payment gateway: API, hosted card page, vault, processor client, webhooks, dashboard.
//!
//! In reading order: what it listens to (`http`), what it can be asked to do (`operations`), what
//! is decided and why (`domain`), what is kept (`store`, `vault`), whom it calls (`processor`).

pub mod settings;

pub mod http;
pub mod pages;

pub mod operations;

pub mod domain;

pub mod store;
pub mod vault;

pub mod processor;
