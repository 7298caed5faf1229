//! The issued test cards, and the guard that lets no other card in.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use crate::card::{Brand, CardNumber, MaskedPan};
use crate::codes::{DeclineCode, ResponseCode, optional_field};

/// The ranges that the sandbox issues cards in: the first eight digits, and the brand.
pub const SANDBOX_BINS: [(&str, Brand); 10] = [
    ("40000100", Brand::Visa),
    ("52000100", Brand::Mastercard),
    ("37000100", Brand::Amex),
    ("60110100", Brand::Discover),
    ("36000100", Brand::Diners),
    ("35280100", Brand::Jcb),
    ("62000100", Brand::Unionpay),
    ("67000100", Brand::Maestro),
    ("22000100", Brand::Mir),
    ("90000100", Brand::Private),
];

/// A test card: a number and what happens when somebody pays with it.
#[derive(Debug)]
pub struct TestCard {
    /// The stable name, for example `visa.insufficient_funds`.
    pub alias: String,
    /// The number; one of them has a wrong check digit on purpose.
    pub number: TestCardNumber,
    /// The brand.
    pub brand: Brand,
    /// `any` for this month or later.
    pub expiry: String,
    /// `any` for any code of the right length, or the one code that matches.
    pub cvv: String,
    /// What happens, as a stable word.
    pub outcome: String,
    /// The response code at the point where the outcome bites.
    pub response_code: Option<ResponseCode>,
    /// The decline code at the point where the outcome bites.
    pub decline_code: Option<DeclineCode>,
    /// When it bites, and what else is worth knowing.
    pub notes: String,
}

/// The digits of a test card, which need not be a well-formed number. `Debug` masks them.
#[derive(Clone, PartialEq, Eq)]
pub struct TestCardNumber {
    digits: String,
    card: Option<CardNumber>,
}

impl TestCardNumber {
    fn new(digits: &str) -> Self {
        Self { digits: digits.to_owned(), card: CardNumber::parse(digits).ok() }
    }

    /// The digits, to be shown on a chip that fills the card form. Test cards are public.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The card number, unless its check digit is wrong.
    pub const fn card(&self) -> Option<&CardNumber> {
        self.card.as_ref()
    }

    /// The first six and the last four digits.
    pub fn masked(&self) -> MaskedPan {
        MaskedPan::of_digits(&self.digits)
    }
}

impl fmt::Debug for TestCardNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = self.masked();
        write!(formatter, "TestCardNumber({}…{})", masked.first6(), masked.last4())
    }
}

/// Every test card, in the order in which they are documented.
pub fn all() -> &'static [TestCard] {
    &CARDS.all
}

/// The test card of this alias.
pub fn by_alias(alias: &str) -> Option<&'static TestCard> {
    CARDS.by_alias.get(alias).and_then(|&index| CARDS.all.get(index))
}

/// The test card of this number.
pub fn by_number(number: &CardNumber) -> Option<&'static TestCard> {
    CARDS.by_digits.get(number.expose()).and_then(|&index| CARDS.all.get(index))
}

/// The guard against real cards: a number of a sandbox range, or exactly a famous test number.
pub fn is_accepted(number: &CardNumber) -> bool {
    SANDBOX_BINS.iter().any(|(bin, _)| *bin == number.bin8())
        || by_number(number).is_some_and(TestCard::is_famous)
}

impl TestCard {
    /// Whether this is a well-known number of another vendor, outside our own ranges.
    pub fn is_famous(&self) -> bool {
        self.alias.starts_with("stripe.") || self.alias.starts_with("classic.")
    }
}

struct Cards {
    all: Vec<TestCard>,
    by_alias: HashMap<String, usize>,
    by_digits: HashMap<String, usize>,
}

const TABLE: &str = include_str!("../data/test_cards.csv");

static CARDS: LazyLock<Cards> = LazyLock::new(|| {
    let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
    let all: Vec<TestCard> = reader.records().filter_map(|record| row(&record.ok()?)).collect();
    let index = |key: fn(&TestCard) -> &str| {
        all.iter().enumerate().map(|(index, card)| (key(card).to_owned(), index)).collect()
    };
    let by_alias = index(|card| &card.alias);
    let by_digits = index(|card| card.number.digits());
    Cards { all, by_alias, by_digits }
});

