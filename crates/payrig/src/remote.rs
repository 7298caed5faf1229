//! A world in other processes: children of our own, or the programs of a running `payrig up`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kit::activity::Activity;
use kit::clock::Clock;
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use rustix::process::Signal;
use scenario::world::{Credentials, Order, WorldError};
use serde_json::{Map, Value};
use wire::time::Timestamp;

use crate::access::Access;
use crate::cli::ClockMode;
use crate::failure::{Failure, Outcome};
use crate::keys::{create_if_absent, read_world};
use crate::program::{Addresses, Program};
use crate::supervisor::child::Child;
use crate::supervisor::{LogOutput, Supervisor, WorldSettings, own_executable, ports};
use crate::timekeeping::{Idle, clock_of, is_quiet, latest, looks_needed, move_program};

/// How long a world may take to come to rest, in real time.
const REST_WITHIN: Duration = Duration::from_secs(30);
/// How often the programs are asked.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// How long a program may take to come to the moment at which it is to be killed.
const KILLED_WITHIN: Duration = Duration::from_secs(20);

/// Programs that are reached over HTTP only.
pub struct RemoteWorld {
    access: Access,
    clock: Clock,
    activity: Activity,
    addresses: Vec<(Program, String)>,
    due: Cell<(Option<Timestamp>, Option<Timestamp>)>,
    own: Option<Own>,
}

/// What belongs to a world whose processes are ours.
struct Own {
    supervisor: Supervisor,
    children: RefCell<BTreeMap<Program, Child>>,
    /// Those that stand still by our order.
    stopped: RefCell<Vec<Program>>,
    state: PathBuf,
    /// Keeps the ports for us.
    _console: TcpListener,
}

impl Drop for Own {
    fn drop(&mut self) {
        // The children end with their handles; what they wrote is of no use without them.
        self.children.borrow_mut().clear();
        std::fs::remove_dir_all(&self.state).ok();
    }
}

fn failed(failure: Failure) -> WorldError {
    WorldError(failure.message)
}

impl RemoteWorld {
    /// Starts three programs with databases in a directory of their own.
    pub async fn start(
        start: Timestamp,
        seed: u64,
        settings: &Map<String, Value>,
    ) -> Outcome<Self> {
        let unique = Secrets::system().token("", 9);
        let state = std::env::temp_dir().join(format!("payrig-run-{unique}"));
        create_if_absent(&state)?;
        let (addresses, console) = ports::claim_free()?;
        let supervisor = Supervisor::new(
            &WorldSettings {
                executable: own_executable()?,
                state: state.clone(),
                ephemeral: false,
                addresses,
                seed,
                clock: ClockMode::Virtual,
                log_level: "error".to_owned(),
                log_output: LogOutput::Directory(state.join("logs")),
                more: crate::world::Rules::as_flags(settings)?,
            },
            &Clock::real(),
        )?;
        let children = supervisor.start().await?;
        let children = children.into_iter().map(|child| (child.program, child)).collect();
        let own = Own {
            supervisor,
            children: RefCell::new(children),
            stopped: RefCell::default(),
            state: state.clone(),
            _console: console,
        };
        let begins = gateway::settings::VIRTUAL_BEGIN;
        if start < begins {
            return Err(Failure::unreadable(format!(
                "a world in processes of its own begins at {begins}, not at {start}"
            )));
        }
        let world = Self::at(&state, addresses, Clock::virtual_at(begins), Some(own))?;
        world.advance(start).await?;
        Ok(world)
    }

    /// The programs of a running `payrig up`.
    pub async fn attach(state: &Path) -> Outcome<Self> {
        let access = Access::open(state)?;
        let told = clock_of(&access, Program::Gateway).await?;
        let clock = if told.mode == "virtual" {
            Clock::virtual_at(told.now)
        } else {
            let clock = Clock::real();
            clock.follow(told.now);
            clock
        };
        Self::at(state, access.addresses, clock, None)
    }

    fn at(state: &Path, addresses: Addresses, clock: Clock, own: Option<Own>) -> Outcome<Self> {
        let plumbing = Plumbing::new("payrig", Clock::real(), 0, Secrets::system());
        let access = Access::new(read_world(state)?, addresses, plumbing)?;
        Ok(Self {
            access,
            clock,
            activity: Activity::default(),
            addresses: Program::ALL.map(|program| (program, addresses.of(program))).to_vec(),
            due: Cell::new((None, None)),
            own,
        })
    }

    /// Where it listens.
    pub const fn addresses(&self) -> Addresses {
        self.access.addresses
    }

    /// The key of its control planes.
    pub fn key(&self) -> &str {
        &self.access.world.sandbox_key
    }

    fn up(&self) -> Vec<Program> {
        let Some(own) = &self.own else { return Program::ALL.to_vec() };
        let (children, stopped) = (own.children.borrow(), own.stopped.borrow());
        let there =
            |program: &Program| children.contains_key(program) && !stopped.contains(program);
        Program::ALL.into_iter().filter(there).collect()
    }

    /// Asks those that are there. One that has died at a crash point is there no more.
    async fn ask_all(&self) -> Outcome<Vec<Idle>> {
        let mut all = Vec::new();
        for program in self.up() {
            match self.access.ask(program, "idle").await {
                Ok(idle) => all.push(idle),
                Err(failure) => {
                    if !self.forget_dead(program) {
                        return Err(failure);
                    }
                }
            }
        }
        Ok(all)
    }

