//! What the shop knows of a customer: handed out, and erased, when they ask for it.

use serde::Serialize;
use wire::gateway_api::CustomerExport;
use wire::time::Timestamp;

use crate::domain::subscription::{State, Subscription};
use crate::gateway::Failure;
use crate::keys::sha256;
use crate::store::lists::OrderSummary;

use super::{Context, Trouble, subscriptions};

/// Orders in an export.
const ORDERS_MAX: u32 = 10_000;

/// What is known of a browser.
pub struct Known {
    /// Its orders, newest first.
    pub orders: Vec<OrderSummary>,
    /// Its subscriptions, newest first.
    pub subscriptions: Vec<Subscription>,
    /// Whether the gateway knows it as a customer.
    pub at_gateway: bool,
}

/// What a customer gets as a file.
#[derive(Serialize)]
pub struct Export {
    orders: Vec<ExportedOrder>,
    subscriptions: Vec<ExportedSubscription>,
    /// What the payment gateway knows, where cards are saved.
    payment_gateway: Option<CustomerExport>,
    exported_at: Timestamp,
}

#[derive(Serialize)]
struct ExportedOrder {
    id: String,
    name: String,
    email: String,
    status: &'static str,
    currency: String,
    total: i64,
    refunded: i64,
    placed_at: Timestamp,
}

#[derive(Serialize)]
struct ExportedSubscription {
    id: String,
    name: String,
    email: String,
    status: &'static str,
    months_paid: u32,
    created_at: Timestamp,
}

/// What became of the wish to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    /// Nothing of the person is left.
    Done,
    /// A payment is still open: it needs the name and the mail address.
    PaymentOpen,
}

/// What is known of a browser.
pub async fn known(context: &Context, cookie: &str) -> Result<Known, Trouble> {
    let at_gateway = subscriptions::customer(context, cookie).await?.is_some();
    let orders = match context.store.visitor(sha256(cookie.as_bytes())).await? {
        Some(visitor) => context.store.orders_of(visitor.row, ORDERS_MAX).await?,
        None => Vec::new(),
    };
    let subscriptions = subscriptions::own(context, cookie).await?;
    Ok(Known { orders, subscriptions, at_gateway })
}

/// Everything that shop and gateway know of a browser's customer.
pub async fn export(context: &Context, cookie: &str) -> Result<Export, Trouble> {
    let known = known(context, cookie).await?;
    let payment_gateway = match subscriptions::customer(context, cookie).await? {
        Some(customer) => Some(context.gateway.export_customer(customer).await.map_err(silent)?),
        None => None,
    };
    Ok(Export {
        orders: known.orders.iter().map(ExportedOrder::from).collect(),
        subscriptions: known.subscriptions.iter().map(ExportedSubscription::from).collect(),
        payment_gateway,
        exported_at: context.clock.now(),
    })
}

/// Erases a browser's customer: subscriptions end, the gateway forgets the cards, and names and
/// mail addresses go. Amounts, references and dates stay, since the books need them.
pub async fn erase(context: &Context, cookie: &str) -> Result<Erased, Trouble> {
    let Some(visitor) = context.store.visitor(sha256(cookie.as_bytes())).await? else {
        return Ok(Erased::Done);
    };
    if context.store.has_open_payment(visitor.row).await? {
        return Ok(Erased::PaymentOpen);
    }
    for subscription in subscriptions::own(context, cookie).await? {
        if subscription.state != State::Canceled {
            subscriptions::cancel(context, cookie, subscription.id).await?;
        }
    }
    if let Some(customer) = subscriptions::customer(context, cookie).await? {
        match context.gateway.erase_customer(customer).await {
            // Erased before, by a press whose answer got lost.
            Ok(()) | Err(Failure::Refused { status: 404, .. }) => {}
            Err(failure) => return Err(silent(failure)),
        }
    }
    context.store.erase_visitor(visitor.row, context.clock.now()).await?;
    Ok(Erased::Done)
}

fn silent(failure: Failure) -> Trouble {
    tracing::warn!(%failure, "the gateway did not help with a customer's data");
    Trouble::GatewaySilent
}

impl From<&OrderSummary> for ExportedOrder {
    fn from(order: &OrderSummary) -> Self {
        Self {
            id: order.id.to_string(),
            name: order.customer_name.clone(),
            email: order.customer_email.clone(),
            status: order.status.as_str(),
            currency: order.total.currency.code().to_owned(),
            total: order.total.value.get(),
            refunded: order.refunded.value.get(),
            placed_at: order.placed_at,
        }
    }
}

impl From<&Subscription> for ExportedSubscription {
    fn from(it: &Subscription) -> Self {
        Self {
            id: it.id.to_string(),
            name: it.customer.name.clone(),
            email: it.customer.email.clone(),
            status: it.state.as_str(),
            months_paid: it.months,
            created_at: it.created_at,
        }
    }
}
