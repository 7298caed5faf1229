//! Three programs that are started again the moment they die.

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use kit::clock::Clock;
use payrig::keys::{World as Keys, read_world};
use payrig::program::{Addresses, Program};
use payrig::state::{Run, StateDirectory};
use payrig_tests::processes::{
    Ended, Scratch, Signal, WORLD_WITHIN, binary, free_port_base, payrig, run_within, signal,
};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// What a command may take: coming to rest after many crashes moves through months of timers.
const COMMAND_WITHIN: Duration = Duration::from_mins(5);
/// A program that dies this often before it is ready will never be.
const FAILED_STARTS_MAX: u32 = 5;

/// What a program is doing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Its process.
    pub pid: Option<u32>,
    /// Whether it serves requests.
    pub ready: bool,
    /// How often it ended.
    pub deaths: u32,
}

/// Three programs on one state directory, without a supervisor.
pub struct Fleet {
    /// Where they listen.
    pub addresses: Addresses,
    /// The keys of the world.
    pub keys: Keys,
    state: PathBuf,
    keepers: Vec<Keeper>,
}

struct Keeper {
    program: Program,
    now: watch::Receiver<Now>,
    ending: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    unwanted_ends: Rc<RefCell<Vec<String>>>,
}

impl Fleet {
    /// Makes the keys and starts the programs.
    pub async fn start(state: &Scratch, seed: u64) -> Self {
        payrig(&["keys", "--state", state.text()]).await.ok();
        let port_base = free_port_base();
        let run = Run {
            pid: std::process::id(),
            port_base,
            seed,
            clock: "real".to_owned(),
            ephemeral: false,
        };
        StateDirectory::at(state.path()).announce(&run).unwrap();
        let addresses = Addresses::from_base(port_base);
        let keepers = Program::ALL
            .into_iter()
            .map(|program| Keeper::start(program, addresses, state.path(), seed))
            .collect();
        let keys = read_world(state.path()).unwrap();
        let fleet = Self { addresses, keys, state: state.path().to_owned(), keepers };
        for program in Program::ALL {
            fleet.ready(program).await;
        }
        fleet
    }

    fn keeper(&self, program: Program) -> &Keeper {
        self.keepers.iter().find(|keeper| keeper.program == program).unwrap()
    }

    /// What a program is doing.
    pub fn now(&self, program: Program) -> Now {
        *self.keeper(program).now.borrow()
    }

    async fn wait(&self, program: Program, what: &str, is: impl Fn(&Now) -> bool) -> Now {
        let mut now = self.keeper(program).now.clone();
        let seen = Clock::real().timeout(WORLD_WITHIN, now.wait_for(|now| is(now))).await;
        *seen.unwrap_or_else(|_| panic!("{program} {what}")).unwrap()
    }

    /// Waits until a program has a process.
    pub async fn started(&self, program: Program) -> Now {
        self.wait(program, "has no process", |now| now.pid.is_some()).await
    }

    /// Waits until a program serves requests.
    pub async fn ready(&self, program: Program) -> Now {
        self.wait(program, "is not ready", |now| now.ready).await
    }

    /// Waits until a program has ended more than `deaths` times, as long as that may take.
    pub async fn ended_again(&self, program: Program, deaths: u32, within: Duration) -> bool {
        let mut now = self.keeper(program).now.clone();
        Clock::real().timeout(within, now.wait_for(|now| now.deaths > deaths)).await.is_ok()
    }

    /// Ends a program as a power switch would. True when it served requests at that moment.
    pub async fn kill(&self, program: Program) -> bool {
        let now = self.started(program).await;
        signal(now.pid.unwrap(), Signal::KILL);
        self.wait(program, "survived SIGKILL", |later| later.deaths > now.deaths).await;
        now.ready
    }

