//! Pages of the merchant's dashboard.

pub mod developers;
pub mod disputes;
pub mod payment;
pub mod payments;
pub mod payouts;
pub mod refunds;
pub mod settings;

use askama::Template;
use wire::gateway_api::{PaymentStatus, PaymentView};
use wire::time::Timestamp;

use super::shown::instant;
use crate::domain::attempt::AttemptState;
use crate::domain::capture::CaptureState;
use crate::domain::refund::RefundState;

/// What stands around every page of the dashboard.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The merchant's name.
    pub merchant: String,
    /// Which menu entry this page belongs to.
    pub section: &'static str,
    /// Who is signed in.
    pub operator: String,
    /// What they may do.
    pub role: &'static str,
    /// Proof that a form came from this session.
    pub csrf: String,
}

/// The sign-in page.
#[derive(Template)]
#[template(path = "gateway/login.html")]
pub struct LoginPage {
    /// The merchant's name.
    pub merchant: String,
    /// Proof that the form came from this browser.
    pub csrf: String,
    /// Where to go then.
    pub next: String,
    /// The name that was entered.
    pub name: String,
    /// Why it did not work.
    pub problem: Option<String>,
}

/// An error as a page.
#[derive(Template)]
#[template(path = "gateway/problem.html")]
pub struct ProblemPage {
    /// The merchant's name.
    pub merchant: String,
    /// One line.
    pub heading: String,
    /// What is wrong.
    pub detail: String,
    /// Stable code.
    pub code: String,
    /// Names the request in the log.
    pub request_id: String,
}

/// A state: a word, and a tone that gives it shape and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pill {
    /// `good bad wait info` or empty.
    pub tone: &'static str,
    /// The word.
    pub word: &'static str,
}

const fn pill(tone: &'static str, word: &'static str) -> Pill {
    Pill { tone, word }
}

/// A point in time for machines and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339.
    pub machine: String,
    /// As people write it.
    pub people: String,
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { machine: at.to_string(), people: instant(at) }
    }
}

/// One line at the top of a page about what was just done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `good`, `bad` or `wait`.
    pub tone: &'static str,
    /// What happened.
    pub text: String,
}

/// Label, value, and whether the value is for machines.
pub type Fact = (&'static str, String, bool);

impl Pill {
    /// Where a payment stands.
    pub fn of_payment(payment: &PaymentView) -> Self {
        let amounts = &payment.amounts;
        match payment.status {
            PaymentStatus::RequiresPaymentMethod if payment.failure.is_some() => {
                pill("wait", "Declined, open")
            }
            PaymentStatus::RequiresPaymentMethod => pill("", "Open"),
            PaymentStatus::RequiresAction => pill("wait", "Waits for the payer"),
            PaymentStatus::Processing if payment.outcome_unknown => pill("wait", "Outcome unknown"),
            PaymentStatus::Processing => pill("wait", "Processing"),
            PaymentStatus::Authorized => pill("info", "Authorized"),
            PaymentStatus::PartiallyCaptured => pill("info", "Partly captured"),
            PaymentStatus::Captured if amounts.refunded.is_zero() => pill("good", "Captured"),
            PaymentStatus::Captured if amounts.refunded == amounts.captured => pill("", "Refunded"),
            PaymentStatus::Captured => pill("good", "Partly refunded"),
            PaymentStatus::CaptureFailed => pill("bad", "Capture failed"),
            PaymentStatus::Verified => pill("good", "Verified"),
            PaymentStatus::Canceled => pill("", "Canceled"),
            PaymentStatus::Expired => pill("", "Expired"),
            PaymentStatus::Failed => pill("bad", "Failed"),
        }
    }

    /// Where an attempt stands.
    pub const fn of_attempt(state: AttemptState) -> Self {
        match state {
            AttemptState::Processing => pill("wait", "Processing"),
            AttemptState::Approved => pill("good", "Approved"),
            AttemptState::Declined => pill("bad", "Declined"),
            AttemptState::Unknown => pill("wait", "Unknown"),
            AttemptState::Reversed => pill("", "Reversed"),
        }
    }

    /// Where a capture stands.
    pub const fn of_capture(state: CaptureState) -> Self {
        match state {
            CaptureState::Pending => pill("wait", "Pending"),
            CaptureState::Succeeded => pill("good", "Succeeded"),
            CaptureState::Rejected => pill("bad", "Rejected in clearing"),
            CaptureState::Failed => pill("bad", "Failed"),
            CaptureState::Withdrawn => pill("", "Withdrawn"),
        }
    }

    /// Where a refund stands.
    pub const fn of_refund(state: RefundState) -> Self {
        match state {
            RefundState::Authorizing => pill("wait", "Pending"),
            RefundState::Unknown => pill("wait", "Unknown"),
            RefundState::Queued => pill("good", "Accepted"),
            RefundState::Failed => pill("bad", "Failed"),
            RefundState::Reversed => pill("", "Taken back"),
        }
    }

    /// Where a delivery stands: pending, delivered, dead.
    pub fn of_delivery(status: &str) -> Self {
        match status {
            "delivered" => pill("good", "Delivered"),
            "dead" => pill("bad", "Dead letter"),
            _ => pill("wait", "Pending"),
        }
    }

    /// How a delivery attempt ended.
    pub fn of_delivery_attempt(outcome: &str) -> Self {
        match outcome {
            "delivered" => pill("good", "Delivered"),
            "refused" => pill("bad", "Refused"),
            "timeout" => pill("bad", "No answer in time"),
            "blocked" => pill("bad", "Address not allowed"),
            _ => pill("bad", "Not reached"),
        }
    }
}

/// `Visa •••• 4242`
pub fn card_words(network: &str, last4: &str) -> String {
    format!("{network} •••• {last4}")
}
