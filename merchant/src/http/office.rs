//! The back office, one file per desk.

pub mod login;
pub mod logs;
pub mod orders;
pub mod refunds;
