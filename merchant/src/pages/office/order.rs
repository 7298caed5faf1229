//! An order as the back office sees it.

use askama::Template;
use wire::events::EventType;
use wire::money::{MinorUnits, Money};

use super::super::shown::{Pill, When, order_pill, payment_pill, refund_pill};
use super::{Frame, MessageRow};
use crate::domain::order::{Attention, Line, Order, State, Status};
use crate::domain::payment::Payment;
use crate::domain::refund::{Refund, State as RefundState};
use crate::operations::look::OrderFile;
use crate::store::lists::HistoryLine;

/// A refund of an order.
pub struct RefundRow {
    /// Which.
    pub number: u32,
    /// How much.
    pub amount: String,
    /// Where it stands.
    pub state: Pill,
    /// The stable word.
    pub word: &'static str,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
    /// Who agreed or said no.
    pub decided_by: Option<String>,
    /// The gateway's id.
    pub id: Option<String>,
    /// Why it did not work.
    pub failure: Option<String>,
    /// The card that got it in the place of the one that had paid.
    pub moved_to: Option<String>,
    /// When it was asked for.
    pub at: When,
    /// Whether the one who looks may decide.
    pub may_decide: bool,
}

/// A payment of an order.
pub struct PaymentRow {
    /// Which.
    pub number: u32,
    /// The gateway's id.
    pub id: Option<String>,
    /// Where it stands.
    pub state: Pill,
    /// Taken.
    pub captured: String,
    /// Given back.
    pub refunded: String,
    /// The card.
    pub card: Option<String>,
    /// Cards tried.
    pub attempts: u32,
    /// Why the last card did not work, exactly.
    pub decline_code: Option<String>,
    /// The customer's bank waits for them.
    pub needs_action: bool,
    /// The gateway does not know the outcome.
    pub outcome_unknown: bool,
    /// When it is read next.
    pub next_read: Option<When>,
    /// When it was begun.
    pub at: When,
}

/// A line of history.
pub struct HistoryRow {
    /// When.
    pub at: When,
    /// Who or what.
    pub source: String,
    /// What happened.
    pub text: String,
}

