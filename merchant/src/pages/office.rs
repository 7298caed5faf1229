//! The back office: orders, refunds and their approval, payments, inbox, reconciliation.

mod disputes;
mod order;
mod settlements;

use askama::Template;

use super::shown::{Pill, When, order_pill, payment_pill, verdict_tone};
use super::subscriptions::SubscriptionRow;
use crate::domain::operator::Actor;
use crate::domain::order::Status;
use crate::operations::reconcile::{Compared, Report, Side};
use crate::operations::refusals::RefusedMessage;
use crate::store::audit::Audited;
use crate::store::inbox::Message;
use crate::store::lists::{OrderSummary, PaymentSummary, RefundSummary};

pub use disputes::{DisputePage, DisputesPage};
pub use order::{OrderPage, OrderPageParts};
pub use settlements::{SettlementPage, SettlementsPage};

/// What every page of the back office shows around its content.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who is logged in.
    pub name: String,
    /// In which role.
    pub role: &'static str,
    /// Refunds that wait for a second person.
    pub waiting: u32,
    /// Token that forms carry.
    pub form_token: String,
    /// Which entry of the menu is the current one.
    pub current: &'static str,
    /// May ask for and approve refunds.
    pub may_refund: bool,
    /// May cancel orders and read payments again.
    pub may_operate: bool,
    /// May read the audit log.
    pub may_audit: bool,
}

impl Frame {
    /// The frame of somebody's page.
    pub fn new(actor: &Actor, waiting: u32, form_token: String, current: &'static str) -> Self {
        Self {
            name: actor.name.clone(),
            role: actor.role.as_str(),
            waiting,
            form_token,
            current,
            may_refund: actor.role.may_refund(),
            may_operate: actor.role.may_operate(),
            may_audit: actor.role.may_audit(),
        }
    }
}

/// Every subscription.
#[derive(Template)]
#[template(path = "merchant/office/subscriptions.html")]
pub struct SubscriptionsPage {
    /// Around the content.
    pub frame: Frame,
    /// Newest first.
    pub rows: Vec<SubscriptionRow>,
}

/// The login.
#[derive(Template)]
#[template(path = "merchant/office/login.html")]
pub struct LoginPage {
    /// Token of the form.
    pub form_token: String,
    /// As typed.
    pub name: String,
    /// What is wrong.
    pub error: Option<&'static str>,
}

/// An order in the list.
pub struct OrderRow {
    /// Its id.
    pub id: String,
    /// Who ordered.
    pub customer: String,
    /// Their mail address.
    pub email: String,
    /// The total.
    pub total: String,
    /// Where it stands.
    pub state: Pill,
    /// The stable word.
    pub status: &'static str,
    /// Why a person has to look.
    pub attention: Option<&'static str>,
    /// When it was placed.
    pub placed: When,
}

/// A choice of the status filter.
pub struct Choice {
    /// Stable word, empty for all.
    pub value: &'static str,
    /// For people.
    pub word: &'static str,
    /// The current one.
    pub chosen: bool,
}

/// The orders.
#[derive(Template)]
#[template(path = "merchant/office/orders.html")]
pub struct OrdersPage {
    /// Around the content.
    pub frame: Frame,
    /// Newest first.
    pub orders: Vec<OrderRow>,
    /// The status filter.
    pub choices: Vec<Choice>,
    /// As typed.
    pub search: String,
    /// Only those a person has to look at.
    pub attention: bool,
    /// Query of the next page.
    pub next: Option<String>,
}

/// A notification.
pub struct MessageRow {
    /// Event id.
    pub event: String,
    /// What it said happened.
    pub event_type: String,
    /// The payment.
    pub payment: String,
    /// The order, if it is one of the shop's.
    pub order: Option<String>,
    /// The reference it named otherwise.
    pub reference: String,
    /// Its number within its payment.
    pub sequence: String,
    /// What was made of it.
    pub verdict: String,
    /// Its tone.
    pub tone: &'static str,
    /// What it changed.
    pub effect: String,
    /// How often it came.
    pub deliveries: i64,
    /// When it came first.
    pub at: When,
}

