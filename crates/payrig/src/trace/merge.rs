//! Merges what sender and receiver saw of each message, and puts everything in order.

use std::collections::BTreeMap;
use std::time::Duration;

use kit::wirelog::{Entry, Outcome, Side};
use wire::gateway_api::TimelineEntry;
use wire::time::Timestamp;

use super::words::{answer_label, answer_words, request_label, request_words};
use super::{Change, Exchange, Fate, Half, Lane, Message, Sources, Step, StepEvent, Trace};

/// A message that takes longer than this is shown as late.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// Builds the trace.
pub fn merge(id: &str, sources: Sources) -> Trace {
    let exchanges = exchanges(sources.entries);
    let steps = steps(&exchanges, &sources.timeline);
    Trace {
        id: id.to_owned(),
        payment: sources.payment,
        steps,
        exchanges,
        timeline: sources.timeline,
    }
}

/// Pairs the entries of both ends and numbers the pairs in the order in which they began.
fn exchanges(entries: Vec<Entry>) -> Vec<Exchange> {
    // Who gets an unsigned call takes its sender for a browser; the sender knows better.
    let call = |entry: &Entry| {
        let request = &entry.request;
        (entry.trace_id.to_string(), request.method.clone(), request.path.clone())
    };
    let name_of = |entry: &Entry| {
        entry.exchange.clone().unwrap_or_else(|| format!("{}#{}", entry.program, entry.seq))
    };
    let sent = entries.iter().filter(|entry| entry.side == Side::Sender);
    let sent: BTreeMap<_, (String, String)> =
        sent.map(|entry| (call(entry), (entry.link.clone(), name_of(entry)))).collect();
    let mut groups: BTreeMap<(String, String), (Vec<Entry>, Vec<Entry>)> = BTreeMap::new();
    for entry in entries {
        let unsigned = entry.side == Side::Receiver && entry.link.starts_with("browser->");
        let known = sent.get(&call(&entry)).filter(|_| unsigned).cloned();
        let (link, name) = known.unwrap_or_else(|| (entry.link.clone(), name_of(&entry)));
        let (senders, receivers) = groups.entry((link, name)).or_default();
        match entry.side {
            Side::Sender => senders.push(entry),
            Side::Receiver => receivers.push(entry),
        }
    }
    let mut exchanges = Vec::new();
    for ((link, _), (mut senders, mut receivers)) in groups {
        senders.sort_by_key(|entry| (entry.at, entry.seq));
        receivers.sort_by_key(|entry| (entry.at, entry.seq));
        let (from, to) = Lane::ends_of(&link);
        let count = senders.len().max(receivers.len());
        let (mut senders, mut receivers) = (senders.into_iter(), receivers.into_iter());
        for copy in 1..=count {
            let (sender, receiver) = (senders.next(), receivers.next());
            exchanges.push(Exchange { n: 0, from, to, copy, sender, receiver });
        }
    }
    // In the same millisecond a question from the left comes before the one it leads to.
    exchanges.sort_by_key(|exchange| {
        let seq = exchange.entry().map_or(0, |entry| entry.seq);
        (exchange.start(), exchange.from > exchange.to, exchange.from, seq)
    });
    for (index, exchange) in exchanges.iter_mut().enumerate() {
        exchange.n = index.saturating_add(1);
    }
    exchanges
}

/// A step with its place among those of the same millisecond.
struct Placed {
    at: Timestamp,
    place: usize,
    event: StepEvent,
}

fn steps(exchanges: &[Exchange], timeline: &[TimelineEntry]) -> Vec<Step> {
    let mut placed = Vec::new();
    let children = children(exchanges);
    for root in children.get(&None).into_iter().flatten() {
        place(*root, exchanges, &children, &mut placed);
    }
    placed.sort_by_key(|step| (step.at, step.place));
    for entry in timeline.iter().filter(|entry| entry.kind == "state") {
        let index = place_of_change(&placed, entry.at);
        let change = Change { lane: Lane::Gateway, words: entry.text.clone() };
        placed.insert(index, Placed { at: entry.at, place: 0, event: StepEvent::Change(change) });
    }
    let number = |(index, step): (usize, Placed)| Step {
        n: index.saturating_add(1),
        at: step.at,
        event: step.event,
    };
    placed.into_iter().enumerate().map(number).collect()
}

/// Right behind the last message that had reached the gateway by then, and behind earlier changes
/// of the same moment: what a party does follows from what it has heard.
fn place_of_change(placed: &[Placed], at: Timestamp) -> usize {
    let heard = |step: &Placed| match &step.event {
        StepEvent::Message(message) => {
            step.at <= at && message.to == Lane::Gateway && message.fate != Fate::Lost
        }
        StepEvent::Change(_) => step.at <= at,
    };
    let after_heard = placed.iter().rposition(heard).map_or(0, |index| index.saturating_add(1));
    let earlier = placed.iter().filter(|step| step.at < at).count();
    after_heard.max(earlier)
}

/// Which exchanges were begun while an answer to another one was being worked out.
fn children(exchanges: &[Exchange]) -> BTreeMap<Option<usize>, Vec<usize>> {
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (index, exchange) in exchanges.iter().enumerate() {
        let earlier = exchanges.iter().enumerate().take(index);
        let parent =
            earlier.filter(|(_, parent)| leads_to(parent, exchange)).map(|(at, _)| at).next_back();
        children.entry(parent).or_default().push(index);
    }
    children
}

