//! A gate before every message: while it is closed, whoever drives the world lets them go one by
//! one, so that what races is decided by a seed and not by the machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// What a message is called, and the how-manieth it is: an order that is no matter of luck.
type Place = (String, u64);

/// Which messages wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    /// None.
    Nothing,
    /// Those that nobody waits for an answer to: several are under way at a time.
    Notifications,
    /// All.
    Everything,
}

impl Stops {
    const fn level(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Notifications => 1,
            Self::Everything => 2,
        }
    }
}

/// A gate; clones share it. Open unless somebody closes it.
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stops: AtomicU8,
    arrived: AtomicU64,
    waiting: Mutex<BTreeMap<Place, oneshot::Sender<()>>>,
}

/// A place at the gate, until it is dropped.
struct Standing<'g>(&'g Gate, Place);

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.0.waiting_mut().remove(&self.1);
    }
}

impl Gate {
    /// Waits until a message with this name may go; at once while the gate is open.
    pub async fn pass(&self, is_notification: bool, name: impl FnOnce() -> String) {
        let least = if is_notification { Stops::Notifications } else { Stops::Everything };
        if self.0.stops.load(Ordering::Acquire) < least.level() {
            return;
        }
        let (let_go, may_go) = oneshot::channel();
        let place = (name(), self.0.arrived.fetch_add(1, Ordering::AcqRel));
        self.waiting_mut().insert(place.clone(), let_go);
        let _standing = Standing(self, place);
        // Whoever is dropped at the gate has nothing to wait for.
        drop(may_go.await);
    }

    /// How many stand before it.
    pub fn waiting(&self) -> usize {
        self.waiting_mut().len()
    }

    /// Lets the message at this place go, in the order of their names; whether there is one.
    pub fn let_go(&self, index: usize) -> bool {
        let mut waiting = self.waiting_mut();
        let Some(place) = waiting.keys().nth(index).cloned() else { return false };
        // One whose sender has given up is gone already.
        waiting.remove(&place).is_some_and(|let_go| let_go.send(()).is_ok())
    }

    /// Closes the gate for some; opened for all, it lets everybody go.
    pub fn close(&self, stops: Stops) {
        self.0.stops.store(stops.level(), Ordering::Release);
        while stops == Stops::Nothing && self.waiting() > 0 {
            self.let_go(0);
        }
    }

    fn waiting_mut(&self) -> MutexGuard<'_, BTreeMap<Place, oneshot::Sender<()>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn messages_wait_in_the_order_of_their_names_and_go_one_by_one() {
        let gate = Gate::default();
        assert!(gate.pass(true, || "open".to_owned()).now_or_never().is_some());
        gate.close(Stops::Notifications);
        assert!(gate.pass(false, || "asked".to_owned()).now_or_never().is_some());
        assert!(gate.pass(true, || "told".to_owned()).now_or_never().is_none());
        gate.close(Stops::Everything);
        let named = |name: &'static str| {
            let gate = gate.clone();
            Box::pin(async move { gate.pass(false, || name.to_owned()).await })
        };
        let (mut last, mut first, mut given_up) = (named("b"), named("a"), named("c"));
        for waiting in [&mut last, &mut first, &mut given_up] {
            assert!(waiting.now_or_never().is_none());
        }
        assert_eq!(gate.waiting(), 3);
        drop(given_up);
        assert_eq!(gate.waiting(), 2);
        assert!(gate.let_go(0) && !gate.let_go(7));
        assert!((&mut last).now_or_never().is_none());
        assert!(first.now_or_never().is_some());
        gate.close(Stops::Nothing);
        assert!(last.now_or_never().is_some());
        assert_eq!(gate.waiting(), 0);
    }
}
