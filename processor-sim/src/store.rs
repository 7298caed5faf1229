//! The database: the only place that speaks SQL.

mod acquirer;
mod authentications;
mod batches;
mod captures;
mod cards;
mod clearing;
mod columns;
mod conversions;
mod declines;
mod directory;
mod disputes;
mod holds;
mod increments;
mod invariants;
mod ledger;
mod network;
mod network_tokens;
mod notices;
mod obligations;
mod presentments;
mod reversals;
mod statements;
mod views;

use kit::http::NonceRow;
use kit::sqlite::{Database, DatabaseError, DatabaseOptions, Location, OpenError};
use rusqlite::Connection;
use wire::time::Timestamp;

pub use acquirer::{Conclusion, NewTransaction, Opened, RetryFee, StoredTransaction};
pub use authentications::{ClaimedValue, NewAuthentication, ResultValues, StoredAuthentication};
pub use batches::{MerchantTerms, StoredBatch, StoredLine};
pub use captures::{CaptureOutcome, NewCapture};
pub use cards::{CardChange, NewCard, StoredCard};
pub use clearing::{ClearingView, FiledRecord, ForcePost, RecordNews, RecordResult, StoredFile};
pub use conversions::{NewConversion, RecordConversion, StoredQuote};
pub use declines::{RetryKey, RetryNote};
pub use directory::{Acceptor, AcceptorChange};
pub use disputes::{DisputeChange, NewDispute, Planned, StoredDispute};
pub use holds::{
    Advised, Authorized, CardRows, IssuerAdvice, IssuerRequest, IssuerReversal, Loaded, Ruling,
};
pub use increments::IssuerIncrement;
pub use invariants::{InvariantLimits, OverCapture};
pub use network::{NetworkState, NewNetworkTransaction, Recorded};
pub use network_tokens::{NewToken, StoredToken};
pub use notices::{Corruption, DueNotice, NewNotice};
pub use obligations::{NewObligation, StoredObligation};
pub use presentments::{IssuerPresentment, NetworkResult, PresentedRecord};
pub use reversals::{BegunReversal, NewReversal, OnRecord, ReversalStart};
pub use statements::StatementLine;
pub use views::{
    AccountView, BalanceView, Books, HoldView, LedgerBalance, LedgerLine, LedgerSum, StatusCounts,
};

/// Schema, in steps that are never edited after they have landed.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_ledgers_and_messages.sql"),
    include_str!("../migrations/0002_increments.sql"),
    include_str!("../migrations/0003_clearing_and_disputes.sql"),
    include_str!("../migrations/0004_three_ds.sql"),
    include_str!("../migrations/0005_retries.sql"),
    include_str!("../migrations/0006_card_lives.sql"),
    include_str!("../migrations/0007_network_tokens.sql"),
    include_str!("../migrations/0008_retry_fees.sql"),
    include_str!("../migrations/0009_conversions.sql"),
    include_str!("../migrations/0010_statements.sql"),
];

/// A handle to the database; clones share it. Every method is one unit of work.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    pub fn open(location: &Location) -> Result<Self, OpenError> {
        let database = Database::open(location, MIGRATIONS, DatabaseOptions::default())?;
        Ok(Self { database })
    }

    /// Resolves when a database thread has ended.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.database.ended()
    }

    /// Finishes what is queued and closes the files.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Counts this start and returns its number.
    pub async fn count_boot(&self) -> Result<i64, DatabaseError> {
        self.reserve("boots", 1).await.map(|before| before.saturating_add(1))
    }

    /// Reserves numbers of a counter; returns the first of them.
    pub async fn reserve(&self, name: &'static str, count: i64) -> Result<i64, DatabaseError> {
        let sql = "INSERT INTO counters (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value";
        self.database
            .write(move |connection| {
                let after: i64 =
                    connection.prepare_cached(sql)?.query_row((name, count), |row| row.get(0))?;
                Ok(after.saturating_sub(count))
            })
            .await
    }

    /// The nonces that have acted and have not expired; forgets the others.
    pub async fn nonces(&self, now: Timestamp) -> Result<Vec<NonceRow>, DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute("DELETE FROM nonces WHERE expires < ?1", [now.seconds()])?;
                let mut statement =
                    connection.prepare("SELECT expires, nonce, key_id FROM nonces")?;
                let rows = statement.query_map([], |row| {
                    Ok(NonceRow { expires: row.get(0)?, nonce: row.get(1)?, key_id: row.get(2)? })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}

/// One in 64 nonces begins like this: with it a handful of expired ones are forgotten.
const PRUNES_WITH: char = 'A';

/// Remembers a nonce in the unit of work of the message that it belongs to.
fn insert_nonce(
    connection: &Connection,
    nonce: Option<&NonceRow>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let Some(row) = nonce else { return Ok(()) };
    connection
        .prepare_cached("INSERT INTO nonces (expires, nonce, key_id) VALUES (?1, ?2, ?3)")?
        .execute((row.expires, &row.nonce, &row.key_id))?;
    if row.nonce.starts_with(PRUNES_WITH) {
        connection
            .prepare_cached(
                "DELETE FROM nonces WHERE (expires, nonce, key_id) IN (
                     SELECT expires, nonce, key_id FROM nonces WHERE expires < ?1
                     ORDER BY expires LIMIT 256)",
            )?
            .execute([now.seconds()])?;
    }
    Ok(())
}
