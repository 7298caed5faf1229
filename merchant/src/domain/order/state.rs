//! Where an order stands, and what each event makes of that.

use wire::codes::Family;
use wire::ids::PaymentId;
use wire::money::{MinorUnits, Money};

/// Where an order stands. Amounts are the truth, [`Status`] is derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not paid, and not given up.
    Unpaid(Unpaid),
    /// Given up by the customer or the shop.
    Canceled,
    /// Paid in full; the goods go out once.
    Fulfilled {
        /// By which payment.
        payment: PaymentId,
        /// Taken.
        captured: MinorUnits,
        /// Given back since.
        refunded: MinorUnits,
    },
}

/// How an order stands that was not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpaid {
    /// Nobody has tried, or the last payment page ran out.
    Awaiting,
    /// A card was submitted, its bank has not answered.
    Checking,
    /// The last card did not work.
    Declined {
        /// What the customer is told.
        family: Family,
    },
}

/// The state in one word, for customers and other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Nobody has paid.
    AwaitingPayment,
    /// Being checked with the bank.
    Checking,
    /// Paid.
    Paid,
    /// The last card did not work; another may be tried.
    Declined,
    /// Given up.
    Canceled,
    /// A part was given back.
    PartiallyRefunded,
    /// All was given back.
    Refunded,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::AwaitingPayment,
        Self::Checking,
        Self::Paid,
        Self::Declined,
        Self::Canceled,
        Self::PartiallyRefunded,
        Self::Refunded,
    ];

    /// The word as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::Checking => "checking",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
        }
    }

    /// The status of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl State {
    /// The state in one word.
    pub fn status(&self) -> Status {
        match self {
            Self::Unpaid(Unpaid::Awaiting) => Status::AwaitingPayment,
            Self::Unpaid(Unpaid::Checking) => Status::Checking,
            Self::Unpaid(Unpaid::Declined { .. }) => Status::Declined,
            Self::Canceled => Status::Canceled,
            Self::Fulfilled { refunded, .. } if refunded.is_zero() => Status::Paid,
            Self::Fulfilled { captured, refunded, .. } if refunded < captured => {
                Status::PartiallyRefunded
            }
            Self::Fulfilled { .. } => Status::Refunded,
        }
    }

    /// Applies what happened to an order with this total; a refusal changes nothing.
    pub fn apply(&mut self, total: Money, event: Event) -> Result<Vec<Effect>, Refusal> {
        use {Event as E, State as S, Unpaid as U};
        let flag = |attention| Ok(vec![Effect::Flag(attention)]);
        let next = match (&*self, event) {
            (S::Unpaid(U::Checking), E::PaymentBegun | E::GivenUp) => {
                return Err(Refusal::BeingChecked);
            }
            (S::Fulfilled { .. }, E::PaymentBegun | E::GivenUp) => {
                return Err(Refusal::AlreadyPaid);
            }
            (S::Unpaid(U::Awaiting | U::Declined { .. }) | S::Canceled, E::PaymentBegun)
            | (S::Unpaid(_), E::PaymentOpen | E::PaymentExpired) => S::Unpaid(U::Awaiting),
            (S::Unpaid(_), E::CardSubmitted) => S::Unpaid(U::Checking),
            (S::Unpaid(_), E::AttemptDeclined { family }) => S::Unpaid(U::Declined { family }),
            (S::Unpaid(_), E::PaymentCanceled)
            | (S::Unpaid(U::Awaiting | U::Declined { .. }) | S::Canceled, E::GivenUp) => {
                S::Canceled
            }
            (S::Unpaid(_), E::Captured { captured, .. }) if captured != total => {
                return flag(Attention::AmountDiffers);
            }
            (S::Unpaid(_), E::Captured { payment, captured }) => {
                let refunded = MinorUnits::ZERO;
                *self = S::Fulfilled { payment, captured: captured.value, refunded };
                return Ok(vec![Effect::Fulfil { payment, captured }]);
            }
            (S::Canceled, E::Captured { .. }) => return flag(Attention::PaidAfterCancel),
            (S::Fulfilled { payment: by, .. }, E::Captured { payment, .. }) if *by == payment => {
                return Ok(vec![]);
            }
            (S::Fulfilled { .. }, E::Captured { .. })
            | (S::Unpaid(_) | S::Canceled | S::Fulfilled { .. }, E::StrayCapture) => {
                return flag(Attention::StrayPayment);
            }
            (S::Unpaid(_) | S::Canceled | S::Fulfilled { .. }, E::CaptureFailed) => {
                return flag(Attention::CaptureFailed);
            }
            (S::Fulfilled { payment, captured, .. }, E::PaymentCanceled) => {
                *self =
                    S::Fulfilled { payment: *payment, captured: *captured, refunded: *captured };
                return flag(Attention::VoidedAfterPayment);
            }
            (S::Fulfilled { captured, .. }, E::Refunded { refunded }) if refunded > *captured => {
                return flag(Attention::RefundedTooMuch);
            }
            (S::Fulfilled { payment, captured, .. }, E::Refunded { refunded }) => {
                S::Fulfilled { payment: *payment, captured: *captured, refunded }
            }
            // Older news, or news that change nothing here.
            (
                S::Canceled | S::Fulfilled { .. },
                E::PaymentOpen | E::CardSubmitted | E::AttemptDeclined { .. } | E::PaymentExpired,
            )
            | (S::Canceled, E::PaymentCanceled)
            | (S::Unpaid(_) | S::Canceled, E::Refunded { .. }) => return Ok(vec![]),
        };
        *self = next;
        Ok(vec![])
    }
}

