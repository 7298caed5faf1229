//! The shop's own API: orders for programs. Unknown fields are refused, prices are ours.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use kit::http::{Problem, ReceivedRequest, json};
use serde::{Deserialize, Serialize};
use wire::ids::OrderId;
use wire::money::{MinorUnits, Money};

use super::browser::{Colleague, Guest, check_origin};
use super::{answer, error, orders};
use crate::domain::cart::{Basket, CartLine, CartRefusal, Quantity};
use crate::domain::catalogue;
use crate::domain::customer::Customer;
use crate::domain::operator::{Actor, Role};
use crate::domain::order::{Order, State, Unpaid};
use crate::domain::refund::State as RefundState;
use crate::operations::cancel_order::{self, Canceled};
use crate::operations::look::Credentials;
use crate::operations::pay::NextStep;
use crate::operations::refund::Ask;
use crate::operations::{Context, look, pay as paying, place_order, refund as refunding};
use crate::store::orders::Placed;

/// Longest idempotency key.
const KEY_CHARACTERS_MAX: usize = 255;

/// `POST /api/orders`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceOrder {
    sku: Option<String>,
    quantity: Option<i64>,
    items: Option<Vec<Item>>,
    customer: Option<CustomerFields>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    sku: String,
    #[serde(default = "one")]
    quantity: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerFields {
    name: String,
    email: String,
}

const fn one() -> i64 {
    1
}

/// A body without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `POST /api/orders/{order}/refunds`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundFields {
    amount: Option<i64>,
    reason: String,
}

/// An order, for programs.
#[derive(Serialize)]
struct OrderView {
    id: OrderId,
    object: &'static str,
    status: &'static str,
    amount: Money,
    amounts: AmountsView,
    items: Vec<ItemView>,
    payments: Vec<PaymentRow>,
    refunds: Vec<RefundRow>,
    fulfilments: u32,
    attention: Option<&'static str>,
    created_at: wire::time::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
}

#[derive(Serialize)]
struct AmountsView {
    captured: MinorUnits,
    refunded: MinorUnits,
    refundable: MinorUnits,
}

#[derive(Serialize)]
struct ItemView {
    sku: String,
    name: String,
    quantity: u32,
    unit_price: MinorUnits,
}

#[derive(Serialize)]
struct PaymentRow {
    number: u32,
    id: Option<wire::ids::PaymentId>,
    status: &'static str,
    outcome_unknown: bool,
    decline_code: Option<String>,
}

#[derive(Serialize)]
struct RefundRow {
    number: u32,
    id: Option<wire::ids::RefundId>,
    amount: Money,
    status: &'static str,
    reason: String,
    requested_by: String,
    approved_by: Option<String>,
    failure: Option<String>,
    moved_to: Option<String>,
}

/// `POST /api/orders`
pub async fn place(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    check_origin(&received)?;
    let fields: PlaceOrder = json(&received)?;
    let key = key_of(&received)?;
    let customer = customer(fields.customer.as_ref())?;
    let basket = basket(fields)?;
    let placed = place_order::from_call(&context, basket, customer, key, &received.body).await;
    match placed.map_err(error::store)? {
        Placed::New(id) | Placed::Again(id) => payable(&context, id).await,
        Placed::KeyReused | Placed::CartChanged => Err(error::key_reused()),
    }
}

/// `GET /api/orders/{order}`
pub async fn show(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = open(&context, &received, &order).await?;
    answer::json(200, &view(&context, id).await?)
}

/// `POST /api/orders/{order}/payments`
pub async fn pay(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = open_for_change(&context, &received, &order).await?;
    match paying::pay(&context, id, true).await.map_err(error::trouble)? {
        NextStep::Checkout(url) => {
            let view = OrderView { checkout_url: Some(url), ..view(&context, id).await? };
            answer::json(201, &view)
        }
        NextStep::Later => Err(error::gateway_silent()),
        NextStep::Order | NextStep::Sealed => {
            let stored = look::order(&context, id).await.map_err(error::trouble)?;
            Err(not_payable(&stored.order))
        }
    }
}

