//! Expiry dates: a month that a card lives through to its end.

use std::fmt;

use crate::time::Timestamp;

/// A month of expiry; the card is good until the end of it, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry {
    // The year first, so that the derived order is that of time.
    year: u16,
    month: u8,
}

/// Why a text is no expiry date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// Nothing was entered.
    #[error("the expiry date is empty")]
    Empty,
    /// Month or year is missing, or has too few digits.
    #[error("the expiry date needs month and year")]
    Incomplete,
    /// No such month, no such year, or something other than digits.
    #[error("the expiry date is not a month from 01 to 12 and a year")]
    Invalid,
}

impl Expiry {
    /// A month from 1 to 12 and a year from 2000 to 2099.
    pub const fn new(month: u8, year: u16) -> Result<Self, ExpiryError> {
        // Two digits of the year travel in a message (ISO 8583 field 14), so there is one century.
        if month >= 1 && month <= 12 && year >= 2000 && year <= 2099 {
            Ok(Self { year, month })
        } else {
            Err(ExpiryError::Invalid)
        }
    }

    /// Reads what people type: `12/30`, `1/30`, `1230`, `01/2030`, `01 / 2030`, `012030`.
    pub fn parse(text: &str) -> Result<Self, ExpiryError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ExpiryError::Empty);
        }
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let (month, year) = match text.split_once(['/', '-']) {
            Some((month, year)) => (month.trim_end(), year.trim_start()),
            // Without a slash the month needs both digits: `130` could be January or month 13.
            None if text.len() >= 4 => text.split_at_checked(2).ok_or(ExpiryError::Invalid)?,
            None if digits(text) => return Err(ExpiryError::Incomplete),
            None => return Err(ExpiryError::Invalid),
        };
        if !digits(month) || !digits(year) {
            return Err(ExpiryError::Invalid);
        }
        match (month.len(), year.len()) {
            (1 | 2, 2 | 4) => {}
            (0..=2, 0..=3) => return Err(ExpiryError::Incomplete),
            _ => return Err(ExpiryError::Invalid),
        }
        let month = month.parse().map_err(|_| ExpiryError::Invalid)?;
        let value: u16 = year.parse().map_err(|_| ExpiryError::Invalid)?;
        Self::new(month, if year.len() == 2 { value.saturating_add(2000) } else { value })
    }

    /// Reads the form of a message, `YYMM` (ISO 8583 field 14).
    pub fn from_yymm(text: &str) -> Result<Self, ExpiryError> {
        if text.len() != 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ExpiryError::Invalid);
        }
        let value: u16 = text.parse().map_err(|_| ExpiryError::Invalid)?;
        let month = u8::try_from(value % 100).map_err(|_| ExpiryError::Invalid)?;
        Self::new(month, (value / 100).saturating_add(2000))
    }

    /// The form of a message, `YYMM` (ISO 8583 field 14).
    pub fn yymm(self) -> String {
        format!("{:02}{:02}", self.year % 100, self.month)
    }

    /// The month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The year with four digits.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// Whether the month has ended, in UTC.
    pub fn is_past(self, now: Timestamp) -> bool {
        let today = now.utc();
        (i64::from(self.year), i64::from(self.month)) < (today.year, today.month)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}/{:02}", self.month, self.year % 100)
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Expiry({:02}/{})", self.month, self.year)
    }
}
