//! The way to one endpoint: what waits, what is under way, and how far everything is stored.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use kit::link::{AddressPolicy, Link, LinkName, Signing};
use kit::plumbing::Plumbing;
use wire::ids::MerchantId;
use wire::time::Timestamp;
use wire::webhook::WebhookSecret;

use crate::domain::webhooks::Subscription;
use crate::domain::webhooks::target::{TargetPolicy, TargetUrl};
use crate::store::webhooks::{Lookup, QueuedEvent, Work};

/// The link that events travel on.
pub(super) const LINK: LinkName = LinkName("gateway->merchant");

/// Events of one endpoint that are held in memory.
const QUEUE_FULL: usize = 256;
/// Below this many, more are read.
const QUEUE_LOW: usize = 64;
/// Retries that are read at a time.
const RETRIES_READ: usize = 64;

/// An endpoint, ready to be called.
pub(super) struct Target {
    pub(super) row: i64,
    pub(super) merchant: MerchantId,
    pub(super) url: TargetUrl,
    pub(super) subscription: Subscription,
    /// Each with the time until which it signs, if it was replaced.
    pub(super) secrets: Vec<(WebhookSecret, Option<Timestamp>)>,
    /// None when the address itself is forbidden.
    pub(super) link: Option<Link>,
    /// Set when an address was refused while connecting.
    pub(super) blocked: Arc<AtomicBool>,
    /// Whether a merchant that is not ours listens there, by the clock on the wall.
    pub(super) foreign: bool,
}

impl Target {
    /// The secrets that sign now.
    pub(super) fn secrets_at(&self, now: Timestamp) -> Vec<&WebhookSecret> {
        let signs = |until: &Option<Timestamp>| until.is_none_or(|until| now < until);
        self.secrets.iter().filter(|(_, until)| signs(until)).map(|(secret, _)| secret).collect()
    }
}

/// The link to an address, judged on what it is resolved to when it connects.
pub(super) fn guarded_link(
    url: &TargetUrl,
    policy: &TargetPolicy,
    plumbing: &Plumbing,
) -> (Option<Link>, Arc<AtomicBool>) {
    let blocked = Arc::new(AtomicBool::new(false));
    let (judged, policy, refused) = (url.clone(), policy.clone(), blocked.clone());
    let addresses = AddressPolicy::only(move |address| {
        let allowed = policy.judge(&judged, address).is_ok();
        if !allowed {
            refused.store(true, Ordering::Release);
        }
        allowed
    });
    let base = format!("http://{}", url.authority());
    let link = Link::guarded(LINK, &base, Signing::Already, plumbing, addresses).ok();
    (link, blocked)
}

/// The way to one endpoint.
pub(super) struct Lane {
    endpoint: i64,
    merchant: MerchantId,
    target: RwLock<Arc<Target>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// No more attempts are begun.
    closed: bool,
    queue: VecDeque<QueuedEvent>,
    /// Attempts under way.
    running: usize,
    /// The last event that was read.
    read_to: i64,
    /// The last event that is known to be accounted for in the database.
    stored_to: i64,
    /// Events that were read and are not accounted for in the database.
    open: BTreeSet<i64>,
    /// Retries that were read and are not accounted for in the database.
    claimed: HashSet<i64>,
    /// Events that were accounted for since the last look into the database began.
    released: HashSet<i64>,
    /// There may be more than was taken.
    more: bool,
    /// When the next retry is due, as of the last look.
    next_due: Option<Timestamp>,
}

/// What a lane says when the next attempt is asked for.
pub(super) enum Next {
    /// This one. `low`: it is time to read more.
    Attempt { event: Box<QueuedEvent>, low: bool },
    /// Nothing; the slot has ended.
    Nothing,
}

