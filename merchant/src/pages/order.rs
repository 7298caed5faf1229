//! A customer's order: what is true right now, and the one next step.

use askama::Template;
use wire::codes::Family;
use wire::money::{MinorUnits, Money};

use super::Frame;
use super::shown::{Pill, When, order_pill};
use crate::domain::catalogue::{self, Product};
use crate::domain::order::{Order, State, Status, Unpaid};
use crate::domain::payment::{Payment, Status as PaymentStatus};
use crate::domain::refund::State as RefundState;

/// A position of an order.
pub struct LineRow {
    /// What.
    pub name: String,
    /// Path of its picture, if it is still sold.
    pub picture: Option<String>,
    /// How many.
    pub quantity: u32,
    /// Price of one.
    pub price: String,
    /// Price of the line.
    pub total: String,
}

/// Money that went back, or is about to.
pub struct RefundRow {
    /// How much.
    pub amount: String,
    /// Where it stands, for customers.
    pub text: String,
    /// When it was asked for.
    pub at: When,
}

/// The sentence that tells how the order stands.
pub struct Story {
    /// good, bad, wait, or empty.
    pub tone: &'static str,
    /// Sign before it.
    pub sign: &'static str,
    /// The head.
    pub head: String,
    /// What it means.
    pub text: String,
    /// Label of the button that pays, when there is something to pay.
    pub pay: Option<String>,
    /// Whether the order can be canceled.
    pub can_cancel: bool,
    /// Whether the goods can be put back into the cart.
    pub can_reorder: bool,
    /// Whether there is a receipt.
    pub has_receipt: bool,
    /// Seconds after which the page looks again by itself.
    pub refresh: Option<u32>,
}

/// An order as its customer sees it.
#[derive(Template)]
#[template(path = "merchant/order.html")]
pub struct OrderPage {
    /// Around the content.
    pub frame: Frame,
    /// Its id.
    pub id: String,
    /// The stable word.
    pub status: &'static str,
    /// Where it stands.
    pub state: Pill,
    /// What to say.
    pub story: Story,
    /// A message about what was just asked for.
    pub notice: Option<Notice>,
    /// What was ordered.
    pub lines: Vec<LineRow>,
    /// The total.
    pub total: String,
    /// `Visa ending in 4242`
    pub card: Option<String>,
    /// Money that went back.
    pub refunds: Vec<RefundRow>,
    /// What is left after refunds.
    pub kept: Option<String>,
    /// Name and mail address.
    pub customer: (String, String),
    /// When it was placed.
    pub placed: When,
}

/// A message about what was just asked for.
#[derive(Clone, Debug)]
pub struct Notice {
    /// good, bad, wait, or empty.
    pub tone: &'static str,
    /// The message.
    pub text: &'static str,
}

/// The receipt.
#[derive(Template)]
#[template(path = "merchant/receipt.html")]
pub struct ReceiptPage {
    /// Around the content.
    pub frame: Frame,
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: Pill,
    /// What was ordered.
    pub lines: Vec<LineRow>,
    /// The total.
    pub total: String,
    /// Taken.
    pub captured: String,
    /// Money that went back.
    pub refunds: Vec<RefundRow>,
    /// What is left after refunds.
    pub kept: Option<String>,
    /// `Visa ending in 4242`
    pub card: Option<String>,
    /// Payment at the gateway.
    pub payment: String,
    /// The issuer's approval code.
    pub approval_code: Option<String>,
    /// Name and mail address.
    pub customer: (String, String),
    /// When it was placed.
    pub placed: When,
    /// When the goods left.
    pub paid: When,
}

impl OrderPage {
    /// An order as its customer sees it.
    pub fn new(frame: Frame, order: &Order, notice: Option<Notice>) -> Self {
        Self {
            frame,
            id: order.id.to_string(),
            status: order.status().as_str(),
            state: order_pill(order.status()),
            story: story(order),
            notice,
            lines: lines(order),
            total: order.total.to_string(),
            card: card(order),
            refunds: refunds(order),
            kept: kept(order),
            customer: (order.customer.name.clone(), order.customer.email.clone()),
            placed: order.placed_at.into(),
        }
    }
}