    fn forget_dead(&self, program: Program) -> bool {
        let Some(own) = &self.own else { return false };
        let mut children = own.children.borrow_mut();
        let dead = children.get_mut(&program).is_some_and(Child::has_ended);
        if dead {
            children.remove(&program);
        }
        dead
    }

    async fn rest(&self) -> Outcome<Vec<Idle>> {
        let real = Clock::real();
        let stopwatch = real.stopwatch();
        let mut before = self.ask_all().await?;
        let mut looks = 0;
        loop {
            let now = self.ask_all().await?;
            looks = if is_quiet(&before, &now) { looks + 1 } else { 0 };
            // Calls of our own are on their way as long as they are not served.
            if looks > looks_needed(&now) {
                let due = now.iter().filter_map(|idle| idle.next_due_at).min();
                let work = now.iter().filter_map(|idle| idle.next_work_due_at).min();
                self.due.set((due, work));
                return Ok(now);
            }
            if stopwatch.elapsed() > REST_WITHIN {
                return Err(crate::timekeeping::restless(&now));
            }
            real.sleep(ASK_EVERY).await;
            before = now;
        }
    }

    async fn move_to(&self, to: Timestamp) -> Outcome {
        for program in self.up() {
            move_program(&self.access, program, to).await?;
        }
        if self.clock.is_virtual() {
            let moved = self.clock.advance_to(to);
            moved.map(drop).map_err(|error| Failure::could_not_run(error.to_string()))
        } else {
            self.clock.follow(to);
            Ok(())
        }
    }

    async fn advance(&self, target: Timestamp) -> Outcome<u32> {
        let mut fired: u32 = 0;
        loop {
            let idle = self.rest().await?;
            let now = latest(&idle);
            let due = idle.iter().filter_map(|idle| idle.next_due_at);
            let next = due.filter(|due| *due > now && *due <= target).min();
            let Some(next) = next else { break };
            self.move_to(next).await?;
            fired = fired.saturating_add(1);
        }
        if self.clock.now() < target {
            self.move_to(target).await?;
        }
        self.rest().await.map(|_| fired)
    }

    async fn order(&self, program: Program, order: Order) -> Outcome<Option<u32>> {
        let Some(own) = &self.own else {
            return Err(Failure::could_not_run("the processes of this world are not ours"));
        };
        match order {
            Order::Kill | Order::Await => {
                let Some(mut child) = own.children.borrow_mut().remove(&program) else {
                    return Err(Failure::check(format!("{program} does not run")));
                };
                if order == Order::Kill {
                    child.signal(Signal::KILL);
                }
                let ended = kit::clock::real_timeout(KILLED_WITHIN, child.ended()).await;
                ended.map_err(|_| {
                    let seconds = KILLED_WITHIN.as_secs();
                    Failure::check(format!(
                        "{program} did not come to that moment within {seconds} s"
                    ))
                })?;
                Ok(None)
            }
            Order::Stop | Order::Continue => {
                let children = own.children.borrow();
                let child = children.get(&program);
                let child =
                    child.ok_or_else(|| Failure::check(format!("{program} does not run")))?;
                let stops = order == Order::Stop;
                child.signal(if stops { Signal::STOP } else { Signal::CONT });
                let mut stopped = own.stopped.borrow_mut();
                stopped.retain(|other| *other != program);
                if stops {
                    stopped.push(program);
                }
                Ok(Some(child.pid))
            }
            Order::Start => {
                let child = own.supervisor.start_one(program).await?;
                let pid = child.pid;
                own.children.borrow_mut().insert(program, child);
                move_program(&self.access, program, self.clock.now()).await?;
                Ok(Some(pid))
            }
        }
    }
}

impl scenario::world::World for RemoteWorld {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn activity(&self) -> &Activity {
        &self.activity
    }

    fn address(&self, program: &str) -> Option<&str> {
        let known = self.addresses.iter().find(|(known, _)| known.as_str() == program);
        known.map(|(_, address)| address.as_str())
    }

    fn credentials(&self, client: &str) -> Option<Credentials> {
        let known = self.access.world.clients.get(client)?;
        Some(Credentials {
            client_id: known.client_id.clone(),
            client_secret: known.client_secret.clone(),
            key_id: known.key_id.clone(),
            signing_key: known.signing_key.clone(),
        })
    }

    fn clients(&self) -> Vec<String> {
        self.access.world.clients.keys().cloned().collect()
    }

    fn sandbox_key(&self) -> &str {
        self.key()
    }

    fn publishable_key(&self) -> &str {
        &self.access.world.publishable_key
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.due.get().0
    }

    fn next_work_due(&self) -> Option<Timestamp> {
        self.due.get().1
    }

    fn is_up(&self, program: &str) -> bool {
        self.up().iter().any(|known| known.as_str() == program)
    }

    async fn turn(&self) -> Result<bool, WorldError> {
        let idle = self.ask_all().await.map_err(failed)?;
        let sent: u64 = idle.iter().map(|it| it.sent).sum();
        let received: u64 = idle.iter().map(|it| it.received).sum();
        Ok(sent.saturating_add(self.activity.snapshot().sent) <= received)
    }

    async fn settle(&self) -> Result<(), WorldError> {
        self.rest().await.map(drop).map_err(failed)
    }

    async fn advance_to(&self, target: Timestamp) -> Result<u32, WorldError> {
        self.advance(target).await.map_err(failed)
    }

    async fn process(&self, program: &str, order: Order) -> Result<Option<u32>, WorldError> {
        let known = Program::ALL.into_iter().find(|known| known.as_str() == program);
        let program = known.ok_or_else(|| WorldError(format!("no program {program}")))?;
        self.order(program, order).await.map_err(failed)
    }
}
