//! One file per command.

mod cards;
mod env;
mod keys;

use crate::cli::Command;
use crate::failure::Outcome;

/// Does what was asked.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::Env(flags) => env::run(&flags),
        Command::Cards(flags) => cards::run(&flags),
        Command::Keys(flags) => keys::run(&flags),
        _ => Ok(()),
    }
}
