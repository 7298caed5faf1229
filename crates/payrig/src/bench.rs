//! `payrig bench`: whole payments through a world of its own, with every write synced to disk.

mod load;
mod report;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use kit::clock::Clock;
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use wire::gateway_api::EndpointView;

use crate::access::{Access, ApiClient, refused};
use crate::cli::{BenchFlags, ClockMode};
use crate::commands::{check_invariants, print_json};
use crate::failure::{Exit, Failure, Outcome};
use crate::keys::{create_if_absent, read_world};
use crate::process::{processor_time, resident_kib};
use crate::program::{Addresses, Program};
use crate::supervisor::{Child, LogOutput, Supervisor, WorldSettings, own_executable, ports};
use crate::terminal::{note, output_look, print};
use crate::timekeeping::{Idle, ask_all};
use load::{LoadError, Payer, Tally};
use report::{Latency, Measured, ProgramFigures, Report, Webhooks};

/// Rest before idle memory is read.
const SETTLE: Duration = Duration::from_millis(500);
/// How long one connection pays alone, before the load.
const ALONE: Duration = Duration::from_secs(1);
/// How long webhooks may take after the load before the bench gives up on them.
const DRAIN_WITHIN: Duration = Duration::from_mins(1);
/// Card tokens at hand before the first payment.
const TOKENS_FIRST: usize = 4000;
/// Card tokens at hand before the load, in percent of what the warm-up says will be used.
const TOKENS_PERCENT: usize = 125;
/// How often the programs are asked whether they are done.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// Measures and reports.
pub async fn run(flags: BenchFlags) -> Outcome {
    let measured = tokio::select! {
        measured = measure(&flags) => measured?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::said(Exit::Interrupted)),
    };
    let report = Report::new(&flags, measured);
    if flags.json {
        print_json(&report)?;
    } else {
        print(&report.text(output_look()));
    }
    if report.passed { Ok(()) } else { Err(Failure::said(Exit::CheckFailed)) }
}

