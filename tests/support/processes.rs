//! Real processes: a world started by `payrig up`, its children, commands, and how they end.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kit::clock::Clock;
use kit::random::{Random, Secrets};
use payrig::keys::{World as Keys, read_world};
use payrig::program::{Addresses, Program};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::http::{Answer, Http};

/// Pause between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What a command may take at most.
const COMMAND_WITHIN: Duration = Duration::from_mins(1);
/// What the start or the end of a world may take at most, on a busy machine.
pub const WORLD_WITHIN: Duration = Duration::from_secs(30);
/// The last line of the banner begins so.
const BANNER_END: &str = "Point your own shop here";

/// A directory that is removed again, unless the test failed.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new name under the system's temporary directory; nothing is made yet.
    pub fn new(name: &str) -> Self {
        let unique = Secrets::system().token("", 9);
        Self(std::env::temp_dir().join(format!("payrig-test-{name}-{unique}")))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its path as an argument.
    pub fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.0.display());
        } else {
            fs::remove_dir_all(&self.0).ok();
        }
    }
}

/// A binary that was built beside the tests.
pub fn binary(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is missing; run `cargo build --workspace`", path.display());
    path
}

/// Looks until there is something to see.
pub async fn until<T>(what: &str, within: Duration, look: impl AsyncFnMut() -> Option<T>) -> T {
    seen(within, look).await.unwrap_or_else(|| panic!("not within {within:?}: {what}"))
}

/// Looks until there is something to see, or patience ends.
pub async fn seen<T>(within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let clock = Clock::real();
    let waited = clock.stopwatch();
    while waited.elapsed() < within {
        let seen = look().await;
        if seen.is_some() {
            return seen;
        }
        clock.sleep(LOOK_EVERY).await;
    }
    None
}

/// The first of four free ports in a row, away from those that the system gives out by itself.
pub fn free_port_base() -> u16 {
    let random = Random::seeded(u64::from_be_bytes(Secrets::system().bytes()));
    let candidates = (0..200).map(|_| 20_000 + u16::try_from(random.below(1_200)).unwrap() * 10);
    let mut free = candidates.filter(|base| {
        (0..4).all(|distance| TcpListener::bind(("127.0.0.1", base + distance)).is_ok())
    });
    free.next().expect("four free ports in a row")
}

/// What a process has written so far; clones share it.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// Collects a stream until it ends.
    pub fn by(stream: Option<impl AsyncRead + Unpin + 'static>) -> Self {
        let written = Self::default();
        let Some(mut stream) = stream else { return written };
        let all = written.clone();
        tokio::task::spawn_local(async move {
            let mut piece = vec![0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut piece).await {
                all.bytes_mut().extend_from_slice(&piece[..length]);
            }
        });
        written
    }

    fn bytes_mut(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes_mut()).into_owned()
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub notes: String,
}

impl Ended {
    /// The output of a command that went well.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.output, self.notes);
        self.output
    }

    /// The output as JSON.
    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Runs a program to its end.
pub async fn run(program: &Path, arguments: &[&str], input: &str) -> Ended {
    run_within(COMMAND_WITHIN, program, arguments, input).await
}

/// Runs a program to its end, which may take longer than others.
pub async fn run_within(limit: Duration, program: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut child = quiet(program, arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read its input closes it.
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    let ended = Clock::real().timeout(limit, child.wait_with_output()).await;
    let ended = ended.unwrap_or_else(|_| panic!("{arguments:?} did not end")).unwrap();
    Ended {
        code: ended.status.code(),
        output: String::from_utf8(ended.stdout).unwrap(),
        notes: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// Runs `payrig` to its end.
pub async fn payrig(arguments: &[&str]) -> Ended {
    run(&binary("payrig"), arguments, "").await
}

/// A program that neither reads our terminal nor our settings, and ends with us.
pub fn quiet(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars() {
        if name.starts_with("PAYRIG_") {
            command.env_remove(name);
        }
    }
    command
}

/// Sends a signal to a process that may be gone.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).ok();
}

/// Whether a process still runs; one that nobody has collected yet does not.
pub fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.state != 'Z')
}

struct Stat {
    state: char,
    parent: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some(Stat { state, parent: fields.next()?.parse().ok()? })
}

