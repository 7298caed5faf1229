//! The test cards that stand beside the card form, each with what it does.

use wire::card::Brand;
use wire::test_cards::{self, TestCard};
use wire::time::Timestamp;

use super::shown::grouped;
use super::texts::Texts;

/// A card that fills the form when it is pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// Its stable name.
    pub alias: &'static str,
    /// The number as it is shown and filled in.
    pub number: String,
    /// A date that the card accepts.
    pub expiry: String,
    /// A code that the card accepts.
    pub code: &'static str,
    /// Its network.
    pub network: &'static str,
    /// What happens.
    pub outcome: String,
}

/// The cards that most people need: alias and key of the text.
const USUAL: [(&str, &str); 10] = [
    ("stripe.visa", "approved"),
    ("stripe.mastercard", "approved"),
    ("stripe.amex", "approved"),
    ("stripe.generic_decline", "declined"),
    ("stripe.insufficient_funds", "insufficient_funds"),
    ("stripe.lost_card", "lost_card"),
    ("stripe.expired_card", "expired_card"),
    ("stripe.incorrect_cvc", "incorrect_cvc"),
    ("stripe.processing_error", "processing_error"),
    ("slow.lost_approve", "lost_approve"),
];

/// Cards for less common outcomes and networks.
const FURTHER: [(&str, &str); 10] = [
    ("slow.just_in_time", "slow_approve"),
    ("visa.issuer_down", "issuer_unavailable"),
    ("visa.not_active", "call_bank"),
    ("verif.partial60", "partial_approval"),
    ("post.capture_rejected", "capture_rejected"),
    ("post.refund_declined", "refund_declined"),
    ("stripe.discover", "approved"),
    ("stripe.jcb", "approved"),
    ("unionpay.ok19", "approved"),
    ("maestro.ok12", "approved"),
];

/// The usual cards.
pub fn usual(texts: &Texts, now: Timestamp) -> Vec<Chip> {
    chips(&USUAL, texts, now)
}

/// The further cards.
pub fn further(texts: &Texts, now: Timestamp) -> Vec<Chip> {
    chips(&FURTHER, texts, now)
}

/// The card of an alias, if it is a well-formed one.
pub fn chip(alias: &str, now: Timestamp) -> Option<Chip> {
    let card = test_cards::by_alias(alias)?;
    card.number.card()?;
    Some(filled(card, card.outcome.clone(), now))
}

fn chips(cards: &[(&str, &str)], texts: &Texts, now: Timestamp) -> Vec<Chip> {
    let found = cards.iter().filter_map(|&(alias, key)| {
        let outcome = texts.cards.find(key).unwrap_or(key);
        Some(filled(test_cards::by_alias(alias)?, outcome.to_owned(), now))
    });
    found.collect()
}

fn filled(card: &'static TestCard, outcome: String, now: Timestamp) -> Chip {
    let year = now.utc().year.saturating_add(3) % 100;
    Chip {
        alias: &card.alias,
        number: grouped(card.number.digits(), card.brand),
        expiry: match card.expiry.as_str() {
            "any" => format!("12 / {year:02}"),
            fixed => fixed.replace('/', " / "),
        },
        code: match (card.cvv.as_str(), card.brand) {
            ("any", Brand::Amex) => "1234",
            ("any", _) => "123",
            (fixed, _) => fixed,
        },
        network: card.brand.display_name(),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::texts::english;

    #[test]
    fn every_card_on_the_page_exists_and_says_what_it_does() {
        let now = Timestamp::from_seconds(1_795_341_600);
        let all = [usual(english(), now), further(english(), now)].concat();
        assert_eq!(all.len(), USUAL.len() + FURTHER.len());
        for (chip, (_, key)) in all.iter().zip(USUAL.iter().chain(&FURTHER)) {
            assert!(english().cards.find(key).is_some(), "{key}");
            assert_eq!(chip.expiry, "12 / 29", "{}", chip.alias);
        }
    }

    #[test]
    fn a_card_is_found_by_its_alias_only() {
        let now = Timestamp::from_seconds(1_795_341_600);
        assert_eq!(chip("stripe.amex", now).unwrap().number, "3782 822463 10005");
        assert_eq!(chip("stripe.incorrect_number", now), None);
        assert_eq!(chip("4242424242424242", now), None);
    }
}
