//! Card testing: how many cards may be tried in a minute from one address and of one card range,
//! and for how long a range that was tried too often has to be confirmed by the cardholder.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use wire::time::Timestamp;

/// What is counted begins anew after this time.
const WINDOW: Duration = Duration::from_mins(1);
/// How long a range stays suspicious after the last attempt that was refused.
const SUSPICIOUS: Duration = Duration::from_mins(15);
/// Addresses that are remembered, and ranges; the quietest make room.
const REMEMBERED_MAX: usize = 10_000;

/// How many cards may be tried in a minute; as many as there are unless given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CardAttemptLimits {
    /// From one address.
    pub per_address: Option<u32>,
    /// Of one range, by the first six digits.
    pub per_range: Option<u32>,
}

/// What was tried lately.
#[derive(Clone, Debug, Default)]
pub struct CardAttempts {
    addresses: BTreeMap<IpAddr, Window>,
    ranges: BTreeMap<String, Range>,
}

/// Attempts that were let through since the window began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    began: Timestamp,
    count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    window: Window,
    refused: u64,
    suspicious_until: Option<Timestamp>,
}

/// A range that was tried too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspicion {
    /// The first six digits.
    pub range: String,
    /// Attempts that were refused since it became suspicious.
    pub refused: u64,
    /// Until when its cardholders are asked to confirm.
    pub until: Timestamp,
}

impl Window {
    const fn new(now: Timestamp) -> Self {
        Self { began: now, count: 0 }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.began) >= WINDOW
    }

    /// How long to wait for the next attempt; nothing when it is free.
    fn wait(&mut self, limit: Option<u32>, now: Timestamp) -> Option<Duration> {
        if self.is_over(now) {
            *self = Self::new(now);
        }
        let full = limit.is_some_and(|limit| self.count >= limit);
        full.then(|| self.began.plus(WINDOW).since(now))
    }

    const fn count(&mut self) {
        self.count = self.count.saturating_add(1);
    }
}

impl Range {
    fn is_suspicious(&self, now: Timestamp) -> bool {
        self.suspicious_until.is_some_and(|until| now < until)
    }
}

impl CardAttempts {
    /// Lets an attempt through, or says how long to wait. A refused one makes its range suspicious.
    pub fn enter(
        &mut self,
        range: &str,
        address: IpAddr,
        limits: CardAttemptLimits,
        now: Timestamp,
    ) -> Result<(), Duration> {
        if limits == CardAttemptLimits::default() {
            return Ok(());
        }
        self.make_room(now);
        let of_range = self.ranges.entry(range.to_owned()).or_insert_with(|| Range {
            window: Window::new(now),
            refused: 0,
            suspicious_until: None,
        });
        let window = self.addresses.entry(address).or_insert_with(|| Window::new(now));
        let waits =
            [of_range.window.wait(limits.per_range, now), window.wait(limits.per_address, now)];
        if let Some(wait) = waits.into_iter().flatten().max() {
            if !of_range.is_suspicious(now) {
                of_range.refused = 0;
            }
            of_range.refused = of_range.refused.saturating_add(1);
            of_range.suspicious_until = Some(now.plus(SUSPICIOUS));
            return Err(wait);
        }
        of_range.window.count();
        window.count();
        Ok(())
    }

    /// Whether cardholders of this range are asked to confirm.
    pub fn is_suspicious(&self, range: &str, now: Timestamp) -> bool {
        self.ranges.get(range).is_some_and(|range| range.is_suspicious(now))
    }

    /// The ranges that are suspicious.
    pub fn suspicions(&self, now: Timestamp) -> Vec<Suspicion> {
        let suspicious = self.ranges.iter().filter_map(|(name, range)| {
            let until = range.suspicious_until.filter(|_| range.is_suspicious(now))?;
            Some(Suspicion { range: name.clone(), refused: range.refused, until })
        });
        suspicious.collect()
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.addresses.len() >= REMEMBERED_MAX {
            self.addresses.retain(|_, window| !window.is_over(now));
            if self.addresses.len() >= REMEMBERED_MAX {
                self.addresses.clear();
            }
        }
        if self.ranges.len() >= REMEMBERED_MAX {
            self.ranges.retain(|_, it| it.is_suspicious(now) || !it.window.is_over(now));
            if self.ranges.len() >= REMEMBERED_MAX {
                self.ranges.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const LIMITS: CardAttemptLimits =
        CardAttemptLimits { per_address: Some(3), per_range: Some(5) };

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    #[test]
    fn an_address_waits_for_the_next_minute() {
        let mut attempts = CardAttempts::default();
        for range in ["400001", "520001", "400001"] {
            assert_eq!(attempts.enter(range, address(1), LIMITS, after(10)), Ok(()));
        }
        let wait = Duration::from_secs(40);
        assert_eq!(attempts.enter("370001", address(1), LIMITS, after(30)), Err(wait));
        assert_eq!(attempts.enter("370001", address(2), LIMITS, after(30)), Ok(()));
        assert_eq!(attempts.enter("370001", address(1), LIMITS, after(70)), Ok(()));
    }

    #[test]
    fn a_range_is_counted_over_all_addresses_and_stays_suspicious() {
        let mut attempts = CardAttempts::default();
        for last in 1..=5 {
            assert_eq!(attempts.enter("400001", address(last), LIMITS, START), Ok(()));
        }
        assert!(!attempts.is_suspicious("400001", START), "five are allowed");
        for last in 6..=8 {
            assert!(attempts.enter("400001", address(last), LIMITS, START).is_err());
        }
        assert_eq!(attempts.enter("520001", address(9), LIMITS, START), Ok(()));
        assert!(!attempts.is_suspicious("520001", START));
        let until = after(900);
        let suspicion = Suspicion { range: "400001".into(), refused: 3, until };
        assert_eq!(attempts.suspicions(after(899)), [suspicion]);
        assert_eq!(attempts.enter("400001", address(9), LIMITS, after(60)), Ok(()));
        assert!(attempts.is_suspicious("400001", after(899)), "although attempts pass again");
        assert!(!attempts.is_suspicious("400001", until));
        assert!(attempts.suspicions(until).is_empty());
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let mut attempts = CardAttempts::default();
        for _ in 0..1000 {
            let free = CardAttemptLimits::default();
            assert_eq!(attempts.enter("400001", address(1), free, START), Ok(()));
        }
        assert!(attempts.ranges.is_empty() && attempts.addresses.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut attempts = CardAttempts::default();
        for number in 0..u32::try_from(REMEMBERED_MAX * 2).unwrap() {
            let address = IpAddr::V4(Ipv4Addr::from(number));
            let _ = attempts.enter(&format!("{number:06}"), address, LIMITS, START);
        }
        assert!(attempts.addresses.len() <= REMEMBERED_MAX);
        assert!(attempts.ranges.len() <= REMEMBERED_MAX);
    }
}
