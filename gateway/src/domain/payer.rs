//! What a payer may be told about a payment: never more than is certain.

use wire::codes::Family;
use wire::time::Timestamp;

use super::attempt::{Attempt, AttemptState};
use super::payment::{Payment, State};
use super::reversal::ReversalState;
use super::three_ds::Stage;

/// Wrong details may be corrected so often; then the payer is told no more than "declined".
const CORRECTIONS_MAX: usize = 3;

/// Where a payment stands, as far as the payer is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A card may be entered; the last one was declined in this way.
    MayPay(Option<Family>),
    /// With the bank.
    Processing,
    /// The bank looks at the browser before it decides.
    Preparing,
    /// The bank asks the payer.
    Asked,
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
    /// The card was confirmed, without money.
    Verified,
}

impl Standing {
    /// Where the payment stands at this moment.
    pub fn of(payment: &Payment, now: Timestamp) -> Self {
        match payment.state {
            State::RequiresPaymentMethod if now >= payment.expires_at => Self::Expired,
            State::RequiresPaymentMethod => Self::MayPay(last_family(payment)),
            State::Authenticating
                if payment
                    .open_authentication()
                    .is_some_and(|it| it.stage == Stage::MethodPending) =>
            {
                Self::Preparing
            }
            State::Authenticating | State::Processing => Self::Processing,
            State::RequiresAction => match payment.open_authentication() {
                // The browser came back: the result is on its way.
                Some(it) if it.stage == Stage::Returned => Self::Processing,
                Some(_) | None => Self::Asked,
            },
            State::OutcomeUnknown(_) => Self::Unknown,
            State::Authorized if payment.lacks_a_part() && now < payment.expires_at => {
                Self::MayPay(last_family(payment))
            }
            State::Authorized if payment.lacks_a_part() => Self::Completing,
            State::Authorized | State::PartiallyCaptured | State::Captured => Self::Paid,
            State::CaptureFailed => Self::Completing,
            State::Canceled if !payment.amounts.authorized.is_zero() => Self::Released,
            State::Canceled if now >= payment.expires_at => Self::Expired,
            State::Canceled => Self::Canceled,
            State::Expired => Self::HoldExpired,
            State::Failed => failure(payment),
            State::Verified => Self::Verified,
        }
    }

    /// Whether this changes by itself.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Processing | Self::Preparing | Self::Unknown => true,
            Self::MayPay(_)
            | Self::Asked
            | Self::Paid
            | Self::Completing
            | Self::Canceled
            | Self::Released
            | Self::Expired
            | Self::HoldExpired
            | Self::Failed(_)
            | Self::Reversing
            | Self::Reversed
            | Self::Verified => false,
        }
    }
}

fn last_family(payment: &Payment) -> Option<Family> {
    let family = family_of(payment.attempts.last()?)?;
    let corrections = payment.attempts.iter().filter_map(family_of);
    let corrections = corrections.filter(|it| *it == Family::CheckDetails).count();
    let tired = family == Family::CheckDetails && corrections > CORRECTIONS_MAX;
    // These say that nothing was charged.
    let certain = matches!(family, Family::TryLater | Family::OurSide);
    Some(if tired || (certain && in_doubt(payment)) { Family::Generic } else { family })
}

/// Whether something may still be reserved: a parked reversal is not acknowledged either.
fn in_doubt(payment: &Payment) -> bool {
    payment.reversals.iter().any(|it| it.state != ReversalState::Acknowledged)
}

fn family_of(attempt: &Attempt) -> Option<Family> {
    attempt.decline.map(|decline| decline.family())
}

