//! Customers and their saved cards.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use kit::http::Problem;
use wire::gateway_api::{CreateCustomer, CreateStoredCard};
use wire::ids::{CardId, CustomerId};

use super::access::Authorized;
use super::answer::{call, decode, id_of, json, pairs, respond};
use crate::domain::access::Scope;
use crate::operations::failure::Failure;
use crate::operations::{Context, customers, stored_cards};

/// Customers on a page of a list, unless said otherwise.
const LIST_DEFAULT: u32 = 25;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/customers", web::post().to(create))
        .route("/api/customers", web::get().to(list))
        .route("/api/customers/{id}", web::get().to(read))
        .route("/api/customers/{id}", web::delete().to(erase))
        .route("/api/customers/{id}/export", web::get().to(export))
        .route("/api/customers/{id}/cards", web::post().to(save))
        .route("/api/customers/{id}/cards", web::get().to(cards))
        .route("/api/customers/{id}/cards/{card}", web::get().to(card))
        .route("/api/customers/{id}/cards/{card}", web::delete().to(delete));
}

type Answer = Result<HttpResponse, Problem>;

async fn create(context: Data<Context>, caller: Authorized) -> Answer {
    caller.require(Scope::CustomersWrite)?;
    let request: CreateCustomer = decode(&caller)?;
    let call = call(&context, &caller, 201)?;
    Ok(respond(customers::create(&context, call, request).await?))
}

async fn list(context: Data<Context>, caller: Authorized) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let pairs = pairs(&caller)?;
    pairs.only(&["limit", "after"])?;
    let invalid = |name: &'static str, detail: &str| {
        Problem::from(Failure::invalid("parameter_invalid", name, detail))
    };
    let limit = match pairs.get("limit").map(str::parse::<u32>) {
        None => LIST_DEFAULT,
        Some(Ok(limit @ 1..=100)) => limit,
        Some(Ok(_) | Err(_)) => return Err(invalid("limit", "a number from 1 to 100")),
    };
    let after = match pairs.get("after").map(str::parse::<CustomerId>) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(invalid("after", "the id of a customer: cus_…")),
    };
    json(200, &customers::list(&context, caller.merchant, (after, limit)).await?)
}

fn customer_of(caller: &Authorized, path: &str) -> Result<CustomerId, Problem> {
    id_of::<CustomerId>(caller, path, Failure::CustomerNotFound)
}

fn card_of(caller: &Authorized, path: &(String, String)) -> Result<(CustomerId, CardId), Problem> {
    let card = id_of::<CardId>(caller, &path.1, Failure::CardNotFound)?;
    Ok((customer_of(caller, &path.0)?, card))
}

async fn read(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let id = customer_of(&caller, &path)?;
    json(200, &customers::read(&context, caller.merchant, id).await?)
}

async fn erase(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::CustomersWrite)?;
    let id = customer_of(&caller, &path)?;
    let call = call(&context, &caller, 200)?;
    Ok(respond(customers::erase(&context, call, id).await?))
}

async fn export(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::CustomersWrite)?;
    let id = customer_of(&caller, &path)?;
    json(200, &customers::export(&context, caller.merchant, id).await?)
}

async fn save(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::CardsWrite)?;
    let id = customer_of(&caller, &path)?;
    let request: CreateStoredCard = decode(&caller)?;
    let call = call(&context, &caller, 201)?;
    Ok(respond(stored_cards::create(&context, call, id, request).await?))
}

async fn cards(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let id = customer_of(&caller, &path)?;
    json(200, &stored_cards::list(&context, caller.merchant, id).await?)
}

async fn card(context: Data<Context>, caller: Authorized, path: Path<(String, String)>) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let ids = card_of(&caller, &path)?;
    json(200, &stored_cards::read(&context, caller.merchant, ids).await?)
}

async fn delete(
    context: Data<Context>,
    caller: Authorized,
    path: Path<(String, String)>,
) -> Answer {
    caller.require(Scope::CardsWrite)?;
    let ids = card_of(&caller, &path)?;
    let call = call(&context, &caller, 200)?;
    Ok(respond(stored_cards::delete(&context, call, ids).await?))
}
