//! Events and their deliveries, as people and clients look at them.

use std::collections::BTreeMap;

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::ids::{EndpointId, EventId, MerchantId, PaymentId};
use wire::time::Timestamp;

use super::endpoints::{EndpointRow, endpoints};

/// An event without its body.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Its row.
    pub row: i64,
    /// Its id.
    pub id: EventId,
    /// Which payment.
    pub payment: PaymentId,
    /// For example `payment.captured`.
    pub event_type: String,
    /// Rises by one per payment.
    pub sequence: u64,
    /// When it happened.
    pub created_at: Timestamp,
}

/// An event and the bytes that are sent.
#[derive(Clone, Debug)]
pub struct EventWithBody {
    /// The event.
    pub event: EventRow,
    /// What is sent and signed.
    pub body: Vec<u8>,
}

/// Which events, newest first.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Older than this event.
    pub after: Option<EventId>,
    /// Newer than this event.
    pub before: Option<EventId>,
    /// Of this payment.
    pub payment: Option<PaymentId>,
    /// Of this type.
    pub event_type: Option<String>,
}

const COLUMNS: &str = "id, public_id, payment, type, sequence, created_at, body";

fn read(row: &Row<'_>) -> Result<EventWithBody, rusqlite::Error> {
    let event = EventRow {
        row: row.get(0)?,
        id: EventId::from_bytes(bytes16(row, 1)?),
        payment: PaymentId::from_bytes(bytes16(row, 2)?),
        event_type: row.get(3)?,
        sequence: row.get::<_, i64>(4)?.unsigned_abs(),
        created_at: timestamp(row, 5)?,
    };
    Ok(EventWithBody { event, body: row.get(6)? })
}

/// A page of a merchant's events, newest first, and whether there are more behind it.
pub fn events(
    connection: &Connection,
    merchant: MerchantId,
    filter: &EventFilter,
    limit: usize,
) -> Result<(Vec<EventWithBody>, bool), DatabaseError> {
    let row_of = |id: &Option<EventId>| match id {
        Some(id) => event_row(connection, merchant, *id).map(|row| Some(row.unwrap_or(0))),
        None => Ok(None),
    };
    let (after, before) = (row_of(&filter.after)?, row_of(&filter.before)?);
    let order = if before.is_some() { "ASC" } else { "DESC" };
    // The payment is looked up by its own index.
    let index = if filter.payment.is_some() { "INDEXED BY events_by_payment" } else { "" };
    let payment = if filter.payment.is_some() { "AND payment = ?4" } else { "AND ?4 IS NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM events {index} WHERE merchant = ?1 {payment} \
         AND (?2 IS NULL OR id < ?2) AND (?3 IS NULL OR id > ?3) \
         AND (?5 IS NULL OR type = ?5) ORDER BY id {order} LIMIT ?6"
    ))?;
    let rows = statement.query_map(
        params![
            merchant.bytes(),
            after,
            before,
            filter.payment.as_ref().map(PaymentId::bytes),
            filter.event_type,
            i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
        ],
        read,
    )?;
    let mut rows: Vec<EventWithBody> = rows.collect::<Result<_, _>>()?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    if before.is_some() {
        rows.reverse();
    }
    Ok((rows, more))
}

fn event_row(
    connection: &Connection,
    merchant: MerchantId,
    id: EventId,
) -> Result<Option<i64>, DatabaseError> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM events WHERE public_id = ?1 AND merchant = ?2")?;
    let found = statement.query_row(params![id.bytes(), merchant.bytes()], |row| row.get(0));
    Ok(found.optional()?)
}

/// One event of a merchant.
pub fn event(
    connection: &Connection,
    merchant: MerchantId,
    id: EventId,
) -> Result<Option<EventWithBody>, DatabaseError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM events WHERE public_id = ?1 AND merchant = ?2"
    ))?;
    Ok(statement.query_row(params![id.bytes(), merchant.bytes()], read).optional()?)
}

