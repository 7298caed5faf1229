//! Clients and access tokens: register, issue, introspect, revoke.

mod registry;
mod seed;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use kit::sqlite::DatabaseError;
use wire::ids::{EndpointId, MerchantId};
use wire::signature::SigningKey;
use wire::time::Timestamp;

use super::Context;
use crate::domain::access::{ReturnOriginError, ReturnOrigins, Scopes};
use crate::settings::{SecretText, Signatures};
use crate::store;
use crate::store::access::{ClientKeyRow, ClientRow, TokenRow};
use crate::vault::{SecretPlace, VaultError};

pub use registry::{Client, ClientRefusal, Grant, Registry, TokenRefusal};
pub use seed::open;

use registry::{KeyEntry, KeyStanding, hashed};

/// How long a token lives (RFC 6749 section 5.1).
pub const TOKEN_LIFETIME: Duration = Duration::from_mins(15);
/// How long a replaced signing key is still accepted.
pub const KEY_OVERLAP: Duration = Duration::from_hours(24);
/// Prefix of bearer tokens.
const TOKEN_PREFIX: &str = "pra_";
/// Table of signing keys, as they are sealed for it.
const KEY_TABLE: &str = "client_keys";
/// Longest name of a client.
const NAME_LENGTH_MAX: usize = 60;
/// Origins that one client may have.
const ORIGINS_MAX: usize = 20;

