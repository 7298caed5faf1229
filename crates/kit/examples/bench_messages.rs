//! What one message costs: masking and logging, a local hop, a signed exchange over HTTP.
//!
//! `cargo run --profile quick -p kit --example bench_messages`
#![expect(clippy::print_stdout, reason = "prints its table")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use kit::clock::Clock;
use kit::facts::{Facts, TraceId};
use kit::http::{
    KeyTable, NonceCache, OwnedKeyLookup, Problem, ReceivedRequest, annotate, listen, on_link,
    serve, verify,
};
use kit::link::{Call, Link, LinkName, LocalAnswer, LocalLink, ReceivedMessage, Signing};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use kit::wirelog::{Exchange, LoggedAnswer, LoggedRequest, Outcome, Side, mask_body};
use wire::signature::{SigningKey, Wire};

const BATCHES: u32 = 40;
const BATCH: u32 = 1000;
const CALLERS: u32 = 64;
const BODY: &str = r#"{"mti":"0100","repeat_no":0,"function_code":"100","processing_code":"000000","stan":"004217","rrn":"632604004217","transmission_at":"2026-11-22T04:57:30Z","local_at":"2026-11-22T05:57:30","acquirer_id":"00000912345","terminal_id":"ECOM0001","card_acceptor_id":"MERCH0000000001","mcc":"5732","acceptor":{"name":"Demo Shop","country":"FR"},"entry_mode":"ecommerce","pan":"4000010030010004","expiry":"3012","cvv":"123","avs":{"address":"1 Rue A","postal":"75001"},"amount":4999,"currency":"EUR","accept_partial":false,"reversal_id":"rvs_01kan2q6x7e5ra9d0c3f8m1t2v","blind":"AAECAwQFBgcICQoLDA0ODw"}"#;

type Done = Result<(), Box<dyn Error>>;

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::new("key_gateway", [7; 32]))
}

struct OneKey(Arc<SigningKey>);

impl KeyTable for OneKey {
    fn find(&self, _key_id: &str) -> OwnedKeyLookup {
        OwnedKeyLookup::Known(self.0.clone())
    }
}

fn main() -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock = Clock::real();
        let plumbing = Plumbing::new("gateway", clock.clone(), 1, Secrets::system());
        println!("{} bytes of body", BODY.len());
        weigh("a program before it serves");
        masking(&clock);
        logging(&plumbing);
        deciding(&plumbing);
        local_hop(&plumbing).await?;
        over_http(&plumbing).await
    })
}

/// The best of several batches: other work on the machine only ever adds.
fn best(what: &str, clock: &Clock, mut work: impl FnMut()) {
    let batches = (0..BATCHES).map(|_| {
        let stopwatch = clock.stopwatch();
        for _ in 0..BATCH {
            work();
        }
        stopwatch.elapsed()
    });
    report(what, batches.min().unwrap_or_default(), BATCH);
}

fn report(what: &str, elapsed: Duration, rounds: u32) {
    let nanos = elapsed.as_nanos() / u128::from(rounds.max(1));
    println!("{what:<44} {:>6}.{:02} µs", nanos / 1000, nanos % 1000 / 10);
}

fn masking(clock: &Clock) {
    best("mask a body", clock, || {
        black_box(mask_body(black_box(BODY)));
    });
}

/// Resident memory, where the system tells it.
fn weigh(what: &str) {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    println!("{what:<44} {:>12} resident", resident.unwrap_or("?").trim());
}

fn facts(plumbing: &Plumbing) -> Facts {
    let trace = TraceId::new(&plumbing.random);
    Facts {
        payment: Some("pay_01kan2q6x7e5ra9d0c3f8m1t2v".into()),
        amount: Some(4999),
        ..Facts::new("authorization", trace)
    }
}

