//! `payrig clock`: shows the clock, or moves it in all programs together.

use std::collections::BTreeMap;

use serde::Serialize;
use wire::time::Timestamp;

use super::print_json;
use crate::access::Access;
use crate::cli::{ClockFlags, ClockStep};
use crate::failure::{Failure, Outcome};
use crate::program::Program;
use crate::terminal::{columns, print};
use crate::timekeeping::{Idle, advance, ask_all, clock_of, latest, until_idle};

/// The clock of the world.
#[derive(Debug, Serialize)]
struct WorldClock {
    now: Timestamp,
    mode: String,
    /// Timers that fired on the way, when it was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    timers_fired: Option<u32>,
    programs: BTreeMap<String, ProgramTime>,
}

#[derive(Debug, Serialize)]
struct ProgramTime {
    now: Timestamp,
    next_due_at: Option<Timestamp>,
    next_work_due_at: Option<Timestamp>,
}

pub(super) async fn run(flags: ClockFlags) -> Outcome {
    let access = Access::open(&flags.state.state)?;
    let fired = match &flags.step {
        None => None,
        Some(ClockStep::Advance { duration }) => {
            let by = kit::durations::parse(duration).map_err(|error| {
                Failure::usage(format!("`{duration}` is {error}"))
                    .help("for example `payrig clock advance 31s`")
            })?;
            Some(advance(&access, by).await?)
        }
        Some(ClockStep::UntilIdle) => Some(until_idle(&access).await?),
    };
    let clock = read(&access, fired).await?;
    if flags.json {
        return print_json(&clock);
    }
    print(&text(&clock));
    Ok(())
}

async fn read(access: &Access, timers_fired: Option<u32>) -> Outcome<WorldClock> {
    let mode = clock_of(access, Program::Gateway).await?.mode;
    let idle = ask_all(access).await?;
    let now = latest(&idle);
    let time = |idle: Idle| {
        let Idle { program, now, next_due_at, next_work_due_at, .. } = idle;
        (program, ProgramTime { now, next_due_at, next_work_due_at })
    };
    Ok(WorldClock { now, mode, timers_fired, programs: idle.into_iter().map(time).collect() })
}

fn text(clock: &WorldClock) -> String {
    let fired = match clock.timers_fired {
        None => String::new(),
        Some(1) => ", 1 timer fired".to_owned(),
        Some(count) => format!(", {count} timers fired"),
    };
    let mut rows = vec![vec![format!("{}  {}{fired}", clock.now, clock.mode)]];
    for (program, time) in &clock.programs {
        let Some(due) = time.next_due_at else { continue };
        let wait = due.since(clock.now);
        let within = if wait.is_zero() { "now".to_owned() } else { kit::durations::text(wait) };
        let kind = if time.next_work_due_at == Some(due) { "work" } else { "calendar" };
        rows.push(vec![
            format!("  {program}"),
            format!("next timer {due}"),
            format!("in {within}"),
            kind.into(),
        ]);
    }
    let (head, rest) = rows.split_at_checked(1).unwrap_or((&rows, &[]));
    format!("{}{}", columns(head), columns(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_the_next_timer_of_each_program() {
        let now = Timestamp::from_seconds(1_767_225_600);
        let due = Timestamp::from_seconds(1_767_225_631);
        let busy = ProgramTime { now, next_due_at: Some(due), next_work_due_at: Some(due) };
        let idle = ProgramTime { now, next_due_at: None, next_work_due_at: None };
        let clock = WorldClock {
            now,
            mode: "virtual".into(),
            timers_fired: Some(2),
            programs: [("gateway".to_owned(), busy), ("merchant".to_owned(), idle)].into(),
        };
        insta::assert_snapshot!(text(&clock), @r"
        2026-01-01T00:00:00.000Z  virtual, 2 timers fired
          gateway  next timer 2026-01-01T00:00:31.000Z  in 31s  work
        ");
    }
}
