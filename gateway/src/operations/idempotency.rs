//! One effect and one answer per key: claimed, answered and shown again.

use std::sync::Arc;

use bytes::Bytes;
use kit::facts::TraceId;
use rusqlite::Connection;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use wire::gateway_api::{PaymentView, RefundView};
use wire::ids::{MerchantId, RefundId};
use wire::time::Timestamp;

use super::failure::Failure;
use super::{Context, view};
use crate::domain::payment::Payment;
use crate::store::access::{SeenNonce, keep_nonce};
use crate::store::idempotency::{self, CallKey, Known, StoredBody};

/// Renders a failure as status and body, for the call that it belongs to.
pub type Render = Arc<dyn Fn(&Failure) -> (u16, Bytes) + Send + Sync>;

/// Who calls, and what makes the call repeatable.
#[derive(Clone)]
pub struct Call {
    /// Whose payments it works with.
    pub merchant: MerchantId,
    /// The operation.
    pub trace: TraceId,
    /// The nonce of its signature, to be kept with what it does.
    pub nonce: Option<SeenNonce>,
    /// Its key; none for calls of our own pages.
    pub key: Option<Keyed>,
}

/// The key of a call.
#[derive(Clone)]
pub struct Keyed {
    /// Of merchant, method, path and key; and of the body.
    pub key: CallKey,
    /// How its failures look.
    pub render: Render,
}

impl Call {
    /// The kind of message that it came with: a call of the API has a key, a form has none.
    pub const fn message_kind(&self) -> &'static str {
        if self.key.is_some() { "api" } else { "card_form" }
    }

    /// A call of our own, without a key.
    pub fn own(merchant: MerchantId, trace: TraceId) -> Self {
        Self { merchant, trace, nonce: None, key: None }
    }
}

/// What a key is made of.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'a> {
    /// HTTP status of the answer when the call does what it was asked to.
    pub status: u16,
    /// Whose call.
    pub merchant: &'a MerchantId,
    /// Its method.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// Its `Idempotency-Key`.
    pub key: &'a str,
    /// Its content type.
    pub content_type: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// The stored form of a key. No part can hold the zero byte that separates them.
pub fn call_key(parts: &KeyParts<'_>) -> CallKey {
    let mut scope = Sha256::new();
    scope.update(parts.merchant.bytes());
    for part in [parts.method, parts.path, parts.key] {
        scope.update(part.as_bytes());
        scope.update([0]);
    }
    let scope: [u8; 32] = scope.finalize().into();
    let mut content = Sha256::new();
    content.update(parts.content_type.as_bytes());
    content.update([0]);
    content.update(parts.body);
    let hash = scope.first_chunk::<16>().copied().unwrap_or_default();
    CallKey { status: parts.status, hash, fingerprint: content.finalize().into() }
}

/// An answer to a call.
#[derive(Debug)]
pub enum Answered {
    /// The payment, just changed.
    Payment(Box<Payment>),
    /// A refund of the payment, just changed.
    Refund(Box<Payment>, RefundId),
    /// What an earlier call with this key was answered, or a refusal that is kept.
    Stored(StoredAnswer),
}

/// An answer as bytes.
#[derive(Debug)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// Whether the body is a problem.
    pub is_problem: bool,
    /// Whether an earlier call was answered with it.
    pub replayed: bool,
    /// Which rule of the world decided.
    pub outcome_source: Option<String>,
}

/// What a claim came to.
pub(super) enum Claim {
    /// Go on; with the row to answer in, if the call has a key.
    Go(Option<i64>),
    /// It was answered before.
    Answered(u16, StoredBody),
}

/// Keeps the nonce and claims the key of a call.
pub(super) fn claim(
    connection: &Connection,
    call: &Call,
    now: Timestamp,
) -> Result<Claim, Failure> {
    if let Some(nonce) = &call.nonce {
        keep_nonce(connection, nonce)?;
    }
    let Some(keyed) = &call.key else { return Ok(Claim::Go(None)) };
    match idempotency::claim(connection, &keyed.key, now)? {
        Known::Fresh(row) => Ok(Claim::Go(Some(row))),
        Known::Running => Err(Failure::KeyInUse),
        Known::OtherBody => Err(Failure::KeyReused),
        Known::Answered(status, body) => Ok(Claim::Answered(status, body)),
    }
}

#[derive(Deserialize)]
struct PaymentOfEvent {
    data: PaymentOnly,
}

#[derive(Deserialize)]
struct PaymentOnly {
    payment: PaymentView,
}

#[derive(Deserialize)]
struct RefundOfEvent {
    data: RefundOnly,
}

#[derive(Deserialize)]
struct RefundOnly {
    refund: RefundView,
}

/// Rebuilds an earlier answer, byte by byte as it was.
pub(super) fn replay(
    context: &Context,
    status: u16,
    body: StoredBody,
) -> Result<Answered, Failure> {
    let mut outcome_source = None;
    let (body, is_problem) = match body {
        StoredBody::Own(body) => (body, true),
        StoredBody::Payment(event) => {
            let event: PaymentOfEvent = serde_json::from_slice(&event)?;
            outcome_source = outcome_source_of(&event.data.payment);
            let view = view::with_secrets(event.data.payment, &context.client_secrets);
            (serde_json::to_vec(&view)?, false)
        }
        StoredBody::Refund(event) => {
            let event: RefundOfEvent = serde_json::from_slice(&event)?;
            (serde_json::to_vec(&event.data.refund)?, false)
        }
    };
    Ok(Answered::Stored(StoredAnswer {
        status,
        body: body.into(),
        is_problem,
        replayed: true,
        outcome_source,
    }))
}

/// Which rule decided the last attempt.
pub fn outcome_source_of(view: &PaymentView) -> Option<String> {
    view.attempts.last().and_then(|attempt| attempt.outcome_source.clone())
}

/// Keeps a decided failure under the key of its call, so that a repeated call gets it again.
pub(super) async fn keep(
    context: &Context,
    call: &Call,
    failure: Failure,
) -> Result<Answered, Failure> {
    let Some(keyed) = call.key.clone().filter(|_| failure.is_decision()) else {
        return Err(failure);
    };
    let (status, body) = (keyed.render)(&failure);
    let (context, call, kept) = (context.clone(), call.clone(), body.clone());
    let now = context.plumbing.clock.now();
    let database = context.database.clone();
    database
        .write(move |connection| match claim(connection, &call, now)? {
            // Another call with this key was faster.
            Claim::Answered(status, body) => replay(&context, status, body),
            Claim::Go(row) => {
                if let Some(row) = row {
                    idempotency::answer_with(connection, row, status, &kept)?;
                }
                Ok(Answered::Stored(StoredAnswer {
                    status,
                    body: kept,
                    is_problem: true,
                    replayed: false,
                    outcome_source: None,
                }))
            }
        })
        .await
}
