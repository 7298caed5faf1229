//! Clients, keys, tokens and nonces in memory: a request is checked without the database.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use kit::clock::Clock;
use kit::http::{KeyTable, NonceCache, OwnedKeyLookup};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wire::ids::MerchantId;
use wire::signature::SigningKey;
use wire::time::Timestamp;

use super::throttle::Throttle;
use crate::domain::access::{ReturnOrigins, Scopes};
use crate::settings::Signatures;

/// How long an ended token is told apart from one that never was.
const ENDED_KNOWN_FOR: Duration = Duration::from_hours(1);

/// An API client.
#[derive(Debug)]
pub struct Client {
    /// OAuth client id.
    pub client_id: String,
    /// For people.
    pub name: String,
    /// Whose payments it works with.
    pub merchant: MerchantId,
    /// Whether its calls must be signed.
    pub signatures: Signatures,
    /// What it may ask for.
    pub scopes: Scopes,
    /// Where it may send payers back to.
    pub return_origins: ReturnOrigins,
    /// Whether it stands in the keys file.
    pub from_keys_file: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// SHA-256 of its secret.
    pub(super) secret_hash: [u8; 32],
}

/// What a bearer token allows.
#[derive(Clone, Debug)]
pub struct Grant {
    /// To whom.
    pub client: Arc<Client>,
    /// What.
    pub scopes: Scopes,
    /// Since when.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why a bearer token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Never issued, or revoked.
    #[error("the access token is unknown or was revoked")]
    Unknown,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
}

/// Why a client was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientRefusal {
    /// No such client, or another secret: which of the two is not said.
    #[error("client authentication failed")]
    Unknown,
    /// Too many calls, or too many wrong secrets.
    #[error("too many calls")]
    SlowDown(Duration),
}

/// A signing key in memory.
#[derive(Clone, Debug)]
pub(super) struct KeyEntry {
    pub(super) client_id: String,
    pub(super) key: Arc<SigningKey>,
    pub(super) retires_at: Option<Timestamp>,
}

/// Where a signing key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyStanding {
    /// The client signs with it.
    InUse,
    /// Another took its place; it is accepted for a while.
    Replaced,
    /// It is refused.
    Ended,
}

/// Everything that a request is checked against; clones share it.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    ours: Line,
    /// The line to a merchant that is not ours, and the name of its client.
    foreign: Option<(String, Line)>,
    known: RwLock<Known>,
}

/// What a line to merchants lives by. Times of two clocks do not mix.
pub(super) struct Line {
    clock: Clock,
    nonces: NonceCache,
    throttle: Throttle,
}

impl Line {
    /// `calls` is how often a client may ask for a token in a minute.
    pub(super) fn new(clock: Clock, nonces: NonceCache, calls: u32) -> Self {
        Self { clock, nonces, throttle: Throttle::new(calls) }
    }
}

#[derive(Default)]
pub(super) struct Known {
    pub(super) clients: HashMap<String, Arc<Client>>,
    pub(super) keys: HashMap<String, KeyEntry>,
    pub(super) tokens: HashMap<[u8; 32], Grant>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Registry(..)")
    }
}

