//! Messages that are held back: parked under a label, or waiting in a group to be reordered.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Order;
use crate::random::Random;

/// What is held on the links of one program.
#[derive(Default)]
pub(super) struct Held(Mutex<Waiting>);

type Gate = oneshot::Sender<()>;

#[derive(Default)]
struct Waiting {
    parked: BTreeMap<String, Vec<Gate>>,
    groups: BTreeMap<String, Group>,
}

struct Group {
    order: Order,
    random: Random,
    gates: Vec<Gate>,
}

impl Group {
    /// Opens the gates in the group's order: the runtime wakes tasks in the order of their waking.
    fn release(mut self) -> usize {
        match self.order {
            Order::Reverse => self.gates.reverse(),
            Order::Shuffle => self.random.shuffle(&mut self.gates),
        }
        open(self.gates)
    }
}

/// A message whose sender has given up waits no more.
fn open(gates: Vec<Gate>) -> usize {
    gates.into_iter().filter_map(|gate| gate.send(()).ok()).count()
}

impl Held {
    pub(super) async fn park(&self, label: &str) {
        let (gate, opened) = oneshot::channel();
        self.waiting().parked.entry(label.to_owned()).or_default().push(gate);
        // A gate that is dropped lets the message go.
        let _ = opened.await;
    }

    pub(super) async fn join_group(&self, id: &str, window: u32, order: Order, random: &Random) {
        let (gate, opened) = oneshot::channel();
        let full = {
            let mut waiting = self.waiting();
            let group = waiting.groups.entry(id.to_owned()).or_insert_with(|| Group {
                order,
                random: random.clone(),
                gates: Vec::new(),
            });
            group.gates.push(gate);
            let full = group.gates.len() >= usize::try_from(window).unwrap_or(usize::MAX);
            if full { waiting.groups.remove(id) } else { None }
        };
        if let Some(group) = full {
            group.release();
        }
        let _ = opened.await;
    }

    pub(super) fn release(&self, label: &str) -> usize {
        let gates = self.waiting().parked.remove(label);
        gates.map_or(0, open)
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
        for gates in parked.into_values() {
            open(gates);
        }
        self.release_groups();
    }

    pub(super) fn count(&self) -> usize {
        let waiting = self.waiting();
        let parked: usize = waiting.parked.values().map(|gates| still_there(gates)).sum();
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
