//! Two more ways to pay: card fields on the shop's own page, and the classic sealed form.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use kit::http::{PagePolicy, Problem, ReceivedRequest};
use wire::ids::TokenId;

use super::browser::{Guest, shop_form};
use super::orders::open;
use super::{answer, checkout, error};
use crate::operations::pay::{self, Sealed};
use crate::operations::{Context, look};
use crate::pages::ways::{CardPage, SealedPage};

/// `GET /orders/{order}/card`: the gateway's fields in a frame on our page.
pub async fn card(
    context: Data<Context>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    let stored = look::order(&context, id).await.map_err(error::trouble)?;
    let Some(key) = context.keys.publishable_key.clone() else {
        return Ok(answer::see_other(&format!("/orders/{id}")));
    };
    if !stored.order.may_be_paid() {
        return Ok(answer::see_other(&format!("/orders/{id}")));
    }
    let gateway = context.rules.gateway_url.clone();
    let page = CardPage {
        frame: guest.frame(&context, "orders"),
        id: id.to_string(),
        total: stored.order.total.to_string(),
        gateway: gateway.clone(),
        key,
    };
    let policy = PagePolicy {
        scripts: vec![gateway.clone()],
        frames: vec![gateway.clone()],
        forms: vec![gateway],
        ..PagePolicy::standard()
    };
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy.csp()))
        .body(page.render().map_err(error::page)?))
}

/// `POST /orders/{order}/card`: the token that the fields gave; the shop pays with it.
pub async fn pay_with_token(
    context: Data<Context>,
    received: ReceivedRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (guest, pairs) = shop_form(&context, &received).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    let token: TokenId = pairs.require("card_token")?.parse().map_err(|_| {
        Problem::new(422, "card_token_invalid", "not a card token").param("card_token")
    })?;
    pay::with_token(&context, id, token).await.map_err(error::trouble)?;
    Ok(answer::see_other(&format!("/orders/{id}")))
}

/// `GET /orders/{order}/form`: the order, sealed, as a form that the customer sends to the gateway.
pub async fn sealed(
    context: Data<Context>,
    request: HttpRequest,
    order: Path<String>,
) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let id = open(&context, &order, &guest.credentials()).await?;
    match pay::seal(&context, id).await.map_err(error::trouble)? {
        Sealed::Form(fields) => {
            let stored = look::order(&context, id).await.map_err(error::trouble)?;
            let page = SealedPage {
                frame: guest.frame(&context, "orders"),
                id: id.to_string(),
                total: stored.order.total.to_string(),
                action: format!("{}/pay/form", context.rules.gateway_url),
                fields,
            };
            answer::page(&context, &page)
        }
        Sealed::Begun => checkout::to_payment(&context, id).await,
        Sealed::NotPayable => Ok(answer::see_other(&format!("/orders/{id}"))),
    }
}
