//! The shop: storefront, checkout, orders, webhook receiver, back office.
//!
//! In reading order: what may happen (`domain`), what the shop can be asked to do (`operations`),
//! where it is kept (`store`), how the gateway is called (`gateway`), and what is seen (`http`,
//! `pages`).

pub mod domain;
mod gateway;
mod http;
mod keys;
mod operations;
mod pages;
mod program;
mod settings;
mod store;

pub use keys::{ClientKeys, Keys, Operator, WebhookKeys};
pub use program::{Program, RunError, StartError, serve};
pub use settings::{ClockMode, CommandLine, Flags, Settings};
