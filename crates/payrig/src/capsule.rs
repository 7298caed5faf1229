//! A run written down: the files, the seeds and the clock it was played with, and everything it told.

use std::path::Path;

use scenario::model::{Scenario, parse_with};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::RunFlags;
use crate::failure::{Failure, Outcome};

/// The version of the format.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Always `payrig`.
    capsule: String,
    version: u32,
    /// Instead of the seeds in the files.
    pub seed: Option<u64>,
    /// Only this case.
    pub case: Option<String>,
    /// Where it stopped.
    pub until: Option<String>,
    /// Only these tags.
    pub tags: Vec<String>,
    /// How often each case was played.
    pub repeat: u64,
    /// Whether programs ran as processes of their own.
    pub processes: bool,
    files: Vec<Written>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: String,
    source: String,
    /// Name, path and text.
    fragments: Vec<(String, String, String)>,
}

/// A capsule that was read.
pub struct Capsule {
    /// How it was played.
    pub head: Head,
    /// What was played.
    pub scenarios: Vec<Scenario>,
    /// What was told then.
    pub told: Vec<Value>,
}

/// The first line of a capsule.
pub fn head(scenarios: &[Scenario], flags: &RunFlags) -> Value {
    let file = |scenario: &Scenario| Written {
        path: scenario.path.clone(),
        source: scenario.source.clone(),
        fragments: scenario.fragments.clone(),
    };
    json!(Head {
        capsule: "payrig".to_owned(),
        version: VERSION,
        seed: flags.seed,
        case: flags.case.clone(),
        until: flags.until.clone(),
        tags: flags.tag.clone(),
        repeat: flags.repeat,
        processes: flags.processes,
        files: scenarios.iter().map(file).collect(),
    })
}

/// Reads a capsule.
pub fn read(path: &Path) -> Outcome<Capsule> {
    let shown = path.display();
    let wrong = |what: String| Failure::unreadable(format!("{shown}: {what}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let head: Head = serde_json::from_str(first).map_err(|error| {
        wrong(format!("this is no capsule: {error}"))
            .help("`payrig run … --capsule FILE` writes one")
    })?;
    if head.capsule != "payrig" || head.version > VERSION {
        return Err(wrong("this capsule is of another kind or from the future".to_owned()));
    }
    let mut scenarios = Vec::new();
    for file in &head.files {
        let library = |name: &str| {
            let found = file.fragments.iter().find(|(known, ..)| known == name);
            found.map(|(_, path, source)| (path.clone(), source.clone()))
        };
        let read = parse_with(&file.path, &file.source, &library);
        scenarios.push(read.map_err(|_| wrong(format!("{} cannot be read", file.path)))?);
    }
    let told = lines.map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    let told = told.map_err(|error| wrong(format!("a line is no event: {error}")))?;
    Ok(Capsule { head, scenarios, told })
}

/// An event without what differs from run to run.
pub trait WithoutDurations {
    /// Takes real durations out.
    fn without_durations(self) -> Self;
}

impl WithoutDurations for Value {
    fn without_durations(mut self) -> Self {
        if let Self::Object(fields) = &mut self {
            fields.remove("real_ms");
        }
        self
    }
}

/// The first event that differs: its number from 1, what it was, and what it is.
pub fn difference<'v>(
    then: &'v [Value],
    now: &'v [Value],
) -> Option<(usize, Option<&'v Value>, Option<&'v Value>)> {
    let length = then.len().max(now.len());
    let place = (0..length).find(|place| then.get(*place) != now.get(*place))?;
    Some((place.saturating_add(1), then.get(place), now.get(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_also_at_the_end() {
        let then = [json!({"n": 1}), json!({"n": 2})];
        assert_eq!(difference(&then, &then), None);
        let other = [json!({"n": 1}), json!({"n": 3})];
        assert_eq!(difference(&then, &other), Some((2, Some(&then[1]), Some(&other[1]))));
        assert_eq!(difference(&then, &then[..1]), Some((2, Some(&then[1]), None)));
        let event = json!({"event": "step_finished", "real_ms": 12});
        assert_eq!(event.without_durations(), json!({"event": "step_finished"}));
    }
}
