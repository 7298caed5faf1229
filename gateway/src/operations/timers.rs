//! The gateway's background loops, and what they are busy with.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use kit::worker::Timer;
use wire::ids::{CaptureId, PaymentId, RefundId, ReversalId};

/// Rows that one step of a loop takes on.
pub const STEP_ROWS: u32 = 64;

/// The loops of the gateway's own timers.
#[derive(Clone, Default)]
pub struct Timers {
    /// Payments: page expiry, inquiries, limits, authorization expiry.
    pub payments: Timer,
    /// Captures to be sent.
    pub captures: Timer,
    /// Reversals to be sent.
    pub reversals: Timer,
    /// Refunds to be asked after.
    pub refunds: Timer,
    /// Authentications that take too long.
    pub authentications: Timer,
}

/// What is being sent.
#[derive(Default)]
pub struct RunningWork {
    /// Captures.
    pub captures: Running<CaptureId>,
    /// Reversals.
    pub reversals: Running<ReversalId>,
    /// Inquiries, by payment.
    pub inquiries: Running<PaymentId>,
    /// Questions after refunds, and their repeats.
    pub refunds: Running<RefundId>,
    /// Authentications, by payment.
    pub authentications: Running<PaymentId>,
    /// A reversal may be waiting for a capture to be answered.
    pub reversal_waits: AtomicBool,
}

/// What is being worked on, so that a loop does not begin it twice.
pub struct Running<K>(Arc<Mutex<HashSet<K>>>);

impl<K> Clone for Running<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Default for Running<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Copy> Running<K> {
    /// Whether `key` is being worked on.
    pub fn is_running(&self, key: &K) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// Begins work on `key`; none while it is being worked on, or when `limit` are.
    pub fn begin(&self, key: K, limit: usize) -> Option<RunningGuard<K>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = keys.len() < limit && keys.insert(key);
        begun.then(|| RunningGuard { running: self.clone(), key })
    }
}

/// Ends the work on a key when dropped.
pub struct RunningGuard<K: Eq + Hash + Copy> {
    running: Running<K>,
    key: K,
}

impl<K: Eq + Hash + Copy> Drop for RunningGuard<K> {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
