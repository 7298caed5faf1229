//! Moving the clock of a whole world: timer by timer, waiting for rest after each.

use std::time::Duration;

use futures_util::future::try_join_all;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::time::Timestamp;

use crate::access::Access;
use crate::failure::{Failure, Outcome};
use crate::program::Program;

/// How long the programs may take to come to rest, in real time.
const REST_WITHIN: Duration = Duration::from_secs(30);
/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// Most timers that one command fires.
const TIMERS_MAX: u32 = 100_000;

/// What a program says about being busy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    /// Its name.
    pub program: String,
    /// Its clock.
    pub now: Timestamp,
    /// Work that is running.
    pub in_flight: u64,
    /// Work that is due and has not begun.
    pub queued: u64,
    /// The next timer of any kind.
    pub next_due_at: Option<Timestamp>,
    /// The next timer of work: deadlines, retries, reversals.
    pub next_work_due_at: Option<Timestamp>,
    /// Messages sent so far.
    pub sent: u64,
    /// Messages received so far.
    pub received: u64,
    /// Messages sent and not answered.
    pub awaiting_answer: u64,
    /// Messages received and not answered.
    pub serving: u64,
    /// Those that wait for a moment of real time, or for rest.
    #[serde(default)]
    pub patient: u64,
    /// Messages that wait until they are let go.
    #[serde(default)]
    pub at_gate: usize,
}

/// What a program says about its clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramClock {
    /// Its time.
    pub now: Timestamp,
    /// `real` or `virtual`.
    pub mode: String,
}

/// The clock of a program.
pub async fn clock_of(access: &Access, program: Program) -> Outcome<ProgramClock> {
    access.ask(program, "clock").await
}

/// Asks every program whether it is busy.
pub async fn ask_all(access: &Access) -> Outcome<Vec<Idle>> {
    try_join_all(Program::ALL.map(|program| access.ask(program, "idle"))).await
}

/// Moves all clocks forward, stopping at every timer on the way. Returns how many timers fired.
pub async fn advance(access: &Access, by: Duration) -> Outcome<u32> {
    let target = latest(&rest(access).await?).plus(by);
    let mut fired = 0;
    loop {
        let idle = rest(access).await?;
        let now = latest(&idle);
        let due = idle.iter().filter_map(|idle| idle.next_due_at);
        let Some(next) = due.filter(|due| *due > now && *due <= target).min() else { break };
        move_to(access, next).await?;
        fired = counted(fired)?;
    }
    move_to(access, target).await?;
    rest(access).await.map(|_| fired)
}

/// Moves all clocks from timer to timer until no work is left. Returns how many timers fired.
pub async fn until_idle(access: &Access) -> Outcome<u32> {
    let mut fired = 0;
    loop {
        let idle = rest(access).await?;
        let now = latest(&idle);
        let due = idle.iter().filter_map(|idle| idle.next_work_due_at);
        let Some(next) = due.filter(|due| *due > now).min() else { return Ok(fired) };
        move_to(access, next).await?;
        fired = counted(fired)?;
    }
}

/// Moves all clocks to the next timer of any kind; none when none is set.
pub async fn next_timer(access: &Access) -> Outcome<Option<Timestamp>> {
    let idle = rest(access).await?;
    let now = latest(&idle);
    let due = idle.iter().filter_map(|idle| idle.next_due_at);
    let Some(next) = due.filter(|due| *due > now).min() else { return Ok(None) };
    move_to(access, next).await?;
    rest(access).await?;
    Ok(Some(next))
}

fn counted(fired: u32) -> Outcome<u32> {
    if fired < TIMERS_MAX {
        return Ok(fired.saturating_add(1));
    }
    Err(Failure::check(format!("{TIMERS_MAX} timers fired and there are still more"))
        .help("something repeats for ever; `payrig clock --json` shows whose timer is next"))
}

/// Sets a program's clock, which only ever moves forward.
pub async fn move_program(access: &Access, program: Program, to: Timestamp) -> Outcome {
    let body = json!({ "advance_to": to });
    match access.tell(program, Method::POST, "clock", Some(&body)).await {
        // A real clock has run past that time already.
        Err(failure) if failure.message.contains("clock_backwards") => Ok(()),
        other => other.map(drop),
    }
}

async fn move_to(access: &Access, to: Timestamp) -> Outcome {
    let moves = Program::ALL.map(|program| move_program(access, program, to));
    try_join_all(moves).await.map(drop)
}

/// The time of the world: that of the program that is furthest.
pub fn latest(idle: &[Idle]) -> Timestamp {
    idle.iter().map(|idle| idle.now).max().unwrap_or_default()
}

