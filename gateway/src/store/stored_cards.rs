//! Customers, their saved cards, and which payments used them.

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use wire::card::{Brand, Expiry, MaskedPan};
use wire::ids::{CardId, CustomerId, MerchantId, PaymentId, TokenId};
use wire::processor_api::TokenStatus;
use wire::stored_credential::MitReason;
use wire::time::Timestamp;

use super::rows::{corrupt, parsed, stored, word};
use crate::domain::card::{Card, Fingerprint};
use crate::domain::payment::Payment;
use crate::domain::stored_card::{CardState, Consent, GivenOn, NetworkToken, Saving, StoredCard};

/// A customer of a merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// The merchant's own id.
    pub reference: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredConsent {
    #[serde(rename = "r")]
    reason: MitReason,
    #[serde(rename = "t")]
    text: String,
    #[serde(rename = "p")]
    on_page: bool,
    #[serde(rename = "a")]
    at: i64,
}

impl StoredConsent {
    fn of(consent: &Consent) -> Self {
        Self {
            reason: consent.reason,
            text: consent.text.clone(),
            on_page: consent.given_on == GivenOn::PaymentPage,
            at: consent.at.millis(),
        }
    }

    fn read(self) -> Consent {
        Consent {
            reason: self.reason,
            text: self.text,
            given_on: if self.on_page { GivenOn::PaymentPage } else { GivenOn::Api },
            at: Timestamp::from_millis(self.at),
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Result<String, DatabaseError> {
    serde_json::to_string(value).map_err(|error| corrupt("consent", error))
}

pub(super) fn encode_saving(saving: &Saving) -> Result<String, DatabaseError> {
    encode(&(saving.card, StoredConsent::of(&saving.consent)))
}

pub(super) fn saving_of(row: &Row<'_>, column: usize) -> Result<Option<Saving>, DatabaseError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|error| corrupt("saving", error))?;
    let Some(text) = text else { return Ok(None) };
    let (card, consent): (CardId, StoredConsent) =
        serde_json::from_str(text).map_err(|error| corrupt("saving", error))?;
    Ok(Some(Saving { card, consent: consent.read() }))
}

/// Adds a customer.
pub fn insert_customer(
    connection: &Connection,
    merchant: MerchantId,
    customer: &Customer,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "INSERT INTO customers (public_id, merchant, reference, name, email, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            customer.id.bytes(),
            merchant.bytes(),
            customer.reference,
            customer.name,
            customer.email,
            customer.created_at.millis(),
        ])?;
    Ok(())
}

const CUSTOMER: &str = "SELECT public_id, reference, name, email, created_at FROM customers";

fn read_customer(row: &Row<'_>) -> Result<Customer, DatabaseError> {
    Ok(Customer {
        id: CustomerId::from_bytes(bytes16(row, 0)?),
        reference: row.get(1)?,
        name: row.get(2)?,
        email: row.get(3)?,
        created_at: timestamp(row, 4)?,
    })
}

/// A customer of a merchant who was not erased.
pub fn customer(
    connection: &Connection,
    merchant: &MerchantId,
    id: &CustomerId,
) -> Result<Option<Customer>, DatabaseError> {
    let sql = format!("{CUSTOMER} WHERE public_id = ?1 AND merchant = ?2 AND erased_at IS NULL");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id.bytes().as_slice(), merchant.bytes().as_slice()])?;
    rows.next()?.map(read_customer).transpose()
}

/// Customers of a merchant behind `after`, newest first.
pub fn customers(
    connection: &Connection,
    merchant: &MerchantId,
    after: Option<CustomerId>,
    limit: u32,
) -> Result<Vec<Customer>, DatabaseError> {
    let sql = format!(
        "{CUSTOMER} WHERE merchant = ?1 AND erased_at IS NULL AND public_id < ?2 \
         ORDER BY public_id DESC LIMIT ?3"
    );
    let end = after.map_or([0xff; 16], |after| *after.bytes());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![merchant.bytes(), end, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_customer(row)?);
    }
    Ok(found)
}