impl Lane {
    pub(super) fn new(target: Target, delivered_to: i64) -> Self {
        let state = State { read_to: delivered_to, stored_to: delivered_to, ..State::default() };
        Self {
            endpoint: target.row,
            merchant: target.merchant,
            target: RwLock::new(Arc::new(target)),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The endpoint's row.
    pub(super) const fn endpoint(&self) -> i64 {
        self.endpoint
    }

    /// The endpoint as it is now.
    pub(super) fn target(&self) -> Arc<Target> {
        self.target.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The endpoint was read again: attempts go on, from what is stored if they had stopped.
    pub(super) fn open(&self, target: Target, delivered_to: i64) {
        *self.target.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(target);
        let mut state = self.state();
        if state.closed {
            state.closed = false;
            state.read_to = delivered_to;
        }
    }

    /// Begins no more attempts. What is under way ends and is stored; what waits is forgotten.
    pub(super) fn close(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.closed = true;
        for event in state.queue.drain(..) {
            state.open.remove(&event.row);
            state.claimed.remove(&event.row);
        }
    }

    /// What to look up; nothing while enough waits in memory.
    pub(super) fn lookup(&self) -> Option<Lookup> {
        let mut state = self.state();
        state.released.clear();
        if state.closed {
            return None;
        }
        if state.queue.len() >= QUEUE_LOW {
            state.more = true;
            return None;
        }
        Some(Lookup {
            endpoint: self.endpoint,
            merchant: self.merchant,
            read_to: state.read_to,
            events_max: QUEUE_FULL,
            retries_max: RETRIES_READ.saturating_add(state.claimed.len()),
        })
    }

    /// Takes in what was looked up; how many slots to begin.
    pub(super) fn take(&self, lookup: &Lookup, work: Work, slots_max: usize) -> usize {
        let target = self.target();
        let mut state = self.state();
        let state = &mut *state;
        if state.closed || state.read_to != lookup.read_to {
            return 0;
        }
        state.next_due = work.next_due;
        let looked_at = work.looked_at;
        state.read_to = state.read_to.max(work.read_to.unwrap_or(state.read_to));
        state.more = looked_at >= lookup.events_max || work.retries.len() >= lookup.retries_max;
        for retry in work.retries {
            if !state.released.contains(&retry.row) && state.claimed.insert(retry.row) {
                state.queue.push_back(retry);
            }
        }
        for event in work.events {
            let wanted = target.subscription.wants(&event.event_type);
            if wanted && !state.released.contains(&event.row) && state.open.insert(event.row) {
                state.queue.push_back(event);
            }
        }
        let free = slots_max.saturating_sub(state.running);
        let begun = free.min(state.queue.len());
        state.running = state.running.saturating_add(begun);
        begun
    }

    /// When the next retry is due, if that is later than now.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let state = self.state();
        // What is due already waits for room, not for time.
        state.next_due.filter(|due| !state.closed && *due > now)
    }

    /// Whether the last look left something unread.
    pub(super) fn has_more(&self) -> bool {
        let state = self.state();
        state.more && !state.closed && state.queue.len() < QUEUE_LOW
    }

    /// The next attempt of a slot.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        let event = if state.closed { None } else { state.queue.pop_front() };
        if let Some(event) = event {
            let low = state.more && state.queue.len() < QUEUE_LOW;
            return Next::Attempt { event: Box::new(event), low };
        }
        state.running = state.running.saturating_sub(1);
        Next::Nothing
    }

    /// Up to where everything is accounted for, once `ended` are stored.
    pub(super) fn delivered_to(&self, ended: &HashSet<i64>) -> i64 {
        let state = self.state();
        let first_open = state.open.iter().find(|row| !ended.contains(row));
        first_open.map_or(state.read_to, |row| row.saturating_sub(1))
    }

    /// These are stored.
    pub(super) fn stored(&self, ended: &HashSet<i64>, delivered_to: i64) {
        let mut state = self.state();
        state.stored_to = state.stored_to.max(delivered_to);
        for row in ended {
            state.open.remove(row);
            state.claimed.remove(row);
            state.released.insert(*row);
        }
    }

    /// How many events were passed over since the last stored one, when nothing is under way.
    pub(super) fn passed_over(&self) -> i64 {
        let state = self.state();
        if state.open.is_empty() { state.read_to.saturating_sub(state.stored_to) } else { 0 }
    }

    /// Events that wait in memory or are under way.
    pub(super) fn busy(&self) -> usize {
        let state = self.state();
        state.queue.len().saturating_add(state.running)
    }
}
