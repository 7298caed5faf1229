//! What a program is busy with: the figures that tell a runner when it may move the clock.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use wire::time::Timestamp;

use crate::worker::Wake;

tokio::task_local! {
    static CURRENT: Arc<Tracked>;
}

/// One tracked piece of work and how many things it waits for right now.
struct Tracked {
    activity: Activity,
    waits: AtomicI64,
}

/// The counters of one program; clones share them.
#[derive(Clone, Default)]
pub struct Activity(Arc<Counters>);

#[derive(Default)]
struct Counters {
    in_flight: AtomicI64,
    queued: AtomicI64,
    sent: AtomicU64,
    awaiting: AtomicI64,
    received: AtomicU64,
    serving: AtomicI64,
    contacts: AtomicU64,
    abroad: AtomicI64,
    guests: AtomicI64,
    workers: Mutex<Vec<Arc<WorkerStatus>>>,
}

/// When the next timers of one worker are due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NextDue {
    /// Deadlines, retries, reversals: "until idle" waits for these.
    pub work: Option<Timestamp>,
    /// Expiry, cut-off, settlement, retention: recurs for ever.
    pub calendar: Option<Timestamp>,
    /// Tidying up that nobody sees: time goes past it, and it is done then.
    pub unseen: Option<Timestamp>,
}

impl NextDue {
    /// The earlier of the two that are seen.
    pub fn earliest(&self) -> Option<Timestamp> {
        earlier(self.work, self.calendar)
    }

    /// A timer that "until idle" does not wait for.
    pub const fn calendar(at: Option<Timestamp>) -> Self {
        Self { work: None, calendar: at, unseen: None }
    }

    /// A timer on which nothing in the world depends.
    pub const fn unseen(at: Timestamp) -> Self {
        Self { work: None, calendar: None, unseen: Some(at) }
    }
}

impl From<Option<Timestamp>> for NextDue {
    fn from(work: Option<Timestamp>) -> Self {
        Self { work, calendar: None, unseen: None }
    }
}

/// The earlier of two points in time, where none means never.
pub(crate) fn earlier(one: Option<Timestamp>, two: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(two).min()
}

/// The next timer of one worker, for people who look at the clock.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PendingTimer {
    /// Whose timer it is: `reversals`, `webhooks`.
    pub owner: String,
    /// When it is due.
    pub due_at: Timestamp,
    /// Whether "until idle" waits for it.
    pub work: bool,
}

/// A background worker as the idle report sees it.
pub(crate) struct WorkerStatus {
    name: &'static str,
    pub(crate) wake: Wake,
    due: Mutex<NextDue>,
    /// A wake that comes during a step is taken up after it: until then it is not due work.
    stepping: AtomicBool,
}

impl WorkerStatus {
    /// A step begins: whatever was due is being looked at.
    pub(crate) fn begin_step(&self) {
        self.stepping.store(true, Ordering::Release);
        self.set_due(NextDue::default());
    }

    /// A step ended, and what it found to be due next.
    pub(crate) fn end_step(&self, due: NextDue) {
        self.set_due(due);
        self.stepping.store(false, Ordering::Release);
    }

    fn is_owed_a_step(&self) -> bool {
        self.wake.is_pending() && !self.stepping.load(Ordering::Acquire)
    }

    fn set_due(&self, due: NextDue) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
    }

    pub(crate) fn next_due(&self) -> NextDue {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Pieces of work that are running and wait for no timer and no peer.
    pub in_flight: u64,
    /// Work that is due and has not begun.
    pub queued: u64,
    /// Messages handed to the network so far.
    pub sent: u64,
    /// Messages handed to the network and not answered yet; dropped ones do not count.
    pub awaiting_answer: u64,
    /// Messages of other programs received so far.
    pub received: u64,
    /// Messages of other programs received and not answered yet.
    pub serving: u64,
    /// Messages to and from programs that are not ours so far, and answers to either.
    pub contacts: u64,
    /// Messages to programs that are not ours and not answered yet.
    pub abroad: u64,
    /// Messages of programs that are not ours and not answered yet.
    pub guests: u64,
}

/// Counts one piece of work as running until it is dropped.
#[must_use]
pub struct Guard(Activity);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Marks the current piece of work as waiting for a timer or a peer until it is dropped.
#[must_use]
pub struct WaitGuard(Option<Arc<Tracked>>);

