//! Golden vectors, every refusal, and properties of the profile.

mod answers;
mod properties;
mod refusals;
mod vectors;

use super::*;

pub(super) const NOW: i64 = 1_767_225_010;
pub(super) const TIMES: SignatureTimes =
    SignatureTimes { created: 1_767_225_000, expires: 1_767_225_060 };
pub(super) const NONCE: &str = "AAECAwQFBgcICQoLDA0ODw";
pub(super) const BODY: &[u8] =
    br#"{"amount":{"value":2200,"currency":"GBP"},"order_reference":"ord_1001"}"#;

pub(super) fn key() -> SigningKey {
    SigningKey::new("key_demo", std::array::from_fn(|index| 0x40 + u8::try_from(index).unwrap()))
}

/// A request as it arrives: everything that a test may want to change.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub wire: Wire,
    pub method: String,
    pub authority: String,
    pub path: String,
    pub query: String,
    pub body: Vec<u8>,
    pub content_type: Option<String>,
    pub idempotency_key: Option<String>,
    pub trace_id: Option<String>,
    pub input: Vec<String>,
    pub signature: Vec<String>,
    pub digest: Vec<String>,
}

impl Request {
    /// The request of the golden vector, unsigned.
    pub fn unsigned() -> Self {
        Self {
            wire: Wire::Api,
            method: "POST".into(),
            authority: "127.0.0.1:7072".into(),
            path: "/api/payments".into(),
            query: String::new(),
            body: BODY.to_vec(),
            content_type: Some("application/json".into()),
            idempotency_key: Some("order-1001-attempt-1".into()),
            trace_id: None,
            input: Vec::new(),
            signature: Vec::new(),
            digest: Vec::new(),
        }
    }

    /// The request of the golden vector, signed.
    pub fn signed() -> Self {
        Self::unsigned().sign()
    }

    pub fn target(&self) -> RequestTarget<'_> {
        RequestTarget {
            method: &self.method,
            authority: &self.authority,
            path: &self.path,
            query: &self.query,
        }
    }

    pub fn content(&self) -> RequestContent<'_> {
        RequestContent {
            body: &self.body,
            content_type: self.content_type.as_deref(),
            idempotency_key: self.idempotency_key.as_deref(),
            trace_id: self.trace_id.as_deref(),
        }
    }

    pub fn sign_with(mut self, key: &SigningKey, times: SignatureTimes, nonce: &str) -> Self {
        let headers = sign_request(key, self.wire, &self.target(), &self.content(), times, nonce);
        self.input = vec![headers.signature_input];
        self.signature = vec![headers.signature];
        self.digest = headers.content_digest.into_iter().collect();
        self
    }

    pub fn sign(self) -> Self {
        self.sign_with(&key(), TIMES, NONCE)
    }

    /// Another `Signature-Input`, with a code that fits it if the profile allows it at all.
    pub fn with_input(mut self, label: &str, input: &str) -> Self {
        self.input = vec![format!("{label}={input}")];
        self.signature = vec![format!("{label}=:{}:", BASE64.encode(&[0; 32]))];
        if let Ok(base) = self.with_headers(|headers| {
            signature_base_of_request(self.wire, &self.target(), &self.content(), headers)
        }) {
            let code = key().mac().code([base.as_bytes()]);
            self.signature = vec![format!("{label}=:{}:", BASE64.encode(&code))];
        }
        self
    }

    pub fn with_headers<T>(&self, action: impl FnOnce(&ReceivedHeaders<'_>) -> T) -> T {
        fn borrow(lines: &[String]) -> Vec<&str> {
            lines.iter().map(String::as_str).collect()
        }
        action(&ReceivedHeaders {
            signature_input: &borrow(&self.input),
            signature: &borrow(&self.signature),
            content_digest: &borrow(&self.digest),
        })
    }

    pub fn verify_at(&self, now: i64) -> Result<VerifiedSignature, Refusal> {
        let key = key();
        let lookup = |id: &str| match id {
            "key_demo" => KeyLookup::Known(&key),
            "key_old" => KeyLookup::Revoked,
            _ => KeyLookup::Unknown,
        };
        self.with_headers(|headers| {
            verify_request(lookup, self.wire, &self.target(), &self.content(), headers, now)
        })
    }

    pub fn refusal(&self) -> RefusalReason {
        self.verify_at(NOW).expect_err("the request should be refused").reason
    }
}
