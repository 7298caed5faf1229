//! The supervisor: runs the three programs as children of one process and leaves none behind.
//!
//! Every child holds the reading end of a pipe as its standard input and ends when that pipe
//! closes. So the children end with the supervisor, even when it is killed.

pub mod banner;
pub mod board;
pub(crate) mod child;
mod log;
pub mod ports;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use kit::clock::Clock;
use kit::shutdown::Shutdown;

use crate::cli::ClockMode;
use crate::failure::{Failure, Outcome};
use crate::program::{Addresses, Program};
use crate::terminal::note;
use board::Board;
pub use child::Child;
use child::Launch;
pub use log::LogOutput;
use log::ProgramLog;

/// First wait before a child that died is started again; doubles up to the longest.
const RESTART_AFTER_MIN: Duration = Duration::from_millis(100);
/// Longest wait before a child that died is started again.
const RESTART_AFTER_MAX: Duration = Duration::from_secs(10);
/// A child that ran this long starts again without having to wait longer than the first time.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// What the three programs of a world are started with.
#[derive(Debug, Clone)]
pub struct WorldSettings {
    /// The `payrig` binary.
    pub executable: PathBuf,
    /// State directory, with keys in it.
    pub state: PathBuf,
    /// Databases in memory.
    pub ephemeral: bool,
    /// Where everybody listens.
    pub addresses: Addresses,
    /// Seed of chance.
    pub seed: u64,
    /// Which clock.
    pub clock: ClockMode,
    /// Which log lines.
    pub log_level: String,
    /// Where log lines go.
    pub log_output: LogOutput,
    /// Further flags of the programs.
    pub more: Vec<(Program, String)>,
}

impl WorldSettings {
    /// The arguments of one child: those that all programs take, and where its peers are.
    fn arguments(&self, program: Program) -> Vec<String> {
        let mut arguments = vec![
            "serve".to_owned(),
            program.as_str().to_owned(),
            "--listen".to_owned(),
            format!("127.0.0.1:{}", self.addresses.port(program)),
            "--state".to_owned(),
            self.state.display().to_string(),
            "--seed".to_owned(),
            self.seed.to_string(),
            "--clock".to_owned(),
            self.clock.as_str().to_owned(),
            "--log-level".to_owned(),
            self.log_level.clone(),
            "--exit-with-stdin".to_owned(),
        ];
        if self.ephemeral {
            arguments.push("--ephemeral".to_owned());
        }
        if self.log_output.wants_json() {
            arguments.push("--log-json".to_owned());
        }
        let peers: &[(&str, Program)] = match program {
            Program::Merchant | Program::ProcessorSim => &[("--gateway-url", Program::Gateway)],
            Program::Gateway => {
                &[("--processor-url", Program::ProcessorSim), ("--shop-url", Program::Merchant)]
            }
        };
        for (flag, peer) in peers {
            arguments.push((*flag).to_owned());
            arguments.push(self.addresses.of(*peer));
        }
        if program == Program::Gateway {
            arguments.push("--console-url".to_owned());
            arguments.push(self.addresses.console());
        }
        let own = self.more.iter().filter(|(of, _)| *of == program);
        arguments.extend(own.map(|(_, flag)| flag.clone()));
        arguments
    }
}

/// Starts, watches and ends the children of one world.
#[derive(Clone)]
pub struct Supervisor {
    launches: Vec<Launch>,
    clock: Clock,
    board: Board,
    /// Ends the children in an orderly way.
    pub stop: Shutdown,
    /// Ends the children at once.
    pub kill: Shutdown,
}

impl Supervisor {
    /// A supervisor that has started nothing yet.
    pub fn new(settings: &WorldSettings, clock: &Clock) -> Outcome<Self> {
        let launch = |program: Program| {
            let log = ProgramLog::open(program, &settings.log_output)
                .map_err(|error| cannot_log(&settings.log_output, &error))?;
            Ok(Launch {
                program,
                executable: settings.executable.clone(),
                arguments: settings.arguments(program),
                log,
            })
        };
        let launches = Program::ALL.into_iter().map(launch).collect::<Outcome<Vec<_>>>()?;
        Ok(Self {
            launches,
            clock: clock.clone(),
            board: Board::default(),
            stop: Shutdown::new(),
            kill: Shutdown::new(),
        })
    }

