//! Scenarios: files that set up a payment world, break it on purpose and say what must be true.

mod check;
pub mod client;
pub mod diagnostic;
pub mod files;
pub mod foreign;
pub mod format;
pub mod fragments;
pub mod matchers;
pub mod model;
pub mod references;
pub mod report;
pub mod runner;
pub mod schema;
mod shape;
pub mod targets;
pub mod world;
mod yaml;

pub use yaml::Spot;
