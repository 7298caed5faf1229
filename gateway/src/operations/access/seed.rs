//! What the registry holds at start: the keys file, and what was registered at run time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use data_encoding::BASE64;
use kit::clock::Clock;
use kit::http::NonceCache;
use rusqlite::Connection;
use wire::signature::SigningKey;
use wire::time::Timestamp;
use zeroize::Zeroizing;

use super::registry::{Client, Grant, KeyEntry, Known, Line, Registry, hashed};
use super::{AccessError, KEY_OVERLAP, KEY_TABLE};
use crate::domain::access::{ReturnOrigins, Scopes};
use crate::settings::{ClientKeys, Settings, Signatures};
use crate::store::access::{self as rows, ClientKeyRow, ClientRow};
use crate::vault::{SecretPlace, Vault};

/// The client whose return addresses lie at the shop.
const SHOP_CLIENT: &str = "shop";

/// Brings the clients of the keys file into the database and everything into memory. A client
/// that left the file is removed; a key that was replaced there is accepted for another day.
pub fn open(
    connection: &Connection,
    vault: &Vault,
    settings: &Settings,
    clock: &Clock,
) -> Result<Registry, AccessError> {
    let now = clock.now();
    let stored_keys = known_keys(connection, vault)?;
    for client in &settings.keys.clients {
        put_client(connection, vault, settings, client, &stored_keys, now)?;
    }
    remove_absent(connection, &settings.keys.clients, now)?;
    reseal_keys(connection, vault)?;
    let clients = load_clients(connection)?;
    let known = Known {
        keys: load_keys(connection, vault)?,
        tokens: load_tokens(connection, &clients, now)?,
        clients,
    };
    let nonces = NonceCache::new();
    nonces.load(rows::live_nonces(connection, now)?);
    let calls = settings.limits.token_per_minute;
    let foreign = settings.foreign.as_ref().map(|foreign| -> Result<_, AccessError> {
        let (wall, nonces) = (Clock::real(), NonceCache::new());
        nonces.load(rows::live_nonces(connection, wall.now())?);
        Ok((foreign.client.clone(), Line::new(wall, nonces, calls)))
    });
    Ok(Registry::new(Line::new(clock.clone(), nonces, calls), foreign.transpose()?, known))
}

/// A signing key that was stored before.
struct KnownKey {
    secret: Zeroizing<Vec<u8>>,
    retired: bool,
}

fn known_keys(
    connection: &Connection,
    vault: &Vault,
) -> Result<HashMap<String, KnownKey>, AccessError> {
    let mut known = HashMap::new();
    for row in rows::client_keys(connection)? {
        let place = SecretPlace { table: KEY_TABLE, row: &row.key_id };
        let secret = vault.open_secret(place, &row.sealed)?;
        let retired = row.retires_at.is_some();
        known.insert(row.key_id.clone(), KnownKey { secret, retired });
    }
    Ok(known)
}

fn put_client(
    connection: &Connection,
    vault: &Vault,
    settings: &Settings,
    client: &ClientKeys,
    known: &HashMap<String, KnownKey>,
    now: Timestamp,
) -> Result<(), AccessError> {
    let mut origins = client.return_origins.clone();
    if client.name == SHOP_CLIENT {
        origins.extend(settings.shop_url.clone());
    }
    let row = ClientRow {
        client_id: client.client_id.clone(),
        name: client.name.clone(),
        merchant: settings.keys.merchant.id,
        secret_hash: hashed(client.client_secret.expose()),
        signatures_required: client.signatures == Signatures::Required,
        scopes: Scopes::ALL.to_string(),
        return_origins: ReturnOrigins::new(origins)?.as_slice().join("\n"),
        from_keys_file: true,
        created_at: now,
    };
    rows::put_client(connection, &row)?;
    let key = signing_key_bytes(client)?;
    let stored = known.get(&client.key_id);
    if stored.is_none_or(|stored| stored.retired || stored.secret.as_slice() != key.as_slice()) {
        let place = SecretPlace { table: KEY_TABLE, row: &client.key_id };
        let key = ClientKeyRow {
            key_id: client.key_id.clone(),
            client_id: client.client_id.clone(),
            sealed: vault.seal_secret(place, &*key)?,
            retires_at: None,
        };
        rows::put_client_key(connection, &key)?;
    }
    let retires = now.plus(KEY_OVERLAP);
    rows::retire_other_keys(connection, &client.client_id, &client.key_id, retires)?;
    Ok(())
}

