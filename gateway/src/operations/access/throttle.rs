//! How often a client may ask for a token, and how long it waits after wrong secrets.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wire::time::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);
/// Wrong secrets in a row without a wait.
const FAILURES_FREE: u32 = 5;
/// Longest wait after a wrong secret.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Callers that are remembered; the quietest make room.
const CALLERS_MAX: usize = 10_000;

/// Counts calls by client id and peer address, whether or not there is such a client.
pub(super) struct Throttle {
    hasher: RandomState,
    /// Calls in a minute.
    per_minute: u32,
    callers: Mutex<HashMap<u64, Caller>>,
}

#[derive(Clone, Copy)]
struct Caller {
    minute_began: Timestamp,
    calls: u32,
    failures: u32,
    closed_until: Timestamp,
}

impl Caller {
    const fn new(now: Timestamp) -> Self {
        Self { minute_began: now, calls: 0, failures: 0, closed_until: now }
    }

    fn is_quiet(&self, now: Timestamp) -> bool {
        now.since(self.minute_began) >= MINUTE && self.closed_until.plus(WAIT_MAX) <= now
    }
}

impl Throttle {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { hasher: RandomState::new(), per_minute, callers: Mutex::default() }
    }

    /// Counts a call; how long to wait when there were too many, or too many wrong secrets.
    pub(super) fn enter(
        &self,
        client_id: &str,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(), Duration> {
        self.with(client_id, peer, now, |caller| {
            if caller.closed_until > now {
                return Err(caller.closed_until.since(now));
            }
            if now.since(caller.minute_began) >= MINUTE {
                caller.minute_began = now;
                caller.calls = 0;
            }
            if caller.calls >= self.per_minute {
                return Err(caller.minute_began.plus(MINUTE).since(now));
            }
            caller.calls = caller.calls.saturating_add(1);
            Ok(())
        })
    }

    /// Remembers whether the secret was right.
    pub(super) fn note(&self, client_id: &str, peer: IpAddr, now: Timestamp, right: bool) {
        self.with(client_id, peer, now, |caller| {
            if right {
                caller.failures = 0;
                return;
            }
            caller.failures = caller.failures.saturating_add(1);
            if let Some(beyond) = caller.failures.checked_sub(FAILURES_FREE) {
                let seconds = 1_u64.checked_shl(beyond.min(30)).unwrap_or(u64::MAX);
                caller.closed_until = now.plus(Duration::from_secs(seconds).min(WAIT_MAX));
            }
        });
    }

    fn with<T>(
        &self,
        client_id: &str,
        peer: IpAddr,
        now: Timestamp,
        act: impl FnOnce(&mut Caller) -> T,
    ) -> T {
        let key = self.hasher.hash_one((client_id, peer));
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX && !callers.contains_key(&key) {
            callers.retain(|_, caller| !caller.is_quiet(now));
            if callers.len() >= CALLERS_MAX {
                callers.clear();
            }
        }
        act(callers.entry(key).or_insert_with(|| Caller::new(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn the_sixty_first_call_of_a_minute_waits_for_the_next_one() {
        let throttle = Throttle::new(60);
        for _ in 0..60 {
            assert_eq!(throttle.enter("cli_1", PEER, after(10)), Ok(()));
        }
        assert_eq!(throttle.enter("cli_1", PEER, after(30)), Err(Duration::from_secs(40)));
        assert_eq!(throttle.enter("cli_2", PEER, after(30)), Ok(()), "others are not affected");
        assert_eq!(throttle.enter("cli_1", PEER, after(70)), Ok(()));
    }

    #[test]
    fn the_wait_after_wrong_secrets_doubles_up_to_a_minute() {
        let throttle = Throttle::new(60);
        for _ in 0..4 {
            throttle.note("cli_1", PEER, START, false);
            assert_eq!(throttle.enter("cli_1", PEER, START), Ok(()));
        }
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            throttle.note("cli_1", PEER, START, false);
            assert_eq!(throttle.enter("cli_1", PEER, START), Err(Duration::from_secs(seconds)));
        }
        assert_eq!(throttle.enter("cli_1", PEER, after(60)), Ok(()));
        throttle.note("cli_1", PEER, after(60), true);
        throttle.note("cli_1", PEER, after(60), false);
        assert_eq!(throttle.enter("cli_1", PEER, after(60)), Ok(()), "a success starts anew");
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::new(60);
        for number in 0..(CALLERS_MAX * 2) {
            throttle.enter(&number.to_string(), PEER, START).unwrap();
        }
        assert!(throttle.callers.lock().unwrap().len() <= CALLERS_MAX);
    }
}
