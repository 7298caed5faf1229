//! Comparing the shop's payments with the gateway's. Finds differences, corrects nothing.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use wire::ids::{OrderId, PaymentId};
use wire::money::Money;
use wire::time::Timestamp;

use crate::domain::payment::{Snapshot, Status};
use crate::gateway::Failure;
use crate::store::StoreError;
use crate::store::lists::PaymentSummary;

use super::Context;

/// Payments compared at once.
pub const COMPARED_MAX: u32 = 50;
/// Calls to the gateway at a time.
const CALLS_AT_ONCE: usize = 8;

/// One payment on both sides.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Of which order.
    pub order: OrderId,
    /// The payment, once it has an id.
    pub payment: Option<PaymentId>,
    /// What the shop knows.
    pub shop: Option<Side>,
    /// What the gateway says.
    pub gateway: Option<Side>,
    /// What differs; empty when both agree.
    pub differences: Vec<&'static str>,
}

/// One side's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Where the payment stands.
    pub status: Status,
    /// What is to be paid.
    pub amount: Money,
    /// Taken.
    pub captured: Money,
    /// Given back.
    pub refunded: Money,
}

/// The result of a comparison.
#[derive(Debug, Clone)]
pub struct Report {
    /// When it was made.
    pub at: Timestamp,
    /// Every payment that was looked at, newest first.
    pub payments: Vec<Compared>,
    /// Row of the last payment, for the next page.
    pub next: Option<i64>,
    /// Whether the gateway's own list could be read.
    pub list_read: bool,
}

impl Report {
    /// How many payments differ.
    pub fn differing(&self) -> usize {
        self.payments.iter().filter(|it| !it.differences.is_empty()).count()
    }
}

/// Compares the newest payments, or those before a row, with the gateway.
pub async fn reconcile(context: &Context, before: Option<i64>) -> Result<Report, StoreError> {
    let ours = context.store.payments(before, COMPARED_MAX).await?;
    let full = u32::try_from(ours.len()).is_ok_and(|count| count == COMPARED_MAX);
    let next = ours.last().filter(|_| full).map(|payment| payment.row);
    let mut payments: Vec<Compared> = futures_util::stream::iter(ours)
        .map(|payment| compare(context, payment))
        .buffered(CALLS_AT_ONCE)
        .collect()
        .await;
    let mut list_read = true;
    if before.is_none() {
        match strangers(context, &payments).await? {
            Some(mut unknown) => payments.append(&mut unknown),
            None => list_read = false,
        }
    }
    Ok(Report { at: context.clock.now(), payments, next, list_read })
}

async fn compare(context: &Context, ours: PaymentSummary) -> Compared {
    let shop = Side {
        status: ours.status,
        amount: ours.total,
        captured: ours.captured,
        refunded: ours.refunded,
    };
    let mut compared = Compared {
        order: ours.order,
        payment: ours.id,
        shop: Some(shop.clone()),
        gateway: None,
        differences: Vec::new(),
    };
    let Some(id) = ours.id else {
        if ours.status == Status::Creating {
            compared.differences.push("not made yet");
        }
        return compared;
    };
    match context.gateway.payment(ours.order, id).await {
        Ok(shown) => {
            let gateway = side(&shown.snapshot);
            compared.differences = differences(&shop, &gateway);
            if shown.snapshot.order_reference != ours.order.to_string() {
                compared.differences.push("order");
            }
            compared.gateway = Some(gateway);
        }
        Err(Failure::Refused { .. }) => compared.differences.push("missing at the gateway"),
        Err(Failure::Unknown(_)) => compared.differences.push("the gateway did not answer"),
    }
    compared
}

fn side(snapshot: &Snapshot) -> Side {
    let currency = snapshot.amount.currency;
    Side {
        status: snapshot.status,
        amount: snapshot.amount,
        captured: Money::new(snapshot.captured, currency),
        refunded: Money::new(snapshot.refunded, currency),
    }
}

fn differences(shop: &Side, gateway: &Side) -> Vec<&'static str> {
    let checks = [
        ("status", shop.status != gateway.status),
        ("amount", shop.amount != gateway.amount),
        ("captured", shop.captured != gateway.captured),
        ("refunded", shop.refunded != gateway.refunded),
    ];
    checks.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// Payments at the gateway that name an order in the shop's form and that the shop does not know.
async fn strangers(
    context: &Context,
    compared: &[Compared],
) -> Result<Option<Vec<Compared>>, StoreError> {
    let known: BTreeSet<PaymentId> = compared.iter().filter_map(|it| it.payment).collect();
    let Ok(newest) = context.gateway.newest_payments().await else { return Ok(None) };
    let mut unknown = Vec::new();
    for snapshot in newest {
        let Ok(order) = snapshot.order_reference.parse::<OrderId>() else { continue };
        let payment = snapshot.payment;
        if known.contains(&payment) || context.store.knows_payment(payment).await? {
            continue;
        }
        unknown.push(Compared {
            order,
            payment: Some(payment),
            shop: None,
            gateway: Some(side(&snapshot)),
            differences: vec!["missing in the shop"],
        });
    }
    Ok(Some(unknown))
}
