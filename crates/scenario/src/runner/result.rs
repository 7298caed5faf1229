//! What came of steps and cases.

use std::time::Duration;

use serde_json::{Value, json};
use wire::time::Timestamp;

use crate::yaml::Spot;

/// What kind of failure: decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The world could not start, or a transport failed without a fault.
    Transport,
    /// An expectation or an invariant failed.
    Check,
}

/// Why a step or a case failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub class: Class,
    /// What is wrong, for the line under the word.
    pub message: String,
    /// Where in the file, when a place is to blame.
    pub spot: Option<Spot>,
}

impl Trouble {
    /// Something that does not hold.
    pub fn check(message: impl Into<String>) -> Self {
        Self { class: Class::Check, message: message.into(), spot: None }
    }

    /// Something that could not be done.
    pub fn transport(message: impl Into<String>) -> Self {
        Self { class: Class::Transport, message: message.into(), spot: None }
    }

    /// Names the step of a fragment that it happened in, unless one is named already.
    pub fn within(mut self, origin: &str) -> Self {
        if !self.message.contains(".fragment.yaml:") {
            self.message = format!("{} (in {origin})", self.message);
        }
        self
    }

    /// Blames a place, unless one is blamed already.
    pub fn at(mut self, spot: Spot) -> Self {
        self.spot = self.spot.or(Some(spot));
        self
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepStatus {
    /// As it should.
    Passed,
    /// Its condition did not hold.
    Skipped,
    /// Not as it should.
    Failed(Trouble),
}

impl StepStatus {
    /// The word for machines.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed(_) => "failed",
        }
    }
}

/// A step that ran, or was skipped.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// `3`, or `3.2.1` within a branch.
    pub number: String,
    /// What happens.
    pub name: String,
    /// What it does.
    pub verb: &'static str,
    /// When it ended, on the world's clock.
    pub at: Timestamp,
    /// How long it took, in real time.
    pub real: Duration,
    /// How it ended.
    pub status: StepStatus,
    /// What was sent meanwhile.
    pub messages: Vec<Value>,
}

/// A case that ran.
#[derive(Debug, Clone)]
pub struct CaseReport {
    /// Name of the scenario.
    pub scenario: String,
    /// Its file.
    pub path: String,
    /// Name of the case; empty without a matrix.
    pub case: String,
    /// Its seed.
    pub seed: u64,
    /// When the world began.
    pub began: Timestamp,
    /// When it ended, on its own clock.
    pub ended: Timestamp,
    /// How long it took, in real time.
    pub real: Duration,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
    /// How many steps the file has.
    pub steps_in_all: usize,
    /// Why it failed.
    pub trouble: Option<Trouble>,
    /// The merchant that is not ours, as it was named on the command line.
    pub merchant: Option<String>,
    /// Why it was not played.
    pub skipped: Option<String>,
}

impl CaseReport {
    /// The name of its test case: a promise, it never changes.
    pub fn test_name(&self) -> String {
        if self.case.is_empty() {
            self.scenario.clone()
        } else {
            format!("{} [{}]", self.scenario, self.case)
        }
    }

    /// The path below `scenarios/` without suffix, with dots.
    pub fn class_name(&self) -> String {
        let path = self.path.rsplit_once("scenarios/").map_or(self.path.as_str(), |(_, rest)| rest);
        let path = path.trim_start_matches("./");
        path.trim_end_matches(".yaml").trim_end_matches(".scenario").replace('/', ".")
    }

    /// Whether everything was as it should be.
    pub const fn passed(&self) -> bool {
        self.trouble.is_none() && self.skipped.is_none()
    }

    /// Whether something was not as it should be.
    pub const fn failed(&self) -> bool {
        self.trouble.is_some()
    }

    /// How much virtual time passed.
    pub fn virtual_duration(&self) -> Duration {
        self.ended.since(self.began)
    }

    /// The step that failed, when one did.
    pub fn failed_step(&self) -> Option<&StepReport> {
        self.steps.iter().find(|step| matches!(step.status, StepStatus::Failed(_)))
    }

    pub(super) fn finished_event(&self, label: &str) -> Value {
        let message = self.trouble.as_ref().map(|trouble| &trouble.message);
        json!({
            "event": "case_finished",
            "test": label,
            "status": match (&self.trouble, &self.skipped) {
                (Some(_), _) => "failed",
                (None, Some(_)) => "skipped",
                (None, None) => "passed",
            },
            "message": message.or(self.skipped.as_ref()),
            "line": self.trouble.as_ref().and_then(|trouble| trouble.spot).map(|spot| spot.line),
            "virtual_duration": kit::durations::text(self.virtual_duration()),
            "real_ms": u64::try_from(self.real.as_millis()).unwrap_or(u64::MAX),
        })
    }
}
