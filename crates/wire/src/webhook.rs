//! Signed events for merchants (Standard Webhooks 1.0).

mod keys;

use data_encoding::BASE64;

pub use keys::{WebhookKeyError, WebhookPublicKey, WebhookSecret, WebhookSigningKey};

/// The header that carries the event's id.
pub const ID_HEADER: &str = "webhook-id";
/// The header that carries the time of the attempt, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header that carries the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far the time of an attempt may lie from the receiver's, in seconds, both ways.
pub const TOLERANCE_SECONDS: i64 = 300;
/// Longest signature header, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 4096;
/// Most signatures in the header.
pub const SIGNATURES_MAX: usize = 16;
/// Longest event id, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Most digits of a timestamp.
pub const TIMESTAMP_DIGITS_MAX: usize = 12;

/// Every received value of each header, in the order of arrival.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebhookHeaders<'a> {
    /// `webhook-id`.
    pub id: &'a [&'a str],
    /// `webhook-timestamp`.
    pub timestamp: &'a [&'a str],
    /// `webhook-signature`.
    pub signature: &'a [&'a str],
}

/// What a verified message says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedWebhook {
    /// The event's id, the same on every attempt.
    pub id: String,
    /// The time of this attempt, in Unix seconds.
    pub timestamp: i64,
}

/// Why a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// A header is absent.
    #[error("the header {header} is missing")]
    HeaderMissing {
        /// Its name.
        header: &'static str,
    },
    /// A header is there more than once.
    #[error("the header {header} is there more than once")]
    HeaderDuplicate {
        /// Its name.
        header: &'static str,
    },
    /// Not 1 to 128 letters, digits and underscores.
    #[error("the id is not 1 to 128 letters, digits and underscores")]
    IdMalformed,
    /// Not 1 to 12 digits.
    #[error("the timestamp is not 1 to 12 digits")]
    TimestampMalformed,
    /// More than 300 s before the receiver's time.
    #[error("the timestamp is more than {TOLERANCE_SECONDS} seconds old")]
    TimestampTooOld,
    /// More than 300 s after the receiver's time.
    #[error("the timestamp is more than {TOLERANCE_SECONDS} seconds ahead")]
    TimestampTooNew,
    /// The signature header is longer than 4,096 bytes or holds more than 16 signatures.
    #[error("the signature header is too large")]
    SignatureTooLarge,
    /// No signature fits a key of its own version.
    #[error("no signature fits")]
    SignatureMismatch,
}

impl WebhookRefusal {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeaderMissing { .. } => "header_missing",
            Self::HeaderDuplicate { .. } => "header_duplicate",
            Self::IdMalformed => "id_malformed",
            Self::TimestampMalformed => "timestamp_malformed",
            Self::TimestampTooOld => "timestamp_too_old",
            Self::TimestampTooNew => "timestamp_too_new",
            Self::SignatureTooLarge => "signature_too_large",
            Self::SignatureMismatch => "signature_mismatch",
        }
    }
}

/// The bytes that are signed: `id "." timestamp "." body`.
pub fn signed_content(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    signed_parts(id, &timestamp.to_string(), body).concat()
}

fn signed_parts<'p>(id: &'p str, timestamp: &'p str, body: &'p [u8]) -> [&'p [u8]; 5] {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body]
}

/// The value of `webhook-signature`: one signature by each key, separated by spaces.
///
/// `timestamp` is the time of this attempt in Unix seconds. While keys rotate, old and new sign.
pub fn sign<'k>(
    secrets: &[&WebhookSecret],
    signing_keys: impl IntoIterator<Item = &'k WebhookSigningKey>,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let timestamp = timestamp.to_string();
    let parts = signed_parts(id, &timestamp, body);
    let mut value = String::with_capacity(160);
    let mut entry = |version: &str, signature: &[u8]| {
        if !value.is_empty() {
            value.push(' ');
        }
        value.push_str(version);
        value.push(',');
        BASE64.encode_append(signature, &mut value);
    };
    for secret in secrets {
        entry("v1", &secret.code(parts));
    }
    let mut signing_keys = signing_keys.into_iter().peekable();
    if signing_keys.peek().is_some() {
        let content = parts.concat();
        for key in signing_keys {
            entry("v1a", &key.signature(&content));
        }
    }
    value
}