    /// Asks the control plane of a program that may not be there.
    pub async fn sandbox(&self, program: Program, path: &str, body: &Value) -> Option<Value> {
        let body = body.to_string();
        let answer = payrig_tests::processes::sandbox(
            self.addresses,
            &self.keys,
            program,
            "POST",
            path,
            &body,
        )
        .await
        .ok()?;
        assert!(answer.status < 300, "{program} {path}: {}", answer.text());
        Some(answer.json())
    }

    /// Runs a command against the fleet.
    pub async fn payrig(&self, arguments: &[&str]) -> Ended {
        let mut all = arguments.to_vec();
        all.extend(["--state", self.state.to_str().unwrap()]);
        run_within(COMMAND_WITHIN, &binary("payrig"), &all, "").await
    }

    /// A file in the state directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Ends of programs that nobody had asked for.
    pub fn unwanted_ends(&self) -> Vec<String> {
        self.keepers.iter().flat_map(|keeper| keeper.unwanted_ends.borrow().clone()).collect()
    }

    /// Ends all programs in an orderly way.
    pub async fn stop(&mut self) {
        for keeper in &self.keepers {
            keeper.ending.send(true).unwrap();
            if let Some(pid) = keeper.now.borrow().pid {
                signal(pid, Signal::TERM);
            }
        }
        for keeper in &mut self.keepers {
            let ended = Clock::real().timeout(WORLD_WITHIN, &mut keeper.task).await;
            ended.unwrap_or_else(|_| panic!("{} does not end", keeper.program)).unwrap();
        }
    }
}

impl Keeper {
    fn start(program: Program, addresses: Addresses, state: &Path, seed: u64) -> Self {
        let (tell, now) = watch::channel(Now::default());
        let (ending, asked) = watch::channel(false);
        let unwanted_ends = Rc::new(RefCell::new(Vec::new()));
        let launch = Launch {
            program,
            arguments: arguments(program, addresses, state, seed),
            log: state.join(format!("{program}.log")),
            unwanted_ends: unwanted_ends.clone(),
        };
        let task = tokio::task::spawn_local(async move { launch.keep(&tell, &asked).await });
        Self { program, now, ending, task, unwanted_ends }
    }
}

fn arguments(program: Program, addresses: Addresses, state: &Path, seed: u64) -> Vec<String> {
    let mut all: Vec<String> = vec!["serve".into(), program.as_str().into()];
    let mut flag = |name: &str, value: String| all.extend([name.to_owned(), value]);
    flag("--listen", format!("127.0.0.1:{}", addresses.port(program)));
    flag("--state", state.display().to_string());
    flag("--seed", seed.to_string());
    match program {
        Program::Merchant => flag("--gateway-url", addresses.of(Program::Gateway)),
        Program::Gateway => {
            flag("--processor-url", addresses.of(Program::ProcessorSim));
            flag("--shop-url", addresses.of(Program::Merchant));
        }
        Program::ProcessorSim => {}
    }
    all.push("--exit-with-stdin".into());
    all
}

struct Launch {
    program: Program,
    arguments: Vec<String>,
    log: PathBuf,
    unwanted_ends: Rc<RefCell<Vec<String>>>,
}

impl Launch {
    async fn keep(&self, tell: &watch::Sender<Now>, asked: &watch::Receiver<bool>) {
        let mut failed_starts = 0;
        while !*asked.borrow() {
            let mut child = self.spawn();
            // Open as long as we live: the program ends with us.
            let _stdin = child.stdin.take();
            tell.send_modify(|now| now.pid = child.id());
            let stdout = child.stdout.take().unwrap();
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("\"ready\":true") {
                    failed_starts = 0;
                    tell.send_modify(|now| now.ready = true);
                }
            }
            let status = child.wait().await.unwrap();
            if status.code().is_some() && !*asked.borrow() {
                self.unwanted_ends.borrow_mut().push(format!("{}: {status}", self.program));
                failed_starts += 1;
            }
            tell.send_modify(|now| *now = Now { deaths: now.deaths + 1, ..Now::default() });
            if failed_starts > FAILED_STARTS_MAX {
                return;
            }
        }
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        Command::new(binary("payrig"))
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}
