//! Clients, their signing keys, bearer tokens and the nonces of signatures.

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::ids::MerchantId;
use wire::time::Timestamp;

/// Nonces that one pruning step removes at most.
const PRUNE_ROWS: usize = 2000;

/// A client as it is stored.
#[derive(Clone)]
pub struct ClientRow {
    /// OAuth client id.
    pub client_id: String,
    /// For people.
    pub name: String,
    /// Whose payments it works with.
    pub merchant: MerchantId,
    /// SHA-256 of the client secret.
    pub secret_hash: [u8; 32],
    /// Whether its calls must be signed.
    pub signatures_required: bool,
    /// Scopes it may ask for, separated by spaces.
    pub scopes: String,
    /// Origins of return addresses, one per line.
    pub return_origins: String,
    /// Whether it stands in the keys file, as opposed to registered at run time.
    pub from_keys_file: bool,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A signing key as it is stored.
#[derive(Clone)]
pub struct ClientKeyRow {
    /// Its id, which signatures name.
    pub key_id: String,
    /// The client.
    pub client_id: String,
    /// The key, sealed by the vault.
    pub sealed: Vec<u8>,
    /// Until when it is accepted, once it was replaced.
    pub retires_at: Option<Timestamp>,
}

/// A bearer token as it is stored.
#[derive(Clone)]
pub struct TokenRow {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// The client.
    pub client_id: String,
    /// Granted scopes, separated by spaces.
    pub scopes: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A nonce that was seen; it is refused until it expires.
pub use kit::http::NonceRow as SeenNonce;

/// Every client that was not removed, in the order of registration.
pub fn clients(connection: &Connection) -> Result<Vec<ClientRow>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT client_id, name, merchant, secret_hash, signatures, scopes, return_origins, \
         source, created_at FROM clients WHERE removed_at IS NULL ORDER BY id",
    )?;
    let rows = statement.query_map([], read_client)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_client(row: &Row<'_>) -> Result<ClientRow, rusqlite::Error> {
    Ok(ClientRow {
        client_id: row.get(0)?,
        name: row.get(1)?,
        merchant: MerchantId::from_bytes(bytes16(row, 2)?),
        secret_hash: row.get(3)?,
        signatures_required: row.get::<_, String>(4)? == "required",
        scopes: row.get(5)?,
        return_origins: row.get(6)?,
        from_keys_file: row.get::<_, String>(7)? == "keys_file",
        created_at: timestamp(row, 8)?,
    })
}

/// Stores a client, or brings a known one up to date.
pub fn put_client(connection: &Connection, client: &ClientRow) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO clients (client_id, name, merchant, secret_hash, signatures, scopes, \
         return_origins, source, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (client_id) DO UPDATE SET name = ?2, merchant = ?3, secret_hash = ?4, \
         signatures = ?5, scopes = ?6, return_origins = ?7, removed_at = NULL",
    )?;
    statement.execute(params![
        client.client_id,
        client.name,
        client.merchant.bytes(),
        client.secret_hash,
        if client.signatures_required { "required" } else { "optional" },
        client.scopes,
        client.return_origins,
        if client.from_keys_file { "keys_file" } else { "sandbox" },
        client.created_at.millis(),
    ])?;
    Ok(())
}

/// Removes a client and ends its tokens and keys at once. False when there is no such client.
pub fn remove_client(
    connection: &Connection,
    client_id: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE clients SET removed_at = ?2 WHERE client_id = ?1 AND removed_at IS NULL",
    )?;
    if statement.execute(params![client_id, now.millis()])? == 0 {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "DELETE FROM access_tokens \
             WHERE client = (SELECT id FROM clients WHERE client_id = ?1)",
        )?
        .execute([client_id])?;
    connection
        .prepare_cached(
            "UPDATE client_keys SET retires_at = ?2 \
             WHERE client = (SELECT id FROM clients WHERE client_id = ?1) \
             AND (retires_at IS NULL OR retires_at > ?2)",
        )?
        .execute(params![client_id, now.millis()])?;
    Ok(true)
}

