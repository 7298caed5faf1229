//! Reading columns into the types of the wire.

use rusqlite::Row;
use wire::time::Timestamp;

/// A sixteen-byte column, as ids and trace ids are stored.
pub fn bytes16(row: &Row<'_>, column: usize) -> Result<[u8; 16], rusqlite::Error> {
    row.get(column)
}

/// A sixteen-byte column that may be null.
pub fn optional_bytes16(row: &Row<'_>, column: usize) -> Result<Option<[u8; 16]>, rusqlite::Error> {
    row.get(column)
}

/// A column of milliseconds since the epoch.
pub fn timestamp(row: &Row<'_>, column: usize) -> Result<Timestamp, rusqlite::Error> {
    row.get(column).map(Timestamp::from_millis)
}

/// A column of milliseconds since the epoch that may be null.
pub fn optional_timestamp(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<Timestamp>, rusqlite::Error> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}
