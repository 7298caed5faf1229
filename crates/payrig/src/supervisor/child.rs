//! One child process: start, readiness, end.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use kit::clock::Clock;
use kit::shutdown::Shutdown;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{ChildStdin, Command};

use super::log::ProgramLog;
use crate::failure::{Exit, Failure};
use crate::program::Program;

/// How long a program may take to get ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long a program may take to end.
const END_WITHIN: Duration = Duration::from_secs(8);
/// How long the last lines of a dead child are waited for.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(200);

/// How one program is started.
#[derive(Clone)]
pub(super) struct Launch {
    pub program: Program,
    pub executable: PathBuf,
    pub arguments: Vec<String>,
    pub log: ProgramLog,
}

/// A program that runs and is ready. Dropping it kills it.
pub struct Child {
    /// Which program.
    pub program: Program,
    /// Its process.
    pub pid: u32,
    /// Time from its start to its readiness.
    pub ready_after: Duration,
    process: tokio::process::Child,
    /// The dead-man switch: the child ends when this closes.
    stdin: Option<ChildStdin>,
}

/// What a program prints when it serves requests.
#[derive(Deserialize)]
struct ReadyLine {
    ready: bool,
}

impl Launch {
    /// Starts the program and waits until it says that it is ready.
    pub async fn start(&self, clock: &Clock, stop: &Shutdown) -> Result<Child, Failure> {
        let stopwatch = clock.stopwatch();
        let mut process = self.spawn()?;
        let stdin = process.stdin.take();
        let log = process.stderr.take().map(|stderr| self.collect(stderr));
        let stdout = process.stdout.take();
        let ready = async {
            match stdout {
                Some(stdout) => self.read_until_ready(stdout).await,
                None => false,
            }
        };
        let waited = tokio::select! {
            waited = clock.timeout(READY_WITHIN, ready) => waited,
            () = stop.requested() => {
                process.start_kill().ok();
                return Err(Failure::new(Exit::Interrupted, ""));
            }
        };
        match waited {
            Ok(true) => {}
            Ok(false) => {
                let ended = process.wait().await.map_or_else(|error| error.to_string(), describe);
                if let Some(log) = log {
                    clock.timeout(LAST_LINES_WITHIN, log).await.ok();
                }
                return Err(self.failed(&format!("ended before it was ready ({ended})")));
            }
            Err(_) => {
                process.kill().await.ok();
                return Err(self.failed("was not ready within 10 seconds"));
            }
        }
        self.log.go_live();
        let pid = process.id().unwrap_or(0);
        Ok(Child { program: self.program, pid, ready_after: stopwatch.elapsed(), process, stdin })
    }

    fn spawn(&self) -> Result<tokio::process::Child, Failure> {
        Command::new(&self.executable)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C reaches the supervisor, which ends the children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let path = self.executable.display();
                Failure::could_not_run(format!("cannot start {} ({path}): {error}", self.program))
            })
    }

    /// Reads standard output up to the ready line; what follows is log. False when it ends before.
    async fn read_until_ready(&self, stdout: impl AsyncRead + Unpin + 'static) -> bool {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if serde_json::from_str::<ReadyLine>(&line).is_ok_and(|line| line.ready) {
                self.collect(lines.into_inner());
                return true;
            }
            self.log.push(&line);
        }
        false
    }

    fn collect(&self, stream: impl AsyncRead + Unpin + 'static) -> tokio::task::JoinHandle<()> {
        let log = self.log.clone();
        tokio::task::spawn_local(async move {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line).await, Ok(count) if count > 0) {
                log.push(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
        })
    }

    fn failed(&self, what: &str) -> Failure {
        let mut message = format!("{} {what}", self.program.spoken());
        let lines = self.log.last_lines();
        if !lines.is_empty() {
            message.push_str("; its last lines:");
        }
        for line in lines {
            message.push_str("\n  ");
            message.push_str(&line);
        }
        let command: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let command = command.join(" ").replace(" --exit-with-stdin", "");
        Failure::could_not_run(message).help(format!("try it alone: `payrig {command}`"))
    }
}

impl Child {
    /// Waits until the process ends and says how it ended.
    pub async fn ended(&mut self) -> String {
        self.process.wait().await.map_or_else(|error| error.to_string(), describe)
    }

    /// Asks the process to end and waits for it. False when it had to be killed for being late.
    pub async fn end(mut self, clock: &Clock, kill: &Shutdown) -> bool {
        self.terminate();
        let in_time = tokio::select! {
            waited = clock.timeout(END_WITHIN, self.process.wait()) => waited.is_ok(),
            () = kill.requested() => {
                self.process.kill().await.ok();
                return true;
            }
        };
        if !in_time {
            self.process.kill().await.ok();
        }
        in_time
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a signal to the process, if it still runs.
    pub fn signal(&self, signal: Signal) {
        let pid = self.process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, signal).ok();
        }
    }

    fn terminate(&mut self) {
        self.signal(Signal::TERM);
        self.stdin = None;
    }
}

/// `exit code 3`, `signal 9`.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::LogOutput;
    use super::*;

    fn launch(script: &str) -> Launch {
        Launch {
            program: Program::Gateway,
            executable: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            log: ProgramLog::open(Program::Gateway, &LogOutput::Nowhere).unwrap(),
        }
    }

    async fn start(script: &str) -> Result<Child, Failure> {
        launch(script).start(&Clock::real(), &Shutdown::new()).await
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        actix_web::rt::System::new().block_on(future)
    }

    #[test]
    fn a_child_is_ready_when_it_says_so_and_ends_when_asked() {
        run(async {
            let mut child =
                start(r#"echo '{"ready":true,"addr":"x"}'; exec sleep 60"#).await.unwrap();
            assert!(child.pid > 0);
            child.terminate();
            assert_eq!(child.ended().await, "signal 15");
        });
    }

    #[test]
    fn a_child_that_ends_too_early_shows_its_last_lines() {
        run(async {
            let failure = start("echo one; echo two >&2; exit 3").await.err().unwrap();
            let text = failure.to_string();
            assert!(
                text.starts_with(
                    "error: the gateway ended before it was ready (exit code 3); its last lines:\n"
                ),
                "{text}"
            );
            assert!(text.contains("\n  one") && text.contains("\n  two"), "{text}");
        });
    }

    #[test]
    fn a_child_that_reads_its_input_ends_with_it() {
        run(async {
            let mut child = start(r#"echo '{"ready":true}'; cat >/dev/null"#).await.unwrap();
            child.stdin = None;
            assert_eq!(child.ended().await, "exit code 0");
        });
    }

    #[test]
    fn an_impatient_end_kills() {
        run(async {
            let script = r#"trap '' TERM; echo '{"ready":true}'; while :; do sleep 1; done"#;
            let child = start(script).await.unwrap();
            let kill = Shutdown::new();
            kill.trigger();
            assert!(child.end(&Clock::real(), &kill).await);
        });
    }
}