/// A directory that goes away with this value.
struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    fn new(keep: bool) -> Self {
        let unique = Secrets::system().token("", 9);
        Self { path: std::env::temp_dir().join(format!("payrig-bench-{unique}")), keep }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep {
            note(&format!("state kept in {}", self.path.display()));
        } else {
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

async fn measure(flags: &BenchFlags) -> Outcome<Measured> {
    let clock = Clock::real();
    let scratch = Scratch::new(flags.keep);
    create_if_absent(&scratch.path)?;
    let base = flags.port_base.map_or_else(ports::free_base, Ok)?;
    let addresses = Addresses::from_base(base);
    drop(ports::claim(addresses)?);
    let supervisor = Supervisor::new(&settings(&scratch.path, addresses)?, &clock)?;
    let stopwatch = clock.stopwatch();
    let children = supervisor.start().await?;
    let ready_after = stopwatch.elapsed();
    let world = read_world(&scratch.path)?;
    let plumbing = Plumbing::new("bench", clock.clone(), 0, Secrets::system());
    let access = Access::new(world, addresses, plumbing)?;
    let loaded = load_and_check(flags, &access, &children, &scratch.path).await;
    supervisor.end_all(children).await;
    let mut measured = loaded?;
    measured.ready_after = ready_after;
    measured.on_tmpfs = is_tmpfs(&scratch.path);
    for (program, figures) in &mut measured.programs {
        figures.stored_after = stored_bytes(&scratch.path, *program);
    }
    Ok(measured)
}

fn settings(state: &Path, addresses: Addresses) -> Outcome<WorldSettings> {
    Ok(WorldSettings {
        executable: own_executable()?,
        state: state.to_owned(),
        ephemeral: false,
        addresses,
        seed: 42,
        clock: ClockMode::Real,
        log_level: "error".into(),
        log_output: LogOutput::Nowhere,
        more: Vec::new(),
    })
}

async fn load_and_check(
    flags: &BenchFlags,
    access: &Access,
    children: &[Child],
    state: &Path,
) -> Outcome<Measured> {
    let clock = &access.plumbing.clock;
    clock.sleep(SETTLE).await;
    let mut programs: BTreeMap<Program, ProgramFigures> = children
        .iter()
        .map(|child| {
            let figures = ProgramFigures {
                ready_after: child.ready_after,
                resident_idle_kib: resident_kib(child.pid).unwrap_or(0),
                stored_before: stored_bytes(state, child.program),
                ..ProgramFigures::default()
            };
            (child.program, figures)
        })
        .collect();
    let client = access.client("bench")?;
    let payer =
        Payer::new(&access.world, client.credentials(), access.addresses, clock, flags.two_step);
    let payer = payer.await.map_err(cannot_pay)?;
    subscribe(&client, &flags.events).await?;
    payer.prepare_tokens(TOKENS_FIRST, flags.connections).await.map_err(cannot_pay)?;
    let events = EventCount::start(access).await?;
    let alone = pay(&payer, clock, "alone", 1, ALONE).await;
    refuse_hopeless(&alone)?;
    let events = events.per_payment(access, alone.latencies.len()).await?;
    let warm = pay(&payer, clock, "warm", flags.connections, ALONE).await;
    let tokens = warm.latencies.len().saturating_mul(TOKENS_PERCENT) / 100;
    let tokens = tokens.saturating_mul(usize::try_from(flags.seconds).unwrap_or(1));
    payer.prepare_tokens(tokens, flags.connections).await.map_err(cannot_pay)?;
    drain(access, 0).await?;
    let before = times(children);
    let stopwatch = clock.stopwatch();
    let time = Duration::from_secs(u64::from(flags.seconds));
    let tally = pay(&payer, clock, "load", flags.connections, time).await;
    let elapsed = stopwatch.elapsed();
    let after = times(children);
    let paid_alone = alone.latencies.len();
    let paid_before = paid_alone.saturating_add(warm.latencies.len());
    let payments_stored = tally.latencies.len().saturating_add(paid_before);
    let webhooks = drain(access, events.expected(payments_stored)).await?;
    let findings = check_invariants(access).await?;
    for child in children {
        let Some(figures) = programs.get_mut(&child.program) else { continue };
        figures.resident_after_kib = resident_kib(child.pid).unwrap_or(0);
        let spent = after.get(&child.program).zip(before.get(&child.program));
        figures.processor_time =
            spent.map_or(Duration::ZERO, |(after, before)| after.saturating_sub(*before));
    }
    Ok(Measured {
        elapsed,
        ready_after: Duration::ZERO,
        on_tmpfs: false,
        latency: Latency::of(tally.latencies.clone()),
        latency_alone: Latency::of(alone.latencies),
        payments: tally.latencies.len(),
        payments_stored,
        problems: tally.problems,
        problem_count: tally.problem_count,
        webhooks,
        invariants_checked: findings.checked,
        violations: findings.programs.into_values().flat_map(|report| report.violations).collect(),
        programs,
    })
}

fn cannot_pay(error: LoadError) -> Failure {
    Failure::could_not_run(error.to_string())
}

/// When no payment at all works, a load says nothing more.
fn refuse_hopeless(alone: &Tally) -> Outcome {
    match alone.problems.first() {
        Some(problem) if alone.latencies.is_empty() => {
            Err(Failure::check(format!("no payment works: {problem}")))
        }
        _ => Ok(()),
    }
}

/// Lets so many payers pay for so long.
async fn pay(payer: &Payer, clock: &Clock, name: &str, payers: u32, time: Duration) -> Tally {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let stop = Rc::new(Cell::new(false));
    let timer = async {
        clock.sleep(time).await;
        stop.set(true);
    };
    let names: Vec<String> = (0..payers).map(|payer| format!("{name}-{payer}")).collect();
    let paying = names.iter().map(|name| payer.pay_until(name, &stop, &tally));
    let ((), _) = tokio::join!(timer, join_all(paying));
    tally.take()
}

fn times(children: &[Child]) -> BTreeMap<Program, Duration> {
    children.iter().filter_map(|child| Some((child.program, processor_time(child.pid)?))).collect()
}

/// Says which events the shop is told of.
async fn subscribe(client: &ApiClient, events: &[String]) -> Outcome {
    #[derive(serde::Deserialize)]
    struct Endpoints {
        data: Vec<EndpointView>,
    }
    let endpoints: Endpoints = client.read("/api/webhook-endpoints").await?;
    for endpoint in endpoints.data {
        let path = format!("/api/webhook-endpoints/{}", endpoint.id);
        let body = serde_json::json!({ "events": events }).to_string().into();
        let key = Some(format!("bench-{}", endpoint.id));
        let reply = client.call(Method::PATCH, &path, Some(body), key).await?;
        if !reply.is_success() {
            return Err(refused(&reply));
        }
    }
    Ok(())
}

/// How many notifications the shop had received, and how many belong to one payment.
struct EventCount {
    before: u64,
    per_payment: u64,
}

impl EventCount {
    async fn start(access: &Access) -> Outcome<Self> {
        Ok(Self { before: received(&ask_all(access).await?), per_payment: 1 })
    }

    /// Learns from the first payments how many events a payment has.
    async fn per_payment(mut self, access: &Access, payments: usize) -> Outcome<Self> {
        let clock = &access.plumbing.clock;
        let stopwatch = clock.stopwatch();
        loop {
            let idle = ask_all(access).await?;
            let payments = u64::try_from(payments).unwrap_or(u64::MAX);
            let events = received(&idle).saturating_sub(self.before);
            if is_at_rest(&idle) && events >= payments && events.is_multiple_of(payments) {
                self.per_payment = events.checked_div(payments).unwrap_or(1);
                return Ok(self);
            }
            if stopwatch.elapsed() > DRAIN_WITHIN {
                return Err(Failure::check(format!(
                    "{payments} payments led to {events} notifications, not to the same number each"
                )));
            }
            clock.sleep(ASK_EVERY).await;
        }
    }

    fn expected(&self, payments: usize) -> u64 {
        let payments = u64::try_from(payments).unwrap_or(u64::MAX);
        self.before.saturating_add(self.per_payment.saturating_mul(payments))
    }
}

/// Messages that the shop has received from other programs: only notifications, in a bench.
fn received(idle: &[Idle]) -> u64 {
    let shop = idle.iter().find(|idle| idle.program == Program::Merchant.as_str());
    shop.map_or(0, |shop| shop.received)
}

/// Waits until the shop has got every notification and nobody has anything left to do.
async fn drain(access: &Access, expected: u64) -> Outcome<Webhooks> {
    let clock = &access.plumbing.clock;
    let stopwatch = clock.stopwatch();
    loop {
        let idle = ask_all(access).await?;
        let received = received(&idle);
        let all_delivered = is_at_rest(&idle) && received >= expected;
        if all_delivered || stopwatch.elapsed() > DRAIN_WITHIN {
            let drained_after = stopwatch.elapsed();
            return Ok(Webhooks { drained_after, all_delivered, expected, received });
        }
        clock.sleep(ASK_EVERY).await;
    }
}

fn is_at_rest(idle: &[Idle]) -> bool {
    idle.iter().all(|idle| idle.in_flight == 0 && idle.queued == 0 && idle.awaiting_answer == 0)
}

/// Database and write-ahead log of a program.
fn stored_bytes(state: &Path, program: Program) -> u64 {
    let size = |ending: &str| {
        let path = state.join(format!("{program}.db{ending}"));
        fs::metadata(path).map_or(0, |file| file.len())
    };
    size("").saturating_add(size("-wal"))
}

/// Whether syncing costs nothing there.
fn is_tmpfs(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let fitting = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        path.starts_with(place).then_some((place.len(), kind))
    });
    fitting.max_by_key(|(length, _)| *length).is_some_and(|(_, kind)| kind == "tmpfs")
}

