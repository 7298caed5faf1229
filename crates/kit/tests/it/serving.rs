//! What the server does around every route.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpRequest, HttpResponse, web};
use kit::http::{
    ListenError, PagePolicy, Problem, ProblemPage, ReceivedRequest, ServeOptions, listen,
    page_headers, request_id,
};
use kit::link::UnknownCause;
use kit::wirelog::WireFilter;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use crate::support::{Served, arm, call, plumbing, standing_clock, until};

fn bare() -> Served {
    Served::start(plumbing("gateway", &standing_clock()), |config| {
        config
            .route(
                "/body",
                web::post().to(|received: ReceivedRequest| async move {
                    HttpResponse::Ok().body(received.body)
                }),
            )
            .route(
                "/panics",
                web::get().to(|| async {
                    assert!(std::hint::black_box(false), "a handler that panics");
                    HttpResponse::Ok().finish()
                }),
            )
            .route(
                "/fails",
                web::get().to(|| async {
                    Err::<HttpResponse, _>(Problem::internal("no such table: payments"))
                }),
            )
            .route(
                "/id",
                web::get().to(|request: HttpRequest| async move {
                    HttpResponse::Ok().body(request_id(&request))
                }),
            );
    })
}

#[tokio::test]
async fn a_signed_request_gets_a_signed_answer() {
    let clock = standing_clock();
    let served = Served::echo(&clock);
    let shop = plumbing("merchant", &clock);
    let reply = served.link(&shop).send(call("api")).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, r#"{"amount":1}"#);
    assert!(reply.header("request-id").unwrap().starts_with("req_"));
    assert!(reply.header("traceparent").unwrap().starts_with("00-"));
    let entry = served.plumbing.wire_log.since(&WireFilter::default(), 1).remove(0);
    assert_eq!(entry.request_verdict.as_deref(), Some("ok"));
    assert_eq!(entry.link, "merchant->gateway");
    let sent = shop.wire_log.since(&WireFilter::default(), 1).remove(0);
    assert_eq!(sent.answer_verdict.as_deref(), Some("ok"));
    assert_eq!(sent.exchange, entry.exchange);
    assert_eq!(sent.trace_id, entry.trace_id);
    assert_eq!(sent.request.signature_base, entry.request.signature_base);
    assert!(sent.request.signature_base.unwrap().contains("\"idempotency-key\": order-1"));
}

#[tokio::test]
async fn an_unsigned_request_is_refused_with_a_reason() {
    let served = Served::echo(&standing_clock());
    let json = "content-type: application/json";
    let answer = served.request("POST /echo", &[json], "{}").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["code"], "signature_invalid");
    assert_eq!(answer.json()["reason"], "signature_missing");
    assert_eq!(answer.header("request-id"), answer.json()["request_id"].as_str());
    assert_eq!(answer.header("signature"), None);
}

#[tokio::test]
async fn a_replayed_request_is_refused_and_a_damaged_one_too_both_with_signed_answers() {
    let clock = standing_clock();
    let served = Served::echo(&clock);
    let shop = plumbing("merchant", &clock);
    let link = served.link(&shop);
    arm(&shop, json!({"id": "twice", "on": "merchant->gateway", "do": {"duplicate": 2}}));
    assert_eq!(link.send(call("api")).await.unwrap().status, 200);
    until(|| served.plumbing.wire_log.last_seq() == 2).await;
    let verdicts: Vec<_> = served
        .plumbing
        .wire_log
        .since(&WireFilter::default(), 10)
        .into_iter()
        .map(|entry| (entry.request_verdict.unwrap(), entry.answer.unwrap().status))
        .collect();
    assert_eq!(verdicts, [("ok".into(), 200), ("signature_replayed".into(), 409)]);
    shop.faults.clear_all();
    for (fault, reason) in [
        (json!("corrupt_signature"), "mac_mismatch"),
        (json!("wrong_key"), "mac_mismatch"),
        (json!({"stale_timestamp": "10m"}), "expired"),
    ] {
        arm(&shop, json!({"on": "merchant->gateway", "do": fault, "times": 1}));
        let reply = link.send(call("api")).await.unwrap();
        assert_eq!(reply.status, 401, "{fault}");
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["reason"], reason, "{fault}");
    }
}

