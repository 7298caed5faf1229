//! `payrig cards`: the test cards and what each does, in words.

mod outcomes;

use serde::Serialize;
use wire::codes::ResponseCode;
use wire::test_cards::{TestCard, all};

use crate::cli::CardsFlags;
use crate::failure::{Failure, Outcome};
use crate::terminal::{columns, note, output_look, print};

/// A card as `--json` shows it. Test cards are public: the digits may be shown.
#[derive(Serialize)]
pub(crate) struct CardRow<'a> {
    pub(crate) alias: &'a str,
    pub(crate) number: &'a str,
    brand: &'a str,
    pub(crate) expiry: &'a str,
    pub(crate) security_code: &'a str,
    outcome: &'a str,
    pub(crate) response_code: Option<ResponseCode>,
    decline_code: Option<&'a str>,
    pub(crate) does: String,
    pub(crate) notes: &'a str,
}

impl<'a> CardRow<'a> {
    pub(crate) fn of(card: &'a TestCard) -> Self {
        Self {
            alias: &card.alias,
            number: card.number.digits(),
            brand: card.brand.as_str(),
            expiry: &card.expiry,
            security_code: &card.cvv,
            outcome: &card.outcome,
            response_code: card.response_code,
            decline_code: card.decline_code.as_ref().map(|code| code.as_str()),
            does: in_words(card),
            notes: &card.notes,
        }
    }

    /// Whether every word stands somewhere in the row.
    pub(crate) fn has(&self, words: &[String]) -> bool {
        let text = [self.alias, self.number, self.brand, self.outcome, &self.does, self.notes]
            .join(" ")
            .to_lowercase();
        words.iter().all(|word| {
            let word = word.to_lowercase();
            let digits: String = word.chars().filter(|letter| !letter.is_whitespace()).collect();
            text.contains(&word) || text.contains(&digits)
        })
    }
}

pub(super) fn run(flags: &CardsFlags) -> Outcome {
    let rows = all().iter().map(CardRow::of);
    let rows: Vec<CardRow<'_>> = rows.filter(|row| row.has(&flags.words)).collect();
    if flags.json {
        let text = serde_json::to_string_pretty(&rows);
        print(&text.map_err(|error| Failure::could_not_run(error.to_string()))?);
        return Ok(());
    }
    if rows.is_empty() {
        note("no test card matches these words; `payrig cards` lists all");
        return Ok(());
    }
    print(&table(&rows));
    Ok(())
}

fn table(rows: &[CardRow<'_>]) -> String {
    let head = ["card", "number", "expiry", "code", "what happens"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        let does = match row.notes {
            "" => row.does.clone(),
            notes => format!("{}: {notes}", row.does),
        };
        let or_any =
            |value: &str| if value.is_empty() { "any".to_owned() } else { value.to_owned() };
        vec![
            row.alias.to_owned(),
            grouped(row.number),
            or_any(row.expiry),
            or_any(row.security_code),
            does,
        ]
    }));
    let text = columns(&cells);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    format!("{}\n{rest}", output_look().strong(first))
}

/// As it is printed on a card: groups of four, American Express 4-6-5.
pub(crate) fn grouped(digits: &str) -> String {
    let ends: &[usize] = if digits.len() == 15 { &[4, 10] } else { &[4, 8, 12, 16] };
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if ends.contains(&index) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// What happens, for people: the outcome in words, and the code where it is no approval.
fn in_words(card: &TestCard) -> String {
    let words = outcomes::sentence(&card.outcome)
        .map_or_else(|| card.outcome.replace('_', " "), ToOwned::to_owned);
    let Some(code) = card.response_code.filter(|code| !code.approves()) else { return words };
    let meaning = code.info().map(|info| info.meaning.to_lowercase()).unwrap_or_default();
    format!("{words}, {} {meaning}", code.as_str()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(alias: &str) -> CardRow<'static> {
        CardRow::of(wire::test_cards::by_alias(alias).unwrap())
    }

    #[test]
    fn outcomes_are_told_in_words() {
        assert_eq!(row("visa.ok").does, "approved");
        insta::assert_snapshot!(row("visa.insufficient_funds").does, @"declined, 51 insufficient funds");
        insta::assert_snapshot!(row("visa.sca_required").does, @"declined until the payer has authenticated, 1A additional customer authentication required");
    }

    #[test]
    fn every_card_says_what_it_does() {
        for card in all() {
            assert!(
                outcomes::sentence(&card.outcome).is_some(),
                "{}: {}",
                card.alias,
                card.outcome
            );
        }
    }

    #[test]
    fn numbers_are_grouped_as_on_the_card() {
        assert_eq!(grouped("4242424242424242"), "4242 4242 4242 4242");
        assert_eq!(grouped("378282246310005"), "3782 822463 10005");
        assert_eq!(grouped("6200010000000000008"), "6200 0100 0000 0000 008");
    }

    #[test]
    fn words_narrow_the_list() {
        assert!(row("visa.insufficient_funds").has(&["insufficient".into(), "VISA".into()]));
        assert!(!row("visa.ok").has(&["insufficient".into()]));
        assert!(row("stripe.visa").has(&["4242 4242".into()]));
    }
}
