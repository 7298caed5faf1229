//! The payment gateway: API, hosted card page, vault, processor client, webhooks, dashboard.
//!
//! In reading order: how it starts (`program`), what it listens to (`http`), what it can be asked
//! to do (`operations`), what is decided and why (`domain`), what is kept (`store`, `vault`), whom
//! it calls (`processor`).

mod program;
pub mod settings;

pub mod http;
pub mod pages;

pub mod operations;

pub mod domain;

pub mod store;
pub mod vault;

pub mod directory;
pub mod processor;

pub use program::{Program, RunError, StartError, serve};
pub use settings::{CommandLine, Flags, Keys, Settings};