fn logging(plumbing: &Plumbing) {
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("host", "127.0.0.1:7073"),
        ("content-type", "application/json"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("payrig-trace-id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("content-digest", "sha-256=:ThDQfm1SfNFuh6U7oCrm38BHqREpVUYlHSLv4134l6w=:"),
        ("signature", "payrig=:PKY6PpYKdclY+AYFlKosx/6orJLQhGuHJI/qjQR8cgM=:"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    let at = plumbing.clock.now();
    best("log an exchange", &plumbing.clock, || {
        plumbing.wire_log.record(Exchange {
            link: "gateway->processor",
            side: Side::Sender,
            at,
            facts: facts(plumbing),
            request: LoggedRequest {
                method: "POST",
                authority: "127.0.0.1:7073",
                path: "/acq/v1/messages",
                query: "",
                headers: &headers,
                body: BODY.as_bytes(),
            },
            answer: Some(LoggedAnswer { at, status: 200, headers: &headers, body: b"{}" }),
            outcome: Outcome::Answered,
            fault: None,
            request_verdict: None,
            answer_verdict: Some("ok"),
            duration: Duration::ZERO,
        });
    });
}

fn deciding(plumbing: &Plumbing) {
    let facts = facts(plumbing);
    best("decide about faults, none armed", &plumbing.clock, || {
        let plan = plumbing.faults.decide("gateway->processor", black_box(&facts), "/");
        assert!(black_box(plan).is_empty());
    });
}

async fn local_hop(plumbing: &Plumbing) -> Done {
    let link = LocalLink::new(LinkName("network->issuer"), "issuer", key(), plumbing);
    let mut fastest = Duration::MAX;
    for _ in 0..BATCHES {
        let stopwatch = plumbing.clock.stopwatch();
        for _ in 0..BATCH {
            let call = Call::post("/iss/alpha/v1/messages", BODY).facts(facts(plumbing));
            let issuer = |message: ReceivedMessage| async move {
                LocalAnswer { status: 200, body: message.body }
            };
            link.send(call, issuer).await?;
        }
        fastest = fastest.min(stopwatch.elapsed());
    }
    report("local hop: signed, verified, logged", fastest, BATCH);
    Ok(())
}

async fn answer(
    received: ReceivedRequest,
    nonces: web::Data<NonceCache>,
    keys: web::Data<OneKey>,
    plumbing: web::Data<Plumbing>,
) -> Result<HttpResponse, Problem> {
    on_link(received.http(), "gateway->processor");
    verify(&received, Wire::MessageHop, &**keys, &nonces, &plumbing.clock)?;
    annotate(received.http(), facts(&plumbing));
    Ok(HttpResponse::Ok().content_type("application/json").body(received.body))
}

async fn over_http(plumbing: &Plumbing) -> Done {
    let processor = Plumbing::new("processor", plumbing.clock.clone(), 1, Secrets::system());
    let nonces = web::Data::new(NonceCache::new());
    let keys = web::Data::new(OneKey(key()));
    let routes = move |config: &mut web::ServiceConfig| {
        config
            .app_data(nonces.clone())
            .app_data(keys.clone())
            .route("/acq/v1/messages", web::post().to(answer));
    };
    let running = serve(listen(([127, 0, 0, 1], 0).into())?, routes, &processor)?;
    let signing = Signing::HttpSignature { key: key(), wire: Wire::MessageHop };
    let link = Link::new(LinkName("gateway->processor"), &running.base_url(), signing, plumbing)?;
    let serving = tokio::spawn(running.run());
    weigh("with a server and a link");
    for callers in [1, CALLERS] {
        let mut fastest = Duration::MAX;
        for _ in 0..BATCHES / 2 {
            fastest = fastest.min(exchanges(&link, plumbing, callers).await?);
        }
        report(&format!("signed exchange over HTTP, {callers} at a time"), fastest, BATCH);
    }
    weigh("both ends after the load");
    processor.shutdown.trigger();
    serving.await??;
    Ok(())
}

async fn exchanges(
    link: &Link,
    plumbing: &Plumbing,
    callers: u32,
) -> Result<Duration, Box<dyn Error>> {
    let stopwatch = plumbing.clock.stopwatch();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (link, plumbing) = (link.clone(), plumbing.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..BATCH / callers {
                let call = Call::post("/acq/v1/messages", BODY).facts(facts(&plumbing));
                link.send(call).await?;
            }
            Ok::<_, kit::link::LinkFailure>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(stopwatch.elapsed())
}
