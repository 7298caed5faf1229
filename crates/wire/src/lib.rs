//! What crosses a process boundary, and how it is signed.
//!
//! No HTTP server, no runtime, no database: plain values with golden vectors.

pub mod calendar;
pub mod card;
pub mod codes;
pub mod events;
pub mod gateway_api;
pub mod ids;
pub mod json;
pub mod money;
pub mod order_code;
pub mod processor_api;
pub mod settlement;
pub mod signature;
pub mod stored_credential;
pub mod test_cards;
pub mod three_ds;
pub mod time;
pub mod webhook;