impl ReceiptPage {
    /// The receipt of a paid order; none before it is paid.
    pub fn new(frame: Frame, order: &Order, paid: When) -> Option<Self> {
        let State::Fulfilled { payment, captured, .. } = &order.state else { return None };
        let paid_by = order.payments.iter().find(|it| it.id == Some(*payment));
        Some(Self {
            frame,
            id: order.id.to_string(),
            state: order_pill(order.status()),
            lines: lines(order),
            total: order.total.to_string(),
            captured: Money::new(*captured, order.total.currency).to_string(),
            refunds: refunds(order),
            kept: kept(order),
            card: card(order),
            payment: payment.to_string(),
            approval_code: paid_by.and_then(|payment| payment.approval_code.clone()),
            customer: (order.customer.name.clone(), order.customer.email.clone()),
            placed: order.placed_at.into(),
            paid,
        })
    }
}

fn lines(order: &Order) -> Vec<LineRow> {
    let currency = order.total.currency;
    let row = |line: &crate::domain::order::Line| LineRow {
        name: line.name.clone(),
        picture: catalogue::find(&line.sku).map(Product::picture),
        quantity: line.quantity,
        price: Money::new(line.unit_price, currency).to_string(),
        total: Money::new(line.total(), currency).to_string(),
    };
    order.lines.iter().map(row).collect()
}

fn card(order: &Order) -> Option<String> {
    let card = order.current()?.card.as_ref()?;
    Some(format!("{} ending in {}", card.brand, card.last4))
}

fn refunds(order: &Order) -> Vec<RefundRow> {
    let currency = order.total.currency;
    let row = |refund: &crate::domain::refund::Refund| {
        let text = match refund.state {
            RefundState::Sending | RefundState::Pending { .. } => {
                "On its way back to your card".to_owned()
            }
            RefundState::Succeeded { .. } => match &refund.moved_to {
                Some(last4) => format!("Refunded to your new card ending in {last4}"),
                None => "Refunded to your card".to_owned(),
            },
            // What the shop has not agreed to, or what failed, is no news for a customer.
            RefundState::AwaitingApproval | RefundState::Failed { .. } | RefundState::Rejected => {
                return None;
            }
        };
        let amount = Money::new(refund.amount, currency).to_string();
        Some(RefundRow { amount, text, at: refund.created_at.into() })
    };
    order.refunds.iter().filter_map(row).collect()
}

fn kept(order: &Order) -> Option<String> {
    let State::Fulfilled { captured, refunded, .. } = &order.state else { return None };
    if refunded.is_zero() {
        return None;
    }
    let left = captured.checked_sub(*refunded).unwrap_or(MinorUnits::ZERO);
    Some(Money::new(left, order.total.currency).to_string())
}

/// What is true now, in words; never more certain than the shop is.
fn story(order: &Order) -> Story {
    let total = order.total;
    match order.status() {
        Status::AwaitingPayment => awaiting(order),
        Status::Checking => Story {
            tone: "wait",
            sign: "…",
            head: "We are checking with your bank".to_owned(),
            text: "Please do not pay again. This page looks again by itself, and you may leave \
                   it: we will know."
                .to_owned(),
            refresh: Some(3),
            ..Story::still()
        },
        Status::Paid => Story {
            tone: "good",
            sign: "✓",
            head: "Paid. Thank you!".to_owned(),
            text: format!("We have received {total} and are packing your order."),
            has_receipt: true,
            ..Story::still()
        },
        Status::Declined => declined(order),
        Status::Canceled => Story {
            head: "This order is canceled".to_owned(),
            text: "You have not been charged. Nothing will be sent.".to_owned(),
            pay: Some(format!("Pay {total} after all")),
            can_reorder: true,
            ..Story::still()
        },
        Status::PartiallyRefunded => Story {
            tone: "good",
            sign: "✓",
            head: "Paid, and partially refunded".to_owned(),
            text: "A part of the money went back to your card. Banks take a few days to show it."
                .to_owned(),
            has_receipt: true,
            ..Story::still()
        },
        Status::Refunded => Story {
            sign: "↩",
            head: "Refunded".to_owned(),
            text: format!("{total} went back to your card. Banks take a few days to show it."),
            has_receipt: true,
            ..Story::still()
        },
    }
}

