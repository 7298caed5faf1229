//! The control plane over HTTP.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use kit::clock::TimerClass;
use kit::http::{InvariantReport, SandboxHooks, sandbox_routes_with};
use kit::worker::{self, Wake};
use serde_json::{Value, json};
use wire::time::Timestamp;

use crate::support::{Answer, START, Served, plumbing, standing_clock, until};

const KEY: &str = "sandbox-key: correct horse";
const JSON: &str = "content-type: application/json";

struct Hooks;

impl SandboxHooks for Hooks {
    fn next_due_at(&self) -> LocalBoxFuture<'_, Option<Timestamp>> {
        Box::pin(async { Some(START.plus(Duration::from_hours(1))) })
    }

    fn next_work_due_at(&self) -> LocalBoxFuture<'_, Option<Timestamp>> {
        Box::pin(async { None })
    }

    fn invariants(&self) -> LocalBoxFuture<'_, InvariantReport> {
        Box::pin(async { InvariantReport::new(2, vec!["I1: money is missing".into()]) })
    }
}

fn served() -> Served {
    let plumbing = plumbing("gateway", &standing_clock());
    let shared = plumbing.clone();
    Served::start(plumbing, move |config| {
        sandbox_routes_with(config, &shared, "correct horse", Arc::new(Hooks), |own| {
            own.route("/cards", web::get().to(|| async { HttpResponse::Ok().json(["visa.ok"]) }));
        });
    })
}

async fn get(served: &Served, path: &str) -> Answer {
    served.request(&format!("GET /_sandbox/{path}"), &[KEY], "").await
}

async fn post(served: &Served, path: &str, body: Value) -> Answer {
    served.request(&format!("POST /_sandbox/{path}"), &[KEY, JSON], &body.to_string()).await
}

#[tokio::test]
async fn only_the_key_opens_it() {
    let served = served();
    for headers in [&[][..], &["sandbox-key: wrong"], &["sandbox-key: "]] {
        let answer = served.request("GET /_sandbox/idle", headers, "").await;
        assert_eq!((answer.status(), &answer.json()["code"]), (401, &json!("sandbox_key_invalid")));
    }
    let twice = served.request("GET /_sandbox/idle", &[KEY, "host: evil.example"], "").await;
    assert_eq!(twice.status(), 421);
    assert_eq!(get(&served, "cards").await.json(), json!(["visa.ok"]));
    let report = get(&served, "invariants").await.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["violations"][0], "I1: money is missing");
    assert_eq!(served.plumbing.wire_log.last_seq(), 0, "the control plane is not in the log");
}

#[tokio::test]
async fn idleness_names_what_is_next() {
    let served = served();
    let idle = get(&served, "idle").await.json();
    assert_eq!(idle["in_flight"], 0);
    assert_eq!(idle["queued"], 0);
    assert_eq!(idle["next_due_at"], "2026-01-01T01:00:00.000Z");
    assert_eq!(idle["next_work_due_at"], Value::Null);
    let _busy = served.plumbing.activity.enter();
    let clock = served.plumbing.clock.clone();
    let sleeper = clock.sleep_as(START.plus(Duration::from_secs(5)), TimerClass::Work);
    let sleeping = tokio::spawn(sleeper);
    until(|| clock.next_due().is_some()).await;
    let idle = get(&served, "idle").await.json();
    assert_eq!(idle["in_flight"], 1);
    assert_eq!(idle["next_work_due_at"], "2026-01-01T00:00:05.000Z");
    sleeping.abort();
}

#[tokio::test]
async fn a_worker_runs_when_woken_and_when_its_time_comes() {
    let served = served();
    let (plumbing, wake) = (served.plumbing.clone(), Wake::new());
    let steps = Arc::new(std::sync::Mutex::new(Vec::new()));
    let working = tokio::spawn({
        let (plumbing, wake, steps) = (plumbing.clone(), wake.clone(), steps.clone());
        async move {
            let clock = plumbing.clock.clone();
            worker::run(&plumbing, "test", wake, || {
                let now = clock.now();
                steps.lock().unwrap().push(now);
                async move { Some(now.plus(Duration::from_mins(1))) }
            })
            .await;
        }
    });
    let count = || steps.lock().unwrap().len();
    until(|| count() == 1 && plumbing.clock.next_due().is_some()).await;
    let idle = get(&served, "idle").await.json();
    assert_eq!(idle["next_work_due_at"], "2026-01-01T00:01:00.000Z");
    wake.wake();
    until(|| count() == 2).await;
    until(|| plumbing.clock.next_due().is_some()).await;
    post(&served, "clock", json!({"advance": "60s"})).await;
    until(|| count() == 3).await;
    assert_eq!(steps.lock().unwrap()[2], START.plus(Duration::from_mins(1)));
    plumbing.shutdown.trigger();
    working.await.unwrap();
    assert_eq!(plumbing.activity.next_due().earliest(), None);
}