/// What can happen to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The customer starts a new payment.
    PaymentBegun,
    /// The current payment waits for a card.
    PaymentOpen,
    /// A card was submitted.
    CardSubmitted,
    /// The card did not work.
    AttemptDeclined {
        /// What the customer is told.
        family: Family,
    },
    /// The current payment ended without money.
    PaymentExpired,
    /// The current payment was canceled or voided.
    PaymentCanceled,
    /// The current payment was taken.
    Captured {
        /// Which.
        payment: PaymentId,
        /// How much.
        captured: Money,
    },
    /// Money was taken by a payment that is not the current one.
    StrayCapture,
    /// What was taken is refused later.
    CaptureFailed,
    /// Given back in all.
    Refunded {
        /// Minor units.
        refunded: MinorUnits,
    },
    /// Customer or shop give up; there is no payment that could still succeed.
    GivenUp,
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The goods go out: at most once for an order.
    Fulfil {
        /// Paid by.
        payment: PaymentId,
        /// Taken.
        captured: Money,
    },
    /// A person has to look.
    Flag(Attention),
}

/// Why a person has to look at an order. Nothing is shipped because of any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attention {
    /// Another amount or currency was taken than was asked for.
    AmountDiffers,
    /// Money came for an order that was given up.
    PaidAfterCancel,
    /// Money came by another payment than the current one.
    StrayPayment,
    /// What was taken is refused later.
    CaptureFailed,
    /// The payment was voided after the goods went out.
    VoidedAfterPayment,
    /// More was given back than taken.
    RefundedTooMuch,
    /// The gateway's answer does not fit this order.
    AnswerDiffers,
}

impl Attention {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::AmountDiffers,
        Self::PaidAfterCancel,
        Self::StrayPayment,
        Self::CaptureFailed,
        Self::VoidedAfterPayment,
        Self::RefundedTooMuch,
        Self::AnswerDiffers,
    ];

    /// The word as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmountDiffers => "amount_differs",
            Self::PaidAfterCancel => "paid_after_cancel",
            Self::StrayPayment => "stray_payment",
            Self::CaptureFailed => "capture_failed",
            Self::VoidedAfterPayment => "voided_after_payment",
            Self::RefundedTooMuch => "refunded_too_much",
            Self::AnswerDiffers => "answer_differs",
        }
    }

    /// The reason of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attention| attention.as_str() == text)
    }

    /// What the back office reads.
    pub const fn text(self) -> &'static str {
        match self {
            Self::AmountDiffers => "The gateway took another amount than the order's total.",
            Self::PaidAfterCancel => "Money came after the order was canceled: give it back.",
            Self::StrayPayment => "Money came by a payment that was replaced: give it back.",
            Self::CaptureFailed => "The capture was refused after the order was paid.",
            Self::VoidedAfterPayment => "The payment was voided after the order was paid.",
            Self::RefundedTooMuch => "More was refunded than was taken.",
            Self::AnswerDiffers => "The gateway's answer does not fit this order.",
        }
    }
}

/// Why something cannot happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is paid.
    #[error("the order is already paid")]
    AlreadyPaid,
    /// The bank has not answered yet.
    #[error("the payment is being checked with the bank")]
    BeingChecked,
    /// Too many payments were begun.
    #[error("too many payments were begun for this order")]
    TooManyPayments,
}