/// A refund that waits for a second person.
pub struct ApprovalRow {
    /// Of which order.
    pub order: String,
    /// Which of its refunds.
    pub number: u32,
    /// How much.
    pub amount: String,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub at: When,
    /// Whether the one who looks may decide.
    pub may_decide: bool,
}

/// Refunds that wait for a second person.
#[derive(Template)]
#[template(path = "merchant/office/approvals.html")]
pub struct ApprovalsPage {
    /// Around the content.
    pub frame: Frame,
    /// Oldest first.
    pub refunds: Vec<ApprovalRow>,
}

/// A payment in the log.
pub struct PaymentLogRow {
    /// Of which order.
    pub order: String,
    /// Which of its payments.
    pub number: i64,
    /// The gateway's id.
    pub id: Option<String>,
    /// Where it stands.
    pub state: Pill,
    /// What is to be paid.
    pub total: String,
    /// Taken.
    pub captured: String,
    /// Given back.
    pub refunded: String,
    /// The card.
    pub card: String,
    /// Why the last card did not work.
    pub decline_code: String,
    /// When it was begun.
    pub at: When,
}

/// The payment log.
#[derive(Template)]
#[template(path = "merchant/office/payments.html")]
pub struct PaymentsPage {
    /// Around the content.
    pub frame: Frame,
    /// Newest first.
    pub payments: Vec<PaymentLogRow>,
    /// Query of the next page.
    pub next: Option<String>,
}

/// A refusal.
pub struct RefusalRow {
    /// When.
    pub at: When,
    /// From where.
    pub peer: String,
    /// Why.
    pub reason: &'static str,
    /// Length of its body.
    pub bytes: usize,
}

/// The webhook inbox.
#[derive(Template)]
#[template(path = "merchant/office/webhooks.html")]
pub struct WebhooksPage {
    /// Around the content.
    pub frame: Frame,
    /// Newest first.
    pub messages: Vec<MessageRow>,
    /// Refused since the start, newest first.
    pub refusals: Vec<RefusalRow>,
    /// Query of the next page.
    pub next: Option<String>,
}

/// One payment on both sides.
pub struct ComparedRow {
    /// Of which order.
    pub order: String,
    /// The payment.
    pub payment: String,
    /// What the shop knows: status, captured, refunded.
    pub shop: Option<(Pill, String, String)>,
    /// What the gateway says.
    pub gateway: Option<(Pill, String, String)>,
    /// What differs.
    pub differences: String,
    /// Whether the order is known here.
    pub known: bool,
}

/// The reconciliation.
#[derive(Template)]
#[template(path = "merchant/office/reconciliation.html")]
pub struct ReconciliationPage {
    /// Around the content.
    pub frame: Frame,
    /// When it was made.
    pub at: When,
    /// Payments that were compared.
    pub payments: Vec<ComparedRow>,
    /// How many differ.
    pub differing: usize,
    /// Whether the gateway's own list could be read.
    pub list_read: bool,
    /// Query of the next page.
    pub next: Option<String>,
}

/// The audit log.
#[derive(Template)]
#[template(path = "merchant/office/audit.html")]
pub struct AuditPage {
    /// Around the content.
    pub frame: Frame,
    /// Newest first.
    pub entries: Vec<AuditRow>,
    /// The first entry that was changed.
    pub broken: Option<i64>,
}

/// What a person did.
pub struct AuditRow {
    /// Its number.
    pub number: i64,
    /// When.
    pub at: When,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More.
    pub detail: String,
}

impl From<&OrderSummary> for OrderRow {
    fn from(order: &OrderSummary) -> Self {
        Self {
            id: order.id.to_string(),
            customer: order.customer_name.clone(),
            email: order.customer_email.clone(),
            total: order.total.to_string(),
            state: order_pill(order.status),
            status: order.status.as_str(),
            attention: order.attention.map(crate::domain::order::Attention::text),
            placed: order.placed_at.into(),
        }
    }
}

