//! Captures and credits that wait for clearing.

use kit::http::NonceRow;
use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};
use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::acquirer::{self, StoredTransaction};
use super::reversals::OnRecord;
use super::{Store, columns, insert_nonce};
use crate::domain::capture::{self, CaptureCase};
use crate::domain::clearing::ClearingState;
use crate::domain::identity::{BusinessDigest, Identity};
use crate::domain::network_profile::OverCapture;

/// A capture advice.
#[derive(Clone, Copy, Debug)]
pub struct NewCapture {
    /// Its own identity.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// The authorization that it captures.
    pub original: Identity,
    /// Minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Now.
    pub at: Timestamp,
}

/// What became of a capture advice.
#[derive(Clone, Debug)]
pub enum CaptureOutcome {
    /// There is no such authorization.
    UnknownOriginal,
    /// Its identity was known with other business fields.
    Conflict,
    /// Recorded now or before, with this answer.
    Answered {
        /// The row.
        record: i64,
        /// Field 39.
        code: ResponseCode,
        /// The authorization.
        transaction: Box<StoredTransaction>,
    },
}

impl Store {
    /// Records a capture; `tolerance` tells how far captures may exceed the authorization.
    pub async fn take_capture<F>(
        &self,
        new: NewCapture,
        nonce: Option<NonceRow>,
        tolerance: F,
    ) -> Result<CaptureOutcome, DatabaseError>
    where
        F: FnOnce(&StoredTransaction) -> OverCapture + Send + 'static,
    {
        self.database
            .write(move |connection| {
                insert_nonce(connection, nonce.as_ref(), new.at)?;
                take(connection, &new, tolerance)
            })
            .await
    }

    /// What is on record about a capture of this identity, and whether it has left for clearing.
    pub async fn find_capture(
        &self,
        identity: Identity,
    ) -> Result<(OnRecord, bool), DatabaseError> {
        self.database
            .read(move |connection| {
                let Some((record, _, code)) = find(connection, &identity)? else {
                    return Ok((OnRecord::Nothing, false));
                };
                let sql =
                    format!("SELECT state IN {SUBMITTED} FROM clearing_records WHERE id = ?1");
                let submitted =
                    connection.prepare_cached(&sql)?.query_row([record], |row| row.get(0))?;
                Ok((OnRecord::Answered(code), submitted))
            })
            .await
    }

    /// Whether the credit record of a refund has left for clearing.
    pub async fn credit_is_submitted(&self, transaction: i64) -> Result<bool, DatabaseError> {
        let sql = format!(
            "SELECT COUNT(*) > 0 FROM clearing_records
             WHERE transaction_id = ?1 AND kind = 'credit' AND state IN {SUBMITTED}"
        );
        self.database
            .read(move |connection| {
                Ok(connection.prepare_cached(&sql)?.query_row([transaction], |row| row.get(0))?)
            })
            .await
    }

    /// Counts an answer to a capture that is lost on purpose; returns how many were lost before.
    pub async fn lose_capture_answer(&self, record: i64) -> Result<i64, DatabaseError> {
        let sql = "UPDATE clearing_records SET answers_lost = answers_lost + 1
             WHERE id = ?1 RETURNING answers_lost - 1";
        self.database
            .write(move |connection| {
                Ok(connection.prepare_cached(sql)?.query_row([record], |row| row.get(0))?)
            })
            .await
    }
}

fn take<F>(
    connection: &Connection,
    new: &NewCapture,
    tolerance: F,
) -> Result<CaptureOutcome, DatabaseError>
where
    F: FnOnce(&StoredTransaction) -> OverCapture,
{
    let Some(transaction) = acquirer::find(connection, &new.original)? else {
        return Ok(CaptureOutcome::UnknownOriginal);
    };
    let case = CaptureCase {
        transaction: transaction.machine,
        is_increment: transaction.raises.is_some(),
        purpose: transaction.purpose,
        currency: transaction.currency,
        captured: captured(connection, transaction.id)?,
        tolerance: tolerance(&transaction),
        amount: new.amount,
        capture_currency: new.currency,
    };
    let code = capture::judge(&case);
    if let Some(record) = insert(connection, new, transaction.id, code)? {
        return Ok(CaptureOutcome::Answered { record, code, transaction: Box::new(transaction) });
    }
    match find(connection, &new.identity)? {
        Some((record, digest, code)) if digest == Some(new.digest) => {
            Ok(CaptureOutcome::Answered { record, code, transaction: Box::new(transaction) })
        }
        Some(_) | None => Ok(CaptureOutcome::Conflict),
    }
}

