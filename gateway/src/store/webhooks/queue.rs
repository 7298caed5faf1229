//! What is to be delivered next, and how attempts ended.

use bytes::Bytes;
use kit::facts::TraceId;
use kit::sqlite::{DatabaseError, bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::ids::{EventId, MerchantId, PaymentId};
use wire::time::Timestamp;

use super::endpoints::set_health;
use crate::domain::webhooks::{
    Delivery, DeliveryEvent, DeliveryPolicy, DisabledReason, Health, HealthEvent, Verdict,
};

/// What one endpoint wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    /// The endpoint's row.
    pub endpoint: i64,
    /// Whose events it gets.
    pub merchant: MerchantId,
    /// The last event that was read for it.
    pub read_to: i64,
    /// Events wanted.
    pub events_max: usize,
    /// Retries wanted.
    pub retries_max: usize,
}

/// An event on its way to one endpoint.
#[derive(Clone, Debug)]
pub struct QueuedEvent {
    /// Its row.
    pub row: i64,
    /// Its id.
    pub id: EventId,
    /// Which payment.
    pub payment: PaymentId,
    /// The merchant's reference.
    pub order_reference: String,
    /// The operation that caused it.
    pub trace: TraceId,
    /// For example `payment.captured`.
    pub event_type: String,
    /// The bytes that are sent and signed.
    pub body: Bytes,
    /// Attempts so far, in all series.
    pub attempts: u32,
    /// Attempts so far, in this series; none for a first attempt.
    pub retry: Option<u32>,
}

/// What is to be done for one endpoint.
#[derive(Debug, Default)]
pub struct Work {
    /// Events behind `read_to`, in order, without those that were attempted before.
    pub events: Vec<QueuedEvent>,
    /// Events that were looked at.
    pub looked_at: usize,
    /// The last event that was looked at.
    pub read_to: Option<i64>,
    /// Retries that are due.
    pub retries: Vec<QueuedEvent>,
    /// When the next retry is due, the due ones left aside.
    pub next_due: Option<Timestamp>,
}

/// Reads what is to be done for one endpoint.
pub fn next_work(
    connection: &Connection,
    lookup: &Lookup,
    now: Timestamp,
) -> Result<Work, DatabaseError> {
    let mut work = Work::default();
    if lookup.events_max > 0 {
        let mut statement = connection.prepare_cached(
            "SELECT id, public_id, payment, order_reference, trace, type, body, 0, NULL, \
             EXISTS (SELECT 1 FROM webhook_attempts WHERE event = events.id AND endpoint = ?1) \
             OR EXISTS (SELECT 1 FROM webhook_retries WHERE event = events.id AND endpoint = ?1) \
             FROM events WHERE id > ?3 AND merchant = ?2 ORDER BY id LIMIT ?4",
        )?;
        let limit = i64::try_from(lookup.events_max).unwrap_or(i64::MAX);
        let row = params![lookup.endpoint, lookup.merchant.bytes(), lookup.read_to, limit];
        let mut rows = statement.query(row)?;
        while let Some(row) = rows.next()? {
            work.read_to = Some(row.get(0)?);
            work.looked_at = work.looked_at.saturating_add(1);
            let elsewhere: bool = row.get(9)?;
            if !elsewhere {
                work.events.push(read_queued(row)?);
            }
        }
    }
    if lookup.retries_max > 0 {
        work.retries = due_retries(connection, lookup, now)?;
    }
    work.next_due = connection
        .prepare_cached(
            "SELECT min(due_at) FROM webhook_retries WHERE endpoint = ?1 AND due_at > ?2",
        )?
        .query_row(params![lookup.endpoint, now.millis()], |row| optional_timestamp(row, 0))?;
    Ok(work)
}

fn due_retries(
    connection: &Connection,
    lookup: &Lookup,
    now: Timestamp,
) -> Result<Vec<QueuedEvent>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT events.id, public_id, payment, order_reference, trace, type, body, attempts, tried \
         FROM webhook_retries JOIN events ON events.id = webhook_retries.event \
         WHERE endpoint = ?1 AND due_at <= ?2 ORDER BY due_at, event LIMIT ?3",
    )?;
    let limit = i64::try_from(lookup.retries_max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![lookup.endpoint, now.millis(), limit], read_queued)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_queued(row: &Row<'_>) -> Result<QueuedEvent, rusqlite::Error> {
    Ok(QueuedEvent {
        row: row.get(0)?,
        id: EventId::from_bytes(bytes16(row, 1)?),
        payment: PaymentId::from_bytes(bytes16(row, 2)?),
        order_reference: row.get(3)?,
        trace: TraceId::from_bytes(bytes16(row, 4)?),
        event_type: row.get(5)?,
        body: Bytes::from(row.get::<_, Vec<u8>>(6)?),
        attempts: row.get(7)?,
        retry: row.get(8)?,
    })
}

