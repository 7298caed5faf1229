//! Conversion at the till: what a cardholder is offered, and what of the money is the merchant's.

use std::time::Duration;

use wire::money::Currency;

use super::exchange;

/// What is added to the rate, in millionths of it.
pub const MARKUP: i64 = 30_000;
/// How long an offer can be taken.
pub const VALID_FOR: Duration = Duration::from_mins(10);
/// How much longer an offer that was taken may be on its way: its holder may have to be asked.
pub const HONOURED_FOR: Duration = Duration::from_hours(1);

const MILLION: i128 = 1_000_000;

/// An offer to pay in the currency of the card. Rates in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What the cardholder pays for one unit of the merchant's currency.
    pub rate: i64,
    /// The same without the markup.
    pub base_rate: i64,
    /// What the cardholder pays, minor units of the card's currency.
    pub amount: i64,
}

/// What a cardholder is offered. None where a currency is not quoted, or nothing would be left of
/// the amount.
pub fn offer(amount: i64, own: Currency, card: Currency) -> Option<Offer> {
    let base_rate = exchange::rate(own, card).filter(|rate| *rate > 0)?;
    let markup = (i128::from(base_rate) * i128::from(MARKUP) + MILLION / 2).div_euclid(MILLION);
    let rate = base_rate.checked_add(i64::try_from(markup).ok()?)?;
    let amount = exchange::convert(amount, own, card, rate);
    (amount > 0).then_some(Offer { rate, base_rate, amount })
}

/// Millionths as decimal percent.
pub fn percent(markup: i64) -> String {
    format!("{}.{:02}", markup / 10_000, markup % 10_000 / 100)
}

/// What an amount of the card's currency is worth in the merchant's without the markup, rounded
/// half up; negative for money back.
pub fn value(amount: i64, card: Currency, own: Currency, base_rate: i64) -> i64 {
    let scale = |currency: Currency| 10_i128.pow(currency.exponent());
    rounded(i128::from(amount) * MILLION * scale(own), i128::from(base_rate.max(1)) * scale(card))
}

/// The merchant's part of `amount`, where the whole in the card's currency stands for `own`.
pub fn own_part(own: i64, whole: i64, amount: i64) -> i64 {
    if amount == whole {
        return own;
    }
    rounded(i128::from(own) * i128::from(amount), i128::from(whole.max(1)))
}

/// A quotient rounded half up, away from zero for negative ones: a refund mirrors its sale.
fn rounded(numerator: i128, denominator: i128) -> i64 {
    let half = (numerator.abs() + denominator / 2).div_euclid(denominator);
    i64::try_from(half * numerator.signum()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn the_markup_is_part_of_the_rate() {
        let offer = offer(10_000, currency("EUR"), currency("USD")).unwrap();
        assert_eq!(offer, Offer { rate: 1_112_400, base_rate: 1_080_000, amount: 11_124 });
        assert_eq!(percent(MARKUP), "3.00");
        assert_eq!(percent(12_345), "1.23");
    }

    #[test]
    fn amounts_keep_the_decimals_of_both_currencies() {
        let offered = |amount, own, card| {
            offer(amount, currency(own), currency(card)).map(|offer| offer.amount)
        };
        assert_eq!(offered(10_000, "JPY", "USD"), Some(6_866));
        assert_eq!(offered(10_000, "KWD", "USD"), Some(3_351));
        assert_eq!(offered(10_000, "CLF", "USD"), Some(4_120));
        assert_eq!(offered(10_000, "USD", "EUR"), Some(9_537));
        assert_eq!(offered(10_000, "XPF", "USD"), None);
        // Half a cent and more is a cent; less is nothing, and nothing is not offered.
        assert_eq!(offered(1, "JPY", "USD"), Some(1));
        assert_eq!(offered(1, "CLF", "USD"), None);
    }

    #[test]
    fn what_is_above_the_merchants_amount_is_the_markup() {
        let (euro, dollar) = (currency("EUR"), currency("USD"));
        assert_eq!(value(11_124, dollar, euro, 1_080_000), 10_300);
        assert_eq!(value(-11_124, dollar, euro, 1_080_000), -10_300);
        assert_eq!(own_part(10_000, 11_124, 11_124), 10_000);
        assert_eq!(own_part(10_000, 11_124, 5_562), 5_000);
    }

    proptest! {
        #[test]
        fn the_card_pays_at_least_what_the_merchant_gets(
            amount in 100_i64..1_000_000_000,
            own in proptest::sample::select(vec!["EUR", "GBP", "JPY", "KWD", "BHD", "CLF", "SEK"]),
        ) {
            let (own, dollar) = (currency(own), currency("USD"));
            let offer = offer(amount, own, dollar).unwrap();
            let worth = value(offer.amount, dollar, own, offer.base_rate);
            // Half a cent of rounding may be more than the markup of a small amount.
            let cent = value(1, dollar, own, offer.base_rate);
            prop_assert!(worth >= amount - cent, "{worth} of {amount}");
            prop_assert_eq!(value(-offer.amount, dollar, own, offer.base_rate), -worth);
        }
    }
}
