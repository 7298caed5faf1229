//! Money: integer minor units with an ISO 4217 currency; checked arithmetic, never a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An ISO 4217 currency that has minor units (its exponent is 0, 2, 3 or 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

/// Why a text is no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a currency of ISO 4217: expected three capital letters such as EUR, USD, JPY or KWD")]
pub struct CurrencyError;

impl Currency {
    /// Reads exactly three capital letters.
    pub fn parse(code: &str) -> Result<Self, CurrencyError> {
        let currency = iso_currency::Currency::from_code(code).ok_or(CurrencyError)?;
        // Metals, test and accounting codes (XAU, XTS, XXX …) have no minor unit.
        currency.exponent().ok_or(CurrencyError)?;
        Ok(Self(currency))
    }

    /// The alphabetic code, for example `EUR`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Number of decimal places of the minor unit (0, 2, 3 or 4).
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(2))
    }

    /// A symbol for display, for example `€`; the code where there is none in common use.
    pub fn symbol(self) -> String {
        match self.code() {
            "EUR" => "€".into(),
            "USD" => "$".into(),
            "GBP" => "£".into(),
            "JPY" => "¥".into(),
            code => format!("{code} "),
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;
    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::parse(code)
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&code).map_err(de::Error::custom)
    }
}

/// A non-negative number of minor units, at most twelve digits (ISO 8583 field 4).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct MinorUnits(i64);

/// Why a number is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Below zero.
    #[error("an amount cannot be negative")]
    Negative,
    /// Zero where more is needed.
    #[error("an amount must be more than zero")]
    Zero,
    /// More than twelve digits.
    #[error("an amount has at most 12 digits")]
    TooLarge,
}

impl MinorUnits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: twelve digits.
    pub const MAX: Self = Self(999_999_999_999);

    /// Zero or more.
    pub const fn new(value: i64) -> Result<Self, AmountError> {
        if value < 0 {
            Err(AmountError::Negative)
        } else if value > Self::MAX.0 {
            Err(AmountError::TooLarge)
        } else {
            Ok(Self(value))
        }
    }

    /// More than zero.
    pub const fn positive(value: i64) -> Result<Self, AmountError> {
        if value == 0 { Err(AmountError::Zero) } else { Self::new(value) }
    }

    /// The plain number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Sum, or `None` above twelve digits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) if sum <= Self::MAX.0 => Some(Self(sum)),
            Some(_) | None => None,
        }
    }

    /// Difference, or `None` below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) if rest >= 0 => Some(Self(rest)),
            Some(_) | None => None,
        }
    }

    /// Product with a count, or `None` above twelve digits.
    pub const fn checked_times(self, count: i64) -> Option<Self> {
        match self.0.checked_mul(count) {
            Some(product) if product >= 0 && product <= Self::MAX.0 => Some(Self(product)),
            Some(_) | None => None,
        }
    }

    /// `self × numerator ÷ denominator`, half up, or `None` out of range.
    pub fn checked_share(self, numerator: i64, denominator: i64) -> Option<Self> {
        let product = i128::from(self.0).checked_mul(i128::from(numerator))?;
        let half = i128::from(denominator).checked_div(2)?;
        let rounded = product.checked_add(half)?.checked_div(i128::from(denominator))?;
        Self::new(i64::try_from(rounded).ok()?).ok()
    }
}

impl TryFrom<i64> for MinorUnits {
    type Error = AmountError;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<MinorUnits> for i64 {
    fn from(amount: MinorUnits) -> Self {
        amount.0
    }
}

impl fmt::Display for MinorUnits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// An amount with its currency: `{"value": 4999, "currency": "EUR"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units.
    pub value: MinorUnits,
    /// ISO 4217 currency.
    pub currency: Currency,
}

/// Why a decimal text is no amount of a currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form 12.34.
    #[error("not an amount: expected digits and at most one point, such as 12.34")]
    Malformed,
    /// More decimals than the currency has. Never rounded.
    #[error("too many decimals: {currency} has {exponent}")]
    TooManyDecimals {
        /// The currency.
        currency: Currency,
        /// Its decimals.
        exponent: u32,
    },
    /// Out of range.
    #[error(transparent)]
    Range(#[from] AmountError),
}

impl Money {
    /// An amount with its currency.
    pub const fn new(value: MinorUnits, currency: Currency) -> Self {
        Self { value, currency }
    }

