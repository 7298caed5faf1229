//! What the gateway can be asked to do, one file per verb.

pub mod access;
pub mod tokens;
pub mod webhooks;

use std::sync::Arc;

use kit::link::Link;
use kit::plumbing::Plumbing;
use kit::sqlite::Database;

use crate::settings::Settings;
use crate::vault::{SecurityCodes, Vault};

/// What every operation works with; cheap to clone, one per program.
#[derive(Clone)]
pub struct Context(Arc<Parts>);

/// The parts of a [`Context`].
pub struct Parts {
    /// The database.
    pub database: Database,
    /// Clock, chance, links, logs.
    pub plumbing: Plumbing,
    /// Settings and keys.
    pub settings: Settings,
    /// The way to the processor.
    pub processor: Link,
    /// Encrypted cards.
    pub vault: Vault,
    /// Security codes, in memory only.
    pub security_codes: SecurityCodes,
}

impl Context {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Context {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
