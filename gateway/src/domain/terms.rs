//! What was agreed when a payment was created, beside its amount.

use wire::ids::PaymentId;

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
}

impl Terms {
    /// Whether the merchant starts the payment, not the cardholder.
    pub const fn by_merchant(&self) -> bool {
        self.previous.is_some()
    }
}

/// The payment whose authorization is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its id.
    pub payment: PaymentId,
    /// The network's id of it.
    pub network_transaction_id: Option<String>,
}
