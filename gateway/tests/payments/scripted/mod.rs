//! A gateway, a client that signs, and a processor that does what a script says, on one clock.

mod processor;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64;
use gateway::{Keys, Program, Settings};
use kit::clock::Clock;
use kit::crash_points::{Boundary, CrashPoint, CrashPoints};
use kit::faults::Fault;
use kit::link::{Call, Link, LinkName, Reply, Signing};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use kit::sqlite::Location;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wire::ids::MerchantId;
use wire::signature::{SigningKey, Wire};
use wire::time::Timestamp;

pub use processor::{FakeProcessor, Says};

pub const BEGIN: Timestamp = Timestamp::from_seconds(1_795_341_600);
pub const SANDBOX_KEY: &str = "sandbox-key-of-the-tests-0123456789";
pub const GOOD_CARD: &str = "4242424242424242";
pub const OTHER_CARD: &str = "5555555555554444";

const HOP_KEY: [u8; 32] = [9; 32];
const CLIENT_KEY: [u8; 32] = [6; 32];

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub bytes: Vec<u8>,
    pub headers: http::HeaderMap,
}

impl Answer {
    pub fn code(&self) -> String {
        self.body["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The gateway, its processor, and a client of its API.
pub struct World {
    pub clock: Clock,
    pub processor: FakeProcessor,
    pub plumbing: Plumbing,
    location: Location,
    settle_with: Duration,
    running: JoinHandle<()>,
    link: Link,
    open: Link,
    token: Mutex<String>,
    next_key: AtomicU64,
    base: String,
    adjust: fn(&mut Settings),
}

impl World {
    /// A world in memory under virtual time.
    pub async fn start() -> Self {
        Self::start_with(Location::Memory, |_| {}).await
    }

    pub async fn start_with(location: Location, adjust: fn(&mut Settings)) -> Self {
        let clock = Clock::virtual_at(BEGIN);
        let processor = FakeProcessor::start(&clock, HOP_KEY).await;
        Self::start_beside(clock, processor, location, adjust).await
    }

    /// A world whose database is a file, so that the gateway can be started again.
    pub async fn start_on_disk(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("gateway-{name}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self::start_with(Location::File(directory.join("gateway.db")), |_| {}).await
    }

    async fn start_beside(
        clock: Clock,
        processor: FakeProcessor,
        location: Location,
        adjust: fn(&mut Settings),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut settings = Settings::in_memory(keys(), &processor.base, &base);
        settings.database = location.clone();
        adjust(&mut settings);
        let mut plumbing = Plumbing::new("gateway", clock.clone(), 42, Secrets::system());
        plumbing.crash_points = CrashPoints::with_action(|| panic!("the crash that was ordered"));
        let program = Program::start(settings, listener, plumbing.clone()).await.unwrap();
        let running = tokio::spawn(async move { program.run().await.unwrap() });
        let client = Plumbing::new("merchant", clock.clone(), 43, Secrets::system());
        let key = Arc::new(SigningKey::new("key_shop", CLIENT_KEY));
        let signing = Signing::HttpSignature { key, wire: Wire::Api };
        let link = Link::new(LinkName("merchant->gateway"), &base, signing, &client).unwrap();
        let open =
            Link::new(LinkName("browser->gateway"), &base, Signing::Already, &client).unwrap();
        let world = Self {
            clock,
            processor,
            plumbing,
            location,
            settle_with: Duration::from_millis(1),
            running,
            link,
            open,
            token: Mutex::default(),
            next_key: AtomicU64::new(0),
            base,
            adjust,
        };
        world.sign_in().await;
        world
    }

    fn bearer(&self) -> String {
        self.token.lock().unwrap().clone()
    }

    async fn sign_in(&self) {
        let basic = format!("Basic {}", BASE64.encode(b"cli_shop:secret-of-the-shop-0123456789"));
        let mut call = Call::post("/api/oauth/token", "grant_type=client_credentials");
        call.content_type = "application/x-www-form-urlencoded";
        let reply = self.open.send(call.header("authorization", basic)).await.unwrap();
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
        token.clone_into(&mut self.token.lock().unwrap());
    }

    /// Stops the gateway and starts it again on the same database.
    pub async fn restart(self) -> Self {
        self.plumbing.shutdown.trigger();
        let _ = self.running.await;
        Self::start_beside(self.clock, self.processor, self.location, self.adjust).await
    }

    pub fn fresh_key(&self) -> String {
        format!("key-{}-{}", self.base, self.next_key.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn get(&self, path: &str) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let call = Call::get(format!("/api{path}")).query(query).bearer(self.bearer());
        answer(self.link.send(call).await.unwrap())
    }

    /// An address that needs no token and no signature.
    pub async fn open(&self, path: &str) -> Answer {
        answer(self.open.send(Call::get(path)).await.unwrap())
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_with_key(path, body, &self.fresh_key()).await
    }

    pub async fn post_with_key(&self, path: &str, body: Value, key: &str) -> Answer {
        self.send(path, &body.to_string(), Some(key), &[]).await
    }

    pub async fn send(
        &self,
        path: &str,
        body: &str,
        key: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut call = Call::post(format!("/api{path}"), body.to_owned()).bearer(self.bearer());
        call.idempotency_key = key.map(str::to_owned);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        // The gateway's own deadline is the one that these tests are about.
        call.deadline = Duration::from_hours(1);
        answer(self.link.send(call).await.unwrap())
    }

    /// A single-use token of a card.
    pub async fn card_token(&self, number: &str) -> String {
        let body = json!({"number": number, "expiry": "12/30", "security_code": "123"});
        let call = Call::post("/api/tokens", body.to_string())
            .header("authorization", "Bearer pk_0123456789abcdef");
        let answer = answer(self.open.send(call).await.unwrap());
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.id()
    }

    /// A new payment of 100.00 EUR under an order of its own.
    pub async fn create(&self, capture: &str) -> String {
        let answer = self.post("/payments", payment_body(&self.fresh_key(), capture)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.id()
    }

    pub async fn confirm(&self, payment: &str, number: &str) -> Answer {
        let token = self.card_token(number).await;
        let body = json!({ "card_token": token });
        self.post(&format!("/payments/{payment}/confirm"), body).await
    }

    /// A payment that is approved: captured or authorized.
    pub async fn paid(&self, capture: &str) -> String {
        let id = self.create(capture).await;
        let answer = self.confirm(&id, GOOD_CARD).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.settle().await;
        id
    }

    pub async fn payment(&self, id: &str) -> Value {
        self.get(&format!("/payments/{id}")).await.body
    }

    pub async fn status(&self, id: &str) -> String {
        self.payment(id).await["status"].as_str().unwrap().to_owned()
    }

    /// Types of a payment's events, in order, with their sequence checked.
    pub async fn events(&self, id: &str) -> Vec<String> {
        let timeline = self.get(&format!("/payments/{id}/timeline")).await;
        let events: Vec<Value> = timeline.body["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["kind"] == "event")
            .map(|entry| entry["data"].clone())
            .collect();
        for (sequence, event) in (1..).zip(&events) {
            assert_eq!(event["sequence"], json!(sequence));
        }
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Arms faults on the gateway's links.
    pub fn fault(&self, faults: Value) {
        let faults: Vec<Fault> = serde_json::from_value(faults).unwrap();
        self.plumbing.faults.arm(faults).unwrap();
    }

    pub fn crash_at(&self, message: &str, at: Boundary) {
        let point = CrashPoint { message: message.to_owned(), at, nth: 1 };
        self.plumbing.crash_points.arm(point).unwrap();
    }

    /// Waits until nothing is being done.
    pub async fn settle(&self) {
        let real = Clock::real();
        let mut calm = 0;
        for _ in 0..5000 {
            let now = self.plumbing.activity.snapshot();
            let silent = self.processor.silent();
            let idle = now.in_flight == 0 && now.queued == 0 && now.awaiting_answer <= silent;
            calm = if idle { calm + 1 } else { 0 };
            if calm >= 3 {
                return;
            }
            real.sleep(self.settle_with).await;
        }
        panic!("never idle: {:?}", self.plumbing.activity.snapshot());
    }

    /// Moves the clock, timer by timer.
    pub async fn advance(&self, by: Duration) {
        let until = self.clock.now().plus(by);
        loop {
            self.settle().await;
            let next = self.clock.next_due().unwrap_or(until).min(until);
            self.clock.advance_to(next.max(self.clock.now())).unwrap();
            if next >= until {
                break;
            }
        }
        self.settle().await;
        self.sign_in().await;
    }

    /// Moves the clock in one step, as after a long sleep.
    pub async fn jump(&self, by: Duration) {
        self.settle().await;
        self.clock.advance(by).unwrap();
        self.settle().await;
        self.sign_in().await;
    }

    pub async fn advance_seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds)).await;
    }

    /// Checks every rule of the gateway.
    pub async fn check_invariants(&self) {
        let call = Call::get("/_sandbox/invariants").header("sandbox-key", SANDBOX_KEY);
        let report = answer(self.open.send(call).await.unwrap());
        assert_eq!(report.body["ok"], json!(true), "{}", report.body);
        assert!(report.body["checked"].as_u64().unwrap() > 10);
    }
}

fn answer(reply: Reply) -> Answer {
    let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    Answer { status: reply.status, body, bytes: reply.body.to_vec(), headers: reply.headers }
}

pub fn payment_body(order: &str, capture: &str) -> Value {
    json!({
        "amount": {"value": 10_000, "currency": "EUR"},
        "order_reference": order.replace("http://127.0.0.1:", "").replace("key-", "ord-"),
        "capture": capture,
        "return_url": "http://127.0.0.1:7071/orders/1/return",
    })
}

fn keys() -> Keys {
    let key = |byte: u8| BASE64.encode(&[byte; 32]);
    let merchant = MerchantId::new(BEGIN, [1; 10]);
    serde_json::from_value(json!({
        "sandbox_key": SANDBOX_KEY,
        "merchant": {
            "id": merchant, "name": "Payrig Demo Shop", "master_secret": key(1),
            "acquirer_id": "00000912345", "terminal_id": "ECOM0001",
            "card_acceptor_id": "MERCH0000000001", "mcc": "5732", "country": "FR",
            "city": "Paris",
        },
        "kek": {"version": 1, "key": key(2)},
        "session_key": key(3),
        "publishable_key": "pk_0123456789abcdef",
        "webhook": {
            "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "signing_key": format!("whsk_{}", key(4)),
        },
        "clients": [{
            "name": "shop", "client_id": "cli_shop",
            "client_secret": "secret-of-the-shop-0123456789", "key_id": "key_shop",
            "signing_key": BASE64.encode(&CLIENT_KEY), "signatures": "required",
            "return_origins": ["http://127.0.0.1:7071"],
        }],
        "processor": {"key_id": "gateway-processor-1", "signing_key": BASE64.encode(&HOP_KEY)},
        "operators": [],
    }))
    .unwrap()
}