    /// Reads a decimal as people write it in a form; too many decimals are refused, not rounded.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Self, DecimalError> {
        let text = text.trim();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) || text.ends_with('.')
        {
            return Err(DecimalError::Malformed);
        }
        let exponent = currency.exponent();
        let width = usize::try_from(exponent).unwrap_or(0);
        if fraction.len() > width {
            return Err(DecimalError::TooManyDecimals { currency, exponent });
        }
        let all = format!("{whole}{fraction:0<width$}");
        let value: i64 = all.parse().map_err(|_| DecimalError::Range(AmountError::TooLarge))?;
        Ok(Self { value: MinorUnits::new(value)?, currency })
    }

    /// Decimal digits without symbol or grouping, for forms and reports: `49.99`, `1000`, `1.234`.
    pub fn decimal(&self) -> String {
        let exponent = self.currency.exponent();
        if exponent == 0 {
            return self.value.get().to_string();
        }
        let scale = 10_i64.pow(exponent);
        let width = usize::try_from(exponent).unwrap_or(0);
        format!("{}.{:0width$}", self.value.get() / scale, self.value.get() % scale)
    }
}

/// As people read it in English: `€49.99`, `¥1,000`, `KWD 1.234`.
impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = self.decimal();
        let (whole, fraction) = match decimal.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (decimal.as_str(), None),
        };
        formatter.write_str(&self.currency.symbol())?;
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index) % 3 == 0 {
                formatter.write_str(",")?;
            }
            write!(formatter, "{digit}")?;
        }
        match fraction {
            Some(fraction) => write!(formatter, ".{fraction}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(value: i64, code: &str) -> Money {
        Money::new(MinorUnits::new(value).unwrap(), Currency::parse(code).unwrap())
    }

    #[test]
    fn exponents_are_those_of_iso_4217() {
        let of = |codes: &str, exponent: u32| {
            for code in codes.split(' ') {
                assert_eq!(Currency::parse(code).unwrap().exponent(), exponent, "{code}");
            }
        };
        of("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0);
        of("BHD IQD JOD KWD LYD OMR TND", 3);
        of("CLF UYW", 4);
        of("EUR USD GBP COP HUF IDR PKR CNY MRU MGA", 2);
    }

    #[test]
    fn a_text_that_is_no_currency_is_refused() {
        for code in ["", "eur", "EU", "EURO", "ZZZ", "XXX", "XAU", "XTS"] {
            assert_eq!(Currency::parse(code), Err(CurrencyError), "{code}");
        }
    }

    #[test]
    fn money_reads_as_people_write_it() {
        assert_eq!(money(4999, "EUR").to_string(), "€49.99");
        assert_eq!(money(1000, "JPY").to_string(), "¥1,000");
        assert_eq!(money(1234, "KWD").to_string(), "KWD 1.234");
        assert_eq!(money(123_456_789, "USD").to_string(), "$1,234,567.89");
        assert_eq!(money(5, "USD").decimal(), "0.05");
    }

    #[test]
    fn decimals_are_refused_rather_than_rounded() {
        let parse = |text: &str, code: &str| {
            Money::parse_decimal(text, Currency::parse(code).unwrap()).map(|it| it.value.get())
        };
        assert_eq!(parse("12.3", "EUR"), Ok(1230));
        assert_eq!(parse("1000", "JPY"), Ok(1000));
        assert_eq!(parse("1.234", "KWD"), Ok(1234));
        assert!(matches!(parse("10.5", "JPY"), Err(DecimalError::TooManyDecimals { .. })));
        assert!(matches!(parse("1.2345", "KWD"), Err(DecimalError::TooManyDecimals { .. })));
        for text in ["", ".", "1.", "-1", "+1", "1e3", "1,5", "١"] {
            assert_eq!(parse(text, "EUR"), Err(DecimalError::Malformed), "{text}");
        }
        assert!(matches!(parse("99999999999999", "EUR"), Err(DecimalError::Range(_))));
    }

    #[test]
    fn json_money_refuses_floats_negatives_and_overflow() {
        let parse = |text: &str| serde_json::from_str::<Money>(text);
        assert_eq!(parse(r#"{"value":4999,"currency":"EUR"}"#).unwrap(), money(4999, "EUR"));
        for text in [
            r#"{"value":49.99,"currency":"EUR"}"#,
            r#"{"value":"4999","currency":"EUR"}"#,
            r#"{"value":-1,"currency":"EUR"}"#,
            r#"{"value":1000000000000,"currency":"EUR"}"#,
            r#"{"value":1e3,"currency":"EUR"}"#,
            r#"{"value":1,"value":2,"currency":"EUR"}"#,
            r#"{"value":1,"currency":"EUR","exponent":2}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_decimal_round_trips(value in 0_i64..=999_999_999_999, index in 0_usize..4) {
            let currency = Currency::parse(["EUR", "JPY", "KWD", "CLF"][index]).unwrap();
            let amount = Money::new(MinorUnits::new(value).unwrap(), currency);
            proptest::prop_assert_eq!(Money::parse_decimal(&amount.decimal(), currency), Ok(amount));
        }
    }
}
