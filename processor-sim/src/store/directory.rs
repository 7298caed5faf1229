//! Terminals and merchants: the short keys of what messages name at length.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row};

use super::Store;
use crate::domain::identity::TerminalKey;
use crate::domain::outcome::Triggers;
use crate::domain::patch::Patch;

/// A terminal of an acquirer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Its key.
    pub key: TerminalKey,
    /// Field 32.
    pub acquirer_id: String,
    /// Field 41.
    pub terminal_id: String,
}

/// A merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptor {
    /// Its key.
    pub id: i64,
    /// Field 32.
    pub acquirer_id: String,
    /// Field 42.
    pub card_acceptor_id: String,
    /// Whether the processor takes nothing from it.
    pub blocked: bool,
    /// Enabled merchant category codes; `None`: all.
    pub categories: Option<Vec<String>>,
    /// Which triggers choose outcomes.
    pub triggers: Triggers,
    /// Tries that the networks forbid are sent, for a fee.
    pub retries_for_fee: bool,
    /// How far captures may exceed their authorization, in percent, whatever the networks say.
    pub over_capture: u8,
}

/// What is to change at a merchant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptorChange {
    /// Block or unblock.
    pub blocked: Option<bool>,
    /// The enabled categories; cleared: all.
    pub categories: Patch<Vec<String>>,
    /// Whether tries that the networks forbid are sent for a fee.
    pub retries_for_fee: Option<bool>,
    /// How far captures may exceed their authorization.
    pub over_capture: Option<u8>,
    /// New triggers.
    pub triggers: Option<Triggers>,
}

impl Store {
    /// Every terminal.
    pub async fn terminals(&self) -> Result<Vec<Terminal>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement =
                    connection.prepare("SELECT id, acquirer_id, terminal_id FROM terminals")?;
                let rows = statement.query_map([], |row| {
                    Ok(Terminal {
                        key: TerminalKey(row.get(0)?),
                        acquirer_id: row.get(1)?,
                        terminal_id: row.get(2)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// The key of a terminal; a new one for a terminal that was not seen before.
    pub async fn board_terminal(
        &self,
        acquirer_id: String,
        terminal_id: String,
    ) -> Result<TerminalKey, DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO terminals (acquirer_id, terminal_id) VALUES (?1, ?2)
                     ON CONFLICT DO NOTHING",
                    (&acquirer_id, &terminal_id),
                )?;
                let key = connection.query_row(
                    "SELECT id FROM terminals WHERE acquirer_id = ?1 AND terminal_id = ?2",
                    (&acquirer_id, &terminal_id),
                    |row| row.get(0),
                )?;
                Ok(TerminalKey(key))
            })
            .await
    }

    /// Every merchant.
    pub async fn acceptors(&self) -> Result<Vec<Acceptor>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare("SELECT * FROM card_acceptors")?;
                let rows = statement.query_map([], acceptor)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// A merchant; boarded when it was not seen before.
    pub async fn board_acceptor(
        &self,
        acquirer_id: String,
        card_acceptor_id: String,
    ) -> Result<Acceptor, DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO card_acceptors (acquirer_id, card_acceptor_id) VALUES (?1, ?2)
                     ON CONFLICT DO NOTHING",
                    (&acquirer_id, &card_acceptor_id),
                )?;
                let found = connection.query_row(
                    "SELECT * FROM card_acceptors
                     WHERE acquirer_id = ?1 AND card_acceptor_id = ?2",
                    (&acquirer_id, &card_acceptor_id),
                    acceptor,
                )?;
                Ok(found)
            })
            .await
    }

    /// Changes a merchant; `None` when there is no such merchant.
    pub async fn change_acceptor(
        &self,
        id: i64,
        change: AcceptorChange,
    ) -> Result<Option<Acceptor>, DatabaseError> {
        self.database.write(move |connection| change_acceptor(connection, id, &change)).await
    }
}

fn change_acceptor(
    connection: &Connection,
    id: i64,
    change: &AcceptorChange,
) -> Result<Option<Acceptor>, DatabaseError> {
    if let Some(blocked) = change.blocked {
        let status = if blocked { "blocked" } else { "active" };
        connection.execute("UPDATE card_acceptors SET status = ?2 WHERE id = ?1", (id, status))?;
    }
    let list = match &change.categories {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(list) => Patch::Set(list.join(" ")),
    };
    if list != Patch::Keep {
        let list = list.over(None);
        connection
            .execute("UPDATE card_acceptors SET categories = ?2 WHERE id = ?1", (id, list))?;
    }
    if let Some(triggers) = change.triggers {
        connection.execute(
            "UPDATE card_acceptors SET trigger_holder_name = ?2, trigger_amount = ?3
             WHERE id = ?1",
            (id, triggers.holder_name, triggers.amount),
        )?;
    }
    if let Some(sent) = change.retries_for_fee {
        connection
            .execute("UPDATE card_acceptors SET retries_for_fee = ?2 WHERE id = ?1", (id, sent))?;
    }
    if let Some(percent) = change.over_capture {
        connection
            .execute("UPDATE card_acceptors SET over_capture = ?2 WHERE id = ?1", (id, percent))?;
    }
    let mut statement = connection.prepare("SELECT * FROM card_acceptors WHERE id = ?1")?;
    let mut rows = statement.query_map([id], acceptor)?;
    Ok(rows.next().transpose()?)
}

fn acceptor(row: &Row<'_>) -> Result<Acceptor, rusqlite::Error> {
    let status: String = row.get("status")?;
    let categories: Option<String> = row.get("categories")?;
    Ok(Acceptor {
        id: row.get("id")?,
        acquirer_id: row.get("acquirer_id")?,
        card_acceptor_id: row.get("card_acceptor_id")?,
        blocked: status == "blocked",
        categories: categories.map(|list| list.split(' ').map(str::to_owned).collect()),
        triggers: Triggers {
            holder_name: row.get("trigger_holder_name")?,
            amount: row.get("trigger_amount")?,
        },
        retries_for_fee: row.get("retries_for_fee")?,
        over_capture: row.get("over_capture")?,
    })
}
