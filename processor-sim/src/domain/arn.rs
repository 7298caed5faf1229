//! Acquirer reference numbers: 23 digits that name one presentment for ever.

use wire::time::Timestamp;

/// The acquirer's number in every reference.
const ACQUIRER_BIN: &str = "412345";

/// `7`, acquirer, last digit of the year and day of the year, sequence, check digit.
pub fn number(presented: Timestamp, sequence: i64) -> String {
    let at = presented.utc();
    let (year, day) = (at.year.rem_euclid(10), at.day_of_year());
    let digits = format!("7{ACQUIRER_BIN}{year}{day:03}{sequence:011}");
    let check = check_digit(&digits);
    format!("{digits}{check}")
}

/// Whether a text is a reference with a right check digit.
pub fn is_valid(text: &str) -> bool {
    match text.split_at_checked(22) {
        Some((digits, check)) if check.len() == 1 && is_number(digits) => {
            check == check_digit(digits).to_string()
        }
        Some(_) | None => false,
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with('7') && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// Luhn: every second digit from the right counts double.
fn check_digit(digits: &str) -> u32 {
    let values = digits.chars().rev().filter_map(|digit| digit.to_digit(10));
    let sum: u32 = values
        .enumerate()
        .map(|(place, value)| match (place % 2 == 0, value) {
            (true, 5..) => value * 2 - 9,
            (true, _) => value * 2,
            (false, _) => value,
        })
        .sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_23_digits_and_a_check_digit() {
        let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let one = number(at, 4217);
        assert_eq!(one.len(), 23);
        assert!(one.starts_with("7412345632600000004217"), "{one}");
        assert!(is_valid(&one));
        for place in 0..23 {
            let mut broken: Vec<u8> = one.clone().into_bytes();
            broken[place] = if broken[place] == b'9' { b'0' } else { broken[place] + 1 };
            assert!(!is_valid(std::str::from_utf8(&broken).unwrap()), "{place}");
        }
        assert!(!is_valid("7"));
    }
}