/// `POST /api/orders/{order}/cancel`
pub async fn cancel(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = open_for_change(&context, &received, &order).await?;
    match cancel_order::cancel(&context, id, "api").await.map_err(error::trouble)? {
        Canceled::Done => answer::json(200, &view(&context, id).await?),
        Canceled::AlreadyPaid => {
            Err(error::order_state("order_already_paid", "the order is paid: refund it instead"))
        }
        Canceled::BeingChecked => {
            let detail = "the payment is being checked with the bank";
            Err(error::order_state("order_being_checked", detail))
        }
        Canceled::Unreachable => Err(error::gateway_silent()),
    }
}

/// `POST /api/orders/{order}/refunds`
pub async fn refund(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    check_origin(&received)?;
    let actor = refunding_actor(&context, &received).await?;
    let id: OrderId = order.parse().map_err(|_| Problem::not_found())?;
    let fields: RefundFields = json(&received)?;
    let amount = fields.amount.map(MinorUnits::positive).transpose().map_err(|refusal| {
        Problem::new(422, "amount_invalid", refusal.to_string()).param("amount")
    })?;
    let request_key = key_of(&received)?.map(|key| format!("call/{key}"));
    let ask = Ask { amount, reason: fields.reason, actor, request_key };
    let asked = refunding::request(&context, id, ask).await.map_err(error::trouble)?;
    let refund = asked.map_err(error::refund)?;
    let stored = look::order(&context, id).await.map_err(error::trouble)?;
    let status = if refund.state == RefundState::AwaitingApproval { 202 } else { 201 };
    answer::json(status, &refund_row(&refund, &stored.order))
}

/// Opens the payment of an order that was just placed. When the gateway is silent the order stands
/// all the same; it is paid later.
async fn payable(context: &Context, id: OrderId) -> Result<HttpResponse, Problem> {
    let step = paying::pay(context, id, true).await.map_err(error::trouble)?;
    let checkout_url = match step {
        NextStep::Checkout(url) => Some(url),
        NextStep::Later | NextStep::Order | NextStep::Sealed => None,
    };
    let order_key = Some(context.keys.order_key(id));
    answer::json(201, &OrderView { checkout_url, order_key, ..view(context, id).await? })
}

fn not_payable(order: &Order) -> Problem {
    match order.state {
        State::Fulfilled { .. } => {
            error::order_state("order_already_paid", "the order is already paid")
        }
        State::Unpaid(Unpaid::Checking) => error::order_state(
            "order_being_checked",
            "the payment is being checked with the bank: do not pay again",
        ),
        State::Unpaid(Unpaid::Awaiting | Unpaid::Declined { .. }) | State::Canceled => {
            error::order_state("order_not_payable", "the order cannot be paid now")
        }
    }
}