    /// What is known about the children.
    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// Starts all children side by side. When one fails, the others are ended.
    pub async fn start(&self) -> Outcome<Vec<Child>> {
        let starts = self.launches.iter().map(|launch| launch.start(&self.clock, &self.stop));
        let (mut started, mut failures) = (Vec::new(), Vec::new());
        for (launch, outcome) in self.launches.iter().zip(join_all(starts).await) {
            match outcome {
                Ok(child) => {
                    self.board.ready(launch.program, child.pid, child.ready_after);
                    started.push(child);
                }
                Err(failure) => failures.push(failure),
            }
        }
        let Some(failure) = failures.into_iter().next() else { return Ok(started) };
        self.end_all(started).await;
        Err(failure)
    }

    /// Starts one child again.
    pub async fn start_one(&self, program: Program) -> Outcome<Child> {
        let launch = self.launches.iter().find(|launch| launch.program == program);
        let launch = launch.ok_or_else(|| Failure::could_not_run(format!("no {program}")))?;
        launch.start(&self.clock, &self.stop).await
    }

    /// Ends children in an orderly way, all at the same time.
    pub async fn end_all(&self, children: Vec<Child>) {
        let ends = children.into_iter().map(|child| self.end(child));
        join_all(ends).await;
    }

    async fn end(&self, child: Child) {
        let program = child.program;
        if !child.end(&self.clock, &self.kill).await {
            note(&format!("{program} did not end in time and was killed"));
        }
        self.board.stopped(program);
    }

    /// Keeps the children running until the end is requested, then ends them. `resumed` runs
    /// after each restart, with the program that is ready again.
    pub async fn keep_running<F: Future<Output = ()>>(
        &self,
        children: Vec<Child>,
        resumed: impl Fn(Program) -> F + Clone,
    ) {
        let watches = children.into_iter().map(|child| self.watch(child, resumed.clone()));
        join_all(watches).await;
    }

    async fn watch<F: Future<Output = ()>>(
        &self,
        mut child: Child,
        resumed: impl Fn(Program) -> F,
    ) {
        let program = child.program;
        let mut wait = RESTART_AFTER_MIN;
        loop {
            let ran = self.clock.stopwatch();
            let died = tokio::select! {
                reason = child.ended() => reason,
                () = self.stop.requested() => return self.end(child).await,
            };
            if ran.elapsed() >= STABLE_AFTER {
                wait = RESTART_AFTER_MIN;
            }
            let Some(next) = self.restart(program, &died, &mut wait).await else { return };
            child = next;
            resumed(program).await;
        }
    }

    /// Starts a program again and again until it is ready, or the end is requested.
    async fn restart(&self, program: Program, died: &str, wait: &mut Duration) -> Option<Child> {
        let launch = self.launches.iter().find(|launch| launch.program == program)?;
        let mut reason = died.to_owned();
        loop {
            let shown = shown(*wait);
            note(&format!("{program} ended ({reason}); starting it again in {shown}"));
            self.board.restarting(program, &reason);
            tokio::select! {
                () = self.clock.sleep(*wait) => {}
                () = self.stop.requested() => return None,
            }
            *wait = wait.saturating_mul(2).min(RESTART_AFTER_MAX);
            match launch.start(&self.clock, &self.stop).await {
                Ok(child) => {
                    self.board.ready(program, child.pid, child.ready_after);
                    note(&format!("{program} is ready again (process {})", child.pid));
                    return Some(child);
                }
                Err(failure) if self.stop.is_requested() => {
                    drop(failure);
                    return None;
                }
                Err(failure) => {
                    failure.message.lines().next().unwrap_or("").clone_into(&mut reason);
                }
            }
        }
    }
}

