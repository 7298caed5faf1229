//! HTTP message signatures (RFC 9421) in one strict profile, `payrig-v1`.
//!
//! The verifier decides which components a signature covers; the signer chooses only their order
//! and the label. Whether a nonce was seen before is for the caller to check, who has storage.

mod base;
mod component;
mod dictionary;
mod input;
mod key;
pub(crate) mod mac;
mod opened;
mod refusal;
mod request;
mod response;

use data_encoding::BASE64;

pub use key::{KeyLookup, ResponseKey, SigningKey, SigningKeyError};
pub use refusal::{Refusal, RefusalReason};
pub use request::{sign_request, signature_base_of_request, verify_request};
pub use response::{sign_response, signature_base_of_response, verify_response};

/// The tag of the profile, by which the verifier picks its signature among others.
pub const TAG: &str = "payrig-v1";
/// The label of our own signatures.
pub const LABEL: &str = "payrig";
/// The only algorithm.
pub const ALGORITHM: &str = "hmac-sha256";
/// Longest time from creation to expiry, in seconds.
pub const LIFETIME_SECONDS_MAX: i64 = 300;
/// How far ahead of our clock a signature may have been made, in seconds.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 60;
/// Longest `Signature-Input`, in bytes, all its lines together.
pub const SIGNATURE_INPUT_BYTES_MAX: usize = 2048;
/// Shortest nonce, in characters.
pub const NONCE_LENGTH_MIN: usize = 16;
/// Longest nonce, in characters.
pub const NONCE_LENGTH_MAX: usize = 128;

/// Which kind of connection a request travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// An API: an idempotency key, where an unsafe request carries one, is covered.
    Api,
    /// A hop between gateway, processor and the roles behind it: the trace id is covered, always.
    MessageHop,
}

/// Where a request goes, as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    /// The method, for example `POST`.
    pub method: &'a str,
    /// Host, and port unless it is the default of the scheme.
    pub authority: &'a str,
    /// The path, neither decoded nor encoded again.
    pub path: &'a str,
    /// What follows the question mark; empty without one.
    pub query: &'a str,
}

/// What a request carries. A header that was received twice must not come here joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestContent<'a> {
    /// The bytes of the body.
    pub body: &'a [u8],
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// `Payrig-Trace-Id`.
    pub trace_id: Option<&'a str>,
}

/// When a signature was made and when it ends, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureTimes {
    /// When it was made.
    pub created: i64,
    /// The last second in which it counts.
    pub expires: i64,
}

/// The headers that a signer adds to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `Content-Digest`; absent from a request without a body.
    pub content_digest: Option<String>,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

impl SignedHeaders {
    /// What the answer to this signed request must be bound to.
    pub fn binding(&self, target: &RequestTarget<'_>) -> RequestBinding {
        let value = self.signature.split_once('=').map_or("", |(_, value)| value);
        RequestBinding {
            method: target.method.to_owned(),
            path: target.path.to_owned(),
            label: LABEL.to_owned(),
            signature_value: value.to_owned(),
        }
    }
}

/// Every received value of each header, in the order of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedHeaders<'a> {
    /// `Signature-Input`.
    pub signature_input: &'a [&'a str],
    /// `Signature`.
    pub signature: &'a [&'a str],
    /// `Content-Digest`.
    pub content_digest: &'a [&'a str],
}

/// A request's signature that was verified. Its nonce has still to be checked for replay.
#[derive(Clone, Debug)]
pub struct VerifiedSignature {
    /// Who signed.
    pub key_id: String,
    /// Unique for this key until `expires`.
    pub nonce: String,
    /// When it was made, in Unix seconds.
    pub created: i64,
    /// The last second in which it counts, in Unix seconds.
    pub expires: i64,
    /// The label that the signer chose.
    pub label: String,
    /// `:base64:` as received.
    pub signature_value: String,
    /// The key that signs the answer.
    pub response_key: ResponseKey,
}

impl VerifiedSignature {
    /// What the answer must be bound to.
    pub fn binding(&self, target: &RequestTarget<'_>) -> RequestBinding {
        RequestBinding {
            method: target.method.to_owned(),
            path: target.path.to_owned(),
            label: self.label.clone(),
            signature_value: self.signature_value.clone(),
        }
    }
}

/// The request that an answer belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestBinding {
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The label of the request's signature.
    pub label: String,
    /// The value of the request's signature, `:base64:`.
    pub signature_value: String,
}

/// The headers for a signature base, in which the parameters begin at `parameters_at`.
fn signed_headers(
    mac: &mac::MacKey,
    base: &str,
    parameters_at: usize,
    digest: Option<&base::ContentDigest>,
) -> SignedHeaders {
    let parameters = base.get(parameters_at..).unwrap_or_default();
    let mut signature_input = String::with_capacity(LABEL.len() + 1 + parameters.len());
    signature_input.push_str(LABEL);
    signature_input.push('=');
    signature_input.push_str(parameters);
    let mut signature = String::with_capacity(LABEL.len() + 47);
    signature.push_str(LABEL);
    signature.push_str("=:");
    BASE64.encode_append(&mac.code([base.as_bytes()]), &mut signature);
    signature.push(':');
    let content_digest = digest.map(|digest| digest.as_str().to_owned());
    SignedHeaders { content_digest, signature_input, signature }
}

#[cfg(test)]
mod tests;