/// The programs that a supervisor runs at this moment.
pub fn programs_of(supervisor: u32) -> BTreeMap<Program, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if !stat(pid).is_some_and(|stat| stat.parent == supervisor && stat.state != 'Z') {
            continue;
        }
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0').skip_while(|word| *word != "serve").skip(1);
        let name = words.next().unwrap_or("");
        if let Some(program) = Program::ALL.into_iter().find(|each| each.as_str() == name) {
            found.insert(program, pid);
        }
    }
    found
}

/// A world that `payrig up` runs.
pub struct Up {
    /// Where it listens.
    pub addresses: Addresses,
    /// What it printed.
    pub output: Written,
    /// What it noted.
    pub notes: Written,
    state: PathBuf,
    process: Child,
}

impl Up {
    /// Starts a world on free ports and waits for its banner.
    pub async fn start(state: &Scratch) -> Self {
        Self::start_at(state, free_port_base(), &[]).await
    }

    /// Starts a world with further flags and waits for its banner.
    pub async fn start_at(state: &Scratch, port_base: u16, flags: &[&str]) -> Self {
        let base = port_base.to_string();
        let mut arguments = vec!["up", "--state", state.text(), "--port-base", &base];
        arguments.extend(flags);
        let mut process =
            quiet(&binary("payrig"), &arguments).stdin(Stdio::null()).spawn().unwrap();
        let output = Written::by(process.stdout.take());
        let notes = Written::by(process.stderr.take());
        let addresses = Addresses::from_base(port_base);
        let state = state.path().to_owned();
        let mut up = Self { addresses, output, notes, state, process };
        until("the world is up", WORLD_WITHIN, async || {
            if let Some(status) = up.process.try_wait().unwrap() {
                panic!("{status}:\n{}\n{}", up.output.text(), up.notes.text());
            }
            up.output.text().contains(BANNER_END).then_some(())
        })
        .await;
        up
    }

    /// The supervisor's process.
    pub fn pid(&self) -> u32 {
        self.process.id().expect("the supervisor has not been waited for")
    }

    /// The programs' processes.
    pub fn programs(&self) -> BTreeMap<Program, u32> {
        programs_of(self.pid())
    }

    /// Address of a program.
    pub fn url(&self, program: Program) -> String {
        self.addresses.of(program)
    }

    /// The keys of this world.
    pub fn keys(&self) -> Keys {
        read_world(&self.state).unwrap()
    }

    /// An API client of this world, by the world's clock as it is now.
    pub async fn api(&self, name: &str) -> Api {
        let clock = Clock::real();
        follow(&clock, self.addresses, &self.keys()).await;
        let client = self.keys().clients[name].clone();
        Api::new(Http::default(), &self.url(Program::Gateway), client, clock)
    }

    /// Runs a command against this world.
    pub async fn payrig(&self, arguments: &[&str]) -> Ended {
        let mut all = arguments.to_vec();
        all.extend(["--state", self.state.to_str().unwrap()]);
        payrig(&all).await
    }

    /// Asks the control plane of a program.
    pub async fn sandbox(&self, program: Program, method: &str, path: &str, body: &str) -> Answer {
        sandbox(self.addresses, &self.keys(), program, method, path, body).await.unwrap()
    }

    /// Sends a signal to the supervisor and waits for its end.
    pub async fn end(&mut self, with: Signal) -> ExitStatus {
        signal(self.pid(), with);
        let ended = Clock::real().timeout(WORLD_WITHIN, self.process.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("the supervisor did not end: {}", self.notes.text()))
            .unwrap()
    }
}

/// Asks the control plane of a program that may not be there.
pub async fn sandbox(
    addresses: Addresses,
    keys: &Keys,
    program: Program,
    method: &str,
    path: &str,
    body: &str,
) -> anyhow::Result<Answer> {
    let url = format!("{}/_sandbox/{path}", addresses.of(program));
    let mut headers = vec![("sandbox-key", keys.sandbox_key.as_str())];
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    Http::default().try_send(method, &url, &headers, body.to_owned()).await
}

/// Sets a clock by that of the gateway, which may have been moved.
pub async fn follow(clock: &Clock, addresses: Addresses, keys: &Keys) {
    let told = sandbox(addresses, keys, Program::Gateway, "GET", "clock", "").await.unwrap();
    clock.follow(told.json()["now"].as_str().unwrap().parse().unwrap());
}
