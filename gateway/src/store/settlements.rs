//! Settlement reports, and what clearing says about captures and refunds.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, OptionalExtension, params};
use wire::ids::{CaptureId, MerchantId, PaymentId, RefundId, SettlementId};
use wire::processor_api::Original;
use wire::settlement::{ClearingNews, SettlementReport};
use wire::time::Timestamp;

use super::rows::corrupt;

/// Notes a notice. False when it was taken in before.
pub fn note(connection: &Connection, number: i64, at: Timestamp) -> Result<bool, DatabaseError> {
    let noted = connection
        .prepare_cached("INSERT INTO notices VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((number, at.millis()))?;
    Ok(noted > 0)
}

/// The capture or refund that a message made, with the row of its payment.
pub fn made_by(
    connection: &Connection,
    payment: Option<&PaymentId>,
    original: &Original,
) -> Result<Option<(i64, Made)>, DatabaseError> {
    let (Ok(stan), Some(payment)) = (original.stan.parse::<u32>(), payment) else {
        return Ok(None);
    };
    let Some(row) = payment_row(connection, payment)? else { return Ok(None) };
    let key = (row, original.transmission_at.millis(), stan);
    let capture: Option<(i64, [u8; 16])> = connection
        .prepare_cached(
            "SELECT payment, public_id FROM captures WHERE payment = ?1 AND transmission_at = ?2 \
             AND stan = ?3",
        )?
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((row, id)) = capture {
        return Ok(Some((row, Made::Capture(CaptureId::from_bytes(id)))));
    }
    let refund: Option<(i64, [u8; 16])> = connection
        .prepare_cached(
            "SELECT payment, public_id FROM refunds WHERE payment = ?1 AND transmission_at = ?2 \
             AND stan = ?3",
        )?
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(refund.map(|(row, id)| (row, Made::Refund(RefundId::from_bytes(id)))))
}

/// What a message made.
#[derive(Clone, Copy, Debug)]
pub enum Made {
    /// A capture.
    Capture(CaptureId),
    /// A refund.
    Refund(RefundId),
}

/// Saves what clearing says about a capture or refund.
pub fn save_clearing(connection: &Connection, news: &ClearingNews) -> Result<(), DatabaseError> {
    let Ok(stan) = news.original.stan.parse::<u32>() else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO clearing_news VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
             arn = excluded.arn, state = excluded.state, reason = excluded.reason",
        )?
        .execute(params![
            news.original.transmission_at.millis(),
            stan,
            news.arn,
            news.state,
            news.reason,
        ])?;
    Ok(())
}

/// Saves a report; its lines get the ids of this gateway.
pub fn save(
    connection: &Connection,
    merchant: &MerchantId,
    mut report: SettlementReport,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    for line in &mut report.lines {
        let original = line.original.take();
        let made = match &original {
            Some(original) if line.reference.is_none() => {
                made_by(connection, line.payment_id.as_ref(), original)?
            }
            Some(_) | None => None,
        };
        if let Some((_, made)) = made {
            line.reference = Some(match made {
                Made::Capture(id) => id.to_string(),
                Made::Refund(id) => id.to_string(),
            });
        }
    }
    let summary = &report.summary;
    let body = serde_json::to_string(&report).map_err(|error| corrupt("settlement", error))?;
    connection
        .prepare_cached(
            "INSERT INTO settlements (public_id, merchant, date, currency, body, received_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            summary.batch_id.bytes(),
            merchant.bytes(),
            summary.date,
            summary.currency.code(),
            body,
            at.millis(),
        ])?;
    Ok(())
}

/// One report of a merchant.
pub fn find(
    connection: &Connection,
    merchant: &MerchantId,
    id: &SettlementId,
) -> Result<Option<SettlementReport>, DatabaseError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM settlements WHERE merchant = ?1 AND public_id = ?2")?
        .query_row(params![merchant.bytes(), id.bytes()], |row| row.get(0))
        .optional()?;
    body.as_deref().map(read).transpose()
}

/// A merchant's reports, newest first.
pub fn list(
    connection: &Connection,
    merchant: &MerchantId,
    limit: u32,
) -> Result<Vec<SettlementReport>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM settlements WHERE merchant = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows =
        statement.query_map(params![merchant.bytes(), limit], |row| row.get::<_, String>(0))?;
    rows.map(|body| read(&body?)).collect()
}

fn read(body: &str) -> Result<SettlementReport, DatabaseError> {
    serde_json::from_str(body).map_err(|error| corrupt("settlement", error))
}

/// The row of a payment by its id.
fn payment_row(connection: &Connection, payment: &PaymentId) -> Result<Option<i64>, DatabaseError> {
    let row = connection
        .prepare_cached("SELECT id FROM payments WHERE public_id = ?1")?
        .query_row([payment.bytes()], |row| row.get(0))
        .optional()?;
    Ok(row)
}
