//! Signing keys, and the keys for answers that are derived from them.

use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::mac::{MacKey, derive};

const RESPONSE_PURPOSE: &str = "payrig/response/v1";

/// A key for requests in one direction; wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey {
    secret: Zeroizing<[u8; 32]>,
    mac: MacKey,
    response: ResponseKey,
}

/// The text is not base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key is base64 of 32 bytes")]
pub struct SigningKeyError;

impl SigningKey {
    /// A key of 32 random bytes under the name that signatures carry as `keyid`.
    ///
    /// The id has to be visible ASCII: nothing else can be sent, so nobody would find the key.
    pub fn new(key_id: impl Into<String>, secret: [u8; 32]) -> Self {
        let mac = MacKey::new(derive(&secret, RESPONSE_PURPOSE).as_slice());
        Self {
            mac: MacKey::new(&secret),
            secret: Zeroizing::new(secret),
            response: ResponseKey(Arc::new(Response { key_id: key_id.into(), mac })),
        }
    }

    /// Reads the secret from base64.
    pub fn from_base64(key_id: impl Into<String>, secret: &str) -> Result<Self, SigningKeyError> {
        let bytes =
            BASE64.decode(secret.as_bytes()).map(Zeroizing::new).map_err(|_| SigningKeyError)?;
        let secret = bytes.as_slice().try_into().map_err(|_| SigningKeyError)?;
        Ok(Self::new(key_id, secret))
    }

    /// The name under which signatures refer to it.
    pub fn key_id(&self) -> &str {
        self.response.key_id()
    }

    /// The signature that this key gives for a signature base, as it stands behind the label.
    ///
    /// For people who look into a message: to verify one, use [`super::verify_request`].
    pub fn signature_of(&self, base: &str) -> String {
        format!(":{}:", BASE64.encode(&self.mac.code([base.as_bytes()])))
    }

    /// The secret as base64, to be handed to its owner once.
    pub fn secret_base64(&self) -> String {
        BASE64.encode(self.secret.as_slice())
    }

    /// The key that signs the answers to requests under this key.
    pub const fn response_key(&self) -> &ResponseKey {
        &self.response
    }

    pub(super) const fn mac(&self) -> &MacKey {
        &self.mac
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({:?}, ***)", self.key_id())
    }
}

/// The key for answers, derived from a signing key. Cheap to clone.
#[derive(Clone)]
pub struct ResponseKey(Arc<Response>);

struct Response {
    key_id: String,
    mac: MacKey,
}

impl ResponseKey {
    /// The name of the signing key it was derived from.
    pub fn key_id(&self) -> &str {
        &self.0.key_id
    }

    pub(super) fn mac(&self) -> &MacKey {
        &self.0.mac
    }
}

impl fmt::Debug for ResponseKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ResponseKey({:?}, ***)", self.key_id())
    }
}

/// What a table of keys says about a key id.
#[derive(Clone, Debug)]
pub enum KeyLookup<'k> {
    /// In force, borrowed from the table.
    Known(&'k SigningKey),
    /// In force, shared with the table.
    Shared(Arc<SigningKey>),
    /// Past its overlap.
    Revoked,
    /// Not in the table.
    Unknown,
}
