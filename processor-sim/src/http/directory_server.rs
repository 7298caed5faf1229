//! `POST /ds/{brand}/areq` and `/results`: the directory servers of the networks.

use actix_web::{HttpRequest, HttpResponse, web};
use kit::facts::Facts;
use kit::http::{Problem, ReceivedRequest, annotate, json, on_link, verify};
use wire::card::Brand;
use wire::signature::Wire;
use wire::three_ds::{AuthenticationRequest, ResultInquiry};

use super::{Served, error};
use crate::operations::three_ds::directory_server;

/// The routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/ds/{brand}/areq", web::post().to(authenticate))
        .route("/ds/{brand}/results", web::post().to(inquire));
}

fn brand(request: &HttpRequest) -> Result<Brand, Problem> {
    request.match_info().query("brand").parse().map_err(|_| Problem::not_found())
}

/// Verifies, parses and answers an AReq. One that comes twice gets the answer of the first time.
async fn authenticate(
    received: ReceivedRequest,
    served: web::Data<Served>,
) -> Result<HttpResponse, Problem> {
    let context = &served.context;
    on_link(received.http(), "gateway->directory");
    verify(&received, Wire::MessageHop, &**served, &served.nonces, context.clock())?;
    let brand = brand(received.http())?;
    let request: AuthenticationRequest = json(&received)?;
    annotate(received.http(), directory_server::facts(context, &request, received.trace));
    if request.number.as_ref().is_some_and(|number| number.brand() != brand) {
        return Err(Problem::new(422, "network_differs", "the card is of another network"));
    }
    let body = received.body.clone();
    let answer = directory_server::authenticate(context, &request, body, received.trace).await;
    match answer {
        Ok(answer) => Ok(HttpResponse::Ok().json(answer)),
        Err(refused) => Err(Problem::new(500, "directory_server_failed", refused.to_string())),
    }
}

/// Tells a gateway what became of a challenge.
async fn inquire(
    received: ReceivedRequest,
    served: web::Data<Served>,
) -> Result<HttpResponse, Problem> {
    let context = &served.context;
    on_link(received.http(), "gateway->directory");
    verify(&received, Wire::MessageHop, &**served, &served.nonces, context.clock())?;
    annotate(received.http(), Facts::new("inquiry", received.trace));
    let brand = brand(received.http())?;
    let inquiry: ResultInquiry = json(&received)?;
    let found = directory_server::inquire(context, brand, &inquiry).await;
    match found.map_err(|failure| error::database(&failure))? {
        Some(found) => Ok(HttpResponse::Ok().json(found)),
        None => Err(Problem::not_found()),
    }
}
