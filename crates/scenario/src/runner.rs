//! Plays one case of a scenario in a world of its own.

mod abroad;
mod asking;
mod calling;
mod challenging;
mod changing;
mod paying;
mod processes;
mod racing;
mod reading;
mod result;
mod steps;
mod time;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use wire::time::Timestamp;

use crate::client::api::Api;
use crate::client::http::Http;
use crate::model::{Case, Scenario};
use crate::references::Scope;
use crate::world::{World, WorldError};

use abroad::Ordered;
pub(crate) use processes::shift;
pub use result::{CaseReport, Class, StepReport, StepStatus, Trouble};

/// Real time that a call may take when other branches may move the clock meanwhile.
const CALL_WITHIN: Duration = Duration::from_secs(20);

/// Real time after which a browser gives up on a page while other branches run.
const PAGE_WITHIN: Duration = Duration::from_secs(5);

/// What is told while a case runs: one JSON object each.
pub type Listener<'l> = &'l dyn Fn(Value);

/// How a case is played.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The seed of the run.
    pub seed: u64,
    /// Stops before the step with this number, id or name.
    pub until: Option<String>,
    /// Values of the scenario's secrets.
    pub secrets: Map<String, Value>,
}

/// The seed of a case: the command line, else its row, else its file.
pub fn seed_of(scenario: &Scenario, case: &Case, given: Option<u64>) -> u64 {
    given.or(case.seed).unwrap_or(scenario.seed)
}

/// Everything that the steps of one case share.
struct Run<'r, W> {
    world: &'r W,
    scenario: &'r Scenario,
    listen: Listener<'r>,
    label: String,
    http: Http,
    scope: RefCell<Scope>,
    apis: RefCell<BTreeMap<String, Rc<Api>>>,
    /// How far each program's wire log has been told.
    told: RefCell<BTreeMap<&'static str, u64>>,
    /// Where the wire logs stood after each step, by its id.
    marks: RefCell<BTreeMap<String, BTreeMap<&'static str, u64>>>,
    steps: RefCell<Vec<StepReport>>,
    /// Branches of `parallel` that are running.
    branches: Cell<u32>,
    /// The branch whose turn it is; 0 outside of any.
    branch: Cell<u64>,
    /// Those that wait for rest, by rank and branch: the first goes on when it comes.
    resting: RefCell<BTreeSet<(Rank, u64)>>,
    /// What branches tell, until they have come together: their order is left to chance.
    held: RefCell<Vec<(String, Value)>>,
    until: Option<String>,
    stopped: Cell<bool>,
    /// Built-in rules that were broken on purpose.
    violated: RefCell<BTreeSet<String>>,
    /// Kills that were armed before their branch began, by step number.
    armed: RefCell<BTreeSet<String>>,
    /// Orders at a merchant that is not ours.
    ordered: RefCell<BTreeMap<String, Ordered>>,
    /// Events that the scenario itself brought there.
    knocked: RefCell<Vec<Value>>,
}

/// What somebody who waits for rest does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Looks or sends something.
    Acts,
    /// Moves the clock: only when nobody else has anything to do at this moment.
    MovesTime,
}

/// A place among those that wait for rest, until it is dropped.
struct Resting<'r>(&'r RefCell<BTreeSet<(Rank, u64)>>, (Rank, u64));

impl<'r> Resting<'r> {
    fn new(all: &'r RefCell<BTreeSet<(Rank, u64)>>, place: (Rank, u64)) -> Self {
        all.borrow_mut().insert(place);
        Self(all, place)
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().remove(&self.1);
    }
}

/// Plays a case in a world that has just begun.
pub async fn play<W: World>(
    world: &W,
    scenario: &Scenario,
    case: &Case,
    options: Options,
    listen: Listener<'_>,
) -> CaseReport {
    let stopwatch = world.clock().stopwatch();
    let begin = world.clock().now();
    let label = label(scenario, case);
    let scope = Scope {
        vars: scenario.vars.clone(),
        matrix: case.values.clone(),
        secrets: options.secrets,
        seed: options.seed,
        steps: BTreeMap::new(),
    };
    let run = Run {
        world,
        scenario,
        listen,
        label: label.clone(),
        http: Http::new(world.activity().clone(), world.gate().clone())
            .abroad(world.foreign().map(|foreign| foreign.file.url.clone())),
        scope: RefCell::new(scope.with_resolved_values()),
        apis: RefCell::default(),
        told: RefCell::default(),
        marks: RefCell::default(),
        steps: RefCell::default(),
        branches: Cell::new(0),
        branch: Cell::new(0),
        resting: RefCell::default(),
        held: RefCell::default(),
        until: options.until,
        stopped: Cell::new(false),
        violated: RefCell::default(),
        armed: RefCell::default(),
        ordered: RefCell::default(),
        knocked: RefCell::default(),
    };
    let trouble = run.driven().await.err();
    let report = CaseReport {
        scenario: scenario.name.clone(),
        path: scenario.path.clone(),
        case: case.name.clone(),
        seed: options.seed,
        began: begin,
        ended: world.clock().now(),
        real: stopwatch.elapsed(),
        steps: run.steps.take(),
        steps_in_all: scenario.steps.len(),
        trouble,
        merchant: world.foreign().map(|foreign| foreign.file.given.clone()),
        skipped: None,
    };
    listen(report.finished_event(&label));
    report
}

/// A world that did not start is a report too.
pub fn not_started(
    scenario: &Scenario,
    case: &Case,
    seed: u64,
    error: &WorldError,
    listen: Listener<'_>,
) -> CaseReport {
    let trouble = Some(Trouble::transport(error.to_string()));
    told(CaseReport { trouble, ..nothing_done(scenario, case, seed) }, scenario, case, listen)
}