/// Forgets who a customer is; the row stays, so that the books keep their references.
pub fn erase_customer(
    connection: &Connection,
    id: &CustomerId,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "UPDATE customers SET reference = NULL, name = NULL, email = NULL, erased_at = ?2 \
             WHERE public_id = ?1",
        )?
        .execute(params![id.bytes(), now.millis()])?;
    Ok(())
}

/// The rows of a customer's payments, newest first.
pub fn payments_of(connection: &Connection, id: &CustomerId) -> Result<Vec<i64>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT payment FROM card_uses WHERE customer = ?1 ORDER BY payment DESC",
    )?;
    let rows = statement.query_map([id.bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const CARD: &str = "SELECT public_id, customer, state, token, brand, masked, expiry, fingerprint, \
     par, consent, agreement, network_transaction_id, grandfathered, advice_code, last_update, \
     updated_at, created_at, network_token FROM stored_cards";

fn read_card(row: &Row<'_>) -> Result<StoredCard, DatabaseError> {
    let expiry = row.get_ref(6)?.as_str().map_err(|error| corrupt("expiry", error))?;
    let consent = row.get_ref(9)?.as_str().map_err(|error| corrupt("consent", error))?;
    let consent: StoredConsent =
        serde_json::from_str(consent).map_err(|error| corrupt("consent", error))?;
    let agreement: Option<[u8; 16]> = row.get(10)?;
    Ok(StoredCard {
        id: CardId::from_bytes(bytes16(row, 0)?),
        customer: CustomerId::from_bytes(bytes16(row, 1)?),
        state: word(row, 2, &CardState::ALL, CardState::as_str)?,
        card: Card {
            token: TokenId::from_bytes(bytes16(row, 3)?),
            brand: parsed::<Brand>(row, 4, "brand")?,
            masked: parsed::<MaskedPan>(row, 5, "masked")?,
            expiry: Expiry::from_yymm(expiry).map_err(|error| corrupt("expiry", error))?,
            fingerprint: Fingerprint::from_bytes(bytes16(row, 7)?),
        },
        par: row.get(8)?,
        consent: consent.read(),
        agreement: agreement.map(PaymentId::from_bytes),
        network_transaction_id: row.get(11)?,
        grandfathered: row.get(12)?,
        advice_code: row.get(13)?,
        last_update: row.get(14)?,
        updated_at: optional_timestamp(row, 15)?,
        network_token: read_token(row, 17)?,
        created_at: timestamp(row, 16)?,
    })
}

#[derive(Serialize, Deserialize)]
struct StoredToken {
    #[serde(rename = "r")]
    record: TokenId,
    #[serde(rename = "l")]
    last4: String,
    #[serde(rename = "s")]
    state: String,
}

fn encode_token(token: &NetworkToken) -> Result<String, DatabaseError> {
    let state = token.state.as_str().to_owned();
    encode(&StoredToken { record: token.record, last4: token.last4.clone(), state })
}

fn read_token(row: &Row<'_>, column: usize) -> Result<Option<NetworkToken>, DatabaseError> {
    let text: Option<String> = row.get(column)?;
    let Some(text) = text else { return Ok(None) };
    let read = |text: &str| {
        let stored: StoredToken = serde_json::from_str(text).ok()?;
        let state = TokenStatus::parse(&stored.state)?;
        Some(NetworkToken { record: stored.record, last4: stored.last4, state })
    };
    read(&text).map(Some).ok_or_else(|| corrupt("network_token", text))
}

/// A saved card of a merchant; also one that was deleted.
pub fn card(
    connection: &Connection,
    merchant: &MerchantId,
    id: &CardId,
) -> Result<Option<StoredCard>, DatabaseError> {
    let sql = format!("{CARD} WHERE public_id = ?1 AND merchant = ?2");
    one(connection, &sql, &[id.bytes().as_slice(), merchant.bytes().as_slice()])
}

/// The card that a payment saved.
pub fn card_of_agreement(
    connection: &Connection,
    merchant: &MerchantId,
    agreement: &PaymentId,
) -> Result<Option<StoredCard>, DatabaseError> {
    let sql = format!("{CARD} WHERE merchant = ?1 AND agreement = ?2 AND state <> 'deleted'");
    one(connection, &sql, &[merchant.bytes().as_slice(), agreement.bytes().as_slice()])
}

/// The customer's saved card of this number, if there is one.
pub fn card_like(
    connection: &Connection,
    customer: &CustomerId,
    fingerprint: &Fingerprint,
) -> Result<Option<StoredCard>, DatabaseError> {
    let sql = format!("{CARD} WHERE customer = ?1 AND fingerprint = ?2 AND state <> 'deleted'");
    one(connection, &sql, &[customer.bytes().as_slice(), fingerprint.bytes().as_slice()])
}

fn one(
    connection: &Connection,
    sql: &str,
    values: &[&[u8]],
) -> Result<Option<StoredCard>, DatabaseError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    rows.next()?.map(read_card).transpose()
}

/// The saved cards of a customer, oldest first; also those that were deleted.
pub fn cards_of(
    connection: &Connection,
    customer: &CustomerId,
) -> Result<Vec<StoredCard>, DatabaseError> {
    let sql = format!("{CARD} WHERE customer = ?1 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([customer.bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_card(row)?);
    }
    Ok(found)
}

/// Writes a card: a new one, or one that is there already as it is now.
pub fn save_card(
    connection: &Connection,
    merchant: &MerchantId,
    card: &StoredCard,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO stored_cards (public_id, merchant, customer, state, token, brand, masked, \
         expiry, fingerprint, par, consent, agreement, network_transaction_id, grandfathered, \
         advice_code, last_update, updated_at, created_at, network_token) VALUES (?1, ?2, ?3, ?4, \
         ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) \
         ON CONFLICT (public_id) DO UPDATE SET state = ?4, token = ?5, brand = ?6, masked = ?7, \
         expiry = ?8, fingerprint = ?9, par = ?10, consent = ?11, agreement = ?12, \
         network_transaction_id = ?13, grandfathered = ?14, advice_code = ?15, \
         last_update = ?16, updated_at = ?17, network_token = ?19",
    )?;
    statement.execute(params![
        card.id.bytes(),
        merchant.bytes(),
        card.customer.bytes(),
        card.state.as_str(),
        card.card.token.bytes(),
        card.card.brand.as_str(),
        card.card.masked.to_string(),
        card.card.expiry.yymm(),
        card.card.fingerprint.bytes(),
        card.par,
        encode(&StoredConsent::of(&card.consent))?,
        card.agreement.as_ref().map(PaymentId::bytes),
        card.network_transaction_id,
        card.grandfathered,
        card.advice_code,
        card.last_update,
        card.updated_at.map(Timestamp::millis),
        card.created_at.millis(),
        card.network_token.as_ref().map(encode_token).transpose()?,
    ])?;
    Ok(())
}