#[tokio::test]
async fn an_unsigned_answer_leaves_the_outcome_unknown() {
    let clock = standing_clock();
    let served = Served::start(plumbing("gateway", &clock), |config| {
        config.route("/echo", web::post().to(|| async { HttpResponse::Ok().body("{}") }));
    });
    let shop = plumbing("merchant", &clock);
    let failure = served.link(&shop).send(call("api")).await.unwrap_err();
    let kit::link::LinkFailure::Unknown(UnknownCause::AnswerRefused(reason)) = failure else {
        panic!("{failure}");
    };
    assert_eq!(reason.as_str(), "signature_missing");
}

#[tokio::test]
async fn only_known_names_are_answered() {
    let served = bare();
    for (host, status) in [
        ("host: 127.0.0.1:7072", 200),
        ("host: localhost", 200),
        ("host: [::1]:7072", 200),
        ("host: LOCALHOST:1", 200),
        ("host: evil.example:7072", 421),
        ("host: 127.0.0.1.evil.example", 421),
        ("host: ", 421),
    ] {
        assert_eq!(served.request("GET /id", &[host], "").await.status(), status, "{host}");
    }
}

#[tokio::test]
async fn bodies_and_headers_are_taken_strictly() {
    let served = bare();
    let large = "x".repeat(65 * 1024);
    let answer = served.request("POST /body", &[], &large).await;
    assert_eq!((answer.status(), &answer.json()["code"]), (413, &json!("body_too_large")));
    let exact = "x".repeat(64 * 1024);
    assert_eq!(served.request("POST /body", &[], &exact).await.status(), 200);
    let answer = served.request("POST /body", &["content-encoding: gzip"], "x").await;
    assert_eq!(answer.status(), 415);
    let twice = ["idempotency-key: a", "idempotency-key: b"];
    let answer = served.request("POST /body", &twice, "x").await;
    assert_eq!((answer.status(), &answer.json()["code"]), (400, &json!("header_duplicate")));
    assert_eq!(answer.json()["param"], "idempotency-key");
}

