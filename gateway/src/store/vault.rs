//! Encrypted card records, their keys, the erasure list, and the audit of what was opened.

use kit::sqlite::{DatabaseError, bytes16};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::ids::{MerchantId, PaymentId, TokenId};
use wire::time::Timestamp;

use crate::domain::card::{Card, Fingerprint};
use crate::vault::{CardData, SealedCard, Vault, VaultError};

mod keys;

pub use keys::{
    RotationStep, add_merchant, begin_rotation, open_vault, reencrypt, reload_keys, retire_key,
    retiring_keys, rewrap_keys,
};

/// What a card is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To ask its issuer for money.
    Authorization,
    /// To take authorized money.
    Capture,
    /// To give money back.
    Refund,
    /// To withdraw an authorization.
    Reversal,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Capture => "capture",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
        }
    }
}

/// Why a token was not accepted, or a card not opened.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Unknown, erased, or another merchant's.
    #[error("there is no such token")]
    NotFound,
    /// It has paid already.
    #[error("the token was used already")]
    Used,
    /// It was made for another payment.
    #[error("the token was made for another payment")]
    OtherPayment,
    /// Its quarter of an hour is over.
    #[error("the token has expired")]
    Expired,
    /// Its security code is no longer in memory: the card must be entered again.
    #[error("the security code is no longer held")]
    CodeGone,
    /// The record cannot be read.
    #[error("the card cannot be read: {0}")]
    Vault(#[from] VaultError),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for TokenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl TokenError {
    /// The stable code that clients see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "token_not_found",
            Self::Used => "token_used",
            Self::OtherPayment => "token_for_other_payment",
            Self::Expired => "token_expired",
            Self::CodeGone => "card_data_expired",
            Self::Vault(_) | Self::Database(_) => "internal_error",
        }
    }
}

/// A token that is to be stored.
#[derive(Debug)]
pub struct NewToken {
    /// Its id.
    pub token: TokenId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// The only payment it fits, if it was bound to one.
    pub payment: Option<PaymentId>,
    /// The card.
    pub sealed: SealedCard,
    /// Whether a security code came with it.
    pub has_code: bool,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
}

/// A card that was opened.
#[derive(Debug)]
pub struct OpenedCard {
    /// What may be known outside the vault.
    pub card: Card,
    /// What may not.
    pub data: CardData,
    /// Whether a security code came with it; it is in memory, if anywhere.
    pub has_code: bool,
}

/// Stores a token; one statement. [`VaultError::DekMissing`] when its key was retired meanwhile:
/// seal again.
pub fn insert_token(
    connection: &Connection,
    vault: &Vault,
    new: &NewToken,
) -> Result<(), TokenError> {
    // Keys retire on this same thread, so a record can never be stored behind its key's back.
    let version = new.sealed.dek_version;
    if !vault.has_dek(new.merchant, version) {
        return Err(VaultError::DekMissing { version }.into());
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO vault_cards \
         (token, merchant, payment, dek_version, record, fingerprint, has_code, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        new.token.bytes(),
        new.merchant.bytes(),
        new.payment.as_ref().map(PaymentId::bytes),
        version,
        new.sealed.record,
        new.sealed.fingerprint.bytes(),
        new.has_code,
        new.expires_at.millis(),
    ])?;
    Ok(())
}

/// A token that is to pay.
#[derive(Clone, Copy, Debug)]
pub struct Redemption {
    /// The token.
    pub token: TokenId,
    /// The merchant of the caller.
    pub merchant: MerchantId,
    /// What it pays.
    pub payment: PaymentId,
    /// The present.
    pub now: Timestamp,
    /// Whether its security code is still in memory (`SecurityCodes::holds`).
    pub code_held: bool,
}

/// Which token can still pay: one of this merchant, for this payment or for none yet, not used, not
/// expired, its security code still there.
macro_rules! can_pay {
    () => {
        "token = ?1 AND merchant = ?2 AND (payment IS NULL OR payment = ?3) \
         AND used_at IS NULL AND expires_at > ?4 AND (has_code = 0 OR ?5)"
    };
}

/// Uses a token up and opens its card, with an audit row in the same transaction. The token
/// works once, for its own merchant and payment, until it expires.
pub fn redeem_token(
    connection: &Connection,
    vault: &Vault,
    redemption: &Redemption,
) -> Result<OpenedCard, TokenError> {
    let sql = concat!(
        "UPDATE vault_cards SET used_at = ?4, payment = ?3 WHERE ",
        can_pay!(),
        " RETURNING record, fingerprint, has_code"
    );
    pay_with(connection, vault, redemption, sql)
}

