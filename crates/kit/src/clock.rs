//! The only place where time is read or waited for: real and moved forward, or standing.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wire::time::Timestamp;

/// Longest wait on a real timer before the wall clock is read again: notices a laptop that slept.
const RECHECK_AFTER: Duration = Duration::from_secs(30);

/// Furthest jump that one call may make: ten years.
pub const ADVANCE_MAX: Duration = Duration::from_hours(10 * 366 * 24);

/// The clock was not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Time only moves forward.
    #[error("the clock is already at {now}, it cannot go back to {wanted}")]
    Backwards {
        /// The present.
        now: Timestamp,
        /// The time that was asked for.
        wanted: Timestamp,
    },
    /// Further than [`ADVANCE_MAX`] in one jump.
    #[error("the clock moves at most ten years at a time")]
    TooFar,
}

/// The future did not finish before its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct DeadlinePassed;

/// Why something waits: decides whether "until idle" waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerClass {
    /// Deadlines, retries, reversals, delayed messages.
    Work,
    /// Expiry, cut-off, settlement, retention: recurs for ever.
    Calendar,
    /// Heartbeats and the like: nothing in the world depends on it, so it is not reported as due.
    Unseen,
}

/// A clock; clones share it.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    mode: Mode,
    sleepers: Mutex<Sleepers>,
    next_sleeper: AtomicU64,
}

enum Mode {
    /// Wall time plus what it was moved by; `last` keeps it from stepping back.
    Real { offset: AtomicI64, last: AtomicI64 },
    /// Stands until moved.
    Virtual { millis: AtomicI64 },
}

type SleeperKey = (Timestamp, u64);

#[derive(Default)]
struct Sleepers(BTreeMap<SleeperKey, (TimerClass, Waker)>);

impl Clock {
    /// Wall time; may be moved forward.
    pub fn real() -> Self {
        let offset = AtomicI64::new(0);
        Self::with(Mode::Real { offset, last: AtomicI64::new(0) })
    }

    /// Stands at `start` until it is moved.
    pub fn virtual_at(start: Timestamp) -> Self {
        Self::with(Mode::Virtual { millis: AtomicI64::new(start.millis()) })
    }

    fn with(mode: Mode) -> Self {
        let sleepers = Mutex::new(Sleepers::default());
        Self(Arc::new(Inner { mode, sleepers, next_sleeper: AtomicU64::new(0) }))
    }

    /// The present. Never earlier than what an earlier call returned.
    pub fn now(&self) -> Timestamp {
        match &self.0.mode {
            Mode::Virtual { millis } => Timestamp::from_millis(millis.load(Ordering::Acquire)),
            Mode::Real { offset, last } => {
                let moved = wall_millis().saturating_add(offset.load(Ordering::Acquire));
                let before = last.fetch_max(moved, Ordering::AcqRel);
                Timestamp::from_millis(moved.max(before))
            }
        }
    }

    /// Whether time stands until it is moved.
    pub fn is_virtual(&self) -> bool {
        matches!(self.0.mode, Mode::Virtual { .. })
    }

