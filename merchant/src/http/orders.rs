//! A customer's orders: how they stand, paying, canceling, coming back from the payment page.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Problem, ReceivedRequest, query_pairs};
use wire::ids::OrderId;

use super::browser::{Guest, shop_form};
use super::{answer, checkout, error};
use crate::domain::cart::Quantity;
use crate::domain::catalogue;
use crate::operations::cancel_order::{self, Canceled};
use crate::operations::look::Credentials;
use crate::operations::{Context, believe, choose, look, refresh};
use crate::pages::order::{Notice, OrderPage, ReceiptPage};
use crate::pages::storefront::{OrderRow, OrdersPage};

/// How long a customer who comes back waits for the gateway's word.
const COME_BACK_WAIT: Duration = Duration::from_secs(3);

/// `GET /orders`
pub async fn own(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let orders = look::own_orders(&context, Some(&guest.cookie)).await.map_err(error::store)?;
    let frame = guest.frame(&context, "orders");
    let page = OrdersPage { frame, orders: orders.iter().map(OrderRow::from).collect() };
    Ok(guest.greet(answer::page(&context, &page)?))
}

/// `GET /orders/{order}`
pub async fn show(
    context: Data<Context>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    let stored = look::order(&context, id).await.map_err(error::trouble)?;
    let frame = guest.frame(&context, "orders");
    let page = OrderPage::new(frame, &stored.order, notice(request.query_string()));
    answer::page(&context, &page)
}

/// `GET /orders/{order}/return`: whatever the address says, the gateway is asked.
pub async fn come_back(
    context: Data<Context>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let order_key = key_of(request.query_string());
    let credentials = Credentials { order_key: order_key.clone(), ..guest.credentials() };
    let id = open(&context, &order, &credentials).await?;
    if order_key.is_some() {
        look::let_see(&context, &guest.cookie, id).await.map_err(error::store)?;
    }
    if context.vulnerabilities.is_on(believe::RETURN_URL) && says_paid(request.query_string()) {
        believe::paid(&context, id).await.map_err(error::trouble)?;
        return Ok(guest.greet(answer::see_other(&format!("/orders/{id}"))));
    }
    let asked = refresh::refresh_current(&context, id);
    if let Ok(asked) = context.clock.timeout(COME_BACK_WAIT, asked).await {
        asked.map_err(error::trouble)?;
    }
    Ok(guest.greet(answer::see_other(&format!("/orders/{id}"))))
}

/// `GET /orders/{order}/receipt`
pub async fn receipt(
    context: Data<Context>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    let file = look::order_file(&context, id).await.map_err(error::trouble)?;
    let paid = file.fulfilled_at.unwrap_or(file.stored.order.placed_at).into();
    match ReceiptPage::new(guest.frame(&context, "orders"), &file.stored.order, paid) {
        Some(page) => answer::page(&context, &page),
        None => Ok(answer::see_other(&format!("/orders/{id}"))),
    }
}

/// `POST /orders/{order}/pay`
pub async fn pay(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (guest, _) = shop_form(&context, &received).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    checkout::to_payment(&context, id).await
}

/// `POST /orders/{order}/cancel`
pub async fn cancel(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (guest, _) = shop_form(&context, &received).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    let canceled = cancel_order::cancel(&context, id, "customer").await.map_err(error::trouble)?;
    let said = match canceled {
        Canceled::Done => "",
        Canceled::AlreadyPaid => "?said=paid",
        Canceled::BeingChecked => "?said=checked",
        Canceled::Unreachable => "?said=unreachable",
    };
    Ok(answer::see_other(&format!("/orders/{id}{said}")))
}

/// `POST /orders/{order}/again`: puts the goods of an order back into the cart.
pub async fn again(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (guest, _) = shop_form(&context, &received).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    let stored = look::order(&context, id).await.map_err(error::trouble)?;
    let line = |line: &crate::domain::order::Line| {
        Some((catalogue::find(&line.sku)?, Quantity::new(i64::from(line.quantity)).ok()?))
    };
    let lines = stored.order.lines.iter().filter_map(line).collect();
    choose::add_all(&context, &guest.cookie, lines).await.map_err(error::store)?;
    Ok(answer::see_other("/cart"))
}

/// The order of an address, if these credentials open it. An absent order looks the same as a
/// foreign one.
pub async fn open(
    context: &Context,
    text: &str,
    credentials: &Credentials,
) -> Result<OrderId, Problem> {
    let id: OrderId = text.parse().map_err(|_| Problem::not_found())?;
    let open = look::may_see(context, id, credentials).await.map_err(error::store)?;
    if open { Ok(id) } else { Err(Problem::not_found()) }
}

/// What only a careless shop looks at.
fn says_paid(query: &str) -> bool {
    query_pairs(query).is_ok_and(|pairs| pairs.get("outcome") == Some("paid"))
}

/// The gateway adds parameters of its own to the way back: only the order's key is read. It goes
/// by the name under which session keys are hidden in logs.
fn key_of(query: &str) -> Option<String> {
    let pairs = query_pairs(query).ok()?;
    pairs.get("cs").map(str::to_owned)
}

fn notice(query: &str) -> Option<Notice> {
    let (tone, text) = match query {
        "said=paid" => ("wait", "This order is already paid, so it cannot be canceled."),
        "said=checked" => ("wait", "Your bank is being asked: this order cannot be canceled now."),
        "said=unreachable" => {
            ("bad", "We could not reach the payment gateway. Nothing has changed: try again.")
        }
        _ => return None,
    };
    Some(Notice { tone, text })
}
