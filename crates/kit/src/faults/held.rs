//! Messages that are held back: parked under a label, or waiting in a group to be reordered.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use super::{Action, Order};
use crate::activity::{Activity, Guard};
use crate::clock::Clock;
use crate::facts::Facts;
use crate::random::Random;
use crate::wirelog::mask_body;

/// A parked message, for a look at it before it goes on.
#[derive(Debug, Clone, Serialize)]
pub struct HeldMessage {
    /// The label that releases it.
    pub label: String,
    /// The link.
    pub link: &'static str,
    /// What is known about it.
    pub facts: Facts,
    /// Method, in capitals.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Body as text; card data and secrets are masked.
    pub body: String,
}

impl HeldMessage {
    /// A message as its sender is about to send it; the label is known later.
    pub(crate) fn new(
        link: &'static str,
        facts: Facts,
        (method, path): (&str, &str),
        body: &[u8],
    ) -> Self {
        let body = mask_body(&String::from_utf8_lossy(body));
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { label: String::new(), link, facts, method, path, body }
    }
}

/// What is held on the links of one program.
#[derive(Default)]
pub(super) struct Held(Mutex<Waiting>);

type Gate = oneshot::Sender<Turn>;

/// How long the rest of a group waits for the answer to the message before. A receiver that takes
/// longer has it, and may be waiting for one of the rest.
const TURN_MAX: Duration = Duration::from_secs(1);

/// A message of a group that may leave. The next one may when this one is answered.
#[must_use]
pub(crate) struct Turn {
    /// Until it leaves it is work.
    leaving: Guard,
    rest: Rest,
}

/// Those who leave afterwards; dropped, it lets the next one go.
struct Rest {
    gates: VecDeque<Gate>,
    activity: Activity,
}

impl Drop for Rest {
    fn drop(&mut self) {
        let mut gates = std::mem::take(&mut self.gates);
        if let Some(gate) = gates.pop_front() {
            let rest = Self { gates, activity: self.activity.clone() };
            // A sender that has given up drops its turn, and so lets the next one go.
            drop(gate.send(Turn { leaving: self.activity.enter(), rest }));
        }
    }
}

/// Delivers a message when its turn has come, if it belongs to a group.
pub(crate) async fn in_turn<F: Future>(
    turn: Option<Turn>,
    clock: &Clock,
    delivering: F,
) -> F::Output {
    let Some(Turn { leaving, rest }) = turn else { return delivering.await };
    drop(leaving);
    let mut delivering = pin!(delivering);
    let delivered = clock.timeout(TURN_MAX, delivering.as_mut()).await;
    drop(rest);
    match delivered {
        Ok(delivered) => delivered,
        Err(_) => delivering.await,
    }
}

/// A parked message, and the way to let it go: with what happens to it instead, if anything.
struct Parked {
    about: HeldMessage,
    gate: oneshot::Sender<Option<Action>>,
}

/// Messages whose sender still waits are let go; how many.
fn let_go(parked: Vec<Parked>, instead: Option<&Action>) -> usize {
    parked.into_iter().filter_map(|it| it.gate.send(instead.cloned()).ok()).count()
}

#[derive(Default)]
struct Waiting {
    parked: BTreeMap<String, Vec<Parked>>,
    groups: BTreeMap<String, Group>,
}

struct Group {
    order: Order,
    random: Random,
    activity: Activity,
    gates: Vec<Gate>,
}

impl Group {
    /// Lets them go in the group's order, one after the other; how many there are.
    fn release(mut self) -> usize {
        match self.order {
            Order::Reverse => self.gates.reverse(),
            Order::Shuffle => self.random.shuffle(&mut self.gates),
        }
        let count = still_there(&self.gates);
        drop(Rest { gates: self.gates.into(), activity: self.activity });
        count
    }
}

impl Held {
    /// Waits for the release; what is to happen to the message instead, if anything.
    pub(super) async fn park(&self, label: &str, about: HeldMessage) -> Option<Action> {
        let (gate, opened) = oneshot::channel();
        let about = HeldMessage { label: label.to_owned(), ..about };
        self.waiting().parked.entry(label.to_owned()).or_default().push(Parked { about, gate });
        // A gate that is dropped lets the message go.
        opened.await.unwrap_or_default()
    }

    /// Messages whose senders wait for a release.
    pub(super) fn parked(&self) -> Vec<HeldMessage> {
        let waiting = self.waiting();
        let all = waiting.parked.values().flatten().filter(|it| !it.gate.is_closed());
        all.map(|it| it.about.clone()).collect()
    }

    /// Waits for the others, and for those who leave before.
    pub(super) async fn join_group(
        &self,
        (id, window, order): (&str, u32, Order),
        random: &Random,
        activity: &Activity,
    ) -> Option<Turn> {
        let (gate, opened) = oneshot::channel();
        let full = {
            let mut waiting = self.waiting();
            let group = waiting.groups.entry(id.to_owned()).or_insert_with(|| Group {
                order,
                random: random.clone(),
                activity: activity.clone(),
                gates: Vec::new(),
            });
            group.gates.push(gate);
            let full = group.gates.len() >= usize::try_from(window).unwrap_or(usize::MAX);
            if full { waiting.groups.remove(id) } else { None }
        };
        if let Some(group) = full {
            group.release();
        }
        opened.await.ok()
    }

    pub(super) fn release(&self, label: &str, instead: Option<&Action>) -> usize {
        let parked = self.waiting().parked.remove(label);
        parked.map_or(0, |parked| let_go(parked, instead))
    }

    pub(super) fn release_group(&self, id: &str) -> usize {
        let group = self.waiting().groups.remove(id);
        group.map_or(0, Group::release)
    }

    pub(super) fn release_groups(&self) -> usize {
        let groups = std::mem::take(&mut self.waiting().groups);
        groups.into_values().map(Group::release).sum()
    }

    pub(super) fn release_all(&self) {
        let parked = std::mem::take(&mut self.waiting().parked);
        for parked in parked.into_values() {
            let_go(parked, None);
        }
        self.release_groups();
    }

    pub(super) fn count(&self) -> usize {
        let waiting = self.waiting();
        let parked = waiting.parked.values().flatten().filter(|it| !it.gate.is_closed()).count();
        let grouped: usize = waiting.groups.values().map(|group| still_there(&group.gates)).sum();
        parked.saturating_add(grouped)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn still_there(gates: &[Gate]) -> usize {
    gates.iter().filter(|gate| !gate.is_closed()).count()
}
