//! What surrounds every request: ids, activity, problems, signed answers, the wire log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::{FutureExt, TryFutureExt};
use wire::ids::RequestId;
use wire::signature::{RequestBinding, ResponseKey, SignatureTimes};
use wire::time::Timestamp;

use super::armed_bar;
use super::browser;
use super::pages::add_default_headers;
use super::serve::Served;
use super::{Problem, ProblemContext, SIGNATURE_SECONDS};
use crate::clock::{Clock, Stopwatch};
use crate::crash_points::Boundary;
use crate::facts::{Facts, TraceId};
use crate::wirelog::{Exchange, LoggedAnswer, LoggedRequest, Outcome, Side};

/// How our own programs name themselves: `payrig/gateway`.
pub const AGENT_PREFIX: &str = "payrig/";

/// What is known about a request while it is served.
pub(super) struct State {
    pub(super) trace: TraceId,
    pub(super) request_id: String,
    pub(super) body: Option<Bytes>,
    pub(super) request_verdict: Option<&'static str>,
    pub(super) answer_key: Option<(ResponseKey, RequestBinding)>,
    /// The clock by which the peer lives, where it is not that of the program.
    pub(super) answer_clock: Option<Clock>,
    facts: Option<Facts>,
    link: Option<&'static str>,
    logged: bool,
    fault: Option<String>,
    received_at: Timestamp,
    stopwatch: Stopwatch,
}

/// Looks into the state of a request; none when it is not served by [`super::serve`].
pub(super) fn with_state<T>(
    request: &HttpRequest,
    look: impl FnOnce(&mut State) -> T,
) -> Option<T> {
    request.extensions_mut().get_mut::<State>().map(look)
}

/// Tells the wire log what this request is about, and marks the boundary `received`.
pub fn annotate(request: &HttpRequest, facts: Facts) {
    let kind = facts.kind;
    with_state(request, |state| {
        state.trace = facts.trace;
        state.facts = Some(facts);
    });
    if let Some(served) = request.app_data::<Arc<Served>>() {
        served.plumbing.crash_points.reached(kind, Boundary::Received);
    }
}

/// Tells the wire log on which link this request came; else it is the browser's.
pub fn on_link(request: &HttpRequest, link: &'static str) {
    with_state(request, |state| state.link = Some(link));
}

/// Keeps this exchange out of the wire log.
pub fn no_wire_log(request: &HttpRequest) {
    with_state(request, |state| state.logged = false);
}

/// The middleware around all routes of a program.
pub(super) async fn exchange(
    served: Arc<Served>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = begin(&served, &request);
    if let Err(problem) = served.check_host(request.headers()) {
        let context = ProblemContext { request_id: &state.request_id, links: &served.links };
        let response = problem.response(&context);
        return Ok(request.into_response(response));
    }
    let request_id = state.request_id.clone();
    let plan = browser::plan(&served, &request, state.trace);
    let state = State { fault: plan.faults.clone(), ..state };
    request.extensions_mut().insert(state);
    if is_control(request.path()) {
        // Not counted as activity: these requests ask what the others do.
        return Ok(finish(&served, next.call(request).await?.map_into_boxed_body()));
    }
    // Counted from the first byte, whatever a fault then does to the request.
    let from_program = agent(request.headers()).starts_with(AGENT_PREFIX.as_bytes());
    let _serving = from_program.then(|| served.plumbing.activity.message_received());
    let _guest = (!from_program).then(|| served.plumbing.activity.guest_received());
    if !plan.is_empty() {
        return browser::suffer(&served, request, next, &request_id, plan).await;
    }
    run(&served, request, next, &request_id).await
}

/// Has a request served, counted as activity, and completes its answer.
pub(super) async fn run(
    served: &Served,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    request_id: &str,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let activity = served.plumbing.activity.clone();
    let may_act = !request.method().is_safe();
    let work = next.call(request).map_ok(ServiceResponse::map_into_boxed_body);
    let work = AssertUnwindSafe(activity.track(work)).catch_unwind();
    // A task of its own runs to its end even when the client goes away: half a payment is worse
    // than an answer that nobody reads.
    let called = if may_act {
        actix_web::rt::spawn(work).await.unwrap_or_else(|failed| Err(Box::new(failed)))
    } else {
        work.await
    };
    match called {
        Ok(answered) => answered.map(|response| finish(served, response)),
        Err(_panic) => {
            tracing::error!(request.id = request_id, "a handler panicked");
            Err(Problem::internal("a handler panicked").request_id(request_id).into())
        }
    }
}

fn agent(headers: &HeaderMap) -> &[u8] {
    headers.get(header::USER_AGENT).map_or(b"", HeaderValue::as_bytes)
}

/// The console reads what others did; that is not part of the story and would push it out.
fn is_onlooker(request: &ServiceRequest) -> bool {
    request.method().is_safe() && agent(request.headers()) == b"payrig/console"
}

/// Requests about the program, as opposed to requests that it serves.
fn is_control(path: &str) -> bool {
    ["/_sandbox", "/healthz", "/metrics", "/assets/"].iter().any(|start| path.starts_with(start))
}

fn begin(served: &Served, request: &ServiceRequest) -> State {
    let plumbing = &served.plumbing;
    let trace = ["payrig-trace-id", "traceparent"]
        .iter()
        .find_map(|name| TraceId::from_header(request.headers().get(*name)?.to_str().ok()?));
    State {
        trace: trace.unwrap_or_else(|| TraceId::new(&served.traces)),
        request_id: served.request_ids.with(RequestId::new).to_string(),
        body: None,
        request_verdict: None,
        answer_key: None,
        answer_clock: None,
        facts: None,
        link: None,
        logged: !is_control(request.path()) && !is_onlooker(request),
        fault: None,
        received_at: plumbing.clock.now(),
        stopwatch: plumbing.clock.stopwatch(),
    }
}

