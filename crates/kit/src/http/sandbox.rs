//! The control plane of a program: idle, clock, faults, wire log, crash points, invariants.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wire::time::Timestamp;

use super::{Problem, ReceivedRequest, json as parse_json, query_pairs};
use crate::activity::{PendingTimer, earlier};
use crate::clock::ClockError;
use crate::crash_points::CrashPoint;
use crate::durations;
use crate::facts::TraceId;
use crate::faults::{Action, Fault, FaultMatch};
use crate::gate::Stops;
use crate::plumbing::Plumbing;
use crate::wirelog::{READ_MAX, WireFilter};

/// What the control plane asks a program.
pub trait SandboxHooks: Send + Sync {
    /// When the next stored timer of any class is due.
    fn next_due_at(&self) -> LocalBoxFuture<'_, Option<Timestamp>>;

    /// When the next stored timer is due that "until idle" waits for; the same unless it differs.
    fn next_work_due_at(&self) -> LocalBoxFuture<'_, Option<Timestamp>> {
        self.next_due_at()
    }

    /// Whether the program's own rules hold.
    fn invariants(&self) -> LocalBoxFuture<'_, InvariantReport>;

    /// Called before idleness is judged: hands over what is held in memory.
    fn flush(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The result of checking a program's invariants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvariantReport {
    /// Whether all hold.
    pub ok: bool,
    /// How many were checked.
    pub checked: u32,
    /// What is wrong, one sentence each.
    pub violations: Vec<String>,
}

impl InvariantReport {
    /// A report of what was found.
    pub fn new(checked: u32, violations: Vec<String>) -> Self {
        Self { ok: violations.is_empty(), checked, violations }
    }
}

/// Adds the routes under `/_sandbox`; they answer to the key and to loopback peers only.
pub fn sandbox_routes(
    config: &mut web::ServiceConfig,
    plumbing: &Plumbing,
    sandbox_key: &str,
    hooks: Arc<dyn SandboxHooks>,
) {
    sandbox_routes_with(config, plumbing, sandbox_key, hooks, |_| {});
}

/// As [`sandbox_routes`], with the program's own routes behind the same fence; their paths are
/// relative: `/cards`.
pub fn sandbox_routes_with(
    config: &mut web::ServiceConfig,
    plumbing: &Plumbing,
    sandbox_key: &str,
    hooks: Arc<dyn SandboxHooks>,
    more: impl FnOnce(&mut web::ServiceConfig),
) {
    let fence = Arc::new(Fence::new(sandbox_key));
    let shared = web::Data::new(Sandbox { plumbing: plumbing.clone(), hooks });
    config.service(
        web::scope("/_sandbox")
            .app_data(shared)
            .configure(more)
            .route("/idle", web::get().to(idle))
            .route("/clock", web::get().to(read_clock))
            .route("/clock", web::post().to(move_clock))
            .route("/clock/wake", web::post().to(wake_next))
            .route("/clock/driven", web::post().to(drive_clock))
            .route("/timers", web::get().to(list_timers))
            .route("/vulnerabilities", web::get().to(list_vulnerabilities))
            .route("/vulnerabilities", web::post().to(set_vulnerabilities))
            .route("/faults", web::get().to(list_faults))
            .route("/faults", web::post().to(arm_faults))
            .route("/faults", web::delete().to(clear_faults))
            .route("/faults/elsewhere", web::post().to(note_elsewhere))
            .route("/hold", web::post().to(hold))
            .route("/held", web::get().to(list_held))
            .route("/release", web::post().to(release))
            .route("/wire", web::get().to(read_wire))
            .route("/crash-points", web::get().to(list_crash_points))
            .route("/crash-points", web::post().to(arm_crash_point))
            .route("/crash-points", web::delete().to(clear_crash_points))
            .route("/invariants", web::get().to(check_invariants))
            .wrap(from_fn(move |request, next| guard(fence.clone(), request, next))),
    );
}

struct Sandbox {
    plumbing: Plumbing,
    hooks: Arc<dyn SandboxHooks>,
}

