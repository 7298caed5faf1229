//! What a payer may be told about a payment: never more than is certain.

use wire::codes::Family;
use wire::time::Timestamp;

use super::attempt::{Attempt, AttemptState};
use super::payment::{Payment, State};
use super::reversal::ReversalState;

/// Wrong details may be corrected so often; then the payer is told no more than "declined".
const CORRECTIONS_MAX: usize = 3;

/// Where a payment stands, as far as the payer is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A card may be entered; the last one was declined in this way.
    MayPay(Option<Family>),
    /// With the bank.
    Processing,
    /// Nobody knows yet.
    Unknown,
    /// The money is taken or reserved.
    Paid,
    /// Approved, but the merchant could not collect it yet.
    Completing,
    /// Given up before any money was reserved.
    Canceled,
    /// Given back by the merchant after it was reserved.
    Released,
    /// The page ran out before anything was paid.
    Expired,
    /// The authorization ran out before it was collected.
    HoldExpired,
    /// Declined for good.
    Failed(Family),
    /// Failed, and what may be reserved is still being given back.
    Reversing,
    /// Failed, and it is certain that nothing is reserved.
    Reversed,
}

impl Standing {
    /// Where the payment stands at this moment.
    pub fn of(payment: &Payment, now: Timestamp) -> Self {
        match payment.state {
            State::RequiresPaymentMethod if now >= payment.expires_at => Self::Expired,
            State::RequiresPaymentMethod => Self::MayPay(last_family(payment)),
            State::Processing => Self::Processing,
            State::OutcomeUnknown(_) => Self::Unknown,
            State::Authorized | State::PartiallyCaptured | State::Captured => Self::Paid,
            State::CaptureFailed => Self::Completing,
            State::Canceled if !payment.amounts.authorized.is_zero() => Self::Released,
            State::Canceled if now >= payment.expires_at => Self::Expired,
            State::Canceled => Self::Canceled,
            State::Expired => Self::HoldExpired,
            State::Failed => failure(payment),
        }
    }

    /// Whether this changes by itself.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Processing | Self::Unknown => true,
            Self::MayPay(_)
            | Self::Paid
            | Self::Completing
            | Self::Canceled
            | Self::Released
            | Self::Expired
            | Self::HoldExpired
            | Self::Failed(_)
            | Self::Reversing
            | Self::Reversed => false,
        }
    }
}

fn last_family(payment: &Payment) -> Option<Family> {
    let family = family_of(payment.attempts.last()?)?;
    let corrections = payment.attempts.iter().filter_map(family_of);
    let corrections = corrections.filter(|it| *it == Family::CheckDetails).count();
    let tired = family == Family::CheckDetails && corrections > CORRECTIONS_MAX;
    Some(if tired { Family::Generic } else { family })
}

fn family_of(attempt: &Attempt) -> Option<Family> {
    attempt.decline.as_ref().map(|decline| decline.code.family())
}

fn failure(payment: &Payment) -> Standing {
    // A parked reversal has not been acknowledged either: the money may still be reserved.
    let in_doubt = payment.reversals.iter().any(|it| it.state != ReversalState::Acknowledged);
    match payment.attempts.last() {
        _ if in_doubt => Standing::Reversing,
        Some(attempt) if attempt.state == AttemptState::Declined => {
            Standing::Failed(last_family(payment).unwrap_or(Family::Generic))
        }
        Some(_) | None => Standing::Reversed,
    }
}
