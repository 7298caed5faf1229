//! Looking at things: who may see which order, and what pages show.

use wire::ids::OrderId;
use wire::time::Timestamp;

use crate::domain::operator::Actor;
use crate::keys::sha256;
use crate::store::StoreError;
use crate::store::audit::Audited;
use crate::store::inbox::Message;
use crate::store::lists::{HistoryLine, OrderFilter, OrderSummary, PaymentSummary, RefundSummary};
use crate::store::orders::Stored;

use super::{Context, Trouble};

/// Orders on one page of the history.
const HISTORY_MAX: u32 = 50;
/// Rows on one page of the back office.
pub const ROWS_MAX: u32 = 25;

/// What somebody shows to see an order.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The visitor's cookie.
    pub cookie: Option<String>,
    /// The order's own key.
    pub order_key: Option<String>,
    /// The back office.
    pub operator: Option<Actor>,
    /// The control plane.
    pub sandbox: bool,
}

/// Whether these credentials open the order. An absent order is as closed as a foreign one.
pub async fn may_see(
    context: &Context,
    id: OrderId,
    credentials: &Credentials,
) -> Result<bool, StoreError> {
    let keyed = credentials.order_key.as_ref().is_some_and(|key| context.keys.opens_order(id, key));
    if keyed || credentials.sandbox || credentials.operator.is_some() {
        return Ok(true);
    }
    let Some(cookie) = &credentials.cookie else { return Ok(false) };
    match context.store.visitor(sha256(cookie.as_bytes())).await? {
        Some(visitor) => context.store.may_see(visitor.row, id).await,
        None => Ok(false),
    }
}

/// Lets a cookie see an order from now on: its owner came with the order's key.
pub async fn let_see(context: &Context, cookie: &str, id: OrderId) -> Result<(), StoreError> {
    let visitor =
        context.store.know_visitor(sha256(cookie.as_bytes()), context.clock.now()).await?;
    context.store.let_see(visitor.row, id).await
}

/// An order.
pub async fn order(context: &Context, id: OrderId) -> Result<Stored, Trouble> {
    context.store.order(id).await?.ok_or(Trouble::NoOrder)
}

/// An order with what happened to it, for the back office.
#[derive(Debug)]
pub struct OrderFile {
    /// The order.
    pub stored: Stored,
    /// What happened, oldest first.
    pub history: Vec<HistoryLine>,
    /// Notifications about it, newest first.
    pub messages: Vec<Message>,
    /// When the goods left.
    pub fulfilled_at: Option<Timestamp>,
}

/// An order with what happened to it.
pub async fn order_file(context: &Context, id: OrderId) -> Result<OrderFile, Trouble> {
    let stored = order(context, id).await?;
    Ok(OrderFile {
        history: context.store.history(stored.row).await?,
        messages: context.store.inbox(None, Some(id), ROWS_MAX).await?,
        fulfilled_at: context.store.fulfilled_at(stored.row).await?,
        stored,
    })
}

/// The orders of a cookie, newest first.
pub async fn own_orders(
    context: &Context,
    cookie: Option<&str>,
) -> Result<Vec<OrderSummary>, StoreError> {
    let Some(cookie) = cookie else { return Ok(Vec::new()) };
    match context.store.visitor(sha256(cookie.as_bytes())).await? {
        Some(visitor) => context.store.orders_of(visitor.row, HISTORY_MAX).await,
        None => Ok(Vec::new()),
    }
}

/// Orders for the back office.
pub async fn orders(
    context: &Context,
    filter: OrderFilter,
    limit: u32,
) -> Result<Vec<OrderSummary>, StoreError> {
    context.store.orders(filter, limit).await
}

/// The payment log.
pub async fn payments(
    context: &Context,
    before: Option<i64>,
) -> Result<Vec<PaymentSummary>, StoreError> {
    context.store.payments(before, ROWS_MAX).await
}

/// The webhook inbox.
pub async fn inbox(context: &Context, before: Option<i64>) -> Result<Vec<Message>, StoreError> {
    context.store.inbox(before, None, ROWS_MAX).await
}

/// Refunds that wait for a second person.
pub async fn approvals(context: &Context) -> Result<Vec<RefundSummary>, StoreError> {
    context.store.refunds_awaiting_approval().await
}

/// How many of them there are.
pub async fn approvals_waiting(context: &Context) -> Result<u32, StoreError> {
    context.store.approvals_waiting().await
}

/// The audit log, and the first entry that was changed.
pub async fn audit(context: &Context) -> Result<(Vec<Audited>, Option<i64>), StoreError> {
    Ok((context.store.actions(200).await?, context.store.broken_audit_entry().await?))
}