/// The number of the next event about a card.
pub fn next_sequence(connection: &Connection, card: &CardId) -> Result<u64, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE stored_cards SET sequence = sequence + 1 WHERE public_id = ?1 RETURNING sequence",
    )?;
    let found: Option<i64> = statement.query_row([card.bytes()], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(1).unsigned_abs())
}

/// Notes who pays, and which saved card does. Payments without either have no row.
pub fn note_use(
    connection: &Connection,
    payment: i64,
    terms: &Payment,
) -> Result<(), DatabaseError> {
    let terms = &terms.terms;
    if terms.customer.is_none() && terms.stored.is_none() {
        return Ok(());
    }
    let used = terms.stored.as_ref();
    let mut statement = connection.prepare_cached(
        "INSERT INTO card_uses (payment, customer, card, initiator, reason, agreement, original, \
         grandfathered) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        stored(payment),
        terms.customer.as_ref().map(CustomerId::bytes),
        used.map(|used| used.card.bytes().to_vec()),
        if terms.by_merchant() { "merchant" } else { "customer" },
        used.and_then(|used| used.reason).map(MitReason::as_str),
        used.and_then(|used| used.agreement).map(|id| id.bytes().to_vec()),
        used.and_then(|used| used.original.clone()),
        used.is_some_and(|used| used.grandfathered),
    ])?;
    Ok(())
}