fn failure(payment: &Payment) -> Standing {
    match payment.attempts.last() {
        _ if in_doubt(payment) => Standing::Reversing,
        Some(attempt) if attempt.state == AttemptState::Declined => {
            Standing::Failed(last_family(payment).unwrap_or(Family::Generic))
        }
        Some(_) | None => Standing::Reversed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wire::card::{Brand, CardNumber, Expiry};
    use wire::codes::DeclineCode;
    use wire::ids::{AttemptId, MerchantId, PaymentId, ReversalId, TokenId};
    use wire::money::{Currency, MinorUnits};

    use super::*;
    use crate::domain::answer::Decline;
    use crate::domain::attempt::AttemptKind;
    use crate::domain::card::{Card, Fingerprint};
    use crate::domain::identity::Identity;
    use crate::domain::payment::{CaptureMode, Details, NewPayment, Search};
    use crate::domain::reversal::{Original, Reason, Reversal};
    use crate::domain::terms::Terms;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);

    fn payment(state: State) -> Payment {
        let mut payment = Payment::create(NewPayment {
            terms: Terms::default(),
            id: PaymentId::new(NOW, [1; 10]),
            merchant: MerchantId::new(NOW, [2; 10]),
            order_reference: "ord_1".into(),
            currency: Currency::parse("EUR").unwrap(),
            amount: MinorUnits::new(4999).unwrap(),
            capture_mode: CaptureMode::Automatic,
            details: Details::default(),
            at: NOW,
            expires_at: NOW.plus(Duration::from_mins(30)),
        });
        payment.state = state;
        payment
    }

    fn attempt(state: AttemptState, code: Option<DeclineCode>) -> Attempt {
        let number = CardNumber::parse("4242424242424242").unwrap();
        let card = Card {
            token: TokenId::new(NOW, [3; 10]),
            brand: Brand::Visa,
            masked: number.masked(),
            expiry: Expiry::new(12, 2030).unwrap(),
            fingerprint: Fingerprint::from_bytes([0; 16]),
        };
        let identity = Identity { terminal: 0, stan: 1, transmission_at: NOW };
        let (id, reversal_id) = (AttemptId::new(NOW, [4; 10]), ReversalId::new(NOW, [5; 10]));
        let asked = (AttemptKind::Payment, MinorUnits::new(4999).unwrap());
        let mut attempt = Attempt::new(id, 1, asked, card, identity, reversal_id);
        attempt.state = state;
        attempt.decline = code.map(Decline::without_answer);
        attempt
    }

    fn reversal(state: ReversalState) -> Reversal {
        Reversal {
            id: ReversalId::new(NOW, [5; 10]),
            original: Original::Attempt(AttemptId::new(NOW, [4; 10])),
            reason: Reason::Timeout,
            amount: MinorUnits::new(4999).unwrap(),
            remains: MinorUnits::ZERO,
            transmission_at: NOW,
            state,
            response_code: None,
            tries: 0,
            due_at: None,
        }
    }

    #[test]
    fn every_state_has_one_standing() {
        let table: Vec<String> = State::ALL
            .into_iter()
            .map(|state| format!("{}: {:?}", state.as_str(), Standing::of(&payment(state), NOW)))
            .collect();
        let expected = [
            "requires_payment_method: MayPay(None)",
            "authenticating: Processing",
            "requires_action: Asked",
            "processing: Processing",
            "unknown_inquiring: Unknown",
            "unknown_waiting: Unknown",
            "unknown_reversing: Unknown",
            "authorized: Paid",
            "partially_captured: Paid",
            "captured: Paid",
            "capture_failed: Completing",
            "verified: Verified",
            "canceled: Canceled",
            "expired: HoldExpired",
            "failed: Reversed",
        ];
        assert_eq!(table, expected);
    }

    #[test]
    fn a_page_that_ran_out_takes_no_card_but_tells_what_is_open() {
        let late = NOW.plus(Duration::from_mins(30));
        assert_eq!(Standing::of(&payment(State::RequiresPaymentMethod), late), Standing::Expired);
        assert_eq!(Standing::of(&payment(State::Canceled), late), Standing::Expired);
        let unknown = payment(State::OutcomeUnknown(Search::Inquiring));
        assert_eq!(Standing::of(&unknown, late), Standing::Unknown);
        assert_eq!(Standing::of(&payment(State::Captured), late), Standing::Paid);
    }

    #[test]
    fn a_decline_is_told_by_its_family_only() {
        let mut declined = payment(State::RequiresPaymentMethod);
        for (code, family) in [
            (DeclineCode::LOST_CARD, Family::Generic),
            (DeclineCode::INSUFFICIENT_FUNDS, Family::Funds),
            (DeclineCode::INCORRECT_CVC, Family::CheckDetails),
        ] {
            declined.attempts = vec![attempt(AttemptState::Declined, Some(code))];
            assert_eq!(Standing::of(&declined, NOW), Standing::MayPay(Some(family)));
        }
    }

    #[test]
    fn a_decline_with_an_open_reversal_does_not_say_that_nothing_was_charged() {
        let mut declined = payment(State::RequiresPaymentMethod);
        declined.attempts =
            vec![attempt(AttemptState::Declined, Some(DeclineCode::ISSUER_UNAVAILABLE))];
        assert_eq!(Standing::of(&declined, NOW), Standing::MayPay(Some(Family::TryLater)));
        declined.reversals = vec![reversal(ReversalState::Queued)];
        assert_eq!(Standing::of(&declined, NOW), Standing::MayPay(Some(Family::Generic)));
    }

    #[test]
    fn after_three_corrections_a_wrong_detail_is_just_declined() {
        let wrong = || attempt(AttemptState::Declined, Some(DeclineCode::INCORRECT_CVC));
        let mut declined = payment(State::RequiresPaymentMethod);
        declined.attempts = vec![wrong(), wrong(), wrong()];
        let family = |it: &Payment| Standing::of(it, NOW);
        assert_eq!(family(&declined), Standing::MayPay(Some(Family::CheckDetails)));
        declined.attempts.push(wrong());
        assert_eq!(family(&declined), Standing::MayPay(Some(Family::Generic)));
    }

    #[test]
    fn nothing_was_charged_only_when_every_reversal_is_acknowledged() {
        let mut failed = payment(State::Failed);
        let timeout = DeclineCode::TIMEOUT_REVERSED;
        failed.attempts = vec![attempt(AttemptState::Reversed, Some(timeout))];
        for (state, standing) in [
            (ReversalState::Queued, Standing::Reversing),
            (ReversalState::Retry, Standing::Reversing),
            (ReversalState::Parked, Standing::Reversing),
            (ReversalState::Acknowledged, Standing::Reversed),
        ] {
            failed.reversals = vec![reversal(state)];
            assert_eq!(Standing::of(&failed, NOW), standing, "{state:?}");
        }
    }

    #[test]
    fn a_voided_payment_is_released_rather_than_uncharged() {
        let mut voided = payment(State::Canceled);
        voided.amounts.authorized = voided.amounts.requested;
        assert_eq!(Standing::of(&voided, NOW), Standing::Released);
    }
}