type Shared = web::Data<Sandbox>;
type Answer = Result<HttpResponse, Problem>;

/// Lets only those in who hold the key and sit on this machine.
struct Fence {
    /// Hashed, so that comparing takes the same time for every length.
    key: [u8; 32],
    /// A missing key opens nothing.
    closed: bool,
}

impl Fence {
    fn new(key: &str) -> Self {
        Self { key: Sha256::digest(key).into(), closed: key.is_empty() }
    }

    fn check(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
        if !peer.is_some_and(|peer| peer.is_loopback()) {
            return Err(Problem::not_found());
        }
        let given = request.headers().get("sandbox-key").map_or(&b""[..], |key| key.as_bytes());
        self.admits(given)
    }

    fn admits(&self, given: &[u8]) -> Result<(), Problem> {
        let given: [u8; 32] = Sha256::digest(given).into();
        if bool::from(given.ct_eq(&self.key)) && !self.closed {
            return Ok(());
        }
        let detail = "the control plane needs the header `Sandbox-Key`";
        Err(Problem::new(401, "sandbox_key_invalid", detail).param("sandbox-key"))
    }
}

/// Whether a request that is no program's carries the key of the control plane.
pub fn check_sandbox_key(received: &ReceivedRequest, key: &str) -> Result<(), Problem> {
    Fence::new(key).admits(received.header("sandbox-key").unwrap_or_default().as_bytes())
}

