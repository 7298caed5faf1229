//! Encrypted card records, their keys, the erasure list, and the audit of what was opened.

use kit::sqlite::{DatabaseError, bytes16};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::ids::{MerchantId, PaymentId, TokenId};
use wire::time::Timestamp;

use crate::domain::card::{Card, Fingerprint};
use crate::vault::{CardData, KeyPurpose, SealedCard, StoredKey, Vault, VaultError};

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

/// Uses a token up and opens its card, with an audit row in the same transaction. The token
/// works once, for its own merchant and payment, until it expires.
pub fn redeem_token(
    connection: &Connection,
    vault: &Vault,
    redemption: &Redemption,
) -> Result<OpenedCard, TokenError> {
    let mut statement = connection.prepare_cached(
        "UPDATE vault_cards SET used_at = ?4, payment = ?3 \
         WHERE token = ?1 AND merchant = ?2 AND (payment IS NULL OR payment = ?3) \
         AND used_at IS NULL AND expires_at > ?4 AND (has_code = 0 OR ?5) \
         RETURNING record, fingerprint, has_code",
    )?;
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
    let place = Opening {
        token: redemption.token,
        merchant: redemption.merchant,
        purpose: Purpose::Authorization,
        payment: Some(redemption.payment),
        now: redemption.now,
    };
    open(connection, vault, &place, &record)
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

/// Takes the stored keys into use. An empty vault gets its first keys; a merchant without a key
/// in a vault that is not empty is an error, because keys are never made implicitly.
pub fn open_vault(
    connection: &Connection,
    vault: &Vault,
    merchant: MerchantId,
    now: Timestamp,
) -> Result<(), TokenError> {
    rewrap_keys(connection, vault)?;
    let stored = stored_keys(connection)?;
    if stored.is_empty() && !has_cards(connection)? {
        let root = vault.make_key(KeyPurpose::Fingerprints, 1)?;
        put_key(connection, &root, now)?;
        vault.load(&root)?;
        return add_merchant(connection, vault, merchant, now);
    }
    reload_keys(connection, vault)?;
    vault.current_dek(merchant)?;
    Ok(())
}

fn has_cards(connection: &Connection) -> Result<bool, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM vault_cards LIMIT 1)")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Takes every stored key into use, as far as it is not.
pub fn reload_keys(connection: &Connection, vault: &Vault) -> Result<(), TokenError> {
    for key in &stored_keys(connection)? {
        vault.load(key)?;
    }
    Ok(())
}

/// Makes the first data key of a merchant.
pub fn add_merchant(
    connection: &Connection,
    vault: &Vault,
    merchant: MerchantId,
    now: Timestamp,
) -> Result<(), TokenError> {
    let key = vault.make_key(KeyPurpose::Records(merchant), 1)?;
    put_key(connection, &key, now)?;
    vault.load(&key)?;
    Ok(())
}

