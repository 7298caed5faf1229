//! The only place where time is read or waited for: real and moved forward, or standing.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
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
pub struct Clock {
    inner: Arc<Inner>,
    /// Whose handle it is: decides who is woken first of those that wait for the same moment.
    owner: &'static str,
}

struct Inner {
    mode: Mode,
    sleepers: Mutex<Sleepers>,
    next_sleeper: AtomicU64,
    /// Whether somebody outside waits for rest, and then wakes sleepers one by one.
    driven: AtomicBool,
    /// Those that wait for a moment of real time or for rest, whatever comes first.
    patient: AtomicUsize,
    rest: Notify,
}

enum Mode {
    /// Wall time plus what it was moved by; `last` keeps it from stepping back.
    Real { offset: AtomicI64, last: AtomicI64 },
    /// Stands until moved.
    Virtual { millis: AtomicI64 },
}

/// When, whose, which, and the how-manieth: those of one moment have an order that is no matter of
/// luck.
type SleeperKey = (Timestamp, &'static str, &'static str, u64);

struct Sleeper {
    class: TimerClass,
    waker: Waker,
    woken: bool,
}

#[derive(Default)]
struct Sleepers(BTreeMap<SleeperKey, Sleeper>);

impl Sleepers {
    fn due(&mut self, now: Timestamp) -> impl Iterator<Item = &mut Sleeper> {
        let due = self.0.iter_mut().take_while(move |(key, _)| key.0 <= now);
        due.map(|(_, sleeper)| sleeper)
    }
}

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
        let inner = Inner {
            mode,
            sleepers: Mutex::new(Sleepers::default()),
            next_sleeper: AtomicU64::new(0),
            driven: AtomicBool::new(false),
            patient: AtomicUsize::new(0),
            rest: Notify::new(),
        };
        Self { inner: Arc::new(inner), owner: "" }
    }

    /// The same clock in the hands of a program.
    pub fn of(&self, owner: &'static str) -> Self {
        Self { inner: self.inner.clone(), owner }
    }

    /// The present. Never earlier than what an earlier call returned.
    pub fn now(&self) -> Timestamp {
        match &self.inner.mode {
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
        matches!(self.inner.mode, Mode::Virtual { .. })
    }

    /// Moves the clock forward and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Duration) -> Result<Timestamp, ClockError> {
        if by > ADVANCE_MAX {
            return Err(ClockError::TooFar);
        }
        let by = i64::try_from(by.as_millis()).map_err(|_| ClockError::TooFar)?;
        match &self.inner.mode {
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
        match &self.inner.mode {
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
            let mut sleepers = self.sleepers();
            let woken = sleepers.due(now).map(|sleeper| {
                sleeper.woken = true;
                sleeper.waker.clone()
            });
            woken.collect()
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// Moves a virtual clock to `to` and wakes nobody that the world depends on: that is left to
    /// [`Clock::wake_next`], one after the other. A real clock wakes all at once.
    pub fn set_to(&self, to: Timestamp) -> Result<Timestamp, ClockError> {
        let Mode::Virtual { millis } = &self.inner.mode else { return self.advance_to(to) };
        let now = self.now();
        if to < now {
            return Err(ClockError::Backwards { now, wanted: to });
        }
        if to.since(now) > ADVANCE_MAX {
            return Err(ClockError::TooFar);
        }
        millis.store(to.millis(), Ordering::Release);
        let unseen: Vec<Waker> = {
            let mut sleepers = self.sleepers();
            let unseen = sleepers.due(to).filter(|it| it.class == TimerClass::Unseen);
            unseen.map(|sleeper| sleeper.waker.clone()).collect()
        };
        unseen.into_iter().for_each(Waker::wake);
        Ok(to)
    }

    /// Wakes the next sleeper whose time has come and who was not woken yet; false when there is
    /// none. Before the first of them, those with [`Clock::patience`] are let go.
    pub fn wake_next(&self) -> bool {
        if self.patient() > 0 {
            self.inner.rest.notify_waiters();
            return true;
        }
        if !self.is_virtual() {
            return false;
        }
        let now = self.now();
        let next = {
            let mut sleepers = self.sleepers();
            sleepers.due(now).find(|sleeper| !sleeper.woken).map(|sleeper| {
                sleeper.woken = true;
                sleeper.waker.clone()
            })
        };
        next.map(Waker::wake).is_some()
    }

    /// How many wait with [`Clock::patience`].
    pub fn patient(&self) -> usize {
        self.inner.patient.load(Ordering::Acquire)
    }

    /// Whether somebody waits for rest and calls [`Clock::wake_next`]: patience then ends there.
    pub fn drive(&self, on: bool) {
        self.inner.driven.store(on, Ordering::Release);
    }

    /// Waits for a moment of real time, for somebody who looks at a page; where the clock is
    /// driven, until the world is at rest, so that the speed of the machine decides nothing.
    pub async fn patience(&self, moment: Duration) {
        let resting = self.inner.rest.notified();
        let _counted = Patient::new(&self.inner.patient);
        let tired = async {
            real_timer(moment).await;
            while self.inner.driven.load(Ordering::Acquire) {
                real_timer(moment).await;
            }
        };
        tokio::select! {
            () = resting => {}
            () = tired => {}
        }
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.inner.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `at` on this clock.
    pub fn sleep_until(&self, at: Timestamp) -> Sleep {
        self.sleep_as(at, TimerClass::Work)
    }

    /// Waits until `at`, as a timer of the given class.
    pub fn sleep_as(&self, at: Timestamp, class: TimerClass) -> Sleep {
        self.sleep_named(at, class, "")
    }

    /// Waits until `at`, as a timer that has a name: of those of one moment the names decide who
    /// is woken first.
    pub fn sleep_named(&self, at: Timestamp, class: TimerClass, name: &'static str) -> Sleep {
        Sleep { clock: self.clone(), at, class, name, key: None, timer: None }
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
        let mut seen = sleepers.0.iter().filter(|(_, it)| it.class != TimerClass::Unseen);
        seen.next().map(|(key, _)| key.0)
    }

    /// The earliest time that a sleeper of class [`TimerClass::Work`] waits for.
    pub fn next_work_due(&self) -> Option<Timestamp> {
        let sleepers = self.sleepers();
        let mut work = sleepers.0.iter().filter(|(_, it)| it.class == TimerClass::Work);
        work.next().map(|(key, _)| key.0)
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

/// Counts somebody with patience until it is dropped.
struct Patient<'c>(&'c AtomicUsize);

impl<'c> Patient<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Patient<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A wait on a [`Clock`]; dropping it forgets the timer.
pub struct Sleep {
    clock: Clock,
    at: Timestamp,
    class: TimerClass,
    name: &'static str,
    key: Option<SleeperKey>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Sleep {
    fn register(&mut self, waker: &Waker) {
        let key = *self.key.get_or_insert_with(|| {
            let number = self.clock.inner.next_sleeper.fetch_add(1, Ordering::Relaxed);
            (self.at, self.clock.owner, self.name, number)
        });
        let class = self.class;
        let mut sleepers = self.clock.sleepers();
        let begins = || Sleeper { class, waker: waker.clone(), woken: false };
        let entry = sleepers.0.entry(key).or_insert_with(begins);
        if !entry.waker.will_wake(waker) {
            entry.waker.clone_from(waker);
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
    fn sleepers_of_one_moment_are_woken_one_by_one_in_the_order_of_their_names() {
        struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);
        impl std::task::Wake for Named {
            fn wake(self: Arc<Self>) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let clock = Clock::virtual_at(START);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let at = START.plus(Duration::from_secs(1));
        let mut sleepers = Vec::new();
        for (owner, name) in
            [("merchant", "due"), ("gateway", "reversals"), ("gateway", "captures")]
        {
            let mut sleep = clock.of(owner).sleep_named(at, TimerClass::Work, name);
            let waker = Waker::from(Arc::new(Named(name, woken.clone())));
            assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
            sleepers.push(sleep);
        }
        assert_eq!(clock.set_to(at), Ok(at));
        assert!(woken.lock().unwrap().is_empty());
        for number in 1..=3 {
            assert!(clock.wake_next());
            assert_eq!(woken.lock().unwrap().len(), number);
        }
        assert!(!clock.wake_next());
        assert_eq!(*woken.lock().unwrap(), ["captures", "reversals", "due"]);
        assert!(clock.set_to(START).is_err());
    }

    #[tokio::test]
    async fn patience_ends_when_the_world_is_at_rest() {
        let clock = Clock::virtual_at(START);
        clock.drive(true);
        let mut waiting = Box::pin(clock.patience(Duration::from_secs(1000)));
        assert!(polled_once(&mut waiting).is_pending());
        assert!(clock.wake_next());
        waiting.await;
        assert!(!clock.wake_next());
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
