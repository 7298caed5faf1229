//! Verifying signed requests, and remembering the key that will sign the answer.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use wire::signature::{
    KeyLookup, ReceivedHeaders, Refusal, RefusalReason, RequestBinding, RequestContent,
    RequestTarget, ResponseKey, SigningKey, VerifiedSignature, Wire, verify_request,
};

use super::exchange::with_state;
use super::{NonceCache, Problem, ReceivedRequest};
use crate::clock::Clock;

/// Lines of one signature header that are looked at.
const HEADER_LINES_MAX: usize = 4;

/// The signing keys a program accepts.
pub trait KeyTable: Send + Sync {
    /// What the table says about a key id.
    fn find(&self, key_id: &str) -> OwnedKeyLookup;
}

/// What a table of keys says about a key id.
#[derive(Debug, Clone)]
pub enum OwnedKeyLookup {
    /// In force.
    Known(Arc<SigningKey>),
    /// Past its overlap.
    Revoked,
    /// Not in the table.
    Unknown,
}

impl From<OwnedKeyLookup> for KeyLookup<'_> {
    fn from(lookup: OwnedKeyLookup) -> Self {
        match lookup {
            OwnedKeyLookup::Known(key) => Self::Shared(key),
            OwnedKeyLookup::Revoked => Self::Revoked,
            OwnedKeyLookup::Unknown => Self::Unknown,
        }
    }
}

/// Verifies a request's signature over the received bytes and its nonce against replay.
///
/// 401 `signature_invalid` with a `reason`, 409 `signature_replayed`, 431 for a large header. The
/// answer is signed with the client's key, also the refusal when the key could be identified; by
/// the same clock.
pub fn verify(
    received: &ReceivedRequest,
    wire: Wire,
    keys: &dyn KeyTable,
    nonces: &NonceCache,
    clock: &Clock,
) -> Result<VerifiedSignature, Problem> {
    let target = RequestTarget {
        method: received.method.as_str(),
        authority: &received.authority,
        path: &received.path,
        query: &received.query,
    };
    let trace_id = received.header("payrig-trace-id");
    let content = RequestContent {
        body: &received.body,
        content_type: received.content_type.as_deref(),
        idempotency_key: received.idempotency_key.as_deref(),
        trace_id,
    };
    let lines = Lines::of(received.headers());
    let now = clock.now().seconds();
    with_state(received.http(), |state| state.answer_clock = Some(clock.clone()));
    let lookup = |key_id: &str| keys.find(key_id).into();
    let verified = verify_request(lookup, wire, &target, &content, &lines.headers(), now);
    match verified {
        Ok(verified) => {
            let binding = verified.binding(&target);
            remember_answer_key(received.http(), verified.response_key.clone(), binding);
            let fresh =
                nonces.check_and_insert(&verified.key_id, &verified.nonce, verified.expires, now);
            let verdict = if fresh { "ok" } else { RefusalReason::SignatureReplayed.as_str() };
            with_state(received.http(), |state| state.request_verdict = Some(verdict));
            if fresh { Ok(verified) } else { Err(replayed()) }
        }
        Err(refusal) => {
            remember_refused(received, keys, &lines, &refusal);
            Err(problem(&refusal))
        }
    }
}

/// Has the middleware sign the answer to a request, bound to it.
pub fn remember_answer_key(request: &HttpRequest, key: ResponseKey, binding: RequestBinding) {
    with_state(request, |state| state.answer_key = Some((key, binding)));
}

/// The received lines of the three signature headers.
struct Lines<'a> {
    input: Few<'a>,
    signature: Few<'a>,
    digest: Few<'a>,
}

struct Few<'a> {
    lines: [&'a str; HEADER_LINES_MAX],
    count: usize,
}

impl<'a> Few<'a> {
    fn of(headers: &'a HeaderMap, name: &str) -> Self {
        let mut few = Self { lines: [""; HEADER_LINES_MAX], count: 0 };
        // More lines than there is room for change nothing: more than one is refused already.
        for (slot, value) in few.lines.iter_mut().zip(headers.get_all(name)) {
            *slot = value.to_str().unwrap_or_default();
            few.count = few.count.saturating_add(1);
        }
        few
    }

    fn get(&self) -> &[&'a str] {
        self.lines.get(..self.count).unwrap_or_default()
    }
}

impl<'a> Lines<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        Self {
            input: Few::of(headers, "signature-input"),
            signature: Few::of(headers, "signature"),
            digest: Few::of(headers, "content-digest"),
        }
    }

    fn headers(&self) -> ReceivedHeaders<'_> {
        ReceivedHeaders {
            signature_input: self.input.get(),
            signature: self.signature.get(),
            content_digest: self.digest.get(),
        }
    }
}

/// A refusal is signed too when the key is known: the sender then knows that nothing happened.
fn remember_refused(
    received: &ReceivedRequest,
    keys: &dyn KeyTable,
    lines: &Lines<'_>,
    refusal: &Refusal,
) {
    with_state(received.http(), |state| state.request_verdict = Some(refusal.reason.as_str()));
    let Some(OwnedKeyLookup::Known(key)) = refusal.key_id.as_deref().map(|id| keys.find(id)) else {
        return;
    };
    let (&[input], &[signature]) = (lines.input.get(), lines.signature.get()) else { return };
    let (Some((label, _)), Some((same, value))) =
        (input.split_once('='), signature.split_once('='))
    else {
        return;
    };
    if label == same && !value.contains(',') {
        let binding = RequestBinding {
            method: received.method.as_str().to_owned(),
            path: received.path.clone(),
            label: label.to_owned(),
            signature_value: value.to_owned(),
        };
        remember_answer_key(received.http(), key.response_key().clone(), binding);
    }
}

fn replayed() -> Problem {
    let detail = "this signature was used before: a retry is signed anew, with a new nonce";
    Problem::new(409, "signature_replayed", detail)
        .reason(RefusalReason::SignatureReplayed.as_str())
}

fn problem(refusal: &Refusal) -> Problem {
    let status = refusal.reason.status();
    let code = if status == 431 { "header_too_large" } else { "signature_invalid" };
    let detail = match &refusal.subject {
        Some(subject) => format!("the signature was refused: {} ({subject})", refusal.reason),
        None => format!("the signature was refused: {}", refusal.reason),
    };
    let mut problem = Problem::new(status, code, detail).reason(refusal.reason.as_str());
    if let Some(base) = &refusal.signature_base {
        problem = problem.member("signature_base", base.as_str());
    }
    if let Some(expected) = &refusal.expected {
        problem = problem.member("expected_digest", expected.as_str());
    }
    problem
}