/// The choices of the status filter.
pub fn choices(chosen: Option<Status>) -> Vec<Choice> {
    let all = Choice { value: "", word: "All", chosen: chosen.is_none() };
    let each = Status::ALL.into_iter().map(|status| Choice {
        value: status.as_str(),
        word: order_pill(status).word,
        chosen: chosen == Some(status),
    });
    std::iter::once(all).chain(each).collect()
}

impl From<&Message> for MessageRow {
    fn from(message: &Message) -> Self {
        let (tone, verdict) = (verdict_tone(&message.verdict), message.verdict.as_str());
        Self {
            event: message.event.clone(),
            event_type: message.event_type.clone(),
            payment: message.payment.map(|id| id.to_string()).unwrap_or_default(),
            order: message.order.map(|id| id.to_string()),
            reference: message.reference.clone().unwrap_or_default(),
            sequence: message.sequence.map(|it| it.to_string()).unwrap_or_default(),
            verdict: verdict.replace("refused:", "refused: ").replace('_', " "),
            tone,
            effect: message.effect.clone().unwrap_or_default(),
            deliveries: message.deliveries,
            at: message.received_at.into(),
        }
    }
}

impl From<&PaymentSummary> for PaymentLogRow {
    fn from(payment: &PaymentSummary) -> Self {
        Self {
            order: payment.order.to_string(),
            number: payment.number,
            id: payment.id.map(|id| id.to_string()),
            state: payment_pill(payment.status),
            total: payment.total.to_string(),
            captured: payment.captured.to_string(),
            refunded: payment.refunded.to_string(),
            card: payment.card.clone().unwrap_or_default(),
            decline_code: payment.decline_code.clone().unwrap_or_default(),
            at: payment.created_at.into(),
        }
    }
}

impl From<&RefusedMessage> for RefusalRow {
    fn from(message: &RefusedMessage) -> Self {
        Self {
            at: message.at.into(),
            peer: message.peer.to_string(),
            reason: message.reason,
            bytes: message.bytes,
        }
    }
}

impl From<&Audited> for AuditRow {
    fn from(entry: &Audited) -> Self {
        Self {
            number: entry.number,
            at: entry.at.into(),
            actor: entry.actor.clone(),
            action: entry.action.replace('_', " "),
            subject: entry.subject.clone(),
            detail: entry.detail.clone(),
        }
    }
}

/// A waiting refund as somebody sees it: the one who asked cannot decide.
pub fn approval_row(refund: &RefundSummary, frame: &Frame) -> ApprovalRow {
    ApprovalRow {
        order: refund.order.to_string(),
        number: refund.number,
        amount: refund.amount.to_string(),
        reason: refund.reason.clone(),
        requested_by: refund.requested_by.clone(),
        at: refund.created_at.into(),
        may_decide: frame.may_refund && refund.requested_by != frame.name,
    }
}

impl From<&Compared> for ComparedRow {
    fn from(compared: &Compared) -> Self {
        let side = |side: &Side| {
            (payment_pill(side.status), side.captured.to_string(), side.refunded.to_string())
        };
        Self {
            order: compared.order.to_string(),
            payment: compared.payment.map(|id| id.to_string()).unwrap_or_default(),
            shop: compared.shop.as_ref().map(side),
            gateway: compared.gateway.as_ref().map(side),
            differences: compared.differences.join(", "),
            known: compared.shop.is_some(),
        }
    }
}

impl ReconciliationPage {
    /// The result of a comparison.
    pub fn new(frame: Frame, report: &Report) -> Self {
        Self {
            frame,
            at: report.at.into(),
            differing: report.differing(),
            payments: report.payments.iter().map(ComparedRow::from).collect(),
            list_read: report.list_read,
            next: report.next.map(|row| format!("before={row}")),
        }
    }
}