#[cfg(test)]
mod tests {
    use wire::time::Timestamp;

    use super::*;

    fn idle() -> Idle {
        Idle {
            program: "gateway".into(),
            now: Timestamp::from_seconds(100),
            in_flight: 0,
            queued: 0,
            next_due_at: None,
            next_work_due_at: None,
            sent: 0,
            received: 0,
            awaiting_answer: 0,
            serving: 0,
            patient: 0,
            at_gate: 0,
        }
    }

    #[test]
    fn a_message_that_is_not_answered_is_no_rest() {
        assert!(is_at_rest(&[idle(), idle()]));
        assert!(!is_at_rest(&[idle(), Idle { awaiting_answer: 1, ..idle() }]));
        assert!(!is_at_rest(&[Idle { queued: 1, ..idle() }]));
    }

    #[test]
    fn every_payment_is_expected_to_lead_to_the_same_number_of_events() {
        let events = EventCount { before: 5, per_payment: 3 };
        assert_eq!(events.expected(100), 305);
        let shop = Idle { program: "merchant".into(), received: 7, ..idle() };
        assert_eq!(received(&[idle(), shop]), 7);
    }

    #[test]
    fn scratch_directories_go_away() {
        let scratch = Scratch::new(false);
        fs::create_dir_all(&scratch.path).unwrap();
        let path = scratch.path.clone();
        drop(scratch);
        assert!(!path.exists());
    }
}
