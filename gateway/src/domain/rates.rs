//! How often somebody may call: a bucket that fills with time and is emptied by calls.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use wire::time::Timestamp;

/// One call, in the thousandths that a bucket is measured in.
const CALL: u64 = 1000;
/// Callers that are remembered; the quietest make room.
const CALLERS_MAX: usize = 10_000;

/// How often somebody may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls a second in the long run.
    pub per_second: u32,
    /// Calls that may come at once.
    pub burst: u32,
}

impl Rate {
    /// What a full bucket holds.
    fn full(self) -> u64 {
        u64::from(self.burst.max(1)).saturating_mul(CALL)
    }

    /// What a bucket gets in a millisecond.
    fn per_millisecond(self) -> u64 {
        u64::from(self.per_second.max(1))
    }
}

/// What one caller has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    level: u64,
    at: Timestamp,
}

impl Bucket {
    fn new(rate: Rate, now: Timestamp) -> Self {
        Self { level: rate.full(), at: now }
    }

    fn fill(&mut self, rate: Rate, now: Timestamp) {
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let gained = passed.saturating_mul(rate.per_millisecond());
        self.level = self.level.saturating_add(gained).min(rate.full());
        self.at = self.at.max(now);
    }

    /// Takes a call out, or says how long to wait for the next.
    fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        self.fill(rate, now);
        let Some(rest) = self.level.checked_sub(CALL) else {
            let lacks = CALL.saturating_sub(self.level);
            return Err(Duration::from_millis(lacks.div_ceil(rate.per_millisecond())));
        };
        self.level = rest;
        Ok(())
    }
}

/// The buckets of callers.
#[derive(Clone, Debug)]
pub struct Buckets<K>(HashMap<K, Bucket>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Lets a call through, or says how long to wait.
    pub fn enter(&mut self, caller: K, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        if self.0.len() >= CALLERS_MAX && !self.0.contains_key(&caller) {
            self.make_room(rate, now);
        }
        self.0.entry(caller).or_insert_with(|| Bucket::new(rate, now)).take(rate, now)
    }

    /// Forgets whose bucket is full again: they are as good as new.
    fn make_room(&mut self, rate: Rate, now: Timestamp) {
        self.0.retain(|_, bucket| {
            bucket.fill(rate, now);
            bucket.level < rate.full()
        });
        if self.0.len() >= CALLERS_MAX {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    fn after(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_passes_and_then_one_call_at_a_time() {
        let mut buckets = Buckets::default();
        for _ in 0..3 {
            assert_eq!(buckets.enter("a", RATE, START), Ok(()));
        }
        assert_eq!(buckets.enter("a", RATE, START), Err(Duration::from_millis(100)));
        assert_eq!(buckets.enter("b", RATE, START), Ok(()), "others are not affected");
        assert_eq!(buckets.enter("a", RATE, after(99)), Err(Duration::from_millis(1)));
        assert_eq!(buckets.enter("a", RATE, after(100)), Ok(()));
        assert_eq!(buckets.enter("a", RATE, after(100)), Err(Duration::from_millis(100)));
        for _ in 0..3 {
            assert_eq!(buckets.enter("a", RATE, after(60_000)), Ok(()), "no more than a burst");
        }
        assert!(buckets.enter("a", RATE, after(60_000)).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let mut buckets = Buckets::default();
        for number in 0..CALLERS_MAX * 2 {
            assert_eq!(buckets.enter(number, RATE, START), Ok(()));
        }
        assert!(buckets.0.len() <= CALLERS_MAX);
    }

    proptest! {
        /// In no stretch of time more passes than the burst and what the stretch is worth; who
        /// waits as long as was said passes.
        #[test]
        fn a_bucket_holds_its_rate(
            per_second in 1_u32..500,
            burst in 1_u32..50,
            pauses in prop::collection::vec(0_u64..200, 1..100),
        ) {
            let rate = Rate { per_second, burst };
            let (mut bucket, mut now) = (Bucket::new(rate, START), 0);
            let mut passed: Vec<u64> = Vec::new();
            for pause in pauses {
                now += pause;
                match bucket.take(rate, after(now)) {
                    Ok(()) => passed.push(now),
                    Err(wait) => {
                        let wait = u64::try_from(wait.as_millis()).unwrap();
                        prop_assert!(wait > 0);
                        let (mut early, mut then) = (bucket, bucket);
                        prop_assert!(early.take(rate, after(now + wait - 1)).is_err());
                        prop_assert_eq!(then.take(rate, after(now + wait)), Ok(()));
                    }
                }
            }
            for (index, from) in passed.iter().enumerate() {
                for (more, to) in passed[index..].iter().enumerate() {
                    let calls = u64::try_from(more).unwrap() + 1;
                    let worth = u64::from(burst) * 1000 + (to - from) * u64::from(per_second);
                    prop_assert!(calls * 1000 <= worth, "{calls} in {} ms", to - from);
                }
            }
        }
    }
}
