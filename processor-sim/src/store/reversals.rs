//! Reversals that the gateway asked for.

use kit::http::NonceRow;
use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};
use wire::codes::ResponseCode;
use wire::money::MinorUnits;

use super::acquirer::{self, NewTransaction, StoredTransaction};
use super::captures::Progress;
use super::{Store, captures, columns, insert_nonce, obligations};
use crate::domain::acquirer_transaction::TransactionState;
use crate::domain::identity::{BusinessDigest, Identity};
use crate::domain::obligation::ObligationKind;

/// A reversal as it came in.
#[derive(Clone, Debug)]
pub struct NewReversal {
    /// Its own identity.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// What stands for the original if it was never seen: a tombstone of this shape.
    pub original: NewTransaction,
    /// What remains; `None`: nothing.
    pub remains: Option<MinorUnits>,
    /// Field 25.
    pub reason_code: Option<String>,
    /// The sender's name for it.
    pub reversal_id: Option<[u8; 16]>,
}

/// How a reversal begins.
#[derive(Clone, Debug)]
pub enum ReversalStart {
    /// Its identity was known with other business fields.
    Conflict,
    /// To be passed on, or answered already.
    Begun(Box<BegunReversal>),
}

/// A reversal on record.
#[derive(Clone, Debug)]
pub struct BegunReversal {
    /// The row.
    pub id: i64,
    /// The original, or the tombstone that stands for it.
    pub transaction: StoredTransaction,
    /// The answer it has got before.
    pub code: Option<ResponseCode>,
    /// How often it was received before.
    pub received_before: i64,
    /// How far the captures of the original, or of what it raises, have come.
    pub progress: Progress,
    /// What captures may take of it.
    pub left: MinorUnits,
}

/// What is on record about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRecord {
    /// It never came.
    Nothing,
    /// It came and has no answer yet.
    Unanswered,
    /// It was answered with this code.
    Answered(ResponseCode),
}

impl Store {
    /// Records a reversal, withdraws captures that it takes back, and leaves a tombstone when
    /// its original was never seen.
    pub async fn begin_reversal(
        &self,
        new: NewReversal,
        nonce: Option<NonceRow>,
    ) -> Result<ReversalStart, DatabaseError> {
        self.database
            .write(move |connection| {
                insert_nonce(connection, nonce.as_ref(), new.original.sent_at)?;
                begin(connection, &new)
            })
            .await
    }

    /// Records the answer to a reversal. An acknowledgement takes effect on the transaction and
    /// ends what the processor itself owed for it.
    pub async fn finish_reversal(
        &self,
        reversal: i64,
        transaction: Box<StoredTransaction>,
        remains: Option<MinorUnits>,
        code: ResponseCode,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE reversals SET response_code = ?2 WHERE id = ?1")?
                    .execute((reversal, code.as_str()))?;
                if code != ResponseCode::ALREADY_CLEARED {
                    acquirer::acknowledge_reversal(connection, transaction.id, remains)?;
                }
                let kind = ObligationKind::ProcessorReversal;
                obligations::settle(connection, kind, &transaction.identity)
            })
            .await
    }

    /// What is on record about a message of this identity.
    pub async fn find_reversal(&self, identity: Identity) -> Result<OnRecord, DatabaseError> {
        self.database
            .read(move |connection| {
                Ok(match find(connection, &identity)? {
                    None => OnRecord::Nothing,
                    Some(Found { code: None, .. }) => OnRecord::Unanswered,
                    Some(Found { code: Some(code), .. }) => OnRecord::Answered(code),
                })
            })
            .await
    }
}

fn begin(connection: &Connection, new: &NewReversal) -> Result<ReversalStart, DatabaseError> {
    let transaction = match acquirer::find(connection, &new.original.identity)? {
        Some(found) => found,
        None => bury(connection, &new.original)?,
    };
    let base = match transaction.raises {
        Some(base) => acquirer::find_by_id(connection, base)?,
        None => transaction.clone(),
    };
    let progress = captures::progress(connection, base.id)?;
    let left = base.machine.left();
    if let Some(known) = find(connection, &new.identity)? {
        if known.digest != new.digest {
            return Ok(ReversalStart::Conflict);
        }
        connection
            .prepare_cached("UPDATE reversals SET received = received + 1 WHERE id = ?1")?
            .execute([known.id])?;
        return Ok(ReversalStart::Begun(Box::new(BegunReversal {
            id: known.id,
            transaction,
            code: known.code,
            received_before: known.received,
            progress,
            left,
        })));
    }
    let (transmission_at, terminal, stan) = columns::key(&new.identity);
    connection
        .prepare_cached(
            "INSERT INTO reversals (transmission_at, terminal, stan, digest, transaction_id,
                 remains, reason_code, reversal_id, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            transmission_at,
            terminal,
            stan,
            new.digest.0,
            transaction.id,
            new.remains.map(MinorUnits::get),
            new.reason_code,
            new.reversal_id,
            new.original.sent_at.millis(),
        ])?;
    let id = connection.last_insert_rowid();
    if new.remains.is_none() && !progress.submitted {
        captures::withdraw(connection, transaction.id)?;
    }
    let begun = BegunReversal { id, transaction, code: None, received_before: 0, progress, left };
    Ok(ReversalStart::Begun(Box::new(begun)))
}

/// Writes a tombstone for a request that never came.
fn bury(
    connection: &Connection,
    original: &NewTransaction,
) -> Result<StoredTransaction, DatabaseError> {
    acquirer::insert(connection, original, TransactionState::Tombstone)?;
    let found = acquirer::find(connection, &original.identity)?;
    found.ok_or(DatabaseError::Corrupt("a tombstone is missing".into()))
}

struct Found {
    id: i64,
    digest: BusinessDigest,
    code: Option<ResponseCode>,
    received: i64,
}

fn find(connection: &Connection, identity: &Identity) -> Result<Option<Found>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, digest, response_code, received FROM reversals
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
    )?;
    let mut rows = statement.query(columns::key(identity))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Found {
        id: row.get(0)?,
        digest: BusinessDigest(row.get(1)?),
        code: columns::code(row)?,
        received: row.get(3)?,
    }))
}
