//! What the edges of the gateway cost: card tokens in, signed payments in, events out.
//!
//! `cargo run --profile quick -p gateway --example bench_edges [seconds] [connections]`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and ends where something is wrong"
)]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use gateway::Program;
use gateway::settings::{
    ClientKeys, KeyEncryptionKey, Keys, MerchantKeys, Settings, Signatures, SigningKeyText,
    WebhookKeys,
};
use kit::clock::Clock;
use kit::facts::Facts;
use kit::link::{Call, Link, LinkName, Signing};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use kit::sqlite::Location;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use wire::ids::MerchantId;
use wire::signature::{SigningKey, Wire};
use wire::time::Timestamp;

const KEY: [u8; 32] = [5; 32];

fn keys() -> Keys {
    let text = |bytes: [u8; 32]| BASE64.encode(&bytes).as_str().into();
    Keys {
        sandbox_key: "sandbox-key-of-the-bench-0123456789".into(),
        merchant: MerchantKeys {
            id: MerchantId::new(Timestamp::from_millis(1), [1; 10]),
            name: "Bench".to_owned(),
            master_secret: text([1; 32]),
            acquirer_id: "00000912345".to_owned(),
            terminal_id: "ECOM0001".to_owned(),
            card_acceptor_id: "MERCH0000000001".to_owned(),
            mcc: "5732".to_owned(),
            country: "FR".to_owned(),
            city: "Paris".to_owned(),
        },
        kek: KeyEncryptionKey { version: 1, key: text([2; 32]) },
        kek_previous: None,
        session_key: text([3; 32]),
        publishable_key: "pk_bench".to_owned(),
        webhook: WebhookKeys {
            secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(),
            signing_key: format!("whsk_{}", BASE64.encode(&[4; 32])).as_str().into(),
        },
        clients: vec![ClientKeys {
            name: "bench".to_owned(),
            client_id: "cli_bench".to_owned(),
            client_secret: "secret-of-the-bench".into(),
            key_id: "key_bench".to_owned(),
            signing_key: text(KEY),
            signatures: Signatures::Required,
            return_origins: Vec::new(),
        }],
        processor: SigningKeyText { key_id: "p".to_owned(), signing_key: text([7; 32]) },
        operators: Vec::new(),
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(5, |text| text.parse().unwrap());
    let connections = arguments.next().map_or(64, |text| text.parse().unwrap());
    let directory = std::env::temp_dir().join(format!("payrig-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let database = Location::File(directory.join("gateway.db"));
    actix_web::rt::System::new().block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let mut settings = Settings::in_memory(keys(), "http://127.0.0.1:2", &url);
        settings.database = database;
        settings.webhooks.delivery.in_flight_max = 64;
        let plumbing = Plumbing::new("gateway", Clock::real(), 42, Secrets::system());
        let program = Program::start(settings, listener, plumbing.clone()).await.unwrap();
        let load = std::thread::Builder::new().name("load".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(load(address, Duration::from_secs(seconds), connections));
        });
        let running = actix_web::rt::spawn(program.run());
        let load = load.unwrap();
        while !load.is_finished() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        plumbing.shutdown.trigger();
        running.await.unwrap().unwrap();
    });
    let _ = std::fs::remove_dir_all(directory);
}