/// `100 ms`, `1.6 s`
fn shown(wait: Duration) -> String {
    let millis = wait.as_millis();
    if millis < 1000 {
        format!("{millis} ms")
    } else {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    }
}

fn cannot_log(output: &LogOutput, error: &std::io::Error) -> Failure {
    let place = output.directory().map_or_else(String::new, |path| path.display().to_string());
    Failure::could_not_run(format!("cannot write logs to {place}: {error}"))
        .help("choose a directory that you may write to with `--log-dir DIR`")
}

/// The binary that is running, to be started as a child.
pub fn own_executable() -> Outcome<PathBuf> {
    std::env::current_exe()
        .map_err(|error| Failure::could_not_run(format!("cannot find the payrig binary: {error}")))
}

/// A state directory as children need it: they may run in another directory one day.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::board::ProgramState;
    use super::*;

    /// Programs that are ready at once and end with their input; the gateway dies once.
    const SCRIPT: &str = r#"#!/bin/sh
echo '{"ready":true}'
if [ "$2" = gateway ] && mkdir "$6/died" 2>/dev/null; then exit 7; fi
exec cat >/dev/null
"#;

    #[test]
    fn a_program_that_dies_is_started_again_and_all_end_together() {
        use std::os::unix::fs::PermissionsExt;
        let unique = kit::random::Secrets::system().token("", 9);
        let state = std::env::temp_dir().join(format!("payrig-supervisor-{unique}"));
        std::fs::create_dir_all(&state).unwrap();
        let executable = state.join("program");
        std::fs::write(&executable, SCRIPT).unwrap();
        std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o700)).unwrap();
        let settings = WorldSettings {
            executable,
            state: state.clone(),
            ephemeral: false,
            addresses: Addresses::from_base(7070),
            seed: 42,
            clock: ClockMode::Real,
            log_level: "warn".into(),
            log_output: LogOutput::Nowhere,
            more: Vec::new(),
        };
        actix_web::rt::System::new().block_on(async {
            let supervisor = Supervisor::new(&settings, &Clock::real()).unwrap();
            let children = supervisor.start().await.unwrap();
            let stop = supervisor.stop.clone();
            let resumed = |program| {
                assert_eq!(program, Program::Gateway);
                stop.trigger();
                std::future::ready(())
            };
            supervisor.keep_running(children, resumed).await;
            let gateway = supervisor.board().of(Program::Gateway);
            assert_eq!((gateway.restarts, gateway.state), (1, ProgramState::Stopped));
            assert_eq!(gateway.last_end.as_deref(), Some("exit code 7"));
            assert_eq!(supervisor.board().of(Program::Merchant).restarts, 0);
        });
        std::fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn children_get_their_peers_and_the_dead_man_switch() {
        let settings = WorldSettings {
            executable: "/bin/payrig".into(),
            state: "/tmp/world".into(),
            ephemeral: true,
            addresses: Addresses::from_base(7070),
            seed: 42,
            clock: ClockMode::Virtual,
            log_level: "warn".into(),
            log_output: LogOutput::Nowhere,
            more: Vec::new(),
        };
        insta::assert_snapshot!(settings.arguments(Program::Gateway).join(" "), @"serve gateway --listen 127.0.0.1:7072 --state /tmp/world --seed 42 --clock virtual --log-level warn --exit-with-stdin --ephemeral --processor-url http://127.0.0.1:7073 --shop-url http://127.0.0.1:7071 --console-url http://127.0.0.1:7070");
        insta::assert_snapshot!(settings.arguments(Program::Merchant).join(" "), @"serve merchant --listen 127.0.0.1:7071 --state /tmp/world --seed 42 --clock virtual --log-level warn --exit-with-stdin --ephemeral --gateway-url http://127.0.0.1:7072");
        insta::assert_snapshot!(settings.arguments(Program::ProcessorSim).join(" "), @"serve processor-sim --listen 127.0.0.1:7073 --state /tmp/world --seed 42 --clock virtual --log-level warn --exit-with-stdin --ephemeral --gateway-url http://127.0.0.1:7072");
    }
}
