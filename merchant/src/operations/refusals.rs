//! Notifications that were refused before they were believed: kept in memory, bounded.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use wire::time::Timestamp;

/// Most that are kept: strangers may send as many as they like.
const KEPT_MAX: usize = 100;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedMessage {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub peer: IpAddr,
    /// Why, in a stable word.
    pub reason: &'static str,
    /// Length of its body.
    pub bytes: usize,
}

/// The newest refusals since the start; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<VecDeque<RefusedMessage>>>);

impl Refusals {
    /// Remembers a refusal.
    pub fn remember(&self, message: RefusedMessage) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.pop_back();
        }
        kept.push_front(message);
    }

    /// The refusals, newest first.
    pub fn newest(&self) -> Vec<RefusedMessage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
