//! The keys of the vault as rows: first keys, rotation, destruction.

use kit::sqlite::{DatabaseError, bytes16};
use rusqlite::{Connection, params};
use wire::ids::{MerchantId, TokenId};
use wire::time::Timestamp;

use super::TokenError;
use crate::vault::{KeyPurpose, StoredKey, Vault};

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
