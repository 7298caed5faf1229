//! What messages are called: a few characters for the arrow, a sentence beside it.

use std::fmt::Write;

use kit::wirelog::{AnswerEntry, Entry, Outcome};
use serde_json::Value;
use wire::money::Money;

use super::Exchange;

/// `0100` for a processor message, the event type of a webhook, else the method.
pub(super) fn request_label(entry: &Entry) -> String {
    if let Some(mti) = mti_of(&entry.request.body).or_else(|| entry.facts.mti.clone()) {
        return mti;
    }
    match event_of(entry) {
        Some(event) => event.split_once('.').map_or(event.as_str(), |(_, what)| what).to_owned(),
        None => entry.request.method.clone(),
    }
}

/// The type of a webhook. Who receives one knows it by its id only; the body tells.
fn event_of(entry: &Entry) -> Option<String> {
    let event = entry.facts.event.clone()?;
    if event.starts_with("evt_") {
        return field(&entry.request.body, "type").or(Some(event));
    }
    Some(event)
}

/// `0110 00` for a processor message, else the status.
pub(super) fn answer_label(answer: &AnswerEntry) -> String {
    match (mti_of(&answer.body), field(&answer.body, "response_code")) {
        (Some(mti), Some(code)) => format!("{mti} {code}"),
        (Some(mti), None) => mti,
        _ => answer.status.to_string(),
    }
}

/// What was asked, and what became of it when it was not answered.
pub(super) fn request_words(exchange: &Exchange) -> String {
    let Some(entry) = exchange.entry() else { return String::new() };
    let mut words = asked(entry);
    if exchange.copy > 1 {
        write!(words, ", arrival {}", exchange.copy).ok();
    }
    let ending = exchange.sender.as_ref().and_then(|sender| unanswered(sender.outcome));
    if let Some(ending) = ending {
        words.push_str(", ");
        words.push_str(ending);
    }
    words
}

fn asked(entry: &Entry) -> String {
    let facts = &entry.facts;
    if let Some(event) = event_of(entry) {
        return format!("webhook {event}");
    }
    if facts.mti.is_some() || mti_of(&entry.request.body).is_some() {
        let kind = spoken(&facts.kind);
        return match amount(&entry.request.body) {
            Some(amount) => format!("{kind} {amount}"),
            None => kind,
        };
    }
    format!("{} {}", entry.request.method, entry.request.path)
}

/// What was answered.
pub(super) fn answer_words(
    exchange: &Exchange,
    answer: &AnswerEntry,
    outcome: Option<Outcome>,
) -> String {
    let mut words = answered(exchange, answer);
    let ending = match outcome {
        Some(Outcome::Deadline) => Some("after the deadline"),
        Some(Outcome::LostAnswer) => Some("lost on the way"),
        Some(Outcome::Reset) => Some("the connection broke"),
        Some(Outcome::Truncated) => Some("cut short"),
        Some(Outcome::TooLarge) => Some("too large"),
        Some(Outcome::Fabricated) => Some("made up by a fault"),
        _ => None,
    };
    if let Some(ending) = ending {
        words.push_str(", ");
        words.push_str(ending);
    }
    words
}

fn answered(exchange: &Exchange, answer: &AnswerEntry) -> String {
    if let Some(code) = field(&answer.body, "response_code") {
        let meaning = wire::codes::ResponseCode::parse(&code)
            .ok()
            .and_then(wire::codes::ResponseCode::info)
            .map(|info| info.meaning.to_lowercase());
        let meaning = meaning.map_or(String::new(), |meaning| format!(" {meaning}"));
        let source = field(&answer.body, "outcome_source")
            .map_or(String::new(), |source| format!(" (decided by {source})"));
        return format!("{code}{meaning}{source}");
    }
    let is_webhook = exchange.entry().is_some_and(|entry| entry.facts.event.is_some());
    let verdict = field(&answer.body, "verdict").or_else(|| field(&answer.body, "reason"));
    if is_webhook && let Some(verdict) = verdict {
        return format!("{}, {}", reason(answer.status), verdict.replace('_', " "));
    }
    let Some(word) = field(&answer.body, "status").or_else(|| field(&answer.body, "code")) else {
        return reason(answer.status).to_owned();
    };
    let is_api = exchange.entry().is_some_and(|entry| entry.request.path.starts_with("/api/"));
    if is_api { word } else { reason(answer.status).to_owned() }
}

const fn unanswered(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::LostRequest => Some("lost on the way"),
        Outcome::Deadline => Some("no answer in time"),
        Outcome::NotSent => Some("could not be sent"),
        Outcome::Answered
        | Outcome::Fabricated
        | Outcome::LostAnswer
        | Outcome::Reset
        | Outcome::Truncated
        | Outcome::TooLarge
        | Outcome::AnswerRefused => None,
    }
}

/// The line above the ladder: id, status, amount, order, card.
pub fn payment_line(payment: &Value) -> String {
    let text = |name: &str| payment.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let mut parts = vec![text("id"), text("status")];
    if payment.get("outcome_unknown").and_then(Value::as_bool) == Some(true) {
        parts.push("outcome unknown".into());
    }
    if let Some(amount) = payment.get("amount").and_then(money) {
        parts.push(amount);
    }
    parts.push(format!("order {}", text("order_reference")));
    let card = |name: &str| payment.get("card")?.get(name)?.as_str();
    if let (Some(brand), Some(last4)) = (card("brand"), card("last4")) {
        parts.push(format!("{brand} …{last4}"));
    }
    parts.join("  ")
}

fn money(value: &Value) -> Option<String> {
    serde_json::from_value::<Money>(value.clone()).ok().map(|money| money.to_string())
}

/// Amount and currency of a processor message.
fn amount(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let (value, currency) = (body.get("amount")?, body.get("currency")?);
    money(&serde_json::json!({"value": value, "currency": currency}))
}

fn mti_of(body: &str) -> Option<String> {
    field(body, "mti").filter(|mti| mti.len() == 4)
}

/// A text field of a JSON body, at the top or under `sandbox`.
fn field(body: &str, name: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let found = body.get(name).or_else(|| body.get("sandbox")?.get(name));
    found.and_then(Value::as_str).map(ToOwned::to_owned)
}

fn spoken(kind: &str) -> String {
    kind.replace('_', " ")
}

/// The usual words for a status.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "created",
        202 => "accepted",
        204 => "no content",
        301 | 302 | 303 | 307 | 308 => "go elsewhere",
        400 => "bad request",
        401 => "not authorized",
        403 => "forbidden",
        404 => "not found",
        409 => "conflict",
        410 => "gone",
        422 => "not acceptable",
        429 => "too many requests",
        500..=599 => "server error",
        _ => "answer",
    }
}
