//! What requests and answers share: the checks of a received signature, in order.

use data_encoding::BASE64;

use super::base::{Base, ContentDigest, DIGEST_PREFIX, Values};
use super::component::{Component, ComponentSet};
use super::input::{self, Claims, Input};
use super::key::ResponseKey;
use super::mac::MacKey;
use super::refusal::{Refusal, RefusalReason};
use super::{CLOCK_SKEW_SECONDS_MAX, LIFETIME_SECONDS_MAX, ReceivedHeaders, VerifiedSignature};

/// What a signature of a message has to cover, and what it may.
pub(super) struct Profile {
    pub required: ComponentSet,
    pub allowed: ComponentSet,
}

impl Profile {
    /// What a signer covers: what is required, as far as the message has it.
    pub(super) fn to_sign(&self, values: &Values<'_>) -> ComponentSet {
        self.required
            .in_order()
            .filter(|&component| values.has(component))
            .fold(ComponentSet::EMPTY, ComponentSet::with)
    }
}

/// A received signature of the right form, with the text that it has to authenticate.
pub(super) struct Opened<'h> {
    input: Input<'h>,
    claims: Claims<'h>,
    value: &'h str,
    base: String,
    clean: bool,
}

impl<'h> Opened<'h> {
    pub(super) fn open(
        profile: &Profile,
        values: &Values<'_>,
        headers: &ReceivedHeaders<'h>,
    ) -> Result<Self, Refusal> {
        let (input, value) = input::read(headers)?;
        input.check_form()?;
        let digest = headers.content_digest.iter().any(|line| line.contains(DIGEST_PREFIX));
        if profile.required.contains(Component::ContentDigest) && !digest {
            return Err(Refusal::of(RefusalReason::DigestMissing));
        }
        check_coverage(profile, values, &input)?;
        let claims = input.claims()?;
        let (base, clean) = Base::received(&input, values);
        Ok(Self { input, claims, value, base, clean })
    }

    pub(super) fn key_id(&self) -> &str {
        &self.claims.key_id
    }

    pub(super) fn into_base(self) -> String {
        self.base
    }

    /// A refusal that shows what should have been signed.
    pub(super) fn refuse(&self, reason: RefusalReason) -> Refusal {
        Refusal {
            key_id: Some(self.claims.key_id.to_string()),
            signature_base: Some(self.base.clone()),
            ..Refusal::of(reason)
        }
    }

    /// Checks times, digest and authentication code; `body` is absent where none is covered.
    pub(super) fn verify(
        &self,
        mac: &MacKey,
        body: Option<&[u8]>,
        headers: &ReceivedHeaders<'_>,
        now: i64,
    ) -> Result<(), Refusal> {
        if !self.claims.algorithm_fits {
            return Err(self.refuse(RefusalReason::AlgorithmMismatch));
        }
        // Both are at least 0 and below 2^53, so that the difference cannot overflow.
        let times = self.claims.times;
        if times.created > now.saturating_add(CLOCK_SKEW_SECONDS_MAX) {
            return Err(self.refuse(RefusalReason::CreatedInFuture));
        }
        let lifetime = times.expires - times.created;
        if now > times.expires || lifetime <= 0 || lifetime > LIFETIME_SECONDS_MAX {
            return Err(self.refuse(RefusalReason::Expired));
        }
        if let Some(body) = body {
            let digest = ContentDigest::of(body);
            let fits = match headers.content_digest {
                [line] => line.trim_matches([' ', '\t']) == digest.as_str(),
                _ => false,
            };
            if !fits {
                return Err(Refusal {
                    expected: Some(digest.as_str().to_owned()),
                    ..self.refuse(RefusalReason::DigestMismatch)
                });
            }
        }
        // A base with a value that no header can carry was never signed by anybody.
        let code = decode_code(self.value).filter(|_| self.clean);
        match code {
            Some(code) if mac.verifies([self.base.as_bytes()], &code) => Ok(()),
            Some(_) | None => Err(self.refuse(RefusalReason::MacMismatch)),
        }
    }

    pub(super) fn into_verified(self, response_key: ResponseKey) -> VerifiedSignature {
        VerifiedSignature {
            key_id: self.claims.key_id.into_owned(),
            nonce: self.claims.nonce.into_owned(),
            created: self.claims.times.created,
            expires: self.claims.times.expires,
            label: self.input.label().to_owned(),
            signature_value: self.value.to_owned(),
            response_key,
        }
    }
}

/// Refuses a set of components that differs from the profile's.
fn check_coverage(
    profile: &Profile,
    values: &Values<'_>,
    input: &Input<'_>,
) -> Result<(), Refusal> {
    let about = |reason, component: Component| Err(Refusal::about(reason, component.identifier()));
    let covered = input.covered();
    if let Some(unexpected) = covered.member_outside(profile.allowed) {
        return about(RefusalReason::ComponentUnexpected, unexpected);
    }
    if let Some(missing) = profile.required.member_outside(covered) {
        return about(RefusalReason::ComponentMissing, missing);
    }
    if let Some(absent) = input.components().iter().find(|&&component| !values.has(component)) {
        return about(RefusalReason::ComponentMissing, *absent);
    }
    if input.request_label().is_some_and(|label| label != values.request_label) {
        return about(RefusalReason::ComponentUnexpected, Component::RequestSignature);
    }
    Ok(())
}

/// The 32 bytes of `:base64:`.
fn decode_code(value: &str) -> Option<[u8; 32]> {
    let encoded = value.strip_prefix(':')?.strip_suffix(':')?;
    let mut bytes = [0; 33];
    // 44 characters hold 33 bytes at most; one of them is the padding's.
    if encoded.len() != 44 {
        return None;
    }
    let length = BASE64.decode_mut(encoded.as_bytes(), &mut bytes).ok()?;
    bytes.get(..length)?.try_into().ok()
}