fn stored_keys(connection: &Connection) -> Result<Vec<StoredKey>, TokenError> {
    let mut statement = connection.prepare_cached(
        "SELECT purpose, merchant, version, kek_version, wrapped FROM vault_keys \
         ORDER BY purpose, merchant, version",
    )?;
    let rows = statement.query_map([], |row| {
        let purpose: String = row.get(0)?;
        let purpose = if purpose == "fingerprints" {
            KeyPurpose::Fingerprints
        } else {
            KeyPurpose::Records(MerchantId::from_bytes(bytes16(row, 1)?))
        };
        Ok(StoredKey {
            purpose,
            version: row.get(2)?,
            kek_version: row.get(3)?,
            wrapped: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const fn key_columns(purpose: &KeyPurpose) -> (&'static str, &[u8]) {
    match purpose {
        KeyPurpose::Records(merchant) => ("records", merchant.bytes()),
        KeyPurpose::Fingerprints => ("fingerprints", &[]),
    }
}

fn put_key(connection: &Connection, key: &StoredKey, now: Timestamp) -> Result<(), DatabaseError> {
    let (purpose, merchant) = key_columns(&key.purpose);
    let mut statement = connection.prepare_cached(
        "INSERT INTO vault_keys \
         (purpose, merchant, version, kek_version, wrapped, state, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, 'current', ?6)",
    )?;
    let row = params![purpose, merchant, key.version, key.kek_version, key.wrapped, now.millis()];
    statement.execute(row)?;
    Ok(())
}

/// Wraps every key with the present key-encryption key; returns how many were changed. All or
/// none, and again without harm.
pub fn rewrap_keys(connection: &Connection, vault: &Vault) -> Result<usize, TokenError> {
    let mut changed = 0_usize;
    for key in stored_keys(connection)? {
        let Some(rewrapped) = vault.rewrap(&key)? else { continue };
        let (purpose, merchant) = key_columns(&rewrapped.purpose);
        connection
            .prepare_cached(
                "UPDATE vault_keys SET kek_version = ?4, wrapped = ?5 \
                 WHERE purpose = ?1 AND merchant = ?2 AND version = ?3",
            )?
            .execute(params![
                purpose,
                merchant,
                rewrapped.version,
                rewrapped.kek_version,
                rewrapped.wrapped
            ])?;
        changed = changed.saturating_add(1);
    }
    Ok(changed)
}

/// Begins a rotation: a new data key that is to seal from now on. None when one is under way.
pub fn begin_rotation(
    connection: &Connection,
    vault: &Vault,
    merchant: MerchantId,
    now: Timestamp,
) -> Result<Option<StoredKey>, TokenError> {
    if !retiring_keys(connection, merchant)?.is_empty() {
        return Ok(None);
    }
    let version = vault.current_dek(merchant)?.saturating_add(1);
    connection
        .prepare_cached(
            "UPDATE vault_keys SET state = 'retiring', reencrypted_to = x'' \
             WHERE purpose = 'records' AND merchant = ?1",
        )?
        .execute([merchant.bytes()])?;
    let key = vault.make_key(KeyPurpose::Records(merchant), version)?;
    put_key(connection, &key, now)?;
    Ok(Some(key))
}

/// The versions of a merchant's data keys that are being replaced.
pub fn retiring_keys(
    connection: &Connection,
    merchant: MerchantId,
) -> Result<Vec<u32>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT version FROM vault_keys \
         WHERE purpose = 'records' AND merchant = ?1 AND state = 'retiring' ORDER BY version",
    )?;
    let rows = statement.query_map([merchant.bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What one step of a rotation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationStep {
    /// Records encrypted anew.
    pub moved: usize,
    /// Whether the table was gone through to its end; the next step begins at its start.
    pub pass_ended: bool,
}

/// Encrypts the next records of a retiring key anew, from where the last step ended.
pub fn reencrypt(
    connection: &Connection,
    vault: &Vault,
    merchant: MerchantId,
    version: u32,
    rows_max: usize,
) -> Result<RotationStep, TokenError> {
    let cursor: Vec<u8> = connection
        .prepare_cached(
            "SELECT reencrypted_to FROM vault_keys \
             WHERE purpose = 'records' AND merchant = ?1 AND version = ?2",
        )?
        .query_row(params![merchant.bytes(), version], |row| row.get(0))?;
    let rows = records_after(connection, &cursor, rows_max)?;
    let pass_ended = rows.len() < rows_max;
    let reached = rows.last().map(|row| row.token);
    let mut moved = 0_usize;
    for row in rows.iter().filter(|row| row.merchant == merchant && row.version == version) {
        let data = vault.open_card(row.token, merchant, &row.record)?;
        let sealed = vault.seal_card(row.token, merchant, &data)?;
        connection
            .prepare_cached(
                "UPDATE vault_cards SET dek_version = ?2, record = ?3 WHERE token = ?1",
            )?
            .execute(params![row.token.bytes(), sealed.dek_version, sealed.record])?;
        moved = moved.saturating_add(1);
    }
    let reached = reached.filter(|_| !pass_ended);
    let reached: &[u8] = reached.as_ref().map_or(&[], |token| token.bytes());
    connection
        .prepare_cached(
            "UPDATE vault_keys SET reencrypted_to = ?3 \
             WHERE purpose = 'records' AND merchant = ?1 AND version = ?2",
        )?
        .execute(params![merchant.bytes(), version, reached])?;
    Ok(RotationStep { moved, pass_ended })
}

struct RecordRow {
    token: TokenId,
    merchant: MerchantId,
    version: u32,
    record: Vec<u8>,
}

fn records_after(
    connection: &Connection,
    cursor: &[u8],
    rows_max: usize,
) -> Result<Vec<RecordRow>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT token, merchant, dek_version, record FROM vault_cards \
         WHERE token > ?1 ORDER BY token LIMIT ?2",
    )?;
    let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![cursor, limit], |row| {
        Ok(RecordRow {
            token: TokenId::from_bytes(bytes16(row, 0)?),
            merchant: MerchantId::from_bytes(bytes16(row, 1)?),
            version: row.get(2)?,
            record: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Destroys a data key that no record needs any more. It is unloaded here, on the thread that
/// stores records, so that none can be stored under it afterwards.
pub fn retire_key(
    connection: &Connection,
    vault: &Vault,
    merchant: MerchantId,
    version: u32,
) -> Result<(), DatabaseError> {
    vault.unload(merchant, version);
    connection
        .prepare_cached(
            "DELETE FROM vault_keys WHERE purpose = 'records' AND merchant = ?1 \
             AND version = ?2 AND state = 'retiring'",
        )?
        .execute(params![merchant.bytes(), version])?;
    Ok(())
}

#[cfg(test)]
mod tests;
