//! Which faults struck what was recorded, as faults that strike the same messages again.

use std::collections::BTreeMap;

use kit::faults::Fault;
use kit::wirelog::{Entry, Outcome, Side};
use serde_json::{Map, Value, json};

/// Actions of which one message suffers at most one do not stand here.
const COMBINE: [&str; 6] =
    ["delay_request", "delay_response", "duplicate", "reorder", "replay", "hold"];

/// A fault of the recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Struck {
    /// The link.
    pub on: String,
    /// `match`.
    pub matching: Map<String, Value>,
    /// What happens.
    pub action: Value,
    /// The messages it struck, as places in the list of the messages that match.
    places: Vec<usize>,
    /// How many matching messages pass first.
    pub skip: usize,
    /// How many suffer.
    pub times: usize,
}

/// The faults that struck, each armed so that it strikes the same messages.
pub(super) fn struck(entries: &[Entry], known: &[Fault]) -> Vec<Struck> {
    let mut found: Vec<Struck> = Vec::new();
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| is_told(entry)) {
        let place = seen.entry((entry.link.clone(), entry.facts.kind.clone())).or_default();
        let here = *place;
        *place = place.saturating_add(1);
        let ids = entry.fault.as_deref().unwrap_or_default();
        for id in ids.split(' ').filter(|id| !id.is_empty()) {
            let fault = known.iter().find(|fault| fault.id.as_deref() == Some(id));
            let Some(action) = action(entry, entries, fault) else { continue };
            let matching = matching(entry);
            let same = found
                .iter_mut()
                .rev()
                .find(|it| it.on == entry.link && it.matching == matching && it.action == action);
            match same.filter(|it| it.places.last().copied() == here.checked_sub(1)) {
                Some(run) => run.places.push(here),
                None => found.push(Struck {
                    on: entry.link.clone(),
                    matching,
                    action,
                    places: vec![here],
                    skip: 0,
                    times: 0,
                }),
            }
        }
    }
    count(&mut found);
    found
}

/// A message that is damaged already does not count for the damages that stand after it.
fn count(found: &mut [Struck]) {
    for index in 0..found.len() {
        let (before, rest) = found.split_at_mut(index);
        let Some(this) = rest.first_mut() else { continue };
        let first = this.places.first().copied().unwrap_or_default();
        let damages = |it: &Struck| !COMBINE.iter().any(|word| it.action.get(word).is_some());
        let taken = before
            .iter()
            .filter(|it| it.on == this.on && it.matching == this.matching)
            .filter(|it| damages(it) && damages(this))
            .flat_map(|it| &it.places)
            .filter(|place| **place < first)
            .count();
        this.skip = first.saturating_sub(taken);
        this.times = this.places.len();
    }
}

/// Senders tell of their messages; nobody else tells of those of a browser.
fn is_told(entry: &Entry) -> bool {
    let form = entry.link.starts_with("browser->") && entry.facts.kind == "card_form";
    entry.side == Side::Sender || form
}

fn matching(entry: &Entry) -> Map<String, Value> {
    [("type".to_owned(), entry.facts.kind.clone().into())].into_iter().collect()
}

/// What happened to a message: as it was armed, or as far as the log shows it.
fn action(entry: &Entry, entries: &[Entry], fault: Option<&Fault>) -> Option<Value> {
    let armed = fault.and_then(|fault| serde_json::to_value(&fault.action).ok());
    if let Some(armed) = armed.filter(|armed| armed.get("hold").is_none()) {
        return Some(armed);
    }
    match entry.outcome {
        Outcome::LostRequest => Some(json!("drop_request")),
        Outcome::LostAnswer => Some(json!("drop_response")),
        Outcome::NotSent => Some(json!("down")),
        Outcome::Reset => Some(json!({ "reset": "response" })),
        Outcome::Fabricated => {
            let answer = entry.answer.as_ref()?;
            Some(json!({ "status": answer.status.max(200) }))
        }
        // Held and let go, or late: it arrived after it was sent.
        _ => {
            let arrived = entries.iter().find(|it| {
                it.side == Side::Receiver
                    && it.link == entry.link
                    && it.exchange.is_some()
                    && it.exchange == entry.exchange
            })?;
            let late = arrived.at.since(entry.at);
            (!late.is_zero()).then(|| json!({ "delay_request": kit::durations::text(late) }))
        }
    }
}