/// Every event of a payment, oldest first.
pub fn events_of_payment(
    connection: &Connection,
    payment: PaymentId,
) -> Result<Vec<EventRow>, DatabaseError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM events WHERE payment = ?1 ORDER BY id"))?;
    let rows = statement.query_map([payment.bytes()], |row| Ok(read(row)?.event))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One event and one endpoint.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Where it goes.
    pub url: String,
    /// pending, delivered, dead.
    pub status: &'static str,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// Every attempt, oldest first.
    pub attempts: Vec<PastAttempt>,
}

/// An attempt that was made.
#[derive(Clone, Debug)]
pub struct PastAttempt {
    /// 1 first.
    pub n: u32,
    /// When it began; its `webhook-timestamp`.
    pub at: Timestamp,
    /// delivered, refused, timeout, unreachable, blocked.
    pub outcome: String,
    /// What was answered.
    pub status: Option<u16>,
    /// Milliseconds.
    pub duration_ms: u64,
    /// The signature header that was sent.
    pub signature: String,
    /// The beginning of the answer's body.
    pub answer: Vec<u8>,
}

/// Where an event goes and went, endpoint by endpoint.
pub fn deliveries(
    connection: &Connection,
    merchant: MerchantId,
    event: &EventRow,
) -> Result<Vec<DeliveryRow>, DatabaseError> {
    let mut attempts = attempts_by_endpoint(connection, event.row)?;
    let retries = retries_by_endpoint(connection, event.row)?;
    let mut found = Vec::new();
    for (row, id, url) in all_endpoints(connection, merchant)? {
        let (tried, retry) = (attempts.remove(&row).unwrap_or_default(), retries.get(&row));
        if tried.is_empty() && retry.is_none() {
            continue;
        }
        let delivered = tried.last().is_some_and(|last| last.outcome == "delivered");
        let status = match retry {
            Some(Some(_)) => "pending",
            None if delivered => "delivered",
            Some(None) | None => "dead",
        };
        found.push(DeliveryRow {
            endpoint: id,
            url,
            status,
            next_attempt_at: retry.copied().flatten(),
            attempts: tried,
        });
    }
    for endpoint in endpoints(connection, Some(merchant))? {
        let waits = waits_for(&endpoint, event);
        if waits && found.iter().all(|delivery| delivery.endpoint != endpoint.id) {
            found.push(DeliveryRow {
                endpoint: endpoint.id,
                url: endpoint.url,
                status: "pending",
                next_attempt_at: endpoint.health.is_enabled().then_some(event.created_at),
                attempts: Vec::new(),
            });
        }
    }
    Ok(found)
}

fn waits_for(endpoint: &EndpointRow, event: &EventRow) -> bool {
    endpoint.delivered_to < event.row && endpoint.subscription.wants(&event.event_type)
}

fn all_endpoints(
    connection: &Connection,
    merchant: MerchantId,
) -> Result<Vec<(i64, EndpointId, String)>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, public_id, url FROM webhook_endpoints WHERE merchant = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([merchant.bytes()], |row| {
        Ok((row.get(0)?, EndpointId::from_bytes(bytes16(row, 1)?), row.get(2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn attempts_by_endpoint(
    connection: &Connection,
    event: i64,
) -> Result<BTreeMap<i64, Vec<PastAttempt>>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT endpoint, n, at, outcome, status, duration_ms, signature, answer \
         FROM webhook_attempts WHERE event = ?1 ORDER BY endpoint, n",
    )?;
    let mut rows = statement.query([event])?;
    let mut found: BTreeMap<i64, Vec<PastAttempt>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().push(PastAttempt {
            n: row.get(1)?,
            at: timestamp(row, 2)?,
            outcome: row.get(3)?,
            status: row.get(4)?,
            duration_ms: row.get::<_, i64>(5)?.unsigned_abs(),
            signature: row.get(6)?,
            answer: row.get(7)?,
        });
    }
    Ok(found)
}

fn retries_by_endpoint(
    connection: &Connection,
    event: i64,
) -> Result<BTreeMap<i64, Option<Timestamp>>, DatabaseError> {
    let mut statement = connection
        .prepare_cached("SELECT endpoint, due_at FROM webhook_retries WHERE event = ?1")?;
    let rows =
        statement.query_map([event], |row| Ok((row.get(0)?, optional_timestamp(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
