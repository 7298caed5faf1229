//! Who starts a payment, and why: the words of stored credentials.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl $name {
            /// Every word.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// What a payment asks the card's bank for.
    PaymentPurpose {
        /// Money.
        #[default]
        Purchase = "purchase",
        /// Whether the account is good; no money.
        Verification = "verification",
    }
}

impl PaymentPurpose {
    /// Whether it is about money.
    pub const fn is_purchase(&self) -> bool {
        matches!(self, Self::Purchase)
    }
}

words! {
    /// Who starts a payment.
    Initiator {
        /// The cardholder.
        #[default]
        Customer = "customer",
        /// The merchant, on a saved card, without the cardholder.
        Merchant = "merchant",
    }
}

impl Initiator {
    /// Whether it is the cardholder.
    pub const fn is_customer(&self) -> bool {
        matches!(self, Self::Customer)
    }
}

words! {
    /// Why a merchant starts a payment on a saved card.
    MitReason {
        /// A subscription: fixed times.
        #[default]
        Recurring = "recurring",
        /// A part of one purchase.
        Installment = "installment",
        /// As needed, such as a top-up.
        Unscheduled = "unscheduled",
        /// Charged after the service.
        Delayed = "delayed",
        /// The guest did not come.
        NoShow = "no_show",
        /// What was declined is tried again.
        Resubmission = "resubmission",
    }
}

words! {
    /// What an approval with a doubtful check leads to.
    CheckRule {
        /// It stands.
        #[default]
        Accept = "accept",
        /// It stands, and nothing is captured before a person has looked.
        Review = "review",
        /// It is taken back at once.
        Reject = "reject",
    }
}

impl MitReason {
    /// The reason of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
    }
}
