//! The only way out of a program: signed, with a deadline, faults and a log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value};
use wire::signature::{RefusalReason, SigningKey, Wire};

use crate::facts::Facts;

mod deliver;
mod local;
mod outgoing;
mod prepare;
mod remote;
mod resolve;

pub use local::{LocalAnswer, LocalLink, ReceivedMessage};
pub use remote::Link;
pub use resolve::AddressPolicy;

/// How long an answer is waited for unless a call says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Largest answer that is read unless a call says otherwise.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A directed connection between two parties, named after both: `gateway->processor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkName(pub &'static str);

impl fmt::Display for LinkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// How the requests of a link are signed.
#[derive(Debug, Clone)]
pub enum Signing {
    /// By RFC 9421, and the answers must be signed too.
    HttpSignature {
        /// The key of this direction.
        key: Arc<SigningKey>,
        /// Which components are covered.
        wire: Wire,
    },
    /// By the caller, who gives the headers (webhooks), or not at all. Answers are not verified.
    Already,
}

/// A link that cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not `http://host[:port]`.
    #[error("`{0}` is not a base address such as http://127.0.0.1:7072")]
    BaseUrl(String),
    /// The address is one that the policy forbids.
    #[error("`{0}` may not be called")]
    Forbidden(String),
}

/// Makes the body of a fabricated business answer: from the request's body and the fields that
/// the fault names.
pub type Fabricate = fn(&[u8], &Map<String, Value>) -> Bytes;

/// One request to be sent.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path, encoded.
    pub path: String,
    /// The query, encoded, without the question mark; empty without one.
    pub query: String,
    /// The body.
    pub body: Option<Bytes>,
    /// Its content type.
    pub content_type: &'static str,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Token for `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// Further headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// How long the answer is waited for, on the clock.
    pub deadline: Duration,
    /// Largest answer that is read.
    pub answer_bytes_max: usize,
    /// Whether a larger answer is cut there and counts, instead of being refused.
    pub cut_answer: bool,
    /// What is known about the message.
    pub facts: Facts,
    /// How a fabricated business answer is made; as the bare fields when missing.
    pub fabricate: Option<Fabricate>,
}

impl Call {
    /// A request with a method and a path.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: String::new(),
            body: None,
            content_type: "application/json",
            idempotency_key: None,
            bearer: None,
            headers: Vec::new(),
            deadline: DEADLINE,
            answer_bytes_max: ANSWER_BYTES_MAX,
            cut_answer: false,
            facts: Facts::default(),
            fabricate: None,
        }
    }

    /// `POST` with a JSON body.
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..Self::new(Method::POST, path) }
    }

    /// A `DELETE`, without a body.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Sets what is known about the message.
    pub fn facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// Sets the query, encoded, without the question mark.
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// Sets how long the answer is waited for.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets `Idempotency-Key`.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets the bearer token.
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.bearer = Some(token.into());
        self
    }

    /// Adds a header, its name in lower case.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how a fabricated business answer is made.
    pub fn fabricate(mut self, fabricate: Fabricate) -> Self {
        self.fabricate = Some(fabricate);
        self
    }
}

/// An answer that was read in full and verified, where its link verifies.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Reply {
    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header, when it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn fabricated(status: u16, body: Bytes) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Self { status: status.as_u16(), headers: HeaderMap::new(), body }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkFailure {
    /// The request surely never reached the peer.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The peer may have acted or not: never to be taken for a refusal.
    #[error("outcome unknown: {0}")]
    Unknown(UnknownCause),
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCause {
    /// No answer in time.
    #[error("no answer in time")]
    Deadline,
    /// The connection broke.
    #[error("the connection broke")]
    Reset,
    /// The answer was cut short.
    #[error("the answer was cut short")]
    Truncated,
    /// The answer's signature was refused.
    #[error("the signature of the answer was refused: {0}")]
    AnswerRefused(RefusalReason),
    /// The answer was larger than allowed.
    #[error("the answer was too large")]
    TooLarge,
}

impl UnknownCause {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::AnswerRefused(_) => "answer_refused",
            Self::TooLarge => "too_large",
        }
    }
}

#[cfg(test)]
mod tests;
