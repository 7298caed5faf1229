//! The console at a glance: path, method, handler.

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, ServiceConfig, get, post};
use actix_web::{HttpResponse, web};
use kit::http::{Problem, ReceivedRequest};

use super::frame::Frame;
use super::pages::{HomePage, MessagePage, PaymentPage, PaymentsPage};
use super::shown::{Filter, apology};
use super::{
    Console, faults, inspect, kpis, lessons, live, messages, reference, support, time, webhooks,
};
use crate::commands::recorded_scenario;
use crate::failure::{Exit, Failure, Outcome};
use crate::trace::collect;

pub(super) type Answer = Result<HttpResponse, Problem>;

/// Every route of the console.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", get().to(home))
        .route("/payments", get().to(payments))
        .route("/payments/{id}", get().to(payment))
        .route("/payments/{id}/messages/{key}", get().to(message))
        .route("/payments/{id}/scenario", get().to(scenario))
        .route("/trace/{id}", get().to(trace))
        .route("/live", get().to(live::events))
        .route("/messages", get().to(messages::show))
        .route("/kpis", get().to(kpis::show))
        .route("/codes", get().to(reference::codes))
        .route("/codes/{code}", get().to(reference::code))
        .route("/cards", get().to(reference::cards))
        .route("/support-bundle", get().to(support::download))
        .configure(controls)
        .configure(super::worlds::routes)
        .default_service(web::to(nothing_here));
}

/// What changes something: forms that post and lead back.
fn controls(config: &mut ServiceConfig) {
    config
        .route("/faults", get().to(faults::show))
        .route("/faults", post().to(faults::arm))
        .route("/faults/clear", post().to(faults::clear))
        .route("/hold", post().to(faults::hold))
        .route("/release", post().to(faults::release))
        .route("/vulnerabilities", post().to(faults::switch))
        .route("/webhooks", get().to(webhooks::show))
        .route("/webhooks/resend", post().to(webhooks::resend))
        .route("/webhooks/verify", post().to(webhooks::verify))
        .route("/webhooks/{event}", get().to(webhooks::event))
        .route("/lessons", get().to(lessons::list))
        .route("/lessons/{id}", get().to(lessons::show))
        .route("/lessons/{id}/begin", post().to(lessons::begin))
        .route("/lessons/{id}/do", post().to(lessons::press))
        .route("/clock", get().to(time::show))
        .route("/clock", post().to(time::press));
}

async fn home(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let frame = Frame::of(&console, &received, "home").await?.alive(&received, "");
    Ok(as_page(HomePage::read(&console, frame).await.text()))
}

async fn payments(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let filter = Filter::read(&received.query)?;
    if let Some(id) = filter.payment() {
        return see(&format!("/payments/{id}"));
    }
    let frame = Frame::of(&console, &received, "payments").await?;
    let frame = frame.alive(&received, filter.page_query());
    Ok(as_page(PaymentsPage::read(&console, frame, filter).await.text()))
}

async fn payment(console: Data<Console>, id: Path<String>, received: ReceivedRequest) -> Answer {
    let frame = Frame::of(&console, &received, "payments").await?.alive(&received, "");
    let trace = collect(&console.access, &console.client, &id).await.map_err(problem)?;
    Ok(as_page(PaymentPage::new(&console, frame, &trace).text()))
}

async fn message(
    console: Data<Console>,
    ids: Path<(String, String)>,
    received: ReceivedRequest,
) -> Answer {
    let (id, key) = ids.into_inner();
    let frame = Frame::of(&console, &received, "payments").await?;
    let trace = collect(&console.access, &console.client, &id).await.map_err(problem)?;
    let exchange = trace.exchanges.iter().find(|exchange| exchange.is(&key));
    let exchange = exchange.ok_or_else(Problem::not_found)?;
    // What arrived decides; what was sent stands in where nothing arrived.
    let looked_at = exchange.receiver.as_ref().or(exchange.sender.as_ref());
    let curl = match looked_at {
        Some(entry) => inspect::curl(&console, entry).await.unwrap_or_default(),
        None => None,
    };
    Ok(as_page(MessagePage::new(&console, frame, &trace.id, exchange, curl).text()))
}

/// The payment as a scenario, to be saved and played.
async fn scenario(console: Data<Console>, id: Path<String>) -> Answer {
    let source = recorded_scenario(&console.access, &console.client, &id).await.map_err(problem)?;
    Ok(HttpResponse::Ok()
        .content_type("application/yaml; charset=utf-8")
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"recorded.scenario.yaml\"",
        ))
        .body(source))
}

/// Where problem details point to.
async fn trace(id: Path<String>) -> Answer {
    see(&format!("/payments/{id}"))
}

async fn nothing_here() -> Answer {
    Err(Problem::not_found())
}

/// A page.
pub(super) fn as_page(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text)
}

/// See another page: 303, so that a reload does not send a form again.
pub(super) fn see(place: &str) -> Answer {
    let place = HeaderValue::from_str(place).map_err(|_| Problem::not_found())?;
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish())
}

/// After a form: to a page of ours, which says once what came of it.
pub(super) fn back(console: &Console, place: &str, said: Outcome<String>) -> HttpResponse {
    let number = match said {
        Ok(text) => console.desk.say("good", text),
        Err(failure) => console.desk.say("bad", apology(&failure)),
    };
    console.live.changed();
    let place = format!("{place}?said={number}");
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}

/// What is wrong with the world is no fault of the console.
pub(super) fn problem(failure: Failure) -> Problem {
    match failure.exit {
        Exit::CheckFailed | Exit::Usage => Problem::new(404, "not_found", failure.message),
        Exit::CouldNotRun | Exit::Unreadable | Exit::Interrupted => {
            Problem::new(503, "world_unreachable", failure.message)
        }
    }
}
