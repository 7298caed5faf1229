//! The ladder of a trace in the terminal.

use std::fmt::Write;

use wire::time::Timestamp;

use super::{Change, Fate, Lane, Message, Step, StepEvent, Trace};
use crate::terminal::Look;

/// Columns before the first lane: number and time.
const MARGIN: usize = 18;
/// From the margin to the first lane.
const FIRST_LANE: usize = 4;
/// From lane to lane.
const PITCH: usize = 13;
/// Columns of the lanes together.
const LANES_WIDTH: usize = FIRST_LANE + PITCH * 5 + 5;
/// Columns for the words beside the lanes; with less they stand below.
const WORDS_WIDTH_MIN: usize = 36;

/// Draws a trace.
pub fn ladder(trace: &Trace, look: Look) -> String {
    let beside = look.width >= MARGIN + LANES_WIDTH + WORDS_WIDTH_MIN;
    let mut text = header(look);
    for step in &trace.steps {
        let lanes = lanes(step, look);
        let margin = format!("{:>3}  {}  ", step.n, clock_time(step.at));
        text.push_str(&look.faint(&margin));
        if beside {
            text.push_str(&lanes);
            text.push_str(&words(step, look));
        } else {
            text.push_str(lanes.trim_end());
        }
        text.push('\n');
    }
    if !beside {
        text.push('\n');
        for step in &trace.steps {
            writeln!(text, "{:>3}  {}", step.n, words(step, look)).ok();
        }
    }
    text
}

/// The bytes that were signed in every exchange, and what the receiver made of them.
pub fn signatures(trace: &Trace, look: Look) -> String {
    let mut text = String::new();
    for exchange in &trace.exchanges {
        let Some(entry) = exchange.entry() else { continue };
        let Some(base) = &entry.request.signature_base else { continue };
        let title = format!("{}  {} {}", entry.link, entry.request.method, entry.request.path);
        writeln!(text, "\n{}", look.strong(&title)).ok();
        for line in base.lines() {
            writeln!(text, "    {line}").ok();
        }
        let verdict = exchange.receiver.as_ref().and_then(|entry| entry.request_verdict.as_deref());
        writeln!(text, "  request: {}", verdict_words(verdict, look)).ok();
        let verdict = exchange.sender.as_ref().and_then(|entry| entry.answer_verdict.as_deref());
        writeln!(text, "  answer:  {}", verdict_words(verdict, look)).ok();
    }
    if text.is_empty() { "\nNo signed message is known.\n".into() } else { text }
}

fn verdict_words(verdict: Option<&str>, look: Look) -> String {
    match verdict {
        Some("ok") => look.good("signature valid"),
        Some(reason) => look.bad(&format!("signature refused: {reason}")),
        None => look.faint("not checked by a program of this world"),
    }
}

fn header(look: Look) -> String {
    let mut line = vec![' '; MARGIN + LANES_WIDTH + 4];
    for lane in Lane::ALL {
        let name = lane.as_str();
        let middle = MARGIN + column(lane);
        write_at(&mut line, middle.saturating_sub(name.len() / 2), name);
    }
    let line: String = line.into_iter().collect();
    format!("{}\n", look.strong(line.trim_end()))
}

fn column(lane: Lane) -> usize {
    FIRST_LANE + lane.index() * PITCH
}

/// `10:32:01.120`
fn clock_time(at: Timestamp) -> String {
    at.to_string().get(11..23).unwrap_or("").to_owned()
}

fn lanes(step: &Step, look: Look) -> String {
    let bar = if look.unicode { '│' } else { '|' };
    let mut line = vec![' '; LANES_WIDTH];
    for lane in Lane::ALL {
        put(&mut line, column(lane), bar);
    }
    match &step.event {
        StepEvent::Message(message) => draw_arrow(&mut line, message, look),
        StepEvent::Change(change) => {
            put(&mut line, column(change.lane), if look.unicode { '●' } else { '*' });
        }
    }
    let line: String = line.into_iter().collect();
    match &step.event {
        StepEvent::Message(message) => paint(&line, message, look),
        StepEvent::Change(_) => line,
    }
}

fn paint(line: &str, message: &Message, look: Look) -> String {
    match message.fate {
        Fate::Delivered => line.to_owned(),
        Fate::Late | Fate::Fabricated => look.wait(line),
        Fate::Lost | Fate::Refused => look.bad(line),
    }
}

