//! Network tokens, and the codes with which they have paid.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::card::{CardNumber, Expiry};
use wire::processor_api::TokenStatus;
use wire::time::Timestamp;

use super::{Store, columns};
use crate::domain::identity::Identity;
use crate::domain::network_token::{TokenEvent, apply};

/// A network token.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// Row.
    pub id: i64,
    /// Its number.
    pub number: CardNumber,
    /// Row of the card that it stands for.
    pub card: i64,
    /// The merchant that it pays for.
    pub requestor: String,
    /// Its date.
    pub expiry: Expiry,
    /// Where it stands.
    pub state: TokenStatus,
    /// Codes that it was given.
    pub codes: i64,
}

/// A token that is asked for.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its number.
    pub number: CardNumber,
    /// Row of the card.
    pub card: i64,
    /// The merchant.
    pub requestor: String,
    /// Its date.
    pub expiry: Expiry,
    /// Now.
    pub at: Timestamp,
}

impl Store {
    /// Every token.
    pub async fn network_tokens(&self) -> Result<Vec<StoredToken>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare(&format!("{SELECT} ORDER BY id"))?;
                let mut rows = statement.query([])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(read(row)?);
                }
                Ok(found)
            })
            .await
    }

    /// Adds a token that the bank has not agreed to yet.
    pub async fn add_network_token(&self, new: NewToken) -> Result<StoredToken, DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO network_tokens (pan, card, requestor, expiry, state, created_at)
                     VALUES (?1, ?2, ?3, ?4, 'initiated', ?5)",
                    params![
                        new.number.expose(),
                        new.card,
                        new.requestor,
                        new.expiry.yymm(),
                        new.at.millis(),
                    ],
                )?;
                find(connection, connection.last_insert_rowid())
            })
            .await
    }

    /// Takes an event into a token; one that does not apply changes nothing.
    pub async fn change_network_token(
        &self,
        id: i64,
        event: TokenEvent,
    ) -> Result<StoredToken, DatabaseError> {
        self.database
            .write(move |connection| {
                let token = find(connection, id)?;
                if let Some(state) = apply(token.state, event) {
                    connection.execute(
                        "UPDATE network_tokens SET state = ?2 WHERE id = ?1",
                        (id, state.as_str()),
                    )?;
                }
                find(connection, id)
            })
            .await
    }

    /// The number of the next code of a token.
    pub async fn next_token_code(&self, id: i64) -> Result<i64, DatabaseError> {
        let sql = "UPDATE network_tokens SET codes = codes + 1 WHERE id = ?1 RETURNING codes";
        self.database
            .write(move |connection| {
                Ok(connection.prepare_cached(sql)?.query_row([id], |row| row.get(0))?)
            })
            .await
    }

    /// Uses a code of a token for a message. False: another message has used it.
    pub async fn use_token_code(
        &self,
        id: i64,
        code: u16,
        by: Identity,
    ) -> Result<bool, DatabaseError> {
        self.database
            .write(move |connection| {
                let (at, terminal, stan) = columns::key(&by);
                connection
                    .prepare_cached(
                        "INSERT INTO network_token_uses (token, code, transmission_at, terminal,
                             stan)
                         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                    )?
                    .execute((id, code, at, terminal, stan))?;
                let own: Option<i64> = connection
                    .prepare_cached(
                        "SELECT 1 FROM network_token_uses WHERE token = ?1 AND code = ?2
                             AND transmission_at = ?3 AND terminal = ?4 AND stan = ?5",
                    )?
                    .query_row((id, code, at, terminal, stan), |row| row.get(0))
                    .optional()?;
                Ok(own.is_some())
            })
            .await
    }
}

const SELECT: &str = "SELECT id, pan, card, requestor, expiry, state, codes FROM network_tokens";

fn find(connection: &Connection, id: i64) -> Result<StoredToken, DatabaseError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or(DatabaseError::Corrupt("a network token is missing".into()))?;
    read(row)
}

fn read(row: &Row<'_>) -> Result<StoredToken, DatabaseError> {
    Ok(StoredToken {
        id: row.get("id")?,
        // The column's text is never repeated in an error.
        number: CardNumber::parse(&row.get::<_, String>("pan")?)
            .map_err(|_| DatabaseError::Corrupt("the number of a token".into()))?,
        card: row.get("card")?,
        requestor: row.get("requestor")?,
        expiry: columns::word(row, "expiry", |text| Expiry::from_yymm(text).ok())?,
        state: columns::word(row, "state", TokenStatus::parse)?,
        codes: row.get("codes")?,
    })
}
