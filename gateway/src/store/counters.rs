//! Counters of the program: starts, and trace numbers.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};

/// Counts one start of the program, and says how many there were.
pub fn count_boot(connection: &Connection) -> Result<u64, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO meta (name, value) VALUES ('boots', 1) \
         ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
    )?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Reserves `count` trace numbers of a day, and gives back the number of those before them.
pub fn reserve_trace_numbers(
    connection: &Connection,
    day: i64,
    count: u32,
) -> Result<u64, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO trace_numbers (day, reserved) VALUES (?1, ?2) \
         ON CONFLICT (day) DO UPDATE SET reserved = reserved + ?2 RETURNING reserved - ?2",
    )?;
    Ok(statement.query_row(params![day, count], |row| row.get::<_, i64>(0))?.unsigned_abs())
}
