//! Background loops: do all that is due, then wait for news or for the next due time.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures_util::FutureExt;
use tokio::sync::Notify;
use wire::time::Timestamp;

use crate::activity::{Activity, NextDue, WorkerStatus};
use crate::clock::TimerClass;
use crate::plumbing::Plumbing;

/// Wakes one worker; clones share it. A wake that comes while the worker is busy is kept.
#[derive(Clone, Default)]
pub struct Wake(Arc<WakeInner>);

#[derive(Default)]
struct WakeInner {
    pending: AtomicBool,
    notify: Notify,
}

impl Wake {
    /// A handle for one worker.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the worker that there may be something to do.
    pub fn wake(&self) {
        if !self.0.pending.swap(true, Ordering::AcqRel) {
            self.0.notify.notify_one();
        }
    }

    /// Whether a wake has not been taken up yet.
    pub fn is_pending(&self) -> bool {
        self.0.pending.load(Ordering::Acquire)
    }

    fn take_up(&self) {
        self.0.pending.store(false, Ordering::Release);
    }

    async fn woken(&self) {
        while !self.is_pending() {
            self.0.notify.notified().await;
        }
    }
}

/// When one worker has something to do next; clones share it. It is woken only when something is
/// due sooner than it knows.
#[derive(Clone, Default)]
pub struct Timer(Arc<TimerInner>);

struct TimerInner {
    wake: Wake,
    next: AtomicI64,
    looking: AtomicBool,
}

impl Default for TimerInner {
    fn default() -> Self {
        let next = AtomicI64::new(i64::MAX);
        Self { wake: Wake::new(), next, looking: AtomicBool::new(false) }
    }
}

impl Timer {
    /// The handle that wakes the worker.
    pub fn wake(&self) -> Wake {
        self.0.wake.clone()
    }

    /// Something is due at `at`: the worker is woken when it would sleep longer. Said after what is
    /// due was stored, or the worker may look before there is anything to see.
    pub fn note(&self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        let is_sooner = self.0.next.fetch_min(at.millis(), Ordering::SeqCst) > at.millis();
        // While the worker looks, the end of its look decides.
        if is_sooner && !self.0.looking.load(Ordering::SeqCst) {
            self.0.wake.wake();
        }
    }

    /// The worker begins to look at what is due. Whatever is noted from now on may have been stored
    /// too late to be found.
    pub fn look(&self) -> Look {
        // In this order: what is noted in between was stored before the look.
        self.0.looking.store(true, Ordering::SeqCst);
        self.0.next.store(i64::MAX, Ordering::SeqCst);
        Look { timer: self.clone(), found: None }
    }

    fn end_look(&self, found: Option<Timestamp>) {
        let found = found.map_or(i64::MAX, Timestamp::millis);
        // In this order: what is noted after the second line wakes by itself.
        self.0.looking.store(false, Ordering::SeqCst);
        if self.0.next.fetch_min(found, Ordering::SeqCst) < found {
            self.0.wake.wake();
        }
    }

    /// When the worker wakes by itself.
    pub fn next(&self) -> Option<Timestamp> {
        let millis = self.0.next.load(Ordering::Acquire);
        (millis != i64::MAX).then(|| Timestamp::from_millis(millis))
    }
}

/// A worker that looks at what is due. One that fails is dropped: it has found nothing.
#[must_use]
pub struct Look {
    timer: Timer,
    found: Option<Timestamp>,
}

impl Look {
    /// The worker will sleep until `at`, what it found; or looks again when something is due sooner
    /// that was noted meanwhile.
    pub fn sleep_until(mut self, at: Option<Timestamp>) {
        self.found = at;
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.timer.end_look(self.found);
    }
}

