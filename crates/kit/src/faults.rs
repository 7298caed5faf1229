//! Faults armed on links: which message suffers what.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::activity::Activity;
use crate::facts::Facts;
use crate::random::Random;

mod action;
mod file;
mod held;

pub use action::{Action, Delay, DrawnDelay, Order, ResetSide};
pub use file::{Fault, FaultMatch};
pub use held::HeldMessage;

pub(crate) use held::in_turn;
use held::{Held, Turn};

/// Faults that can be armed at a time.
pub const FAULTS_MAX: usize = 256;

/// Copies that one duplicated message can have.
pub const DUPLICATES_MAX: u32 = 32;

/// A fault that cannot be armed; nothing of its list was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The name is taken.
    #[error("a fault with the id `{0}` is armed already")]
    DuplicateId(String),
    /// The program has no such link.
    #[error("this program sends nothing on `{link}`; it sends on {known}")]
    UnknownLink {
        /// What was asked for.
        link: String,
        /// What there is.
        known: String,
    },
    /// A number out of its range.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// A message that is held is signed already.
    #[error(
        "a held message is signed already: let it go with `answer`, `status`, `drop_request` …"
    )]
    SignedAlready,
    /// More than [`FAULTS_MAX`].
    #[error("at most {FAULTS_MAX} faults can be armed")]
    TooMany,
}

/// A fault as the control plane shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ArmedFault {
    /// The fault as it was armed, with its id.
    pub fault: Fault,
    /// Messages that matched.
    pub matched: u64,
    /// Messages that suffered it.
    pub hits: u64,
    /// Whether it has done all it was armed for.
    pub used_up: bool,
}

/// What one message suffers. Nothing, unless a fault says otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultPlan {
    /// Ids of the faults that apply, separated by spaces.
    pub faults: Option<String>,
    /// How long the request is held back.
    pub delay_request: Option<Duration>,
    /// How long the answer is held back.
    pub delay_response: Option<Duration>,
    /// How often the request is delivered; 0 and 1 mean once.
    pub copies: u32,
    /// The same bytes are delivered once more, that much later.
    pub replay_after: Option<Duration>,
    /// The request waits until this label is released.
    pub hold: Option<String>,
    /// The request waits for others and leaves in another order.
    pub reorder: Option<(String, u32, Order)>,
    /// The damage, of which one message suffers at most one.
    pub damage: Option<Action>,
}

impl FaultPlan {
    /// Whether the message passes untouched.
    pub const fn is_empty(&self) -> bool {
        self.faults.is_none()
    }
}

/// The faults of one program; clones share them.
#[derive(Clone)]
pub struct FaultTable(Arc<Inner>);

struct Inner {
    armed: AtomicUsize,
    /// Armed in other programs of the world, as far as we were told.
    elsewhere: AtomicUsize,
    table: Mutex<Table>,
    random: Random,
    held: Held,
}

#[derive(Default)]
struct Table {
    links: Vec<&'static str>,
    faults: Vec<Armed>,
    next_id: u64,
}

struct Armed {
    fault: Fault,
    id: String,
    matched: u64,
    hits: u64,
}

impl Armed {
    fn used_up(&self) -> bool {
        self.fault.times.is_some_and(|times| self.hits >= u64::from(times))
    }

    /// Counts a matching message and tells whether it suffers.
    fn strikes(&mut self, random: &Random) -> bool {
        if self.used_up() {
            return false;
        }
        self.matched = self.matched.saturating_add(1);
        let skipped = self.matched <= u64::from(self.fault.skip);
        let spared = || self.fault.probability.is_some_and(|chance| !random.chance(chance));
        if skipped || spared() {
            return false;
        }
        self.hits = self.hits.saturating_add(1);
        true
    }
}

impl FaultTable {
    /// Nothing armed.
    pub fn new(random: &Random) -> Self {
        Self(Arc::new(Inner {
            armed: AtomicUsize::new(0),
            elsewhere: AtomicUsize::new(0),
            table: Mutex::default(),
            random: random.child("faults"),
            held: Held::default(),
        }))
    }

    /// Makes a link known, so that a misspelt one is refused when it is armed.
    pub fn register(&self, link: &'static str) {
        let mut table = self.table();
        if !table.links.contains(&link) {
            table.links.push(link);
        }
    }

