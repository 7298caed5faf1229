//! Which signature nonces were seen: a replayed message is refused before it acts.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Seconds that share a bucket, and are forgotten together.
const BUCKET_SECONDS: i64 = 16;

/// Nonces that are remembered at most; beyond it, requests are refused rather than unchecked.
pub const NONCES_MAX: usize = 4_000_000;

/// A nonce as a program stores it, to know it again after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonceRow {
    /// Who signed.
    pub key_id: String,
    /// The nonce.
    pub nonce: String,
    /// The last second in which the signature counts, in Unix seconds.
    pub expires: i64,
}

/// The nonces seen by one program, as 64-bit keyed hashes: two different ones look alike once in
/// some ten million million messages, and then a message is refused, never repeated.
pub struct NonceCache {
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    buckets: BTreeMap<i64, HashSet<u64>>,
    count: usize,
}

impl Default for NonceCache {
    fn default() -> Self {
        Self::new()
    }
}

impl NonceCache {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { hasher: RandomState::new(), seen: Mutex::default() }
    }

    /// Remembers stored nonces at start.
    pub fn load(&self, rows: impl IntoIterator<Item = NonceRow>) {
        for row in rows {
            self.insert(&row.key_id, &row.nonce, row.expires);
        }
    }

    /// Remembers a nonce until `expires`; false when it was seen before, or there is no room.
    pub fn check_and_insert(&self, key_id: &str, nonce: &str, expires: i64, now: i64) -> bool {
        self.forget_before(now);
        self.insert(key_id, nonce, expires)
    }

    fn insert(&self, key_id: &str, nonce: &str, expires: i64) -> bool {
        let hash = self.hasher.hash_one((key_id, nonce));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.count >= NONCES_MAX || seen.buckets.values().any(|bucket| bucket.contains(&hash)) {
            return false;
        }
        seen.count = seen.count.saturating_add(1);
        seen.buckets.entry(expires.div_euclid(BUCKET_SECONDS)).or_default().insert(hash)
    }

    fn forget_before(&self, now: i64) {
        let present = now.div_euclid(BUCKET_SECONDS);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = seen.buckets.first_entry() {
            if *oldest.key() >= present {
                break;
            }
            let forgotten = oldest.remove().len();
            seen.count = seen.count.saturating_sub(forgotten);
        }
    }

    /// How many nonces are remembered.
    pub fn len(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for NonceCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NonceCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_counts_once_per_key_until_it_expires() {
        let cache = NonceCache::new();
        assert!(cache.check_and_insert("key_a", "nonce-1", 1060, 1000));
        assert!(!cache.check_and_insert("key_a", "nonce-1", 1060, 1001));
        assert!(
            !cache.check_and_insert("key_a", "nonce-1", 1200, 1060),
            "another expiry is no excuse"
        );
        assert!(cache.check_and_insert("key_b", "nonce-1", 1060, 1001));
        assert!(cache.check_and_insert("key_a", "nonce-2", 1060, 1001));
        assert_eq!(cache.len(), 3);
    }

    #[test]
    fn expired_nonces_are_forgotten_and_stored_ones_known_again() {
        let cache = NonceCache::new();
        let row = NonceRow { key_id: "key_a".into(), nonce: "nonce-1".into(), expires: 1060 };
        cache.load([row]);
        assert!(!cache.check_and_insert("key_a", "nonce-1", 1060, 1060));
        assert!(cache.check_and_insert("key_a", "nonce-1", 1160, 1100));
        assert_eq!(cache.len(), 1);
        assert!(!cache.is_empty());
    }
}