fn signing_key_bytes(client: &ClientKeys) -> Result<Zeroizing<[u8; 32]>, AccessError> {
    let refused = || AccessError::KeyText { client: client.name.clone() };
    let bytes = BASE64.decode(client.signing_key.expose().as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| refused())?;
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| refused())
}

fn remove_absent(
    connection: &Connection,
    file: &[ClientKeys],
    now: Timestamp,
) -> Result<(), AccessError> {
    let present: HashSet<&str> = file.iter().map(|client| client.client_id.as_str()).collect();
    for stored in rows::clients(connection)? {
        if stored.from_keys_file && !present.contains(stored.client_id.as_str()) {
            rows::remove_client(connection, &stored.client_id, now)?;
        }
    }
    Ok(())
}

/// Seals the signing keys under the present key-encryption key.
fn reseal_keys(connection: &Connection, vault: &Vault) -> Result<(), AccessError> {
    for row in rows::client_keys(connection)? {
        let place = SecretPlace { table: KEY_TABLE, row: &row.key_id };
        if let Some(sealed) = vault.reseal_secret(place, &row.sealed)? {
            rows::put_client_key(connection, &ClientKeyRow { sealed, ..row })?;
        }
    }
    Ok(())
}

fn load_clients(connection: &Connection) -> Result<HashMap<String, Arc<Client>>, AccessError> {
    let mut clients = HashMap::new();
    for row in rows::clients(connection)? {
        let origins = row.return_origins.lines().map(str::to_owned).collect();
        let client = Client {
            name: row.name,
            merchant: row.merchant,
            signatures: if row.signatures_required {
                Signatures::Required
            } else {
                Signatures::Optional
            },
            scopes: Scopes::parse(&row.scopes).unwrap_or_default(),
            return_origins: ReturnOrigins::new(origins)?,
            from_keys_file: row.from_keys_file,
            created_at: row.created_at,
            secret_hash: row.secret_hash,
            client_id: row.client_id,
        };
        clients.insert(client.client_id.clone(), Arc::new(client));
    }
    Ok(clients)
}

fn load_keys(
    connection: &Connection,
    vault: &Vault,
) -> Result<HashMap<String, KeyEntry>, AccessError> {
    let mut keys = HashMap::new();
    for row in rows::client_keys(connection)? {
        let place = SecretPlace { table: KEY_TABLE, row: &row.key_id };
        let bytes = vault.open_secret(place, &row.sealed)?;
        let refused = |_| AccessError::KeyText { client: row.client_id.clone() };
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(refused)?;
        let key = Arc::new(SigningKey::new(row.key_id.clone(), bytes));
        let entry = KeyEntry { client_id: row.client_id, key, retires_at: row.retires_at };
        keys.insert(row.key_id, entry);
    }
    Ok(keys)
}

fn load_tokens(
    connection: &Connection,
    clients: &HashMap<String, Arc<Client>>,
    now: Timestamp,
) -> Result<HashMap<[u8; 32], Grant>, AccessError> {
    let mut tokens = HashMap::new();
    for row in rows::live_tokens(connection, now)? {
        let Some(client) = clients.get(&row.client_id) else { continue };
        let grant = Grant {
            client: client.clone(),
            scopes: Scopes::parse(&row.scopes).unwrap_or_default(),
            issued_at: row.issued_at,
            expires_at: row.expires_at,
        };
        tokens.insert(row.hash, grant);
    }
    Ok(tokens)
}
