//! What people of the back office did: a chain of hashes, so that no entry can be changed unseen.

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use wire::time::Timestamp;

use super::{Store, StoreError, all, optional};

/// One action of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub actor: String,
    /// What, in one word: `refund_requested`.
    pub action: &'static str,
    /// To what: an order or an account.
    pub subject: String,
    /// More, for people.
    pub detail: String,
}

/// A stored action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its number.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More.
    pub detail: String,
}

impl Store {
    /// Records an action that changed nothing else, such as a login.
    pub async fn record_action(&self, entry: Entry, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| append(connection, &entry, now)).await
    }

    /// The newest actions.
    pub async fn actions(&self, limit: u32) -> Result<Vec<Audited>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT id, at, actor, action, subject, detail FROM audit
                       ORDER BY id DESC LIMIT ?1";
            all(connection, sql, [limit], |row| {
                Ok(Audited {
                    number: row.get("id")?,
                    at: kit::sqlite::timestamp(row, 1)?,
                    actor: row.get("actor")?,
                    action: row.get("action")?,
                    subject: row.get("subject")?,
                    detail: row.get("detail")?,
                })
            })
        })
        .await
    }

    /// The number of the first entry that does not fit the chain, if any.
    pub async fn broken_audit_entry(&self) -> Result<Option<i64>, StoreError> {
        self.read(first_broken).await
    }
}

/// Appends an entry in the caller's transaction.
pub(super) fn append(
    connection: &Connection,
    entry: &Entry,
    now: Timestamp,
) -> Result<(), StoreError> {
    let last =
        optional(connection, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))
        })?;
    let (number, previous) =
        last.map_or((1, [0; 32]), |(last, hash)| (last.saturating_add(1), hash));
    let fields = [entry.actor.as_str(), entry.action, &entry.subject, &entry.detail];
    let hash = link(previous, number, now.millis(), fields);
    let sql = "INSERT INTO audit (id, at, actor, action, subject, detail, previous, hash)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute((
        number,
        now.millis(),
        &entry.actor,
        entry.action,
        &entry.subject,
        &entry.detail,
        previous,
        hash,
    ))?;
    Ok(())
}

/// Walks the chain from its beginning.
pub(super) fn first_broken(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let sql =
        "SELECT id, at, actor, action, subject, detail, previous, hash FROM audit ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let (mut expected, mut previous) = (1_i64, [0_u8; 32]);
    while let Some(row) = rows.next()? {
        let number: i64 = row.get("id")?;
        let texts: [String; 4] =
            [row.get("actor")?, row.get("action")?, row.get("subject")?, row.get("detail")?];
        let fields = texts.each_ref().map(String::as_str);
        let hash = link(previous, number, row.get("at")?, fields);
        let stored: ([u8; 32], [u8; 32]) = (row.get("previous")?, row.get("hash")?);
        if number != expected || stored != (previous, hash) {
            return Ok(Some(number));
        }
        (expected, previous) = (expected.saturating_add(1), hash);
    }
    Ok(None)
}

/// Hash of an entry and its predecessor; every field is delimited by its length.
fn link(previous: [u8; 32], number: i64, at: i64, fields: [&str; 4]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"payrig/audit/v1");
    hash.update(previous);
    hash.update(number.to_be_bytes());
    hash.update(at.to_be_bytes());
    for field in fields {
        hash.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize().into()
}