impl Drop for WaitGuard {
    fn drop(&mut self) {
        if let Some(tracked) = &self.0
            && tracked.waits.fetch_sub(1, Ordering::AcqRel) == 1
        {
            tracked.activity.0.in_flight.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// Counts one message as handed to the network and unanswered until it is dropped.
#[must_use]
pub struct AwaitingGuard(Activity);

impl Drop for AwaitingGuard {
    fn drop(&mut self) {
        self.0.0.awaiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts one message to or from a program that is not ours as unanswered until it is dropped.
#[must_use]
pub struct StrangerGuard {
    activity: Activity,
    of: fn(&Counters) -> &AtomicI64,
}

impl StrangerGuard {
    fn new(activity: &Activity, of: fn(&Counters) -> &AtomicI64) -> Self {
        activity.0.contacts.fetch_add(1, Ordering::Relaxed);
        of(&activity.0).fetch_add(1, Ordering::AcqRel);
        Self { activity: activity.clone(), of }
    }
}

impl Drop for StrangerGuard {
    fn drop(&mut self) {
        self.activity.0.contacts.fetch_add(1, Ordering::Relaxed);
        (self.of)(&self.activity.0).fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts one message of another program as received and unanswered until it is dropped.
#[must_use]
pub(crate) struct ServingGuard(Activity);

impl Drop for ServingGuard {
    fn drop(&mut self) {
        self.0.0.serving.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Tells a result to one who waits for it.
pub struct Teller<T>(Activity, oneshot::Sender<(T, Guard)>);

impl<T> Teller<T> {
    /// Tells it. One who waits no more is not told.
    pub fn tell(self, result: T) {
        drop(self.1.send((result, self.0.enter())));
    }
}

/// Waits for a result.
pub struct Told<T>(Activity, oneshot::Receiver<(T, Guard)>);

impl<T> Told<T> {
    /// The result; none when nobody will tell it.
    pub async fn wait(self) -> Option<T> {
        let waiting = self.0.waiting();
        let told = self.1.await.ok();
        // Work again before what was handed over ceases to count.
        drop(waiting);
        told.map(|(result, _)| result)
    }
}

impl Activity {
    /// Counts work as running while the guard lives. For futures use [`Activity::track`].
    pub fn enter(&self) -> Guard {
        self.0.in_flight.fetch_add(1, Ordering::AcqRel);
        Guard(self.clone())
    }

    /// Runs a future as counted work: from now on, not from its first step. While it waits on a
    /// link it does not count.
    pub fn track<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let tracked = Arc::new(Tracked { activity: self.clone(), waits: AtomicI64::new(0) });
        let guard = self.enter();
        async move {
            let output = CURRENT.scope(tracked, future).await;
            drop(guard);
            output
        }
    }

    /// A way for one piece of work to tell its result to another that waits for it. Nobody finds
    /// the program idle in between.
    pub fn handover<T>(&self) -> (Teller<T>, Told<T>) {
        let (teller, told) = oneshot::channel();
        (Teller(self.clone(), teller), Told(self.clone(), told))
    }

    /// Marks the work this is called in as waiting for a timer or a peer.
    pub fn waiting(&self) -> WaitGuard {
        let current = CURRENT.try_with(Arc::clone).ok();
        if let Some(tracked) = &current
            && tracked.waits.fetch_add(1, Ordering::AcqRel) == 0
        {
            tracked.activity.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        }
        WaitGuard(current)
    }

    /// Changes the number of due pieces of work that have not begun.
    pub fn add_queued(&self, change: i64) {
        self.0.queued.fetch_add(change, Ordering::AcqRel);
    }

    /// Counts a message to one of our programs as sent, and as unanswered while the guard lives.
    pub fn message_sent(&self) -> AwaitingGuard {
        self.0.sent.fetch_add(1, Ordering::Relaxed);
        self.0.awaiting.fetch_add(1, Ordering::AcqRel);
        AwaitingGuard(self.clone())
    }

    /// Counts a message to a program that is not ours, and so counts nothing itself.
    pub fn sent_abroad(&self) -> StrangerGuard {
        StrangerGuard::new(self, |counters| &counters.abroad)
    }

    /// Counts a message of a program that is not ours.
    pub(crate) fn guest_received(&self) -> StrangerGuard {
        StrangerGuard::new(self, |counters| &counters.guests)
    }

    pub(crate) fn message_received(&self) -> ServingGuard {
        self.0.received.fetch_add(1, Ordering::Relaxed);
        self.0.serving.fetch_add(1, Ordering::AcqRel);
        ServingGuard(self.clone())
    }

    pub(crate) fn register_worker(&self, name: &'static str, wake: Wake) -> Arc<WorkerStatus> {
        let due = Mutex::new(NextDue::default());
        let status = Arc::new(WorkerStatus { name, wake, due, stepping: AtomicBool::new(false) });
        self.workers().push(status.clone());
        status
    }

    pub(crate) fn forget_worker(&self, status: &Arc<WorkerStatus>) {
        self.workers().retain(|other| !Arc::ptr_eq(other, status));
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Arc<WorkerStatus>>> {
        self.0.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next timers of all workers are due.
    pub fn next_due(&self) -> NextDue {
        self.workers().iter().fold(NextDue::default(), |sooner, worker| {
            let due = worker.next_due();
            NextDue {
                work: earlier(sooner.work, due.work),
                calendar: earlier(sooner.calendar, due.calendar),
                unseen: None,
            }
        })
    }

    /// The next timers of each worker, the next first.
    pub fn timers(&self) -> Vec<PendingTimer> {
        let of = |worker: &Arc<WorkerStatus>| {
            let (due, owner) = (worker.next_due(), worker.name.to_owned());
            let timer = move |due_at, work| PendingTimer { owner: owner.clone(), due_at, work };
            let work = due.work.map(|at| timer(at, true));
            let calendar = due.calendar.filter(|at| due.work != Some(*at));
            work.into_iter().chain(calendar.map(|at| timer(at, false))).collect::<Vec<_>>()
        };
        let mut timers: Vec<PendingTimer> = self.workers().iter().flat_map(of).collect();
        timers.sort_by(|one, two| (one.due_at, &one.owner).cmp(&(two.due_at, &two.owner)));
        timers
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let woken = self.workers().iter().filter(|worker| worker.is_owed_a_step()).count();
        let queued = gauge(&self.0.queued).saturating_add(u64::try_from(woken).unwrap_or(0));
        Snapshot {
            in_flight: gauge(&self.0.in_flight),
            queued,
            sent: self.0.sent.load(Ordering::Acquire),
            awaiting_answer: gauge(&self.0.awaiting),
            received: self.0.received.load(Ordering::Acquire),
            serving: gauge(&self.0.serving),
            contacts: self.0.contacts.load(Ordering::Acquire),
            abroad: gauge(&self.0.abroad),
            guests: gauge(&self.0.guests),
        }
    }
}

fn gauge(value: &AtomicI64) -> u64 {
    u64::try_from(value.load(Ordering::Acquire)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn work_counts_while_it_runs_and_not_while_it_waits_for_a_peer() {
        let activity = Activity::default();
        let (answer, answered) = oneshot::channel::<()>();
        let inner = activity.clone();
        let mut work = pin!(activity.track(async move {
            let _first = inner.waiting();
            let _second = inner.waiting();
            answered.await.ok();
        }));
        let mut context = Context::from_waker(Waker::noop());
        assert!(work.as_mut().poll(&mut context).is_pending());
        assert_eq!(activity.snapshot().in_flight, 0);
        let guard = activity.enter();
        assert_eq!(activity.snapshot().in_flight, 1, "two waits of one work count once");
        drop(guard);
        answer.send(()).unwrap();
        assert!(work.as_mut().poll(&mut context).is_ready());
        assert_eq!(activity.snapshot().in_flight, 0);
    }

    #[test]
    fn a_wait_outside_tracked_work_changes_nothing() {
        let activity = Activity::default();
        let wait = activity.waiting();
        assert_eq!(activity.snapshot().in_flight, 0);
        drop(wait);
        assert_eq!(activity.snapshot().in_flight, 0);
    }

    #[test]
    fn messages_in_transit_are_counted_at_both_ends() {
        let activity = Activity::default();
        let (sent, received) = (activity.message_sent(), activity.message_received());
        let now = activity.snapshot();
        assert_eq!((now.sent, now.awaiting_answer, now.received, now.serving), (1, 1, 1, 1));
        drop((sent, received));
        let now = activity.snapshot();
        assert_eq!((now.sent, now.awaiting_answer, now.received, now.serving), (1, 0, 1, 0));
    }

    #[test]
    fn what_strangers_are_told_and_say_is_counted_apart() {
        let activity = Activity::default();
        let (told, asked) = (activity.sent_abroad(), activity.guest_received());
        let now = activity.snapshot();
        assert_eq!((now.contacts, now.abroad, now.guests, now.sent), (2, 1, 1, 0));
        drop((told, asked));
        let now = activity.snapshot();
        assert_eq!((now.contacts, now.abroad, now.guests, now.received), (4, 0, 0, 0));
    }
}
