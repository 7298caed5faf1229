//! Worlds over HTTP: this one's addresses and keys; further ones: start, list, look, end. All of it
//! needs the key of the control plane.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, ServiceConfig, delete, get, post};
use kit::http::{Problem, ReceivedRequest, check_sandbox_key, json as parse_json};
use serde_json::json;

use super::Console;
use crate::access::Access;
use crate::commands::environment;
use crate::worlds::{Refusal, WORLDS_MAX, Wish};

type Answer = Result<HttpResponse, Problem>;

/// The routes of worlds.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/env", get().to(own))
        .route("/worlds", get().to(list))
        .route("/worlds", post().to(start))
        .route("/worlds/{id}", get().to(show))
        .route("/worlds/{id}", delete().to(end));
}

async fn own(console: Data<Console>, received: ReceivedRequest) -> Answer {
    admit(&console, &received)?;
    let Access { world, addresses, .. } = &console.access;
    Ok(HttpResponse::Ok().json(environment(world, *addresses)))
}

async fn list(console: Data<Console>, received: ReceivedRequest) -> Answer {
    admit(&console, &received)?;
    Ok(HttpResponse::Ok().json(json!({ "data": console.worlds.list(), "limit": WORLDS_MAX })))
}

async fn start(console: Data<Console>, received: ReceivedRequest) -> Answer {
    admit(&console, &received)?;
    let wish = if received.body.is_empty() { Wish::default() } else { parse_json(&received)? };
    let environment = console.worlds.start(wish).await.map_err(problem)?;
    Ok(HttpResponse::Created().json(environment))
}

async fn show(console: Data<Console>, id: Path<String>, received: ReceivedRequest) -> Answer {
    admit(&console, &received)?;
    console.worlds.environment(&id).map(|it| HttpResponse::Ok().json(it)).map_err(problem)
}

async fn end(console: Data<Console>, id: Path<String>, received: ReceivedRequest) -> Answer {
    admit(&console, &received)?;
    console.worlds.end(&id).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}

fn admit(console: &Console, received: &ReceivedRequest) -> Result<(), Problem> {
    check_sandbox_key(received, &console.access.world.sandbox_key)
}

fn problem(refusal: Refusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        Refusal::TooMany { .. } => Problem::new(409, "worlds_limit", detail),
        Refusal::Field { field, .. } => Problem::new(422, "field_invalid", detail).param(field),
        Refusal::Unknown(_) => Problem::new(404, "world_unknown", detail),
        Refusal::NotStarted(_) => Problem::new(422, "world_not_started", detail),
    }
}
