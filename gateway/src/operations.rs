//! What the gateway can be asked to do, one file per verb.

pub mod access;
pub mod announce;
pub mod authenticate;
pub mod cancel_payment;
mod caps;
pub mod capture_payment;
pub mod card_attempts;
pub mod card_updater;
pub mod confirm_payment;
pub mod convert_payment;
pub mod create_payment;
pub mod customers;
pub mod dashboard;
pub mod disputes;
pub mod exceptions;
pub mod expire;
pub mod failure;
pub mod fence;
pub mod hosted_page;
pub mod housekeeping;
pub mod idempotency;
pub mod identities;
pub mod increment_payment;
pub mod invariants;
pub mod list_refunds;
pub mod metrics;
pub mod network_tokens;
pub mod notices;
pub mod read_payment;
pub mod reauthorize_payment;
pub mod recover;
pub mod refund_payment;
pub mod resolve_refund;
pub mod resolve_unknown;
pub mod reverse;
pub mod sealed_order;
pub mod send_capture;
pub mod settlements;
pub mod stored_cards;
pub mod timeline;
pub mod timers;
pub mod tokens;
pub mod unit_of_work;
pub mod vault;
pub mod view;
pub mod void_payment;
pub mod webhooks;

use std::sync::Arc;

use kit::http::ProblemLinks;
use kit::plumbing::Plumbing;
use kit::random::Random;
use kit::sqlite::Database;
use kit::worker::Wake;
use tokio::sync::watch;
use wire::time::Timestamp;

use crate::directory::DirectoryServers;
use crate::domain::payment::Policy;
use crate::domain::three_ds::Limits;
use crate::processor::Processor;
use crate::settings::{Settings, TimeoutPolicy};
use crate::vault::{SecurityCodes, Vault};

use identities::Identities;
use timers::{RunningWork, Timers};

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
    /// The rules that settings fix.
    pub policy: Policy,
    /// The way to the processor.
    pub processor: Processor,
    /// The way to the directory servers of 3-D Secure.
    pub directory: DirectoryServers,
    /// Encrypted cards.
    pub vault: Vault,
    /// Security codes, in memory only.
    pub security_codes: SecurityCodes,
    /// Secrets of payments for browsers.
    pub client_secrets: view::ClientSecrets,
    /// Hands out message identities.
    pub identities: Identities,
    /// Wakes the background loops.
    pub timers: Timers,
    /// What is being sent right now.
    pub running: RunningWork,
    /// Counts captures that were answered, or gave up for now.
    pub captures_settled: watch::Sender<u64>,
    /// Clients, tokens and keys that requests are checked against.
    pub access: access::Registry,
    /// Wakes the delivery of events.
    pub notifier: Wake,
    /// Brings events to endpoints.
    pub courier: webhooks::Courier,
    /// Cards that were tried lately.
    pub tried: card_attempts::Tried,
    /// Calls of the API, where their rate is limited.
    pub calls: fence::Calls,
    /// Jitter of repeats.
    pub jitter: Random,
    /// Counters since the start.
    pub metrics: metrics::Metrics,
    /// Where problems point to.
    pub links: ProblemLinks,
}

impl Context {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether a test has planted this fault in the program.
    pub fn planted(&self, fault: &str) -> bool {
        self.plumbing.mutants.has(fault)
    }

    /// A part of the jitter of a repeat, in thousandths: of what, and when it was tried. It is the
    /// same for the same seed, whatever else is repeated at that moment.
    pub fn jitter_permille(&self, what: impl std::fmt::Display, tried: Timestamp) -> u32 {
        let chance = self.jitter.child(&format!("{what} {}", tried.millis()));
        u32::try_from(chance.below(1001)).unwrap_or(0)
    }
}

impl std::ops::Deref for Context {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The rules that settings fix.
pub fn policy(settings: &Settings) -> Policy {
    Policy {
        attempts_max: settings.limits.attempts_max,
        processor_deadline: settings.timers.processor_deadline,
        inquiry_after: settings.timers.inquiry_after,
        resolve_limit: settings.timers.resolve_limit,
        fail_fast: settings.timeout_policy == TimeoutPolicy::FailFast,
        refund_window: settings.timers.refund_window,
        three_ds: Limits::default(),
    }
}
