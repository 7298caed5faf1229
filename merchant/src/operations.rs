//! What the shop can be asked to do, one file each, and what all of it needs.

pub mod believe;
pub mod cancel_order;
pub mod choose;
pub mod disputes;
pub mod look;
pub mod pay;
pub mod place_order;
pub mod privacy;
pub mod receive_event;
pub mod reconcile;
pub mod refresh;
pub mod refund;
pub mod refusals;
pub mod settlements;
pub mod sign_in;
pub mod subscriptions;
pub mod work_due;

use std::sync::Arc;
use std::time::Duration;

use kit::clock::Clock;
use kit::crash_points::CrashPoints;
use kit::mutants::Mutants;
use kit::plumbing::Plumbing;
use kit::random::{IdGenerator, Secrets};
use kit::vulnerabilities::Vulnerabilities;
use kit::worker::Wake;
use wire::ids::{MerchantId, OrderId};
use wire::money::MinorUnits;

use crate::gateway::Gateway;
use crate::keys::KeyRing;
use crate::store::{Store, StoreError};

/// What every operation needs; clones share it.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub store: Store,
    /// The gateway.
    pub gateway: Gateway,
    /// Keys.
    pub keys: Arc<KeyRing>,
    /// Time.
    pub clock: Clock,
    /// Tokens and cookies.
    pub secrets: Secrets,
    /// Ids.
    pub ids: IdGenerator,
    /// Where the program is to be killed.
    pub crash_points: CrashPoints,
    /// The fault that a test has planted in the program.
    pub mutants: Mutants,
    /// Wakes the worker that does what is due.
    pub due: Wake,
    /// The house rules.
    pub rules: Arc<Rules>,
    /// Notifications that were refused before they were believed.
    pub refusals: refusals::Refusals,
    /// Protections that a lesson has switched off.
    pub vulnerabilities: Vulnerabilities,
}

/// The house rules.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whose payments are accepted.
    pub merchant: MerchantId,
    /// The shop's own address, as customers see it: `http://127.0.0.1:7071`.
    pub public_url: String,
    /// Where customers pay.
    pub gateway_url: String,
    /// Largest sum that one person may refund on an order, in minor units.
    pub refund_alone_max: MinorUnits,
    /// How long a login lasts.
    pub session_lives: Duration,
    /// How long a notification is remembered.
    pub inbox_lives: Duration,
}

/// Something inside failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The database refused.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// There is no such order, or not for this caller.
    #[error("there is no such order")]
    NoOrder,
    /// The gateway has nothing of this id.
    #[error("there is no such thing at the gateway")]
    NotThere,
    /// The gateway did not answer.
    #[error("the gateway did not answer")]
    GatewaySilent,
}

impl Context {
    /// The parts of a program that starts.
    pub fn new(
        store: Store,
        gateway: Gateway,
        keys: Arc<KeyRing>,
        rules: Rules,
        plumbing: &Plumbing,
    ) -> Self {
        Self {
            store,
            gateway,
            keys,
            clock: plumbing.clock.clone(),
            secrets: plumbing.secrets.clone(),
            ids: plumbing.ids.clone(),
            crash_points: plumbing.crash_points.clone(),
            mutants: plumbing.mutants.clone(),
            due: Wake::new(),
            rules: Arc::new(rules),
            refusals: refusals::Refusals::default(),
            vulnerabilities: plumbing.vulnerabilities.clone(),
        }
    }

    /// Address of an order's page; with its key for those who have no cookie.
    pub fn return_url(&self, order: OrderId, with_key: bool) -> String {
        let base = &self.rules.public_url;
        if with_key {
            format!("{base}/orders/{order}/return?cs={}", self.keys.order_key(order))
        } else {
            format!("{base}/orders/{order}/return")
        }
    }
}
