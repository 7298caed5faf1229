//! One file per command.

mod call;
mod cards;
mod check;
mod client;
mod clock;
mod env;
mod fault;
mod invariants;
mod keys;
mod list;
mod record;
mod replay;
mod run;
mod serve;
mod trace;
mod trigger;
mod up;
mod world;

pub(crate) use call::{curl as curl_of_call, quoted};
pub(crate) use cards::{CardRow, grouped as grouped_card};
pub use env::document as environment;
pub use env::read as read_environment;
pub(crate) use fault::{
    arm as arm_faults, clear as clear_faults, read_list as read_faults, spoken_fault,
    tell_everyone as tell_what_is_armed, wanted as wanted_faults,
};
pub(crate) use invariants::{Findings, check as check_invariants};
pub(crate) use record::source as recorded_scenario;
pub(crate) use trace::READER;

use crate::cli::Command;
use crate::failure::{Failure, Outcome};

/// Does what was asked.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::Up(flags) => wait_for(up::run(*flags)),
        Command::Serve(flags) => wait_for(serve::run(*flags)),
        Command::Env(flags) => env::run(&flags),
        Command::Call(flags) => wait_for(call::run(flags)),
        Command::Cards(flags) => cards::run(&flags),
        Command::Trace(flags) => wait_for(trace::run(flags)),
        Command::Clock(flags) => wait_for(clock::run(flags)),
        Command::Fault(flags) => wait_for(fault::run(flags)),
        Command::Invariants(flags) => wait_for(invariants::run(flags)),
        Command::Client(flags) => wait_for(client::run(flags)),
        Command::World(flags) => wait_for(world::run(flags)),
        Command::Bench(flags) => wait_for(crate::bench::run(flags)),
        Command::Run(flags) => run::run(&flags),
        Command::Check(flags) => check::run(&flags),
        Command::Record(flags) => wait_for(record::run(flags)),
        Command::Replay(flags) => replay::run(&flags),
        Command::Trigger(flags) => trigger::run(&flags),
        Command::List(flags) => list::run(&flags),
        Command::Schema(flags) if flags.merchant => {
            print_json(&scenario::schema::merchant_schema())
        }
        Command::Schema(_) => print_json(&scenario::schema::schema()),
        Command::Keys(flags) => keys::run(&flags),
    }
}

/// Runs a command on a runtime of one thread. What it and its children write is for their owner
/// only: databases and logs hold what nobody else should read.
fn wait_for(command: impl Future<Output = Outcome>) -> Outcome {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    actix_web::rt::System::new().block_on(command)
}

/// Prints a value as `--json` does.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value);
    crate::terminal::print(&text.map_err(|error| Failure::could_not_run(error.to_string()))?);
    Ok(())
}