impl Story {
    /// Nothing to do, nothing to wait for.
    const fn still() -> Self {
        Self {
            tone: "",
            sign: "–",
            head: String::new(),
            text: String::new(),
            pay: None,
            can_cancel: false,
            can_reorder: false,
            has_receipt: false,
            refresh: None,
        }
    }
}

fn awaiting(order: &Order) -> Story {
    let status = order.current().map(|payment| payment.status);
    let pay = Some(format!("Pay {}", order.total));
    if order.open_payment().is_some_and(|payment| payment.needs_action) {
        return Story {
            tone: "wait",
            sign: "?",
            head: "Your bank asks you to confirm the payment".to_owned(),
            text: "You have not been charged. Go back to the payment page: it leads on to your \
                   bank."
                .to_owned(),
            pay: Some("Confirm the payment".to_owned()),
            can_cancel: true,
            ..Story::still()
        };
    }
    let story = Story {
        tone: "wait",
        sign: "…",
        head: "Waiting for your payment".to_owned(),
        can_cancel: true,
        pay,
        ..Story::still()
    };
    match status {
        Some(PaymentStatus::Creating) => Story {
            head: "The payment page is being prepared".to_owned(),
            text: "It takes longer than usual. You have not been charged. This page looks again \
                   by itself."
                .to_owned(),
            refresh: Some(5),
            ..story
        },
        Some(PaymentStatus::Expired) => Story {
            text: "The payment page has expired. You have not been charged.".to_owned(),
            ..story
        },
        Some(PaymentStatus::Refused) => Story {
            tone: "bad",
            sign: "!",
            head: "The payment could not be started".to_owned(),
            text: "The fault is on our side. You have not been charged. Please try again."
                .to_owned(),
            ..story
        },
        Some(
            PaymentStatus::Open
            | PaymentStatus::Checking
            | PaymentStatus::Authorized
            | PaymentStatus::Captured
            | PaymentStatus::CaptureFailed
            | PaymentStatus::Canceled
            | PaymentStatus::Failed,
        )
        | None => Story {
            text: "Your order is placed and its price is fixed. It goes out once it is paid."
                .to_owned(),
            ..story
        },
    }
}

fn declined(order: &Order) -> Story {
    let State::Unpaid(Unpaid::Declined { family }) = order.state else { return Story::still() };
    let reversed = order.current().is_some_and(is_reversed);
    let text = match family {
        // Only where it is certain that nothing was taken.
        Family::TryLater if reversed => family.payer_message(),
        Family::TryLater => "Your bank did not answer. Try again in a few minutes.",
        Family::Generic
        | Family::Funds
        | Family::CheckDetails
        | Family::Authenticate
        | Family::ContactBank
        | Family::OurSide
        | Family::Unknown => family.payer_message(),
    };
    let label = match family {
        Family::CheckDetails | Family::Authenticate | Family::TryLater => "Try again",
        Family::Generic
        | Family::Funds
        | Family::ContactBank
        | Family::OurSide
        | Family::Unknown => "Pay with another card",
    };
    Story {
        tone: "bad",
        sign: "!",
        head: "The payment did not work".to_owned(),
        text: text.to_owned(),
        pay: Some(label.to_owned()),
        can_cancel: true,
        ..Story::still()
    }
}

/// A payment that ended without money: nothing can be taken any more.
fn is_reversed(payment: &Payment) -> bool {
    payment.status == PaymentStatus::Failed && payment.captured.is_zero()
}