#[tokio::test]
async fn a_worker_that_panics_ends_the_program() {
    let served = served();
    let plumbing = &served.plumbing;
    worker::run(plumbing, "broken", Wake::new(), || async {
        assert!(std::hint::black_box(false), "a step that panics");
        None::<Timestamp>
    })
    .await;
    assert_eq!(plumbing.shutdown.failure().as_deref(), Some("the worker `broken` panicked"));
}

#[tokio::test]
async fn the_clock_moves_forward_only() {
    let served = served();
    let moved = post(&served, "clock", json!({"advance": "31s"})).await;
    assert_eq!(moved.json(), json!({"now": "2026-01-01T00:00:31.000Z", "mode": "virtual"}));
    let moved = post(&served, "clock", json!({"advance_to": "2026-01-02T00:00:00Z"})).await;
    assert_eq!(moved.json()["now"], "2026-01-02T00:00:00.000Z");
    for (body, status, code) in [
        (json!({"advance_to": "2026-01-01T00:00:00Z"}), 409, "clock_backwards"),
        (json!({"advance": "-5s"}), 422, "field_invalid"),
        (json!({"advance": "4000d"}), 422, "clock_too_far"),
        (json!({}), 400, "field_missing"),
        (json!({"back": "1s"}), 400, "field_unknown"),
    ] {
        let refused = post(&served, "clock", body.clone()).await;
        assert_eq!((refused.status(), &refused.json()["code"]), (status, &json!(code)), "{body}");
    }
    assert_eq!(get(&served, "clock").await.json()["now"], "2026-01-02T00:00:00.000Z");
}

#[tokio::test]
async fn faults_are_armed_listed_and_cleared() {
    let served = served();
    served.plumbing.faults.register("gateway->processor");
    let faults = json!({"faults": [
        {"id": "a", "on": "gateway->processor", "do": "drop_response", "times": 1},
        {"on": "gateway->processor", "match": {"type": "inquiry"}, "do": {"delay_request": "2s"}},
    ]});
    let armed = post(&served, "faults", faults.clone()).await;
    assert_eq!((armed.status(), armed.json()), (201, json!({"ids": ["a", "fault_1"]})));
    let listed = get(&served, "faults").await.json();
    assert_eq!(listed["faults"][0]["fault"]["do"], "drop_response");
    assert_eq!(listed["faults"][0]["hits"], 0);
    assert_eq!(listed["links"], json!(["browser->gateway", "gateway->processor"]));
    let again = post(&served, "faults", faults).await;
    assert_eq!((again.status(), &again.json()["code"]), (422, &json!("fault_refused")));
    let word = json!({"faults": [{"on": "gateway->processor", "do": "drop_everything"}]});
    let wrong = post(&served, "faults", word).await;
    assert_eq!((wrong.status(), &wrong.json()["param"]), (400, &json!("faults.0.do")));
    let held = json!({"on": "gateway->processor", "label": "later"});
    assert_eq!(post(&served, "hold", held).await.status(), 201);
    let released = post(&served, "release", json!({"label": "later"})).await;
    assert_eq!(released.json(), json!({"released": 0}));
    let delete = async |query: &str| {
        served.request(&format!("DELETE /_sandbox/faults{query}"), &[KEY], "").await.status()
    };
    assert_eq!(delete("?id=a").await, 204);
    assert_eq!(delete("?id=a").await, 404);
    assert_eq!(delete("").await, 204);
    assert!(served.plumbing.faults.list().is_empty());
}

#[tokio::test]
async fn crash_points_are_armed_listed_and_cleared() {
    let served = served();
    let point = json!({"message": "authorization", "at": "answer_stored", "nth": 2});
    assert_eq!(post(&served, "crash-points", point.clone()).await.status(), 201);
    assert_eq!(get(&served, "crash-points").await.json(), json!({"crash_points": [point]}));
    let none = json!({"message": "authorization", "at": "sent", "nth": 0});
    assert_eq!(post(&served, "crash-points", none).await.status(), 422);
    let cleared = served.request("DELETE /_sandbox/crash-points", &[KEY], "").await;
    assert_eq!(cleared.status(), 204);
    assert!(!served.plumbing.crash_points.is_armed());
}

#[tokio::test]
async fn the_wire_log_is_read_by_trace_and_number() {
    let served = served();
    for _ in 0..3 {
        served.request("GET /nothing", &[], "").await;
    }
    let all = get(&served, "wire").await.json();
    assert_eq!(all["last_seq"], 3);
    assert_eq!(all["entries"][0]["link"], "browser->gateway");
    let rest = get(&served, "wire?after=2").await.json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    let trace = all["entries"][1]["trace_id"].as_str().unwrap();
    let one = get(&served, &format!("wire?trace={trace}")).await.json();
    assert_eq!(one["entries"].as_array().unwrap().len(), 1);
    assert_eq!(get(&served, "wire?payment=pay_1").await.json()["entries"], json!([]));
    assert_eq!(get(&served, "wire?after=x").await.status(), 400);
    assert_eq!(get(&served, "wire?colour=red").await.status(), 400);
}