    /// Moves the clock forward and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Duration) -> Result<Timestamp, ClockError> {
        if by > ADVANCE_MAX {
            return Err(ClockError::TooFar);
        }
        let by = i64::try_from(by.as_millis()).map_err(|_| ClockError::TooFar)?;
        match &self.0.mode {
            Mode::Virtual { millis } => millis.fetch_add(by, Ordering::AcqRel),
            Mode::Real { offset, .. } => offset.fetch_add(by, Ordering::AcqRel),
        };
        self.wake_due();
        Ok(self.now())
    }

    /// Moves the clock forward to `to`; the present itself is allowed.
    pub fn advance_to(&self, to: Timestamp) -> Result<Timestamp, ClockError> {
        let now = self.now();
        if to < now {
            return Err(ClockError::Backwards { now, wanted: to });
        }
        self.advance(to.since(now))
    }

    /// Takes over the present of another clock, even one that lies behind: for those who look at
    /// a world from outside and sign by its time.
    pub fn follow(&self, present: Timestamp) {
        let present = present.millis();
        match &self.0.mode {
            Mode::Virtual { millis } => millis.store(present, Ordering::Release),
            Mode::Real { offset, last } => {
                offset.store(present.saturating_sub(wall_millis()), Ordering::Release);
                last.store(present, Ordering::Release);
            }
        }
        self.wake_due();
    }

    fn wake_due(&self) {
        let now = self.now();
        let due: Vec<Waker> = {
            let sleepers = self.sleepers();
            let last = (now, u64::MAX);
            sleepers.0.range(..=last).map(|(_, (_, waker))| waker.clone()).collect()
        };
        due.into_iter().for_each(Waker::wake);
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `at` on this clock.
    pub fn sleep_until(&self, at: Timestamp) -> Sleep {
        self.sleep_as(at, TimerClass::Work)
    }

    /// Waits until `at`, as a timer of the given class.
    pub fn sleep_as(&self, at: Timestamp, class: TimerClass) -> Sleep {
        Sleep { clock: self.clone(), at, class, key: None, timer: None }
    }

    /// Waits for `duration` on this clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now().plus(duration))
    }

    /// Runs `future` until `deadline` has passed on this clock.
    pub async fn timeout<F: Future>(
        &self,
        deadline: Duration,
        future: F,
    ) -> Result<F::Output, DeadlinePassed> {
        let mut future = std::pin::pin!(future);
        let mut sleep = self.sleep(deadline);
        std::future::poll_fn(move |context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            Pin::new(&mut sleep).poll(context).map(|()| Err(DeadlinePassed))
        })
        .await
    }

    /// The earliest time that a sleeper of this clock waits for, unseen ones left out.
    pub fn next_due(&self) -> Option<Timestamp> {
        let sleepers = self.sleepers();
        let mut seen = sleepers.0.iter().filter(|(_, (class, _))| *class != TimerClass::Unseen);
        seen.next().map(|((at, _), _)| *at)
    }

    /// The earliest time that a sleeper of class [`TimerClass::Work`] waits for.
    pub fn next_work_due(&self) -> Option<Timestamp> {
        let sleepers = self.sleepers();
        let mut work = sleepers.0.iter().filter(|(_, (class, _))| *class == TimerClass::Work);
        work.next().map(|((at, _), _)| *at)
    }

    /// Starts measuring real, monotonic time: for metrics and log fields only.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch::start()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mode = if self.is_virtual() { "virtual" } else { "real" };
        write!(formatter, "Clock({mode}, {})", self.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
fn monotonic_now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the one place that waits on real time")]
fn real_timer(duration: Duration) -> tokio::time::Sleep {
    tokio::time::sleep(duration)
}

/// A limit in real time, for peers that send slowly: no business deadline.
#[expect(clippy::disallowed_methods, reason = "the one place that waits on real time")]
pub async fn real_timeout<F: Future>(
    limit: Duration,
    future: F,
) -> Result<F::Output, DeadlinePassed> {
    tokio::time::timeout(limit, future).await.map_err(|_| DeadlinePassed)
}

/// Real time since it was started.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self(monotonic_now())
    }

    /// Real time since the start.
    pub fn elapsed(&self) -> Duration {
        monotonic_now().duration_since(self.0)
    }
}

