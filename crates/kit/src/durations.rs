//! Durations as people write them: `31s`, `250ms`, `1h30m`, `2d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// The text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration such as 250ms, 31s, 5m, 1h30m or 2d")]
pub struct DurationError;

/// Longest duration that is read: about a hundred years.
const SECONDS_MAX: u64 = 100 * 366 * 24 * 60 * 60;

/// Reads whole numbers with the units `ms s m h d`, largest first or not, without spaces.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return Err(DurationError);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits).ok_or(DurationError)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at_checked(letters).ok_or(DurationError)?;
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(DurationError),
        };
        let number: u64 = number.parse().map_err(|_| DurationError)?;
        let part = Duration::from_millis(number.checked_mul(millis).ok_or(DurationError)?);
        sum = sum.checked_add(part).ok_or(DurationError)?;
        rest = after;
    }
    if sum.as_secs() > SECONDS_MAX { Err(DurationError) } else { Ok(sum) }
}

/// Writes a duration so that [`parse`] reads it again; below a millisecond is cut off.
pub fn text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        let count = rest / millis;
        rest %= millis;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    if rest > 0 || text.is_empty() {
        text.push_str(&rest.to_string());
        text.push_str("ms");
    }
    text
}

/// For `#[serde(with = "kit::durations")]`.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*duration))
}

/// For `#[serde(with = "kit::durations")]`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    parse(&text).map_err(|error| de::Error::custom(format!("`{text}` is {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text_form, millis) in [
            ("31s", 31_000),
            ("250ms", 250),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("0ms", 0),
            ("1d2h3m4s5ms", 93_784_005),
        ] {
            assert_eq!(parse(text_form), Ok(Duration::from_millis(millis)));
            assert_eq!(text(Duration::from_millis(millis)), text_form);
        }
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "+5s",
            "1.5s",
            "5S",
            "5w",
            "99999999999999999999s",
            "36601d",
        ] {
            assert_eq!(parse(wrong), Err(DurationError), "{wrong}");
        }
    }
}
