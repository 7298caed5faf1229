//! The identity of a message: made and stored before the message leaves.

use std::fmt::Write;

use wire::time::Timestamp;

/// Trace numbers of one terminal and day: 000001 to 999999.
pub const STANS_PER_DAY: u32 = 999_999;

/// Which message of which terminal (ISO 8583 fields 7, 11, 37 and 41).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Terminals are counted from 0; the first is the one of the merchant's settings.
    pub terminal: u16,
    /// Systems trace audit number, 1 to 999,999; unique per terminal and day.
    pub stan: u32,
    /// When the message was made; constant over repeats.
    pub transmission_at: Timestamp,
}

impl Identity {
    /// Field 11, six digits.
    pub fn stan_text(&self) -> String {
        format!("{:06}", self.stan)
    }

    /// Field 37: last digit of the year, day of the year, hour (UTC) and trace number.
    pub fn rrn_text(&self) -> String {
        let at = self.transmission_at.utc();
        let mut text = String::with_capacity(12);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{}{:03}{:02}{:06}",
            at.year.rem_euclid(10),
            at.day_of_year(),
            at.hour,
            self.stan
        );
        text
    }

    /// Field 41: the merchant's terminal, its trailing digits counted on by `terminal`.
    pub fn terminal_text(&self, first: &str) -> String {
        let digits = first.bytes().rev().take_while(u8::is_ascii_digit).count();
        let Some((name, number)) = first.split_at_checked(first.len().saturating_sub(digits))
        else {
            return first.to_owned();
        };
        match number.parse::<u32>() {
            Ok(number) => {
                let number = number.saturating_add(u32::from(self.terminal));
                format!("{name}{number:0digits$}")
            }
            Err(_) => first.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retrieval_reference_number_is_year_day_hour_and_trace_number() {
        let identity = Identity {
            terminal: 0,
            stan: 4217,
            transmission_at: "2026-11-22T04:57:30Z".parse().unwrap(),
        };
        assert_eq!(identity.stan_text(), "004217");
        assert_eq!(identity.rrn_text(), "632604004217");
    }

    #[test]
    fn further_terminals_count_on_from_the_first() {
        let at = Timestamp::from_millis(0);
        let name = |terminal, first: &str| {
            Identity { terminal, stan: 1, transmission_at: at }.terminal_text(first)
        };
        assert_eq!(name(0, "ECOM0001"), "ECOM0001");
        assert_eq!(name(1, "ECOM0001"), "ECOM0002");
        assert_eq!(name(999, "ECOM0001"), "ECOM1000");
        assert_eq!(name(3, "TERMINAL"), "TERMINAL");
    }
}