/// Runs `step` at once and then whenever the worker is woken or its next timer is due.
///
/// `step` does all that is due and returns when it wants to be called again (`Option<Timestamp>`
/// for a timer of class work, or a [`NextDue`]). Ends when shutdown is requested; a step that has
/// begun is finished first. A step that panics ends the program.
pub async fn run<S, F, D>(plumbing: &Plumbing, name: &'static str, wake: Wake, mut step: S)
where
    S: FnMut() -> F,
    F: Future<Output = D>,
    D: Into<NextDue>,
{
    wake.wake();
    let status = Registered::new(&plumbing.activity, name, &wake);
    while !plumbing.shutdown.is_requested() {
        // Counted before the wake is taken up, so that no observer sees an idle gap.
        let tracked = plumbing.activity.track(async {
            status.0.begin_step();
            wake.take_up();
            let due: NextDue = step().await.into();
            if due.earliest().is_some_and(|at| at <= plumbing.clock.now()) {
                // Due already: the next step is owed, and seen to be.
                wake.wake();
            }
            status.0.end_step(due);
        });
        if AssertUnwindSafe(tracked).catch_unwind().await.is_err() {
            plumbing.shutdown.fail(format!("the worker `{name}` panicked"));
            return;
        }
        wait_for_news(plumbing, name, &wake, status.0.next_due()).await;
        // A worker that always finds news must not keep others from running.
        tokio::task::yield_now().await;
    }
}

async fn wait_for_news(plumbing: &Plumbing, name: &'static str, wake: &Wake, due: NextDue) {
    let class = if due.work.is_some() && due.work == due.earliest() {
        TimerClass::Work
    } else {
        TimerClass::Calendar
    };
    let timer = async {
        match due.earliest() {
            Some(at) => plumbing.clock.sleep_named(at, class, name).await,
            None => std::future::pending().await,
        }
    };
    // Boxed: few workers have one, and all would carry it.
    let unseen = Box::pin(async {
        match due.unseen {
            Some(at) => plumbing.clock.sleep_named(at, TimerClass::Unseen, name).await,
            None => std::future::pending().await,
        }
    });
    tokio::select! {
        () = plumbing.shutdown.requested() => {}
        () = wake.woken() => {}
        () = timer => {}
        () = unseen => {}
    }
}

/// Takes the worker off the idle report when it ends, however it ends.
struct Registered(Arc<WorkerStatus>, Activity);

impl Registered {
    fn new(activity: &Activity, name: &'static str, wake: &Wake) -> Self {
        Self(activity.register_worker(name, wake.clone()), activity.clone())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.1.forget_worker(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Option<Timestamp> = Some(Timestamp::from_millis(1_000));
    const LATE: Option<Timestamp> = Some(Timestamp::from_millis(2_000));

    fn has_woken(timer: &Timer) -> bool {
        let woken = timer.wake().is_pending();
        timer.wake().take_up();
        woken
    }

    #[test]
    fn what_is_noted_while_the_worker_looks_is_not_slept_over() {
        let timer = Timer::default();
        timer.note(LATE);
        assert!(has_woken(&timer));
        let look = timer.look();
        timer.note(LATE);
        assert!(!has_woken(&timer), "the end of the look decides");
        look.sleep_until(None);
        assert!(has_woken(&timer), "it may have looked before that was stored");
        assert_eq!(timer.next(), LATE);
        let failed = timer.look();
        timer.note(LATE);
        drop(failed);
        assert!(has_woken(&timer), "a look that fails finds nothing");
    }

    #[test]
    fn what_is_due_later_than_the_worker_found_does_not_have_it_look_again() {
        let timer = Timer::default();
        let look = timer.look();
        timer.note(LATE);
        look.sleep_until(SOON);
        assert!(!has_woken(&timer));
        assert_eq!(timer.next(), SOON);
        let look = timer.look();
        timer.note(SOON);
        look.sleep_until(LATE);
        assert!(has_woken(&timer));
        assert_eq!(timer.next(), SOON);
    }

    #[test]
    fn only_what_is_due_sooner_wakes_a_worker_that_sleeps() {
        let timer = Timer::default();
        timer.look().sleep_until(LATE);
        timer.note(None);
        timer.note(LATE);
        assert!(!has_woken(&timer));
        timer.note(SOON);
        assert!(has_woken(&timer));
        assert_eq!(timer.next(), SOON);
    }
}