/// SHA-256: tokens and client secrets are random, so a plain hash keeps them safe at rest.
pub(super) fn hashed(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Registry {
    pub(super) fn new(ours: Line, foreign: Option<(String, Line)>, known: Known) -> Self {
        Self(Arc::new(Inner { ours, foreign, known: RwLock::new(known) }))
    }

    fn line_of(&self, client: &Client) -> &Line {
        match &self.0.foreign {
            Some((name, line)) if *name == client.name => line,
            _ => &self.0.ours,
        }
    }

    fn line_of_id(&self, client_id: &str) -> &Line {
        self.client(client_id).map_or(&self.0.ours, |client| self.line_of(&client))
    }

    /// The nonces that were seen on our own line.
    pub fn nonces(&self) -> &NonceCache {
        &self.0.ours.nonces
    }

    /// By which clock this client lives.
    pub fn clock_of(&self, client: &Client) -> &Clock {
        &self.line_of(client).clock
    }

    /// The clock and the nonces of whoever has a signing key.
    pub fn line_of_key(&self, key_id: &str) -> (&Clock, &NonceCache) {
        let owner = self.read().keys.get(key_id).map(|entry| entry.client_id.clone());
        let line = owner.map_or(&self.0.ours, |client_id| self.line_of_id(&client_id));
        (&line.clock, &line.nonces)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a bearer token allows.
    pub fn grant(&self, token: &str) -> Result<Grant, TokenRefusal> {
        let grant = self.read().tokens.get(&hashed(token)).cloned();
        let grant = grant.ok_or(TokenRefusal::Unknown)?;
        if grant.expires_at <= self.clock_of(&grant.client).now() {
            return Err(TokenRefusal::Expired);
        }
        Ok(grant)
    }

    /// Whether a signing key is this client's.
    pub fn key_belongs_to(&self, key_id: &str, client_id: &str) -> bool {
        self.read().keys.get(key_id).is_some_and(|entry| entry.client_id == client_id)
    }

    /// Where a key of this client stands; none when the client has no such key.
    pub(super) fn key_standing(&self, client_id: &str, key_id: &str) -> Option<KeyStanding> {
        let known = self.read();
        let entry = known.keys.get(key_id).filter(|entry| entry.client_id == client_id)?;
        Some(match entry.retires_at {
            None => KeyStanding::InUse,
            Some(end) if end <= self.0.ours.clock.now() => KeyStanding::Ended,
            Some(_) => KeyStanding::Replaced,
        })
    }

    pub(super) fn end_key(&self, key_id: &str, now: Timestamp) {
        if let Some(entry) = self.write().keys.get_mut(key_id) {
            entry.retires_at = Some(now);
        }
    }

    /// A client by its id.
    pub fn client(&self, client_id: &str) -> Option<Arc<Client>> {
        self.read().clients.get(client_id).cloned()
    }

    /// Every client, by name.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        let mut clients: Vec<Arc<Client>> = self.read().clients.values().cloned().collect();
        clients.sort_by(|one, two| {
            (one.created_at, &one.name, &one.client_id).cmp(&(
                two.created_at,
                &two.name,
                &two.client_id,
            ))
        });
        clients
    }

    /// Lets a client in by its secret. An unknown client takes the same path and time.
    pub fn authenticate(
        &self,
        client_id: &str,
        secret: &str,
        peer: IpAddr,
    ) -> Result<Arc<Client>, ClientRefusal> {
        let client = self.client(client_id);
        let line = client.as_ref().map_or(&self.0.ours, |client| self.line_of(client));
        let now = line.clock.now();
        line.throttle.enter(client_id, peer, now).map_err(ClientRefusal::SlowDown)?;
        let stored = client.as_ref().map_or([0; 32], |client| client.secret_hash);
        let right = bool::from(hashed(secret).ct_eq(&stored)) && client.is_some();
        line.throttle.note(client_id, peer, now, right);
        client.filter(|_| right).ok_or(ClientRefusal::Unknown)
    }

    pub(super) fn insert_token(&self, hash: [u8; 32], grant: Grant) {
        self.write().tokens.insert(hash, grant);
    }

    pub(super) fn token(&self, hash: &[u8; 32]) -> Option<Grant> {
        self.read().tokens.get(hash).cloned()
    }

    pub(super) fn remove_token(&self, hash: &[u8; 32]) {
        self.write().tokens.remove(hash);
    }

    pub(super) fn insert_client(&self, client: Arc<Client>) {
        self.write().clients.insert(client.client_id.clone(), client);
    }

    pub(super) fn insert_key(&self, key_id: String, entry: KeyEntry) {
        self.write().keys.insert(key_id, entry);
    }

    pub(super) fn retire_other_keys(&self, client_id: &str, kept: &str, at: Timestamp) {
        for (key_id, entry) in &mut self.write().keys {
            if entry.client_id == client_id && key_id != kept && entry.retires_at.is_none() {
                entry.retires_at = Some(at);
            }
        }
    }

    /// Forgets a client: its tokens and keys end with the next request.
    pub(super) fn remove_client(&self, client_id: &str) {
        let now = self.0.ours.clock.now();
        let mut known = self.write();
        known.clients.remove(client_id);
        known.tokens.retain(|_, grant| grant.client.client_id != client_id);
        for entry in known.keys.values_mut().filter(|entry| entry.client_id == client_id) {
            entry.retires_at = Some(now);
        }
    }

    /// Forgets tokens that ended long ago.
    pub fn forget_ended(&self) {
        let is_known = |grant: &Grant| {
            grant.expires_at.plus(ENDED_KNOWN_FOR) > self.clock_of(&grant.client).now()
        };
        self.write().tokens.retain(|_, grant| is_known(grant));
    }
}

impl KeyTable for Registry {
    fn find(&self, key_id: &str) -> OwnedKeyLookup {
        let known = self.read();
        let Some(entry) = known.keys.get(key_id) else { return OwnedKeyLookup::Unknown };
        if entry.retires_at.is_some_and(|at| at <= self.0.ours.clock.now()) {
            return OwnedKeyLookup::Revoked;
        }
        OwnedKeyLookup::Known(entry.key.clone())
    }
}