/// Waits until nobody has anything to do before the next timer.
pub async fn rest(access: &Access) -> Outcome<Vec<Idle>> {
    let clock = &access.plumbing.clock;
    let stopwatch = clock.stopwatch();
    let mut before = ask_all(access).await?;
    let mut looks = 0;
    loop {
        let now = ask_all(access).await?;
        let quiet = is_quiet(&before, &now) && !before.iter().chain(&now).any(is_past);
        looks = if quiet { looks + 1 } else { 0 };
        if looks >= looks_needed(&now) {
            return Ok(now);
        }
        if stopwatch.elapsed() > REST_WITHIN {
            return Err(restless(&now));
        }
        clock.sleep(ASK_EVERY).await;
        before = now;
    }
}

/// Sets a program's clock and wakes nobody there.
pub(crate) async fn set_program(access: &Access, program: Program, to: Timestamp) -> Outcome {
    let body = json!({ "advance_to": to, "wake": false });
    match access.tell(program, Method::POST, "clock", Some(&body)).await {
        // It is ahead of the others, or stood still while they went on.
        Err(failure) if failure.message.contains("clock_backwards") => Ok(()),
        other => other.map(drop),
    }
}

/// Nobody is busy, and no message moved between two looks.
pub(crate) fn is_quiet(before: &[Idle], now: &[Idle]) -> bool {
    let quiet = |all: &[Idle]| all.iter().all(|idle| idle.in_flight == 0 && idle.queued == 0);
    let moved = |all: &[Idle]| (sum(all, |idle| idle.sent), sum(all, |idle| idle.received));
    quiet(before) && quiet(now) && moved(before) == moved(now)
}

/// A timer that is past and still set belongs to a worker that is about to run, or is to be woken.
pub(crate) fn is_past(idle: &Idle) -> bool {
    idle.next_due_at.is_some_and(|due| due <= idle.now)
}

/// A message that was sent and is not being served is on its way, held back, or with a stranger:
/// then one quiet look proves less.
pub(crate) fn looks_needed(now: &[Idle]) -> u32 {
    let on_the_way = sum(now, |idle| idle.awaiting_answer) != sum(now, |idle| idle.serving);
    if on_the_way { 10 } else { 1 }
}

fn sum(all: &[Idle], count: fn(&Idle) -> u64) -> u64 {
    all.iter().map(count).sum()
}

pub(crate) fn restless(idle: &[Idle]) -> Failure {
    let busy: Vec<String> = idle
        .iter()
        .filter(|idle| idle.in_flight > 0 || idle.queued > 0)
        .map(|idle| format!("{}: {} running, {} queued", idle.program, idle.in_flight, idle.queued))
        .collect();
    let busy = if busy.is_empty() { "messages keep moving".to_owned() } else { busy.join("; ") };
    Failure::could_not_run(format!("the world did not come to rest within 30 seconds ({busy})"))
        .help("is a load running? `payrig clock` works on a world that comes to rest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(in_flight: u64, sent: u64) -> Idle {
        Idle {
            program: "gateway".into(),
            now: Timestamp::from_seconds(1),
            in_flight,
            queued: 0,
            next_due_at: None,
            next_work_due_at: None,
            sent,
            received: sent,
            awaiting_answer: 0,
            serving: 0,
            patient: 0,
            at_gate: 0,
        }
    }

    #[test]
    fn rest_needs_two_quiet_looks_without_a_message_between() {
        assert!(is_quiet(&[idle(0, 5)], &[idle(0, 5)]));
        assert!(!is_quiet(&[idle(1, 5)], &[idle(0, 5)]));
        assert!(!is_quiet(&[idle(0, 5)], &[idle(0, 6)]));
        let due = |seconds| Some(Timestamp::from_seconds(seconds));
        let about_to_run = [Idle { next_due_at: due(1), ..idle(0, 5) }];
        assert!(is_past(&about_to_run[0]));
        let asleep = [Idle { next_due_at: due(2), ..idle(0, 5) }];
        assert!(is_quiet(&asleep, &asleep) && !is_past(&asleep[0]));
        let waiting = Idle { awaiting_answer: 1, ..idle(0, 5) };
        assert!(looks_needed(&[waiting]) > looks_needed(&[idle(0, 5)]));
    }

    #[test]
    fn a_restless_world_says_who_is_busy() {
        let failure = restless(&[idle(3, 0), idle(0, 0)]);
        assert!(failure.message.contains("(gateway: 3 running, 0 queued)"), "{failure}");
        assert!(restless(&[idle(0, 0)]).message.contains("messages keep moving"));
    }
}