fn pay_with(
    connection: &Connection,
    vault: &Vault,
    redemption: &Redemption,
    sql: &str,
) -> Result<OpenedCard, TokenError> {
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row(
            params![
                redemption.token.bytes(),
                redemption.merchant.bytes(),
                redemption.payment.bytes(),
                redemption.now.millis(),
                redemption.code_held,
            ],
            read_record,
        )
        .optional()?;
    let Some(record) = found else { return Err(why_not(connection, redemption)?) };
    open(connection, vault, &redemption.opening(), &record)
}

impl Redemption {
    fn opening(&self) -> Opening {
        Opening {
            token: self.token,
            merchant: self.merchant,
            purpose: Purpose::Authorization,
            payment: Some(self.payment),
            now: self.now,
        }
    }
}

fn why_not(connection: &Connection, redemption: &Redemption) -> Result<TokenError, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT payment IS NOT NULL AND payment <> ?3, used_at IS NOT NULL, expires_at <= ?4 \
         FROM vault_cards WHERE token = ?1 AND merchant = ?2",
    )?;
    let found: Option<(bool, bool, bool)> = statement
        .query_row(
            params![
                redemption.token.bytes(),
                redemption.merchant.bytes(),
                redemption.payment.bytes(),
                redemption.now.millis(),
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    Ok(match found {
        None => TokenError::NotFound,
        Some((_, true, _)) => TokenError::Used,
        Some((true, false, _)) => TokenError::OtherPayment,
        Some((false, false, true)) => TokenError::Expired,
        Some((false, false, false)) => TokenError::CodeGone,
    })
}

/// A reason to open a record.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// The record.
    pub token: TokenId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// What for.
    pub purpose: Purpose,
    /// For which payment.
    pub payment: Option<PaymentId>,
    /// The present.
    pub now: Timestamp,
}

/// Opens the card of a token that was used before, with an audit row in the same transaction.
pub fn open_card(
    connection: &Connection,
    vault: &Vault,
    opening: &Opening,
) -> Result<OpenedCard, TokenError> {
    let mut statement = connection.prepare_cached(
        "SELECT record, fingerprint, has_code FROM vault_cards WHERE token = ?1 AND merchant = ?2",
    )?;
    let found = statement
        .query_row(params![opening.token.bytes(), opening.merchant.bytes()], read_record)
        .optional()?;
    open(connection, vault, opening, &found.ok_or(TokenError::NotFound)?)
}

/// Opens the card of a token that can still pay, without using it up.
pub fn look_at_token(
    connection: &Connection,
    vault: &Vault,
    redemption: &Redemption,
) -> Result<OpenedCard, TokenError> {
    let sql = concat!("SELECT record, fingerprint, has_code FROM vault_cards WHERE ", can_pay!());
    pay_with(connection, vault, redemption, sql)
}

struct Record {
    bytes: Vec<u8>,
    fingerprint: Fingerprint,
    has_code: bool,
}

fn read_record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    Ok(Record {
        bytes: row.get(0)?,
        fingerprint: Fingerprint::from_bytes(bytes16(row, 1)?),
        has_code: row.get(2)?,
    })
}

fn open(
    connection: &Connection,
    vault: &Vault,
    opening: &Opening,
    record: &Record,
) -> Result<OpenedCard, TokenError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO vault_audit (at, token, merchant, purpose, payment) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        opening.now.millis(),
        opening.token.bytes(),
        opening.merchant.bytes(),
        opening.purpose.as_str(),
        opening.payment.as_ref().map(PaymentId::bytes),
    ])?;
    let data = vault.open_card(opening.token, opening.merchant, &record.bytes)?;
    let card = Card {
        token: opening.token,
        brand: data.number.brand(),
        masked: data.number.masked(),
        expiry: data.expiry,
        fingerprint: record.fingerprint,
    };
    Ok(OpenedCard { card, data, has_code: record.has_code })
}

/// Keeps a card under another name, for as long as it is saved or its payment is: such a record
/// never pays as a token.
pub fn keep_card(
    connection: &Connection,
    vault: &Vault,
    (token, merchant): (TokenId, MerchantId),
    payment: Option<PaymentId>,
    data: &CardData,
    now: Timestamp,
) -> Result<Card, TokenError> {
    let sealed = vault.seal_card(token, merchant, data)?;
    let fingerprint = sealed.fingerprint;
    let new = NewToken { token, merchant, payment, sealed, has_code: false, expires_at: now };
    insert_token(connection, vault, &new)?;
    connection
        .prepare_cached("UPDATE vault_cards SET used_at = ?2 WHERE token = ?1")?
        .execute(params![token.bytes(), now.millis()])?;
    Ok(Card {
        token,
        brand: data.number.brand(),
        masked: data.number.masked(),
        expiry: data.expiry,
        fingerprint,
    })
}

