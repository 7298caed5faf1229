//! Why an operation did not do what it was asked to.

use kit::sqlite::DatabaseError;

use crate::domain::caps::Exceeded;
use crate::domain::conversion::QuoteRefusal;
use crate::domain::payment::Refusal;
use crate::domain::stored_card::CardRefusal;
use crate::store::vault::TokenError;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Pay with a card.
    Confirm,
    /// Ask for more on an open authorization.
    Increment,
    /// Take authorized money.
    Capture,
    /// Give authorized or queued money back.
    Void,
    /// Give up before it is paid.
    Cancel,
    /// Give captured money back.
    Refund,
    /// Take a refund back.
    CancelRefund,
}

/// A field that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// The stable code.
    pub code: &'static str,
    /// Dotted path of the field.
    pub param: String,
    /// For people.
    pub detail: String,
}

/// Why an operation did not do what it was asked to. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Absent, or somebody else's.
    #[error("there is no such payment")]
    PaymentNotFound,
    /// Absent, or somebody else's.
    #[error("there is no such refund")]
    RefundNotFound,
    /// The payment to be authorized again is absent, or somebody else's.
    #[error("there is no such previous payment")]
    PreviousNotFound,
    /// Its authorization has not run out, or it was in another currency.
    #[error("the previous payment has not expired, or has another currency")]
    PreviousNotExpired,
    /// The processor did not say whether a capture can still be taken back.
    #[error("the processor did not say whether the capture can still be taken back")]
    SubmissionUnknown,
    /// Absent, or somebody else's.
    #[error("there is no such dispute")]
    DisputeNotFound,
    /// Absent, or somebody else's.
    #[error("there is no such settlement")]
    SettlementNotFound,
    /// The cardholder's bank disputes the payment.
    #[error("the payment is disputed")]
    Disputed,
    /// The network did not take the answer to a dispute.
    #[error("{0}")]
    DisputeRefused(String),
    /// The processor did not answer: the same call may be made again.
    #[error("the processor did not answer")]
    ProcessorSilent,
    /// Absent, erased, or somebody else's.
    #[error("there is no such customer")]
    CustomerNotFound,
    /// Absent, deleted, or somebody else's.
    #[error("there is no such saved card")]
    CardNotFound,
    /// The saved card does not pay.
    #[error(transparent)]
    Card(CardRefusal),
    /// Nothing is converted: no offer, or one that cannot be taken.
    #[error(transparent)]
    Quote(#[from] QuoteRefusal),
    /// A rule refused.
    #[error("{refusal}")]
    Refused {
        /// What was asked for.
        verb: Verb,
        /// Which rule.
        refusal: Refusal,
    },
    /// More was asked for than a cap leaves.
    #[error(transparent)]
    CapExceeded(#[from] Exceeded),
    /// Another payment of the same order and amount is paid, or may be.
    #[error("this order was paid, or is being paid, by another payment")]
    OrderPaid,
    /// The card's token was refused.
    #[error(transparent)]
    Token(TokenError),
    /// A field was refused.
    #[error("{}", .0.detail)]
    Invalid(InvalidField),
    /// The idempotency key belongs to a call that still runs.
    #[error("a call with this key is still running")]
    KeyInUse,
    /// The idempotency key belongs to another body.
    #[error("this key was used with another body")]
    KeyReused,
    /// The day's trace numbers are used up on every terminal.
    #[error("no trace numbers are left today")]
    NoTraceNumbers,
    /// The work was given up because the program ends.
    #[error("the program is ending")]
    Ending,
    /// A value could not be encoded.
    #[error("cannot encode: {0}")]
    Encode(#[from] serde_json::Error),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Database(error) => Self::Database(error),
            other => Self::Token(other),
        }
    }
}

impl Failure {
    /// A field that was refused.
    pub fn invalid(
        code: &'static str,
        param: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::Invalid(InvalidField { code, param: param.into(), detail: detail.into() })
    }

    /// Whether this is the outcome of the call: the same key then gets the same answer again.
    pub fn is_decision(&self) -> bool {
        match self {
            Self::PaymentNotFound
            | Self::RefundNotFound
            | Self::PreviousNotFound
            | Self::PreviousNotExpired
            | Self::Disputed
            | Self::CustomerNotFound
            | Self::CardNotFound
            | Self::Card(_)
            | Self::Quote(_)
            | Self::Refused { .. }
            | Self::CapExceeded(_)
            | Self::OrderPaid => true,
            Self::Token(error) => !matches!(error, TokenError::Vault(_) | TokenError::Database(_)),
            // Not a decision, or one that was made before.
            Self::Invalid(_)
            | Self::DisputeNotFound
            | Self::SettlementNotFound
            | Self::DisputeRefused(_)
            | Self::ProcessorSilent
            | Self::KeyInUse
            | Self::KeyReused
            | Self::NoTraceNumbers
            | Self::SubmissionUnknown
            | Self::Ending
            | Self::Encode(_)
            | Self::Database(_) => false,
        }
    }
}

/// Turns a refusal of the domain into a failure of an operation.
pub(super) fn refused(verb: Verb) -> impl Fn(Refusal) -> Failure {
    move |refusal| Failure::Refused { verb, refusal }
}
