//! Conversion at the till: what was offered, and which transactions were converted.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::ids::QuoteId;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::{FiledRecord, Store, columns};
use crate::domain::conversion;
use crate::domain::identity::CardDigest;
use crate::domain::ledger::{LedgerTransaction, Reason, Unbalanced};
use crate::domain::posting_sets::{self, Exchanged, Parties};

/// An offer as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredQuote {
    /// Its id.
    pub quote: QuoteId,
    /// The merchant.
    pub acceptor: i64,
    /// The card.
    pub card_digest: CardDigest,
    /// What the merchant asks for.
    pub amount: MinorUnits,
    /// The merchant's currency.
    pub currency: Currency,
    /// What the cardholder pays.
    pub card_amount: MinorUnits,
    /// The card's currency.
    pub card_currency: Currency,
    /// Millionths.
    pub rate: i64,
    /// Millionths, without the markup.
    pub base_rate: i64,
    /// Millionths.
    pub markup: i64,
    /// Until when it can be taken.
    pub expires_at: Timestamp,
}

/// What a transaction was converted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewConversion {
    /// The offer.
    pub quote: QuoteId,
    /// The merchant's amount.
    pub amount: MinorUnits,
}

/// The merchant's side of a record that was converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordConversion {
    /// The offer.
    pub quote: QuoteId,
    /// The merchant's amount of this record.
    pub amount: i64,
    /// The merchant's currency.
    pub currency: Currency,
    /// Millionths.
    pub rate: i64,
    /// Millionths, without the markup.
    pub base_rate: i64,
    /// Millionths.
    pub markup: i64,
    /// Until when the offer could be taken.
    pub expires_at: Timestamp,
}

impl RecordConversion {
    /// What `part` of a record of `whole` in the card's currency is for the merchant.
    pub fn exchanged(&self, whole: i64, part: i64, card: Currency) -> Exchanged {
        Exchanged {
            amount: conversion::own_part(self.amount, whole, part),
            value: conversion::value(part, card, self.currency, self.base_rate),
            currency: self.currency,
        }
    }
}

impl FiledRecord {
    /// The currency in which the merchant is paid.
    pub(super) fn settled_in(&self) -> Currency {
        self.conversion.map_or(self.currency, |own| own.currency)
    }

    /// The merchant's side of a part of it, where it was converted at the till.
    pub(super) fn exchanged(&self, part: i64) -> Option<Exchanged> {
        self.conversion.map(|own| own.exchanged(self.amount, part, self.currency))
    }

    /// Money of it that goes from the merchant to the cardholder in all books.
    pub(super) fn moved(
        &self,
        of: &Parties,
        amount: i64,
        reason: Reason,
    ) -> Result<Vec<LedgerTransaction>, Unbalanced> {
        match self.exchanged(amount) {
            None => posting_sets::moved(of, amount, self.currency, reason),
            Some(own) => posting_sets::moved_exchanged(of, amount, self.currency, &own, reason),
        }
    }
}

impl Store {
    /// Keeps an offer.
    pub async fn keep_quote(&self, new: StoredQuote) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO conversion_quotes (quote, acceptor, card_digest, amount,
                             currency, card_amount, card_currency, rate, base_rate, markup,
                             expires_at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    )?
                    .execute(params![
                        new.quote.bytes(),
                        new.acceptor,
                        new.card_digest.0,
                        new.amount.get(),
                        new.currency.code(),
                        new.card_amount.get(),
                        new.card_currency.code(),
                        new.rate,
                        new.base_rate,
                        new.markup,
                        new.expires_at.millis(),
                    ])?;
                Ok(())
            })
            .await
    }

    /// An offer by its id.
    pub async fn quote(&self, quote: QuoteId) -> Result<Option<StoredQuote>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection
                    .prepare_cached("SELECT * FROM conversion_quotes WHERE quote = ?1")?;
                let mut rows = statement.query([quote.bytes()])?;
                rows.next()?.map(read).transpose()
            })
            .await
    }
}

fn read(row: &Row<'_>) -> Result<StoredQuote, DatabaseError> {
    Ok(StoredQuote {
        quote: QuoteId::from_bytes(row.get("quote")?),
        acceptor: row.get("acceptor")?,
        card_digest: CardDigest(row.get("card_digest")?),
        amount: columns::amount(row, "amount")?,
        currency: columns::currency(row, "currency")?,
        card_amount: columns::amount(row, "card_amount")?,
        card_currency: columns::currency(row, "card_currency")?,
        rate: row.get("rate")?,
        base_rate: row.get("base_rate")?,
        markup: row.get("markup")?,
        expires_at: columns::timestamp(row, "expires_at")?,
    })
}

/// Writes down that a transaction was converted.
pub(super) fn insert(
    connection: &Connection,
    transaction: i64,
    new: &NewConversion,
) -> Result<(), DatabaseError> {
    connection.prepare_cached("INSERT INTO conversions VALUES (?1, ?2, ?3)")?.execute((
        transaction,
        new.quote.bytes(),
        new.amount.get(),
    ))?;
    Ok(())
}

/// The merchant's side of a record, from a row that names the columns of an offer `quoted_…`.
pub(super) fn of_record(row: &Row<'_>) -> Result<Option<RecordConversion>, DatabaseError> {
    let quote: Option<[u8; 16]> = row.get("quoted_quote")?;
    let Some(quote) = quote else { return Ok(None) };
    let (own, whole): (i64, i64) = (row.get("quoted_amount")?, row.get("quoted_whole")?);
    Ok(Some(RecordConversion {
        quote: QuoteId::from_bytes(quote),
        amount: conversion::own_part(own, whole, row.get("amount")?),
        currency: columns::currency(row, "quoted_currency")?,
        rate: row.get("quoted_rate")?,
        base_rate: row.get("quoted_base_rate")?,
        markup: row.get("quoted_markup")?,
        expires_at: columns::timestamp(row, "quoted_expires_at")?,
    }))
}
