//! Card numbers in free text: found so that they can be refused or masked before they are kept.

use std::borrow::Cow;
use std::ops::Range;

use super::{DIGITS_MAX, luhn_of_bytes};

/// Fewest digits that are taken for a card number: amounts and references have up to twelve.
const FOUND_DIGITS_MIN: usize = 13;
/// Most separating characters between two groups of one number, as in `4242 - 4242`.
const SEPARATORS_MAX: usize = 3;

/// Whether people write this character between the groups of a card number.
pub(super) const fn is_separator(character: char) -> bool {
    matches!(
        character,
        ' ' | '-' | '\t' | '\u{a0}' | '\u{202f}' | '\u{2007}' | '\u{2010}'..='\u{2015}'
    )
}

/// Whether a text holds a run of 13 to 19 digits with a valid check digit.
///
/// Spaces and dashes may stand between the digits. Numbers that begin with 0, and numbers that
/// begin with 1 unless they have 15 digits (JCB, UATP), are no card numbers; times are.
pub fn contains_card_number(text: &str) -> bool {
    Runs::new(text).next().is_some()
}

/// The text with every run that [`contains_card_number`] finds cut to `first6…last4`.
pub fn mask_card_numbers(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut copied = 0;
    for run in Runs::new(text) {
        let (Some(before), Some(number)) = (text.get(copied..run.start), text.get(run.clone()))
        else {
            continue;
        };
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        masked.push_str(before);
        masked.push_str(digits.get(..6).unwrap_or_default());
        masked.push('…');
        masked.push_str(digits.get(digits.len().saturating_sub(4)..).unwrap_or_default());
        copied = run.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

/// The byte ranges of card numbers in a text, from left to right, none overlapping.
struct Runs<'t> {
    text: &'t str,
    from: usize,
}

impl<'t> Runs<'t> {
    const fn new(text: &'t str) -> Self {
        Self { text, from: 0 }
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let rest = self.text.get(self.from..)?;
            let start = self.from + rest.bytes().position(|byte| byte.is_ascii_digit())?;
            let group = digits_ahead(self.text, start);
            if let Some(length) = card_number_ahead(self.text, start) {
                self.from = start + length;
                return Some(start..self.from);
            }
            // A number begins where a group of digits begins: any other start would find a
            // "card number" in most long references.
            self.from = start + group;
        }
    }
}

/// How many digits stand at `start` without a gap.
fn digits_ahead(text: &str, start: usize) -> usize {
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The length in bytes of the longest card number that begins at `start` and ends with a group.
fn card_number_ahead(text: &str, start: usize) -> Option<usize> {
    let mut digits = [0_u8; DIGITS_MAX];
    let (mut count, mut position, mut found) = (0_usize, start, None);
    loop {
        let length = digits_ahead(text, position);
        let group = text.as_bytes().get(position..position + length)?;
        let Some(slots) = digits.get_mut(count..count + length) else { return found };
        slots.copy_from_slice(group);
        count += length;
        position += length;
        if digits.get(..count).is_some_and(is_card_number) {
            found = Some(position - start);
        }
        match gap_ahead(text, position) {
            Some(gap) => position += gap,
            None => return found,
        }
    }
}

/// The length in bytes of the separators at `position`, if a digit follows them.
fn gap_ahead(text: &str, position: usize) -> Option<usize> {
    let rest = text.get(position..)?;
    let mut length = 0;
    for (index, character) in rest.chars().enumerate() {
        if character.is_ascii_digit() {
            return (index > 0).then_some(length);
        }
        if !is_separator(character) || index == SEPARATORS_MAX {
            return None;
        }
        length += character.len_utf8();
    }
    None
}

fn is_card_number(digits: &[u8]) -> bool {
    let plausible = match digits.first() {
        None | Some(b'0') => false,
        // Milliseconds, microseconds and nanoseconds since 1970 begin with 1.
        Some(b'1') => digits.len() == 15,
        Some(_) => digits.len() >= FOUND_DIGITS_MIN,
    };
    plausible && luhn_of_bytes(digits.iter().rev().copied())
}
