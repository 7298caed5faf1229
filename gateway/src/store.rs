//! The only SQL of the gateway: rows to domain values and back.

pub mod access;
pub mod vault;
pub mod webhooks;

/// The schema, step by step; a step is never edited after it has landed.
pub const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_payments.sql"),
    include_str!("../migrations/0002_access_vault_webhooks.sql"),
    include_str!("../migrations/0003_dashboard.sql"),
];
