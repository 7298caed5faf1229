//! 3-D Secure authentications of a payment.

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::card::Brand;
use wire::three_ds::{TransId, TransStatus};
use wire::time::Timestamp;

use super::rows::{corrupt, parsed, stored};
use crate::domain::three_ds::{Authentication, Stage, Values, Wanted};

pub(super) fn of(
    connection: &Connection,
    payment: i64,
) -> Result<Vec<Authentication>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT trans_id, n, brand, stage, status, required, wanted, method, technical, \
         challenged, tampered, returned, ds_trans_id, acs_trans_id, acs_url, eci, cavv, reason, \
         cancel, unanswered, created_at, due_at FROM authentications WHERE payment = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([payment])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Authentication, DatabaseError> {
    let optional_id = |column: usize| -> Result<Option<TransId>, DatabaseError> {
        Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(TransId::from_bytes))
    };
    let method: String = row.get(7)?;
    let wanted: String = row.get(6)?;
    Ok(Authentication {
        id: TransId::from_bytes(bytes16(row, 0)?),
        attempt: row.get(1)?,
        brand: parsed::<Brand>(row, 2, "brand")?,
        stage: stage(row)?,
        required: row.get(5)?,
        wanted: Wanted::of_code(&wanted).ok_or_else(|| corrupt("wanted", &wanted))?,
        method: method.chars().next().ok_or_else(|| corrupt("method", "empty"))?,
        technical: row.get(8)?,
        challenged: row.get(9)?,
        tampered: row.get(10)?,
        returned: status(row, 11)?,
        ds_trans_id: optional_id(12)?,
        acs_trans_id: optional_id(13)?,
        acs_url: row.get(14)?,
        values: Values {
            eci: row.get(15)?,
            value: row.get(16)?,
            reason: row.get(17)?,
            cancel: row.get(18)?,
        },
        unanswered: row.get(19)?,
        created_at: timestamp(row, 20)?,
        due_at: optional_timestamp(row, 21)?,
    })
}

fn stage(row: &Row<'_>) -> Result<Stage, DatabaseError> {
    let word: String = row.get(3)?;
    if let Some(status) = status(row, 4)? {
        return Ok(Stage::Done(status));
    }
    [Stage::MethodPending, Stage::RequestSent, Stage::Challenged, Stage::Returned]
        .into_iter()
        .find(|stage| stage.as_str() == word)
        .ok_or_else(|| corrupt("stage", word))
}

fn status(row: &Row<'_>, column: usize) -> Result<Option<TransStatus>, DatabaseError> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    let found = TransStatus::ALL.into_iter().find(|status| status.as_str() == text);
    found.map(Some).ok_or_else(|| corrupt("status", text))
}

pub(super) fn save(
    connection: &Connection,
    payment: i64,
    before: &[Authentication],
    after: &[Authentication],
) -> Result<(), DatabaseError> {
    for (index, authentication) in after.iter().enumerate() {
        if before.get(index) != Some(authentication) {
            write(connection, payment, authentication)?;
        }
    }
    Ok(())
}

fn write(connection: &Connection, payment: i64, it: &Authentication) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO authentications (payment, n, trans_id, brand, stage, status, required, \
         wanted, method, technical, challenged, tampered, returned, ds_trans_id, acs_trans_id, \
         acs_url, eci, cavv, reason, cancel, unanswered, created_at, due_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
         ?18, ?19, ?20, ?21, ?22, ?23) \
         ON CONFLICT (payment, n) DO UPDATE SET stage = excluded.stage, \
         status = excluded.status, method = excluded.method, technical = excluded.technical, \
         challenged = excluded.challenged, tampered = excluded.tampered, \
         returned = excluded.returned, ds_trans_id = excluded.ds_trans_id, \
         acs_trans_id = excluded.acs_trans_id, acs_url = excluded.acs_url, eci = excluded.eci, \
         cavv = excluded.cavv, reason = excluded.reason, cancel = excluded.cancel, \
         unanswered = excluded.unanswered, due_at = excluded.due_at",
    )?;
    statement.execute(params![
        payment,
        stored(it.attempt),
        it.id.bytes(),
        it.brand.as_str(),
        it.stage.as_str(),
        it.status().map(TransStatus::as_str),
        it.required,
        it.wanted.code(),
        it.method.to_string(),
        it.technical,
        it.challenged,
        it.tampered,
        it.returned.map(TransStatus::as_str),
        it.ds_trans_id.as_ref().map(TransId::bytes),
        it.acs_trans_id.as_ref().map(TransId::bytes),
        it.acs_url,
        it.values.eci,
        it.values.value,
        it.values.reason,
        it.values.cancel,
        it.unanswered,
        it.created_at.millis(),
        it.due_at.map(Timestamp::millis),
    ])?;
    Ok(())
}

/// The row of the payment that an authentication belongs to.
pub fn payment_of(connection: &Connection, id: TransId) -> Result<Option<i64>, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT payment FROM authentications WHERE trans_id = ?1")?;
    Ok(statement.query_row([id.bytes().as_slice()], |row| row.get(0)).optional()?)
}

/// Rows of payments whose authentication has taken too long at `now`, oldest first, and when the
/// next one will have.
pub fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<(Vec<i64>, Option<Timestamp>), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT payment FROM authentications WHERE due_at IS NOT NULL AND due_at <= ?1 \
         ORDER BY due_at LIMIT ?2",
    )?;
    let rows = statement.query_map(params![now.millis(), limit], |row| row.get(0))?;
    let rows = rows.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT MIN(due_at) FROM authentications WHERE due_at IS NOT NULL AND due_at > ?1",
    )?;
    let next = statement.query_row([now.millis()], |row| optional_timestamp(row, 0))?;
    Ok((rows, next))
}