async fn guard(
    fence: Arc<Fence>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Err(problem) = fence.check(&request) {
        return Ok(request.error_response(problem));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn idle(sandbox: Shared) -> Answer {
    sandbox.hooks.flush().await;
    let Plumbing { activity, clock, faults, .. } = &sandbox.plumbing;
    let stored = sandbox.hooks.next_due_at().await;
    let stored_work = sandbox.hooks.next_work_due_at().await;
    let workers = activity.next_due();
    let next = earlier(earlier(stored, clock.next_due()), workers.earliest());
    let work = earlier(earlier(stored_work, clock.next_work_due()), workers.work);
    let mut now = activity.snapshot();
    if now.in_flight == 0 && now.queued == 0 {
        // Nobody comes any more to fill these groups.
        now.queued = u64::try_from(faults.release_groups()).unwrap_or(u64::MAX);
    }
    Ok(HttpResponse::Ok().json(json!({
        "program": sandbox.plumbing.program,
        "now": clock.now(),
        "in_flight": now.in_flight,
        "queued": now.queued,
        "next_due_at": next,
        "next_work_due_at": work,
        "sent": now.sent,
        "received": now.received,
        "awaiting_answer": now.awaiting_answer,
        "serving": now.serving,
        "held": faults.held(),
        "patient": clock.patient(),
        "at_gate": sandbox.plumbing.gate.waiting(),
    })))
}

fn clock_answer(sandbox: &Sandbox) -> HttpResponse {
    let clock = &sandbox.plumbing.clock;
    let mode = if clock.is_virtual() { "virtual" } else { "real" };
    HttpResponse::Ok().json(json!({ "now": clock.now(), "mode": mode }))
}

async fn read_clock(sandbox: Shared) -> Answer {
    Ok(clock_answer(&sandbox))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockMove {
    advance: Option<String>,
    advance_to: Option<Timestamp>,
    /// Whether everybody whose time has come is woken at once.
    wake: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Driven {
    /// Whether patience ends at rest.
    driven: bool,
    /// Whether messages wait until they are let go.
    one_by_one: bool,
}

/// Which message is let go, of those that wait.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhomToWake {
    message: Option<usize>,
}

/// Wakes the next one whose time has come: for whoever waits for rest in between.
async fn wake_next(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let whom = if received.body.is_empty() {
        WhomToWake::default()
    } else {
        parse_json::<WhomToWake>(&received)?
    };
    let woken = match whom.message {
        Some(index) => sandbox.plumbing.gate.let_go(index),
        None => sandbox.plumbing.clock.wake_next(),
    };
    Ok(HttpResponse::Ok().json(json!({ "woken": woken })))
}

async fn drive_clock(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let wanted: Driven = parse_json(&received)?;
    sandbox.plumbing.clock.drive(wanted.driven);
    sandbox.plumbing.gate.close(match (wanted.driven, wanted.one_by_one) {
        (_, true) => Stops::Everything,
        (true, false) => Stops::Notifications,
        (false, false) => Stops::Nothing,
    });
    Ok(HttpResponse::NoContent().finish())
}

async fn move_clock(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let wanted: ClockMove = parse_json(&received)?;
    let clock = &sandbox.plumbing.clock;
    let moved = match (&wanted.advance, wanted.advance_to) {
        (Some(by), None) => {
            let by = durations::parse(by).map_err(|error| {
                Problem::new(422, "field_invalid", error.to_string()).param("advance")
            })?;
            clock.advance(by)
        }
        (None, Some(to)) if wanted.wake == Some(false) => clock.set_to(to),
        (None, Some(to)) => clock.advance_to(to),
        _ => {
            let detail = "give either `advance` or `advance_to`";
            return Err(Problem::new(400, "field_missing", detail).param("advance"));
        }
    };
    match moved {
        Ok(_) => Ok(clock_answer(&sandbox)),
        Err(error @ ClockError::Backwards { .. }) => {
            Err(Problem::new(409, "clock_backwards", error.to_string()).param("advance_to"))
        }
        Err(error @ ClockError::TooFar) => {
            Err(Problem::new(422, "clock_too_far", error.to_string()).param("advance"))
        }
    }
}

async fn list_faults(sandbox: Shared) -> Answer {
    let faults = &sandbox.plumbing.faults;
    let mut parked: BTreeMap<String, usize> = BTreeMap::new();
    for message in faults.parked() {
        let count = parked.entry(message.label).or_default();
        *count = count.saturating_add(1);
    }
    Ok(HttpResponse::Ok().json(json!({
        "faults": faults.list(),
        "links": faults.links(),
        "parked": parked,
        "elsewhere": sandbox.plumbing.faults.elsewhere(),
    })))
}

async fn list_timers(sandbox: Shared) -> Answer {
    let Plumbing { activity, clock, .. } = &sandbox.plumbing;
    let mut timers = activity.timers();
    // What no worker owns: deadlines of calls and delays that a fault makes.
    if let Some(due_at) = clock.next_due()
        && !timers.iter().any(|timer| timer.due_at == due_at)
    {
        let work = clock.next_work_due() == Some(due_at);
        timers.insert(0, PendingTimer { owner: "deadlines".into(), due_at, work });
    }
    Ok(HttpResponse::Ok().json(json!({ "now": clock.now(), "timers": timers })))
}

async fn list_vulnerabilities(sandbox: Shared) -> Answer {
    let list = sandbox.plumbing.vulnerabilities.list();
    Ok(HttpResponse::Ok().json(json!({ "vulnerabilities": list })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    id: String,
    on: bool,
}

async fn set_vulnerabilities(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let Switch { id, on } = parse_json(&received)?;
    if !sandbox.plumbing.vulnerabilities.set(&id, on) {
        let detail = format!("this program has no protection named `{id}` that can be switched");
        return Err(Problem::new(422, "vulnerability_unknown", detail).param("id"));
    }
    tracing::warn!(vulnerability = id, on, "a protection was switched");
    list_vulnerabilities(sandbox).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultList {
    faults: Vec<Fault>,
}

async fn arm_faults(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let list: FaultList = parse_json(&received)?;
    arm(&sandbox, list.faults)
}

fn arm(sandbox: &Sandbox, faults: Vec<Fault>) -> Answer {
    let ids = sandbox.plumbing.faults.arm(faults);
    let ids = ids.map_err(|error| Problem::new(422, "fault_refused", error.to_string()))?;
    Ok(HttpResponse::Created().json(json!({ "ids": ids })))
}

async fn clear_faults(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let pairs = query_pairs(&received.query)?;
    pairs.only(&["id"])?;
    match pairs.get("id") {
        None | Some("all") => sandbox.plumbing.faults.clear_all(),
        Some(id) if sandbox.plumbing.faults.clear(id) => {}
        Some(id) => {
            let detail = format!("no fault with the id `{id}` is armed");
            return Err(Problem::new(404, "fault_unknown", detail).param("id"));
        }
    }
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    armed: usize,
}

/// What is armed in other programs is shown on the pages of this one, too.
async fn note_elsewhere(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let Elsewhere { armed } = parse_json(&received)?;
    sandbox.plumbing.faults.note_elsewhere(armed);
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    on: String,
    #[serde(default, rename = "match")]
    matching: FaultMatch,
    label: String,
}

async fn hold(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let Hold { on, matching, label } = parse_json(&received)?;
    let fault = Fault {
        id: None,
        on,
        matching,
        times: None,
        skip: 0,
        probability: None,
        optional: true,
        action: Action::Hold(label),
    };
    arm(&sandbox, vec![fault])
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    label: String,
    /// What happens to the messages instead of their going on.
    #[serde(rename = "do")]
    instead: Option<Action>,
}

async fn release(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let Release { label, instead } = parse_json(&received)?;
    let faults = &sandbox.plumbing.faults;
    let released = match &instead {
        Some(instead) => faults
            .release_with(&label, instead)
            .map_err(|error| Problem::new(422, "release_refused", error.to_string()).param("do"))?,
        None => faults.release(&label),
    };
    Ok(HttpResponse::Ok().json(json!({ "released": released })))
}

async fn list_held(sandbox: Shared) -> Answer {
    Ok(HttpResponse::Ok().json(json!({ "held": sandbox.plumbing.faults.parked() })))
}

async fn read_wire(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let pairs = query_pairs(&received.query)?;
    pairs.only(&["trace", "payment", "order", "after", "limit"])?;
    let number = |name: &'static str| match pairs.get(name).map(str::parse::<u64>).transpose() {
        Ok(number) => Ok(number),
        Err(_) => Err(Problem::new(400, "parameter_invalid", "not a number").param(name)),
    };
    let mut filter = WireFilter { after_seq: number("after")?, ..WireFilter::default() };
    // A trace may be named by its id or by the payment it is about.
    match pairs.get("trace").map(|trace| (trace, trace.parse::<TraceId>())) {
        Some((_, Ok(trace))) => filter.trace = Some(trace),
        Some((payment, Err(_))) => filter.payment = Some(payment.to_owned()),
        None => {}
    }
    filter.payment = pairs.get("payment").map(str::to_owned).or(filter.payment);
    filter.order = pairs.get("order").map(str::to_owned);
    let limit = number("limit")?.and_then(|limit| usize::try_from(limit).ok());
    let log = &sandbox.plumbing.wire_log;
    let entries = log.since(&filter, limit.unwrap_or(READ_MAX));
    Ok(HttpResponse::Ok().json(json!({
        "entries": entries,
        "last_seq": log.last_seq(),
        "not_kept": log.not_kept(),
    })))
}

async fn list_crash_points(sandbox: Shared) -> Answer {
    let armed = sandbox.plumbing.crash_points.list();
    Ok(HttpResponse::Ok().json(json!({ "crash_points": armed })))
}

async fn arm_crash_point(sandbox: Shared, received: ReceivedRequest) -> Answer {
    let point: CrashPoint = parse_json(&received)?;
    let armed = sandbox.plumbing.crash_points.arm(point.clone());
    armed.map_err(|error| Problem::new(422, "crash_point_refused", error.to_string()))?;
    Ok(HttpResponse::Created().json(point))
}

async fn clear_crash_points(sandbox: Shared) -> Answer {
    sandbox.plumbing.crash_points.clear();
    Ok(HttpResponse::NoContent().finish())
}

async fn check_invariants(sandbox: Shared) -> Answer {
    Ok(HttpResponse::Ok().json(sandbox.hooks.invariants().await))
}
