//! Orders: the list, its download, one of them.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Pairs, Problem, ReceivedRequest, query_pairs};
use wire::ids::OrderId;

use super::super::browser::{Colleague, office_form};
use super::super::{answer, error};
use crate::domain::order::Status;
use crate::operations::cancel_order::{self, Canceled};
use crate::operations::look::ROWS_MAX;
use crate::operations::{Context, look, refresh as refreshing};
use crate::pages::office::{OrderPage, OrderPageParts, OrderRow, OrdersPage, choices};
use crate::store::lists::{OrderFilter, OrderSummary};

/// Orders in one download.
const DOWNLOADED_MAX: u32 = 10_000;

/// `GET /office`
pub async fn list(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let pairs = query_pairs(request.query_string())?;
    let filter = filter(&pairs);
    let orders = look::orders(&context, filter.clone(), ROWS_MAX).await.map_err(error::store)?;
    let page = OrdersPage {
        frame: colleague.frame(&context, "orders").await?,
        next: next(&orders, &pairs),
        orders: orders.iter().map(OrderRow::from).collect(),
        choices: choices(filter.status),
        search: filter.search.unwrap_or_default(),
        attention: filter.attention,
    };
    answer::page(&context, &page)
}

fn filter(pairs: &Pairs) -> OrderFilter {
    let text = |name| pairs.get(name).filter(|text| !text.trim().is_empty());
    OrderFilter {
        status: text("status").and_then(Status::parse),
        attention: text("attention").is_some(),
        search: text("search").map(|text| text.trim().chars().take(100).collect()),
        before: text("before").and_then(|row| row.parse().ok()),
    }
}

/// The query of the next page: the same filters, behind the last row.
fn next(orders: &[OrderSummary], pairs: &Pairs) -> Option<String> {
    let full = u32::try_from(orders.len()).is_ok_and(|count| count >= ROWS_MAX);
    let last = orders.last().filter(|_| full)?;
    let mut query = format!("before={}", last.row);
    for name in ["status", "attention"] {
        if let Some(word) = pairs.get(name).filter(|word| word.bytes().all(is_word)) {
            query.push('&');
            query.push_str(name);
            query.push('=');
            query.push_str(word);
        }
    }
    if let Some(search) = pairs.get("search") {
        query.push_str("&search=");
        query.push_str(&encoded(search));
    }
    Some(query)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Percent-encodes all but letters and digits.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

/// `GET /office/orders.csv`
pub async fn download(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    if let Err(login) = Colleague::or_login(&context, request.headers()).await? {
        return Ok(login);
    }
    let orders = look::orders(&context, OrderFilter::default(), DOWNLOADED_MAX).await;
    let mut text =
        String::from("order,placed,status,name,mail,currency,total,refunded,attention\r\n");
    for order in orders.map_err(error::store)? {
        text.push_str(&line(&order));
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"orders.csv\""))
        .body(text))
}

fn line(order: &OrderSummary) -> String {
    let cells = [
        order.id.to_string(),
        order.placed_at.to_string(),
        order.status.as_str().to_owned(),
        order.customer_name.clone(),
        order.customer_email.clone(),
        order.total.currency.code().to_owned(),
        order.total.decimal(),
        order.refunded.decimal(),
        order.attention.map(|it| it.as_str().to_owned()).unwrap_or_default(),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A quoted cell. What a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

/// `GET /office/orders/{order}`
pub async fn show(
    context: Data<Context>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let notice = said(request.query_string()).map(|(tone, text)| (tone, text.to_owned()));
    page(&context, &colleague, id(&order)?, notice, 200).await
}

/// The page of an order, with a message about what was just asked for.
pub async fn page(
    context: &Context,
    colleague: &Colleague,
    id: OrderId,
    notice: Option<(&'static str, String)>,
    status: u16,
) -> Result<HttpResponse, Problem> {
    let file = look::order_file(context, id).await.map_err(error::trouble)?;
    let parts = OrderPageParts {
        frame: colleague.frame(context, "orders").await?,
        notice,
        alone_max: context.rules.refund_alone_max,
        refund_key: context.secrets.token("", 16),
    };
    answer::page_with_status(context, &OrderPage::new(parts, &file), status)
}

/// `POST /office/orders/{order}/cancel`
pub async fn cancel(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (colleague, _) = office_form(&context, &received).await?;
    if !colleague.actor.role.may_operate() {
        return Err(error::role_missing());
    }
    let id = id(&order)?;
    let by = &colleague.actor.name;
    let word = match cancel_order::cancel(&context, id, by).await.map_err(error::trouble)? {
        Canceled::Done => "canceled",
        Canceled::AlreadyPaid => "paid",
        Canceled::BeingChecked => "checked",
        Canceled::Unreachable => "unreachable",
    };
    Ok(answer::see_other(&format!("/office/orders/{id}?said={word}")))
}

/// `POST /office/orders/{order}/refresh`
pub async fn refresh(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (colleague, _) = office_form(&context, &received).await?;
    if !colleague.actor.role.may_operate() {
        return Err(error::role_missing());
    }
    let id = id(&order)?;
    refreshing::refresh_current(&context, id).await.map_err(error::trouble)?;
    Ok(answer::see_other(&format!("/office/orders/{id}?said=refreshed")))
}

/// The order of an address.
pub fn id(text: &str) -> Result<OrderId, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

fn said(query: &str) -> Option<(&'static str, &'static str)> {
    Some(match query {
        "said=canceled" => ("good", "The order is canceled."),
        "said=paid" => ("wait", "The order is paid, so it cannot be canceled. Refund it instead."),
        "said=checked" => ("wait", "The bank is being asked: the order cannot be canceled now."),
        "said=unreachable" => ("bad", "The gateway did not answer. Nothing was changed."),
        "said=refreshed" => ("good", "The gateway was asked."),
        "said=refund" => ("good", "The refund is with the gateway."),
        "said=waiting" => ("wait", "The refund waits for a second person."),
        "said=failed" => ("bad", "The refund did not work."),
        "said=sending" => ("wait", "The gateway did not answer yet. The refund is sent again."),
        "said=rejected" => ("good", "The refund is rejected."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{cell, encoded};

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(cell("Ada \"A\" Example"), "\"Ada \"\"A\"\" Example\"");
        for text in ["=1+1", "+1", "-1", "@a", "\t=1"] {
            assert!(cell(text).starts_with("\"'"), "{text}");
        }
    }

    #[test]
    fn a_search_survives_the_address() {
        assert_eq!(encoded("Ada & é=1"), "Ada%20%26%20%C3%A9%3D1");
    }
}
