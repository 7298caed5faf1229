//! The one command of Payrig: starts the world, looks into it, breaks it, measures it.

pub mod access;
mod bench;
pub mod capsule;
pub mod cli;
pub mod commands;
mod console;
pub mod failure;
pub mod foreign;
pub mod keys;
mod process;
pub mod program;
pub mod recording;
pub mod remote;
pub mod state;
pub mod supervisor;
pub mod terminal;
pub mod timekeeping;
pub mod trace;
pub mod world;
pub mod worlds;

use std::ffi::OsString;
use std::process::ExitCode;

use cli::Parsed;

/// Runs one command line; the first argument is the name of the program.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let outcome = cli::parse(arguments).and_then(|parsed| match parsed {
        Parsed::Text(text) => {
            terminal::print(&text);
            Ok(())
        }
        Parsed::Run(line) => {
            terminal::choose_colour(line.color);
            line.command.map_or(Ok(()), commands::run)
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::print_failure(&failure);
            failure.exit_code()
        }
    }
}
