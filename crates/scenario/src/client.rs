//! How scenarios talk to programs: as any client and any browser from outside.

pub mod api;
pub mod http;
pub mod page;
pub mod payer;
