//! Events: list, read, deliveries, resend.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use kit::http::{Pairs, Problem, query_pairs};
use wire::gateway_api::{Page, ResendEvent};

use super::access::Authorized;
use super::answer::{call, decode, respond};
use super::webhook_endpoints::problem;
use crate::domain::access::Scope;
use crate::operations::Context;
use crate::operations::webhooks;
use crate::store::webhooks::views::EventFilter;

/// Events of a page unless the caller says otherwise.
const LIMIT: usize = 20;
/// Most events of a page.
const LIMIT_MAX: usize = 100;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/api/events")
            .route("", web::get().to(list))
            .route("/{id}", web::get().to(read))
            .route("/{id}/deliveries", web::get().to(deliveries))
            .route("/{id}/resend", web::post().to(resend)),
    );
}

/// `GET /api/events`
async fn list(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::PaymentsRead)?;
    let pairs = query_pairs(&authorized.received.query)?;
    let (filter, limit) = filter(&pairs)?;
    let page = webhooks::list_events(&context, authorized.merchant, filter, limit).await;
    let page = page.map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(webhooks::page_body(&page)))
}

fn filter(pairs: &Pairs) -> Result<(EventFilter, usize), Problem> {
    pairs.only(&["limit", "after", "before", "payment", "type"])?;
    let invalid = |name: &'static str, detail: &'static str| {
        Problem::new(400, "parameter_invalid", detail).param(name)
    };
    let limit = match pairs.get("limit").map(str::parse) {
        None => LIMIT,
        Some(Ok(limit @ 1..=LIMIT_MAX)) => limit,
        Some(_) => return Err(invalid("limit", "a limit is a number from 1 to 100")),
    };
    let id = |name: &'static str| match pairs.get(name).map(str::parse) {
        None => Ok(None),
        Some(Ok(id)) => Ok(Some(id)),
        Some(Err(_)) => Err(invalid(name, "not the id of an event")),
    };
    let (after, before) = (id("after")?, id("before")?);
    if after.is_some() && before.is_some() {
        return Err(invalid("before", "either `after` or `before`"));
    }
    let payment = match pairs.get("payment").map(str::parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(invalid("payment", "not the id of a payment")),
    };
    let event_type = pairs.get("type").map(str::to_owned);
    Ok((EventFilter { after, before, payment, event_type }, limit))
}

/// `GET /api/events/{id}`: the bytes that were sent.
async fn read(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::PaymentsRead)?;
    let id = authorized.id()?;
    let event = webhooks::read_event(&context, authorized.merchant, id).await.map_err(problem)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(event.body))
}

/// `GET /api/events/{id}/deliveries`
async fn deliveries(
    context: Data<Context>,
    authorized: Authorized,
) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::PaymentsRead)?;
    let id = authorized.id()?;
    let data = webhooks::deliveries(&context, authorized.merchant, id).await.map_err(problem)?;
    Ok(HttpResponse::Ok().json(Page { data, has_more: false }))
}

/// `POST /api/events/{id}/resend`
async fn resend(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    let id = authorized.id()?;
    let request: ResendEvent = decode(&authorized)?;
    let call = call(&context, &authorized, 202)?;
    let answer = webhooks::resend_event(&context, call, id, request.endpoint).await;
    answer.map(respond).map_err(problem)
}
