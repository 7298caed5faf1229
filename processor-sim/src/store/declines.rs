//! Declines that forbid or delay another try.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};
use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::{Store, columns};
use crate::domain::identity::CardDigest;
use crate::domain::retry_policy::PastDecline;

/// What another try is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryKey {
    /// The merchant.
    pub acceptor: i64,
    /// The number or token, as a keyed digest.
    pub credential: CardDigest,
    /// Minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
}

/// What is kept of an answer for later tries.
#[derive(Clone, Debug)]
pub struct RetryNote {
    /// Of which tries.
    pub key: RetryKey,
    /// A saved card was used.
    pub stored: bool,
    /// The answer was a decline.
    pub decline: Option<PastDecline>,
    /// The security code was wrong.
    pub wrong_code: bool,
}

/// Declines of a key that are looked at.
const LOOKED_AT: u32 = 64;

impl Store {
    /// The declines of a saved card for this merchant and amount, newest first.
    pub async fn declines(&self, key: RetryKey) -> Result<Vec<PastDecline>, DatabaseError> {
        self.database.read(move |connection| of_key(connection, &key)).await
    }

    /// When wrong security codes of a card came in at a merchant since `since`.
    pub async fn wrong_codes(
        &self,
        key: RetryKey,
        since: Timestamp,
    ) -> Result<Vec<Timestamp>, DatabaseError> {
        let sql = "SELECT at FROM declines
             WHERE acceptor = ?1 AND credential = ?2 AND at > ?3 AND wrong_code = 1";
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(sql)?;
                let values = params![key.acceptor, key.credential.0, since.millis()];
                let rows = statement.query_map(values, |row| row.get(0))?;
                let at: Vec<i64> = rows.collect::<Result<_, _>>()?;
                Ok(at.into_iter().map(Timestamp::from_millis).collect())
            })
            .await
    }

    /// Cards with wrong security codes since `since`: merchant and keyed digest.
    pub async fn cards_with_wrong_codes(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(i64, CardDigest)>, DatabaseError> {
        let sql = "SELECT DISTINCT acceptor, credential FROM declines
             WHERE wrong_code = 1 AND at > ?1";
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare(sql)?;
                let rows = statement.query_map([since.millis()], |row| {
                    Ok((row.get(0)?, CardDigest(row.get(1)?)))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}

fn of_key(connection: &Connection, key: &RetryKey) -> Result<Vec<PastDecline>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT code AS response_code, advice, at FROM declines
         WHERE acceptor = ?1 AND credential = ?2 AND amount = ?3 AND currency = ?4 AND stored = 1
         ORDER BY at DESC, id DESC LIMIT ?5",
    )?;
    let mut rows = statement.query(params![
        key.acceptor,
        key.credential.0,
        key.amount.get(),
        key.currency.code(),
        LOOKED_AT,
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let code = columns::word(row, "response_code", |text| ResponseCode::parse(text).ok())?;
        found.push(PastDecline {
            code,
            advice: row.get("advice")?,
            at: Timestamp::from_millis(row.get("at")?),
        });
    }
    Ok(found)
}

/// Keeps what later tries are judged by. An approval begins the story anew.
pub(super) fn note(connection: &Connection, note: &RetryNote) -> Result<(), DatabaseError> {
    let key = &note.key;
    let Some(decline) = &note.decline else {
        connection
            .prepare_cached(
                "DELETE FROM declines WHERE acceptor = ?1 AND credential = ?2 AND amount = ?3
                     AND currency = ?4 AND stored = 1 AND wrong_code = 0",
            )?
            .execute(params![
                key.acceptor,
                key.credential.0,
                key.amount.get(),
                key.currency.code()
            ])?;
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO declines (acceptor, credential, amount, currency, at, code, advice,
                 stored, wrong_code)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            key.acceptor,
            key.credential.0,
            key.amount.get(),
            key.currency.code(),
            decline.at.millis(),
            decline.code.as_str(),
            decline.advice,
            note.stored,
            note.wrong_code,
        ])?;
    Ok(())
}
