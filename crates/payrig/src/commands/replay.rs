//! `payrig replay`: plays a capsule again and says where it goes another way.

use serde_json::Value;

use super::run::play_these;
use crate::capsule::{difference, read};
use crate::cli::{ReplayFlags, RunFlags};
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::print;

pub(super) fn run(flags: &ReplayFlags) -> Outcome {
    let capsule = read(&flags.capsule)?;
    let head = &capsule.head;
    let again = RunFlags {
        paths: Vec::new(),
        tag: head.tags.clone(),
        case: head.case.clone(),
        seed: head.seed,
        jobs: 1,
        until: head.until.clone(),
        repeat: head.repeat,
        hold: false,
        processes: head.processes,
        attach: None,
        sandbox_key: None,
        merchant: None,
        capsule: None,
        fail_fast: false,
        report: Vec::new(),
        quiet: true,
        json: false,
    };
    let mut heard = Vec::new();
    match play_these(&capsule.scenarios, &again, Some(&mut heard)) {
        // What failed then fails again: the events tell whether in the same way.
        Ok(()) | Err(Failure { exit: Exit::CheckFailed | Exit::CouldNotRun, .. }) => {}
        Err(other) => return Err(other),
    }
    let Some((number, then, now)) = difference(&capsule.told, &heard) else {
        print(&format!("the same: {} events", heard.len()));
        return Ok(());
    };
    let shown = |event: Option<&Value>| event.map_or("nothing".to_owned(), ToString::to_string);
    let before = number.checked_sub(2).and_then(|place| heard.get(place));
    print(&format!(
        "event {number} differs\n  after {}\n  then  {}\n  now   {}",
        shown(before),
        shown(then),
        shown(now)
    ));
    Err(Failure::said(Exit::CheckFailed))
}
