//! The list of refunds with its filter.

use askama::Template;
use wire::gateway_api::RefundStatus;

use super::{Frame, Moment, Pill};
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, shown};
use crate::store::refunds::ListedRefund;

/// A page of refunds.
#[derive(Template)]
#[template(path = "gateway/refunds.html")]
pub struct RefundsPage {
    /// What stands around it.
    pub frame: Frame,
    /// What the list is cut down to; empty for all.
    pub status: &'static str,
    /// Why the filter was refused.
    pub problem: Option<String>,
    /// The choices of the filter: the word of the API and the word for people.
    pub statuses: Vec<(&'static str, &'static str)>,
    /// The refunds, newest first.
    pub rows: Vec<RefundRow>,
    /// Address of the page before.
    pub newer: Option<String>,
    /// Address of the page behind.
    pub older: Option<String>,
}

/// One refund of the list.
pub struct RefundRow {
    id: String,
    payment: String,
    amount: String,
    state: Pill,
    reason: String,
    created: Moment,
}

impl From<&ListedRefund> for RefundRow {
    fn from(refund: &ListedRefund) -> Self {
        Self {
            id: refund.id.to_string(),
            payment: refund.payment.to_string(),
            amount: refund.amount.to_string(),
            state: Pill::of_refund(refund.state),
            reason: shown(refund.reason.as_deref().unwrap_or("–"), SHOWN_CHARACTERS_MAX),
            created: refund.created_at.into(),
        }
    }
}

/// A status as the filter offers it, in the words of the list.
pub const fn choice(status: RefundStatus) -> (&'static str, &'static str) {
    let word = match status {
        RefundStatus::Pending => "Pending or unknown",
        RefundStatus::Succeeded => "Accepted",
        RefundStatus::Failed => "Failed",
        RefundStatus::Reversed => "Taken back",
    };
    (status.as_str(), word)
}