fn leads_to(parent: &Exchange, child: &Exchange) -> bool {
    let (Some(asked), Some(asking)) = (parent.receiver.as_ref(), child.entry()) else {
        return false;
    };
    let end = asked.answer.as_ref().map_or(Timestamp::MAX, |answer| answer.at);
    parent.to == child.from
        && asked.trace_id == asking.trace_id
        && asked.at <= asking.at
        && asking.at <= end
}

fn place(
    index: usize,
    exchanges: &[Exchange],
    children: &BTreeMap<Option<usize>, Vec<usize>>,
    placed: &mut Vec<Placed>,
) {
    let Some(exchange) = exchanges.get(index) else { return };
    let begun = StepEvent::Message(request(exchange));
    push(placed, exchange.start(), begun);
    for child in children.get(&Some(index)).into_iter().flatten() {
        place(*child, exchanges, children, placed);
    }
    if let Some((at, answer)) = answer(exchange) {
        push(placed, at, StepEvent::Message(answer));
    }
}

fn push(placed: &mut Vec<Placed>, at: Timestamp, event: StepEvent) {
    let place = placed.len();
    placed.push(Placed { at, place, event });
}

fn request(exchange: &Exchange) -> Message {
    let (sender, receiver) = (exchange.sender.as_ref(), exchange.receiver.as_ref());
    let verdict = request_verdict(exchange);
    let arrived = sender.zip(receiver).map(|(sent, received)| received.at.since(sent.at));
    let outcome = sender.map(|entry| entry.outcome);
    let refused = verdict.as_deref().is_some_and(|verdict| verdict != "ok");
    let fate = match (outcome, receiver) {
        (Some(Outcome::LostRequest | Outcome::NotSent), _) | (Some(Outcome::Reset), None) => {
            Fate::Lost
        }
        _ if refused => Fate::Refused,
        _ if arrived.is_some_and(|delay| delay >= LATE_AFTER) => Fate::Late,
        _ => Fate::Delivered,
    };
    let fault = sender.and_then(|entry| entry.fault.clone());
    Message {
        exchange: exchange.n,
        key: exchange.key(),
        half: Half::Request,
        from: exchange.from,
        to: exchange.to,
        label: exchange.entry().map(request_label).unwrap_or_default(),
        words: request_words(exchange),
        fate,
        verdict,
        copy: exchange.copy,
        fault: fault.filter(|_| concerns(outcome, Half::Request)),
        arrived_at: receiver.filter(|_| fate == Fate::Late).map(|entry| entry.at),
    }
}

/// What the receiver thought of the signature. Between roles of one program the sender's entry
/// carries both verdicts; a shop answers a notification with success only after verifying it.
fn request_verdict(exchange: &Exchange) -> Option<String> {
    let (sender, receiver) = (exchange.sender.as_ref(), exchange.receiver.as_ref());
    let noted = receiver.or(sender).and_then(|entry| entry.request_verdict.clone());
    let shop = receiver.filter(|entry| entry.facts.kind == "webhook");
    noted.or_else(|| {
        let status = shop?.answer.as_ref()?.status;
        match status {
            200..=299 => Some("ok".to_owned()),
            401 => Some("webhook_refused".to_owned()),
            _ => None,
        }
    })
}

fn answer(exchange: &Exchange) -> Option<(Timestamp, Message)> {
    let (sender, receiver) = (exchange.sender.as_ref(), exchange.receiver.as_ref());
    let left = receiver.and_then(|entry| entry.answer.as_ref());
    let arrived = sender.and_then(|entry| entry.answer.as_ref());
    let shown = left.or(arrived)?;
    let outcome = sender.map(|entry| entry.outcome);
    let verdict = sender.and_then(|entry| entry.answer_verdict.clone());
    let under_way = left.zip(arrived).map(|(left, arrived)| arrived.at.since(left.at));
    let fate = match outcome {
        Some(Outcome::Fabricated) => Fate::Fabricated,
        Some(Outcome::LostAnswer | Outcome::Reset | Outcome::NotSent | Outcome::LostRequest) => {
            Fate::Lost
        }
        Some(Outcome::Deadline) => Fate::Late,
        Some(Outcome::Truncated | Outcome::TooLarge | Outcome::AnswerRefused) => Fate::Refused,
        _ if under_way.is_some_and(|delay| delay >= LATE_AFTER) => Fate::Late,
        _ => Fate::Delivered,
    };
    let fault = sender.and_then(|entry| entry.fault.clone());
    let message = Message {
        exchange: exchange.n,
        key: exchange.key(),
        half: Half::Answer,
        from: exchange.to,
        to: exchange.from,
        label: answer_label(shown),
        words: answer_words(exchange, shown, outcome),
        fate,
        verdict,
        copy: exchange.copy,
        fault: fault.filter(|_| concerns(outcome, Half::Answer)),
        arrived_at: arrived.filter(|_| fate == Fate::Late).map(|answer| answer.at),
    };
    Some((shown.at, message))
}

/// Whether the fault of an exchange shows at this half of it.
const fn concerns(outcome: Option<Outcome>, half: Half) -> bool {
    let at_request =
        matches!(outcome, None | Some(Outcome::LostRequest | Outcome::NotSent | Outcome::Deadline));
    matches!((at_request, half), (true, Half::Request) | (false, Half::Answer))
}
