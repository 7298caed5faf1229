//! The back office, one file per desk.

pub mod disputes;
pub mod login;
pub mod logs;
pub mod orders;
pub mod refunds;
pub mod settlements;
pub mod subscriptions;
