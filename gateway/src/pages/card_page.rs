//! The card form with the order, the problems of the last submission and the test cards.

use askama::Template;
use kit::assets::asset_url;
use serde::Serialize;
use wire::card::Brand;

use super::test_cards::Chip;
use super::texts::{ErrorTexts, Texts, fill};

/// What is paid for, from the gateway's own record and fit to be shown.
#[derive(Debug, Clone)]
pub struct OrderSummary {
    /// Who is paid.
    pub merchant: String,
    /// How much, with the currency.
    pub amount: String,
    /// What for.
    pub description: Option<String>,
    /// The merchant's reference.
    pub reference: String,
    /// What is bought: how many, what, and how much together.
    pub lines: Vec<OrderLine>,
}

/// One line of what is bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// How many.
    pub quantity: u32,
    /// What.
    pub name: String,
    /// How much together, with the currency.
    pub amount: String,
}

/// The page on which the payer enters a card.
#[derive(Template)]
#[template(path = "gateway/card_page.html")]
pub struct CardPage {
    texts: &'static Texts,
    order: OrderSummary,
    path: String,
    csrf: String,
    form_key: String,
    values: Values,
    errors: Errors,
    notice: Option<DeclineNotice>,
    seconds_left: u64,
    valid_for: String,
    title: String,
    pay_to: String,
    pay_label: String,
    cancel: String,
    usual: Vec<Chip>,
    further: Vec<Chip>,
    consent: Option<String>,
    script_texts: String,
    script_networks: String,
}

/// What the page is made of.
pub struct CardPageParts {
    /// The texts of the payer's language.
    pub texts: &'static Texts,
    /// What is paid for.
    pub order: OrderSummary,
    /// Path of the page, `/pay/pay_…`.
    pub path: String,
    /// Proof that a form came from this page.
    pub csrf: String,
    /// Makes a second press of the same button harmless.
    pub form_key: String,
    /// What stands in the fields.
    pub values: Values,
    /// What is wrong with it.
    pub errors: Errors,
    /// Why the last card did not work.
    pub notice: Option<DeclineNotice>,
    /// How long the page still lives.
    pub seconds_left: u64,
    /// The usual test cards.
    pub usual: Vec<Chip>,
    /// Further test cards.
    pub further: Vec<Chip>,
    /// What the payer may agree to: that the card is saved.
    pub consent: Option<String>,
    /// The card is only confirmed: no money moves.
    pub verifies: bool,
}

/// What stands in the fields. The security code only ever comes from a test card.
#[derive(Default)]
pub struct Values {
    /// Card number.
    pub number: String,
    /// Expiry date.
    pub expiry: String,
    /// Security code.
    pub code: String,
    /// Name on the card.
    pub name: String,
    /// Postal code.
    pub postal_code: String,
    /// Whether the code stands on the front.
    pub amex: bool,
    /// Whether the payer agreed that the card is saved.
    pub save: bool,
}

/// Why the last card did not work, in words for the payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclineNotice {
    /// The family of the decline.
    pub family: &'static str,
    /// One line.
    pub heading: String,
    /// What to do.
    pub text: String,
}

/// A field that has to be corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Id of the field.
    pub field: &'static str,
    /// Message code.
    pub code: &'static str,
    /// Value of the text's placeholder, if it has one.
    pub value: Option<(&'static str, String)>,
}

/// A field error as it is shown.
pub struct ShownError {
    /// Id of the field.
    pub field: &'static str,
    /// What to do.
    pub text: String,
}

/// The errors of a form, in the order of its fields.
#[derive(Default)]
pub struct Errors(Vec<ShownError>);

impl Errors {
    /// Problems in the words of a language.
    pub fn of(problems: &[FieldProblem], texts: &ErrorTexts) -> Self {
        let shown = problems.iter().map(|problem| {
            let text = texts.find(problem.code).unwrap_or(problem.code);
            let values: Vec<(&str, &str)> =
                problem.value.iter().map(|(name, value)| (*name, value.as_str())).collect();
            ShownError { field: problem.field, text: fill(text, &values) }
        });
        Self(shown.collect())
    }

