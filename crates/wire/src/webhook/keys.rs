//! Keys of webhook endpoints: `whsec_` secrets and `whsk_` / `whpk_` ed25519 key pairs.

use std::fmt;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::signature::mac::MacKey;

const SECRET_PREFIX: &str = "whsec_";
const SIGNING_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";

/// Fewest bytes of a secret.
const SECRET_BYTES_MIN: usize = 24;
/// Most bytes of a secret.
const SECRET_BYTES_MAX: usize = 64;

/// Why a text is no key. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookKeyError {
    /// The text does not begin as keys of this kind do.
    #[error("the key does not begin with {expected}")]
    Prefix {
        /// The prefix of this kind.
        expected: &'static str,
    },
    /// The rest is not base64 with padding.
    #[error("the key is not base64")]
    Encoding,
    /// Too few bytes or too many.
    #[error("the key has the wrong length")]
    Length,
    /// The bytes are no point of the curve, or one of small order.
    #[error("the key is not a sound ed25519 public key")]
    Unsound,
}

/// The HMAC secret of an endpoint, 24 to 64 bytes; wiped from memory when dropped.
#[derive(Clone)]
pub struct WebhookSecret {
    bytes: Zeroizing<Vec<u8>>,
    mac: MacKey,
}

impl WebhookSecret {
    /// A secret of 24 to 64 random bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, WebhookKeyError> {
        if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self { mac: MacKey::new(bytes), bytes: Zeroizing::new(bytes.to_vec()) })
        } else {
            Err(WebhookKeyError::Length)
        }
    }

    /// Reads `whsec_` and base64.
    pub fn parse(text: &str) -> Result<Self, WebhookKeyError> {
        Self::new(&decode(text, SECRET_PREFIX)?)
    }

    /// Writes `whsec_` and base64.
    pub fn encode(&self) -> String {
        encode(SECRET_PREFIX, &self.bytes)
    }

    pub(super) fn code(&self, parts: [&[u8]; 5]) -> [u8; 32] {
        self.mac.code(parts)
    }

    pub(super) fn fits(&self, parts: [&[u8]; 5], signature: &[u8]) -> bool {
        self.mac.verifies(parts, signature)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSecret(whsec_***)")
    }
}

/// The private half of an ed25519 key pair (RFC 8032); wiped from memory when dropped.
#[derive(Clone)]
pub struct WebhookSigningKey(SigningKey);

impl WebhookSigningKey {
    /// The key pair of a seed of 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads `whsk_` and base64 of the seed.
    pub fn parse(text: &str) -> Result<Self, WebhookKeyError> {
        let bytes = decode(text, SIGNING_PREFIX)?;
        bytes.as_slice().try_into().map(Self::from_seed).map_err(|_| WebhookKeyError::Length)
    }

    /// Writes `whsk_` and base64 of the seed.
    pub fn encode(&self) -> String {
        encode(SIGNING_PREFIX, self.0.as_bytes())
    }

    /// The public half.
    pub fn public(&self) -> WebhookPublicKey {
        WebhookPublicKey(self.0.verifying_key())
    }

    pub(super) fn signature(&self, content: &[u8]) -> [u8; 64] {
        self.0.sign(content).to_bytes()
    }
}

impl fmt::Debug for WebhookSigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSigningKey(whsk_***)")
    }
}

/// The public half of an ed25519 key pair (RFC 8032).
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookPublicKey(VerifyingKey);

impl WebhookPublicKey {
    /// Reads `whpk_` and base64; a point of small order is refused.
    pub fn parse(text: &str) -> Result<Self, WebhookKeyError> {
        let bytes = decode(text, PUBLIC_PREFIX)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| WebhookKeyError::Length)?;
        match VerifyingKey::from_bytes(bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(key)),
            Ok(_) | Err(_) => Err(WebhookKeyError::Unsound),
        }
    }

    /// Writes `whpk_` and base64.
    pub fn encode(&self) -> String {
        encode(PUBLIC_PREFIX, self.0.as_bytes())
    }

    pub(super) fn fits(&self, content: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(content, &signature).is_ok())
    }
}

impl fmt::Debug for WebhookPublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WebhookPublicKey({})", self.encode())
    }
}

fn decode(text: &str, expected: &'static str) -> Result<Zeroizing<Vec<u8>>, WebhookKeyError> {
    let encoded = text.strip_prefix(expected).ok_or(WebhookKeyError::Prefix { expected })?;
    BASE64.decode(encoded.as_bytes()).map(Zeroizing::new).map_err(|_| WebhookKeyError::Encoding)
}

fn encode(prefix: &str, bytes: &[u8]) -> String {
    let mut text = prefix.to_owned();
    BASE64.encode_append(bytes, &mut text);
    text
}
