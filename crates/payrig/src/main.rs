//! The one command of Payrig.

use std::process::ExitCode;

fn main() -> ExitCode {
    payrig::run(std::env::args_os().collect())
}