/// Makes the answer complete: problem details, headers, signature; then writes the wire log.
fn finish(served: &Served, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let Some(state) = request.extensions_mut().remove::<State>() else {
        return ServiceResponse::new(request, response);
    };
    let response = with_problem(served, &state, &request, response);
    let (mut head, body) = response.into_parts();
    let headers = head.headers_mut();
    insert(headers, "request-id", &state.request_id);
    insert(headers, "traceparent", &state.trace.traceparent(served.traces.bytes()));
    add_default_headers(headers);
    let has_body = !matches!(body.size(), BodySize::None);
    let body = match body.try_into_bytes() {
        Ok(bytes) => {
            let bytes = armed_bar::shown(served, head.headers(), bytes);
            let status = head.status();
            if let Some((key, binding)) = &state.answer_key {
                let clock = state.answer_clock.as_ref().unwrap_or(&served.plumbing.clock);
                let signed = (&bytes[..], key, binding);
                sign(served, clock, status, head.headers_mut(), signed);
            }
            log(served, state, &request, &head, &bytes);
            if has_body { BoxBody::new(bytes) } else { BoxBody::new(actix_web::body::None::new()) }
        }
        // A stream: neither signed nor kept.
        Err(stream) => stream,
    };
    ServiceResponse::new(request, head.set_body(body))
}

/// Renders errors with their request id, for browsers as a page.
fn with_problem(
    served: &Served,
    state: &State,
    request: &HttpRequest,
    response: HttpResponse<BoxBody>,
) -> HttpResponse<BoxBody> {
    let Some(problem) = problem_of(&response) else { return response };
    if let Some(cause) = problem.internal_cause() {
        tracing::error!(request.id = state.request_id, trace.id = %state.trace, cause, "failed");
    }
    let context = ProblemContext { request_id: &state.request_id, links: &served.links };
    match &served.problem_page {
        Some(page) if wants_page(request.headers()) => problem.page(&context, page),
        _ => problem.response(&context),
    }
}

fn problem_of(response: &HttpResponse<BoxBody>) -> Option<Problem> {
    let status = response.status();
    if status.as_u16() < 400 {
        return None;
    }
    match response.error() {
        Some(error) => {
            let ours = error.as_error::<Problem>().cloned();
            Some(ours.unwrap_or_else(|| of_status(status, &error.to_string())))
        }
        // The router's own answers are bare.
        None if matches!(response.body().size(), BodySize::None | BodySize::Sized(0))
            && !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            Some(of_status(status, ""))
        }
        None => None,
    }
}

fn of_status(status: StatusCode, cause: &str) -> Problem {
    match status.as_u16() {
        404 => Problem::not_found(),
        405 => Problem::new(405, "method_not_allowed", "this address knows other methods"),
        server if server >= 500 => Problem::internal(cause),
        client => Problem::new(client, "request_invalid", "the request cannot be served"),
    }
}

/// Whether a person looks at the answer.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn sign(
    served: &Served,
    clock: &Clock,
    status: StatusCode,
    headers: &mut HeaderMap,
    (body, key, binding): (&[u8], &ResponseKey, &RequestBinding),
) {
    let created = clock.now().seconds();
    let times = SignatureTimes { created, expires: created.saturating_add(SIGNATURE_SECONDS) };
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let nonce = served.plumbing.secrets.nonce();
    let signed = key.sign(status.as_u16(), content_type, body, binding, times, &nonce);
    if let Some(digest) = &signed.content_digest {
        insert(headers, "content-digest", digest);
    }
    insert(headers, "signature-input", &signed.signature_input);
    insert(headers, "signature", &signed.signature);
}

fn log(
    served: &Served,
    state: State,
    request: &HttpRequest,
    answer: &HttpResponse<()>,
    body: &Bytes,
) {
    if !state.logged {
        return;
    }
    let plumbing = &served.plumbing;
    let kind = if state.link.is_some() { "api" } else { "page" };
    let facts = state.facts.unwrap_or_else(|| Facts::new(kind, state.trace));
    if plumbing.crash_points.is_armed() {
        answered_soon(plumbing.crash_points.clone(), facts.kind);
    }
    let authority = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    plumbing.wire_log.record(Exchange {
        link: state.link.unwrap_or(served.browser_link),
        side: Side::Receiver,
        at: state.received_at,
        facts,
        request: LoggedRequest {
            method: request.method().as_str(),
            authority: authority.unwrap_or_default(),
            path: request.path(),
            query: request.query_string(),
            headers: request.headers(),
            body: state.body.as_deref().unwrap_or_default(),
        },
        answer: Some(LoggedAnswer {
            at: plumbing.clock.now(),
            status: answer.status().as_u16(),
            headers: answer.headers(),
            body,
        }),
        outcome: Outcome::Answered,
        fault: state.fault,
        request_verdict: state.request_verdict,
        answer_verdict: None,
        duration: state.stopwatch.elapsed(),
    });
}

/// The answer is written in the same turn of this thread that made it, so a task that is queued
/// now runs after it has left.
fn answered_soon(crash_points: crate::crash_points::CrashPoints, kind: &'static str) {
    actix_web::rt::spawn(async move { crash_points.reached(kind, Boundary::Answered) });
}
