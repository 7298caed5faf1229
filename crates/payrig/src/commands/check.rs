//! `payrig check`: are scenario files right? Starts nothing.

use std::path::{Path, PathBuf};

use scenario::files::{ENDING, below, fragment, fragments_below};
use scenario::model::{Scenario, parse_with};

use crate::cli::CheckFlags;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::{note, print};

pub(super) fn run(flags: &CheckFlags) -> Outcome {
    fragments(&flags.paths)?;
    let scenarios = read(&flags.paths)?;
    let cases: usize = scenarios.iter().map(|scenario| scenario.cases.len()).sum();
    print(&format!("{} scenarios with {cases} cases are right", scenarios.len()));
    Ok(())
}

/// Reads and checks all files below some paths. All mistakes of all files are told.
pub(super) fn read(paths: &[PathBuf]) -> Outcome<Vec<Scenario>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
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
        match parse_with(&shown, &source, &|name| fragment(&file, name)) {
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

/// Checks the fragments below some paths, also those that nothing uses.
fn fragments(paths: &[PathBuf]) -> Outcome {
    let mut wrong = false;
    for path in paths {
        for file in fragments_below(path).map_err(|error| unreadable(path, &error))? {
            let source =
                std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
            for mistake in scenario::fragments::parse(&source).err().unwrap_or_default() {
                wrong = true;
                note(&mistake.render(&file.display().to_string(), &source));
            }
        }
    }
    if wrong { Err(Failure::said(Exit::Unreadable)) } else { Ok(()) }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::unreadable(format!("{}: {error}", path.display()))
}

/// A file that is named is read, however it is called.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    if path.is_dir() {
        files.extend(below(path).map_err(|error| unreadable(path, &error))?);
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}
