//! Offers of conversion at the till, and what payers have agreed to.

use kit::sqlite::{DatabaseError, bytes16};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::ids::{MerchantId, PaymentId, QuoteId, TokenId};
use wire::money::{Currency, MinorUnits};
use wire::processor_api::CurrencyConversion;
use wire::time::Timestamp;

use super::rows::corrupt;
use crate::domain::conversion::{Conversion, Quote};

/// Keeps an offer.
pub fn insert(connection: &Connection, quote: &Quote) -> Result<(), DatabaseError> {
    let agreed = &quote.conversion.agreed;
    connection
        .prepare_cached(
            "INSERT INTO conversion_quotes (public_id, merchant, payment, token, body, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            agreed.quote.bytes(),
            quote.merchant.bytes(),
            quote.payment.bytes(),
            quote.token.bytes(),
            encode(&quote.conversion)?,
            agreed.expires_at.millis(),
        ])?;
    Ok(())
}

/// An offer by its id.
pub fn find(connection: &Connection, id: &QuoteId) -> Result<Option<Quote>, DatabaseError> {
    let found = connection
        .prepare_cached(
            "SELECT merchant, payment, token, body, used_at IS NOT NULL FROM conversion_quotes \
             WHERE public_id = ?1",
        )?
        .query_row([id.bytes()], |row| {
            Ok((bytes16(row, 0)?, bytes16(row, 1)?, bytes16(row, 2)?, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((merchant, payment, token, body, used)) = found else { return Ok(None) };
    let body: String = body;
    Ok(Some(Quote {
        conversion: decode(&body)?,
        merchant: MerchantId::from_bytes(merchant),
        payment: PaymentId::from_bytes(payment),
        token: TokenId::from_bytes(token),
        used,
    }))
}

/// An offer is taken.
pub fn use_up(connection: &Connection, id: &QuoteId, at: Timestamp) -> Result<(), DatabaseError> {
    connection
        .prepare_cached("UPDATE conversion_quotes SET used_at = ?2 WHERE public_id = ?1")?
        .execute(params![id.bytes(), at.millis()])?;
    Ok(())
}

/// Forgets offers that nobody took in time.
pub fn forget_expired(connection: &Connection, before: Timestamp) -> Result<(), DatabaseError> {
    connection
        .prepare_cached("DELETE FROM conversion_quotes WHERE expires_at < ?1 AND used_at IS NULL")?
        .execute([before.millis()])?;
    Ok(())
}

pub(super) fn encode(conversion: &Conversion) -> Result<String, DatabaseError> {
    let parts = (&conversion.agreed, conversion.card_amount, conversion.card_currency);
    serde_json::to_string(&parts).map_err(|error| corrupt("conversion", error))
}

fn decode(text: &str) -> Result<Conversion, DatabaseError> {
    let parts: (CurrencyConversion, MinorUnits, Currency) =
        serde_json::from_str(text).map_err(|error| corrupt("conversion", error))?;
    let (agreed, card_amount, card_currency) = parts;
    Ok(Conversion { agreed, card_amount, card_currency })
}

/// The conversion in a column, where there is one.
pub(super) fn of(row: &Row<'_>, column: usize) -> Result<Option<Conversion>, DatabaseError> {
    let text =
        row.get_ref(column)?.as_str_or_null().map_err(|error| corrupt("conversion", error))?;
    text.map(decode).transpose()
}
