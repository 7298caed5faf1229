//! The only SQL of the gateway: rows to domain values and back.

pub mod access;
mod attempts;
pub mod captures;
pub mod cases;
pub mod counters;
pub mod dashboard;
mod details;
pub mod hosted_page;
pub mod idempotency;
pub mod invariants;
pub mod payments;
pub mod refunds;
pub mod reversals;
mod rows;
pub mod settlements;
pub mod vault;
pub mod webhooks;

/// The schema, step by step; a step is never edited after it has landed.
pub const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_payments.sql"),
    include_str!("../migrations/0002_access_vault_webhooks.sql"),
    include_str!("../migrations/0003_dashboard.sql"),
    include_str!("../migrations/0004_settlements_and_disputes.sql"),
];