/// A case that needs something that its world has not.
pub fn skipped(
    scenario: &Scenario,
    case: &Case,
    seed: u64,
    reason: &str,
    listen: Listener<'_>,
) -> CaseReport {
    let skipped = Some(reason.to_owned());
    told(CaseReport { skipped, ..nothing_done(scenario, case, seed) }, scenario, case, listen)
}

/// The report of a case of which no step was done.
fn nothing_done(scenario: &Scenario, case: &Case, seed: u64) -> CaseReport {
    CaseReport {
        scenario: scenario.name.clone(),
        path: scenario.path.clone(),
        case: case.name.clone(),
        seed,
        began: scenario.start,
        ended: scenario.start,
        real: Duration::ZERO,
        steps: Vec::new(),
        steps_in_all: scenario.steps.len(),
        trouble: None,
        merchant: None,
        skipped: None,
    }
}

fn told(report: CaseReport, scenario: &Scenario, case: &Case, listen: Listener<'_>) -> CaseReport {
    listen(report.finished_event(&label(scenario, case)));
    report
}

/// `3.2.1` as numbers: what comes first in the file. A step comes after those within it.
fn place(number: &str) -> Vec<u32> {
    let mut place: Vec<u32> =
        number.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect();
    place.push(u32::MAX);
    place
}

fn label(scenario: &Scenario, case: &Case) -> String {
    if case.name.is_empty() {
        scenario.name.clone()
    } else {
        format!("{} [{}]", scenario.name, case.name)
    }
}

impl Scope {
    /// Variables and cells may refer to each other's names.
    fn with_resolved_values(mut self) -> Self {
        let resolved = |all: &Map<String, Value>, scope: &Self| {
            let value = |(name, value): (&String, &Value)| {
                (name.clone(), scope.resolve(value).unwrap_or_else(|_| value.clone()))
            };
            all.iter().map(value).collect::<Map<_, _>>()
        };
        let (vars, matrix) = (resolved(&self.vars, &self), resolved(&self.matrix, &self));
        self.vars = vars;
        self.matrix = matrix;
        self
    }
}

impl<W: World> Run<'_, W> {
    /// The world waits for rest where a program by itself would wait for a moment.
    async fn driven(&self) -> Result<(), Trouble> {
        let failed = |error: WorldError| Trouble::transport(error.to_string());
        self.world.drive(true).await.map_err(failed)?;
        let ended = self.everything().await;
        // Who looks at the world afterwards has a clock of his own.
        self.world.drive(false).await.map_err(failed)?;
        ended
    }

    async fn everything(&self) -> Result<(), Trouble> {
        self.tell(
            "case_started",
            json!({
                "path": self.scenario.path, "seed": self.scope.borrow().seed,
                "clock": self.now(),
            }),
        );
        // What the programs told each other when they started belongs to no step.
        self.news("0", false).await?;
        self.steps(&self.scenario.steps, "").await?;
        if self.stopped.get() {
            return Ok(());
        }
        self.settle().await?;
        self.invariants("the end").await?;
        self.unbroken_rules()?;
        self.unused_faults().await
    }

    fn now(&self) -> Timestamp {
        self.world.clock().now()
    }

    async fn settle(&self) -> Result<(), Trouble> {
        self.settle_as(Rank::Acts).await
    }

    /// Waits for rest. Of several branches that do, the first in the file goes on, and the others
    /// wait until the world rests again; whoever wants to move the clock comes last.
    async fn settle_as(&self, rank: Rank) -> Result<(), Trouble> {
        let place = (rank, self.branch.get());
        let _waiting = Resting::new(&self.resting, place);
        loop {
            let rest = self.world.settle().await;
            rest.map_err(|error| Trouble::transport(error.to_string()))?;
            let first = self.resting.borrow().first().copied();
            if first.is_none_or(|first| first == place) {
                return Ok(());
            }
        }
    }

    /// Tells one event; `about` is a mapping.
    fn tell(&self, event: &str, about: Value) {
        let mut fields = Map::new();
        fields.insert("event".into(), event.into());
        fields.insert("test".into(), self.label.clone().into());
        if let Value::Object(about) = about {
            fields.extend(about);
        }
        let event = self.without_ports(Value::Object(fields));
        if self.branches.get() == 0 {
            return (self.listen)(event);
        }
        let step = event.get("step").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.held.borrow_mut().push((step, event));
    }

    /// Tells what branches held back, branch by branch.
    fn tell_held(&self) {
        let mut held = self.held.take();
        held.sort_by_cached_key(|(step, _)| place(step));
        for (_, event) in held {
            (self.listen)(event);
        }
        self.steps.borrow_mut().sort_by_cached_key(|step| place(&step.number));
    }

    /// Addresses change from run to run; the names of the programs do not.
    fn without_ports(&self, value: Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text;
                for program in crate::format::PROGRAMS {
                    if let Some(address) = self.world.address(program) {
                        text = text.replace(address, &format!("http://{program}"));
                        let bare = address.trim_start_matches("http://");
                        text = text.replace(bare, program);
                    }
                }
                text.into()
            }
            Value::Array(items) => items.into_iter().map(|item| self.without_ports(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Value::Object(fields.map(|(key, value)| (key, self.without_ports(value))).collect())
            }
            other => other,
        }
    }

    /// Replaces the references of a value.
    fn resolved(&self, value: &Value) -> Result<Value, Trouble> {
        self.scope
            .borrow()
            .resolve(value)
            .map_err(|path| Trouble::check(format!("`${{{path}}}` has no value yet")))
    }
}
