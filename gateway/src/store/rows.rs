//! Columns into domain values; a value that makes no sense is corruption, never a guess.

use std::fmt::Display;
use std::str::FromStr;

use kit::sqlite::DatabaseError;
use rusqlite::Row;
use wire::codes::{Advice, DeclineCode, ResponseCode};
use wire::money::MinorUnits;

use crate::domain::answer::Decline;
use crate::domain::identity::Identity;

pub(super) fn corrupt(column: &str, what: impl Display) -> DatabaseError {
    DatabaseError::Corrupt(format!("{column}: {what}"))
}

/// An amount column.
pub(super) fn amount(row: &Row<'_>, column: usize) -> Result<MinorUnits, DatabaseError> {
    let value: i64 = row.get(column)?;
    MinorUnits::new(value).map_err(|error| corrupt("amount", error))
}

/// A text column that parses.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize, name: &str) -> Result<T, DatabaseError>
where
    T: FromStr,
    T::Err: Display,
{
    let text = row.get_ref(column)?.as_str().map_err(|error| corrupt(name, error))?;
    text.parse().map_err(|error| corrupt(name, error))
}

/// A text column that is one of a fixed list of words.
pub(super) fn word<T: Copy>(
    row: &Row<'_>,
    column: usize,
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> Result<T, DatabaseError> {
    let text = row.get_ref(column)?.as_str().map_err(|error| corrupt("state", error))?;
    all.iter().copied().find(|value| as_str(*value) == text).ok_or_else(|| corrupt("state", text))
}

/// A response code that may be absent.
pub(super) fn response_code(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<ResponseCode>, DatabaseError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| ResponseCode::parse(&text))
        .transpose()
        .map_err(|error| corrupt("response_code", error))
}

/// A decline from the columns of its code, its advice and the response code.
pub(super) fn decline(
    row: &Row<'_>,
    code: usize,
    advice: usize,
    response_code: Option<ResponseCode>,
) -> Result<Option<Decline>, DatabaseError> {
    let Some(text) = row.get::<_, Option<String>>(code)? else { return Ok(None) };
    let code = DeclineCode::parse(&text).ok_or_else(|| corrupt("decline_code", &text))?;
    let stored = row.get::<_, Option<String>>(advice)?;
    let advice = stored.as_deref().and_then(advice_of).ok_or_else(|| corrupt("advice", &text))?;
    Ok(Some(Decline { code, response_code, advice }))
}

fn advice_of(text: &str) -> Option<Advice> {
    [
        Advice::DoNotRetry,
        Advice::StopRecurring,
        Advice::RetryLater,
        Advice::CallIssuer,
        Advice::UpdateCard,
        Advice::Authenticate,
    ]
    .into_iter()
    .find(|advice| advice.as_str() == text)
}

/// The identity from three neighbouring columns: terminal, trace number, transmission time.
pub(super) fn identity(row: &Row<'_>, first: usize) -> Result<Identity, DatabaseError> {
    Ok(Identity {
        terminal: row.get(first)?,
        stan: row.get(first.saturating_add(1))?,
        transmission_at: kit::sqlite::timestamp(row, first.saturating_add(2))?,
    })
}

/// A count or number as SQLite keeps it.
pub(super) fn stored<T: TryInto<i64>>(number: T) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
