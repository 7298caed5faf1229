//! Columns to domain values; what makes no sense is corruption, never guessed.

use rusqlite::Row;
use wire::codes::Family;
use wire::money::{Currency, MinorUnits, Money};

use super::StoreError;

/// Minor units.
pub(super) fn minor_units(row: &Row<'_>, column: &str) -> Result<MinorUnits, StoreError> {
    let value: i64 = row.get(column)?;
    MinorUnits::new(value).map_err(|_| StoreError::corrupt(format!("{column} = {value}")))
}

/// An amount in the currency of the column `currency`.
pub(super) fn money(row: &Row<'_>, column: &str) -> Result<Money, StoreError> {
    let value = minor_units(row, column)?;
    let code: String = row.get("currency")?;
    let currency =
        Currency::parse(&code).map_err(|_| StoreError::corrupt(format!("currency = {code}")))?;
    Ok(Money::new(value, currency))
}

/// A word that stands for a value.
pub(super) fn word<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| StoreError::corrupt(format!("{column} = {text}")))
}

/// A word that stands for a value, or null.
pub(super) fn optional_word<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(text) => match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(StoreError::corrupt(format!("{column} = {text}"))),
        },
    }
}

/// Why a card did not work, or null.
pub(super) fn family(row: &Row<'_>) -> Result<Option<Family>, StoreError> {
    optional_word(row, "declined", Family::parse)
}

/// A count that is never negative.
pub(super) fn count<T: TryFrom<i64>>(row: &Row<'_>, column: &str) -> Result<T, StoreError> {
    let value: i64 = row.get(column)?;
    T::try_from(value).map_err(|_| StoreError::corrupt(format!("{column} = {value}")))
}
