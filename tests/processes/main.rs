//! Real binaries: start, kill, restart, crash under load, and what they leave on disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails where it stands"
)]

mod budgets;
mod card_data;
mod command_line;
mod crash;
mod foreign;
mod lessons;
mod scenarios;
mod up;