/// Who asks: the order's key, the cookie that ordered, the back office, or the control plane.
async fn credentials(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<Credentials, Problem> {
    let guest = Guest::of(context, received.headers()).await?;
    let colleague = Colleague::of(context, received.headers()).await?;
    Ok(Credentials {
        order_key: received.bearer().map(str::to_owned),
        operator: colleague.map(|colleague| colleague.actor),
        sandbox: holds_sandbox_key(context, received),
        ..guest.credentials()
    })
}

/// The key of the control plane, from this machine only.
fn holds_sandbox_key(context: &Context, received: &ReceivedRequest) -> bool {
    let key = received.header("sandbox-key");
    received.peer.is_loopback() && key.is_some_and(|key| context.keys.opens_sandbox(key))
}

async fn open(
    context: &Context,
    received: &ReceivedRequest,
    order: &str,
) -> Result<OrderId, Problem> {
    let credentials = credentials(context, received).await?;
    orders::open(context, order, &credentials).await
}

async fn open_for_change(
    context: &Context,
    received: &ReceivedRequest,
    order: &str,
) -> Result<OrderId, Problem> {
    check_origin(received)?;
    if !received.body.is_empty() {
        let Nothing {} = json(received)?;
    }
    open(context, received, order).await
}

async fn refunding_actor(context: &Context, received: &ReceivedRequest) -> Result<Actor, Problem> {
    if holds_sandbox_key(context, received) {
        return Ok(Actor { name: "sandbox".to_owned(), role: Role::Operator });
    }
    let colleague = Colleague::of(context, received.headers()).await?;
    colleague.map(|colleague| colleague.actor).ok_or_else(error::login_needed)
}

fn key_of(received: &ReceivedRequest) -> Result<Option<&str>, Problem> {
    let Some(key) = received.idempotency_key.as_deref() else { return Ok(None) };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > KEY_CHARACTERS_MAX || !visible {
        let detail = "an Idempotency-Key is 1 to 255 visible ASCII characters";
        return Err(Problem::new(400, "idempotency_key_invalid", detail).param("idempotency-key"));
    }
    Ok(Some(key))
}

fn customer(fields: Option<&CustomerFields>) -> Result<Customer, Problem> {
    let (name, email) = match fields {
        Some(fields) => (fields.name.as_str(), fields.email.as_str()),
        None => ("Guest", "guest@shop.example"),
    };
    Customer::parse(name, email).map_err(|refusals| {
        let refusal = refusals.first().map(ToString::to_string).unwrap_or_default();
        let field = refusals.first().map_or("customer", |refusal| refusal.field());
        Problem::new(422, "customer_invalid", refusal).param(format!("customer.{field}"))
    })
}

fn basket(fields: PlaceOrder) -> Result<Basket, Problem> {
    let items = match (fields.sku, fields.items) {
        (Some(sku), None) => vec![Item { sku, quantity: fields.quantity.unwrap_or(1) }],
        (None, Some(items)) if fields.quantity.is_none() => items,
        (None | Some(_), _) => {
            let detail = "send either `sku` with `quantity`, or `items`";
            return Err(Problem::new(422, "items_unclear", detail).param("items"));
        }
    };
    if items.len() > catalogue::products().len() {
        return Err(error::cart(CartRefusal::Repeated));
    }
    let line = |item: Item| {
        let product = catalogue::find(&item.sku).ok_or_else(error::sku_unknown)?;
        let quantity = Quantity::new(item.quantity).map_err(error::cart)?;
        Ok(CartLine { product, quantity })
    };
    let lines = items.into_iter().map(line).collect::<Result<Vec<_>, Problem>>()?;
    Basket::new(lines).map_err(error::cart)
}

async fn view(context: &Context, id: OrderId) -> Result<OrderView, Problem> {
    let stored = look::order(context, id).await.map_err(error::trouble)?;
    let order = &stored.order;
    let (captured, refunded, fulfilments) = match &order.state {
        State::Fulfilled { captured, refunded, .. } => (*captured, *refunded, 1),
        State::Unpaid(_) | State::Canceled => (MinorUnits::ZERO, MinorUnits::ZERO, 0),
    };
    Ok(OrderView {
        id: order.id,
        object: "order",
        status: order.status().as_str(),
        amount: order.total,
        amounts: AmountsView { captured, refunded, refundable: order.refundable() },
        items: order.lines.iter().map(item).collect(),
        payments: order.payments.iter().map(payment).collect(),
        refunds: order.refunds.iter().map(|refund| refund_row(refund, order)).collect(),
        fulfilments,
        attention: order.attention.map(crate::domain::order::Attention::as_str),
        created_at: order.placed_at,
        checkout_url: None,
        order_key: None,
    })
}

fn item(line: &crate::domain::order::Line) -> ItemView {
    ItemView {
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
    }
}

fn payment(payment: &crate::domain::payment::Payment) -> PaymentRow {
    PaymentRow {
        number: payment.number,
        id: payment.id,
        status: payment.status.as_str(),
        outcome_unknown: payment.outcome_unknown,
        decline_code: payment.decline_code.clone(),
    }
}

fn refund_row(refund: &crate::domain::refund::Refund, order: &Order) -> RefundRow {
    RefundRow {
        number: refund.number,
        id: refund.state.id(),
        amount: Money::new(refund.amount, order.total.currency),
        status: refund.state.as_str(),
        reason: refund.reason.clone(),
        requested_by: refund.requested_by.clone(),
        approved_by: refund.decided_by.clone(),
        moved_to: refund.moved_to.clone(),
        failure: match &refund.state {
            RefundState::Failed { code, .. } => Some(code.clone()),
            RefundState::AwaitingApproval
            | RefundState::Sending
            | RefundState::Pending { .. }
            | RefundState::Succeeded { .. }
            | RefundState::Rejected => None,
        },
    }
}
