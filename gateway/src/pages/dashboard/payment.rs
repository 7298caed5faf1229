//! One payment with everything that belongs to it.

use askama::Template;
use wire::gateway_api::{PaymentView, TimelineEntry};
use wire::money::{MinorUnits, Money};
use wire::settlement::DisputeView;

use super::developers::EventRow;
use super::disputes::DisputeRow;
use super::{Fact, Frame, Moment, Notice, Pill, card_words};
use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::operator::{Role, Task};
use crate::domain::payment::{CaptureMode, Payment, State};
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, instant, shown};

/// The page of one payment.
#[derive(Template)]
#[template(path = "gateway/payment.html")]
pub struct PaymentPage {
    frame: Frame,
    notice: Option<Notice>,
    form_key: String,
    id: String,
    amount: String,
    currency: &'static str,
    state: Pill,
    status: &'static str,
    amounts: Vec<AmountLine>,
    attempts: Vec<AttemptBlock>,
    movements: Vec<Movement>,
    disputes: Vec<DisputeRow>,
    /// What happened to the payment itself.
    timeline: Vec<TimelineLine>,
    /// The same with every message, event and delivery.
    everything: Vec<TimelineLine>,
    events: Vec<EventRow>,
    forms: Vec<ActionForm>,
    facts: Vec<Fact>,
}

/// What the page is made of.
pub struct PaymentPageParts<'p> {
    /// What stands around it.
    pub frame: Frame,
    /// The payment.
    pub payment: &'p Payment,
    /// The same, as clients see it.
    pub view: &'p PaymentView,
    /// Its timeline, oldest first.
    pub timeline: &'p [TimelineEntry],
    /// Its disputes, newest first.
    pub disputes: &'p [DisputeView],
    /// Its events, newest first.
    pub events: Vec<EventRow>,
    /// What was just done.
    pub notice: Option<Notice>,
    /// Makes a second press harmless.
    pub form_key: String,
    /// What the reader may do.
    pub role: Role,
}

struct AmountLine {
    name: &'static str,
    label: &'static str,
    value: String,
    total: bool,
}

struct AttemptBlock {
    n: u32,
    card: String,
    state: Pill,
    facts: Vec<Fact>,
}

/// A capture or a refund.
struct Movement {
    kind: &'static str,
    what: &'static str,
    id: String,
    amount: String,
    state: Pill,
    at: Moment,
    reason: String,
}

struct TimelineLine {
    at: Moment,
    tone: &'static str,
    text: String,
}

/// A form that moves money.
struct ActionForm {
    action: &'static str,
    heading: &'static str,
    button: &'static str,
    style: &'static str,
    amount: String,
    hint: String,
}

impl PaymentPage {
    /// The page of these parts.
    pub fn new(parts: PaymentPageParts<'_>) -> Self {
        let payment = parts.payment;
        Self {
            id: payment.id.to_string(),
            amount: money(payment, payment.amounts.requested),
            currency: payment.currency.code(),
            state: Pill::of_payment(parts.view),
            status: parts.view.status.as_str(),
            amounts: amount_lines(payment, parts.disputes),
            attempts: payment.attempts.iter().rev().map(|it| attempt_block(payment, it)).collect(),
            movements: movements(payment),
            disputes: parts.disputes.iter().map(DisputeRow::from).collect(),
            timeline: parts.timeline.iter().filter(|it| is_step(it)).map(timeline_line).collect(),
            everything: parts.timeline.iter().map(timeline_line).collect(),
            events: parts.events,
            forms: action_forms(payment, parts.role),
            facts: facts(payment),
            frame: parts.frame,
            notice: parts.notice,
            form_key: parts.form_key,
        }
    }
}

fn money(payment: &Payment, value: MinorUnits) -> String {
    Money::new(value, payment.currency).to_string()
}

fn amount_lines(payment: &Payment, disputes: &[DisputeView]) -> Vec<AmountLine> {
    let amounts = &payment.amounts;
    let taken = disputes.iter().filter(|it| it.funds_withdrawn && it.currency == payment.currency);
    let charged_back = taken.fold(0_i64, |sum, it| sum.saturating_add(it.amount));
    let charged_back = MinorUnits::new(charged_back).unwrap_or_default();
    let line =
        |name, label, value, total| AmountLine { name, label, value: money(payment, value), total };
    let kept = amounts.captured.checked_sub(amounts.refunded).unwrap_or_default();
    let kept = kept.checked_sub(charged_back).unwrap_or_default();
    let mut lines = vec![
        line("requested", "Requested", amounts.requested, false),
        line("authorized", "Authorized", amounts.authorized, false),
        line("reversed", "Given back before capture", amounts.reversed, false),
        line("captured", "Captured", amounts.captured, false),
        line("refunded", "Refunded", amounts.refunded, false),
    ];
    if !charged_back.is_zero() {
        lines.push(line("charged-back", "Charged back", charged_back, false));
    }
    lines.push(line("kept", "Kept", kept, true));
    lines
}

