//! How values are shown to people: texts without tricks, times, cards.

use wire::money::{Currency, MinorUnits, Money};
use wire::time::Timestamp;

/// Most characters of a merchant's name or a description on a page.
pub const SHOWN_CHARACTERS_MAX: usize = 120;

/// A text of somebody else, fit for a page: capped, on one line, and without characters that
/// are invisible or turn the direction of writing (Unicode TR 36, "bidirectional spoofing").
pub fn shown(text: &str, characters_max: usize) -> String {
    let visible = text.chars().filter(|&it| !is_deceptive(it));
    let mut line = String::with_capacity(text.len());
    let mut count = 0_usize;
    for character in visible {
        let character = if character.is_whitespace() { ' ' } else { character };
        if character == ' ' && (line.is_empty() || line.ends_with(' ')) {
            continue;
        }
        if count == characters_max {
            line.truncate(line.trim_end().len());
            line.push('…');
            return line;
        }
        line.push(character);
        count = count.saturating_add(1);
    }
    line.truncate(line.trim_end().len());
    line
}

const fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}'
        | '\u{86}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}'
    )
}

/// `22 Nov 2026, 10:00:05 UTC`
pub fn instant(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let fields = at.utc();
    let index = usize::try_from(fields.month.saturating_sub(1)).unwrap_or(0);
    let month = MONTHS.get(index).copied().unwrap_or_default();
    let (day, year, hour, minute, second) =
        (fields.day, fields.year, fields.hour, fields.minute, fields.second);
    format!("{day} {month} {year}, {hour:02}:{minute:02}:{second:02} UTC")
}

/// Minor units as people read them, with their sign.
pub fn signed(amount: i64, currency: Currency) -> String {
    let value = MinorUnits::new(amount.saturating_abs()).unwrap_or(MinorUnits::MAX);
    let sign = if amount < 0 { "−" } else { "" };
    format!("{sign}{}", Money::new(value, currency))
}

/// Whole minutes left, rounded up, at least one.
pub const fn minutes_of(seconds: u64) -> u64 {
    let minutes = seconds.div_ceil(60);
    if minutes == 0 { 1 } else { minutes }
}

/// Digits in the groups in which they stand on the card.
pub fn grouped(digits: &str, brand: wire::card::Brand) -> String {
    let amex = matches!(brand, wire::card::Brand::Amex);
    let mut shown = String::with_capacity(digits.len().saturating_add(5));
    for (index, digit) in digits.chars().enumerate() {
        let begins_group = if amex { index == 4 || index == 10 } else { index % 4 == 0 };
        if begins_group && index > 0 {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::card::Brand;

    #[test]
    fn a_foreign_text_loses_what_deceives_and_keeps_the_rest() {
        assert_eq!(shown("  Tea\u{202e}\u{0}  &\n\tThings\u{200b} ", 40), "Tea & Things");
        assert_eq!(shown("店 Ünïcode <svg onload=x>", 40), "店 Ünïcode <svg onload=x>");
        assert_eq!(shown("abcdef", 6), "abcdef");
        assert_eq!(shown("abc defg", 4), "abc…");
        assert_eq!(shown("\u{2066}\u{2069}", 4), "");
    }

    #[test]
    fn card_numbers_are_grouped_as_on_the_card() {
        assert_eq!(grouped("4242424242424242", Brand::Visa), "4242 4242 4242 4242");
        assert_eq!(grouped("378282246310005", Brand::Amex), "3782 822463 10005");
        assert_eq!(grouped("6200010000000000008", Brand::Unionpay), "6200 0100 0000 0000 008");
    }

    #[test]
    fn amounts_show_sign_and_decimals() {
        let of = |amount, code| signed(amount, Currency::parse(code).unwrap());
        assert_eq!(of(-1, "EUR"), "−€0.01");
        assert_eq!(of(123_456, "EUR"), "€1,234.56");
        assert_eq!(of(-1000, "JPY"), "−¥1,000");
        assert_eq!(of(0, "EUR"), "€0.00");
        assert!(of(i64::MIN, "EUR").starts_with('−'));
    }

    #[test]
    fn instants_are_written_for_people() {
        assert_eq!(instant(Timestamp::from_seconds(1_795_341_605)), "22 Nov 2026, 10:00:05 UTC");
        assert_eq!([minutes_of(0), minutes_of(60), minutes_of(61)], [1, 1, 2]);
    }
}
