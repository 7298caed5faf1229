//! A world in other processes: children of our own, or the programs of a running `payrig up`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use kit::activity::{Activity, Snapshot};
use kit::clock::Clock;
use kit::gate::{Gate, Stops};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use rustix::process::Signal;
use scenario::world::{Credentials, Order, Pace, WorldError};
use serde_json::{Map, Value, json};
use wire::time::Timestamp;

use crate::access::Access;
use crate::cli::ClockMode;
use crate::failure::{Failure, Outcome};
use crate::keys::{create_if_absent, read_world};
use crate::program::{Addresses, Program};
use crate::supervisor::child::Child;
use crate::supervisor::{LogOutput, Supervisor, WorldSettings, own_executable, ports};
use crate::timekeeping::{Idle, clock_of, is_past, is_quiet, latest, move_program, set_program};

/// How long a world may take to come to rest, in real time.
const REST_WITHIN: Duration = Duration::from_secs(30);
/// Looks in a row that must find the same quiet world.
const QUIET_LOOKS: u32 = 2;
/// A message that stays under way for this long, in real time, went to somebody who is gone: when
/// somebody has gone or stands still, and when nobody has.
const LOST_AFTER: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));
/// How long a program that does not answer any more may take to be dead.
const DEAD_WITHIN: Duration = Duration::from_secs(1);
/// How often the programs are asked.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// How long a program may take to come to the moment at which it is to be killed.
const KILLED_WITHIN: Duration = Duration::from_mins(1);

/// Programs that are reached over HTTP only.
pub struct RemoteWorld {
    access: Access,
    clock: Clock,
    activity: Activity,
    addresses: Vec<(Program, String)>,
    due: Cell<(Option<Timestamp>, Option<Timestamp>)>,
    /// One at a time waits for rest and sets off timers.
    resting: tokio::sync::Mutex<()>,
    /// Messages under way that nobody waits for any more.
    lost: Cell<Imbalance>,
    /// Our own calls wait here while messages go one by one.
    gate: Gate,
    pace: RefCell<Pace>,
    driven: Cell<bool>,
    /// By how many milliseconds a program's clock is ahead of the world's.
    skews: RefCell<BTreeMap<Program, i64>>,
    own: Option<Own>,
}

/// Messages sent and not received, answers awaited and not made.
type Imbalance = (i128, i128);

/// What belongs to a world whose processes are ours.
struct Own {
    supervisor: Supervisor,
    children: RefCell<BTreeMap<Program, Child>>,
    /// Those that stand still by our order.
    stopped: RefCell<Vec<Program>>,
    /// Those whose death somebody waits for: time stands until he has seen it.
    awaited: RefCell<Vec<Program>>,
    /// Whether somebody has gone since lost messages were counted.
    gone: Cell<bool>,
    state: PathBuf,
    /// Keeps the ports for us.
    _console: TcpListener,
}

impl Own {
    /// Whether nobody still waits for the death of a program that is gone.
    fn is_noticed(&self) -> bool {
        let children = self.children.borrow();
        self.awaited.borrow().iter().all(|program| children.contains_key(program))
    }