/// An attempt that ended.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    /// The event's row.
    pub event: i64,
    /// Its number as far as its sender knew, from 1.
    pub n: u32,
    /// Attempts of this series before it; none for a first attempt.
    pub retry: Option<u32>,
    /// When it began; its `webhook-timestamp`.
    pub at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub verdict: Verdict,
    /// The status that was answered.
    pub status: Option<u16>,
    /// How long it took, in milliseconds of real time.
    pub duration_ms: u64,
    /// The signature header that was sent.
    pub signature: String,
    /// The beginning of the answer's body.
    pub answer: Bytes,
    /// A random number, for the jitter of the next attempt.
    pub random: u64,
}

/// Attempts of one endpoint, in the order in which they ended.
#[derive(Clone, Debug)]
pub struct AttemptsOfEndpoint {
    /// The endpoint's row.
    pub endpoint: i64,
    /// Every event up to this row is accounted for once these are stored.
    pub delivered_to: i64,
    /// The attempts.
    pub attempts: Vec<AttemptRow>,
}

/// Stores how attempts ended, plans the next ones and judges the endpoint; returns its health
/// when that changed. None of it for an endpoint that was removed, nor for an event that was.
pub fn record_attempts(
    connection: &Connection,
    policy: &DeliveryPolicy,
    of: &AttemptsOfEndpoint,
) -> Result<Option<Health>, DatabaseError> {
    let Some(before) = health(connection, of.endpoint)? else { return Ok(None) };
    let mut after = before;
    for attempt in &of.attempts {
        insert_attempt(connection, of.endpoint, attempt)?;
        plan_next(connection, policy, of.endpoint, attempt)?;
        let event = HealthEvent::Attempted { verdict: attempt.verdict, at: attempt.ended_at };
        after = after.after(policy, event);
    }
    connection
        .prepare_cached(
            "UPDATE webhook_endpoints SET delivered_to = ?2 WHERE id = ?1 AND delivered_to < ?2",
        )?
        .execute(params![of.endpoint, of.delivered_to])?;
    if after == before {
        return Ok(None);
    }
    set_health(connection, of.endpoint, after)?;
    Ok(Some(after))
}

fn health(connection: &Connection, endpoint: i64) -> Result<Option<Health>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT disabled_reason, failing_since FROM webhook_endpoints \
         WHERE id = ?1 AND removed_at IS NULL",
    )?;
    let found = statement.query_row([endpoint], |row| {
        let reason: Option<String> = row.get(0)?;
        let reason = reason.and_then(|word| DisabledReason::parse(&word));
        Ok(match reason {
            Some(reason) => Health::Disabled(reason),
            None => Health::Enabled { failing_since: optional_timestamp(row, 1)? },
        })
    });
    Ok(found.optional()?)
}

fn insert_attempt(
    connection: &Connection,
    endpoint: i64,
    attempt: &AttemptRow,
) -> Result<(), DatabaseError> {
    let row = params![
        attempt.event,
        endpoint,
        attempt.at.millis(),
        attempt.verdict.as_str(),
        attempt.status,
        i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
        attempt.signature,
        attempt.answer.as_ref(),
        attempt.n,
    ];
    let as_numbered = "INSERT OR IGNORE INTO webhook_attempts \
         (event, endpoint, n, at, outcome, status, duration_ms, signature, answer) \
         SELECT ?1, ?2, ?9, ?3, ?4, ?5, ?6, ?7, ?8 FROM events WHERE id = ?1";
    if connection.prepare_cached(as_numbered)?.execute(row)? > 0 {
        return Ok(());
    }
    // The event was removed, or its number was given to another attempt meanwhile.
    let renumbered = "INSERT INTO webhook_attempts \
         (event, endpoint, n, at, outcome, status, duration_ms, signature, answer) \
         SELECT ?1, ?2, max(?9, 1 + (SELECT coalesce(max(n), 0) FROM webhook_attempts \
         WHERE event = ?1 AND endpoint = ?2)), ?3, ?4, ?5, ?6, ?7, ?8 FROM events WHERE id = ?1";
    connection.prepare_cached(renumbered)?.execute(row)?;
    Ok(())
}