/// Why a client was not registered, or a token not issued.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The name is empty, too long, or taken.
    #[error("the name has 1 to 60 letters, digits, dashes and dots, and no other client has it")]
    Name,
    /// A return origin is neither https nor on loopback.
    #[error(transparent)]
    ReturnOrigin(#[from] ReturnOriginError),
    /// A webhook address is refused.
    #[error(transparent)]
    Endpoint(#[from] super::webhooks::EndpointError),
    /// There is no such client.
    #[error("there is no such client")]
    NotFound,
    /// Clients of the keys file are changed there.
    #[error("this client stands in the keys file and is changed there")]
    FromKeysFile,
    /// A key in use cannot be revoked.
    #[error("this key is in use: give the client a new one first")]
    KeyInUse,
    /// A key of the keys file is not base64 of 32 bytes.
    #[error("the signing key of the client `{client}` is not base64 of 32 bytes")]
    KeyText {
        /// Its name.
        client: String,
    },
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for AccessError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A token that was issued; the text is shown this once.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: SecretText,
    /// What it allows.
    pub scopes: Scopes,
}

/// Issues a token to a client that was let in.
pub async fn issue_token(
    context: &Context,
    client: Arc<Client>,
    scopes: Scopes,
) -> Result<IssuedToken, AccessError> {
    let token = context.plumbing.secrets.token(TOKEN_PREFIX, 32);
    let issued_at = context.access.clock_of(&client).now();
    let expires_at = issued_at.plus(TOKEN_LIFETIME);
    let hash = hashed(&token);
    let row = TokenRow {
        hash,
        client_id: client.client_id.clone(),
        scopes: scopes.to_string(),
        issued_at,
        expires_at,
    };
    let stored = context
        .database
        .write(move |connection| store::access::put_token(connection, &row))
        .await?;
    if !stored {
        return Err(AccessError::NotFound);
    }
    context.access.insert_token(hash, Grant { client, scopes, issued_at, expires_at });
    Ok(IssuedToken { token: SecretText(token), scopes })
}

/// Ends a token of this client with the next request; other texts change nothing.
pub async fn revoke_token(
    context: &Context,
    client: &Client,
    token: &str,
) -> Result<(), AccessError> {
    let hash = hashed(token);
    let owned =
        context.access.token(&hash).is_some_and(|grant| grant.client.client_id == client.client_id);
    if !owned {
        return Ok(());
    }
    context.access.remove_token(&hash);
    let remove =
        move |connection: &rusqlite::Connection| store::access::remove_token(connection, &hash);
    Ok(context.database.write(remove).await?)
}

/// What a token of this client's merchant allows; none for every other text (RFC 7662).
pub fn introspect(context: &Context, client: &Client, token: &str) -> Option<Grant> {
    let grant = context.access.grant(token).ok();
    grant.filter(|grant| grant.client.merchant == client.merchant)
}

/// A client that is to be registered.
#[derive(Debug)]
pub struct NewClient {
    /// For people; one client has it.
    pub name: String,
    /// Where it may send payers back to.
    pub return_origins: Vec<String>,
    /// Whether its calls must be signed.
    pub signatures: Signatures,
    /// Where its events go, if anywhere.
    pub webhook_url: Option<String>,
}

/// A client that was registered; its secrets are shown this once.
#[derive(Debug)]
pub struct RegisteredClient {
    /// The client.
    pub client: Arc<Client>,
    /// OAuth client secret.
    pub client_secret: SecretText,
    /// Id of the signing key.
    pub key_id: String,
    /// Base64 of 32 bytes.
    pub signing_key: SecretText,
    /// Its webhook endpoint: id and secret.
    pub webhook: Option<(EndpointId, SecretText)>,
}

/// Registers a client of the gateway's merchant.
pub async fn register_client(
    context: &Context,
    new: NewClient,
) -> Result<RegisteredClient, AccessError> {
    check_name(context, &new.name)?;
    if new.return_origins.len() > ORIGINS_MAX {
        return Err(ReturnOriginError.into());
    }
    let return_origins = ReturnOrigins::new(new.return_origins)?;
    let secrets = &context.plumbing.secrets;
    let now = context.plumbing.clock.now();
    let client_secret = SecretText(secrets.token("", 32));
    let client = Arc::new(Client {
        client_id: secrets.token("cli_", 16),
        name: new.name,
        merchant: context.settings.keys.merchant.id,
        signatures: new.signatures,
        scopes: Scopes::ALL,
        return_origins,
        from_keys_file: false,
        created_at: now,
        secret_hash: hashed(client_secret.expose()),
    });
    let (key_id, signing_key) = (secrets.token("key_", 16), secrets.bytes::<32>());
    let key = sealed_key(context, &client.client_id, &key_id, &signing_key)?;
    let endpoint = match new.webhook_url {
        Some(url) => Some(super::webhooks::prepare_endpoint(context, url, now)?),
        None => None,
    };
    let row = client_row(&client);
    let endpoint_row = endpoint.as_ref().map(|(row, _)| row.clone());
    context
        .database
        .write(move |connection| {
            store::access::put_client(connection, &row)?;
            store::access::put_client_key(connection, &key)?;
            match &endpoint_row {
                Some(row) => store::webhooks::insert_endpoint(connection, row),
                None => Ok(()),
            }
        })
        .await?;
    let entry = KeyEntry {
        client_id: client.client_id.clone(),
        key: Arc::new(SigningKey::new(key_id.clone(), signing_key)),
        retires_at: None,
    };
    context.access.insert_key(key_id.clone(), entry);
    context.access.insert_client(client.clone());
    context.notifier.wake();
    Ok(RegisteredClient {
        client,
        client_secret,
        key_id,
        signing_key: SecretText(BASE64.encode(&signing_key)),
        webhook: endpoint.map(|(row, secret)| (row.id, secret)),
    })
}

fn check_name(context: &Context, name: &str) -> Result<(), AccessError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_. ".contains(&byte);
    let fits = !name.trim().is_empty()
        && name.len() <= NAME_LENGTH_MAX
        && name.bytes().all(plain)
        && !wire::card::contains_card_number(name);
    let taken = context.access.clients().iter().any(|client| client.name == name);
    if fits && !taken { Ok(()) } else { Err(AccessError::Name) }
}

fn sealed_key(
    context: &Context,
    client_id: &str,
    key_id: &str,
    signing_key: &[u8; 32],
) -> Result<ClientKeyRow, VaultError> {
    let place = SecretPlace { table: KEY_TABLE, row: key_id };
    Ok(ClientKeyRow {
        key_id: key_id.to_owned(),
        client_id: client_id.to_owned(),
        sealed: context.vault.seal_secret(place, signing_key)?,
        retires_at: None,
    })
}

