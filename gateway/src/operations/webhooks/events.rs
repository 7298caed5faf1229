//! Events and their deliveries: listed, read, sent again.

use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use serde_json::json;
use wire::gateway_api::{DeliveryAttemptView, DeliveryView, Resent};
use wire::ids::{EndpointId, EventId, MerchantId};
use wire::time::Timestamp;

use super::endpoints::{EndpointError, Keep, once};
use crate::operations::Context;
use crate::operations::idempotency::{Call, StoredAnswer};
use crate::store::webhooks as rows;
use crate::store::webhooks::views::{DeliveryRow, EventFilter, EventRow, EventWithBody};

/// A page of events, newest first.
#[derive(Debug)]
pub struct EventsPage {
    /// The events, as they were sent.
    pub events: Vec<EventWithBody>,
    /// Whether there are more behind these.
    pub has_more: bool,
}

/// A page of a merchant's events, newest first.
pub async fn list_events(
    context: &Context,
    merchant: MerchantId,
    filter: EventFilter,
    limit: usize,
) -> Result<EventsPage, DatabaseError> {
    let read = move |connection: &Connection| rows::events(connection, merchant, &filter, limit);
    let (events, has_more) = context.database.read(read).await?;
    Ok(EventsPage { events, has_more })
}

/// One event of a merchant, as it was sent.
pub async fn read_event(
    context: &Context,
    merchant: MerchantId,
    id: EventId,
) -> Result<EventWithBody, EndpointError> {
    let read = move |connection: &Connection| rows::event(connection, merchant, id);
    let found: Option<EventWithBody> = context.database.read(read).await?;
    found.ok_or(EndpointError::NotFound)
}

/// Where an event went, and what was answered.
pub async fn deliveries(
    context: &Context,
    merchant: MerchantId,
    id: EventId,
) -> Result<Vec<DeliveryView>, EndpointError> {
    let read = move |connection: &Connection| {
        let event = rows::event(connection, merchant, id)?.ok_or(EndpointError::NotFound)?.event;
        let found = rows::deliveries(connection, merchant, &event)?;
        Ok(found.into_iter().map(|row| delivery_view(&event, row)).collect())
    };
    context.database.read(read).await
}

fn delivery_view(event: &EventRow, row: DeliveryRow) -> DeliveryView {
    let attempts = row.attempts.into_iter().map(|attempt| DeliveryAttemptView {
        n: attempt.n,
        at: attempt.at,
        status: attempt.status,
        outcome: attempt.outcome,
        duration_ms: attempt.duration_ms,
        answer: String::from_utf8_lossy(&attempt.answer).into_owned(),
        signature: attempt.signature,
        timestamp: attempt.at.seconds(),
    });
    DeliveryView {
        event: event.id,
        endpoint: row.endpoint,
        url: row.url,
        status: row.status.to_owned(),
        next_attempt_at: row.next_attempt_at,
        attempts: attempts.collect(),
    }
}

/// Sends an event again, under the same id: to one endpoint, or to all that get its type.
pub async fn resend_event(
    context: &Context,
    call: Call,
    id: EventId,
    endpoint: Option<EndpointId>,
) -> Result<StoredAnswer, EndpointError> {
    let (merchant, now) = (call.merchant, context.plumbing.clock.now());
    let policy = context.courier.policy().clone();
    let answer = once(context, call, 202, Keep::Plain, move |connection| {
        let event = rows::event(connection, merchant, id)?.ok_or(EndpointError::NotFound)?.event;
        let endpoints = match endpoint {
            Some(id) => {
                let found = rows::endpoint(connection, merchant, id)?;
                vec![found.ok_or(EndpointError::NotFound)?]
            }
            None => rows::endpoints(connection, Some(merchant))?
                .into_iter()
                .filter(|endpoint| endpoint.subscription.wants(&event.event_type))
                .collect(),
        };
        for endpoint in &endpoints {
            rows::resend(connection, &policy, event.row, endpoint.row, now)?;
        }
        Ok(Resent { count: u64::try_from(endpoints.len()).unwrap_or(u64::MAX) })
    })
    .await?;
    context.notifier.wake();
    Ok(answer)
}

/// Sends everything that failed since a time to an endpoint again.
pub async fn resend_failed_events(
    context: &Context,
    call: Call,
    endpoint: EndpointId,
    since: Timestamp,
) -> Result<StoredAnswer, EndpointError> {
    let (merchant, now) = (call.merchant, context.plumbing.clock.now());
    let answer = once(context, call, 202, Keep::Plain, move |connection| {
        let found = rows::endpoint(connection, merchant, endpoint)?;
        let found = found.ok_or(EndpointError::NotFound)?;
        let count = rows::resend_failed(connection, found.row, since, now)?;
        Ok(Resent { count: u64::try_from(count).unwrap_or(u64::MAX) })
    })
    .await?;
    context.notifier.wake();
    Ok(answer)
}

/// The body of a page of events: the bytes that were sent, unchanged.
pub fn page_body(page: &EventsPage) -> Vec<u8> {
    let mut body = b"{\"data\":[".to_vec();
    for (index, event) in page.events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.body);
    }
    body.extend_from_slice(b"],");
    let more = json!({ "has_more": page.has_more }).to_string();
    body.extend(more.bytes().skip(1));
    body
}
