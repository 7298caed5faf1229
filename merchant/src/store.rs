//! The only SQL: rows to domain values and back. A unit of work is one synchronous closure.

pub mod audit;
pub mod books;
pub mod carts;
pub mod due;
pub mod inbox;
pub mod invariants;
pub mod lists;
pub mod office;
pub mod orders;
pub mod privacy;
mod rows;
pub mod subscriptions;

use kit::sqlite::{Database, DatabaseError, DatabaseOptions, Location, OpenError};
use rusqlite::{Connection, OptionalExtension};
use wire::ids::MerchantId;

/// Every migration, in order; never edited after it has landed.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_shop.sql"),
    include_str!("../migrations/0002_subscriptions.sql"),
    include_str!("../migrations/0003_moved_refunds.sql"),
    include_str!("../migrations/0004_needs_action.sql"),
];

/// A unit of work was not done; nothing of it is stored.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(#[from] pub DatabaseError);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(DatabaseError::from(error))
    }
}

impl StoreError {
    /// A row that parses to no legal state.
    fn corrupt(what: impl Into<String>) -> Self {
        Self(DatabaseError::Corrupt(what.into()))
    }
}

/// The shop's database; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    /// Whose payments are accepted; written into every fulfilment.
    merchant: MerchantId,
}

impl Store {
    /// Opens the database and brings it to the newest schema.
    pub fn open(location: &Location, merchant: MerchantId) -> Result<Self, OpenError> {
        let database = Database::open(location, MIGRATIONS, DatabaseOptions::default())?;
        Ok(Self { database, merchant })
    }

    /// The database, for its end and its queue.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Counts this start, from 1.
    pub async fn count_boot(&self) -> Result<i64, StoreError> {
        self.write(|connection| {
            let sql = "INSERT INTO meta (name, value) VALUES ('boots', 1)
                       ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value";
            Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.write(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.read(work).await
    }
}

/// The first row as a value, or none.
fn optional<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<Option<T>, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_row(parameters, read).optional()?)
}

/// Every row as a value.
fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    mut read: impl FnMut(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
