//! Processor, card networks and issuing banks.
//!
//! In reading order: what it listens to (`http`), what it can be asked to do, role by role
//! (`operations`), what is decided and why (`domain`), what is kept (`store`).

pub mod domain;
mod http;
mod operations;
mod pages;
mod program;
mod settings;
mod store;

pub use program::{Program, RunError, StartError, serve};
pub use settings::{
    ClockMode, CommandLine, Flags, FlagsError, HopKeys, Keys, SecretText, Settings, SigningKeyText,
};

pub use domain::timers::Timers;
