//! Faults on the links of browsers: no program of ours sends there, so the server plays them.

use std::future::pending;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use bytes::Bytes;
use futures_util::stream;

use super::exchange::{run, wants_page};
use super::serve::Served;
use super::{Problem, ProblemContext};
use crate::facts::{Facts, TraceId};
use crate::faults::{Action, FaultPlan, HeldMessage, ResetSide, in_turn};

/// What the armed faults do to a request, if a browser sent it.
pub(super) fn plan(served: &Served, request: &ServiceRequest, trace: TraceId) -> FaultPlan {
    let faults = &served.plumbing.faults;
    if !faults.is_armed() || !is_browser(request.headers()) {
        return FaultPlan::default();
    }
    faults.decide(served.browser_link, &facts_of(served, request, trace), request.path())
}

fn facts_of(served: &Served, request: &ServiceRequest, trace: TraceId) -> Facts {
    let kind = match (served.browser_link, request.method()) {
        ("browser->acs", _) => "challenge",
        (_, &Method::POST) => "card_form",
        _ => "page",
    };
    Facts::new(kind, trace)
}

fn is_browser(headers: &HeaderMap) -> bool {
    let form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    form || wants_page(headers)
}

/// Plays a plan around a request.
pub(super) async fn suffer(
    served: &Served,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    request_id: &str,
    mut plan: FaultPlan,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let plumbing = &served.plumbing;
    let about = plan.hold.is_some().then(|| {
        let to = (request.method().as_str(), request.path());
        // Its body is not read yet.
        HeldMessage::new(
            served.browser_link,
            facts_of(served, &request, TraceId::default()),
            to,
            b"",
        )
    });
    let mut turn = plumbing.faults.wait_for_release(&mut plan, about, &plumbing.activity).await;
    if let Some(delay) = plan.delay_request {
        turn = None;
        plumbing.clock.sleep(delay).await;
    }
    match &plan.damage {
        Some(Action::DropRequest | Action::Down | Action::Reset(ResetSide::Request)) => {
            // Until the browser gives up, which drops this.
            return pending().await;
        }
        Some(Action::Status { code, retry_after }) => {
            let detail = "a fault made up this answer; nothing was done";
            let mut problem = Problem::new(*code, "fault_injected", detail);
            if let Some(wait) = retry_after {
                problem = problem.retry_after(*wait);
            }
            let context = ProblemContext { request_id, links: &served.links };
            let response = problem.response(&context);
            return Ok(request.into_response(response));
        }
        _ => {}
    }
    let running = run(served, request, next, request_id);
    let response = in_turn(turn, &plumbing.clock, running).await?;
    if let Some(delay) = plan.delay_response {
        plumbing.clock.sleep(delay).await;
    }
    match plan.damage {
        Some(Action::DropResponse) => pending().await,
        Some(Action::Reset(ResetSide::Response) | Action::Truncate(_) | Action::Garbage) => {
            Ok(response.map_body(|_, _| broken()))
        }
        _ => Ok(response),
    }
}

/// A body that breaks off, and the connection with it.
fn broken() -> BoxBody {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    BoxBody::new(actix_web::body::BodyStream::new(stream::iter([
        Ok(Bytes::from_static(b" ")),
        Err(reset),
    ])))
}
