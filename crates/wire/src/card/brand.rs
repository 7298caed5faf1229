//! Card brands: prefixes, lengths and what is printed on the card.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A card brand. The longest matching prefix decides.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Brand {
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    Amex,
    /// Discover.
    Discover,
    /// Diners Club.
    Diners,
    /// JCB.
    Jcb,
    /// UnionPay.
    Unionpay,
    /// Maestro.
    Maestro,
    /// Mir.
    Mir,
    /// A shop's own card.
    Private,
}

/// The text names no brand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a card brand")]
pub struct BrandError;

/// Prefixes of the same number of digits, from `low` to `high`.
struct Prefixes {
    digits: usize,
    low: u32,
    high: u32,
    brand: Brand,
}

const fn range(digits: usize, low: u32, high: u32, brand: Brand) -> Prefixes {
    Prefixes { digits, low, high, brand }
}

const fn exact(digits: usize, prefix: u32, brand: Brand) -> Prefixes {
    range(digits, prefix, prefix, brand)
}

/// Longest prefixes first, so that the first match is the longest.
const PREFIXES: [Prefixes; 25] = [
    range(4, 2221, 2720, Brand::Mastercard),
    exact(4, 6011, Brand::Discover),
    range(4, 3528, 3589, Brand::Jcb),
    exact(4, 1800, Brand::Jcb),
    exact(4, 2131, Brand::Jcb),
    exact(4, 5018, Brand::Maestro),
    exact(4, 5020, Brand::Maestro),
    exact(4, 5038, Brand::Maestro),
    range(4, 2200, 2204, Brand::Mir),
    range(3, 644, 649, Brand::Discover),
    range(3, 300, 305, Brand::Diners),
    range(2, 51, 55, Brand::Mastercard),
    exact(2, 34, Brand::Amex),
    exact(2, 37, Brand::Amex),
    exact(2, 65, Brand::Discover),
    exact(2, 36, Brand::Diners),
    exact(2, 38, Brand::Diners),
    exact(2, 39, Brand::Diners),
    exact(2, 62, Brand::Unionpay),
    exact(2, 81, Brand::Unionpay),
    range(2, 56, 59, Brand::Maestro),
    exact(2, 63, Brand::Maestro),
    exact(2, 67, Brand::Maestro),
    exact(1, 4, Brand::Visa),
    exact(1, 9, Brand::Private),
];

impl Brand {
    /// Every brand.
    pub const ALL: [Self; 10] = [
        Self::Visa,
        Self::Mastercard,
        Self::Amex,
        Self::Discover,
        Self::Diners,
        Self::Jcb,
        Self::Unionpay,
        Self::Maestro,
        Self::Mir,
        Self::Private,
    ];

    /// The brand of a number of which at least these first digits are known.
    pub fn detect(prefix_digits: &str) -> Option<Self> {
        // The value of the first one, two, three and four digits.
        let mut values = [None; 5];
        let mut value = 0_u32;
        for (slot, byte) in values.iter_mut().skip(1).zip(prefix_digits.bytes()) {
            if !byte.is_ascii_digit() {
                break;
            }
            value = value.saturating_mul(10).saturating_add(u32::from(byte.wrapping_sub(b'0')));
            *slot = Some(value);
        }
        PREFIXES.iter().find_map(|prefixes| {
            let value = values.get(prefixes.digits).copied().flatten()?;
            (prefixes.low..=prefixes.high).contains(&value).then_some(prefixes.brand)
        })
    }

    /// The table of prefixes, longest first: number of digits, lowest, highest, brand.
    pub fn prefixes() -> impl Iterator<Item = (usize, u32, u32, Self)> {
        PREFIXES.iter().map(|it| (it.digits, it.low, it.high, it.brand))
    }

    /// The stable word: `visa`, `mastercard` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visa => "visa",
            Self::Mastercard => "mastercard",
            Self::Amex => "amex",
            Self::Discover => "discover",
            Self::Diners => "diners",
            Self::Jcb => "jcb",
            Self::Unionpay => "unionpay",
            Self::Maestro => "maestro",
            Self::Mir => "mir",
            Self::Private => "private",
        }
    }

    /// The name as people know it: `American Express`.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Visa => "Visa",
            Self::Mastercard => "Mastercard",
            Self::Amex => "American Express",
            Self::Discover => "Discover",
            Self::Diners => "Diners Club",
            Self::Jcb => "JCB",
            Self::Unionpay => "UnionPay",
            Self::Maestro => "Maestro",
            Self::Mir => "Mir",
            Self::Private => "Private label",
        }
    }

    /// The numbers of digits that its card numbers have.
    pub const fn lengths(self) -> &'static [usize] {
        match self {
            Self::Visa => &[13, 16, 18, 19],
            Self::Mastercard | Self::Private => &[16],
            Self::Amex => &[15],
            Self::Discover => &[16, 19],
            Self::Diners => &[14, 16, 19],
            Self::Jcb | Self::Mir => &[16, 17, 18, 19],
            Self::Unionpay => &[14, 15, 16, 17, 18, 19],
            Self::Maestro => &[12, 13, 14, 15, 16, 17, 18, 19],
        }
    }

    /// Digits of the security code on its cards. Some Maestro cards have none.
    pub const fn security_code_length(self) -> usize {
        if matches!(self, Self::Amex) { 4 } else { 3 }
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Brand {
    type Err = BrandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|brand| brand.as_str() == text).ok_or(BrandError)
    }
}
