//! Disputes as the network told them last, and what they mean for refunds.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, OptionalExtension, params};
use wire::ids::{DisputeId, MerchantId, PaymentId};
use wire::money::MinorUnits;
use wire::settlement::DisputeCase;

use super::rows::corrupt;
use crate::domain::payment::Payment;

/// Saves a case unless a newer one is known. `None`: nothing new; else whether it is a new case.
pub fn save(
    connection: &Connection,
    merchant: &MerchantId,
    case: &DisputeCase,
) -> Result<Option<bool>, DatabaseError> {
    let known: Option<i64> = connection
        .prepare_cached("SELECT sequence FROM disputes WHERE public_id = ?1")?
        .query_row([case.id.bytes()], |row| row.get(0))
        .optional()?;
    let sequence = i64::try_from(case.sequence).unwrap_or(i64::MAX);
    if known.is_some_and(|known| known >= sequence) {
        return Ok(None);
    }
    let body = serde_json::to_string(case).map_err(|error| corrupt("dispute", error))?;
    connection
        .prepare_cached(
            "INSERT INTO disputes (public_id, merchant, payment, sequence, state, amount, taken, \
             body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (public_id) DO UPDATE SET \
             sequence = excluded.sequence, state = excluded.state, taken = excluded.taken, \
             body = excluded.body",
        )?
        .execute(params![
            case.id.bytes(),
            merchant.bytes(),
            case.payment.as_ref().map(PaymentId::bytes),
            sequence,
            case.state,
            case.amount,
            case.taken,
            body,
        ])?;
    Ok(Some(known.is_none()))
}

/// A merchant's case.
pub fn find(
    connection: &Connection,
    merchant: &MerchantId,
    id: &DisputeId,
) -> Result<Option<DisputeCase>, DatabaseError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM disputes WHERE merchant = ?1 AND public_id = ?2")?
        .query_row(params![merchant.bytes(), id.bytes()], |row| row.get(0))
        .optional()?;
    body.as_deref().map(read).transpose()
}

/// A merchant's cases, newest first; those of one payment, or all.
pub fn list(
    connection: &Connection,
    merchant: &MerchantId,
    payment: Option<PaymentId>,
    limit: u32,
) -> Result<Vec<DisputeCase>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM disputes WHERE merchant = ?1 AND (?2 IS NULL OR payment = ?2) \
         ORDER BY id DESC LIMIT ?3",
    )?;
    let payment = payment.as_ref().map(PaymentId::bytes);
    let rows = statement
        .query_map(params![merchant.bytes(), payment, limit], |row| row.get::<_, String>(0))?;
    rows.map(|body| read(&body?)).collect()
}

fn read(body: &str) -> Result<DisputeCase, DatabaseError> {
    serde_json::from_str(body).map_err(|error| corrupt("dispute", error))
}

/// What cases have taken from a payment.
pub fn charged_back(
    connection: &Connection,
    payment: &PaymentId,
) -> Result<MinorUnits, DatabaseError> {
    let sum: i64 = connection
        .prepare_cached(
            "SELECT COALESCE(SUM(amount), 0) FROM disputes WHERE payment = ?1 AND taken = 1",
        )?
        .query_row([payment.bytes()], |row| row.get(0))?;
    MinorUnits::new(sum).map_err(|error| corrupt("charged_back", error))
}

/// Whether a refund must wait for a dispute, or would give back what a dispute has taken.
pub fn block_refund(
    connection: &Connection,
    payment: &Payment,
    amount: Option<MinorUnits>,
) -> Result<bool, DatabaseError> {
    let open: i64 = connection
        .prepare_cached(
            "SELECT COUNT(*) FROM disputes WHERE payment = ?1 AND state IN ('chargeback', \
             'represented', 'pre_arbitration', 'arbitration')",
        )?
        .query_row([payment.id.bytes()], |row| row.get(0))?;
    let taken = charged_back(connection, &payment.id)?.get();
    let left = payment.amounts.captured.get().saturating_sub(payment.refunds_held().get());
    let asked = amount.map_or(left, MinorUnits::get);
    Ok(open > 0 || (taken > 0 && asked > left.saturating_sub(taken)))
}