/// An order with everything about it.
#[derive(Template)]
#[template(path = "merchant/office/order.html")]
pub struct OrderPage {
    /// Around the content.
    pub frame: Frame,
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: Pill,
    /// The stable word.
    pub status: &'static str,
    /// Why a person has to look.
    pub attention: Option<&'static str>,
    /// A message about what was just asked for.
    pub notice: Option<(&'static str, String)>,
    /// What the last notification about a dispute comes to.
    pub dispute: Option<&'static str>,
    /// Who ordered.
    pub customer: (String, String),
    /// What was ordered: name, how many, price of the line.
    pub lines: Vec<(String, u32, String)>,
    /// The total.
    pub total: String,
    /// Taken.
    pub captured: String,
    /// Given back.
    pub refunded: String,
    /// What can still be given back, as digits for the form; none when nothing can.
    pub refundable: Option<String>,
    /// The same for people.
    pub refundable_text: String,
    /// Largest sum that one person refunds.
    pub alone_max: String,
    /// Currency of the order.
    pub currency: &'static str,
    /// Key of the refund form: a double click asks once.
    pub refund_key: String,
    /// Whether the order can be canceled.
    pub can_cancel: bool,
    /// Its payments, newest first.
    pub payments: Vec<PaymentRow>,
    /// Its refunds, newest first.
    pub refunds: Vec<RefundRow>,
    /// Notifications about it, newest first.
    pub messages: Vec<MessageRow>,
    /// What happened, oldest first.
    pub history: Vec<HistoryRow>,
    /// When it was placed.
    pub placed: When,
    /// When the goods left.
    pub fulfilled: Option<When>,
}

/// What an order's page needs beside the order.
pub struct OrderPageParts {
    /// Around the content.
    pub frame: Frame,
    /// A message about what was just asked for.
    pub notice: Option<(&'static str, String)>,
    /// Largest sum that one person refunds.
    pub alone_max: MinorUnits,
    /// Key of the refund form.
    pub refund_key: String,
}

impl OrderPage {
    /// An order with everything about it.
    pub fn new(parts: OrderPageParts, file: &OrderFile) -> Self {
        let order = &file.stored.order;
        let money = |value| Money::new(value, order.total.currency);
        let (captured, refunded) = taken(order);
        let left = money(order.refundable());
        let may = parts.frame.may_refund && !left.value.is_zero();
        Self {
            id: order.id.to_string(),
            state: order_pill(order.status()),
            status: order.status().as_str(),
            attention: order.attention.map(Attention::text),
            notice: parts.notice,
            dispute: dispute(file),
            customer: (order.customer.name.clone(), order.customer.email.clone()),
            lines: lines(order),
            total: order.total.to_string(),
            captured: money(captured).to_string(),
            refunded: money(refunded).to_string(),
            refundable: may.then(|| left.decimal()),
            refundable_text: left.to_string(),
            alone_max: money(parts.alone_max).to_string(),
            currency: order.total.currency.code(),
            refund_key: parts.refund_key,
            can_cancel: parts.frame.may_operate && can_cancel(order),
            payments: payments(order),
            refunds: order
                .refunds
                .iter()
                .rev()
                .map(|it| refund_row(it, order, &parts.frame))
                .collect(),
            messages: file.messages.iter().map(MessageRow::from).collect(),
            history: history(file),
            placed: order.placed_at.into(),
            fulfilled: file.fulfilled_at.map(When::from),
            frame: parts.frame,
        }
    }
}

fn taken(order: &Order) -> (MinorUnits, MinorUnits) {
    match &order.state {
        State::Fulfilled { captured, refunded, .. } => (*captured, *refunded),
        State::Unpaid(_) | State::Canceled => (MinorUnits::ZERO, MinorUnits::ZERO),
    }
}

fn dispute(file: &OrderFile) -> Option<&'static str> {
    let mut told = file.messages.iter().map(|message| message.event_type.as_str());
    let last = told.find(|kind| kind.starts_with("dispute."))?;
    Some(if last == EventType::DisputeClosed.as_str() {
        "A dispute about this payment is closed"
    } else {
        "The cardholder disputes this payment"
    })
}

fn can_cancel(order: &Order) -> bool {
    matches!(order.status(), Status::AwaitingPayment | Status::Declined)
}

fn lines(order: &Order) -> Vec<(String, u32, String)> {
    let currency = order.total.currency;
    let row = |line: &Line| {
        (line.name.clone(), line.quantity, Money::new(line.total(), currency).to_string())
    };
    order.lines.iter().map(row).collect()
}

fn payments(order: &Order) -> Vec<PaymentRow> {
    let currency = order.total.currency;
    let row = |payment: &Payment| PaymentRow {
        number: payment.number,
        id: payment.id.map(|id| id.to_string()),
        state: payment_pill(payment.status),
        captured: Money::new(payment.captured, currency).to_string(),
        refunded: Money::new(payment.refunded, currency).to_string(),
        card: payment.card.as_ref().map(|card| format!("{} •••• {}", card.brand, card.last4)),
        attempts: payment.attempts,
        decline_code: payment.decline_code.clone(),
        needs_action: payment.needs_action,
        outcome_unknown: payment.outcome_unknown,
        next_read: payment.read_due_at.map(When::from),
        at: payment.created_at.into(),
    };
    order.payments.iter().rev().map(row).collect()
}

fn refund_row(refund: &Refund, order: &Order, frame: &Frame) -> RefundRow {
    let word = refund.state.as_str();
    let failure = match &refund.state {
        RefundState::Failed { code, .. } => Some(code.clone()),
        RefundState::AwaitingApproval
        | RefundState::Sending
        | RefundState::Pending { .. }
        | RefundState::Succeeded { .. }
        | RefundState::Rejected => None,
    };
    let waits = refund.state == RefundState::AwaitingApproval;
    RefundRow {
        number: refund.number,
        amount: Money::new(refund.amount, order.total.currency).to_string(),
        state: refund_pill(word),
        word,
        reason: refund.reason.clone(),
        requested_by: refund.requested_by.clone(),
        decided_by: refund.decided_by.clone(),
        id: refund.state.id().map(|id| id.to_string()),
        failure,
        moved_to: refund.moved_to.clone(),
        at: refund.created_at.into(),
        may_decide: waits && frame.may_refund && refund.requested_by != frame.name,
    }
}

fn history(file: &OrderFile) -> Vec<HistoryRow> {
    let row = |line: &HistoryLine| HistoryRow {
        at: line.at.into(),
        source: line.source.clone(),
        text: line.text.clone(),
    };
    file.history.iter().map(row).collect()
}
