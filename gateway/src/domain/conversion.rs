//! Conversion at the till: the payer pays in the currency of the card, the merchant is paid in its
//! own.

use wire::ids::{MerchantId, PaymentId, TokenId};
use wire::money::{Currency, MinorUnits, Money};
use wire::processor_api::CurrencyConversion;
use wire::time::Timestamp;

use super::payment::{CaptureMode, Payment};

/// What a payer has agreed to, or is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The offer, with the merchant's amount.
    pub agreed: CurrencyConversion,
    /// What the payer pays.
    pub card_amount: MinorUnits,
    /// The currency of the card.
    pub card_currency: Currency,
}

impl Conversion {
    /// What a part of the merchant's amount is in the currency of the card, rounded down: parts
    /// never come to more than the whole, and the whole is the whole.
    pub fn on_card(&self, own: MinorUnits) -> MinorUnits {
        if own >= self.agreed.amount {
            return self.card_amount;
        }
        let share = scaled(own, self.card_amount, self.agreed.amount, 0);
        share.min(self.card_amount)
    }

    /// What an amount of the card's currency is in the merchant's, rounded half up. Only the whole
    /// is the whole: another amount stays another amount.
    pub fn from_card(&self, card: MinorUnits) -> MinorUnits {
        if card == self.card_amount {
            return self.agreed.amount;
        }
        let own = scaled(card, self.agreed.amount, self.card_amount, self.card_amount.get() / 2);
        let one = MinorUnits::new(1).unwrap_or_default();
        if card < self.card_amount {
            own.min(self.agreed.amount.checked_sub(one).unwrap_or_default())
        } else {
            own.max(self.agreed.amount.checked_add(one).unwrap_or(MinorUnits::MAX))
        }
    }

    /// What a payer gets back with a refund of `part`, after refunds of `held` that came to
    /// `held_on_card`: all refunds together come to what all of them are worth at once.
    pub fn refund_of(
        &self,
        part: MinorUnits,
        (held, held_on_card): (MinorUnits, MinorUnits),
    ) -> MinorUnits {
        let together = held.checked_add(part).unwrap_or(self.agreed.amount);
        self.on_card(together).checked_sub(held_on_card).unwrap_or_default()
    }

    /// What the payer pays.
    pub fn converted(&self) -> Money {
        Money::new(self.card_amount, self.card_currency)
    }
}

/// `amount * numerator / denominator`, with `add` to the dividend.
fn scaled(
    amount: MinorUnits,
    numerator: MinorUnits,
    denominator: MinorUnits,
    add: i64,
) -> MinorUnits {
    let dividend = i128::from(amount.get()) * i128::from(numerator.get()) + i128::from(add);
    let quotient = dividend.div_euclid(i128::from(denominator.get().max(1)));
    i64::try_from(quotient).ok().and_then(|it| MinorUnits::new(it).ok()).unwrap_or(MinorUnits::MAX)
}

/// An offer that was made for one payment and one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What is offered.
    pub conversion: Conversion,
    /// Whose it is.
    pub merchant: MerchantId,
    /// For which payment.
    pub payment: PaymentId,
    /// For which card.
    pub token: TokenId,
    /// It was taken.
    pub used: bool,
}

/// Why an offer is not made, or cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteRefusal {
    /// Absent, or made for another payment.
    #[error("there is no such offer for this payment")]
    NotFound,
    /// It was made for another card.
    #[error("the offer was made for another card")]
    OtherCard,
    /// It was taken before.
    #[error("the offer was taken before")]
    Used,
    /// Its time is over.
    #[error("the offer has expired")]
    Expired,
    /// Only a payment that is completed at once is converted.
    #[error("only a payment that is captured at once, in full, is converted")]
    NotAtOnce,
    /// The card is billed in the currency of the payment, or its currency is not quoted.
    #[error("the card is billed in the currency of the payment, or nothing is quoted")]
    NotOffered,
}

impl Quote {
    /// Whether it can be taken now, to pay this payment with this card.
    pub fn judge(
        &self,
        payment: &Payment,
        token: Option<TokenId>,
        now: Timestamp,
    ) -> Result<(), QuoteRefusal> {
        if self.payment != payment.id || self.merchant != payment.merchant {
            return Err(QuoteRefusal::NotFound);
        }
        if token != Some(self.token) {
            return Err(QuoteRefusal::OtherCard);
        }
        if self.used {
            return Err(QuoteRefusal::Used);
        }
        if now >= self.conversion.agreed.expires_at {
            return Err(QuoteRefusal::Expired);
        }
        may_convert(payment)?;
        if self.conversion.agreed.amount != payment.lacking() {
            return Err(QuoteRefusal::NotAtOnce);
        }
        Ok(())
    }
}

