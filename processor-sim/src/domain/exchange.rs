//! What a cardholder is billed when the account is kept in another currency.

use wire::money::Currency;

/// Millionths of a unit for one euro.
const RATES: [(&str, i64); 10] = [
    ("EUR", 1_000_000),
    ("USD", 1_080_000),
    ("GBP", 850_000),
    ("CHF", 940_000),
    ("JPY", 162_000_000),
    ("KWD", 332_000),
    ("BHD", 407_000),
    ("SEK", 11_300_000),
    ("PLN", 4_300_000),
    ("CLF", 27_000),
];

/// How far the rate of the clearing day lies above that of the authorization, in thousandths.
pub const DRIFT_PERMILLE: i64 = 10;

const MILLION: i128 = 1_000_000;

/// A rate from one currency to another, in millionths; `None` when a currency is not quoted.
pub fn rate(from: Currency, to: Currency) -> Option<i64> {
    let quoted = |currency: Currency| {
        RATES.iter().find(|(code, _)| *code == currency.code()).map(|(_, rate)| *rate)
    };
    let (from, to) = (quoted(from)?, quoted(to)?);
    i64::try_from((i128::from(to) * MILLION).checked_div(i128::from(from))?).ok()
}

/// The rate of the clearing day, drifted from that of the authorization.
pub const fn drifted(rate: i64) -> i64 {
    rate.saturating_add(rate.saturating_mul(DRIFT_PERMILLE).saturating_add(500) / 1000)
}

/// Minor units of one currency in minor units of another, rounded half up.
pub fn convert(amount: i64, from: Currency, to: Currency, rate: i64) -> i64 {
    let scale = |currency: Currency| 10_i128.pow(currency.exponent());
    let numerator = i128::from(amount) * i128::from(rate) * scale(to);
    let denominator = MILLION * scale(from);
    i64::try_from((numerator + denominator / 2).div_euclid(denominator)).unwrap_or(i64::MAX)
}

/// A rate as decimals, as field 10 carries it.
pub fn decimal(rate: i64) -> String {
    format!("{}.{:06}", rate / 1_000_000, rate % 1_000_000)
}

/// The currency in which a card of the catalogue with an account abroad is billed.
pub fn billing_currency(paid_in: Currency) -> Option<Currency> {
    let code = if paid_in.code() == "USD" { "EUR" } else { "USD" };
    Currency::parse(code).ok().filter(|billed| rate(paid_in, *billed).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn amounts_are_converted_between_exponents() {
        let (euro, dollar, yen, dinar) =
            (currency("EUR"), currency("USD"), currency("JPY"), currency("KWD"));
        let to = |amount, from, to| convert(amount, from, to, rate(from, to).unwrap());
        assert_eq!(to(10_000, euro, dollar), 10_800);
        assert_eq!(to(100, euro, yen), 162);
        assert_eq!(to(100, euro, dinar), 332);
        assert_eq!(to(162, yen, euro), 100);
        assert_eq!(rate(euro, currency("XPF")), None);
    }

    #[test]
    fn the_clearing_rate_lies_one_percent_above() {
        let (euro, dollar) = (currency("EUR"), currency("USD"));
        let rate = drifted(rate(euro, dollar).unwrap());
        assert_eq!(decimal(rate), "1.090800");
        assert_eq!(convert(10_000, euro, dollar, rate), 10_908);
        assert_eq!(billing_currency(dollar), Some(euro));
        assert_eq!(billing_currency(currency("JPY")), Some(dollar));
    }
}
