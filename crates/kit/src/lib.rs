//! Plumbing that knows nothing of payments: time, chance, storage, links, faults, serving.

pub mod activity;
pub mod assets;
pub mod clock;
pub mod crash_points;
pub mod durations;
pub mod facts;
pub mod faults;
pub mod gate;
pub mod http;
pub mod link;
pub mod mutants;
pub mod plumbing;
pub mod random;
pub mod secret_file;
pub mod settings;
pub mod shutdown;
pub mod sqlite;
pub mod telemetry;
pub mod vulnerabilities;
pub mod wirelog;
pub mod worker;

#[cfg(test)]
mod scratch;
