//! Amount caps: how much one payment may ask for, and one card or the account in a day.

use std::fmt;

use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::attempt::{Attempt, AttemptKind, AttemptState};
use super::card::Fingerprint;
use super::payment::Payment;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// How much is allowed, in minor units of each currency; as much as there is unless given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// What one payment may ask for.
    pub payment: Option<u64>,
    /// What one card may pay on a day.
    pub card_day: Option<u64>,
    /// What the account may take on a day.
    pub merchant_day: Option<u64>,
    /// What happens to a payment over the cap of a day.
    pub over: OverCap,
}

/// What happens to a payment over the cap of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverCap {
    /// It is refused before anything is sent.
    #[default]
    Refuse,
    /// It is authorized, and nothing is captured before a person has looked.
    Review,
}

/// One of the caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// Of one payment.
    Payment,
    /// Of one card on a day.
    CardDay,
    /// Of the account on a day.
    MerchantDay,
}

impl Cap {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::CardDay => "card_day",
            Self::MerchantDay => "merchant_day",
        }
    }
}

/// More was asked for than a cap leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Exceeded {
    /// Which.
    pub cap: Cap,
    /// The cap, in minor units.
    pub limit: u64,
    /// What is left of it.
    pub left: u64,
    /// What was asked for.
    pub asked: u64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cap, limit, left, asked } = self;
        match cap {
            Cap::Payment => write!(
                formatter,
                "a payment asks for at most {limit} minor units, not {asked}: ask for less, or have \
                 `cap_payment` raised"
            ),
            Cap::CardDay => write!(
                formatter,
                "a card pays at most {limit} minor units a day (UTC); {left} are left, {asked} were \
                 asked for: use another card, or try again tomorrow"
            ),
            Cap::MerchantDay => write!(
                formatter,
                "the account takes at most {limit} minor units a day (UTC); {left} are left, \
                 {asked} were asked for: try again tomorrow, or have `cap_merchant_day` raised"
            ),
        }
    }
}

/// What counts of a day so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Of the card.
    pub card: u64,
    /// Of the account.
    pub merchant: u64,
}

impl Caps {
    /// Whether the amounts of a day have to be known.
    pub const fn are_daily(&self) -> bool {
        self.card_day.is_some() || self.merchant_day.is_some()
    }

    /// Refuses more than one payment may ask for.
    pub fn check_payment(&self, asked: MinorUnits) -> Result<(), Exceeded> {
        check(Cap::Payment, self.payment, 0, units(asked))
    }

    /// Refuses what is more than the day leaves: to the card first, then to the account.
    pub fn check_day(&self, spent: Spent, asked: MinorUnits) -> Result<(), Exceeded> {
        check(Cap::CardDay, self.card_day, spent.card, units(asked))?;
        check(Cap::MerchantDay, self.merchant_day, spent.merchant, units(asked))
    }
}

fn check(cap: Cap, limit: Option<u64>, spent: u64, asked: u64) -> Result<(), Exceeded> {
    let Some(limit) = limit else { return Ok(()) };
    let left = limit.saturating_sub(spent);
    if asked <= left { Ok(()) } else { Err(Exceeded { cap, limit, left, asked }) }
}

fn units(amount: MinorUnits) -> u64 {
    amount.get().unsigned_abs()
}

/// The day of a moment, in days since 1970 (UTC).
pub const fn day_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(DAY_MILLIS)
}

/// When a day begins.
pub const fn begin_of(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(DAY_MILLIS))
}

/// What one attempt counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The day on which it was sent.
    pub day: i64,
    /// The card.
    pub card: Fingerprint,
    /// How much.
    pub amount: u64,
}

/// What the attempts of a payment count for: what may be authorized, is, or was captured. What was
/// declined or given back counts for nothing.
pub fn shares(payment: &Payment) -> Vec<Share> {
    let raised =
        |it: &&Attempt| it.kind == AttemptKind::Increment && it.state == AttemptState::Approved;
    let mut increments: u64 =
        payment.attempts.iter().filter(raised).map(|it| units(it.asked)).sum();
    // Increments raise the first authorization, which then holds them. Each counts on its own day, as far
    // as it was not given back.
    let mut of_increments = 0;
    let mut shares = Vec::new();
    for attempt in &payment.attempts {
        let amount = match (attempt.state, attempt.kind) {
            (AttemptState::Processing | AttemptState::Unknown, _) => units(attempt.asked),
            (AttemptState::Declined | AttemptState::Reversed, _) => 0,
            (AttemptState::Approved, AttemptKind::Payment) => {
                let held = units(attempt.kept()).max(captured_of(payment, attempt));
                let own = held.saturating_sub(std::mem::take(&mut increments));
                of_increments = held.saturating_sub(own).saturating_add(of_increments);
                own
            }
            (AttemptState::Approved, AttemptKind::Increment) => {
                let amount = units(attempt.asked).min(of_increments);
                of_increments = of_increments.saturating_sub(amount);
                amount
            }
        };
        let (day, card) = (day_of(attempt.identity.transmission_at), attempt.card.fingerprint);
        shares.push(Share { day, card, amount });
    }
    shares
}

