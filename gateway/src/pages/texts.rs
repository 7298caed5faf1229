//! Texts of the payment page: one file per language, read once, keyed by message code.

use std::sync::LazyLock;

use serde::Deserialize;
use wire::codes::Family;

use super::shown::minutes_of;

/// English, the language of last resort.
static ENGLISH: LazyLock<Texts> = LazyLock::new(|| read(FILES[0]));

const FILES: [&str; 1] = [include_str!("../../../templates/gateway/texts/en.toml")];

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
        reference, refunded,
    }
}
section! {
    /// The card form.
    FormTexts {
        label, number, expiry, expiry_placeholder, cvv, cvv_back, cvv_front, name, postal_code,
        pay_amount, contacting, cancel, problem, card_ending, attempt_declined,
        part_approved, part_rest,
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
    &ENGLISH
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
