//! Disputes: the list, and one case with the form to answer it.

use askama::Template;
use wire::card::Brand;
use wire::settlement::DisputeView;

use super::Frame;
use super::settlements::signed;
use crate::pages::shown::{Pill, When};

/// The disputes.
#[derive(Template)]
#[template(path = "merchant/office/disputes.html")]
pub struct DisputesPage {
    frame: Frame,
    disputes: Vec<DisputeRow>,
}

/// One dispute.
#[derive(Template)]
#[template(path = "merchant/office/dispute.html")]
pub struct DisputePage {
    frame: Frame,
    dispute: DisputeRow,
    notice: Option<(&'static str, String)>,
    what_now: &'static str,
    may_accept: bool,
    may_answer: bool,
    key: String,
}

struct DisputeRow {
    id: String,
    status: String,
    state: Pill,
    amount: String,
    reason: String,
    code: String,
    network: String,
    arn: String,
    payment: String,
    withdrawn: bool,
    evidence: Option<String>,
    due_by: Option<When>,
    opened: When,
    updated: When,
}

fn pill(status: &str) -> Pill {
    let (tone, word) = match status {
        "alert" => ("wait", "Alert"),
        "inquiry" => ("wait", "Inquiry"),
        "chargeback" => ("bad", "Chargeback"),
        "represented" => ("wait", "Answered"),
        "pre_arbitration" => ("bad", "Pre-arbitration"),
        "arbitration" => ("wait", "Arbitration"),
        "prevented" => ("good", "Prevented"),
        "closed" => ("good", "Closed"),
        "accepted" => ("info", "Accepted"),
        "expired" => ("bad", "Expired"),
        "won" => ("good", "Won"),
        "lost" => ("bad", "Lost"),
        "withdrawn" => ("good", "Withdrawn"),
        _ => ("info", "Unknown"),
    };
    Pill { tone, word }
}

fn what_now(status: &str) -> &'static str {
    match status {
        "alert" => "Refund the payment in time and no dispute is opened. No money has moved.",
        "inquiry" => "The cardholder's bank asks. Answer in time, or it takes the money back.",
        "chargeback" => "The money was taken back. Answer with evidence, or accept.",
        "represented" => "The evidence was sent and the money came back for now. The bank decides.",
        "pre_arbitration" => "The bank insists. Answer to let the network rule, or accept.",
        "arbitration" => "The network rules. The loser pays a fee.",
        "prevented" => "The refund came in time. There is no dispute and no fee.",
        "closed" => "The bank is content with the answer.",
        "accepted" => "The dispute was accepted. The cardholder keeps the money.",
        "expired" => "Nobody answered in time. The cardholder keeps the money.",
        "won" => "The evidence convinced. The money is yours.",
        "lost" => "The cardholder keeps the money.",
        "withdrawn" => "The bank took the dispute back. The money is yours.",
        _ => "This state is not known here.",
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// A network as people write it.
fn brand(word: &str) -> String {
    word.parse::<Brand>().map_or_else(|_| word.to_owned(), |it| it.display_name().to_owned())
}

impl DisputeRow {
    fn new(view: &DisputeView) -> Self {
        Self {
            id: view.id.to_string(),
            status: view.status.clone(),
            state: pill(&view.status),
            amount: signed(view.amount, view.currency),
            reason: capitalized(&view.reason.replace('_', " ")),
            code: view.network_reason_code.clone(),
            network: brand(&view.network),
            arn: view.arn.clone(),
            payment: view.payment.map(|id| id.to_string()).unwrap_or_default(),
            withdrawn: view.funds_withdrawn,
            evidence: view.evidence.clone(),
            due_by: view.due_by.map(When::from),
            opened: view.created_at.into(),
            updated: view.updated_at.into(),
        }
    }
}

impl DisputesPage {
    /// The page about disputes, newest first.
    pub fn new(frame: Frame, disputes: &[DisputeView]) -> Self {
        Self { frame, disputes: disputes.iter().map(DisputeRow::new).collect() }
    }
}

impl DisputePage {
    /// The page about one dispute; `key` names the answer that its form will send.
    pub fn new(
        frame: Frame,
        dispute: &DisputeView,
        notice: Option<(&'static str, String)>,
        key: String,
    ) -> Self {
        let turn = dispute.due_by.is_some() && frame.may_refund;
        let status = dispute.status.as_str();
        Self {
            what_now: what_now(status),
            may_accept: turn && ["chargeback", "pre_arbitration"].contains(&status),
            may_answer: turn && ["inquiry", "chargeback", "pre_arbitration"].contains(&status),
            dispute: DisputeRow::new(dispute),
            frame,
            notice,
            key,
        }
    }
}
