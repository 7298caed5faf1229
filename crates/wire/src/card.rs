//! Card numbers, security codes and expiry dates, which cannot be printed by accident.

mod brand;
mod expiry;
mod free_text;
pub mod on_the_wire;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use brand::{Brand, BrandError};
pub use expiry::{Expiry, ExpiryError};
pub use free_text::{contains_card_number, mask_card_numbers};

/// Fewest digits of a card number (short Maestro numbers, ISO/IEC 7812).
pub const DIGITS_MIN: usize = 12;
/// Most digits of a card number (ISO/IEC 7812).
pub const DIGITS_MAX: usize = 19;

/// A card number that passed every check of form; wiped from memory when dropped.
///
/// There is no `Display` and no `Serialize`, and `Debug` shows the masked form only.
#[derive(Clone, PartialEq, Eq)]
pub struct CardNumber {
    digits: Zeroizing<String>,
    brand: Brand,
}

/// Why a text is no card number. Never repeats a digit of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardNumberError {
    /// Nothing was entered.
    #[error("the card number is empty")]
    Empty,
    /// Fewer than [`DIGITS_MIN`] digits.
    #[error("the card number is too short")]
    TooShort,
    /// More than [`DIGITS_MAX`] digits.
    #[error("the card number is too long")]
    TooLong,
    /// Something else than digits, spaces and dashes.
    #[error("the card number holds something other than digits")]
    NotDigits,
    /// The check digit is wrong (ISO/IEC 7812-1, annex B).
    #[error("the check digit of the card number is wrong")]
    Luhn,
    /// No known brand has this prefix.
    #[error("the card number belongs to no known network")]
    UnknownBrand,
    /// The brand has no numbers of this length.
    #[error("the card number has the wrong length for its network")]
    LengthForBrand,
}

impl CardNumber {
    /// Reads digits, with spaces and dashes between them as people type and paste them.
    ///
    /// The length for a known brand is checked before the check digit, so that a number that is
    /// still being typed is called too short rather than wrong.
    pub fn parse(text: &str) -> Result<Self, CardNumberError> {
        // Filled to capacity at once: growing would leave copies of the digits behind.
        let mut digits = Zeroizing::new(String::with_capacity(DIGITS_MAX));
        let mut count = 0_usize;
        for character in text.trim().chars().filter(|&it| !free_text::is_separator(it)) {
            if !character.is_ascii_digit() {
                return Err(CardNumberError::NotDigits);
            }
            count = count.saturating_add(1);
            if count <= DIGITS_MAX {
                digits.push(character);
            }
        }
        match count {
            0 => return Err(CardNumberError::Empty),
            1..DIGITS_MIN => return Err(CardNumberError::TooShort),
            DIGITS_MIN..=DIGITS_MAX => {}
            _ => return Err(CardNumberError::TooLong),
        }
        let brand = Brand::detect(&digits);
        if brand.is_some_and(|brand| !brand.lengths().contains(&count)) {
            return Err(CardNumberError::LengthForBrand);
        }
        if !luhn_is_valid(&digits) {
            return Err(CardNumberError::Luhn);
        }
        let brand = brand.ok_or(CardNumberError::UnknownBrand)?;
        Ok(Self { digits, brand })
    }

    /// The digits: the only way to the number.
    pub fn expose(&self) -> &str {
        &self.digits
    }

    /// The brand by prefix.
    pub const fn brand(&self) -> Brand {
        self.brand
    }

    /// The first six and the last four digits, the one form that may be shown and stored.
    pub fn masked(&self) -> MaskedPan {
        MaskedPan::of_digits(&self.digits)
    }

    /// The first eight digits, by which messages are routed (ISO/IEC 7812-1:2017).
    pub fn bin8(&self) -> &str {
        self.digits.get(..8).unwrap_or_default()
    }

    /// The last four digits.
    pub fn last4(&self) -> &str {
        self.digits.len().checked_sub(4).and_then(|at| self.digits.get(at..)).unwrap_or_default()
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = self.masked();
        write!(formatter, "CardNumber({}…{})", masked.first6(), masked.last4())
    }
}