fn plan_next(
    connection: &Connection,
    policy: &DeliveryPolicy,
    endpoint: i64,
    attempt: &AttemptRow,
) -> Result<(), DatabaseError> {
    let tried = attempt.retry.unwrap_or(0);
    let mut delivery = Delivery::Pending { tried, due_at: attempt.at };
    let event = DeliveryEvent::Attempted {
        verdict: attempt.verdict,
        at: attempt.ended_at,
        random: attempt.random,
    };
    // Pending by construction, so the event fits.
    delivery.apply(policy, event).ok();
    match delivery {
        Delivery::Delivered if attempt.retry.is_none() => Ok(()),
        Delivery::Delivered => {
            connection
                .prepare_cached("DELETE FROM webhook_retries WHERE event = ?1 AND endpoint = ?2")?
                .execute(params![attempt.event, endpoint])?;
            Ok(())
        }
        Delivery::Pending { tried, due_at } => {
            put_retry(connection, attempt.event, endpoint, tried, attempt.n, Some(due_at))
        }
        Delivery::Dead => {
            let tried = tried.saturating_add(1);
            put_retry(connection, attempt.event, endpoint, tried, attempt.n, None)
        }
    }
}

fn put_retry(
    connection: &Connection,
    event: i64,
    endpoint: i64,
    tried: u32,
    attempts: u32,
    due_at: Option<Timestamp>,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO webhook_retries (event, endpoint, tried, attempts, due_at) \
         SELECT ?1, ?2, ?3, ?4, ?5 FROM events WHERE id = ?1 ON CONFLICT (event, endpoint) \
         DO UPDATE SET tried = ?3, attempts = ?4, due_at = ?5",
    )?;
    let due_at = due_at.map(Timestamp::millis);
    statement.execute(params![event, endpoint, tried, attempts, due_at])?;
    Ok(())
}

/// Asks for an event to be sent to an endpoint again, under the same id.
pub fn resend(
    connection: &Connection,
    policy: &DeliveryPolicy,
    event: i64,
    endpoint: i64,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT tried, due_at FROM webhook_retries WHERE event = ?1 AND endpoint = ?2",
    )?;
    let retry: Option<(u32, Option<Timestamp>)> = statement
        .query_row(params![event, endpoint], |row| Ok((row.get(0)?, optional_timestamp(row, 1)?)))
        .optional()?;
    let attempts: u32 = connection
        .prepare_cached(
            "SELECT coalesce(max(n), 0) FROM webhook_attempts WHERE event = ?1 AND endpoint = ?2",
        )?
        .query_row(params![event, endpoint], |row| row.get(0))?;
    let mut delivery = match retry {
        Some((tried, Some(due_at))) => Delivery::Pending { tried, due_at },
        Some((_, None)) => Delivery::Dead,
        None if attempts > 0 => Delivery::Delivered,
        None => Delivery::new(now),
    };
    // A request to send again fits every state.
    delivery.apply(policy, DeliveryEvent::ResendRequested { at: now }).ok();
    let Delivery::Pending { tried, due_at } = delivery else { return Ok(()) };
    put_retry(connection, event, endpoint, tried, attempts, Some(due_at))
}

/// Asks for everything that failed since a time to be sent to an endpoint again; returns how
/// many events that are.
pub fn resend_failed(
    connection: &Connection,
    endpoint: i64,
    since: Timestamp,
    now: Timestamp,
) -> Result<usize, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE webhook_retries SET tried = CASE WHEN due_at IS NULL THEN 0 ELSE tried END, \
         due_at = ?3 WHERE endpoint = ?1 \
         AND (SELECT created_at FROM events WHERE events.id = event) >= ?2",
    )?;
    Ok(statement.execute(params![endpoint, since.millis(), now.millis()])?)
}

/// Removes events that are older than `until` and on their way to nobody, but never the newest;
/// returns the last row that was looked at, to go on from, or none at the end.
pub fn prune(
    connection: &Connection,
    after: i64,
    until: Timestamp,
    rows_max: usize,
) -> Result<Option<i64>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, created_at, EXISTS (SELECT 1 FROM webhook_retries \
         WHERE event = events.id AND due_at IS NOT NULL) \
         FROM events WHERE id > ?1 AND id < (SELECT max(id) FROM events) ORDER BY id LIMIT ?2",
    )?;
    let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![after, limit], |row| {
        Ok((row.get::<_, i64>(0)?, timestamp(row, 1)?, row.get::<_, bool>(2)?))
    })?;
    let rows: Vec<(i64, Timestamp, bool)> = rows.collect::<Result<_, _>>()?;
    let mut reached = None;
    let mut at_the_end = rows.len() < rows_max;
    for (row, created_at, pending) in rows {
        if created_at >= until {
            at_the_end = true;
            break;
        }
        reached = Some(row);
        if !pending {
            remove_event(connection, row)?;
        }
    }
    Ok(reached.filter(|_| !at_the_end))
}

fn remove_event(connection: &Connection, row: i64) -> Result<(), DatabaseError> {
    for statement in [
        "DELETE FROM webhook_attempts WHERE event = ?1",
        "DELETE FROM webhook_retries WHERE event = ?1",
        "DELETE FROM events WHERE id = ?1",
    ] {
        connection.prepare_cached(statement)?.execute([row])?;
    }
    Ok(())
}
