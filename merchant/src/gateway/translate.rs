//! Between the gateway's words and the shop's own.

use wire::card::Brand;
use wire::gateway_api::{
    CaptureMode, CreatePayment, CustomerDetails, LineItem, PaymentStatus, PaymentView,
    RefundStatus, RefundView, SaveCard,
};
use wire::ids::{CardId, CustomerId};
use wire::json::Metadata;
use wire::stored_credential::{Initiator, MitReason, PaymentPurpose};

use crate::domain::order::Order;
use crate::domain::payment::{CardSummary, RefundNews, RefundOutcome, Snapshot, Status};

/// Name in the metadata under which the shop notes the key a payment was asked for with.
const KEY_IN_METADATA: &str = "payment_key";

/// Longest description the gateway takes.
const DESCRIPTION_MAX: usize = 200;

/// What the payer of a subscription agrees to.
const SUBSCRIPTION_WORDS: &str = "I agree that Kettle & Kiln saves this card and charges it each \
                                  month for my tea subscription, until I cancel.";

/// How a payment comes about.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// On the payment page.
    Page,
    /// The same, and the customer is asked whether the card may be saved.
    Saving(CustomerId),
    /// The same, for a subscription: it cannot do without.
    Subscribing(CustomerId),
    /// With a saved card, by the customer, at once.
    Saved(CustomerId, CardId),
    /// With a saved card, by the shop, without the customer.
    ByShop(CustomerId, CardId),
}

/// The bytes that ask for a payment of an order.
pub fn payment_request(
    order: &Order,
    idempotency_key: &str,
    return_url: &str,
    how: How,
) -> Vec<u8> {
    let mut metadata = Metadata::default();
    metadata.0.insert(KEY_IN_METADATA.to_owned(), idempotency_key.to_owned());
    let line = |line: &crate::domain::order::Line| LineItem {
        name: line.name.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
    };
    let (customer_id, card) = match how {
        How::Page => (None, None),
        How::Saving(customer) | How::Subscribing(customer) => (Some(customer), None),
        How::Saved(customer, card) | How::ByShop(customer, card) => (Some(customer), Some(card)),
    };
    let by_shop = matches!(how, How::ByShop(..));
    let request = CreatePayment {
        amount: order.total,
        order_reference: order.id.to_string(),
        capture: CaptureMode::Automatic,
        return_url: Some(return_url.to_owned()),
        cancel_url: Some(return_url.to_owned()),
        statement_descriptor: None,
        description: Some(description(order)),
        customer: Some(CustomerDetails {
            name: Some(order.customer.name.clone()),
            email: Some(order.customer.email.clone()),
        }),
        line_items: order.lines.iter().map(line).collect(),
        metadata,
        card_token: None,
        confirm: card.is_some(),
        accept_partial: None,
        estimated: false,
        mcc: None,
        previous_payment: None,
        three_ds: None,
        purpose: PaymentPurpose::Purchase,
        check_rules: None,
        customer_id,
        save_card: match how {
            How::Page | How::Saved(..) | How::ByShop(..) => None,
            How::Saving(_) => {
                Some(SaveCard { reason: MitReason::Unscheduled, required: false, text: None })
            }
            How::Subscribing(_) => Some(SaveCard {
                reason: MitReason::Recurring,
                required: true,
                text: Some(SUBSCRIPTION_WORDS.to_owned()),
            }),
        },
        card,
        initiator: if by_shop { Initiator::Merchant } else { Initiator::Customer },
        mit_reason: by_shop.then_some(MitReason::Recurring),
        agreement: None,
    };
    // Texts and integers only: this cannot fail, and an empty body would be refused.
    serde_json::to_vec(&request).unwrap_or_default()
}

/// What the payer reads above the card form.
fn description(order: &Order) -> String {
    let first = order.lines.first().map_or("", |line| line.name.as_str());
    let text = match order.lines.len() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} and one more"),
        count => format!("{first} and {} more", count.saturating_sub(1)),
    };
    text.chars().take(DESCRIPTION_MAX).collect()
}

/// The key a payment was asked for with: noted by the shop, or the nonce of its sealed form.
fn key_of(view: &PaymentView) -> Option<String> {
    let names = [KEY_IN_METADATA, "nonce"];
    names.iter().find_map(|name| view.metadata.0.get(*name).cloned())
}

/// What the gateway says about a payment.
pub fn snapshot(view: &PaymentView) -> Snapshot {
    let approved = view.attempts.iter().rev().find_map(|attempt| attempt.auth_code.clone());
    Snapshot {
        payment: view.id,
        order_reference: view.order_reference.clone(),
        idempotency_key: key_of(view),
        amount: view.amount,
        status: status(view.status),
        outcome_unknown: view.outcome_unknown,
        needs_action: view.status == PaymentStatus::RequiresAction,
        attempts: u32::try_from(view.attempts.len()).unwrap_or(u32::MAX),
        declined: view.failure.as_ref().map(|failure| failure.code.family()),
        decline_code: view.failure.as_ref().map(|failure| failure.code.as_str().to_owned()),
        captured: view.amounts.captured,
        refunded: view.amounts.refunded,
        refunds: view.refunds.iter().map(refund).collect(),
        card: view.card.as_ref().map(|card| CardSummary {
            brand: brand_name(&card.brand),
            last4: card.last4.chars().take(4).collect(),
        }),
        approval_code: approved,
    }
}

/// What the gateway says about a refund.
pub(super) fn refund(view: &RefundView) -> RefundNews {
    RefundNews {
        id: view.id,
        amount: view.amount,
        outcome: match view.status {
            RefundStatus::Pending => RefundOutcome::Pending,
            RefundStatus::Succeeded => RefundOutcome::Succeeded,
            RefundStatus::Failed | RefundStatus::Reversed => RefundOutcome::Failed,
        },
        reason: view.reason.clone(),
        failure: view.failure.as_ref().map(|failure| failure.code.as_str().to_owned()),
        moved_to: view.moved_to.as_ref().map(|last4| last4.chars().take(4).collect()),
    }
}

const fn status(status: PaymentStatus) -> Status {
    match status {
        PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresAction => Status::Open,
        PaymentStatus::Processing => Status::Checking,
        PaymentStatus::Authorized | PaymentStatus::PartiallyCaptured | PaymentStatus::Verified => {
            Status::Authorized
        }
        PaymentStatus::Captured => Status::Captured,
        PaymentStatus::CaptureFailed => Status::CaptureFailed,
        PaymentStatus::Canceled => Status::Canceled,
        PaymentStatus::Expired => Status::Expired,
        PaymentStatus::Failed => Status::Failed,
    }
}

fn brand_name(word: &str) -> String {
    word.parse::<Brand>().map_or_else(|_| word.to_owned(), |it| it.display_name().to_owned())
}
