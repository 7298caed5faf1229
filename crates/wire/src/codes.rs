//! Response codes, decline codes, and what payer and merchant are told about them.

mod decline;
mod response;

use serde::{Deserialize, Serialize};

pub use decline::{DeclineCode, DeclineCodeError};
pub(crate) use response::optional_field;
pub use response::{
    CodeClass, ResponseCode, ResponseCodeError, ResponseCodeInfo, all_response_codes,
};

/// What the payer is told: one of a few kinds, which never speak of loss, theft or suspicion.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Declined, and no more than that.
    Generic,
    /// Not enough money, or over a limit.
    Funds,
    /// A detail of the card was entered wrongly.
    CheckDetails,
    /// The bank wants the payer to confirm.
    Authenticate,
    /// Only the payer's bank can help.
    ContactBank,
    /// Nothing wrong with the card; later it may work.
    TryLater,
    /// The shop or the gateway is at fault.
    OurSide,
    /// Nobody knows yet whether the payment happened.
    Unknown,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 8] = [
        Self::Generic,
        Self::Funds,
        Self::CheckDetails,
        Self::Authenticate,
        Self::ContactBank,
        Self::TryLater,
        Self::OurSide,
        Self::Unknown,
    ];

    /// The stable word: `check_details` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Funds => "funds",
            Self::CheckDetails => "check_details",
            Self::Authenticate => "authenticate",
            Self::ContactBank => "contact_bank",
            Self::TryLater => "try_later",
            Self::OurSide => "our_side",
            Self::Unknown => "unknown",
        }
    }

    /// The family of this stable word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == text)
    }

    /// What the payer reads, in English.
    pub const fn payer_message(self) -> &'static str {
        match self {
            Self::Generic => "Your card was declined. Use another card or contact your bank.",
            Self::Funds => "There is not enough money available. Use another card.",
            Self::CheckDetails => "Check the card number, date and security code.",
            Self::Authenticate => "Your bank wants you to confirm this payment.",
            Self::ContactBank => "Your bank needs to speak to you. Call the number on your card.",
            Self::TryLater => {
                "Your bank did not answer. You have not been charged. \
                 Try again in a few minutes."
            }
            Self::OurSide => "We cannot take this card right now. You have not been charged.",
            Self::Unknown => "We are checking with your bank. Please do not pay again.",
        }
    }
}

/// What the merchant should do next.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Never try this card for this payment again.
    DoNotRetry,
    /// End the agreement with this customer.
    StopRecurring,
    /// It may work later.
    RetryLater,
    /// The payer has to speak to the bank first.
    CallIssuer,
    /// Ask for the card's data again.
    UpdateCard,
    /// Authenticate the payer, then try again.
    Authenticate,
}

impl Advice {
    /// The stable word: `do_not_retry` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DoNotRetry => "do_not_retry",
            Self::StopRecurring => "stop_recurring",
            Self::RetryLater => "retry_later",
            Self::CallIssuer => "call_issuer",
            Self::UpdateCard => "update_card",
            Self::Authenticate => "authenticate",
        }
    }
}

#[cfg(test)]
mod tests;