    fn list(&self) -> &[ShownError] {
        &self.0
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, field: &str) -> bool {
        self.0.iter().any(|it| it.field == field)
    }

    fn text(&self, field: &str) -> &str {
        self.0.iter().find(|it| it.field == field).map_or("", |it| it.text.as_str())
    }
}

impl CardPage {
    /// The page of these parts.
    pub fn new(parts: CardPageParts) -> Self {
        let texts = parts.texts;
        let merchant = [("merchant", parts.order.merchant.as_str())];
        Self {
            title: fill(&texts.page.title, &merchant),
            pay_to: fill(&texts.page.pay_to, &merchant),
            cancel: fill(&texts.form.cancel, &merchant),
            pay_label: if parts.verifies {
                texts.form.confirm_card.clone()
            } else {
                fill(&texts.form.pay_amount, &[("amount", &parts.order.amount)])
            },
            valid_for: texts.session.valid(parts.seconds_left),
            script_texts: script_texts(texts),
            script_networks: script_networks(),
            texts,
            order: parts.order,
            path: parts.path,
            csrf: parts.csrf,
            form_key: parts.form_key,
            values: parts.values,
            errors: parts.errors,
            notice: parts.notice,
            seconds_left: parts.seconds_left,
            usual: parts.usual,
            further: parts.further,
            consent: parts.consent,
        }
    }
}

/// The texts that the script shows.
pub(super) fn script_texts(texts: &Texts) -> String {
    let errors = &texts.errors;
    serde_json::json!({
        "cvv_front": texts.form.cvv_front,
        "cvv_back": texts.form.cvv_back,
        "contacting": texts.form.contacting,
        "valid_for": texts.session.valid_for,
        "valid_for_one": texts.session.valid_for_one,
        "warning": texts.session.warning,
        "extended": texts.session.extended,
        "errors": {
            "number_empty": errors.number_empty,
            "number_incomplete": errors.number_incomplete,
            "number_invalid": errors.number_invalid,
            "expiry_empty": errors.expiry_empty,
            "expiry_incomplete": errors.expiry_incomplete,
            "expiry_invalid": errors.expiry_invalid,
            "cvv_empty": errors.cvv_empty,
            "cvv_incomplete": errors.cvv_incomplete,
            "cvv_invalid": errors.cvv_invalid,
            "name_looks_like_number": errors.name_looks_like_number,
            "postal_code_invalid": errors.postal_code_invalid,
        },
    })
    .to_string()
}

#[derive(Serialize)]
struct Networks {
    list: Vec<Network>,
    /// Digits, lowest, highest, index of the network; longest first.
    prefixes: Vec<(usize, u32, u32, usize)>,
    unknown: String,
}

#[derive(Serialize)]
struct Network {
    id: &'static str,
    name: &'static str,
    icon: String,
    lengths: &'static [usize],
    code: usize,
}

/// The networks as the script knows them, from the same table as the server's own checks.
pub(super) fn script_networks() -> String {
    let icon = |name: &str| asset_url(&format!("brands/{name}.svg"));
    let list = Brand::ALL.map(|brand| Network {
        id: brand.as_str(),
        name: brand.display_name(),
        icon: icon(brand.as_str()),
        lengths: brand.lengths(),
        code: brand.security_code_length(),
    });
    let index = |brand: Brand| Brand::ALL.iter().position(|&it| it == brand).unwrap_or_default();
    let prefixes = Brand::prefixes().map(|(length, low, high, it)| (length, low, high, index(it)));
    let networks =
        Networks { list: list.into(), prefixes: prefixes.collect(), unknown: icon("unknown") };
    serde_json::to_string(&networks).unwrap_or_default()
}
