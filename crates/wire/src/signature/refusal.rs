//! Why a signature was refused.

use std::fmt;

/// Why a signature was refused, as a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// No readable signature with our tag.
    SignatureMissing,
    /// More than one signature with our tag, or its label used twice.
    SignatureDuplicate,
    /// A component that must be covered is not covered, or is not in the message.
    ComponentMissing,
    /// A component is covered that the profile does not cover.
    ComponentUnexpected,
    /// A component is covered twice.
    ComponentDuplicate,
    /// A parameter is absent.
    ParameterMissing,
    /// A parameter is unknown or doubled.
    ParameterUnexpected,
    /// Nobody has a key with this id.
    KeyUnknown,
    /// The key is past its overlap.
    KeyRevoked,
    /// The signer names another algorithm than that of the key.
    AlgorithmMismatch,
    /// Made more than 60 s ahead of our clock.
    CreatedInFuture,
    /// Its time has passed, is empty, or is longer than 300 s.
    Expired,
    /// Not a plain non-negative integer below 2^53.
    TimeMalformed,
    /// Not 16 to 128 visible ASCII characters.
    NonceMalformed,
    /// There is a body and no SHA-256 digest of it.
    DigestMissing,
    /// The digest is not that of the body, or stands beside another.
    DigestMismatch,
    /// The authentication code differs.
    MacMismatch,
    /// The nonce was seen before.
    SignatureReplayed,
    /// `Signature-Input` is over 2,048 bytes.
    HeaderTooLarge,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::SignatureMissing,
        Self::SignatureDuplicate,
        Self::ComponentMissing,
        Self::ComponentUnexpected,
        Self::ComponentDuplicate,
        Self::ParameterMissing,
        Self::ParameterUnexpected,
        Self::KeyUnknown,
        Self::KeyRevoked,
        Self::AlgorithmMismatch,
        Self::CreatedInFuture,
        Self::Expired,
        Self::TimeMalformed,
        Self::NonceMalformed,
        Self::DigestMissing,
        Self::DigestMismatch,
        Self::MacMismatch,
        Self::SignatureReplayed,
        Self::HeaderTooLarge,
    ];

    /// The stable word: `mac_mismatch` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignatureMissing => "signature_missing",
            Self::SignatureDuplicate => "signature_duplicate",
            Self::ComponentMissing => "component_missing",
            Self::ComponentUnexpected => "component_unexpected",
            Self::ComponentDuplicate => "component_duplicate",
            Self::ParameterMissing => "parameter_missing",
            Self::ParameterUnexpected => "parameter_unexpected",
            Self::KeyUnknown => "key_unknown",
            Self::KeyRevoked => "key_revoked",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::CreatedInFuture => "created_in_future",
            Self::Expired => "expired",
            Self::TimeMalformed => "time_malformed",
            Self::NonceMalformed => "nonce_malformed",
            Self::DigestMissing => "digest_missing",
            Self::DigestMismatch => "digest_mismatch",
            Self::MacMismatch => "mac_mismatch",
            Self::SignatureReplayed => "signature_replayed",
            Self::HeaderTooLarge => "header_too_large",
        }
    }

    /// The HTTP status of the answer: 409, 431, or else 401.
    pub const fn status(self) -> u16 {
        match self {
            Self::SignatureReplayed => 409,
            Self::HeaderTooLarge => 431,
            _ => 401,
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A refused signature, with what a person needs in order to see why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// The component, parameter or header in question.
    pub subject: Option<String>,
    /// The key id of the signature, where it could be read. Proven by nothing.
    pub key_id: Option<String>,
    /// What the signer should have signed, for the wire log and the inspector.
    pub signature_base: Option<String>,
    /// The digest that the body has. Never an authentication code: it would let anybody sign.
    pub expected: Option<String>,
}

impl Refusal {
    /// A refusal of which nothing more is known.
    pub const fn of(reason: RefusalReason) -> Self {
        Self { reason, subject: None, key_id: None, signature_base: None, expected: None }
    }

    /// A refusal because of one component, parameter or header.
    pub(super) fn about(reason: RefusalReason, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..Self::of(reason) }
    }
}
