//! Refunds: asking, and being the second person.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Pairs, Problem, ReceivedRequest};
use wire::ids::OrderId;
use wire::money::{MinorUnits, Money};

use super::super::browser::{Colleague, office_form};
use super::super::{answer, error};
use super::orders;
use crate::domain::refund::{Refund, Refusal, State};
use crate::operations::refund::Ask;
use crate::operations::{Context, look, refund};
use crate::pages::office::{ApprovalsPage, approval_row};

/// `POST /office/orders/{order}/refunds`
pub async fn request(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (colleague, pairs) = office_form(&context, &received).await?;
    let id = orders::id(&order)?;
    let amount = match amount(&context, id, &pairs).await? {
        Ok(amount) => amount,
        Err(text) => return again(&context, &colleague, id, text).await,
    };
    let ask = Ask {
        amount: Some(amount),
        reason: pairs.get("reason").unwrap_or("").to_owned(),
        actor: colleague.actor.clone(),
        request_key: pairs.get("key").map(|key| format!("form/{key}")),
    };
    match refund::request(&context, id, ask).await.map_err(error::trouble)? {
        Ok(refund) => Ok(to_order(id, &refund)),
        Err(Refusal::Role) => Err(error::role_missing()),
        Err(refusal) => again(&context, &colleague, id, refusal.to_string()).await,
    }
}

/// The amount as typed, in the order's currency: too many decimals are refused, not rounded.
async fn amount(
    context: &Context,
    id: OrderId,
    pairs: &Pairs,
) -> Result<Result<MinorUnits, String>, Problem> {
    let stored = look::order(context, id).await.map_err(error::trouble)?;
    let currency = stored.order.total.currency;
    let typed = Money::parse_decimal(pairs.get("amount").unwrap_or(""), currency);
    Ok(typed.map(|money| money.value).map_err(|refusal| refusal.to_string()))
}

async fn again(
    context: &Context,
    colleague: &Colleague,
    id: OrderId,
    text: String,
) -> Result<HttpResponse, Problem> {
    let notice = Some(("bad", format!("Not refunded: {text}.")));
    orders::page(context, colleague, id, notice, 422).await
}

/// `POST /office/orders/{order}/refunds/{number}/approve`
pub async fn approve(
    context: Data<Context>,
    received: ReceivedRequest,
    path: Path<(String, u32)>,
) -> Result<HttpResponse, Problem> {
    decide(&context, &received, &path, true).await
}

/// `POST /office/orders/{order}/refunds/{number}/reject`
pub async fn reject(
    context: Data<Context>,
    received: ReceivedRequest,
    path: Path<(String, u32)>,
) -> Result<HttpResponse, Problem> {
    decide(&context, &received, &path, false).await
}

async fn decide(
    context: &Context,
    received: &ReceivedRequest,
    path: &(String, u32),
    agrees: bool,
) -> Result<HttpResponse, Problem> {
    let (colleague, _) = office_form(context, received).await?;
    let id = orders::id(&path.0)?;
    let decided = refund::decide(context, id, path.1, colleague.actor, agrees).await;
    match decided.map_err(error::trouble)? {
        Ok(refund) => Ok(to_order(id, &refund)),
        Err(refusal) => Err(error::refund(refusal)),
    }
}

fn to_order(id: OrderId, refund: &Refund) -> HttpResponse {
    let word = match refund.state {
        State::AwaitingApproval => "waiting",
        State::Sending => "sending",
        State::Pending { .. } | State::Succeeded { .. } => "refund",
        State::Failed { .. } => "failed",
        State::Rejected => "rejected",
    };
    answer::see_other(&format!("/office/orders/{id}?said={word}"))
}

/// `GET /office/approvals`
pub async fn approvals(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let waiting = look::approvals(&context).await.map_err(error::store)?;
    let frame = colleague.frame(&context, "approvals").await?;
    let refunds = waiting.iter().map(|refund| approval_row(refund, &frame)).collect();
    answer::page(&context, &ApprovalsPage { frame, refunds })
}