#[tokio::test]
async fn failures_inside_are_generic_outside_and_the_server_goes_on() {
    let served = bare();
    for path in ["/panics", "/fails"] {
        let answer = served.request(&format!("GET {path}"), &[], "").await;
        assert_eq!(answer.status(), 500, "{path}");
        assert_eq!(answer.json()["code"], "internal_error");
        assert!(answer.json()["request_id"].as_str().unwrap().starts_with("req_"));
        assert!(!answer.0.contains("table"));
    }
    assert_eq!(served.request("GET /nothing", &[], "").await.json()["code"], "not_found");
    let wrong = served.request("DELETE /id", &[], "").await;
    assert!(matches!(wrong.status(), 404 | 405));
    assert_eq!(served.request("GET /healthz", &[], "").await.body(), r#"{"status":"ok"}"#);
    let id = served.request("GET /id", &[], "").await;
    assert_eq!(id.header("request-id"), Some(id.body()));
}

#[tokio::test]
async fn browsers_get_pages_with_every_safeguard() {
    let page: ProblemPage =
        Arc::new(|problem, context| format!("<h1>{}</h1>{}", problem.code(), context.request_id));
    let options = ServeOptions { problem_page: Some(page), ..ServeOptions::default() };
    let html = || async { HttpResponse::Ok().content_type("text/html").body("<h1>Pay</h1>") };
    let served =
        Served::start_with(plumbing("gateway", &standing_clock()), options, move |config| {
            let fields = PagePolicy {
                framed_by: vec!["http://127.0.0.1:7071".into()],
                ..PagePolicy::card_form()
            };
            config.route("/pay", web::get().to(html)).service(
                web::scope("/fields").wrap(page_headers(&fields)).route("", web::get().to(html)),
            );
        });
    let accept = ["accept: text/html,*/*"];
    let page = served.request("GET /pay", &accept, "").await;
    for name in [
        "content-security-policy",
        "x-content-type-options",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "referrer-policy",
        "cache-control",
    ] {
        assert!(page.header(name).is_some(), "{name}");
    }
    let fields = served.request("GET /fields", &accept, "").await;
    let policy = fields.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors http://127.0.0.1:7071;"), "{policy}");
    let missing = served.request("GET /nothing", &accept, "").await;
    assert_eq!(missing.status(), 404);
    assert!(missing.body().starts_with("<h1>not_found</h1>req_"), "{}", missing.body());
    assert_eq!(served.request("GET /nothing", &[], "").await.json()["status"], 404);
}

#[tokio::test]
async fn an_unsafe_request_runs_to_its_end_when_its_client_goes_away() {
    let (begun, go_on, done) =
        (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let shared = (begun.clone(), go_on.clone(), done.clone());
    let served = Served::start(plumbing("gateway", &standing_clock()), move |config| {
        let shared = shared.clone();
        config.route(
            "/slow",
            web::post().to(move || {
                let (begun, go_on, done) = shared.clone();
                async move {
                    begun.notify_one();
                    go_on.notified().await;
                    done.store(true, Ordering::SeqCst);
                    HttpResponse::Ok().finish()
                }
            }),
        );
    });
    let mut client = tokio::net::TcpStream::connect(served.address).await.unwrap();
    let request =
        format!("POST /slow HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\n\r\n", served.address);
    client.write_all(request.as_bytes()).await.unwrap();
    begun.notified().await;
    drop(client);
    // Served on the same thread, so the server has seen the end before it answers this.
    served.request("GET /healthz", &[], "").await;
    go_on.notify_one();
    until(|| done.load(Ordering::SeqCst)).await;
}

#[tokio::test]
async fn faults_on_the_link_of_the_browser_are_played_by_the_server() {
    let served = bare();
    let form = ["content-type: application/x-www-form-urlencoded"];
    let link = "browser->gateway";
    let busy = json!({"status": {"code": 503, "retry_after": "2s"}});
    arm(
        &served.plumbing,
        json!({"on": link, "match": {"type": "card_form"}, "times": 1, "do": busy}),
    );
    let answer = served.request("POST /body", &form, "a=1").await;
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("2")));
    assert_eq!(served.request("POST /body", &form, "a=1").await.status(), 200);
    served.plumbing.faults.clear_all();
    arm(&served.plumbing, json!({"on": link, "do": {"delay_response": "5s"}, "times": 1}));
    let clock = served.plumbing.clock.clone();
    let advance = async {
        until(|| clock.next_due().is_some()).await;
        assert_eq!(served.plumbing.activity.snapshot().in_flight, 0);
        clock.advance(std::time::Duration::from_secs(5)).unwrap();
    };
    let (answer, ()) = tokio::join!(served.request("POST /body", &form, "a=1"), advance);
    assert_eq!(answer.status(), 200);
    arm(&served.plumbing, json!({"on": link, "do": {"reset": "response"}, "times": 1}));
    let answer = served.request("POST /body", &form, "a=1").await;
    assert_ne!(answer.body(), "a=1");
    let log = &served.plumbing.wire_log;
    let last = log.since(&WireFilter::default(), 10).pop().unwrap();
    assert_eq!(last.fault.as_deref(), Some("fault_3"));
    arm(&served.plumbing, json!({"on": link, "do": "drop_response", "times": 1}));
    let dropped = served.request("POST /body", &form, "a=1");
    let seen = until(|| log.last_seq() > last.seq);
    tokio::select! {
        answer = dropped => panic!("{answer:?}"),
        () = seen => {}
    }
}

#[tokio::test]
async fn a_taken_port_is_named_and_shutdown_ends_the_server() {
    let mut served = bare();
    let refused = listen(served.address).unwrap_err();
    assert!(matches!(refused, ListenError::InUse(_)));
    assert_eq!(refused.to_string(), format!("port {} is in use", served.address.port()));
    served.plumbing.shutdown.trigger();
    (&mut served.running).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn assets_are_served_under_their_hash() {
    let served = bare();
    let Some(path) =
        kit::assets::asset_paths().into_iter().find(|path| path.ends_with("payrig.css"))
    else {
        return;
    };
    let address = kit::assets::asset_url(&path);
    let answer = served.request(&format!("GET {address}"), &[], "").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(answer.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(answer.body().as_bytes(), kit::assets::asset(&path).unwrap());
    let tag = format!("if-none-match: {}", answer.header("etag").unwrap());
    assert_eq!(served.request(&format!("GET {address}"), &[&tag], "").await.status(), 304);
    let stale = served.request(&format!("GET /assets/000000000000/{path}"), &[], "").await;
    assert_eq!(stale.header("cache-control"), Some("no-cache"));
    let missing = served.request("GET /assets/000000000000/../Cargo.toml", &[], "").await;
    assert_eq!(missing.status(), 404);
    assert!(kit::assets::asset_url("no/such.css").starts_with("/assets/missing/"));
}
