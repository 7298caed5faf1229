//! The card form as it comes in, and the check of every field.

use wire::card::{Brand, CardNumber, contains_card_number};
use wire::gateway_api::CreateToken;
use wire::test_cards;
use wire::time::Timestamp;
use zeroize::Zeroizing;

use crate::domain::terms::SavingTerms;
use crate::operations::hosted_page::EnteredCard;
use crate::operations::tokens::{self, CheckedCard, FieldError};
use crate::pages::card_page::{FieldProblem, Values};

/// Digits of a number that may be shown again although the number is not complete.
const SHOWN_DIGITS_MAX: usize = wire::card::DIGITS_MIN - 1;

/// What the payer sent. Card data is wiped when this is dropped.
#[derive(Default)]
pub struct CardForm {
    /// Proof that the form came from our page.
    pub csrf: String,
    /// The key of this very form.
    pub key: String,
    number: Zeroizing<String>,
    expiry: String,
    code: Zeroizing<String>,
    name: String,
    postal_code: String,
    /// The payer agrees that the card is saved.
    pub save: bool,
}

impl CardForm {
    /// The fields of a decoded form; unknown ones are ignored, browser extensions add some.
    pub fn read<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            let value = value.to_owned();
            match name {
                "csrf" => form.csrf = value,
                "key" => form.key = value,
                "cc-number" => form.number = Zeroizing::new(value),
                "cc-exp" => form.expiry = value,
                "cc-csc" => form.code = Zeroizing::new(value),
                "cc-name" => form.name = value,
                "postal-code" => form.postal_code = value,
                "save-card" => form.save = value == "yes",
                _ => {}
            }
        }
        form
    }

    /// Every field checked, as the page does it while the payer types.
    pub fn check(&self, now: Timestamp) -> Result<EnteredCard, Vec<FieldProblem>> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        let request = CreateToken {
            number: self.number.to_string(),
            expiry: self.expiry.clone(),
            security_code: Some(self.code.to_string()),
            name: given(&self.name),
            postal_code: given(&self.postal_code),
            payment: None,
            client_secret: None,
        };
        let checked = tokens::check(&request, now);
        drop(Zeroizing::new(request.number));
        drop(request.security_code.map(Zeroizing::new));
        match checked {
            Ok(CheckedCard { data, code: Some(code) }) => Ok(EnteredCard { data, code }),
            Ok(CheckedCard { code: None, .. }) => Err(vec![problem("cc-csc", "cvv_empty")]),
            Err(errors) => Err(errors.iter().map(|error| self.shown(error)).collect()),
        }
    }

    /// A payment that cannot do without a saved card needs the payer's consent.
    pub fn check_consent(
        &self,
        terms: Option<&SavingTerms>,
        checked: Result<EnteredCard, Vec<FieldProblem>>,
    ) -> Result<EnteredCard, Vec<FieldProblem>> {
        if self.save || !terms.is_some_and(|terms| terms.required) {
            return checked;
        }
        let mut problems = checked.err().unwrap_or_default();
        problems.push(problem("save-card", "consent_missing"));
        Err(problems)
    }

    /// A refused field in the words of the page.
    fn shown(&self, error: &FieldError) -> FieldProblem {
        let field = match error.field {
            "expiry" => "cc-exp",
            "security_code" => "cc-csc",
            "name" => "cc-name",
            "postal_code" => "postal-code",
            _ => "cc-number",
        };
        match error.code {
            "not_a_test_card" | "network_unsupported" => problem(field, "real_card"),
            "card_number_not_allowed_here" => problem(field, "postal_code_invalid"),
            "cvv_incomplete" => {
                let brand = tokens::detected(&self.number).unwrap_or(Brand::Visa);
                let digits = brand.security_code_length().to_string();
                FieldProblem { value: Some(("n", digits)), ..problem(field, "cvv_incomplete") }
            }
            code => problem(field, code),
        }
    }

    /// What may stand in the fields again: never the code, never a number that may be real.
    pub fn kept(&self) -> Values {
        let shown = match CardNumber::parse(&self.number) {
            Ok(number) => test_cards::is_accepted(&number),
            Err(_) => digits_of(&self.number).len() <= SHOWN_DIGITS_MAX,
        };
        let holds_card = |text: &str| contains_card_number(text);
        let unless_card = |text: &str| if holds_card(text) { String::new() } else { text.into() };
        Values {
            number: if shown { self.number.to_string() } else { String::new() },
            expiry: unless_card(&self.expiry),
            code: String::new(),
            name: unless_card(&self.name),
            postal_code: unless_card(&self.postal_code),
            save: self.save,
            amex: shown && tokens::detected(&self.number) == Some(Brand::Amex),
        }
    }
}

