//! `payrig check`: are scenario files right? Starts nothing.

use std::path::{Path, PathBuf};

use scenario::model::{Scenario, parse};

use crate::cli::CheckFlags;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::{note, print};

/// How scenario files end.
const ENDING: &str = ".scenario.yaml";

pub(super) fn run(flags: &CheckFlags) -> Outcome {
    let scenarios = read(&flags.paths)?;
    let cases: usize = scenarios.iter().map(|scenario| scenario.cases.len()).sum();
    print(&format!("{} scenarios with {cases} cases are right", scenarios.len()));
    Ok(())
}

/// Reads and checks all files below some paths. All mistakes of all files are told.
pub(super) fn read(paths: &[PathBuf]) -> Outcome<Vec<Scenario>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, true, &mut files)?;
    }
    if files.is_empty() {
        let places = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        return Err(Failure::unreadable(format!("no scenario file in {}", places.join(", ")))
            .help(format!("scenario files end in `{ENDING}`")));
    }
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut wrong = 0_usize;
    for file in files {
        let source = std::fs::read_to_string(&file)
            .map_err(|error| Failure::unreadable(format!("{}: {error}", file.display())))?;
        let shown = file.display().to_string();
        match parse(&shown, &source) {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => {
                wrong = wrong.saturating_add(1);
                for mistake in found {
                    note(&mistake.render(&shown, &source));
                }
            }
        }
    }
    if wrong > 0 {
        let files = if wrong == 1 { "1 file is".to_owned() } else { format!("{wrong} files are") };
        note(&format!("{files} not right"));
        return Err(Failure::said(Exit::Unreadable));
    }
    Ok(scenarios)
}

fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Outcome {
    if path.is_dir() {
        let entries = std::fs::read_dir(path)
            .map_err(|error| Failure::unreadable(format!("{}: {error}", path.display())))?;
        let mut below: Vec<PathBuf> =
            entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        below.sort();
        return below.iter().try_for_each(|path| collect(path, false, files));
    }
    // A file that is named is read, however it is called.
    if named || path.to_string_lossy().ends_with(ENDING) {
        files.push(path.to_owned());
    }
    Ok(())
}