/// The first six and the last four digits of a card number (PCI DSS 3.4.1): `424242******4242`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaskedPan {
    first6: [u8; 6],
    last4: [u8; 4],
}

/// The text is not six digits, six stars and four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a masked card number: expected six digits, six stars and four digits")]
pub struct MaskedPanError;

const STARS: &str = "******";

impl MaskedPan {
    pub(crate) fn of_digits(digits: &str) -> Self {
        let bytes = digits.as_bytes();
        Self {
            first6: bytes.first_chunk().copied().unwrap_or([b'0'; 6]),
            last4: bytes.last_chunk().copied().unwrap_or([b'0'; 4]),
        }
    }

    /// The first six digits.
    pub fn first6(&self) -> &str {
        std::str::from_utf8(&self.first6).unwrap_or_default()
    }

    /// The last four digits.
    pub fn last4(&self) -> &str {
        std::str::from_utf8(&self.last4).unwrap_or_default()
    }

    /// The brand by prefix, as far as six digits tell it.
    pub fn brand(&self) -> Option<Brand> {
        Brand::detect(self.first6())
    }
}

impl fmt::Display for MaskedPan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.first6())?;
        formatter.write_str(STARS)?;
        formatter.write_str(self.last4())
    }
}

impl fmt::Debug for MaskedPan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for MaskedPan {
    type Err = MaskedPanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first6, rest) = text.as_bytes().split_first_chunk::<6>().ok_or(MaskedPanError)?;
        let (stars, last4) = rest.split_last_chunk::<4>().ok_or(MaskedPanError)?;
        let digits = first6.iter().chain(last4).all(u8::is_ascii_digit);
        if digits && stars == STARS.as_bytes() {
            Ok(Self { first6: *first6, last4: *last4 })
        } else {
            Err(MaskedPanError)
        }
    }
}

impl Serialize for MaskedPan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MaskedPan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The card verification value (CVV2, CVC2, CID): three digits, four on Amex. Never stored.
#[derive(Clone)]
pub struct SecurityCode(Zeroizing<String>);

/// Why a text is no security code. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecurityCodeError {
    /// Nothing was entered.
    #[error("the security code is empty")]
    Empty,
    /// The wrong number of digits for the brand.
    #[error("the security code has {expected} digits")]
    Incomplete {
        /// Digits on cards of this brand.
        expected: usize,
    },
    /// Something else than digits.
    #[error("the security code holds something other than digits")]
    NotDigits,
}

impl SecurityCode {
    /// Reads as many digits as the brand prints on its cards.
    pub fn parse(text: &str, brand: Brand) -> Result<Self, SecurityCodeError> {
        let text = text.trim();
        let expected = brand.security_code_length();
        if text.is_empty() {
            Err(SecurityCodeError::Empty)
        } else if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            Err(SecurityCodeError::NotDigits)
        } else if text.len() == expected {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(SecurityCodeError::Incomplete { expected })
        }
    }

    /// The digits: the only way to the code.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// In constant time: a guess must not learn how far it was right.
impl PartialEq for SecurityCode {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecurityCode {}

impl fmt::Debug for SecurityCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecurityCode(***)")
    }
}

/// Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B).
///
/// False for an empty text and for anything but ASCII digits.
pub fn luhn_is_valid(digits: &str) -> bool {
    luhn_of_bytes(digits.bytes().rev())
}

/// The check of [`luhn_is_valid`] over the bytes of a number, last digit first.
fn luhn_of_bytes(reversed: impl Iterator<Item = u8>) -> bool {
    // What a digit counts when it stands at an even place: twice its value, digits summed.
    const DOUBLED: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let (mut sum, mut double, mut empty) = (0_u32, false, true);
    for byte in reversed {
        let digit = byte.wrapping_sub(b'0');
        let Some(&twice) = DOUBLED.get(usize::from(digit)) else { return false };
        sum = sum.wrapping_add(if double { twice } else { u32::from(digit) });
        double = !double;
        empty = false;
    }
    !empty && sum % 10 == 0
}

#[cfg(test)]
mod tests;