/// Every signing key, those of removed clients too: they are refused as revoked.
pub fn client_keys(connection: &Connection) -> Result<Vec<ClientKeyRow>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT key_id, client_id, sealed, retires_at \
         FROM client_keys JOIN clients ON clients.id = client_keys.client",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(ClientKeyRow {
            key_id: row.get(0)?,
            client_id: row.get(1)?,
            sealed: row.get(2)?,
            retires_at: optional_timestamp(row, 3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores a signing key, or seals a known one anew.
pub fn put_client_key(connection: &Connection, key: &ClientKeyRow) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO client_keys (key_id, client, sealed, created_at, retires_at) \
         SELECT ?1, id, ?3, created_at, ?4 FROM clients WHERE client_id = ?2 \
         ON CONFLICT (key_id) DO UPDATE SET sealed = ?3, retires_at = ?4",
    )?;
    let retires_at = key.retires_at.map(Timestamp::millis);
    let stored = statement.execute(params![key.key_id, key.client_id, key.sealed, retires_at])?;
    if stored == 0 {
        return Err(DatabaseError::Corrupt("a signing key without a client".into()));
    }
    Ok(())
}

/// The keys of a client except one retire: they are accepted until `at`.
pub fn retire_other_keys(
    connection: &Connection,
    client_id: &str,
    kept: &str,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE client_keys SET retires_at = ?3 \
         WHERE client = (SELECT id FROM clients WHERE client_id = ?1) AND key_id <> ?2 \
         AND retires_at IS NULL",
    )?;
    statement.execute(params![client_id, kept, at.millis()])?;
    Ok(())
}

/// A replaced key ends now. One that is in use, or that has ended, stays as it is.
pub fn end_key(connection: &Connection, key_id: &str, now: Timestamp) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE client_keys SET retires_at = ?2 WHERE key_id = ?1 AND retires_at > ?2",
    )?;
    statement.execute(params![key_id, now.millis()])?;
    Ok(())
}

/// Every token that has not ended.
pub fn live_tokens(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<TokenRow>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT hash, client_id, access_tokens.scopes, issued_at, expires_at \
         FROM access_tokens JOIN clients ON clients.id = access_tokens.client \
         WHERE expires_at > ?1 AND removed_at IS NULL",
    )?;
    let rows = statement.query_map([now.millis()], |row| {
        Ok(TokenRow {
            hash: row.get(0)?,
            client_id: row.get(1)?,
            scopes: row.get(2)?,
            issued_at: timestamp(row, 3)?,
            expires_at: timestamp(row, 4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores a token. False when its client was removed meanwhile.
pub fn put_token(connection: &Connection, token: &TokenRow) -> Result<bool, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO access_tokens (hash, client, scopes, issued_at, expires_at) \
         SELECT ?1, id, ?3, ?4, ?5 FROM clients WHERE client_id = ?2 AND removed_at IS NULL",
    )?;
    let stored = statement.execute(params![
        token.hash,
        token.client_id,
        token.scopes,
        token.issued_at.millis(),
        token.expires_at.millis(),
    ])?;
    Ok(stored == 1)
}

/// Ends a token at once.
pub fn remove_token(connection: &Connection, hash: &[u8; 32]) -> Result<(), DatabaseError> {
    connection.prepare_cached("DELETE FROM access_tokens WHERE hash = ?1")?.execute([hash])?;
    Ok(())
}

/// Keeps a nonce. Part of the transaction of the unsafe call that it signed, so that a restart
/// does not forget it.
pub fn keep_nonce(connection: &Connection, seen: &SeenNonce) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO signature_nonces (key_id, nonce, expires_at) VALUES (?1, ?2, ?3)",
    )?;
    statement.execute(params![seen.key_id, seen.nonce, seen.expires])?;
    Ok(())
}

/// The nonces that are still to be refused.
pub fn live_nonces(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<SeenNonce>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT key_id, nonce, expires_at FROM signature_nonces WHERE expires_at >= ?1",
    )?;
    let rows = statement.query_map([now.seconds()], |row| {
        Ok(SeenNonce { key_id: row.get(0)?, nonce: row.get(1)?, expires: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes expired tokens and nonces; true when there may be more.
///
/// Nonces are removed from the front of the table: they expire nearly in the order they came.
pub fn prune(connection: &Connection, now: Timestamp) -> Result<bool, DatabaseError> {
    connection
        .prepare_cached("DELETE FROM access_tokens WHERE expires_at <= ?1")?
        .execute([now.millis()])?;
    let limit = i64::try_from(PRUNE_ROWS).unwrap_or(i64::MAX);
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max(id) FROM (SELECT id, expires_at FROM signature_nonces ORDER BY id \
             LIMIT ?1) WHERE expires_at < ?2",
        )?
        .query_row(params![limit, now.seconds()], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(last) = last else { return Ok(false) };
    let removed = connection
        .prepare_cached("DELETE FROM signature_nonces WHERE id <= ?1 AND expires_at < ?2")?
        .execute(params![last, now.seconds()])?;
    Ok(removed >= PRUNE_ROWS)
}

#[cfg(test)]
mod tests;
