//! The shop.

pub mod domain;
mod gateway;
mod keys;
mod operations;
mod settings;
mod store;

pub use keys::Keys;
pub use settings::{Flags, Settings};
