//! `payrig keys`: makes the keys of a state directory.

use crate::cli::KeysFlags;
use crate::failure::Outcome;
use crate::keys::create_if_absent;
use crate::terminal::note;

pub(super) fn run(flags: &KeysFlags) -> Outcome {
    let state = &flags.state.state;
    let new = create_if_absent(state)?;
    let place = state.join("keys");
    let words = if new { "keys made in" } else { "keys are there already:" };
    note(&format!("{words} {}", place.display()));
    Ok(())
}