/// Verifies a message as a careful receiver does; `now` is in Unix seconds.
///
/// `v1` is only ever checked with the secrets and `v1a` only with the public keys. Parse the body
/// after this, and keep a table of the ids that were processed.
pub fn verify<'k>(
    secrets: &[WebhookSecret],
    public_keys: impl IntoIterator<Item = &'k WebhookPublicKey>,
    headers: WebhookHeaders<'_>,
    body: &[u8],
    now: i64,
) -> Result<VerifiedWebhook, WebhookRefusal> {
    let id = only(headers.id, ID_HEADER)?;
    let timestamp = only(headers.timestamp, TIMESTAMP_HEADER)?;
    let signature = only(headers.signature, SIGNATURE_HEADER)?;
    let id_bytes = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(id_bytes) {
        return Err(WebhookRefusal::IdMalformed);
    }
    let at = read_timestamp(timestamp)?;
    if at < now.saturating_sub(TOLERANCE_SECONDS) {
        return Err(WebhookRefusal::TimestampTooOld);
    }
    if at > now.saturating_add(TOLERANCE_SECONDS) {
        return Err(WebhookRefusal::TimestampTooNew);
    }
    let parts = signed_parts(id, timestamp, body);
    if any_signature_fits(secrets, public_keys, signature, parts)? {
        Ok(VerifiedWebhook { id: id.to_owned(), timestamp: at })
    } else {
        Err(WebhookRefusal::SignatureMismatch)
    }
}

fn only<'h>(values: &[&'h str], header: &'static str) -> Result<&'h str, WebhookRefusal> {
    match values {
        [] => Err(WebhookRefusal::HeaderMissing { header }),
        [value] => Ok(value),
        [_, _, ..] => Err(WebhookRefusal::HeaderDuplicate { header }),
    }
}

/// Digits only: `+5`, `1e9` and ` 5` are numbers to some parsers and not to this one.
fn read_timestamp(text: &str) -> Result<i64, WebhookRefusal> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || text.len() > TIMESTAMP_DIGITS_MAX || !digits {
        return Err(WebhookRefusal::TimestampMalformed);
    }
    text.parse().map_err(|_| WebhookRefusal::TimestampMalformed)
}

fn any_signature_fits<'k>(
    secrets: &[WebhookSecret],
    public_keys: impl IntoIterator<Item = &'k WebhookPublicKey>,
    header: &str,
    parts: [&[u8]; 5],
) -> Result<bool, WebhookRefusal> {
    if header.len() > SIGNATURE_BYTES_MAX {
        return Err(WebhookRefusal::SignatureTooLarge);
    }
    let entries = || header.split(' ').filter(|entry| !entry.is_empty());
    if entries().count() > SIGNATURES_MAX {
        return Err(WebhookRefusal::SignatureTooLarge);
    }
    let of_version = |version: &'static str| {
        entries()
            .filter_map(|entry| entry.split_once(','))
            .filter(move |(entry_version, _)| *entry_version == version)
            .filter_map(|(_, signature)| BASE64.decode(signature.as_bytes()).ok())
    };
    // Every entry is tried with every key, whether or not one has fitted already.
    let mut fits = false;
    for signature in of_version("v1") {
        for secret in secrets {
            fits |= secret.fits(parts, &signature);
        }
    }
    let content = parts.concat();
    for key in public_keys {
        for signature in of_version("v1a") {
            fits |= key.fits(&content, &signature);
        }
    }
    Ok(fits)
}

#[cfg(test)]
mod tests;
