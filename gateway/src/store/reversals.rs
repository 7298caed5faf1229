//! Reversals of a payment, and those that have to be sent.

use kit::sqlite::{DatabaseError, bytes16, optional_bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::codes::ResponseCode;
use wire::ids::{AttemptId, RefundId, ReversalId};
use wire::time::Timestamp;

use super::rows::{amount, corrupt, response_code, stored, word};
use crate::domain::reversal::{Original, Reason, Reversal, ReversalState};

pub(super) fn of(connection: &Connection, payment: i64) -> Result<Vec<Reversal>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT public_id, attempt, refund, reason, amount, remains, transmission_at, state, \
         tries, due_at, response_code FROM reversals WHERE payment = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([payment])?;
    let mut reversals = Vec::new();
    while let Some(row) = rows.next()? {
        reversals.push(Reversal {
            id: ReversalId::from_bytes(bytes16(row, 0)?),
            original: original(row)?,
            reason: word(row, 3, &Reason::ALL, Reason::as_str)?,
            amount: amount(row, 4)?,
            remains: amount(row, 5)?,
            transmission_at: timestamp(row, 6)?,
            state: word(row, 7, &ReversalState::ALL, ReversalState::as_str)?,
            tries: row.get(8)?,
            due_at: optional_timestamp(row, 9)?,
            response_code: response_code(row, 10)?,
        });
    }
    Ok(reversals)
}

fn original(row: &Row<'_>) -> Result<Original, DatabaseError> {
    match (optional_bytes16(row, 1)?, optional_bytes16(row, 2)?) {
        (Some(attempt), None) => Ok(Original::Attempt(AttemptId::from_bytes(attempt))),
        (None, Some(refund)) => Ok(Original::Refund(RefundId::from_bytes(refund))),
        (None, None) | (Some(_), Some(_)) => Err(corrupt("reversal", "no single original")),
    }
}

pub(super) fn save(
    connection: &Connection,
    payment: i64,
    before: &[Reversal],
    after: &[Reversal],
) -> Result<(), DatabaseError> {
    for (n, (index, reversal)) in (1_i64..).zip(after.iter().enumerate()) {
        match before.get(index) {
            None => insert(connection, payment, n, reversal)?,
            Some(old) if old != reversal => update(connection, payment, n, reversal)?,
            Some(_) => {}
        }
    }
    Ok(())
}

fn insert(
    connection: &Connection,
    payment: i64,
    n: i64,
    reversal: &Reversal,
) -> Result<(), DatabaseError> {
    let (attempt, refund) = match &reversal.original {
        Original::Attempt(id) => (Some(id.bytes()), None),
        Original::Refund(id) => (None, Some(id.bytes())),
    };
    let mut statement = connection.prepare_cached(
        "INSERT INTO reversals (payment, n, public_id, attempt, refund, reason, amount, remains, \
         transmission_at, state, tries, due_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    statement.execute(params![
        payment,
        n,
        reversal.id.bytes(),
        attempt,
        refund,
        reversal.reason.as_str(),
        reversal.amount.get(),
        reversal.remains.get(),
        reversal.transmission_at.millis(),
        reversal.state.as_str(),
        stored(reversal.tries),
        reversal.due_at.map(Timestamp::millis),
    ])?;
    Ok(())
}

fn update(
    connection: &Connection,
    payment: i64,
    n: i64,
    reversal: &Reversal,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE reversals SET state = ?3, tries = ?4, due_at = ?5, response_code = ?6 \
         WHERE payment = ?1 AND n = ?2",
    )?;
    statement.execute(params![
        payment,
        n,
        reversal.state.as_str(),
        stored(reversal.tries),
        reversal.due_at.map(Timestamp::millis),
        reversal.response_code.as_ref().map(ResponseCode::as_str),
    ])?;
    Ok(())
}

/// Rows of payments with reversals that a person has to look at: given up, or acknowledged
/// although the money had left for clearing.
pub fn exceptions(connection: &Connection, limit: u32) -> Result<Vec<i64>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT payment FROM reversals WHERE state = 'parked' OR response_code = '21' \
         ORDER BY payment LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The payment row of a reversal.
pub fn payment_of(connection: &Connection, id: &ReversalId) -> Result<Option<i64>, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT payment FROM reversals WHERE public_id = ?1")?;
    Ok(statement.query_row([id.bytes().as_slice()], |row| row.get(0)).optional()?)
}

/// Reversals to be sent at `now` or before, oldest first, with the rows of their payments.
pub fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(i64, ReversalId)>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT payment, public_id FROM reversals WHERE due_at IS NOT NULL AND due_at <= ?1 \
         ORDER BY due_at LIMIT ?2",
    )?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, ReversalId::from_bytes(bytes16(row, 1)?)));
    let rows = statement.query_map(params![now.millis(), limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next reversal after `now` has to be sent.
pub fn next_due(
    connection: &Connection,
    now: Timestamp,
) -> Result<Option<Timestamp>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT MIN(due_at) FROM reversals WHERE due_at IS NOT NULL AND due_at > ?1",
    )?;
    Ok(statement.query_row([now.millis()], |row| optional_timestamp(row, 0))?)
}
