//! `payrig list`: the scenarios there are, what they are about and how often each is played.

use scenario::model::Scenario;
use serde_json::{Value, json};

use super::check::read;
use super::print_json;
use crate::cli::ListFlags;
use crate::failure::{Failure, Outcome};
use crate::terminal::{columns, note, print};

pub(super) fn run(flags: &ListFlags) -> Outcome {
    let scenarios = read(&flags.paths)?;
    let tagged = |scenario: &&Scenario| {
        flags.tag.is_empty() || flags.tag.iter().any(|tag| scenario.tags.contains(tag))
    };
    let listed: Vec<&Scenario> = scenarios.iter().filter(tagged).collect();
    if listed.is_empty() {
        let mut tags: Vec<&str> =
            scenarios.iter().flat_map(|it| &it.tags).map(String::as_str).collect();
        tags.sort_unstable();
        tags.dedup();
        return Err(
            Failure::usage("no scenario has this tag").help(format!("tags: {}", tags.join(", ")))
        );
    }
    if flags.json {
        return print_json(&listed.iter().map(|scenario| about(scenario)).collect::<Vec<_>>());
    }
    let row = |scenario: &&Scenario| {
        let cases = match scenario.cases.len() {
            1 => String::new(),
            count => format!("{count} cases"),
        };
        vec![word(scenario), scenario.name.clone(), cases, scenario.tags.join(" ")]
    };
    print(&columns(&listed.iter().map(row).collect::<Vec<_>>()));
    let cases: usize = listed.iter().map(|scenario| scenario.cases.len()).sum();
    note(&format!("{} scenarios with {cases} cases; `payrig run NAME` plays one", listed.len()));
    Ok(())
}

/// The name of a file without what all files have in common.
pub(super) fn word(scenario: &Scenario) -> String {
    let path = scenario.path.rsplit('/').next().unwrap_or_default();
    path.trim_end_matches(scenario::files::ENDING).to_owned()
}

fn about(scenario: &Scenario) -> Value {
    let cases: Vec<&str> = scenario.cases.iter().map(|case| case.name.as_str()).collect();
    json!({
        "name": word(scenario),
        "path": scenario.path,
        "title": scenario.name,
        "description": scenario.description,
        "tags": scenario.tags,
        "covers": scenario.covers,
        "cases": cases,
        "seed": scenario.seed,
    })
}
