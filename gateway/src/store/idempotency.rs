//! Keys of unsafe calls, and the answers that were given.

use std::time::Duration;

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, OptionalExtension, params};
use wire::time::Timestamp;

use super::rows::corrupt;

/// A call, as its key names it.
#[derive(Clone, Copy, Debug)]
pub struct CallKey {
    /// HTTP status of its answer when it does what it was asked to.
    pub status: u16,
    /// Of merchant, method, path and key.
    pub hash: [u8; 16],
    /// SHA-256 of body and content type.
    pub fingerprint: [u8; 32],
}

/// What an answer consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredBody {
    /// The payment as an event shows it.
    Payment(Vec<u8>),
    /// The refund as an event shows it.
    Refund(Vec<u8>),
    /// A body of its own.
    Own(Vec<u8>),
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was not used before; it is now, in this row.
    Fresh(i64),
    /// The call still runs.
    Running,
    /// It was used for another body.
    OtherBody,
    /// It was answered.
    Answered(u16, StoredBody),
}

/// What an event shows that a call is answered with.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// Its payment.
    Payment,
    /// Its refund.
    Refund,
}

impl Shown {
    const fn kind(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
        }
    }
}

/// Claims a key, or says what became of it.
pub fn claim(
    connection: &Connection,
    key: &CallKey,
    now: Timestamp,
) -> Result<Known, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO idempotency (hash, fingerprint, created_at, status, kind) \
         VALUES (?1, ?2, ?3, ?4, 'running') ON CONFLICT (hash) DO NOTHING",
    )?;
    let values = params![key.hash, key.fingerprint, now.millis(), key.status];
    if statement.execute(values)? > 0 {
        return Ok(Known::Fresh(connection.last_insert_rowid()));
    }
    earlier(connection, key)
}

fn earlier(connection: &Connection, key: &CallKey) -> Result<Known, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT fingerprint, status, kind, body, \
         (SELECT events.body FROM events WHERE events.id = idempotency.event) \
         FROM idempotency WHERE hash = ?1",
    )?;
    let mut rows = statement.query([key.hash])?;
    let row = rows.next()?.ok_or_else(|| corrupt("idempotency", "a claimed key has no row"))?;
    let fingerprint: [u8; 32] = row.get(0)?;
    if fingerprint != key.fingerprint {
        return Ok(Known::OtherBody);
    }
    let status = row.get(1)?;
    let (own, event): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(3)?, row.get(4)?);
    let kind = row.get_ref(2)?.as_str().map_err(|error| corrupt("kind", error))?;
    let body = match (kind, own, event) {
        ("running", ..) => return Ok(Known::Running),
        ("payment", None, Some(event)) => StoredBody::Payment(event),
        ("refund", None, Some(event)) => StoredBody::Refund(event),
        ("body", Some(own), _) => StoredBody::Own(own),
        (kind, ..) => return Err(corrupt("idempotency", kind)),
    };
    Ok(Known::Answered(status, body))
}

/// Answers a claimed key with what an event shows.
pub fn answer(
    connection: &Connection,
    row: i64,
    shown: Shown,
    event: i64,
) -> Result<(), DatabaseError> {
    let mut statement =
        connection.prepare_cached("UPDATE idempotency SET kind = ?2, event = ?3 WHERE id = ?1")?;
    statement.execute(params![row, shown.kind(), event])?;
    Ok(())
}

/// Notes the event that answers a claimed key, should there be no better one.
pub fn note_event(connection: &Connection, row: i64, event: i64) -> Result<(), DatabaseError> {
    let mut statement =
        connection.prepare_cached("UPDATE idempotency SET event = ?2 WHERE id = ?1")?;
    statement.execute(params![row, event])?;
    Ok(())
}

/// Answers a claimed key with the event that was noted for it.
pub fn answer_as_noted(
    connection: &Connection,
    row: i64,
    shown: Shown,
) -> Result<(), DatabaseError> {
    let mut statement = connection
        .prepare_cached("UPDATE idempotency SET kind = ?2 WHERE id = ?1 AND event IS NOT NULL")?;
    statement.execute(params![row, shown.kind()])?;
    Ok(())
}

/// Answers a claimed key with a body of its own.
pub fn answer_with(
    connection: &Connection,
    row: i64,
    status: u16,
    body: &[u8],
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE idempotency SET kind = 'body', status = ?2, body = ?3 WHERE id = ?1",
    )?;
    statement.execute(params![row, status, body])?;
    Ok(())
}

/// Forgets up to `limit` answers older than `kept`; true when there may be more.
pub fn prune(
    connection: &Connection,
    now: Timestamp,
    kept: Duration,
    limit: u32,
) -> Result<bool, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM idempotency WHERE kind <> 'running' AND created_at < ?1 AND id IN \
         (SELECT id FROM idempotency ORDER BY id LIMIT ?2)",
    )?;
    let deleted = statement.execute(params![now.minus(kept).millis(), limit])?;
    Ok(u32::try_from(deleted).unwrap_or(u32::MAX) >= limit)
}

/// When the oldest key was used.
pub fn oldest(connection: &Connection) -> Result<Option<Timestamp>, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT created_at FROM idempotency ORDER BY id LIMIT 1")?;
    let found = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(found.map(Timestamp::from_millis))
}
