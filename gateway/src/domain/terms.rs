//! What was agreed when a payment was created, beside its amount.

use wire::ids::{CustomerId, PaymentId};
use wire::stored_credential::{Initiator, MitReason, PaymentPurpose};

use super::check_rules::CheckRules;
use super::stored_card::UseOfCard;

use super::three_ds::ThreeDsTerms;

/// What was agreed when a payment was created, beside its amount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// An approval for a part of the amount is taken; another card may pay the rest.
    pub accept_partial: bool,
    /// The amount is an estimate that increments may raise.
    pub estimated: bool,
    /// Merchant category of this payment; the account's own when absent.
    pub category: Option<String>,
    /// The payment whose authorization has run out and is made again.
    pub previous: Option<Previous>,
    /// What is agreed about 3-D Secure.
    pub three_ds: ThreeDsTerms,
    /// Money, or a look at the account.
    pub purpose: PaymentPurpose,
    /// What an approval leads to although a check did not match.
    pub rules: CheckRules,
    /// Who pays.
    pub customer: Option<CustomerId>,
    /// What the payer is asked to agree to: that the card is saved.
    pub saving: Option<SavingTerms>,
    /// The saved card that pays.
    pub stored: Option<UseOfCard>,
}

impl Terms {
    /// Whether the merchant starts the payment, not the cardholder.
    pub const fn by_merchant(&self) -> bool {
        self.previous.is_some()
            || matches!(&self.stored, Some(it) if matches!(it.initiator, Initiator::Merchant))
    }

    /// Whether it asks for no money.
    pub const fn is_verification(&self) -> bool {
        matches!(self.purpose, PaymentPurpose::Verification)
    }
}

/// What the payer is asked to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavingTerms {
    /// What the card will be used for.
    pub reason: MitReason,
    /// The payment cannot do without.
    pub required: bool,
    /// The merchant's own words.
    pub text: Option<String>,
}

/// The payment whose authorization is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its id.
    pub payment: PaymentId,
    /// The network's id of it.
    pub network_transaction_id: Option<String>,
}
