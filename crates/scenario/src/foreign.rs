//! A merchant that is not ours: the file that says how a scenario talks to it.

mod file;
mod format;
pub(crate) mod hooks;
mod needs;
pub(crate) mod routes;

pub(crate) use format::FILE;

pub use file::{Again, Events, Hook, MerchantFile, Order, State, parse};
pub use hooks::configure;
pub use needs::reasons;
