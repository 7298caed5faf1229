//! The ladder of a trace as coordinates, for the drawing in the console.

use std::fmt::Write;

use super::{Fate, Half, Lane, Message, Step, StepEvent, Trace};

/// Room for the time on the left.
const LEFT: i32 = 125;
/// From lane to lane.
const PITCH: i32 = 112;
/// Room for the words on the right.
const WORDS: i32 = 322;
/// Letters of an id behind its kind.
const ID_CHARACTERS: usize = 26;
/// Letters that fit there.
const WORDS_MAX: usize = 44;
/// Height of the lane heads.
const HEAD: i32 = 56;
/// From row to row.
const ROW: i32 = 38;
/// Length of an arrow head.
const TIP: i32 = 9;

/// A ladder to be drawn.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// Width of the drawing.
    pub width: i32,
    /// Height of the drawing.
    pub height: i32,
    /// Where the lanes end.
    pub bottom: i32,
    /// The parties.
    pub lanes: Vec<DrawnLane>,
    /// The rows, from top to bottom.
    pub rows: Vec<DrawnRow>,
    /// Where the words of the rows begin.
    pub words_x: i32,
}

/// A party.
#[derive(Debug, Clone)]
pub struct DrawnLane {
    /// Middle of the lane.
    pub x: i32,
    /// Its name.
    pub name: &'static str,
}

/// One row: the time, and an arrow or a change.
#[derive(Debug, Clone)]
pub struct DrawnRow {
    /// Number of the step.
    pub n: usize,
    /// Middle of the row.
    pub y: i32,
    /// Where letters of the row stand.
    pub text_y: i32,
    /// Time of day.
    pub time: String,
    /// A sentence for the tooltip and for readers of the page.
    pub title: String,
    /// The message, when it is one.
    pub arrow: Option<DrawnArrow>,
    /// The change, when it is one.
    pub change: Option<DrawnChange>,
    /// What it means, in words at the right.
    pub note: String,
    /// Class of these words: `lost`, `refused`, `late` or nothing.
    pub note_class: &'static str,
}

/// One arrow.
#[derive(Debug, Clone)]
pub struct DrawnArrow {
    /// Name of its exchange.
    pub key: String,
    /// Where the line begins.
    pub x1: i32,
    /// Where the line ends.
    pub x2: i32,
    /// Corners of the head, as an SVG point list; empty for a lost message.
    pub head: String,
    /// Left edge of the area that is a link.
    pub hit_x: i32,
    /// Width of that area.
    pub hit_width: i32,
    /// Where the label stands.
    pub label_x: i32,
    /// The label.
    pub label: String,
    /// Class for the style sheet: how the message fared.
    pub class: &'static str,
    /// Dashes of the line; empty for a solid one.
    pub dashes: &'static str,
    /// A second line beside the first: the message was made up.
    pub doubled: bool,
    /// Middle of the cross of a lost message.
    pub cross_x: Option<i32>,
    /// Left edge of the open lock of a refused message.
    pub lock_x: Option<i32>,
}

/// One change inside a party.
#[derive(Debug, Clone)]
pub struct DrawnChange {
    /// Middle of the lane.
    pub x: i32,
    /// Left edge of the words.
    pub text_x: i32,
    /// The words.
    pub words: String,
}

/// Computes the drawing of a trace.
pub fn drawing(trace: &Trace) -> Drawing {
    let lanes = Lane::ALL.map(|lane| DrawnLane { x: x_of(lane), name: lane.as_str() });
    let rows: Vec<DrawnRow> = trace.steps.iter().enumerate().map(row).collect();
    let count = i32::try_from(rows.len()).unwrap_or(0);
    let bottom = HEAD.saturating_add(ROW.saturating_mul(count)).saturating_add(ROW / 2);
    let words_x = x_of(Lane::Issuer).saturating_add(PITCH / 4);
    Drawing {
        width: words_x.saturating_add(WORDS),
        words_x,
        height: bottom.saturating_add(8),
        bottom,
        lanes: lanes.into(),
        rows,
    }
}

fn x_of(lane: Lane) -> i32 {
    let index = i32::try_from(lane.index()).unwrap_or(0);
    LEFT.saturating_add(PITCH.saturating_mul(index)).saturating_add(PITCH / 4)
}