/// A wait on a [`Clock`]; dropping it forgets the timer.
pub struct Sleep {
    clock: Clock,
    at: Timestamp,
    class: TimerClass,
    key: Option<SleeperKey>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Sleep {
    fn register(&mut self, waker: &Waker) {
        let key = *self.key.get_or_insert_with(|| {
            (self.at, self.clock.0.next_sleeper.fetch_add(1, Ordering::Relaxed))
        });
        let class = self.class;
        let mut sleepers = self.clock.sleepers();
        let entry = sleepers.0.entry(key).or_insert_with(|| (class, waker.clone()));
        if !entry.1.will_wake(waker) {
            entry.1.clone_from(waker);
        }
    }

    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.clock.sleepers().0.remove(&key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        // Registered before the clock is read: a move in between then wakes this task.
        if sleep.clock.now() < sleep.at {
            sleep.register(context.waker());
        }
        loop {
            let now = sleep.clock.now();
            if now >= sleep.at {
                sleep.forget();
                return Poll::Ready(());
            }
            if sleep.clock.is_virtual() {
                return Poll::Pending;
            }
            let wait = sleep.at.since(now).min(RECHECK_AFTER);
            let timer = sleep.timer.get_or_insert_with(|| Box::pin(real_timer(wait)));
            match timer.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => sleep.timer = None,
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn polled_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn virtual_time_stands_until_it_is_moved_and_never_goes_back() {
        let clock = Clock::virtual_at(START);
        assert_eq!(clock.now(), START);
        let later = START.plus(Duration::from_secs(31));
        assert_eq!(clock.advance(Duration::from_secs(31)), Ok(later));
        assert_eq!(clock.advance_to(later), Ok(later));
        let back = clock.advance_to(START);
        assert_eq!(back, Err(ClockError::Backwards { now: later, wanted: START }));
        assert_eq!(clock.advance(ADVANCE_MAX * 2), Err(ClockError::TooFar));
        assert!(clock.is_virtual());
    }

    #[test]
    fn a_bystander_follows_a_world_in_either_direction() {
        let bystander = Clock::real();
        for world in [START, START.plus(Duration::from_hours(72)), START] {
            bystander.follow(world);
            let ahead = bystander.now().since(world);
            assert!(bystander.now() >= world && ahead < Duration::from_mins(1), "{ahead:?}");
        }
    }

    #[test]
    fn a_real_clock_runs_and_can_be_moved_forward() {
        let clock = Clock::real();
        let before = clock.now();
        clock.advance(Duration::from_hours(1)).unwrap();
        assert!(clock.now() >= before.plus(Duration::from_hours(1)));
        assert!(clock.now() < before.plus(Duration::from_hours(2)));
        assert!(!clock.is_virtual());
    }

    #[test]
    fn a_sleeper_is_visible_until_its_time_comes_and_then_woken() {
        struct Flag(AtomicBool);
        impl std::task::Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let clock = Clock::virtual_at(START);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        let at = START.plus(Duration::from_secs(10));
        let mut sleep = clock.sleep_as(at, TimerClass::Calendar);
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(clock.next_due(), Some(at));
        assert_eq!(clock.next_work_due(), None);
        clock.advance(Duration::from_secs(9)).unwrap();
        assert!(!flag.0.load(Ordering::SeqCst));
        clock.advance(Duration::from_secs(1)).unwrap();
        assert!(flag.0.load(Ordering::SeqCst));
        assert!(polled_once(&mut sleep).is_ready());
        assert_eq!(clock.next_due(), None);
    }

    #[test]
    fn an_unseen_sleeper_is_not_due_but_is_woken() {
        let clock = Clock::virtual_at(START);
        let mut heartbeat = clock.sleep_as(START.plus(Duration::from_secs(15)), TimerClass::Unseen);
        assert!(polled_once(&mut heartbeat).is_pending());
        assert_eq!((clock.next_due(), clock.next_work_due()), (None, None));
        clock.advance(Duration::from_secs(15)).unwrap();
        assert!(polled_once(&mut heartbeat).is_ready());
    }

    #[test]
    fn a_dropped_sleeper_is_forgotten() {
        let clock = Clock::virtual_at(START);
        let mut sleep = clock.sleep(Duration::from_secs(5));
        assert!(polled_once(&mut sleep).is_pending());
        assert_eq!(clock.next_work_due(), Some(START.plus(Duration::from_secs(5))));
        drop(sleep);
        assert_eq!(clock.next_due(), None);
    }

    #[test]
    fn a_deadline_fires_when_the_clock_is_moved_past_it() {
        let clock = Clock::virtual_at(START);
        let mut call =
            Box::pin(clock.timeout(Duration::from_secs(20), std::future::pending::<()>()));
        assert!(polled_once(&mut call).is_pending());
        clock.advance(Duration::from_secs(20)).unwrap();
        assert_eq!(polled_once(&mut call), Poll::Ready(Err(DeadlinePassed)));
        let mut call = Box::pin(clock.timeout(Duration::ZERO, std::future::ready(7)));
        assert_eq!(polled_once(&mut call), Poll::Ready(Ok(7)));
    }

    #[tokio::test]
    async fn a_sleeper_of_a_real_clock_follows_a_move() {
        let clock = Clock::real();
        let mut sleep = clock.sleep(Duration::from_hours(1));
        assert!(polled_once(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(3601)).unwrap();
        sleep.await;
        clock.sleep(Duration::from_millis(1)).await;
    }
}