    /// Waits until a program has ended; whether it has.
    async fn is_gone_within(&self, program: Program, limit: Duration) -> bool {
        let real = Clock::real();
        let stopwatch = real.stopwatch();
        loop {
            {
                let mut children = self.children.borrow_mut();
                if children.get_mut(&program).is_none_or(Child::has_ended) {
                    self.gone.set(children.remove(&program).is_some() || self.gone.get());
                    return true;
                }
            }
            if stopwatch.elapsed() > limit {
                return false;
            }
            real.sleep(ASK_EVERY).await;
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // The children end with their handles; what they wrote is of no use without them.
        self.children.borrow_mut().clear();
        std::fs::remove_dir_all(&self.state).ok();
    }
}

fn known(program: &str) -> Result<Program, WorldError> {
    let known = Program::ALL.into_iter().find(|known| known.as_str() == program);
    known.ok_or_else(|| WorldError(format!("no program {program}")))
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
            awaited: RefCell::default(),
            gone: Cell::default(),
            state: state.clone(),
            _console: console,
        };
        let begins = gateway::settings::VIRTUAL_BEGIN;
        if start < begins {
            return Err(Failure::unreadable(format!(
                "a world in processes of its own begins at {begins}, not at {start}"
            )));
        }
        let plumbing = Plumbing::new("payrig", Clock::real(), 0, Secrets::system());
        let access = Access::new(read_world(&state)?, addresses, plumbing)?;
        let world = Self::through(access, Clock::virtual_at(begins), Some(own));
        world.advance(start).await?;
        Ok(world)
    }

    /// The programs of a world that runs.
    pub async fn attach(access: Access) -> Outcome<Self> {
        let told = clock_of(&access, Program::Gateway).await?;
        let clock = if told.mode == "virtual" {
            Clock::virtual_at(told.now)
        } else {
            let clock = Clock::real();
            clock.follow(told.now);
            clock
        };
        Ok(Self::through(access, clock, None))
    }

    fn through(access: Access, clock: Clock, own: Option<Own>) -> Self {
        let addresses = access.addresses;
        Self {
            access,
            clock,
            activity: Activity::default(),
            addresses: Program::ALL.map(|program| (program, addresses.of(program))).to_vec(),
            due: Cell::new((None, None)),
            resting: tokio::sync::Mutex::default(),
            lost: Cell::default(),
            gate: Gate::default(),
            pace: RefCell::default(),
            driven: Cell::default(),
            skews: RefCell::default(),
            own,
        }
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
        let up = self.up();
        let asked = up.iter().map(|program| self.access.ask::<Idle>(*program, "idle"));
        let told = futures_util::future::join_all(asked).await;
        let mut all = Vec::new();
        for (program, idle) in up.into_iter().zip(told) {
            match idle {
                Ok(idle) => all.push(self.in_world_time(program, idle)),
                Err(failure) => {
                    if !self.forget_dead(program).await {
                        return Err(failure);
                    }
                }
            }
        }
        Ok(all)
    }

    /// Whether a program that does not answer is dead: it may be about to be.
    async fn forget_dead(&self, program: Program) -> bool {
        let Some(own) = &self.own else { return false };
        own.is_gone_within(program, DEAD_WITHIN).await
    }

    /// What a program says, by the clock of the world.
    fn in_world_time(&self, program: Program, idle: Idle) -> Idle {
        let ahead = self.skews.borrow().get(&program).copied().unwrap_or_default();
        let world = |at: Timestamp| Timestamp::from_millis(at.millis().saturating_sub(ahead));
        Idle {
            program: program.as_str().to_owned(),
            now: world(idle.now),
            next_due_at: idle.next_due_at.map(world),
            next_work_due_at: idle.next_work_due_at.map(world),
            ..idle
        }
    }

    /// Waits until nobody has anything to do; of the timers that are due, the next one is set off
    /// only when what the one before has caused is over.
    async fn rest(&self) -> Outcome<Vec<Idle>> {
        let _alone = self.resting.lock().await;
        let real = Clock::real();
        let stopwatch = real.stopwatch();
        let mut before = self.ask_all().await?;
        let mut ours = self.activity.snapshot();
        let (mut looks, mut same_since) = (0, stopwatch.elapsed());
        loop {
            let now = self.ask_all().await?;
            let own = self.activity.snapshot();
            let same = is_quiet(&before, &now) && own == ours;
            if !same {
                same_since = stopwatch.elapsed();
            }
            let lasts = stopwatch.elapsed().saturating_sub(same_since) > self.lost_after();
            let noticed = self.own.as_ref().is_none_or(Own::is_noticed);
            let calm = same && noticed && own.in_flight == 0 && self.is_balanced(&now, &own, lasts);
            looks = if calm { looks + 1 } else { 0 };
            if looks >= QUIET_LOOKS {
                if self.set_off(&now).await? {
                    looks = 0;
                } else if !now.iter().any(is_past) {
                    let due = now.iter().filter_map(|idle| idle.next_due_at).min();
                    let work = now.iter().filter_map(|idle| idle.next_work_due_at).min();
                    self.due.set((due, work));
                    return Ok(now);
                }
            }
            if stopwatch.elapsed() > REST_WITHIN {
                return Err(crate::timekeeping::restless(&now));
            }
            real.sleep(ASK_EVERY).await;
            (before, ours) = (now, own);
        }
    }

    /// Whether every message that was sent has arrived, and every answer too.
    fn is_balanced(&self, idle: &[Idle], own: &Snapshot, lasts: bool) -> bool {
        let sum = |count: fn(&Idle) -> u64| idle.iter().map(count).map(i128::from).sum::<i128>();
        let sent = sum(|it| it.sent).saturating_add(own.sent.into());
        let awaited = sum(|it| it.awaiting_answer).saturating_add(own.awaiting_answer.into());
        let now = (
            sent.saturating_sub(sum(|it| it.received)),
            awaited.saturating_sub(sum(|it| it.serving)),
        );
        if lasts {
            self.lost.set(now);
            if let Some(own) = &self.own {
                own.gone.set(false);
            }
        }
        now == self.lost.get()
    }

    fn lost_after(&self) -> Duration {
        let missing = |own: &Own| own.gone.get() || !own.stopped.borrow().is_empty();
        if self.own.as_ref().is_none_or(missing) { LOST_AFTER.0 } else { LOST_AFTER.1 }
    }

    /// Lets a message go or wakes the next one whose time has come; whether there was one.
    async fn set_off(&self, idle: &[Idle]) -> Outcome<bool> {
        let waiting = idle.iter().map(|idle| idle.at_gate).sum::<usize>();
        let waiting = waiting.saturating_add(self.gate.waiting());
        if waiting > 0 {
            let chosen = self.pace.borrow().choose(waiting);
            return self.let_go(idle, chosen).await;
        }
        for known in idle.iter().filter(|idle| idle.patient > 0 || is_past(idle)) {
            let program = self.up().into_iter().find(|it| it.as_str() == known.program);
            let Some(program) = program else { continue };
            if self.wake(program, None).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ours come first, then those of the programs.
    async fn let_go(&self, idle: &[Idle], chosen: usize) -> Outcome<bool> {
        let ours = self.gate.waiting();
        let Some(mut place) = chosen.checked_sub(ours) else { return Ok(self.gate.let_go(chosen)) };
        for known in idle {
            let program = self.up().into_iter().find(|it| it.as_str() == known.program);
            match (program, place.checked_sub(known.at_gate)) {
                (Some(program), None) => return self.wake(program, Some(place)).await,
                (None, None) => return Ok(false),
                (_, Some(further)) => place = further,
            }
        }
        Ok(false)
    }

    async fn wake(&self, program: Program, message: Option<usize>) -> Outcome<bool> {
        #[derive(serde::Deserialize)]
        struct Answer {
            woken: bool,
        }
        let body = message.map(|message| json!({ "message": message }));
        let reply = self.access.tell(program, Method::POST, "clock/wake", body.as_ref()).await?;
        let answer: Option<Answer> = serde_json::from_slice(&reply.body).ok();
        Ok(answer.is_some_and(|answer| answer.woken))
    }

    /// Moves all clocks, as far as each is ahead or behind; nobody is woken yet.
    async fn move_to(&self, to: Timestamp) -> Outcome {
        for program in self.up() {
            let ahead = self.skews.borrow().get(&program).copied().unwrap_or_default();
            let own = Timestamp::from_millis(to.millis().saturating_add(ahead));
            set_program(&self.access, program, own).await?;
        }
        if self.clock.is_virtual() {
            let moved = self.clock.advance_to(to);
            moved.map(drop).map_err(|error| Failure::could_not_run(error.to_string()))
        } else {
            self.clock.follow(to);
            Ok(())
        }
    }

    /// Makes the clock of a program go ahead of the others, or behind. No clock goes back: to fall
    /// behind it stands still while the others go on.
    async fn skew(&self, program: Program, ahead: i64) -> Outcome {
        if self.own.is_none() {
            return Err(Failure::could_not_run("the clocks of this world are not ours"));
        }
        self.rest().await?;
        let before = self.skews.borrow_mut().insert(program, ahead).unwrap_or_default();
        let further = ahead.saturating_sub(before);
        let now = self.clock.now();
        if further >= 0 {
            self.move_to(now).await?;
            return self.rest().await.map(drop);
        }
        let others = Timestamp::from_millis(now.millis().saturating_sub(further));
        self.advance(others).await.map(drop)
    }

    async fn advance(&self, target: Timestamp) -> Outcome<u32> {
        let mut fired: u32 = 0;
        loop {
            let idle = self.rest().await?;
            let now = if self.clock.is_virtual() { self.clock.now() } else { latest(&idle) };
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

    /// A world of somebody else is looked at by others too: it goes at its own pace.
    async fn drive_all(&self) -> Outcome {
        if self.own.is_some() {
            for program in self.up() {
                self.drive_one(program).await?;
            }
        }
        Ok(())
    }

    async fn drive_one(&self, program: Program) -> Outcome {
        let one_by_one = !matches!(*self.pace.borrow(), Pace::Free);
        let body = json!({ "driven": self.driven.get(), "one_by_one": one_by_one });
        self.access.tell(program, Method::POST, "clock/driven", Some(&body)).await.map(drop)
    }

    async fn order(&self, program: Program, order: Order) -> Outcome<Option<u32>> {
        let Some(own) = &self.own else {
            return Err(Failure::could_not_run("the processes of this world are not ours"));
        };
        // Who waits for a moment needs the world to go on; all else is done before time does.
        let _busy = (order != Order::Await).then(|| self.activity.enter());
        match order {
            Order::Kill | Order::Await => {
                if order == Order::Kill {
                    let children = own.children.borrow();
                    let child = children.get(&program);
                    let child =
                        child.ok_or_else(|| Failure::check(format!("{program} does not run")))?;
                    child.signal(Signal::KILL);
                }
                own.awaited.borrow_mut().push(program);
                let gone = own.is_gone_within(program, KILLED_WITHIN).await;
                own.awaited.borrow_mut().retain(|other| *other != program);
                if !gone {
                    let seconds = KILLED_WITHIN.as_secs();
                    return Err(Failure::check(format!(
                        "{program} did not come to that moment within {seconds} s"
                    )));
                }
                own.stopped.borrow_mut().retain(|other| *other != program);
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
                let ahead = self.skews.borrow().get(&program).copied().unwrap_or_default();
                let own = self.clock.now().millis().saturating_add(ahead);
                move_program(&self.access, program, Timestamp::from_millis(own)).await?;
                self.drive_one(program).await?;
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

    async fn drive(&self, on: bool) -> Result<(), WorldError> {
        self.driven.set(on);
        self.drive_all().await.map_err(failed)
    }

    fn gate(&self) -> &Gate {
        &self.gate
    }

    async fn pace(&self, pace: Pace) -> Result<(), WorldError> {
        self.gate.close(if self.own.is_some() { pace.stops() } else { Stops::Nothing });
        *self.pace.borrow_mut() = pace;
        self.drive_all().await.map_err(failed)
    }

    async fn skew(&self, program: &str, ahead_ms: i64) -> Result<(), WorldError> {
        self.skew(known(program)?, ahead_ms).await.map_err(failed)
    }

    async fn settle(&self) -> Result<(), WorldError> {
        self.rest().await.map(drop).map_err(failed)
    }

    async fn advance_to(&self, target: Timestamp) -> Result<u32, WorldError> {
        self.advance(target).await.map_err(failed)
    }

    async fn process(&self, program: &str, order: Order) -> Result<Option<u32>, WorldError> {
        self.order(known(program)?, order).await.map_err(failed)
    }
}