async fn load(address: SocketAddr, time: Duration, connections: usize) {
    let plumbing = Plumbing::new("bench", Clock::real(), 7, Secrets::system());
    let base = format!("http://{address}");
    let open = Link::new(LinkName("merchant->gateway"), &base, Signing::Already, &plumbing);
    let open = open.unwrap();
    let key = Arc::new(SigningKey::new("key_bench", KEY));
    let signing = Signing::HttpSignature { key, wire: Wire::Api };
    let signed = Link::new(LinkName("merchant->gateway"), &base, signing, &plumbing).unwrap();
    let basic = BASE64.encode(b"cli_bench:secret-of-the-bench");
    let mut call = Call::post("/api/oauth/token", "grant_type=client_credentials")
        .header("authorization", format!("Basic {basic}"));
    call.content_type = "application/x-www-form-urlencoded";
    let token: Value = serde_json::from_slice(&open.send(call).await.unwrap().body).unwrap();
    let token = token["access_token"].as_str().unwrap().to_owned();

    let card = json!({"number": "4242424242424242", "expiry": "12/30", "security_code": "123"});
    let card = bytes::Bytes::from(card.to_string());
    run("card tokens", time, connections, || {
        let call = Call::post("/api/tokens", card.clone()).bearer("pk_bench");
        let open = open.clone();
        async move { assert_eq!(open.send(call).await.unwrap().status, 201) }
    })
    .await;

    let list = || Call::get("/api/webhook-endpoints").bearer(&token);
    run("signed reads", time, connections, || {
        let (signed, call) = (signed.clone(), list());
        async move { assert_eq!(signed.send(call).await.unwrap().status, 200) }
    })
    .await;

    let received = Arc::new(AtomicU64::new(0));
    let receiver = receive(received.clone()).await;
    let body = json!({"url": format!("http://{receiver}/hook"), "events": ["*"]}).to_string();
    let call = Call::post("/api/webhook-endpoints", body).bearer(&token).idempotency_key("hook");
    assert_eq!(signed.send(call).await.unwrap().status, 201);
    let number = AtomicU64::new(0);
    let sent = run("signed payments, one event each", time, connections, || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let body = json!({"amount": {"value": 4999, "currency": "EUR"},
            "order_reference": format!("ord_{number}")});
        let call = Call::post("/api/payments", body.to_string())
            .bearer(&token)
            .idempotency_key(format!("key-{number}"))
            .facts(Facts::new("api", kit::facts::TraceId::new(&plumbing.random)));
        let signed = signed.clone();
        async move { assert_eq!(signed.send(call).await.unwrap().status, 201) }
    })
    .await;
    let ended = Instant::now();
    let at_end = received.load(Ordering::Relaxed);
    while received.load(Ordering::Relaxed) < sent && ended.elapsed() < Duration::from_mins(1) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!(
        "events: {at_end} of {sent} had arrived when the load ended, all after {:.2} s more",
        ended.elapsed().as_secs_f64()
    );
}

async fn run<F, W>(name: &str, time: Duration, connections: usize, call: F) -> u64
where
    F: Fn() -> W,
    W: Future<Output = ()>,
{
    let before = threads();
    let (began, count) = (Instant::now(), AtomicU64::new(0));
    let workers = (0..connections).map(|_| async {
        while began.elapsed() < time {
            call().await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    futures_util::future::join_all(workers).await;
    let (count, elapsed) = (count.into_inner(), began.elapsed());
    println!("{name}: {:.0}/s", count as f64 / elapsed.as_secs_f64());
    for (thread, ticks) in threads() {
        let used = ticks - before.iter().find(|(name, _)| *name == thread).map_or(0, |it| it.1);
        let micros = used as f64 * 10_000.0 / count as f64;
        if micros >= 1.0 {
            println!("    {thread:<20} {micros:.0} µs each");
        }
    }
    count
}

/// CPU time of each thread by name, in hundredths of a second.
fn threads() -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(entry.unwrap().path().join("stat")).unwrap();
        let (name, rest) = stat.split_once(") ").unwrap();
        let name = name.split_once('(').unwrap().1.to_owned();
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        match found.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += ticks,
            None => found.push((name, ticks)),
        }
    }
    found
}

/// A receiver that answers 200 to everything.
async fn receive(received: Arc<AtomicU64>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let received = received.clone();
            tokio::spawn(async move {
                let (reader, mut writer) = stream.into_split();
                let mut reader = BufReader::new(reader);
                let mut line = String::new();
                loop {
                    let mut length = 0;
                    loop {
                        line.clear();
                        if reader.read_line(&mut line).await.unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(value) = line.strip_prefix("content-length: ") {
                            length = value.trim().parse().unwrap();
                        }
                        if line == "\r\n" {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    if reader.read_exact(&mut body).await.is_err() {
                        return;
                    }
                    received.fetch_add(1, Ordering::Relaxed);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    if writer.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
