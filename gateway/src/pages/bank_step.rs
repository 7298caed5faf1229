//! The steps of a payment that lead through the payer's bank: the 3DS Method and the challenge.

use askama::Template;

use super::card_page::OrderSummary;
use super::texts::{Texts, fill};

/// A page whose form goes to the access control server of the payer's bank.
#[derive(Template)]
#[template(path = "gateway/bank_step.html")]
pub struct BankStepPage {
    texts: &'static Texts,
    order: OrderSummary,
    card: Option<String>,
    name: &'static str,
    heading: String,
    more: String,
    cancel: String,
    path: String,
    csrf: String,
    action: String,
    fields: Vec<(&'static str, String)>,
    hidden_frame: bool,
}

/// What the page is made of.
pub struct BankStepParts {
    /// The texts of the payer's language.
    pub texts: &'static Texts,
    /// What is to be paid.
    pub order: OrderSummary,
    /// Network and last four digits.
    pub card: Option<String>,
    /// Path of the payment's page.
    pub path: String,
    /// Proof that a form came from this page.
    pub csrf: String,
    /// Where the form goes.
    pub action: String,
    /// What it carries.
    pub fields: Vec<(&'static str, String)>,
    /// Whether it goes into a hidden frame (3DS Method) or the whole window (challenge).
    pub hidden_frame: bool,
}

impl BankStepPage {
    /// The page of these parts.
    pub fn new(parts: BankStepParts) -> Self {
        let texts = parts.texts;
        let merchant = [("merchant", parts.order.merchant.as_str())];
        let (name, heading, more) = if parts.hidden_frame {
            ("processing", &texts.outcomes.processing, &texts.outcomes.processing_more)
        } else {
            ("requires_action", &texts.families.authenticate, &texts.bank.go_on_more)
        };
        Self {
            cancel: fill(&texts.form.cancel, &merchant),
            name,
            heading: heading.clone(),
            more: fill(more, &merchant),
            texts,
            order: parts.order,
            card: parts.card,
            path: parts.path,
            csrf: parts.csrf,
            action: parts.action,
            fields: parts.fields,
            hidden_frame: parts.hidden_frame,
        }
    }
}
