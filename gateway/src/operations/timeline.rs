//! All that happened to a payment, in order: attempts, messages, states, events, deliveries.

use kit::wirelog::{Entry, WireFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::codes::ResponseCode;
use wire::gateway_api::{PaymentStatus, Timeline, TimelineEntry};
use wire::ids::{MerchantId, PaymentId};

use super::Context;
use super::failure::Failure;
use crate::domain::payment::Payment;
use crate::store::payments;
use crate::store::webhooks::{self, DeliveryRow, EventFilter, EventWithBody};

/// Messages shown at most.
const MESSAGES_MAX: usize = 500;
/// Events shown at most.
const EVENTS_MAX: usize = 500;

/// The timeline of one payment of a merchant.
pub async fn timeline(
    context: &Context,
    merchant: MerchantId,
    id: PaymentId,
) -> Result<Timeline, Failure> {
    let load = move |connection: &rusqlite::Connection| -> Result<_, Failure> {
        let found = payments::load(connection, &merchant, &id)?;
        let payment = found.ok_or(Failure::PaymentNotFound)?.payment;
        let filter = EventFilter { payment: Some(id), ..EventFilter::default() };
        let (found, _) = webhooks::events(connection, merchant, &filter, EVENTS_MAX)?;
        let mut events = Vec::new();
        for event in found {
            let deliveries = webhooks::deliveries(connection, merchant, &event.event)?;
            events.push((event, deliveries));
        }
        Ok((payment, events))
    };
    let (payment, events) = context.database.read(load).await?;
    // Entries of one moment stay in this order, so causes stand before what they cause.
    let mut entries = attempts(&payment);
    let filter = WireFilter { payment: Some(id.to_string()), ..WireFilter::default() };
    let messages = context.plumbing.wire_log.since(&filter, MESSAGES_MAX);
    entries.extend(messages.iter().map(of_message));
    let mut state = None;
    for (event, deliveries) in events.iter().rev() {
        entries.extend(change_of(event, &mut state));
        entries.push(of_event(event));
        entries.extend(deliveries.iter().flat_map(|delivery| of_delivery(event, delivery)));
    }
    entries.sort_by_key(|entry| entry.at);
    Ok(Timeline { payment: id, entries })
}

fn entry(
    at: wire::time::Timestamp,
    kind: &str,
    text: impl Into<String>,
    data: Value,
) -> TimelineEntry {
    TimelineEntry { at, kind: kind.to_owned(), text: text.into(), data }
}

fn attempts(payment: &Payment) -> Vec<TimelineEntry> {
    let mut entries = Vec::new();
    for attempt in &payment.attempts {
        let card = attempt.card.masked.to_string();
        let data = json!({
            "attempt": attempt.id.to_string(),
            "n": attempt.n,
            "card": card,
            "stan": attempt.identity.stan_text(),
            "rrn": attempt.identity.rrn_text(),
            "reversal": attempt.reversal_id.to_string(),
        });
        let text = format!("Attempt {} with {card}", attempt.n);
        entries.push(entry(attempt.created_at, "attempt", text, data));
        if let Some(at) = attempt.decided_at {
            let code = attempt.response_code.as_ref().map(ResponseCode::as_str);
            let data = json!({
                "attempt": attempt.id.to_string(),
                "state": attempt.state.as_str(),
                "response_code": code,
                "auth_code": attempt.auth_code,
                "decline_code": attempt.decline.map(|decline| decline.code.as_str()),
                "outcome_source": attempt.outcome_source,
            });
            let text = format!(
                "Attempt {} {}{}",
                attempt.n,
                attempt.state.as_str(),
                code.map(|code| format!(" ({code})")).unwrap_or_default()
            );
            entries.push(entry(at, "attempt", text, data));
        }
    }
    entries
}

#[derive(Deserialize)]
struct Told {
    data: ToldData,
}

#[derive(Deserialize)]
struct ToldData {
    payment: ToldPayment,
}

#[derive(Deserialize)]
struct ToldPayment {
    status: PaymentStatus,
    outcome_unknown: bool,
}

/// The change of state that an event tells of. A body that cannot be read tells of none.
fn change_of(event: &EventWithBody, state: &mut Option<&'static str>) -> Option<TimelineEntry> {
    let told: Told = serde_json::from_slice(&event.body).ok()?;
    let ToldPayment { status, outcome_unknown } = told.data.payment;
    let to = if outcome_unknown { "outcome_unknown" } else { status.as_str() };
    let from = state.replace(to);
    if from == Some(to) {
        return None;
    }
    let text = from.map_or_else(|| to.to_owned(), |from| format!("{from} → {to}"));
    let data = json!({ "from": from, "to": to, "event": event.event.id.to_string() });
    Some(entry(event.event.created_at, "state", text, data))
}

fn of_event(event: &EventWithBody) -> TimelineEntry {
    let row = &event.event;
    let data = json!({
        "event": row.id.to_string(),
        "type": row.event_type,
        "sequence": row.sequence,
    });
    let text = format!("Event {} (sequence {})", row.event_type, row.sequence);
    entry(row.created_at, "event", text, data)
}

fn of_delivery(event: &EventWithBody, delivery: &DeliveryRow) -> Vec<TimelineEntry> {
    let row = &event.event;
    let tries = delivery.attempts.iter().map(|attempt| {
        let data = json!({
            "event": row.id.to_string(),
            "endpoint": delivery.endpoint.to_string(),
            "url": delivery.url,
            "n": attempt.n,
            "status": attempt.status,
            "outcome": attempt.outcome,
            "duration_ms": attempt.duration_ms,
        });
        let text = format!("{} to {}: {}", row.event_type, delivery.url, attempt.outcome);
        entry(attempt.at, "delivery", text, data)
    });
    tries.collect()
}

/// What the merchant may know of a message between programs: that it was, not what it said.
fn of_message(message: &Entry) -> TimelineEntry {
    let name = message.facts.mti.as_deref().unwrap_or(&message.facts.kind);
    let data = json!({
        "seq": message.seq,
        "link": message.link,
        "type": message.facts.kind,
        "mti": message.facts.mti,
        "trace": message.trace_id,
        "outcome": message.outcome,
        "status": message.answer.as_ref().map(|answer| answer.status),
        "request_verdict": message.request_verdict,
        "answer_verdict": message.answer_verdict,
        "fault": message.fault,
        "duration_ms": message.duration_ms,
    });
    let outcome = serde_json::to_value(message.outcome).ok();
    let outcome = outcome.as_ref().and_then(Value::as_str).unwrap_or("sent");
    let text = format!("{name} on {}: {}", message.link, outcome.replace('_', " "));
    entry(message.at, "message", text, data)
}
