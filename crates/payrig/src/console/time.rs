//! The clock page: where the world's time stands, what is due next, and ways to move it.

use std::time::Duration;

use actix_web::web::Data;
use askama::Template;
use futures_util::future::join_all;
use kit::activity::PendingTimer;
use kit::http::{ReceivedRequest, query_pairs};
use serde::Deserialize;
use wire::time::Timestamp;

use super::Console;
use super::faults::place_of;
use super::frame::Frame;
use super::http::{Answer, as_page, back};
use super::pages::rendered;
use super::shown::moment;
use crate::failure::{Failure, Outcome};
use crate::program::Program;
use crate::timekeeping;

#[derive(Debug, Deserialize)]
struct Timers {
    now: Timestamp,
    timers: Vec<PendingTimer>,
}

/// A timer as it is shown.
struct TimerRow {
    program: &'static str,
    owner: String,
    due: String,
    in_words: String,
    work: bool,
}

#[derive(Template)]
#[template(path = "console/clock.html")]
struct ClockPage {
    frame: Frame,
    programs: Vec<(&'static str, String, String)>,
    timers: Vec<TimerRow>,
}

/// `GET /clock`
pub(super) async fn show(console: Data<Console>, received: ReceivedRequest) -> Answer {
    query_pairs(&received.query)?.only(&["said", "refresh"])?;
    let frame = Frame::of(&console, &received, "clock").await?.alive(&received, "");
    let ask = |program| {
        let access = &console.access;
        async move {
            let clock = timekeeping::clock_of(access, program).await;
            let timers = access.ask::<Timers>(program, "timers").await;
            (program, clock, timers)
        }
    };
    let (mut programs, mut due) = (Vec::new(), Vec::new());
    for (program, clock, timers) in join_all(Program::ALL.map(ask)).await {
        let (now, mode) = clock.map_or_else(
            |_| ("does not answer".to_owned(), String::new()),
            |clock| (moment(clock.now), clock.mode),
        );
        programs.push((program.as_str(), now, mode));
        if let Ok(Timers { now, timers }) = timers {
            due.extend(timers.into_iter().map(|timer| (timer.due_at, row(program, timer, now))));
        }
    }
    due.sort_by_key(|(at, _)| *at);
    let timers = due.into_iter().map(|(_, row)| row).collect();
    Ok(as_page(rendered(&ClockPage { frame, programs, timers })))
}

fn row(program: Program, timer: PendingTimer, now: Timestamp) -> TimerRow {
    TimerRow {
        program: program.as_str(),
        owner: timer.owner,
        due: moment(timer.due_at),
        in_words: in_words(timer.due_at.since(now)),
        work: timer.work,
    }
}

/// `in 2 h 5 min`
fn in_words(wait: Duration) -> String {
    let seconds = wait.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => "now".to_owned(),
        (0, 0, 0, _) => format!("in {seconds} s"),
        (0, 0, _, _) => format!("in {minutes} min {seconds} s"),
        (0, _, _, _) => format!("in {hours} h {minutes} min"),
        _ => format!("in {days} d {hours} h"),
    }
}

/// `POST /clock`: one press moves the time and waits until the world has come to rest.
pub(super) async fn press(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let place = if form.get("place").is_some() { place_of(&form) } else { "/clock".to_owned() };
    let moved = move_by(&console, form.require("to")?).await;
    Ok(back(&console, &place, moved))
}

/// Moves the clocks of all programs by one of the buttons.
pub(super) async fn move_by(console: &Console, button: &str) -> Outcome<String> {
    let access = &console.access;
    let fired = match button {
        "minute" => timekeeping::advance(access, Duration::from_mins(1)).await?,
        "hour" => timekeeping::advance(access, Duration::from_hours(1)).await?,
        "day" => timekeeping::advance(access, Duration::from_hours(24)).await?,
        "next" => match timekeeping::next_timer(access).await? {
            Some(at) => return Ok(format!("Moved to the next timer, {}", moment(at))),
            None => return Ok("No timer is set".to_owned()),
        },
        "idle" => timekeeping::until_idle(access).await?,
        _ => return Err(Failure::usage(format!("the clock has no button `{button}`"))),
    };
    Ok(match fired {
        0 => "Moved; no timer fired".to_owned(),
        1 => "Moved; 1 timer fired".to_owned(),
        count => format!("Moved; {count} timers fired"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_told_in_the_two_largest_units() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(
            [0, 31, 61, 7_500, 90_000].map(words),
            ["now", "in 31 s", "in 1 min 1 s", "in 2 h 5 min", "in 1 d 1 h"]
        );
    }
}
