//! Captures of a payment, and those that have to be sent.

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp};
use rusqlite::{Connection, params};
use wire::ids::{AttemptId, CaptureId};
use wire::time::Timestamp;

use super::rows::{amount, identity, stored, word};
use crate::domain::capture::{Capture, CaptureState};

pub(super) fn of(connection: &Connection, payment: i64) -> Result<Vec<Capture>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT public_id, terminal, stan, transmission_at, amount, state, tries, due_at, attempt \
         FROM captures WHERE payment = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([payment])?;
    let mut captures = Vec::new();
    while let Some(row) = rows.next()? {
        let identity = identity(row, 1)?;
        captures.push(Capture {
            id: CaptureId::from_bytes(bytes16(row, 0)?),
            identity,
            attempt: AttemptId::from_bytes(bytes16(row, 8)?),
            amount: amount(row, 4)?,
            state: word(row, 5, &CaptureState::ALL, CaptureState::as_str)?,
            created_at: identity.transmission_at,
            tries: row.get(6)?,
            due_at: optional_timestamp(row, 7)?,
        });
    }
    Ok(captures)
}

pub(super) fn save(
    connection: &Connection,
    payment: i64,
    before: &[Capture],
    after: &[Capture],
) -> Result<(), DatabaseError> {
    for (n, (index, capture)) in (1_i64..).zip(after.iter().enumerate()) {
        match before.get(index) {
            None => insert(connection, payment, n, capture)?,
            Some(old) if old != capture => update(connection, payment, n, capture)?,
            Some(_) => {}
        }
    }
    Ok(())
}

fn insert(
    connection: &Connection,
    payment: i64,
    n: i64,
    capture: &Capture,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO captures (payment, n, public_id, terminal, stan, transmission_at, amount, \
         state, tries, due_at, attempt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    statement.execute(params![
        payment,
        n,
        capture.id.bytes(),
        capture.identity.terminal,
        capture.identity.stan,
        capture.identity.transmission_at.millis(),
        capture.amount.get(),
        capture.state.as_str(),
        stored(capture.tries),
        capture.due_at.map(Timestamp::millis),
        capture.attempt.bytes(),
    ])?;
    Ok(())
}

fn update(
    connection: &Connection,
    payment: i64,
    n: i64,
    capture: &Capture,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE captures SET state = ?3, tries = ?4, due_at = ?5 WHERE payment = ?1 AND n = ?2",
    )?;
    statement.execute(params![
        payment,
        n,
        capture.state.as_str(),
        stored(capture.tries),
        capture.due_at.map(Timestamp::millis),
    ])?;
    Ok(())
}

/// The processor took a capture that was pending; nothing else about the payment changes, so it
/// is not loaded for this. False when it was withdrawn meanwhile.
pub fn accept(connection: &Connection, payment: i64, n: i64) -> Result<bool, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE captures SET state = 'succeeded', due_at = NULL \
         WHERE payment = ?1 AND n = ?2 AND state = 'pending'",
    )?;
    Ok(statement.execute(params![payment, n])? > 0)
}

/// Payment row and number of captures to be sent at `now` or before, oldest first.
pub fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(i64, i64)>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT payment, n FROM captures WHERE due_at IS NOT NULL AND due_at <= ?1 \
         ORDER BY due_at LIMIT ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let rows = statement.query_map(params![now.millis(), limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next capture after `now` has to be sent.
pub fn next_due(
    connection: &Connection,
    now: Timestamp,
) -> Result<Option<Timestamp>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT MIN(due_at) FROM captures WHERE due_at IS NOT NULL AND due_at > ?1",
    )?;
    Ok(statement.query_row([now.millis()], |row| optional_timestamp(row, 0))?)
}

/// Makes every pending capture due at `at`: nobody is sending it.
pub fn make_due(connection: &Connection, at: Timestamp) -> Result<usize, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE captures SET due_at = ?1 WHERE due_at IS NOT NULL AND due_at > ?1",
    )?;
    Ok(statement.execute([at.millis()])?)
}
