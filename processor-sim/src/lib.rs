//! Processor, card networks and issuing banks.

pub mod domain;
mod store;
