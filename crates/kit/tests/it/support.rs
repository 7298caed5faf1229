//! A served program, a client that speaks raw HTTP, and a clock that stands.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use kit::clock::Clock;
use kit::facts::{Facts, TraceId};
use kit::faults::Fault;
use kit::http::{
    KeyTable, NonceCache, OwnedKeyLookup, Problem, ReceivedRequest, ServeOptions, annotate, listen,
    on_link, serve_with, verify,
};
use kit::link::{Call, Link, LinkName, Signing};
use kit::plumbing::Plumbing;
use kit::random::{Random, Secrets};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use wire::signature::{SigningKey, Wire};
use wire::time::Timestamp;

pub const START: Timestamp = Timestamp::from_seconds(1_767_225_600);
pub const LINK: &str = "merchant->gateway";

pub fn standing_clock() -> Clock {
    Clock::virtual_at(START)
}

pub fn plumbing(program: &'static str, clock: &Clock) -> Plumbing {
    Plumbing::new(program, clock.clone(), 1, Secrets::seeded(1))
}

pub fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::new("key_shop", [7; 32]))
}

/// Knows one key, and one that is past its time.
pub struct Keys;

impl KeyTable for Keys {
    fn find(&self, key_id: &str) -> OwnedKeyLookup {
        match key_id {
            "key_shop" => OwnedKeyLookup::Known(key()),
            "key_old" => OwnedKeyLookup::Revoked,
            _ => OwnedKeyLookup::Unknown,
        }
    }
}

/// A program that is served until the end of its test.
pub struct Served {
    pub plumbing: Plumbing,
    pub address: SocketAddr,
    pub running: JoinHandle<std::io::Result<()>>,
}

impl Served {
    pub fn start(
        plumbing: Plumbing,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        Self::start_with(plumbing, ServeOptions::default(), configure)
    }

    pub fn start_with(
        plumbing: Plumbing,
        options: ServeOptions,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let running = serve_with(listener, options, configure, &plumbing).unwrap();
        let address = running.address;
        Self { plumbing, address, running: tokio::spawn(running.run()) }
    }

    /// A program whose `POST /echo` verifies, and answers what it got.
    pub fn echo(clock: &Clock) -> Self {
        Self::echo_with(plumbing("gateway", clock))
    }

    /// The same, with plumbing of its own.
    pub fn echo_with(plumbing: Plumbing) -> Self {
        let nonces = web::Data::new(NonceCache::new());
        Self::start(plumbing, move |config| {
            config.app_data(nonces.clone()).route("/echo", web::post().to(echo));
        })
    }

    pub fn link(&self, sender: &Plumbing) -> Link {
        let signing = Signing::HttpSignature { key: key(), wire: Wire::Api };
        Link::new(LinkName(LINK), &format!("http://{}", self.address), signing, sender).unwrap()
    }

    /// Sends bytes as they are and reads until the server is done.
    pub async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer(String::from_utf8(answer).unwrap())
    }

    /// A request with a few headers and a body, over a connection of its own.
    pub async fn request(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let host = format!("host: {}", self.address);
        let named = headers.iter().any(|header| header.starts_with("host:"));
        let host = if named { Vec::new() } else { vec![host] };
        let lines: Vec<&str> =
            host.iter().map(String::as_str).chain(headers.iter().copied()).collect();
        let length = body.len();
        self.raw(&format!(
            "{line} HTTP/1.1\r\n{}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}",
            lines.join("\r\n")
        ))
        .await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.plumbing.shutdown.trigger();
    }
}

/// An answer as text.
#[derive(Debug)]
pub struct Answer(pub String);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.body()).unwrap_or_default()
    }
}

async fn echo(
    received: ReceivedRequest,
    nonces: web::Data<NonceCache>,
    plumbing: web::Data<Plumbing>,
) -> Result<HttpResponse, Problem> {
    on_link(received.http(), LINK);
    verify(&received, Wire::Api, &Keys, &nonces, &plumbing.clock)?;
    annotate(received.http(), Facts::new("api", received.trace));
    Ok(HttpResponse::Ok().content_type("application/json").body(received.body))
}

/// A signed call with a payment's facts.
pub fn call(kind: &'static str) -> Call {
    let trace = TraceId::new(&Random::seeded(5).child(kind));
    let facts = Facts { payment: Some("pay_1".into()), ..Facts::new(kind, trace) };
    Call::post("/echo", r#"{"amount":1}"#).facts(facts).idempotency_key("order-1")
}

pub fn arm(plumbing: &Plumbing, fault: serde_json::Value) {
    let fault: Fault = serde_json::from_value(fault).unwrap();
    plumbing.faults.arm(vec![fault]).unwrap();
}

/// Lets other tasks run until something is true. No time is involved.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
