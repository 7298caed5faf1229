//! Events: what the gateway tells a merchant, in the order of each payment's `sequence`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::gateway_api::{PaymentStatus, PaymentView, RefundView};
use crate::ids::{EventId, MerchantId};
use crate::settlement::DisputeView;
use crate::time::Timestamp;

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl EventType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The type as it is written, for example `payment.captured`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl FromStr for EventType {
            type Err = EventTypeError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$name),)* _ => Err(EventTypeError) }
            }
        }
    };
}

/// The text is no event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event type")]
pub struct EventTypeError;

event_types! {
    /// A payment was created.
    PaymentCreated = "payment.created",
    /// The payer must authenticate.
    PaymentRequiresAction = "payment.requires_action",
    /// A card was submitted, or the outcome is unknown.
    PaymentProcessing = "payment.processing",
    /// Approved; to be captured.
    PaymentAuthorized = "payment.authorized",
    /// All is captured.
    PaymentCaptured = "payment.captured",
    /// A part is captured.
    PaymentPartiallyCaptured = "payment.partially_captured",
    /// A card was verified without money.
    PaymentVerified = "payment.verified",
    /// Declined; another card may be tried.
    PaymentAttemptFailed = "payment.attempt_failed",
    /// Ended without money.
    PaymentFailed = "payment.failed",
    /// Canceled or voided.
    PaymentCanceled = "payment.canceled",
    /// The authorization or the page ran out.
    PaymentExpired = "payment.expired",
    /// A clearing record was refused.
    PaymentCaptureFailed = "payment.capture_failed",
    /// A refund was created.
    RefundCreated = "refund.created",
    /// A refund was accepted.
    RefundSucceeded = "refund.succeeded",
    /// A refund was refused or came back.
    RefundFailed = "refund.failed",
    /// A dispute was opened.
    DisputeOpened = "dispute.opened",
    /// A dispute moved.
    DisputeUpdated = "dispute.updated",
    /// A dispute ended.
    DisputeClosed = "dispute.closed",
    /// A settlement was paid out.
    SettlementPaidOut = "settlement.paid_out",
    /// A stored card changed.
    CardUpdated = "card.updated",
    /// A stored card was erased.
    CardErased = "card.erased",
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The body of a notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// Its id; the same on every delivery.
    #[schema(value_type = String)]
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "payment.captured")]
    pub event_type: EventType,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Rises by one per payment.
    pub sequence: u64,
    /// Status before, absent for the first.
    pub previous_status: Option<PaymentStatus>,
    /// Whose payment.
    #[schema(value_type = String)]
    pub merchant_id: MerchantId,
    /// Always false here: there is no real money.
    pub livemode: bool,
    /// What it is about.
    pub data: EventData,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EventData {
    /// The payment, without `client_secret` and `checkout_url`.
    pub payment: PaymentView,
    /// The refund, in refund events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundView>,
    /// The dispute, in dispute events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<DisputeView>,
}