const fn problem(field: &'static str, code: &'static str) -> FieldProblem {
    FieldProblem { field, code, value: None }
}

fn digits_of(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.chars().filter(char::is_ascii_digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(number: &str, expiry: &str, code: &str, name: &str, postal_code: &str) -> CardForm {
        let pairs = [
            ("cc-number", number),
            ("cc-exp", expiry),
            ("cc-csc", code),
            ("cc-name", name),
            ("postal-code", postal_code),
            ("added-by-an-extension", "1"),
        ];
        CardForm::read(pairs)
    }

    fn codes(form: &CardForm) -> Vec<&'static str> {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        form.check(now).map_or_else(|it| it.iter().map(|it| it.code).collect(), |_| vec![])
    }

    const GOOD: &str = "4242 4242 4242 4242";

    #[test]
    fn a_test_card_passes_however_it_is_written() {
        for expiry in ["12 / 29", "12/29", "1229", "12/2029", "1/30"] {
            assert_eq!(codes(&form(GOOD, expiry, "123", "", "")), [""; 0], "{expiry}");
        }
        assert_eq!(
            codes(&form("4242-4242-4242-4242", "11/26", "000", "Ada E.", "W1A 1AA")),
            [""; 0]
        );
        assert_eq!(codes(&form("378282246310005", "12/29", "1234", "", "")), [""; 0]);
    }

    #[test]
    fn each_wrong_field_has_its_own_code() {
        let number = |text| codes(&form(text, "12/29", "123", "", ""));
        assert_eq!(number(" "), ["number_empty"]);
        assert_eq!(number("4242 4242"), ["number_incomplete"]);
        assert_eq!(number("4242 4242 4242 42"), ["number_incomplete"]);
        assert_eq!(number("4242 4242 4242 4241"), ["number_invalid"]);
        assert_eq!(number("4242 4242 4242 424x"), ["number_invalid"]);
        assert_eq!(number(&"4".repeat(25)), ["number_invalid"]);
        let expiry = |text| codes(&form(GOOD, text, "123", "", ""));
        assert_eq!(expiry(""), ["expiry_empty"]);
        assert_eq!(expiry("12"), ["expiry_incomplete"]);
        assert_eq!(expiry("13/29"), ["expiry_invalid"]);
        assert_eq!(expiry("10/26"), ["expiry_past"]);
        let code = |text| codes(&form(GOOD, "12/29", text, "", ""));
        assert_eq!(code(""), ["cvv_empty"]);
        assert_eq!(code("12"), ["cvv_incomplete"]);
        assert_eq!(code("1234"), ["cvv_incomplete"]);
        assert_eq!(code("12a"), ["cvv_invalid"]);
        let name = |text| codes(&form(GOOD, "12/29", "123", text, ""));
        assert_eq!(name("4242 4242 4242 4242"), ["name_looks_like_number"]);
        assert_eq!(name("Ada\u{7}"), ["name_invalid"]);
        assert_eq!(
            codes(&form(GOOD, "12/29", "123", "", "4242424242424242")),
            ["postal_code_invalid"]
        );
    }

    #[test]
    fn all_problems_come_at_once_in_the_order_of_the_fields() {
        let found = codes(&form("", "", "", "1234567", "<>"));
        let expected = [
            "number_empty",
            "expiry_empty",
            "cvv_empty",
            "name_looks_like_number",
            "postal_code_invalid",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_number_that_may_be_real_is_refused_and_not_shown_again() {
        // Luhn-valid, well formed, and not an issued test card.
        let real = form("4539 1488 0343 6467", "12/29", "123", "4539148803436467", "");
        assert!(codes(&real).contains(&"real_card"));
        let kept = real.kept();
        assert_eq!((kept.number.as_str(), kept.name.as_str(), kept.code.as_str()), ("", "", ""));
        // One digit mistyped: still somebody's number.
        assert_eq!(form("4539 1488 0343 6468", "", "", "", "").kept().number, "");
    }

    #[test]
    fn good_fields_are_kept_but_never_the_code() {
        let kept = form(GOOD, "13/29", "123", "Ada", "1000").kept();
        assert_eq!((kept.number.as_str(), kept.expiry.as_str()), (GOOD, "13/29"));
        assert_eq!((kept.name.as_str(), kept.postal_code.as_str()), ("Ada", "1000"));
        assert_eq!(kept.code, "");
    }
}
