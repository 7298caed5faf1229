//! Texts of the payment page: one file per language, read once, keyed by message code.

use std::sync::LazyLock;

use serde::Deserialize;
use wire::codes::Family;
use wire::money::Money;

use super::shown::minutes_of;

/// All languages; the first is the one of last resort.
static ALL: LazyLock<[Texts; 4]> = LazyLock::new(|| FILES.map(read));

const FILES: [&str; 4] = [
    include_str!("../../../templates/gateway/texts/en.toml"),
    include_str!("../../../templates/gateway/texts/zh.toml"),
    include_str!("../../../templates/gateway/texts/es.toml"),
    include_str!("../../../templates/gateway/texts/de.toml"),
];

/// The languages that a payer can choose: code, BCP 47 tag, own name.
pub const LANGUAGES: [(&str, &str, &str); 4] = [
    ("en", "en", "English"),
    ("zh", "zh-Hans", "简体中文"),
    ("es", "es", "Español"),
    ("de", "de", "Deutsch"),
];

fn read(file: &str) -> Texts {
    // The files are part of the binary and each is read by a test.
    toml::from_str(file).unwrap_or_default()
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($key:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(#[allow(missing_docs, reason = "the key is the message code")] pub $key: String,)*
        }

        impl $name {
            /// The text of a message code.
            pub fn find(&self, code: &str) -> Option<&str> {
                match code {
                    $(stringify!($key) => Some(self.$key.as_str()),)*
                    _ => None,
                }
            }
        }
    };
}

/// All texts of one language.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The language, BCP 47.
    pub language: String,
    /// The frame of the page and the order summary.
    pub page: PageTexts,
    /// The card form.
    pub form: FormTexts,
    /// How long the page lives.
    pub session: SessionTexts,
    /// The test cards beside the form.
    pub cards: CardTexts,
    /// Field errors, by code.
    pub errors: ErrorTexts,
    /// Declines, by family.
    pub families: FamilyTexts,
    /// Outcome pages.
    pub outcomes: OutcomeTexts,
    /// The steps that lead through the payer's bank.
    pub bank: BankTexts,
}

section! {
    /// The frame of the page and the order summary.
    PageTexts {
        skip, title, banner, badge_hint, footer, pay_to, your_order, order, amount, card, when,
        reference, language, refunded,
    }
}
section! {
    /// The card form.
    FormTexts {
        label, number, expiry, expiry_placeholder, cvv, cvv_back, cvv_front, name, postal_code,
        pay_amount, contacting, cancel, problem, card_ending, attempt_declined, slow_down, slow_down_more,
        part_approved, part_rest, confirm_card, save_card, save_card_recurring,
    }
}
section! {
    /// How long the page lives.
    SessionTexts { valid_for, valid_for_one, warning, extend, extended }
}
section! {
    /// The test cards beside the form.
    CardTexts {
        heading, hint, more, approved, declined, insufficient_funds, lost_card, expired_card,
        incorrect_cvc, processing_error, lost_approve, slow_approve, issuer_unavailable,
        call_bank, capture_rejected, refund_declined, partial_approval,
    }
}
section! {
    /// Field errors, by code.
    ErrorTexts {
        number_empty, number_incomplete, number_invalid, network_unsupported, real_card,
        expiry_empty, expiry_incomplete, expiry_invalid, expiry_past, cvv_empty, cvv_incomplete,
        cvv_invalid, name_empty, name_looks_like_number, name_invalid, postal_code_invalid,
        consent_missing,
    }
}
section! {
    /// Declines, by family.
    FamilyTexts {
        generic, funds, check_details, authenticate, contact_bank, try_later, our_side, unknown,
    }
}
section! {
    /// The steps that lead through the payer's bank.
    BankTexts { go_on, go_on_more, frame }
}
section! {
    /// Outcome pages.
    OutcomeTexts {
        paid, paid_more, already_paid, already_paid_more, processing, processing_more, unknown,
        unknown_more, completing, completing_more, declined, canceled, canceled_unpaid, canceled_released,
        expired_title, expired, expired_hold, failed, failed_attempts, failed_reversing, verified,
        verified_more, refused_title, refused, forged, return_to_shop, returning,
    }
}

impl FamilyTexts {
    /// What the payer reads when a payment was declined.
    pub fn of(&self, family: Family) -> &str {
        self.find(family.as_str()).unwrap_or(family.payer_message())
    }
}

impl SessionTexts {
    /// How long the page still lives, in words.
    pub fn valid(&self, seconds: u64) -> String {
        match minutes_of(seconds) {
            1 => self.valid_for_one.clone(),
            minutes => fill(&self.valid_for, &[("minutes", &minutes.to_string())]),
        }
    }
}

/// The English texts.
pub fn english() -> &'static Texts {
    let [english, ..] = &*ALL;
    english
}

/// The texts of a language, by its code or a longer tag: `de`, `de-CH`.
pub fn texts_of(tag: &str) -> Option<&'static Texts> {
    let code = tag.split(['-', '_']).next().unwrap_or_default();
    let place = LANGUAGES.iter().position(|(known, ..)| known.eq_ignore_ascii_case(code))?;
    ALL.get(place)
}

