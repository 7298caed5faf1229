//! Decline codes: stable words for the merchant's server, one for each reason to refuse.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::response::{ResponseCode, all_response_codes};
use super::{Advice, Family};

/// Why a payment was declined, as the merchant's server sees it: one of a fixed list of words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclineCode(&'static str);

/// The text is no decline code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decline code")]
pub struct DeclineCodeError;

macro_rules! decline_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl DeclineCode {
            $($(#[$doc])* pub const $name: Self = Self($text);)*

            /// Every decline code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

decline_codes! {
    /// The issuer wants to be called first.
    CALL_ISSUER = "call_issuer";
    /// The merchant may not do this.
    MERCHANT_NOT_PERMITTED = "merchant_not_permitted";
    /// The issuer wants the card back.
    PICKUP_CARD = "pickup_card";
    /// The issuer gives no reason.
    DO_NOT_HONOR = "do_not_honor";
    /// Something failed on the way.
    PROCESSING_ERROR = "processing_error";
    /// Fraud.
    FRAUDULENT = "fraudulent";
    /// Approved for less, and the merchant does not accept that.
    PARTIAL_APPROVAL = "partial_approval";
    /// The card does not allow this kind of payment.
    TRANSACTION_NOT_ALLOWED = "transaction_not_allowed";
    /// The amount cannot be processed.
    INVALID_AMOUNT = "invalid_amount";
    /// The issuer knows no such card.
    INVALID_NUMBER = "invalid_number";
    /// Try once more.
    TRY_AGAIN = "try_again";
    /// The card has no account of this kind.
    CARD_NOT_SUPPORTED = "card_not_supported";
    /// Reported lost.
    LOST_CARD = "lost_card";
    /// Reported stolen.
    STOLEN_CARD = "stolen_card";
    /// The account is closed.
    ACCOUNT_CLOSED = "account_closed";
    /// Not enough money.
    INSUFFICIENT_FUNDS = "insufficient_funds";
    /// Expired, or a wrong expiry date.
    EXPIRED_CARD = "expired_card";
    /// Wrong PIN.
    INCORRECT_PIN = "incorrect_pin";
    /// The issuer suspects fraud.
    SUSPECTED_FRAUD = "suspected_fraud";
    /// Over a limit of amount or count.
    CARD_VELOCITY_EXCEEDED = "card_velocity_exceeded";
    /// Not usable here.
    RESTRICTED_CARD = "restricted_card";
    /// A security rule of the issuer.
    SECURITY_VIOLATION = "security_violation";
    /// A rule against money laundering.
    COMPLIANCE_DECLINE = "compliance_decline";
    /// The issuer answered too late; the outcome is unknown.
    ISSUER_TIMEOUT = "issuer_timeout";
    /// The payer has to authenticate.
    AUTHENTICATION_REQUIRED = "authentication_required";
    /// Too many wrong PINs.
    PIN_TRY_EXCEEDED = "pin_try_exceeded";
    /// Blocked, or not yet active.
    CARD_NOT_ACTIVE = "card_not_active";
    /// The card was replaced.
    EXPIRED_OR_REPLACED = "expired_or_replaced";
    /// Data of the card could not be verified.
    VERIFICATION_FAILED = "verification_failed";
    /// Wrong security code.
    INCORRECT_CVC = "incorrect_cvc";
    /// The issuer cannot be reached.
    ISSUER_UNAVAILABLE = "issuer_unavailable";
    /// The network finds no way to the issuer.
    ROUTING_ERROR = "routing_error";
    /// A legal reason.
    REGULATORY_DECLINE = "regulatory_decline";
    /// Sent before.
    DUPLICATE_TRANSACTION = "duplicate_transaction";
    /// The issuer's system failed.
    ISSUER_ERROR = "issuer_error";
    /// A rule of the issuer.
    ISSUER_POLICY = "issuer_policy";
    /// The cardholder's own controls.
    BLOCKED_BY_CARDHOLDER = "blocked_by_cardholder";
    /// The cardholder stopped this payment.
    STOP_PAYMENT_ONCE = "stop_payment_once";
    /// The cardholder stopped all payments to this merchant.
    STOP_PAYMENT_MERCHANT = "stop_payment_merchant";
    /// The cardholder stopped all recurring payments.
    STOP_PAYMENT_ALL = "stop_payment_all";

    /// Declined without a reason.
    GENERIC_DECLINE = "generic_decline";
    /// The check digit is wrong; nothing was sent.
    INCORRECT_NUMBER = "incorrect_number";
    /// The payer did not pass 3-D Secure.
    AUTHENTICATION_FAILED = "authentication_failed";
    /// The issuer refused in 3-D Secure.
    AUTHENTICATION_REJECTED = "authentication_rejected";
    /// The payer left the challenge.
    CHALLENGE_CANCELED = "challenge_canceled";
    /// No answer came, and a reversal was acknowledged.
    TIMEOUT_REVERSED = "timeout_reversed";
    /// The retry rules of the networks forbid another try.
    RETRY_BLOCKED = "retry_blocked";
    /// A rule of the merchant.
    RULE_REJECTED = "rule_rejected";
    /// The answer speaks of another amount.
    AMOUNT_MISMATCH = "amount_mismatch";
    /// No agreement allows a payment without the payer.
    NO_AGREEMENT = "no_agreement";
}

impl DeclineCode {
    /// The decline code of this text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.0 == text)
    }

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// What the payer is told.
    ///
    /// Where response codes share a decline code, the first of the table decides. A decline after
    /// which the outcome is unknown is [`Family::Unknown`], whatever the table says: no text may
    /// then speak of not having been charged.
    pub fn family(self) -> Family {
        if self == Self::ISSUER_TIMEOUT {
            return Family::Unknown;
        }
        let of_table = all_response_codes()
            .iter()
            .find(|info| info.decline_code == Some(self))
            .and_then(|info| info.family);
        of_table.unwrap_or(match self {
            Self::INCORRECT_NUMBER => Family::CheckDetails,
            Self::CHALLENGE_CANCELED => Family::Authenticate,
            Self::TIMEOUT_REVERSED => Family::TryLater,
            Self::AMOUNT_MISMATCH | Self::NO_AGREEMENT => Family::OurSide,
            _ => Family::Generic,
        })
    }

    /// What the merchant should do. Where response codes share a decline code, the first decides.
    pub fn advice(self) -> Advice {
        self.response_code().and_then(ResponseCode::advice).unwrap_or(match self {
            Self::GENERIC_DECLINE | Self::TIMEOUT_REVERSED => Advice::RetryLater,
            Self::INCORRECT_NUMBER => Advice::UpdateCard,
            Self::AUTHENTICATION_FAILED | Self::CHALLENGE_CANCELED => Advice::Authenticate,
            _ => Advice::DoNotRetry,
        })
    }

    /// The first response code of the table that means this, if any does.
    pub fn response_code(self) -> Option<ResponseCode> {
        all_response_codes()
            .iter()
            .find(|info| info.decline_code == Some(self))
            .map(|info| info.code)
    }
}

impl fmt::Display for DeclineCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl fmt::Debug for DeclineCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl FromStr for DeclineCode {
    type Err = DeclineCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or(DeclineCodeError)
    }
}

impl Serialize for DeclineCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for DeclineCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