fn attempt_block(payment: &Payment, attempt: &Attempt) -> AttemptBlock {
    let mut facts: Vec<Fact> = vec![("Sent", instant(attempt.created_at), false)];
    let mut add = |label, value: Option<String>, machine| {
        facts.extend(value.map(|value| (label, value, machine)));
    };
    let asked = match attempt.kind {
        AttemptKind::Payment => "Asked for",
        AttemptKind::Increment => "Raised by",
    };
    add(asked, Some(money(payment, attempt.asked)), false);
    let differs = attempt.is_authorization() && attempt.approved != attempt.asked;
    add("Approved", differs.then(|| money(payment, attempt.approved)), false);
    add("Decided", attempt.decided_at.map(instant), false);
    add("Response code", attempt.response_code.map(|it| it.as_str().to_owned()), true);
    let decline = attempt.decline.as_ref();
    add("Decline code", decline.map(|it| it.code.as_str().to_owned()), true);
    add("Advice", decline.map(|it| it.advice.as_str().replace('_', " ")), false);
    add("Approval code", attempt.auth_code.clone(), true);
    add("Decided by", attempt.outcome_source.clone(), true);
    add("Security code", attempt.cvv_result.clone(), true);
    add("Address", attempt.avs_result.clone(), true);
    add("STAN", Some(attempt.identity.stan_text()), true);
    add("RRN", Some(attempt.identity.rrn_text()), true);
    AttemptBlock {
        n: attempt.n,
        card: card_words(attempt.card.brand.display_name(), attempt.card.masked.last4()),
        state: Pill::of_attempt(attempt.state),
        facts,
    }
}

fn movements(payment: &Payment) -> Vec<Movement> {
    let captures = payment.captures.iter().map(|capture| Movement {
        kind: "capture-row",
        what: "Capture",
        id: capture.id.to_string(),
        amount: money(payment, capture.amount),
        state: Pill::of_capture(capture.state),
        at: capture.identity.transmission_at.into(),
        reason: String::new(),
    });
    let refunds = payment.refunds.iter().map(|refund| Movement {
        kind: "refund-row",
        what: "Refund",
        id: refund.id.to_string(),
        amount: money(payment, refund.amount),
        state: Pill::of_refund(refund.state),
        at: refund.created_at.into(),
        reason: shown(refund.reason.as_deref().unwrap_or_default(), SHOWN_CHARACTERS_MAX),
    });
    captures.chain(refunds).collect()
}

/// Whether an entry is a step of the payment, as opposed to talk about it.
fn is_step(entry: &TimelineEntry) -> bool {
    match entry.kind.as_str() {
        "attempt" | "state" => true,
        "message" => entry.text.contains("gateway->processor"),
        _ => false,
    }
}

fn timeline_line(entry: &TimelineEntry) -> TimelineLine {
    let tone = match entry.kind.as_str() {
        "state" => "good",
        "attempt" => "wait",
        _ => "",
    };
    TimelineLine { at: entry.at.into(), tone, text: entry.text.clone() }
}

fn action_forms(payment: &Payment, role: Role) -> Vec<ActionForm> {
    let decimal = |value: MinorUnits| Money::new(value, payment.currency).decimal();
    let up_to = |value: MinorUnits| format!("Up to {}. Less is a part.", money(payment, value));
    let open = payment.amounts.open();
    let held = payment.refunds_held();
    let refundable = payment.amounts.captured.checked_sub(held).unwrap_or_default();
    let collects = matches!(
        payment.state,
        State::Authorized | State::PartiallyCaptured | State::CaptureFailed
    );
    let mut forms = Vec::new();
    let mut offer = |task: Task, possible: bool, value: MinorUnits, words: [&'static str; 3]| {
        if possible && !value.is_zero() && role.may(task) {
            let [heading, button, style] = words;
            let (amount, hint) = (decimal(value), up_to(value));
            let action = task.as_str();
            forms.push(ActionForm { action, heading, button, style, amount, hint });
        }
    };
    offer(Task::Capture, collects, open, ["Take the money", "Capture", ""]);
    offer(Task::Void, collects, open, ["Give it back unused", "Void", "danger"]);
    let refunds = matches!(payment.state, State::Captured | State::PartiallyCaptured);
    offer(Task::Refund, refunds, refundable, ["Give money back", "Refund", "danger"]);
    forms
}

fn facts(payment: &Payment) -> Vec<Fact> {
    let details = &payment.details;
    let text = |it: &Option<String>| it.as_deref().map(|it| shown(it, SHOWN_CHARACTERS_MAX));
    let capture = match payment.capture_mode {
        CaptureMode::Automatic => "With the approval",
        CaptureMode::Manual => "By hand or by call",
    };
    let mut facts: Vec<Fact> = vec![
        ("Order", payment.order_reference.clone(), true),
        ("Created", instant(payment.created_at), false),
        ("Page ends", instant(payment.expires_at), false),
        ("Capture", capture.to_owned(), false),
    ];
    let mut add = |label, value: Option<String>, machine| {
        facts.extend(value.map(|value| (label, value, machine)));
    };
    add("Capture before", payment.capture_before.map(instant), false);
    add("Network id", payment.network_transaction_id.clone(), true);
    add("Description", text(&details.description), false);
    add("Payer", text(&details.customer_name), false);
    add("Mail", text(&details.customer_email), false);
    for reversal in &payment.reversals {
        let words = format!("{} {}", money(payment, reversal.amount), reversal.state.as_str());
        facts.push(("Reversal", words, false));
    }
    facts
}
