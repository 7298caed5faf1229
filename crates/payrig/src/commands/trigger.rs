//! `payrig trigger`: plays a shipped scenario into the running sandbox and leaves everything there.

use super::check::read;
use super::list::word;
use super::run::play_these;
use crate::cli::{Place, RunFlags, TriggerFlags};
use crate::failure::{Failure, Outcome};
use crate::state::StateDirectory;
use crate::terminal::note;

pub(super) fn run(flags: &TriggerFlags) -> Outcome {
    let all = read(std::slice::from_ref(&flags.from))?;
    let words: Vec<String> = all.iter().map(word).collect();
    let wanted: Vec<_> = all.into_iter().filter(|it| word(it) == flags.name).collect();
    let Some(scenario) = wanted.first() else {
        let failure = Failure::usage(format!("there is no scenario `{}`", flags.name));
        let near = scenario::diagnostic::nearest(&flags.name, words.iter().map(String::as_str));
        return Err(match near {
            Some(near) => failure.help(format!("did you mean `payrig trigger {near}`?")),
            None => failure.help("`payrig list` shows the names"),
        });
    };
    if scenario.needs_processes() {
        return Err(Failure::usage(format!(
            "`{}` kills programs of a world of its own",
            flags.name
        ))
        .help(format!("play it with `payrig run {}`", scenario.path)));
    }
    let state = flags.state.state.clone();
    let play = RunFlags {
        paths: Vec::new(),
        tag: Vec::new(),
        case: flags.case.clone(),
        seed: None,
        jobs: 1,
        until: None,
        repeat: 1,
        hold: false,
        processes: false,
        attach: Some(Place::Directory(state.clone())),
        sandbox_key: None,
        merchant: None,
        capsule: None,
        fail_fast: false,
        report: Vec::new(),
        quiet: false,
        json: false,
    };
    let played = play_these(&wanted, &play, None);
    note(&format!("look at {}/payments", StateDirectory::at(&state).addresses().console()));
    note(
        "faults stay armed until `payrig fault clear`; in a sandbox that was used before, what counts \
        everything may count more",
    );
    played
}