/// Whether a payment is completed at once, by one card.
pub fn may_convert(payment: &Payment) -> Result<(), QuoteRefusal> {
    let at_once = payment.capture_mode == CaptureMode::Automatic
        && !payment.terms.is_verification()
        && payment.authorizations().next().is_none();
    if at_once { Ok(()) } else { Err(QuoteRefusal::NotAtOnce) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::ids::QuoteId;

    use super::*;

    fn amount(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    fn conversion(own: i64, card: i64, currencies: (&str, &str)) -> Conversion {
        Conversion {
            agreed: CurrencyConversion {
                quote: QuoteId::from_bytes([1; 16]),
                amount: amount(own),
                currency: Currency::parse(currencies.0).unwrap(),
                rate: "1.112400".to_owned(),
                base_rate: "1.080000".to_owned(),
                markup_percent: "3.00".to_owned(),
                expires_at: Timestamp::from_millis(1000),
            },
            card_amount: amount(card),
            card_currency: Currency::parse(currencies.1).unwrap(),
        }
    }

    #[test]
    fn the_whole_is_the_whole_in_every_number_of_decimals() {
        // Decimals 2, 0, 3 and 4, each against 2.
        for (own, card, code) in
            [(10_000, 11_124, "EUR"), (10_000, 6_866, "JPY"), (10_000, 3_351, "KWD"), (1, 1, "CLF")]
        {
            let it = conversion(own, card, (code, "USD"));
            assert_eq!(it.on_card(amount(own)), amount(card), "{code}");
            assert_eq!(it.from_card(amount(card)), amount(own), "{code}");
            assert_eq!(it.on_card(MinorUnits::ZERO), MinorUnits::ZERO, "{code}");
        }
    }

    #[test]
    fn another_amount_stays_another_amount() {
        // Ten yen are seven cents: six and seven cents must not both be ten yen.
        let it = conversion(10, 7, ("JPY", "USD"));
        assert_eq!(it.from_card(amount(6)), amount(9));
        assert_eq!(it.from_card(amount(8)), amount(11));
        let fine = conversion(7, 10, ("JPY", "USD"));
        assert_eq!(fine.from_card(amount(9)), amount(6));
        assert_eq!(fine.from_card(amount(11)), amount(8));
    }

    #[test]
    fn a_refund_that_failed_does_not_shift_those_that_follow() {
        let it = conversion(10, 7, ("JPY", "USD"));
        let second = it.refund_of(amount(3), (amount(3), amount(2)));
        assert_eq!(second, amount(2));
        // The first has failed; the second still holds two cents.
        let rest = it.refund_of(amount(7), (amount(3), second));
        assert_eq!(rest, amount(5));
    }

    proptest! {
        #[test]
        fn refunds_add_up_to_exactly_what_was_paid(
            own in 1_i64..10_000_000, card in 1_i64..10_000_000,
            cuts in proptest::collection::vec((1_i64..100, any::<bool>()), 0..8),
        ) {
            let it = conversion(own, card, ("EUR", "USD"));
            let mut held: Vec<(i64, i64)> = Vec::new();
            let sums = |held: &[(i64, i64)]| {
                held.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
            };
            for (percent, fails) in cuts {
                let (own_sum, card_sum) = sums(&held);
                let part = ((own - own_sum) * percent / 100).max(1).min(own - own_sum);
                if part == 0 {
                    break;
                }
                let got = it.refund_of(amount(part), (amount(own_sum), amount(card_sum)));
                held.push((part, got.get()));
                prop_assert!(sums(&held).1 <= card, "{held:?}");
                if fails {
                    held.remove(0);
                }
            }
            let (own_sum, card_sum) = sums(&held);
            let rest = it.refund_of(amount(own - own_sum), (amount(own_sum), amount(card_sum)));
            prop_assert_eq!(card_sum + rest.get(), card);
        }

        #[test]
        fn parts_never_come_to_more_than_the_whole(
            own in 1_i64..10_000_000, card in 1_i64..10_000_000, part in 0_i64..10_000_000,
        ) {
            let it = conversion(own, card, ("EUR", "USD"));
            let part = part.min(own);
            let (one, other) = (it.on_card(amount(part)), it.on_card(amount(own - part)));
            prop_assert!(one.get() + other.get() <= card);
            prop_assert_eq!(it.from_card(amount(part)) == amount(own), amount(part) == amount(card));
        }
    }
}
