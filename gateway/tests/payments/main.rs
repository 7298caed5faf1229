//! Payments from end to end, against a processor that does what a script says.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod at_the_same_time;
mod caps;
mod card_tokens;
mod money_back;
mod paying;
mod recovery;
mod requests;
mod scripted;
mod unknown_outcomes;
