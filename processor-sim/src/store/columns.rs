//! Columns and what they mean: a row that parses to nothing legal is corruption.

use kit::sqlite::DatabaseError;
use rusqlite::Row;
use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId, Results};
use crate::domain::identity::{Identity, Stan, TerminalKey};
use crate::domain::outcome::OutcomeSource;

/// Reads a word of a column into its type.
pub(super) fn word<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, DatabaseError> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| corrupt(column, &text))
}

/// The same for a column that may be null.
pub(super) fn optional_word<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, DatabaseError> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or_else(|| corrupt(column, &text)),
    }
}

fn corrupt(column: &str, text: &str) -> DatabaseError {
    DatabaseError::Corrupt(format!("{column} is {text:?}"))
}

/// An amount.
pub(super) fn amount(row: &Row<'_>, column: &str) -> Result<MinorUnits, DatabaseError> {
    let value: i64 = row.get(column)?;
    MinorUnits::new(value).map_err(|_| corrupt(column, &value.to_string()))
}

/// A currency.
pub(super) fn currency(row: &Row<'_>, column: &str) -> Result<Currency, DatabaseError> {
    word(row, column, |text| Currency::parse(text).ok())
}

/// A response code that may be null.
pub(super) fn code(row: &Row<'_>) -> Result<Option<ResponseCode>, DatabaseError> {
    optional_word(row, "response_code", |text| ResponseCode::parse(text).ok())
}

/// A point in time.
pub(super) fn timestamp(row: &Row<'_>, column: &str) -> Result<Timestamp, DatabaseError> {
    Ok(Timestamp::from_millis(row.get(column)?))
}

/// The identity columns.
pub(super) fn identity(row: &Row<'_>) -> Result<Identity, DatabaseError> {
    let stan: i64 = row.get("stan")?;
    Ok(Identity {
        transmission_at: timestamp(row, "transmission_at")?,
        terminal: TerminalKey(row.get("terminal")?),
        stan: Stan::from_number(stan).map_err(|_| corrupt("stan", &stan.to_string()))?,
    })
}

/// The identity as parameters, in the order (transmission_at, terminal, stan).
pub(super) fn key(identity: &Identity) -> (i64, i64, i64) {
    let stan = i64::from(identity.stan.number());
    (identity.transmission_at.millis(), identity.terminal.0, stan)
}

/// The answer columns, when there is an answer; `approved` stands in the column `authorized`.
pub(super) fn answer(row: &Row<'_>) -> Result<Option<Answer>, DatabaseError> {
    let Some(code) = code(row)? else { return Ok(None) };
    let results: Option<String> = row.get("results")?;
    let id: Option<i64> = row.get("network_transaction_id")?;
    Ok(Some(Answer {
        code,
        approved: amount(row, "authorized")?,
        auth_code: optional_word(row, "auth_code", AuthCode::parse)?,
        network_transaction_id: id.map(NetworkTransactionId::from_number),
        settlement_date: row.get("settlement_date")?,
        results: results.as_deref().map(Results::decode).unwrap_or_default(),
        source: optional_word(row, "source", OutcomeSource::parse)?,
        note: row.get("note")?,
    }))
}

/// Results as stored; nothing for nothing.
pub(super) fn results(results: &Results) -> Option<String> {
    (*results != Results::default()).then(|| results.encode())
}