fn captured_of(payment: &Payment, attempt: &Attempt) -> u64 {
    let captures = payment.captures.iter();
    let counted = captures.filter(|it| it.attempt == attempt.id && it.state.counts());
    counted.map(|it| units(it.amount)).sum()
}

/// How a change of a payment changes what counts: what is taken away, and what is added.
pub fn changes(before: &Payment, after: &Payment) -> Vec<(Share, Share)> {
    let (before, after) = (shares(before), shares(after));
    let none = |share: &Share| Share { amount: 0, ..*share };
    let pairs = after.iter().enumerate().map(|(index, new)| {
        let old = before.get(index).copied();
        (old.unwrap_or_else(|| none(new)), *new)
    });
    pairs.filter(|(old, new)| old != new).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPS: Caps = Caps {
        payment: Some(1_000),
        card_day: Some(2_500),
        merchant_day: Some(10_000),
        over: OverCap::Refuse,
    };

    fn minor(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    #[test]
    fn a_cap_may_be_reached_and_not_passed() {
        assert_eq!(CAPS.check_payment(minor(1_000)), Ok(()));
        let over = Exceeded { cap: Cap::Payment, limit: 1_000, left: 1_000, asked: 1_001 };
        assert_eq!(CAPS.check_payment(minor(1_001)), Err(over));
        let spent = Spent { card: 2_000, merchant: 9_800 };
        assert_eq!(CAPS.check_day(spent, minor(200)), Ok(()));
        let merchant = Exceeded { cap: Cap::MerchantDay, limit: 10_000, left: 200, asked: 201 };
        assert_eq!(CAPS.check_day(spent, minor(201)), Err(merchant));
        let card = Exceeded { cap: Cap::CardDay, limit: 2_500, left: 500, asked: 501 };
        assert_eq!(CAPS.check_day(spent, minor(501)), Err(card), "the card's comes first");
    }

    #[test]
    fn without_caps_everything_passes() {
        let spent = Spent { card: u64::MAX, merchant: u64::MAX };
        assert_eq!(Caps::default().check_payment(MinorUnits::MAX), Ok(()));
        assert_eq!(Caps::default().check_day(spent, MinorUnits::MAX), Ok(()));
        assert!(!Caps::default().are_daily());
        assert!(!Caps { payment: Some(1), ..Caps::default() }.are_daily());
        assert!(CAPS.are_daily());
    }

    #[test]
    fn a_refusal_says_the_cap_what_is_left_and_what_to_do() {
        let said = |cap| Exceeded { cap, limit: 100, left: 40, asked: 60 }.to_string();
        let all = [Cap::Payment, Cap::CardDay, Cap::MerchantDay].map(said).join("\n");
        insta::assert_snapshot!(all, @"
        a payment asks for at most 100 minor units, not 60: ask for less, or have `cap_payment` raised
        a card pays at most 100 minor units a day (UTC); 40 are left, 60 were asked for: use another card, or try again tomorrow
        the account takes at most 100 minor units a day (UTC); 40 are left, 60 were asked for: try again tomorrow, or have `cap_merchant_day` raised
        ");
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        let midnight = begin_of(20_454);
        assert_eq!(day_of(midnight), 20_454);
        assert_eq!(day_of(Timestamp::from_millis(midnight.millis() - 1)), 20_453);
    }

    proptest! {
        /// What is let through one by one never sums to more than a cap.
        #[test]
        fn what_passes_stays_within_the_caps(asked in proptest::collection::vec(0_i64..3_000, 0..40)) {
            let mut spent = Spent::default();
            for amount in asked {
                if CAPS.check_day(spent, minor(amount)).is_ok() {
                    spent.card += amount.unsigned_abs();
                    spent.merchant += amount.unsigned_abs();
                }
            }
            prop_assert!(spent.card <= 2_500 && spent.merchant <= 10_000);
        }
    }
}
