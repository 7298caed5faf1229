//! Refunds of a payment, and those whose outcome is not known.

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::codes::ResponseCode;
use wire::ids::{AttemptId, MerchantId, PaymentId, RefundId, ReversalId};
use wire::money::{Currency, MinorUnits, Money};
use wire::time::Timestamp;

use super::payments::Position;
use super::rows::{amount, corrupt, decline, identity, parsed, response_code, stored, word};
use crate::domain::refund::{Refund, RefundState};

pub(super) fn of(connection: &Connection, payment: i64) -> Result<Vec<Refund>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT public_id, attempt, terminal, stan, transmission_at, reversal_id, amount, reason, \
         state, response_code, decline_code, advice, auth_code, outcome_source, tries, due_at, \
         caller, moved_to, card_amount FROM refunds WHERE payment = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([payment])?;
    let mut refunds = Vec::new();
    while let Some(row) = rows.next()? {
        let identity = identity(row, 2)?;
        let response_code = response_code(row, 9)?;
        refunds.push(Refund {
            id: RefundId::from_bytes(bytes16(row, 0)?),
            attempt: AttemptId::from_bytes(bytes16(row, 1)?),
            identity,
            reversal_id: ReversalId::from_bytes(bytes16(row, 5)?),
            amount: amount(row, 6)?,
            reason: row.get(7)?,
            state: word(row, 8, &RefundState::ALL, RefundState::as_str)?,
            decline: decline(row, 10, 11, response_code)?,
            auth_code: row.get(12)?,
            outcome_source: row.get(13)?,
            created_at: identity.transmission_at,
            tries: row.get(14)?,
            due_at: optional_timestamp(row, 15)?,
            caller: row.get(16)?,
            moved_to: row.get(17)?,
            card_amount: optional_amount(row, 18)?,
        });
    }
    Ok(refunds)
}

pub(super) fn save(
    connection: &Connection,
    payment: i64,
    before: &[Refund],
    after: &[Refund],
) -> Result<(), DatabaseError> {
    for (n, (index, refund)) in (1_i64..).zip(after.iter().enumerate()) {
        match before.get(index) {
            None => insert(connection, payment, n, refund)?,
            Some(old) if old != refund => update(connection, payment, n, refund)?,
            Some(_) => {}
        }
    }
    Ok(())
}

fn insert(
    connection: &Connection,
    payment: i64,
    n: i64,
    refund: &Refund,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO refunds (payment, n, public_id, attempt, terminal, stan, transmission_at, \
         reversal_id, amount, reason, state, tries, due_at, caller, card_amount) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    statement.execute(params![
        payment,
        n,
        refund.id.bytes(),
        refund.attempt.bytes(),
        refund.identity.terminal,
        refund.identity.stan,
        refund.identity.transmission_at.millis(),
        refund.reversal_id.bytes(),
        refund.amount.get(),
        refund.reason,
        refund.state.as_str(),
        stored(refund.tries),
        refund.due_at.map(Timestamp::millis),
        refund.caller,
        refund.card_amount.map(MinorUnits::get),
    ])?;
    Ok(())
}

fn optional_amount(row: &Row<'_>, column: usize) -> Result<Option<MinorUnits>, DatabaseError> {
    let amount: Option<i64> = row.get(column)?;
    amount.map(MinorUnits::new).transpose().map_err(|error| corrupt("card_amount", error))
}

fn update(
    connection: &Connection,
    payment: i64,
    n: i64,
    refund: &Refund,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE refunds SET state = ?3, response_code = ?4, decline_code = ?5, advice = ?6, \
         auth_code = ?7, outcome_source = ?8, tries = ?9, due_at = ?10, caller = ?11, \
         moved_to = ?12 \
         WHERE payment = ?1 AND n = ?2",
    )?;
    let code = refund.decline.and_then(|decline| decline.response_code);
    statement.execute(params![
        payment,
        n,
        refund.state.as_str(),
        code.as_ref().map(ResponseCode::as_str),
        refund.decline.map(|decline| decline.code.as_str()),
        refund.decline.map(|decline| decline.advice.as_str()),
        refund.auth_code,
        refund.outcome_source,
        stored(refund.tries),
        refund.due_at.map(Timestamp::millis),
        refund.caller,
        refund.moved_to,
    ])?;
    Ok(())
}

/// The row of the payment that a refund belongs to.
pub fn payment_of(
    connection: &Connection,
    refund: &RefundId,
) -> Result<Option<i64>, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT payment FROM refunds WHERE public_id = ?1")?;
    Ok(statement.query_row([refund.bytes().as_slice()], |row| row.get(0)).optional()?)
}

/// Refunds to be asked after at `now` or before, oldest first, with the rows of their payments.
pub fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(i64, RefundId)>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT payment, public_id FROM refunds WHERE due_at IS NOT NULL AND due_at <= ?1 \
         ORDER BY due_at LIMIT ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, RefundId::from_bytes(bytes16(row, 1)?)));
    let rows = statement.query_map(params![now.millis(), limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next refund after `now` is asked after.
pub fn next_due(
    connection: &Connection,
    now: Timestamp,
) -> Result<Option<Timestamp>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT MIN(due_at) FROM refunds WHERE due_at IS NOT NULL AND due_at > ?1",
    )?;
    Ok(statement.query_row([now.millis()], |row| optional_timestamp(row, 0))?)
}

/// Refunds that were on their way, with the rows of their payments.
pub fn authorizing(connection: &Connection) -> Result<Vec<(i64, RefundId)>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT payment, public_id FROM refunds \
         WHERE due_at IS NOT NULL AND state = 'authorizing'",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, RefundId::from_bytes(bytes16(row, 1)?)));
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A refund as it stands in the list of its merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRefund {
    /// Its id.
    pub id: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: RefundState,
    /// The merchant's reason.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A merchant's refunds in these states, newest first, or from the oldest newer one up; `limit`
/// and one more, which tells whether there are more.
pub fn list(
    connection: &Connection,
    merchant: &MerchantId,
    states: &[RefundState],
    position: Position<RefundId>,
    limit: u32,
) -> Result<Vec<ListedRefund>, DatabaseError> {
    let (side, order, from) = match position {
        Position::First => ("<", "DESC", None),
        Position::After(id) => ("<", "DESC", Some(id)),
        Position::Before(id) => (">", "ASC", Some(id)),
    };
    let words: Vec<String> = states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    let sql = format!(
        "SELECT refunds.public_id, payments.public_id, refunds.amount, payments.currency, \
         refunds.state, refunds.reason, refunds.transmission_at \
         FROM refunds JOIN payments ON payments.id = refunds.payment \
         WHERE payments.merchant = ?1 AND (?2 IS NULL OR refunds.public_id {side} ?2) \
         AND refunds.state IN ({}) ORDER BY refunds.public_id {order} LIMIT ?3",
        words.join(", "),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let from = from.as_ref().map(RefundId::bytes);
    let limit = i64::from(limit).saturating_add(1);
    let mut rows = statement.query(params![merchant.bytes(), from, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(ListedRefund {
            id: RefundId::from_bytes(bytes16(row, 0)?),
            payment: PaymentId::from_bytes(bytes16(row, 1)?),
            amount: Money::new(amount(row, 2)?, parsed::<Currency>(row, 3, "currency")?),
            state: word(row, 4, &RefundState::ALL, RefundState::as_str)?,
            reason: row.get(5)?,
            created_at: Timestamp::from_millis(row.get(6)?),
        });
    }
    Ok(found)
}
