//! The list of payments with its filters.

use askama::Template;
use wire::card::Brand;
use wire::gateway_api::{CardView, PaymentStatus, PaymentView};

use super::{Frame, Moment, Pill, card_words};

/// A page of payments.
#[derive(Template)]
#[template(path = "gateway/payments.html")]
pub struct PaymentsPage {
    /// What stands around it.
    pub frame: Frame,
    /// What the list is cut down to.
    pub filters: Filters,
    /// Why the filters were refused.
    pub problem: Option<String>,
    /// The choices of the status filter.
    pub statuses: Vec<(&'static str, &'static str)>,
    /// The payments.
    pub rows: Vec<PaymentRow>,
    /// Address of the page before.
    pub newer: Option<String>,
    /// Address of the page behind.
    pub older: Option<String>,
}

/// What stands in the filter fields.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// A payment status.
    pub status: String,
    /// The merchant's reference.
    pub order_reference: String,
    /// Last four digits.
    pub card_last4: String,
    /// Decline code.
    pub decline_code: String,
    /// Whether any of them is set.
    pub any: bool,
}

/// One payment of the list.
pub struct PaymentRow {
    id: String,
    amount: String,
    state: Pill,
    order: String,
    card: String,
    created: Moment,
}

impl From<&PaymentView> for PaymentRow {
    fn from(payment: &PaymentView) -> Self {
        let words = |card: &CardView| {
            let brand = card.brand.parse::<Brand>().map(Brand::display_name);
            card_words(brand.unwrap_or_default(), &card.last4)
        };
        Self {
            id: payment.id.to_string(),
            amount: payment.amount.to_string(),
            state: Pill::of_payment(payment),
            order: payment.order_reference.clone(),
            card: payment.card.as_ref().map_or_else(|| "–".to_owned(), words),
            created: payment.created_at.into(),
        }
    }
}

/// The choices of the status filter: the word of the API and the word for people.
pub fn status_choices() -> Vec<(&'static str, &'static str)> {
    PaymentStatus::ALL.iter().map(|status| (status.as_str(), status_word(*status))).collect()
}

const fn status_word(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::RequiresPaymentMethod => "Open",
        PaymentStatus::RequiresAction => "Waits for the payer",
        PaymentStatus::Processing => "Processing or unknown",
        PaymentStatus::Authorized => "Authorized",
        PaymentStatus::PartiallyCaptured => "Partly captured",
        PaymentStatus::Captured => "Captured",
        PaymentStatus::CaptureFailed => "Capture failed",
        PaymentStatus::Verified => "Verified",
        PaymentStatus::Canceled => "Canceled",
        PaymentStatus::Expired => "Expired",
        PaymentStatus::Failed => "Failed",
    }
}