fn row(record: &csv::StringRecord) -> Option<TestCard> {
    let mut fields = record.iter();
    let mut next = || fields.next();
    Some(TestCard {
        alias: next()?.to_owned(),
        number: TestCardNumber::new(next()?),
        brand: next()?.parse().ok()?,
        expiry: next()?.to_owned(),
        cvv: next()?.to_owned(),
        outcome: next()?.to_owned(),
        response_code: optional_field(next()?, |text| ResponseCode::parse(text).ok())?,
        decline_code: optional_field(next()?, DeclineCode::parse)?,
        notes: next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{CardNumberError, luhn_is_valid};

    #[test]
    fn every_row_of_the_table_is_read() {
        assert_eq!(all().len(), TABLE.lines().count() - 1);
        assert!(all().len() > 200);
        assert_eq!(CARDS.by_alias.len(), all().len());
        assert_eq!(CARDS.by_digits.len(), all().len());
    }

    #[test]
    fn every_number_is_well_formed_except_the_one_that_is_wrong_on_purpose() {
        for card in all() {
            let digits = card.number.digits();
            if card.alias == "stripe.incorrect_number" {
                assert_eq!(CardNumber::parse(digits), Err(CardNumberError::Luhn));
                assert!(card.number.card().is_none());
                continue;
            }
            assert!(luhn_is_valid(digits), "{}", card.alias);
            assert_eq!(Brand::detect(digits), Some(card.brand), "{}", card.alias);
            assert!(card.brand.lengths().contains(&digits.len()), "{}", card.alias);
            let number = card.number.card().unwrap();
            assert_eq!(number.brand(), card.brand);
            assert_eq!(by_number(number).unwrap().alias, card.alias);
            assert_eq!(by_alias(&card.alias).unwrap().number, card.number);
        }
    }

    #[test]
    fn every_test_card_passes_the_guard_and_only_famous_ones_lie_outside_our_ranges() {
        for card in all() {
            let Some(number) = card.number.card() else { continue };
            assert!(is_accepted(number), "{}", card.alias);
            let bin = SANDBOX_BINS.iter().find(|(bin, _)| *bin == number.bin8());
            assert_eq!(bin.is_none(), card.is_famous(), "{}", card.alias);
            assert!(bin.is_none_or(|(_, brand)| *brand == card.brand));
        }
    }

    #[test]
    fn a_number_that_was_not_issued_is_refused() {
        // Valid numbers next to famous ones, in ranges of real issuers.
        for digits in
            ["4242424242424259", "5555555555554477", "4111111111111129", "378282246310013"]
        {
            let number = CardNumber::parse(digits).unwrap();
            assert!(!is_accepted(&number), "{digits}");
            assert!(by_number(&number).is_none());
        }
    }

    #[test]
    fn an_unissued_number_inside_our_ranges_passes_the_guard_but_is_no_test_card() {
        let number = CardNumber::parse("4000 0100 9999 9998").unwrap();
        assert!(is_accepted(&number));
        assert!(by_number(&number).is_none());
    }

    #[test]
    fn security_codes_and_expiries_of_the_table_have_a_known_form() {
        for card in all() {
            assert_eq!(card.expiry, "any", "{}", card.alias);
            let length = card.brand.security_code_length();
            assert!(card.cvv == "any" || card.cvv.len() == length, "{}", card.alias);
            assert!(!card.outcome.is_empty());
        }
    }

    #[test]
    fn declines_name_a_decline_code() {
        for card in all().iter().filter(|card| card.outcome == "decline") {
            assert!(card.response_code.is_some_and(|code| !code.approves()), "{}", card.alias);
            assert!(card.decline_code.is_some(), "{}", card.alias);
        }
    }

    #[test]
    fn debug_output_never_holds_a_whole_number() {
        for card in all() {
            assert!(!format!("{card:?}").contains(card.number.digits()), "{}", card.alias);
        }
    }
}
