//! A gateway without a processor, on virtual time, and plain HTTP calls to it.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use gateway::Program;
use gateway::settings::{
    ClientKeys, KeyEncryptionKey, Keys, MerchantKeys, Settings, Signatures, SigningKeyText,
    WebhookKeys,
};
use kit::clock::Clock;
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use kit::sqlite::Location;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use wire::ids::MerchantId;
use wire::time::Timestamp;

use crate::signed::Signed;

pub const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);
pub const SANDBOX_KEY: &str = "sandbox-key-of-the-tests-0123456789";
pub const PUBLISHABLE_KEY: &str = "pk_0123456789abcdef";
pub const SHOP_KEY: [u8; 32] = [5; 32];
pub const PLAYGROUND_KEY: [u8; 32] = [6; 32];
pub const SHOP_SECRET: &str = "secret-of-the-shop";

/// A gateway that runs in this test.
pub struct World {
    pub address: SocketAddr,
    pub plumbing: Plumbing,
    pub settings: Settings,
    running: JoinHandle<()>,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::in_memory(keys(), "http://127.0.0.1:2", "http://127.0.0.1:1");
        change(&mut settings);
        Box::pin(Self::run(settings, NOW)).await
    }

    /// On a database in a directory.
    pub async fn start_in(directory: &Path) -> Self {
        let database = Location::File(directory.join("gateway.db"));
        Self::start_with(|settings| settings.database = database).await
    }

    /// Stops and starts again on the same database, at the same time of day.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// Starts again with other settings.
    pub async fn restart_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let (mut settings, now) = (self.settings.clone(), self.plumbing.clock.now());
        change(&mut settings);
        self.stop().await;
        Box::pin(Self::run(settings, now)).await
    }

    /// Why it does not start with other settings.
    pub async fn refuses_to_start(self, change: impl FnOnce(&mut Settings)) -> String {
        let (mut settings, now) = (self.settings.clone(), self.plumbing.clock.now());
        change(&mut settings);
        self.stop().await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let clock = Clock::virtual_at(now);
        let plumbing = Plumbing::new("gateway", clock, 42, Secrets::system());
        Program::start(settings, listener, plumbing).await.err().unwrap().to_string()
    }

    pub async fn stop(self) {
        self.plumbing.shutdown.trigger();
        self.running.await.unwrap();
    }

    async fn run(settings: Settings, now: Timestamp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Clock::virtual_at(now);
        let plumbing = Plumbing::new("gateway", clock, 42, Secrets::system());
        let program = Program::start(settings.clone(), listener, plumbing.clone()).await.unwrap();
        let running = actix_web::rt::spawn(async move { program.run().await.unwrap() });
        Self { address, plumbing, settings, running }
    }

    pub fn now(&self) -> i64 {
        self.plumbing.clock.now().seconds()
    }

    /// Moves time on and waits until nothing that is due is left to do.
    pub async fn advance(&self, by: Duration) {
        self.plumbing.clock.advance(by).unwrap();
        self.idle().await;
    }

    /// Waits until nobody has anything to do that needs no timer.
    pub async fn idle(&self) {
        self.idle_but(0).await;
    }

    /// Waits until nobody has anything to do, but for `unanswered` messages to slow receivers.
    pub async fn idle_but(&self, unanswered: u64) {
        let mut quiet = 0;
        while quiet < 50 {
            tokio::task::yield_now().await;
            let now = self.plumbing.activity.snapshot();
            let idle = now.in_flight == 0 && now.queued == 0 && now.awaiting_answer == unanswered;
            quiet = if idle { quiet + 1 } else { 0 };
        }
    }

    /// A token of a client, by name.
    pub async fn token(&self, client: &str, scope: &str) -> String {
        let basic = basic(&format!("cli_{client}"), &format!("secret-of-the-{client}"));
        let body = format!("grant_type=client_credentials&scope={}", scope.replace(' ', "+"));
        let answer = self.form("/api/oauth/token", &basic, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn form(&self, path: &str, authorization: &str, body: &str) -> Answer {
        let headers = [
            ("authorization", authorization.to_owned()),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        self.send("POST", path, &headers, body).await
    }

    /// A signed call of the shop, with a token for everything.
    pub async fn shop(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let token = self.token("shop", "").await;
        let body = body.map(|body| body.to_string());
        let call = Signed::new(self, method, path, body.as_deref());
        self.call(&call.bearer(&token)).await
    }

    pub async fn call(&self, call: &Signed) -> Answer {
        let headers = call.headers();
        let headers: Vec<(&str, String)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.send(&call.method, &call.target(), &headers, call.body.as_deref().unwrap_or("")).await
    }

    pub async fn sandbox(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let headers = [
            ("sandbox-key", SANDBOX_KEY.to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(method, path, &headers, &body).await
    }

    /// Creates a payment: the simplest way to an event.
    pub async fn payment(&self) -> Value {
        let body = json!({
            "amount": {"value": 4999, "currency": "EUR"},
            "order_reference": format!("ord_{}", self.plumbing.random.below(1_000_000)),
        });
        let answer = self.shop("POST", "/api/payments", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()
    }

    /// One exchange on a connection of its own.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
        if headers.iter().all(|(name, _)| *name != "host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::parse(&String::from_utf8(bytes).unwrap())
    }
}

pub fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{client_id}:{secret}").as_bytes()))
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Status and code of a problem.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Status and reason of a refused signature.
    pub fn reason(&self) -> (u16, String) {
        (self.status, self.json()["reason"].as_str().unwrap_or_default().to_owned())
    }
}

pub fn keys() -> Keys {
    let text = |bytes: [u8; 32]| BASE64.encode(&bytes).as_str().into();
    let client = |name: &str, key: [u8; 32], signatures| ClientKeys {
        name: name.to_owned(),
        client_id: format!("cli_{name}"),
        client_secret: format!("secret-of-the-{name}").as_str().into(),
        key_id: format!("key_{name}"),
        signing_key: text(key),
        signatures,
        return_origins: vec!["loopback".to_owned()],
    };
    Keys {
        sandbox_key: SANDBOX_KEY.into(),
        merchant: MerchantKeys {
            id: MerchantId::new(NOW, [1; 10]),
            name: "Payrig Demo Shop".to_owned(),
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
        publishable_key: PUBLISHABLE_KEY.to_owned(),
        webhook: WebhookKeys {
            secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(),
            signing_key: format!("whsk_{}", BASE64.encode(&[4; 32])).as_str().into(),
        },
        clients: vec![
            client("shop", SHOP_KEY, Signatures::Required),
            client("playground", PLAYGROUND_KEY, Signatures::Optional),
        ],
        processor: SigningKeyText {
            key_id: "gateway-processor-1".to_owned(),
            signing_key: text([7; 32]),
        },
        operators: Vec::new(),
    }
}

/// A directory that is removed at the end of a test.
pub struct Directory(pub std::path::PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("payrig-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Whether any file in it holds these bytes.
    pub fn holds(&self, text: &str) -> bool {
        std::fs::read_dir(&self.0).unwrap().any(|entry| {
            // A file of the database may go while it is closed.
            let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
