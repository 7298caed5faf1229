//! What counts of a day under the caps of cards and of the account.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, OptionalExtension, params};
use wire::ids::MerchantId;
use wire::money::Currency;
use wire::time::Timestamp;

use crate::domain::caps::Spent;
use crate::domain::card::Fingerprint;

/// Whose amounts of which day.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The account.
    pub merchant: &'a MerchantId,
    /// Each currency is counted by itself.
    pub currency: Currency,
    /// Days since 1970 (UTC).
    pub day: i64,
}

/// The account as a whole has no card.
const NO_CARD: &[u8] = &[];

/// What counts so far, of a card and of the account.
pub fn spent(
    connection: &Connection,
    account: &Account<'_>,
    card: &Fingerprint,
) -> Result<Spent, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT amount FROM day_totals \
         WHERE day = ?1 AND merchant = ?2 AND currency = ?3 AND card = ?4",
    )?;
    let mut of = |card: &[u8]| -> Result<u64, DatabaseError> {
        let key = params![account.day, account.merchant.bytes(), account.currency.code(), card];
        let amount = statement.query_row(key, |row| row.get::<_, i64>(0)).optional()?;
        Ok(amount.and_then(|it| u64::try_from(it).ok()).unwrap_or(0))
    };
    Ok(Spent { card: of(card.bytes())?, merchant: of(NO_CARD)? })
}

/// Adds to what counts, or takes away.
pub fn add(
    connection: &Connection,
    account: &Account<'_>,
    card: &Fingerprint,
    amount: i64,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO day_totals (day, merchant, currency, card, amount) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET amount = amount + ?5",
    )?;
    for card in [card.bytes().as_slice(), NO_CARD] {
        let (merchant, currency) = (account.merchant.bytes(), account.currency.code());
        statement.execute(params![account.day, merchant, currency, card, amount])?;
    }
    Ok(())
}

/// Forgets the totals of days before this one.
pub fn forget_before(connection: &Connection, day: i64) -> Result<(), DatabaseError> {
    connection.prepare_cached("DELETE FROM day_totals WHERE day < ?1")?.execute([day])?;
    Ok(())
}

/// Forgets every total: they are counted anew.
pub fn forget_all(connection: &Connection) -> Result<(), DatabaseError> {
    connection.prepare_cached("DELETE FROM day_totals")?.execute([])?;
    Ok(())
}

/// Rows of payments with attempts that were sent at `from` or later.
pub fn attempted_since(
    connection: &Connection,
    from: Timestamp,
) -> Result<Vec<i64>, DatabaseError> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT payment FROM attempts WHERE transmission_at >= ?1")?;
    let rows = statement.query_map([from.millis()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
