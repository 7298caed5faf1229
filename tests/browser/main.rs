//! What people see and do, in a real headless browser, on the real programs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails where it stands"
)]

mod accessibility;
mod back_office;
mod bank;
mod console;
mod controls;
mod customer;
mod devices;
mod first_five_minutes;
mod inspector;
mod keyboard;
mod ladder;
mod payment_page;
mod purchase;
mod reference;
mod ways;
