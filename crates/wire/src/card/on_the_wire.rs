//! The serde shapes that do carry digits, for messages to the processor only.
//!
//! Used as `#[serde(with = "wire::card::on_the_wire::card_number")]`. The `option_` variants need
//! `#[serde(default)]` as well.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

use super::{CardNumber, SecurityCode};

/// A card number as a string of digits.
pub mod card_number {
    use super::{CardNumber, Deserializer, Plain, Serializer};

    /// Writes the digits.
    pub fn serialize<S: Serializer>(number: &CardNumber, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(number.expose())
    }

    /// Reads and checks the digits; errors never repeat them.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CardNumber, D::Error> {
        deserializer.deserialize_any(Plain::new())
    }
}

/// The same as [`card_number`] for a field that may be absent.
pub mod option_card_number {
    use super::{CardNumber, Deserializer, Optional, Serializer};

    /// Writes the digits, or null.
    pub fn serialize<S: Serializer>(
        number: &Option<CardNumber>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => serializer.serialize_some(number.expose()),
            None => serializer.serialize_none(),
        }
    }

    /// Reads and checks the digits, or null; errors never repeat them.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<CardNumber>, D::Error> {
        deserializer.deserialize_option(Optional::new())
    }
}

/// A security code as a string of three or four digits.
pub mod security_code {
    use super::{Deserializer, Plain, SecurityCode, Serializer};

    /// Writes the digits.
    pub fn serialize<S: Serializer>(code: &SecurityCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(code.expose())
    }

    /// Reads three or four digits; errors never repeat them.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecurityCode, D::Error> {
        deserializer.deserialize_any(Plain::new())
    }
}

/// The same as [`security_code`] for a field that may be absent.
pub mod option_security_code {
    use super::{Deserializer, Optional, SecurityCode, Serializer};

    /// Writes the digits, or null.
    pub fn serialize<S: Serializer>(
        code: &Option<SecurityCode>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match code {
            Some(code) => serializer.serialize_some(code.expose()),
            None => serializer.serialize_none(),
        }
    }

    /// Reads three or four digits, or null; errors never repeat them.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SecurityCode>, D::Error> {
        deserializer.deserialize_option(Optional::new())
    }
}

/// A value that is read from a string of digits.
trait Digits: Sized {
    const EXPECTED: &'static str;

    fn read<E: de::Error>(text: &str) -> Result<Self, E>;
}

impl Digits for CardNumber {
    const EXPECTED: &'static str = "a card number as a string";

    fn read<E: de::Error>(text: &str) -> Result<Self, E> {
        Self::parse(text).map_err(E::custom)
    }
}

impl Digits for SecurityCode {
    const EXPECTED: &'static str = "a security code as a string";

    fn read<E: de::Error>(text: &str) -> Result<Self, E> {
        // The brand is not known here: the issuer compares the code with the card's own.
        if matches!(text.len(), 3 | 4) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(zeroize::Zeroizing::new(text.to_owned())))
        } else {
            Err(E::custom("a security code has three or four digits"))
        }
    }
}

/// Reads a string, and refuses a number without repeating it.
///
/// It has to be asked for any value: a reader that is asked for a string names what it found.
struct Plain<T>(PhantomData<T>);

impl<T> Plain<T> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Digits> Visitor<'_> for Plain<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<T, E> {
        Err(not_a_string::<T, E>())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<T, E> {
        Err(not_a_string::<T, E>())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<T, E> {
        Err(not_a_string::<T, E>())
    }

    fn visit_bytes<E: de::Error>(self, _: &[u8]) -> Result<T, E> {
        Err(not_a_string::<T, E>())
    }
}

fn not_a_string<T: Digits, E: de::Error>() -> E {
    E::custom(format_args!("expected {}", T::EXPECTED))
}

struct Optional<T>(PhantomData<T>);

impl<T> Optional<T> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Digits> Visitor<'de> for Optional<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} or null", T::EXPECTED)
    }

    fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(Plain::new()).map(Some)
    }
}
