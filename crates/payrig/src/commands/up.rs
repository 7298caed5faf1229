//! `payrig up`: the whole world, until Ctrl-C.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use gateway::settings::LimitProfile;
use kit::clock::Clock;
use kit::faults::Fault;
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use tokio::signal::unix::{SignalKind, signal};

use super::environment;
use super::fault::{arm, keep_telling, read_list};
use crate::access::Access;
use crate::cli::UpFlags;
use crate::console;
use crate::failure::{Exit, Failure, Outcome};
use crate::keys::{World, create_if_absent, read_world};
use crate::program::{Addresses, Program};
use crate::state::{Run, StateDirectory};
use crate::supervisor::{
    Child, LogOutput, Supervisor, WorldSettings, absolute, banner, own_executable, ports,
};
use crate::terminal::{note, output_look, print};
use crate::timekeeping::{clock_of, move_program};

/// Clocks of programs that run may differ by this much without being set.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

pub(super) async fn run(flags: UpFlags) -> Outcome {
    let faults = flags.faults.as_deref().map(read_faults).transpose()?.unwrap_or_default();
    let state = StateDirectory::at(&flags.state.state);
    let _lock = state.lock()?;
    let keys_are_new = create_if_absent(state.path())?;
    let world = read_world(state.path())?;
    let addresses = Addresses::from_base(flags.port_base);
    let listener = ports::claim(addresses)?;
    let clock = Clock::real();
    let supervisor = Supervisor::new(&settings(&flags, addresses)?, &clock)?;
    let interrupted = stop_on_signals(&supervisor)?;
    state.announce(&announcement(&flags))?;

    let plumbing = Plumbing::new("console", clock, flags.seed, Secrets::system());
    let access = Arc::new(Access::new(world.clone(), addresses, plumbing.clone())?);
    let starting = actix_web::rt::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.start().await }
    });
    let console_access = Access::new(world, addresses, plumbing.clone())?;
    let console = console::start(listener, console_access, supervisor.board().clone())?;
    let console = actix_web::rt::spawn(console.run());
    let children = starting
        .await
        .unwrap_or_else(|error| Err(Failure::could_not_run(error.to_string())))
        .map_err(|failure| told_once(failure, interrupted.get()))?;
    let greeted = greet(&flags, &access, &faults, keys_are_new).await;
    if let Err(failure) = greeted {
        supervisor.end_all(children).await;
        return Err(failure);
    }
    let telling = actix_web::rt::spawn({
        let access = access.clone();
        async move { keep_telling(&access).await }
    });
    watch(&supervisor, children, access).await;
    telling.abort();
    plumbing.shutdown.trigger();
    console.await.ok();
    if interrupted.get() { Err(Failure::said(Exit::Interrupted)) } else { Ok(()) }
}

fn settings(flags: &UpFlags, addresses: Addresses) -> Outcome<WorldSettings> {
    Ok(WorldSettings {
        executable: own_executable()?,
        state: absolute(&flags.state.state),
        ephemeral: flags.ephemeral,
        addresses,
        seed: flags.seed,
        clock: flags.clock,
        log_level: flags.log_level.clone(),
        log_output: flags.log_dir.clone().map_or(LogOutput::Terminal, LogOutput::Directory),
        more: limits(flags.limits),
    })
}

/// The profile as a flag of the gateway.
fn limits(profile: Option<LimitProfile>) -> Vec<(Program, String)> {
    let word = profile.and_then(|profile| Some(profile.to_possible_value()?.get_name().to_owned()));
    word.map(|word| (Program::Gateway, format!("--limits={word}"))).into_iter().collect()
}

fn announcement(flags: &UpFlags) -> Run {
    Run {
        pid: std::process::id(),
        port_base: flags.port_base,
        seed: flags.seed,
        clock: flags.clock.as_str().to_owned(),
        ephemeral: flags.ephemeral,
    }
}

fn read_faults(path: &Path) -> Outcome<Vec<Fault>> {
    let unreadable = |error: String| Failure::unreadable(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    read_list(&text).map_err(|failure| Failure { exit: Exit::Unreadable, ..failure })
}

/// Set when the user pressed Ctrl-C.
type Interrupted = std::rc::Rc<std::cell::Cell<bool>>;

/// The first signal ends the world in order, the second at once.
fn stop_on_signals(supervisor: &Supervisor) -> Outcome<Interrupted> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::could_not_run(format!("no signals: {error}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let (stop, kill) = (supervisor.stop.clone(), supervisor.kill.clone());
    let interrupted = Interrupted::default();
    let pressed = interrupted.clone();
    actix_web::rt::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => pressed.set(true),
                _ = terminate.recv() => {}
            }
            if stop.is_requested() {
                kill.trigger();
            }
            stop.trigger();
        }
    });
    Ok(interrupted)
}

/// A start that was interrupted is no failure of the program that was starting.
fn told_once(failure: Failure, interrupted: bool) -> Failure {
    if interrupted { Failure::said(Exit::Interrupted) } else { failure }
}

/// Arms the faults of the command line and says what is where.
async fn greet(flags: &UpFlags, access: &Access, faults: &[Fault], keys_are_new: bool) -> Outcome {
    arm(access, faults.to_vec()).await?;
    if flags.json {
        print(&environment(&access.world, access.addresses).to_string());
    } else {
        print(&greeting(flags, &access.world, access.addresses, faults.len(), keys_are_new));
    }
    if flags.open {
        for address in [access.addresses.of(Program::Merchant), access.addresses.console()] {
            open(&address);
        }
    }
    Ok(())
}

fn greeting(
    flags: &UpFlags,
    world: &World,
    addresses: Addresses,
    faults: usize,
    keys_are_new: bool,
) -> String {
    let look = output_look();
    let mut text = banner::text(flags, addresses, faults, look);
    if keys_are_new {
        text.push_str(&banner::accounts(&world.accounts, addresses, &flags.state.state, look));
    }
    text
}

fn open(address: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(opener);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.spawn().is_err() {
        note(&format!("no browser could be opened; open {address} yourself"));
    }
}

/// Runs until the end is requested. A program that was started again gets the others' time.
async fn watch(supervisor: &Supervisor, children: Vec<Child>, access: Arc<Access>) {
    let resumed = |program: Program| {
        let access = access.clone();
        async move {
            if let Err(failure) = catch_up(&access, program).await {
                note(&format!("the clock of {program} was not set: {}", failure.message));
            }
        }
    };
    supervisor.keep_running(children, resumed).await;
}

/// A restarted program begins with the wall clock, or with the start of virtual time.
async fn catch_up(access: &Access, program: Program) -> Outcome {
    let mut latest = clock_of(access, program).await?.now;
    let own = latest;
    for other in Program::ALL.into_iter().filter(|other| *other != program) {
        if let Ok(clock) = clock_of(access, other).await {
            latest = latest.max(clock.now);
        }
    }
    if latest.since(own) > CLOCK_TOLERANCE {
        move_program(access, program, latest).await?;
    }
    Ok(())
}
