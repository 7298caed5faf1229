//! Security codes: in memory only, for a quarter of an hour or until they are used.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wire::card::SecurityCode;
use wire::ids::TokenId;
use wire::time::Timestamp;

/// How long a code is held at most (PCI DSS 3.3.1: not after authorization).
pub const HELD_FOR: Duration = Duration::from_mins(15);

/// Codes held at once; the oldest make room.
const HELD_MAX: usize = 100_000;

/// Entries of codes that were taken are cleared away above this number.
const COMPACT_ABOVE: usize = 1024;

/// The codes of tokens that were not used yet; clones share them. A code is wiped when it leaves.
#[derive(Clone, Default)]
pub struct SecurityCodes(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    codes: HashMap<TokenId, SecurityCode>,
    /// In the order of arrival, which is that of expiry.
    ends: VecDeque<(Timestamp, TokenId)>,
}

impl fmt::Debug for SecurityCodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecurityCodes(..)")
    }
}

impl SecurityCodes {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the code of a token.
    pub fn put(&self, token: TokenId, code: SecurityCode, now: Timestamp) {
        let mut held = self.held();
        held.drop_ended(now);
        held.make_room();
        held.codes.insert(token, code);
        held.ends.push_back((now.plus(HELD_FOR), token));
    }

    /// Whether the code of a token is still held.
    pub fn holds(&self, token: TokenId, now: Timestamp) -> bool {
        let mut held = self.held();
        held.drop_ended(now);
        held.codes.contains_key(&token)
    }

    /// Hands the code out; it is no longer held.
    pub fn take(&self, token: TokenId, now: Timestamp) -> Option<SecurityCode> {
        let mut held = self.held();
        held.drop_ended(now);
        held.codes.remove(&token)
    }

    /// Drops what has ended; returns when the next one ends.
    pub fn sweep(&self, now: Timestamp) -> Option<Timestamp> {
        let mut held = self.held();
        held.drop_ended(now);
        held.ends.front().map(|(ends, _)| *ends)
    }
}

impl Held {
    fn make_room(&mut self) {
        if self.ends.len() > self.codes.len().saturating_mul(2).saturating_add(COMPACT_ABOVE) {
            self.ends.retain(|(_, token)| self.codes.contains_key(token));
        }
        while self.codes.len() >= HELD_MAX
            && let Some((_, oldest)) = self.ends.pop_front()
        {
            self.codes.remove(&oldest);
        }
    }

    fn drop_ended(&mut self, now: Timestamp) {
        // Entries of codes that were taken are dropped with the first live one behind them.
        while let Some(&(ends, token)) = self.ends.front() {
            if ends > now && self.codes.contains_key(&token) {
                break;
            }
            self.ends.pop_front();
            self.codes.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::card::Brand;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn token(number: u8) -> TokenId {
        TokenId::new(START, [number; 10])
    }

    fn code() -> SecurityCode {
        SecurityCode::parse("123", Brand::Visa).unwrap()
    }

    #[test]
    fn a_code_is_handed_out_once() {
        let codes = SecurityCodes::default();
        codes.put(token(1), code(), START);
        assert!(codes.holds(token(1), START));
        assert!(codes.take(token(1), START).is_some());
        assert!(codes.take(token(1), START).is_none());
        assert!(!codes.holds(token(1), START));
        assert_eq!(codes.sweep(START), None);
    }

    #[test]
    fn a_code_is_dropped_after_a_quarter_of_an_hour() {
        let codes = SecurityCodes::default();
        codes.put(token(1), code(), START);
        let second = START.plus(Duration::from_mins(1));
        codes.put(token(2), code(), second);
        assert_eq!(codes.sweep(START), Some(START.plus(HELD_FOR)));
        let end = START.plus(HELD_FOR);
        assert_eq!(codes.sweep(end), Some(second.plus(HELD_FOR)));
        assert!(codes.take(token(1), end).is_none());
        assert!(codes.take(token(2), end).is_some());
    }

    #[test]
    fn codes_that_were_taken_leave_nothing_behind() {
        let codes = SecurityCodes::default();
        codes.put(token(0), code(), START);
        for millis in 0..10_000 {
            let at = START.plus(Duration::from_millis(millis));
            let token = TokenId::new(at, [1; 10]);
            codes.put(token, code(), at);
            assert!(codes.take(token, at).is_some());
        }
        assert!(codes.held().ends.len() <= COMPACT_ABOVE + 4);
        assert!(codes.holds(token(0), START));
    }

    #[test]
    fn nothing_is_printed() {
        let codes = SecurityCodes::default();
        codes.put(token(1), code(), START);
        assert_eq!(format!("{codes:?}"), "SecurityCodes(..)");
    }
}
