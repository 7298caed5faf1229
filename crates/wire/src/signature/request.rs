//! Signing and verifying requests.

use super::base::{Base, ContentDigest, Values};
use super::component::{Component, ComponentSet};
use super::key::{KeyLookup, SigningKey};
use super::opened::{Opened, Profile};
use super::refusal::{Refusal, RefusalReason};
use super::{ReceivedHeaders, RequestContent, RequestTarget, SignatureTimes, SignedHeaders};
use super::{VerifiedSignature, Wire, signed_headers};

/// Signs a request. The nonce has 16 to 128 visible characters and is never used again.
pub fn sign_request(
    key: &SigningKey,
    wire: Wire,
    target: &RequestTarget<'_>,
    content: &RequestContent<'_>,
    times: SignatureTimes,
    nonce: &str,
) -> SignedHeaders {
    let digest = (!content.body.is_empty()).then(|| ContentDigest::of(content.body));
    let values = values(target, content, digest.as_ref().map(ContentDigest::as_str));
    let covered = profile(wire, target, content).to_sign(&values);
    let (base, parameters_at) = Base::to_sign(covered, &values, key.key_id(), times, nonce);
    signed_headers(key.mac(), &base, parameters_at, digest.as_ref())
}

/// Verifies a request; `now` is in Unix seconds.
///
/// The digest is recomputed over the body that is given here, so give the bytes that came over the
/// wire. The caller still refuses a nonce that this key used before, until `expires`.
pub fn verify_request<'k>(
    lookup: impl FnOnce(&str) -> KeyLookup<'k>,
    wire: Wire,
    target: &RequestTarget<'_>,
    content: &RequestContent<'_>,
    headers: &ReceivedHeaders<'_>,
    now: i64,
) -> Result<VerifiedSignature, Refusal> {
    let opened = open(wire, target, content, headers)?;
    let shared;
    let key = match lookup(opened.key_id()) {
        KeyLookup::Known(key) => key,
        KeyLookup::Shared(key) => {
            shared = key;
            &*shared
        }
        KeyLookup::Revoked => return Err(opened.refuse(RefusalReason::KeyRevoked)),
        KeyLookup::Unknown => return Err(opened.refuse(RefusalReason::KeyUnknown)),
    };
    let body = (!content.body.is_empty()).then_some(content.body);
    opened.verify(key.mac(), body, headers, now)?;
    Ok(opened.into_verified(key.response_key().clone()))
}

/// The text that the signature of a request authenticates, rebuilt from its headers.
///
/// For people who look into a message: nothing is verified.
pub fn signature_base_of_request(
    wire: Wire,
    target: &RequestTarget<'_>,
    content: &RequestContent<'_>,
    headers: &ReceivedHeaders<'_>,
) -> Result<String, Refusal> {
    open(wire, target, content, headers).map(Opened::into_base)
}

fn open<'h>(
    wire: Wire,
    target: &RequestTarget<'_>,
    content: &RequestContent<'_>,
    headers: &ReceivedHeaders<'h>,
) -> Result<Opened<'h>, Refusal> {
    let values = values(target, content, headers.content_digest.first().copied());
    Opened::open(&profile(wire, target, content), &values, headers)
}

fn profile(wire: Wire, target: &RequestTarget<'_>, content: &RequestContent<'_>) -> Profile {
    let with_body = !content.body.is_empty();
    let common = ComponentSet::EMPTY
        .with(Component::Method)
        .with(Component::Authority)
        .with(Component::Path)
        .with(Component::Query)
        .with_if(Component::ContentDigest, with_body)
        .with_if(Component::ContentType, with_body);
    match wire {
        Wire::MessageHop => {
            let all = common.with(Component::TraceId);
            Profile { required: all, allowed: all }
        }
        Wire::Api => {
            let is_unsafe = matches!(target.method, "POST" | "PUT" | "PATCH" | "DELETE");
            let allowed = common.with_if(Component::IdempotencyKey, is_unsafe);
            // A request that never had the key can be signed: the API then asks for the key.
            let with_key = is_unsafe && content.idempotency_key.is_some();
            Profile { required: common.with_if(Component::IdempotencyKey, with_key), allowed }
        }
    }
}

const fn values<'a>(
    target: &RequestTarget<'a>,
    content: &RequestContent<'a>,
    content_digest: Option<&'a str>,
) -> Values<'a> {
    Values {
        method: target.method,
        authority: target.authority,
        path: target.path,
        query: target.query,
        status: 0,
        content_digest,
        content_type: content.content_type,
        idempotency_key: content.idempotency_key,
        trace_id: content.trace_id,
        request_label: "",
        request_signature: "",
    }
}
