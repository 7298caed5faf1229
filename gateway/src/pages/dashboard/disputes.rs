//! Disputes: the list, and one case with the forms that answer it.

use askama::Template;
use wire::card::Brand;
use wire::settlement::DisputeView;

use super::{Frame, Moment, Notice, Pill, pill};
use crate::domain::operator::{Role, Task};
use crate::pages::shown::signed;

/// The disputes.
#[derive(Template)]
#[template(path = "gateway/disputes.html")]
pub struct DisputesPage {
    /// What stands around it.
    pub frame: Frame,
    /// The disputes, newest first.
    pub disputes: Vec<DisputeRow>,
}

/// One dispute.
#[derive(Template)]
#[template(path = "gateway/dispute.html")]
pub struct DisputePage {
    frame: Frame,
    notice: Option<Notice>,
    dispute: DisputeRow,
    what_now: &'static str,
    may_answer: bool,
    may_accept: bool,
    /// What was typed, when it was refused.
    typed: String,
    form_key: String,
}

/// What the page of one dispute is made of.
pub struct DisputePageParts<'p> {
    /// What stands around it.
    pub frame: Frame,
    /// The dispute.
    pub dispute: &'p DisputeView,
    /// What was just done.
    pub notice: Option<Notice>,
    /// Evidence that was typed and refused.
    pub typed: String,
    /// Makes a second press harmless.
    pub form_key: String,
    /// What the reader may do.
    pub role: Role,
}

/// A dispute as it stands in lists.
pub struct DisputeRow {
    /// Its id.
    pub id: String,
    /// The word of the API.
    pub status: String,
    /// Where it stands.
    pub state: Pill,
    /// How much.
    pub amount: String,
    /// Why, in words.
    pub reason: String,
    /// Until when an answer is taken; none when it is not the merchant's turn.
    pub due_by: Option<Moment>,
    network: String,
    code: String,
    arn: String,
    payment: Option<String>,
    withdrawn: bool,
    evidence: Option<String>,
    opened: Moment,
    updated: Moment,
}

impl From<&DisputeView> for DisputeRow {
    fn from(view: &DisputeView) -> Self {
        let brand = view.network.parse::<Brand>();
        Self {
            id: view.id.to_string(),
            status: view.status.clone(),
            state: state_of(&view.status),
            amount: signed(view.amount, view.currency),
            reason: in_words(&view.reason),
            due_by: view.due_by.map(Moment::from),
            network: brand.map_or_else(|_| view.network.clone(), |it| it.display_name().to_owned()),
            code: view.network_reason_code.clone(),
            arn: view.arn.clone(),
            payment: view.payment.map(|id| id.to_string()),
            withdrawn: view.funds_withdrawn,
            evidence: view.evidence.clone(),
            opened: view.created_at.into(),
            updated: view.updated_at.into(),
        }
    }
}

/// `product_not_received` as `Product not received`.
fn in_words(word: &str) -> String {
    let text = word.replace('_', " ");
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn state_of(status: &str) -> Pill {
    match status {
        "alert" => pill("wait", "Alert"),
        "inquiry" => pill("wait", "Inquiry"),
        "chargeback" => pill("bad", "Chargeback"),
        "represented" => pill("wait", "Answered"),
        "pre_arbitration" => pill("bad", "Pre-arbitration"),
        "arbitration" => pill("wait", "Arbitration"),
        "prevented" => pill("good", "Prevented"),
        "closed" => pill("good", "Closed"),
        "accepted" => pill("info", "Accepted"),
        "expired" => pill("bad", "Expired"),
        "won" => pill("good", "Won"),
        "lost" => pill("bad", "Lost"),
        "withdrawn" => pill("good", "Withdrawn"),
        _ => pill("info", "Unknown"),
    }
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

impl DisputePage {
    /// The page of these parts.
    pub fn new(parts: DisputePageParts<'_>) -> Self {
        let dispute = parts.dispute;
        let open_to = |task, states: &[&str]| {
            let turn = dispute.due_by.is_some() && states.contains(&dispute.status.as_str());
            turn && parts.role.may(task)
        };
        Self {
            what_now: what_now(&dispute.status),
            may_answer: open_to(Task::AnswerDispute, &["inquiry", "chargeback", "pre_arbitration"]),
            may_accept: open_to(Task::AcceptDispute, &["chargeback", "pre_arbitration"]),
            dispute: dispute.into(),
            frame: parts.frame,
            notice: parts.notice,
            typed: parts.typed,
            form_key: parts.form_key,
        }
    }
}