/// Forgets a card: the record goes, its id stays on the erasure list.
pub fn erase_card(
    connection: &Connection,
    token: TokenId,
    merchant: MerchantId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let erased = connection
        .prepare_cached("DELETE FROM vault_cards WHERE token = ?1 AND merchant = ?2")?
        .execute(params![token.bytes(), merchant.bytes()])?;
    if erased > 0 {
        list_erasure(connection, Some(token), merchant, reason, now)?;
    }
    Ok(erased > 0)
}

/// Forgets all cards of a merchant and destroys its data keys.
pub fn erase_merchant(
    connection: &Connection,
    merchant: MerchantId,
    reason: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached("DELETE FROM vault_keys WHERE purpose = 'records' AND merchant = ?1")?
        .execute([merchant.bytes()])?;
    connection
        .prepare_cached("DELETE FROM vault_cards WHERE merchant = ?1")?
        .execute([merchant.bytes()])?;
    list_erasure(connection, None, merchant, reason, now)
}

fn list_erasure(
    connection: &Connection,
    token: Option<TokenId>,
    merchant: MerchantId,
    reason: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO vault_erasures (token, merchant, reason, erased_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let token = token.as_ref().map(TokenId::bytes);
    statement.execute(params![token, merchant.bytes(), reason, now.millis()])?;
    Ok(())
}

/// The number of the last erasure; 0 for none.
pub fn last_erasure(connection: &Connection) -> Result<i64, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(id), 0) FROM vault_erasures")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Erases again what an older backup brought back. Runs before anything reads the vault.
pub fn replay_erasures(connection: &Connection) -> Result<usize, DatabaseError> {
    let cards = connection.execute(
        "DELETE FROM vault_cards WHERE \
         token IN (SELECT token FROM vault_erasures WHERE token IS NOT NULL) \
         OR merchant IN (SELECT merchant FROM vault_erasures WHERE token IS NULL)",
        [],
    )?;
    let keys = connection.execute(
        "DELETE FROM vault_keys WHERE purpose = 'records' \
         AND merchant IN (SELECT merchant FROM vault_erasures WHERE token IS NULL)",
        [],
    )?;
    Ok(cards.saturating_add(keys))
}

/// Tokens that were never used and ended before `until`, behind `after`, and the last token that
/// was looked at. Tokens are time-ordered, so this reads a stretch of the table once.
pub fn stale_tokens(
    connection: &Connection,
    after: TokenId,
    until: Timestamp,
    limit: usize,
) -> Result<(Vec<TokenId>, Option<TokenId>), DatabaseError> {
    let end = TokenId::new(until, [0; 10]);
    let mut statement = connection.prepare_cached(
        "SELECT token, used_at IS NULL AND expires_at <= ?3 FROM vault_cards \
         WHERE token > ?1 AND token < ?2 ORDER BY token LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![after.bytes(), end.bytes(), until.millis(), limit], |row| {
            Ok((TokenId::from_bytes(bytes16(row, 0)?), row.get::<_, bool>(1)?))
        })?;
    let rows: Vec<(TokenId, bool)> = rows.collect::<Result<_, _>>()?;
    let last = rows.last().map(|(token, _)| *token);
    let stale = rows.into_iter().filter(|(_, stale)| *stale).map(|(token, _)| token).collect();
    Ok((stale, last))
}

/// Up to when tokens were looked through for those that were never used.
pub fn swept_to(connection: &Connection) -> Result<Timestamp, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT value FROM meta WHERE name = 'tokens_swept_to'")?;
    let found = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(Timestamp::from_millis(found.unwrap_or(0)))
}

/// Remembers up to when tokens were looked through.
pub fn note_swept_to(connection: &Connection, until: Timestamp) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('tokens_swept_to', ?1) \
             ON CONFLICT (name) DO UPDATE SET value = ?1",
        )?
        .execute([until.millis()])?;
    Ok(())
}

/// Removes tokens that were never used.
pub fn remove_unused(connection: &Connection, tokens: &[TokenId]) -> Result<(), DatabaseError> {
    let mut statement = connection
        .prepare_cached("DELETE FROM vault_cards WHERE token = ?1 AND used_at IS NULL")?;
    for token in tokens {
        statement.execute([token.bytes()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
