//! Wire log entries as they are read: also by other programs, so every field is plain.

use serde::{Deserialize, Serialize};
use wire::time::Timestamp;

use super::{Outcome, Side};
use crate::facts::{Facts, TraceId};

/// One exchange as one end of a link saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number within the program's log, from 1, without gaps.
    pub seq: u64,
    /// When the request left or arrived.
    pub at: Timestamp,
    /// The program that wrote this.
    pub program: String,
    /// The link.
    pub link: String,
    /// Which end of the link.
    pub side: Side,
    /// The same at both ends: the signature's nonce, or the event id and time of a webhook.
    pub exchange: Option<String>,
    /// The operation.
    pub trace_id: TraceId,
    /// What is known about the message.
    pub facts: EntryFacts,
    /// The request.
    pub request: RequestEntry,
    /// The answer, when there was one.
    pub answer: Option<AnswerEntry>,
    /// How it ended.
    pub outcome: Outcome,
    /// Ids of the faults that applied.
    pub fault: Option<String>,
    /// `ok`, or why the receiver refused the request's signature.
    pub request_verdict: Option<String>,
    /// `ok`, or why the sender refused the answer's signature.
    pub answer_verdict: Option<String>,
    /// Real time from request to answer, in milliseconds.
    pub duration_ms: u64,
}

/// What is known about a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFacts {
    /// The kind of message.
    #[serde(rename = "type")]
    pub kind: String,
    /// Payment id.
    pub payment: Option<String>,
    /// Order reference.
    pub order: Option<String>,
    /// Alias of the test card.
    pub card: Option<String>,
    /// Minor units.
    pub amount: Option<i64>,
    /// The card network.
    pub network: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
    /// Number of the attempt.
    pub attempt: Option<u32>,
    /// Event type of a webhook.
    pub event: Option<String>,
    /// Message type indicator.
    pub mti: Option<String>,
}

/// The masked request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestEntry {
    /// Method, in capitals.
    pub method: String,
    /// Host and port, or the receiving role.
    pub authority: String,
    /// Path as sent.
    pub path: String,
    /// Query as sent, masked.
    pub query: String,
    /// Names in lower case, values masked.
    pub headers: Vec<(String, String)>,
    /// Text, masked.
    pub body: String,
    /// The bytes that were signed, when the request is signed.
    pub signature_base: Option<String>,
}

/// The masked answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerEntry {
    /// When it arrived or left.
    pub at: Timestamp,
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, values masked.
    pub headers: Vec<(String, String)>,
    /// Text, masked.
    pub body: String,
}

impl From<&Facts> for EntryFacts {
    fn from(facts: &Facts) -> Self {
        Self {
            kind: facts.kind.to_owned(),
            payment: facts.payment.clone(),
            order: facts.order.clone(),
            card: facts.card.clone(),
            amount: facts.amount,
            network: facts.network.clone(),
            issuer: facts.issuer.clone(),
            attempt: facts.attempt,
            event: facts.event.clone(),
            mti: facts.mti.clone(),
        }
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// What names the exchange at both ends.
pub(super) fn exchange_id(headers: &[(String, String)]) -> Option<String> {
    if let Some(id) = header(headers, "webhook-id") {
        let at = header(headers, "webhook-timestamp").unwrap_or_default();
        return Some(format!("{id}:{at}"));
    }
    let input = header(headers, "signature-input")?;
    let (_, after) = input.split_once(";nonce=\"")?;
    after.split_once('"').map(|(nonce, _)| nonce.to_owned())
}

/// The signed bytes, rebuilt from what was kept (RFC 9421 section 2.5).
pub(super) fn signature_base(request: &RequestEntry) -> Option<String> {
    let input = header(&request.headers, "signature-input")?;
    let (_, parameters) = input.split_once('=')?;
    let (components, _) = parameters.strip_prefix('(')?.split_once(')')?;
    let mut base = String::with_capacity(512);
    for component in components.split(' ').filter(|component| !component.is_empty()) {
        let value = match component.trim_matches('"') {
            "@method" => request.method.clone(),
            "@authority" => request.authority.clone(),
            "@path" => request.path.clone(),
            "@query" => format!("?{}", request.query),
            name => header(&request.headers, name)?.to_owned(),
        };
        base.extend([component, ": ", &value, "\n"]);
    }
    base.extend(["\"@signature-params\": ", parameters]);
    Some(base)
}
