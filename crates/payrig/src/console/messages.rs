//! The log of everything that was said: all links, the newest first, with filters in the address.

use actix_web::web::Data;
use askama::Template;
use futures_util::future::join_all;
use kit::http::{ReceivedRequest, query_pairs};
use kit::wirelog::{Entry, Outcome as WireOutcome, Side};
use serde::Deserialize;

use super::Console;
use super::frame::Frame;
use super::http::{Answer, as_page};
use super::inspect::refusal;
use super::pages::rendered;
use super::shown::Pill;
use crate::program::Program;
use crate::trace::is_our_own_look;

/// Messages on the page.
const SHOWN: usize = 100;
/// How far back each program is asked.
const LOOKED_AT: u64 = 400;

#[derive(Deserialize)]
struct WirePage {
    entries: Vec<Entry>,
    last_seq: u64,
}

struct MessageRow {
    time: String,
    link: String,
    what: String,
    state: Pill,
    millis: u64,
    place: String,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "console/messages.html")]
struct MessagesPage {
    frame: Frame,
    link: String,
    only: String,
    links: Vec<String>,
    rows: Vec<MessageRow>,
}

/// `GET /messages?link=…&only=failed`
pub(super) async fn show(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let pairs = query_pairs(&received.query)?;
    pairs.only(&["link", "only", "refresh", "said"])?;
    let link = pairs.get("link").unwrap_or("").to_owned();
    let only = pairs.get("only").unwrap_or("").to_owned();
    let frame = Frame::of(&console, &received, "messages").await?;
    let kept = |text: &str| text.replace('>', "%3E");
    let frame = frame.alive(&received, format!("&link={}&only={}", kept(&link), kept(&only)));
    let mut entries = newest(&console).await;
    let mut links: Vec<String> = entries.iter().map(|entry| entry.link.clone()).collect();
    links.sort();
    links.dedup();
    entries.retain(|entry| link.is_empty() || entry.link == link);
    entries.retain(|entry| only != "failed" || row(entry).state.class != "good");
    let rows = entries.iter().take(SHOWN).map(row).collect();
    Ok(as_page(rendered(&MessagesPage { frame, link, only, links, rows })))
}

/// What the programs said last, each message once.
async fn newest(console: &Console) -> Vec<Entry> {
    let ask = |program| async move {
        let far = format!("wire?after={}&limit=1", u64::MAX);
        let last = console.access.ask::<WirePage>(program, &far).await.map_or(0, |it| it.last_seq);
        let path = format!("wire?after={}&limit={LOOKED_AT}", last.saturating_sub(LOOKED_AT));
        let page = console.access.ask::<WirePage>(program, &path).await;
        page.map(|page| page.entries).unwrap_or_default()
    };
    let pages = join_all(Program::ALL.map(ask)).await;
    let mut entries: Vec<Entry> = pages.into_iter().flatten().collect();
    entries.retain(|entry| !is_our_own_look(entry) && is_told_once(entry));
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.seq)));
    entries
}

/// The receiver's view, which has the verdict; the sender's where the receiver never saw it.
fn is_told_once(entry: &Entry) -> bool {
    match entry.side {
        Side::Receiver => true,
        Side::Sender => entry.answer.is_none(),
    }
}

fn row(entry: &Entry) -> MessageRow {
    let status = entry.answer.as_ref().map(|answer| answer.status);
    let state = match (refusal(Some(entry)), status) {
        (Some(reason), _) => Pill { class: "bad", word: reason.replace('_', " ") },
        (None, Some(status @ 500..)) => Pill { class: "bad", word: status.to_string() },
        (None, Some(status @ 400..)) => Pill { class: "wait", word: status.to_string() },
        (None, Some(status)) => Pill { class: "good", word: status.to_string() },
        (None, None) => Pill { class: "bad", word: ending(entry.outcome).into() },
    };
    let subject = entry.facts.payment.clone().unwrap_or_else(|| entry.trace_id.to_string());
    MessageRow {
        time: entry.at.to_string().get(11..23).unwrap_or("").to_owned(),
        link: entry.link.clone(),
        what: match &entry.facts.event {
            Some(_) => format!("{} {}", entry.request.path, entry.facts.kind),
            None => format!("{} {}", entry.request.method, entry.request.path),
        },
        state,
        millis: entry.duration_ms,
        place: format!("/payments/{subject}/messages/{}-{}", entry.program, entry.seq),
        fault: entry.fault.clone(),
    }
}

const fn ending(outcome: WireOutcome) -> &'static str {
    match outcome {
        WireOutcome::Answered | WireOutcome::Fabricated => "no answer kept",
        WireOutcome::LostRequest => "lost",
        WireOutcome::LostAnswer => "answer lost",
        WireOutcome::Deadline => "no answer in time",
        WireOutcome::Reset => "connection broke",
        WireOutcome::NotSent => "not sent",
        WireOutcome::Truncated => "cut short",
        WireOutcome::TooLarge => "too large",
        WireOutcome::AnswerRefused => "answer refused",
    }
}