/// The signs of one arrow.
struct Signs {
    stroke: char,
    tail: char,
    head: char,
    cross: char,
}

fn signs(message: &Message, rightwards: bool, unicode: bool) -> Signs {
    let stroke = match (message.fate, unicode) {
        (Fate::Late, true) => '╌',
        (Fate::Late, false) => '.',
        (Fate::Fabricated, true) => '═',
        (Fate::Fabricated, false) => '=',
        (_, true) => '─',
        (_, false) => '-',
    };
    let head = match (message.fate == Fate::Refused, rightwards, unicode) {
        (false, true, true) => '▶',
        (false, false, true) => '◀',
        (true, true, true) => '▷',
        (true, false, true) => '◁',
        (false, true, false) => '>',
        (false, false, false) => '<',
        (true, _, false) => '!',
    };
    let tail = match (rightwards, unicode) {
        (true, true) => '├',
        (false, true) => '┤',
        (_, false) => '+',
    };
    Signs { stroke, tail, head, cross: if unicode { '✗' } else { 'x' } }
}

fn draw_arrow(line: &mut [char], message: &Message, look: Look) {
    let (from, to) = (column(message.from), column(message.to));
    let rightwards = from < to;
    let signs = signs(message, rightwards, look.unicode);
    let (left, right) = (from.min(to), from.max(to));
    let lost = message.fate == Fate::Lost;
    // A lost message ends just before the one who was to get it.
    let (start, end) = match (rightwards, lost) {
        (true, true) => (left + 1, right.saturating_sub(2)),
        (false, true) => (left + 3, right),
        _ => (left + 1, right),
    };
    for place in start..end {
        put(line, place, signs.stroke);
    }
    put(line, from, signs.tail);
    let head = if lost { signs.cross } else { signs.head };
    let tip = match (rightwards, lost) {
        (true, false) => right.saturating_sub(1),
        (false, false) => left + 1,
        (true, true) => right.saturating_sub(2),
        (false, true) => left + 2,
    };
    put(line, tip, head);
    let number = if message.copy > 1 { format!(" #{}", message.copy) } else { String::new() };
    // Between tail and head, with a stroke on either side where there is room for it.
    let (before, around) = match (lost, rightwards) {
        (false, _) => (2, 3),
        (true, true) => (2, 4),
        (true, false) => (3, 4),
    };
    let room = right.saturating_sub(left).saturating_sub(around);
    let name = message.label.chars().take(room.saturating_sub(number.len()));
    let label: String = name.chain(number.chars()).collect();
    let slack = room.saturating_sub(label.chars().count());
    write_at(line, left + before + slack.div_ceil(2), &label);
}

fn put(line: &mut [char], column: usize, sign: char) {
    if let Some(place) = line.get_mut(column) {
        *place = sign;
    }
}

fn write_at(line: &mut [char], column: usize, text: &str) {
    for (place, letter) in line.iter_mut().skip(column).zip(text.chars()) {
        *place = letter;
    }
}

fn words(step: &Step, look: Look) -> String {
    let words = match &step.event {
        StepEvent::Message(message) => message_words(message, look),
        StepEvent::Change(change) => change_words(change, look),
    };
    if look.unicode { words } else { words.replace('→', "->") }
}

fn change_words(change: &Change, look: Look) -> String {
    look.strong(&format!("{}: {}", change.lane.as_str(), change.words))
}

fn message_words(message: &Message, look: Look) -> String {
    let mut words = message.words.clone();
    if let Some(arrived) = message.arrived_at {
        write!(words, ", arrived {}", clock_time(arrived)).ok();
    }
    let mut parts = vec![words];
    let said = |word: &str| parts.first().is_some_and(|words| words.contains(word));
    if let Some(word) = message.fate.word().filter(|word| !said(word)) {
        parts.push(match message.fate {
            Fate::Late | Fate::Fabricated => look.wait(word),
            Fate::Delivered | Fate::Lost | Fate::Refused => look.bad(word),
        });
    }
    match message.verdict.as_deref() {
        Some("ok") => parts.push(look.good(look.sign("✓ signed", "signed ok"))),
        Some(reason) => {
            let sign = look.sign("✗", "x");
            parts.push(look.bad(&format!("{sign} signature: {reason}")));
        }
        None => {}
    }
    if let Some(fault) = &message.fault {
        parts.push(look.wait(&format!("fault {fault}")));
    }
    parts.join("  ")
}
