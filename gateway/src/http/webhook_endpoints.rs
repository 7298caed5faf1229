//! Webhook endpoints: create, list, read, change, remove, new secret, send failed events again.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use kit::http::{Problem, query_pairs};
use wire::gateway_api::{CreateEndpoint, Empty, Page, ResendFailed, UpdateEndpoint};

use super::access::Authorized;
use super::answer::{call, decode, respond};
use super::error;
use crate::domain::access::Scope;
use crate::operations::Context;
use crate::operations::webhooks::{self, EndpointError};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/api/webhook-endpoints")
            .route("", web::post().to(create))
            .route("", web::get().to(list))
            .route("/{id}", web::get().to(read))
            .route("/{id}", web::patch().to(update))
            .route("/{id}", web::delete().to(remove))
            .route("/{id}/rotate-secret", web::post().to(rotate_secret))
            .route("/{id}/resend", web::post().to(resend_failed)),
    );
}

/// `POST /api/webhook-endpoints`
async fn create(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    let request: CreateEndpoint = decode(&authorized)?;
    let call = call(&context, &authorized, 201)?;
    let answer = webhooks::create_endpoint(&context, call, request).await;
    answer.map(respond).map_err(problem)
}

/// `GET /api/webhook-endpoints`
async fn list(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    query_pairs(&authorized.received.query)?.only(&[])?;
    let endpoints = webhooks::list_endpoints(&context, authorized.merchant).await;
    let data = endpoints.map_err(problem)?;
    Ok(HttpResponse::Ok().json(Page { data, has_more: false }))
}

/// `GET /api/webhook-endpoints/{id}`
async fn read(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    let id = authorized.id()?;
    let endpoint = webhooks::read_endpoint(&context, authorized.merchant, id).await;
    Ok(HttpResponse::Ok().json(endpoint.map_err(problem)?))
}

/// `PATCH /api/webhook-endpoints/{id}`
async fn update(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    let id = authorized.id()?;
    let request: UpdateEndpoint = decode(&authorized)?;
    let call = call(&context, &authorized, 200)?;
    let answer = webhooks::update_endpoint(&context, call, id, request).await;
    answer.map(respond).map_err(problem)
}

/// `DELETE /api/webhook-endpoints/{id}`
async fn remove(context: Data<Context>, authorized: Authorized) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    let id = authorized.id()?;
    let call = call(&context, &authorized, 200)?;
    let answer = webhooks::remove_endpoint(&context, call, id).await;
    answer.map(respond).map_err(problem)
}

/// `POST /api/webhook-endpoints/{id}/rotate-secret`
async fn rotate_secret(
    context: Data<Context>,
    authorized: Authorized,
) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    let id = authorized.id()?;
    let Empty {} = decode(&authorized)?;
    let call = call(&context, &authorized, 200)?;
    let answer = webhooks::rotate_secret(&context, call, id).await;
    answer.map(respond).map_err(problem)
}

/// `POST /api/webhook-endpoints/{id}/resend`
async fn resend_failed(
    context: Data<Context>,
    authorized: Authorized,
) -> Result<HttpResponse, Problem> {
    authorized.require(Scope::WebhooksWrite)?;
    let id = authorized.id()?;
    let request: ResendFailed = decode(&authorized)?;
    let call = call(&context, &authorized, 202)?;
    let answer = webhooks::resend_failed_events(&context, call, id, request.since).await;
    answer.map(respond).map_err(problem)
}

/// Every refusal of this room and of events.
pub(super) fn problem(refused: EndpointError) -> Problem {
    let detail = refused.to_string();
    match refused {
        EndpointError::Url(refusal) => Problem::new(422, "endpoint_url_not_allowed", detail)
            .param("url")
            .reason(refusal.as_str()),
        EndpointError::EventTypes => {
            Problem::new(422, "event_types_invalid", detail).param("events")
        }
        EndpointError::Description => {
            Problem::new(422, "description_invalid", detail).param("description")
        }
        EndpointError::Status => Problem::new(422, "status_invalid", detail).param("status"),
        EndpointError::TooMany => Problem::new(422, "endpoints_too_many", detail),
        EndpointError::NotFound => Problem::not_found(),
        EndpointError::Call(failure) => error::problem(&failure),
        EndpointError::Key(_) | EndpointError::Vault(_) => Problem::internal(detail),
    }
}