fn row((index, step): (usize, &Step)) -> DrawnRow {
    let index = i32::try_from(index).unwrap_or(0);
    let y = HEAD.saturating_add(ROW.saturating_mul(index)).saturating_add(ROW / 2);
    let (mut note, mut note_class) = (String::new(), "");
    let (arrow, change, title) = match &step.event {
        StepEvent::Message(message) => {
            note = shortened(&noted(message));
            note_class = class(message.fate);
            (Some(arrow(message, y)), None, sentence(message))
        }
        StepEvent::Change(change) => {
            let x = x_of(change.lane);
            let text_x = x.saturating_add(12);
            let drawn = DrawnChange { x, text_x, words: change.words.clone() };
            (None, Some(drawn), format!("{}: {}", change.lane.as_str(), change.words))
        }
    };
    let time = step.at.to_string().get(11..23).unwrap_or("").to_owned();
    let text_y = y.saturating_sub(5);
    DrawnRow { n: step.n, y, text_y, time, title, arrow, change, note, note_class }
}

/// What the words at the right say about a message.
fn noted(message: &Message) -> String {
    if message.fate == Fate::Lost {
        let words = message.words.trim_end_matches(", lost on the way");
        return format!("lost: {words}");
    }
    let mut text = message.words.clone();
    let said = |text: &str, word: &str| text.contains(word);
    if let Some(word) = message.fate.word()
        && !said(&text, word)
    {
        write!(text, ", {word}").ok();
    }
    let reason = message.verdict.as_deref().filter(|reason| *reason != "ok");
    if let Some(reason) = reason.filter(|reason| !reason.ends_with("refused")) {
        write!(text, ": {}", reason.replace('_', " ")).ok();
    }
    text
}

/// `pay_…edvp`: an id is told by its end; the whole one stands in the message.
fn short_ids(text: &str) -> String {
    let shorten = |part: &str| match part.split_once('_') {
        Some((kind, rest)) if rest.len() == ID_CHARACTERS && rest.is_ascii() => {
            format!("{kind}_…{}", rest.get(ID_CHARACTERS.saturating_sub(4)..).unwrap_or(rest))
        }
        _ => part.to_owned(),
    };
    text.split('/').map(shorten).collect::<Vec<_>>().join("/")
}

fn shortened(text: &str) -> String {
    let text = &short_ids(text);
    if text.chars().count() <= WORDS_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(WORDS_MAX.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// One message as a sentence: what stands in the table and in the tooltip.
pub fn sentence(message: &Message) -> String {
    let half = match message.half {
        Half::Request => "to",
        Half::Answer => "answers",
    };
    let mut text =
        format!("{} {half} {}: {}", message.from.as_str(), message.to.as_str(), message.words);
    if let Some(word) = message.fate.word() {
        write!(text, " ({word})").ok();
    }
    match message.verdict.as_deref() {
        Some("ok") => text.push_str(", signature valid"),
        Some(reason) => {
            write!(text, ", signature refused: {reason}").ok();
        }
        None => {}
    }
    text
}

fn arrow(message: &Message, y: i32) -> DrawnArrow {
    let (from, to) = (x_of(message.from), x_of(message.to));
    let rightwards = from < to;
    let towards =
        |x: i32, by: i32| if rightwards { x.saturating_add(by) } else { x.saturating_sub(by) };
    let lost = message.fate == Fate::Lost;
    let end = if lost { towards(to, -PITCH / 4) } else { to };
    let back = towards(end, -TIP);
    let head = if lost {
        String::new()
    } else {
        format!("{end},{y} {back},{} {back},{}", y.saturating_sub(5), y.saturating_add(5))
    };
    let mut label = message.label.clone();
    if message.copy > 1 {
        write!(label, " #{}", message.copy).ok();
    }
    let lock_x = from.midpoint(to).saturating_sub(6);
    DrawnArrow {
        key: message.key.clone(),
        x1: from,
        x2: if lost { end } else { towards(end, 1 - TIP) },
        head,
        hit_x: from.min(to).saturating_add(4),
        hit_width: from.max(to).saturating_sub(from.min(to)).saturating_sub(8),
        label_x: from.midpoint(end),
        label,
        class: class(message.fate),
        dashes: if message.fate == Fate::Late { "6 5" } else { "" },
        doubled: message.fate == Fate::Fabricated,
        cross_x: lost.then_some(end),
        lock_x: (message.fate == Fate::Refused).then_some(lock_x),
    }
}

const fn class(fate: Fate) -> &'static str {
    match fate {
        Fate::Delivered => "delivered",
        Fate::Late => "late",
        Fate::Lost => "lost",
        Fate::Fabricated => "fabricated",
        Fate::Refused => "refused",
    }
}