    /// The links of this program.
    pub fn links(&self) -> Vec<&'static str> {
        self.table().links.clone()
    }

    /// Arms all of a list, or nothing of it. Returns the ids, given or made.
    pub fn arm(&self, faults: Vec<Fault>) -> Result<Vec<String>, FaultError> {
        let mut table = self.table();
        if table.faults.len().saturating_add(faults.len()) > FAULTS_MAX {
            return Err(FaultError::TooMany);
        }
        let mut ids: Vec<String> = Vec::with_capacity(faults.len());
        for fault in &faults {
            fault.check()?;
            table.check_link(&fault.on)?;
            let id = table.name(fault);
            if ids.contains(&id) || table.faults.iter().any(|armed| armed.id == id) {
                return Err(FaultError::DuplicateId(id));
            }
            ids.push(id);
        }
        for (fault, id) in faults.into_iter().zip(&ids) {
            table.faults.push(Armed { fault, id: id.clone(), matched: 0, hits: 0 });
        }
        self.0.armed.store(table.faults.len(), Ordering::Release);
        Ok(ids)
    }

    /// What is armed, with its counters.
    pub fn list(&self) -> Vec<ArmedFault> {
        let shown = |armed: &Armed| ArmedFault {
            fault: Fault { id: Some(armed.id.clone()), ..armed.fault.clone() },
            matched: armed.matched,
            hits: armed.hits,
            used_up: armed.used_up(),
        };
        self.table().faults.iter().map(shown).collect()
    }

    /// Whether anything is armed.
    pub fn is_armed(&self) -> bool {
        self.0.armed.load(Ordering::Relaxed) != 0
    }

    /// Notes how many faults are armed in other programs of the world: pages tell of them, too.
    pub fn note_elsewhere(&self, count: usize) {
        self.0.elsewhere.store(count, Ordering::Relaxed);
    }

    /// How many faults are armed in other programs, as was noted last.
    pub fn elsewhere(&self) -> usize {
        self.0.elsewhere.load(Ordering::Relaxed)
    }

    /// How many faults act in this program, with those that are armed in others.
    pub fn acting(&self) -> usize {
        let elsewhere = self.elsewhere();
        if !self.is_armed() {
            return elsewhere;
        }
        let own = self.table().faults.iter().filter(|armed| !armed.used_up()).count();
        own.saturating_add(elsewhere)
    }

    /// Disarms one fault and lets go what it holds; false when there is none of this id.
    pub fn clear(&self, id: &str) -> bool {
        let mut table = self.table();
        let Some(index) = table.faults.iter().position(|armed| armed.id == id) else {
            return false;
        };
        let cleared = table.faults.remove(index);
        self.0.armed.store(table.faults.len(), Ordering::Release);
        drop(table);
        if let Action::Hold(label) = &cleared.fault.action {
            self.0.held.release(label, None);
        }
        self.0.held.release_group(id);
        true
    }

    /// Disarms all and lets go whatever is held.
    pub fn clear_all(&self) {
        self.table().faults.clear();
        self.0.armed.store(0, Ordering::Release);
        self.0.held.release_all();
    }

    /// Lets go the messages parked under a label; returns how many.
    pub fn release(&self, label: &str) -> usize {
        self.0.held.release(label, None)
    }

    /// Lets go the messages parked under a label, each with something happening to it.
    pub fn release_with(&self, label: &str, instead: &Action) -> Result<usize, FaultError> {
        instead.check()?;
        if !instead.comes_after_signing() {
            return Err(FaultError::SignedAlready);
        }
        Ok(self.0.held.release(label, Some(instead)))
    }

    /// The messages that are parked.
    pub fn parked(&self) -> Vec<HeldMessage> {
        self.0.held.parked()
    }

    /// Lets go the messages that wait in groups for others; returns how many.
    pub fn release_groups(&self) -> usize {
        self.0.held.release_groups()
    }

    /// How many messages are parked or wait in groups.
    pub fn held(&self) -> usize {
        self.0.held.count()
    }

    /// Waits as long as a plan says that the message is parked or waits for others. Whoever lets
    /// it go may add to the plan.
    pub(crate) async fn wait_for_release(
        &self,
        plan: &mut FaultPlan,
        about: Option<HeldMessage>,
        activity: &Activity,
    ) -> Option<Turn> {
        if let (Some(label), Some(about)) = (&plan.hold, about)
            && let Some(instead) = self.0.held.park(label, about).await
        {
            instead.apply(plan, "", &self.0.random);
        }
        let (group, window, order) = plan.reorder.as_ref()?;
        self.0.held.join_group((group, *window, *order), &self.0.random, activity).await
    }

    /// Decides what a message suffers. One atomic load when nothing is armed.
    pub fn decide(&self, link: &str, facts: &Facts, path: &str) -> FaultPlan {
        if !self.is_armed() {
            return FaultPlan::default();
        }
        let mut plan = FaultPlan::default();
        for armed in &mut self.table().faults {
            let fits = armed.fault.on == link && armed.fault.matching.fits(facts, path);
            if fits && armed.fault.action.fits(&plan) && armed.strikes(&self.0.random) {
                armed.fault.action.apply(&mut plan, &armed.id, &self.0.random);
                let names = plan.faults.get_or_insert_default();
                if !names.is_empty() {
                    names.push(' ');
                }
                names.push_str(&armed.id);
            }
        }
        plan
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn name(&mut self, fault: &Fault) -> String {
        fault.id.clone().unwrap_or_else(|| {
            self.next_id = self.next_id.saturating_add(1);
            format!("fault_{}", self.next_id)
        })
    }

    fn check_link(&self, link: &str) -> Result<(), FaultError> {
        if self.links.is_empty() || self.links.contains(&link) {
            return Ok(());
        }
        Err(FaultError::UnknownLink { link: link.to_owned(), known: self.links.join(", ") })
    }
}

impl std::fmt::Debug for FaultTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let armed = self.0.armed.load(Ordering::Relaxed);
        formatter.debug_struct("FaultTable").field("armed", &armed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