/// States of a record that can no longer be withdrawn.
const SUBMITTED: &str = "('in_file', 'presented', 'rejected', 'posted', 'settled')";

/// How far the captures of a transaction have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// One of them has left for clearing.
    pub submitted: bool,
    /// What the issuer has posted of them.
    pub posted: MinorUnits,
    /// What they come to.
    pub captured: MinorUnits,
}

/// How far the captures of a transaction have come.
pub(super) fn progress(
    connection: &Connection,
    transaction: i64,
) -> Result<Progress, DatabaseError> {
    let sql = format!(
        "SELECT COUNT(*) FILTER (WHERE state IN {SUBMITTED}) > 0,
             COALESCE(SUM(amount) FILTER (WHERE state IN ('posted', 'settled')), 0)
         FROM clearing_records WHERE transaction_id = ?1 AND kind = 'presentment'"
    );
    let (submitted, posted) = connection
        .prepare_cached(&sql)?
        .query_row([transaction], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let posted = MinorUnits::new(posted);
    let posted = posted.map_err(|_| DatabaseError::Corrupt("what was posted".into()))?;
    Ok(Progress { submitted, posted, captured: captured(connection, transaction)? })
}

/// What is captured of a transaction, without what was withdrawn or refused.
fn captured(connection: &Connection, transaction: i64) -> Result<MinorUnits, DatabaseError> {
    let sum: i64 = connection
        .prepare_cached(
            "SELECT COALESCE(SUM(amount), 0) FROM clearing_records
             WHERE transaction_id = ?1 AND state NOT IN ('withdrawn', 'refused', 'written_off')",
        )?
        .query_row([transaction], |row| row.get(0))?;
    MinorUnits::new(sum).map_err(|_| DatabaseError::Corrupt(format!("captured is {sum}")))
}

fn insert(
    connection: &Connection,
    new: &NewCapture,
    transaction: i64,
    code: ResponseCode,
) -> Result<Option<i64>, DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(&new.identity);
    let state = if code.approves() { ClearingState::Queued.as_str() } else { "refused" };
    let inserted = connection
        .prepare_cached(
            "INSERT INTO clearing_records (transmission_at, terminal, stan, digest,
                 transaction_id, kind, amount, currency, state, response_code, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 'presentment', ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            transmission_at,
            terminal,
            stan,
            new.digest.0,
            transaction,
            new.amount.get(),
            new.currency.code(),
            state,
            code.as_str(),
            new.at.millis(),
        ])?;
    Ok((inserted == 1).then(|| connection.last_insert_rowid()))
}

type Found = (i64, Option<BusinessDigest>, ResponseCode);

fn find(connection: &Connection, identity: &Identity) -> Result<Option<Found>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, digest, response_code FROM clearing_records
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
    )?;
    let mut rows = statement.query(columns::key(identity))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let digest: Option<[u8; 16]> = row.get(1)?;
    let code = columns::word(row, "response_code", |text| ResponseCode::parse(text).ok())?;
    Ok(Some((row.get(0)?, digest.map(BusinessDigest), code)))
}

/// The credit record of an approved refund.
pub(super) fn insert_credit(
    connection: &Connection,
    transaction: i64,
    amount: MinorUnits,
    currency: Currency,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "INSERT INTO clearing_records (transaction_id, kind, amount, currency, state,
                 response_code, created_at)
             VALUES (?1, 'credit', ?2, ?3, ?4, '00', ?5)",
        )?
        .execute(params![
            transaction,
            amount.get(),
            currency.code(),
            ClearingState::Queued.as_str(),
            at.millis(),
        ])?;
    Ok(())
}

/// Takes back what still waits for the cut-off.
pub(super) fn withdraw(connection: &Connection, transaction: i64) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "UPDATE clearing_records SET state = ?2 WHERE transaction_id = ?1 AND state = ?3",
        )?
        .execute((
            transaction,
            ClearingState::Withdrawn.as_str(),
            ClearingState::Queued.as_str(),
        ))?;
    Ok(())
}
