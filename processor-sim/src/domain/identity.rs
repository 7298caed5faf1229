//! What names a message: the same identity is the same message, however often it is sent.

use wire::time::Timestamp;

/// Key of an (acquirer, terminal) pair in the directory of terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalKey(pub i64);

/// System trace audit number: six digits, unique per terminal and day (ISO 8583 field 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stan(u32);

/// The text is not six digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trace number has six digits")]
pub struct StanError;

impl Stan {
    /// Reads exactly six digits.
    pub fn parse(text: &str) -> Result<Self, StanError> {
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().map(Self).map_err(|_| StanError)
        } else {
            Err(StanError)
        }
    }

    /// From a stored number below one million.
    pub fn from_number(number: i64) -> Result<Self, StanError> {
        match u32::try_from(number) {
            Ok(number) if number < 1_000_000 => Ok(Self(number)),
            Ok(_) | Err(_) => Err(StanError),
        }
    }

    /// The plain number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl std::fmt::Display for Stan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:06}", self.0)
    }
}

/// Names one message of a class (ISO 8583: second digit of the type). Constant over repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// When its sender first sent it (field 7).
    pub transmission_at: Timestamp,
    /// The terminal and its acquirer (fields 41 and 32).
    pub terminal: TerminalKey,
    /// The trace number (field 11).
    pub stan: Stan,
}

/// Keyed digest over the business fields of a message (2, 3, 4, 18, 41, 42, 49, 56, 95).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusinessDigest(pub [u8; 16]);

/// Keyed digest of a card number: tells cards apart where the number must not stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CardDigest(pub [u8; 16]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_number_has_exactly_six_digits() {
        assert_eq!(Stan::parse("004217").unwrap().to_string(), "004217");
        for text in ["", "4217", "0042170", "00421x", "+04217", "٠٠٤٢١٧"] {
            assert_eq!(Stan::parse(text), Err(StanError), "{text}");
        }
        assert_eq!(Stan::from_number(1_000_000), Err(StanError));
        assert_eq!(Stan::from_number(-1), Err(StanError));
    }
}