fn client_row(client: &Client) -> ClientRow {
    ClientRow {
        client_id: client.client_id.clone(),
        name: client.name.clone(),
        merchant: client.merchant,
        secret_hash: client.secret_hash,
        signatures_required: client.signatures == Signatures::Required,
        scopes: client.scopes.to_string(),
        return_origins: client.return_origins.as_slice().join("\n"),
        from_keys_file: client.from_keys_file,
        created_at: client.created_at,
    }
}

/// Removes a client that was registered at run time; its tokens and keys end with the next
/// request.
pub async fn remove_client(context: &Context, client_id: &str) -> Result<(), AccessError> {
    let client = context.access.client(client_id).ok_or(AccessError::NotFound)?;
    if client.from_keys_file {
        return Err(AccessError::FromKeysFile);
    }
    let now = context.plumbing.clock.now();
    context.access.remove_client(client_id);
    let client_id = client_id.to_owned();
    let remove = move |connection: &rusqlite::Connection| {
        store::access::remove_client(connection, &client_id, now)
    };
    context.database.write(remove).await?;
    Ok(())
}

/// A signing key that replaces the one before; shown this once.
#[derive(Debug)]
pub struct RotatedKey {
    /// Its id.
    pub key_id: String,
    /// Base64 of 32 bytes.
    pub signing_key: SecretText,
    /// Until when the one before is accepted.
    pub previous_until: Timestamp,
}

/// Gives a client a new signing key; the old one is accepted for a day.
pub async fn rotate_client_key(
    context: &Context,
    client_id: &str,
) -> Result<RotatedKey, AccessError> {
    let client = context.access.client(client_id).ok_or(AccessError::NotFound)?;
    if client.from_keys_file {
        return Err(AccessError::FromKeysFile);
    }
    let secrets = &context.plumbing.secrets;
    let (key_id, signing_key) = (secrets.token("key_", 16), secrets.bytes::<32>());
    let row = sealed_key(context, client_id, &key_id, &signing_key)?;
    let previous_until = context.plumbing.clock.now().plus(KEY_OVERLAP);
    context
        .database
        .write(move |connection| {
            store::access::put_client_key(connection, &row)?;
            let (client_id, kept) = (&row.client_id, &row.key_id);
            store::access::retire_other_keys(connection, client_id, kept, previous_until)
        })
        .await?;
    let entry = KeyEntry {
        client_id: client_id.to_owned(),
        key: Arc::new(SigningKey::new(key_id.clone(), signing_key)),
        retires_at: None,
    };
    context.access.insert_key(key_id.clone(), entry);
    context.access.retire_other_keys(client_id, &key_id, previous_until);
    let signing_key = SecretText(BASE64.encode(&signing_key));
    Ok(RotatedKey { key_id, signing_key, previous_until })
}

/// Ends a key that was replaced before its time; the next call that it signs is refused.
pub async fn revoke_client_key(
    context: &Context,
    client_id: &str,
    key_id: &str,
) -> Result<(), AccessError> {
    let now = context.plumbing.clock.now();
    match context.access.key_standing(client_id, key_id).ok_or(AccessError::NotFound)? {
        KeyStanding::InUse => return Err(AccessError::KeyInUse),
        KeyStanding::Ended => return Ok(()),
        KeyStanding::Replaced => context.access.end_key(key_id, now),
    }
    let key_id = key_id.to_owned();
    let end =
        move |connection: &rusqlite::Connection| store::access::end_key(connection, &key_id, now);
    Ok(context.database.write(end).await?)
}

/// The merchant that a publishable key stands for.
pub fn merchant_of_publishable_key(context: &Context, key: &str) -> Option<MerchantId> {
    let keys = &context.settings.keys;
    (key == keys.publishable_key).then_some(keys.merchant.id)
}
