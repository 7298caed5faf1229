//! Rules and decisions, without input or output.

pub mod webhooks;
