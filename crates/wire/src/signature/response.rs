//! Signing and verifying answers, each bound to its request.

use super::base::{Base, ContentDigest, Values};
use super::component::{Component, ComponentSet};
use super::key::{ResponseKey, SigningKey};
use super::opened::{Opened, Profile};
use super::refusal::{Refusal, RefusalReason};
use super::{ReceivedHeaders, RequestBinding, SignatureTimes, SignedHeaders, signed_headers};

/// Signs an answer with the key that is derived from the request's key.
pub fn sign_response(
    key: &SigningKey,
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
    binding: &RequestBinding,
    times: SignatureTimes,
    nonce: &str,
) -> SignedHeaders {
    key.response_key().sign(status, content_type, body, binding, times, nonce)
}

impl ResponseKey {
    /// Signs an answer; the same as [`sign_response`] where only the verified request is at hand.
    pub fn sign(
        &self,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
        binding: &RequestBinding,
        times: SignatureTimes,
        nonce: &str,
    ) -> SignedHeaders {
        let digest = ContentDigest::of(body);
        let values = values(status, content_type, binding, Some(digest.as_str()));
        let covered = profile(body).to_sign(&values);
        let (base, parameters_at) = Base::to_sign(covered, &values, self.key_id(), times, nonce);
        signed_headers(self.mac(), &base, parameters_at, Some(&digest))
    }
}

/// Verifies an answer to the request of `binding`; `now` is in Unix seconds.
///
/// Without a signature that fits, the answer says nothing: the outcome is then unknown.
pub fn verify_response(
    key: &SigningKey,
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
    headers: &ReceivedHeaders<'_>,
    binding: &RequestBinding,
    now: i64,
) -> Result<(), Refusal> {
    let opened = open(status, content_type, body, headers, binding)?;
    if opened.key_id() != key.key_id() {
        return Err(opened.refuse(RefusalReason::KeyUnknown));
    }
    opened.verify(key.response_key().mac(), Some(body), headers, now)
}

/// The text that the signature of an answer authenticates, rebuilt from its headers.
///
/// For people who look into a message: nothing is verified.
pub fn signature_base_of_response(
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
    headers: &ReceivedHeaders<'_>,
    binding: &RequestBinding,
) -> Result<String, Refusal> {
    open(status, content_type, body, headers, binding).map(Opened::into_base)
}

fn open<'h>(
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
    headers: &ReceivedHeaders<'h>,
    binding: &RequestBinding,
) -> Result<Opened<'h>, Refusal> {
    let digest = headers.content_digest.first().copied();
    Opened::open(&profile(body), &values(status, content_type, binding, digest), headers)
}

const fn profile(body: &[u8]) -> Profile {
    let all = ComponentSet::EMPTY
        .with(Component::Status)
        .with(Component::ContentDigest)
        .with_if(Component::ContentType, !body.is_empty())
        .with(Component::RequestMethod)
        .with(Component::RequestPath)
        .with(Component::RequestSignature);
    Profile { required: all, allowed: all }
}

fn values<'a>(
    status: u16,
    content_type: Option<&'a str>,
    binding: &'a RequestBinding,
    content_digest: Option<&'a str>,
) -> Values<'a> {
    Values {
        method: &binding.method,
        authority: "",
        path: &binding.path,
        query: "",
        status,
        content_digest,
        content_type,
        idempotency_key: None,
        trace_id: None,
        request_label: &binding.label,
        request_signature: &binding.signature_value,
    }
}