/// The best texts for an `Accept-Language` header (RFC 9110 section 12.5.4).
pub fn accepted(header: &str) -> Option<&'static Texts> {
    let mut best: Option<(u32, &'static Texts)> = None;
    for part in header.split(',').take(ACCEPTED_MAX) {
        let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(1000, weight);
        let Some(texts) = texts_of(tag.trim()).filter(|_| weight > 0) else { continue };
        if best.is_none_or(|(known, _)| weight > known) {
            best = Some((weight, texts));
        }
    }
    best.map(|(_, texts)| texts)
}

/// Languages of a header that are looked at.
const ACCEPTED_MAX: usize = 32;

/// `0.8` as 800; what is no weight counts nothing.
fn weight(text: &str) -> u32 {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = format!("{whole}{fraction:0<3}");
    if fraction.len() > 3 || whole.len() != 1 {
        return 0;
    }
    digits.parse().ok().filter(|weight| *weight <= 1000).unwrap_or(0)
}

impl Texts {
    /// An amount as it is written in this language: `€1,234.50`, `1.234,50 €`.
    pub fn money(&self, money: Money) -> String {
        let (group, decimal) = match self.language.as_str() {
            // Spanish groups from five digits on.
            "de" | "es" => (".", ","),
            _ => return money.to_string(),
        };
        let text = money.decimal();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let ungrouped = self.language == "es" && whole.len() < 5;
        let mut shown = String::with_capacity(24);
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) && !ungrouped {
                shown.push_str(group);
            }
            shown.push(digit);
        }
        if !fraction.is_empty() {
            shown.push_str(decimal);
            shown.push_str(fraction);
        }
        shown.push('\u{a0}');
        shown.push_str(money.currency.symbol().trim());
        shown
    }
}

/// A text with its `{placeholders}` replaced.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        filled.push_str(before);
        // Values are inserted once and never scanned for placeholders of their own.
        filled.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_file_is_complete() {
        for file in FILES {
            let texts: Texts = toml::from_str(file).unwrap();
            assert!(!texts.language.is_empty());
        }
    }

    #[test]
    fn every_language_uses_the_same_keys_and_placeholders() {
        let shape = |file: &str| -> Vec<(String, Vec<String>)> {
            let table: toml::Table = file.parse().unwrap();
            let sections = table.iter().filter_map(|(name, it)| Some((name, it.as_table()?)));
            sections
                .flat_map(|(name, keys)| {
                    keys.iter().map(move |(key, text)| {
                        let text = text.as_str().unwrap();
                        let mut found: Vec<String> = text
                            .split('{')
                            .skip(1)
                            .map(|it| it[..it.find('}').unwrap()].into())
                            .collect();
                        found.sort();
                        (format!("{name}.{key}"), found)
                    })
                })
                .collect()
        };
        for file in FILES {
            assert_eq!(shape(file), shape(FILES[0]));
        }
    }

    #[test]
    fn the_language_is_what_the_browser_likes_best_of_what_there_is() {
        let chosen = |header: &str| accepted(header).map(|texts| texts.language.as_str());
        assert_eq!(chosen("de-CH,de;q=0.9,en;q=0.8"), Some("de"));
        assert_eq!(chosen("fr,zh-CN;q=0.8,en;q=0.3"), Some("zh-Hans"));
        assert_eq!(chosen("fr, es;q=0.2, en;q=0.4"), Some("en"));
        assert_eq!(chosen("fr, de;q=0"), None);
        assert_eq!(chosen("de;q=banana, es;q=0.1"), Some("es"));
        assert_eq!(texts_of("ES").map(|texts| texts.language.as_str()), Some("es"));
    }

    #[test]
    fn amounts_are_written_as_the_language_writes_them() {
        let money = |value, code: &str| {
            let currency = wire::money::Currency::parse(code).unwrap();
            Money::new(wire::money::MinorUnits::new(value).unwrap(), currency)
        };
        let shown = |tag: &str, money| texts_of(tag).unwrap().money(money).replace('\u{a0}', " ");
        assert_eq!(shown("en", money(123_450, "EUR")), "€1,234.50");
        assert_eq!(shown("zh", money(1000, "JPY")), "¥1,000");
        assert_eq!(shown("de", money(123_450, "EUR")), "1.234,50 €");
        assert_eq!(shown("de", money(1000, "JPY")), "1.000 ¥");
        assert_eq!(shown("es", money(123_450, "EUR")), "1234,50 €");
        assert_eq!(shown("es", money(12_345_600, "EUR")), "123.456,00 €");
        assert_eq!(shown("de", money(1234, "KWD")), "1,234 KWD");
    }

    #[test]
    fn the_api_and_the_page_tell_the_payer_the_same() {
        for family in Family::ALL {
            assert_eq!(english().families.find(family.as_str()), Some(family.payer_message()));
        }
    }

    #[test]
    fn placeholders_are_filled_once() {
        assert_eq!(
            fill("Pay {amount} to {merchant}", &[("amount", "€1"), ("merchant", "{amount}")]),
            "Pay €1 to {amount}"
        );
        assert_eq!(fill("no end {", &[]), "no end {");
        assert_eq!(fill("{unknown}!", &[]), "!");
    }
}
