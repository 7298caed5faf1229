//! A shop in memory on a virtual clock, with a scripted gateway.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use kit::clock::Clock;
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use kit::sqlite::Location;
use merchant::{ClientKeys, Keys, Operator, Program, Settings, WebhookKeys};
use serde_json::{Value, json};
use wire::events::Event;
use wire::ids::MerchantId;
use wire::signature::SigningKey;
use wire::time::Timestamp;
use wire::webhook::{WebhookSecret, WebhookSigningKey, sign};

use crate::browser::Browser;
use crate::gateway::FakeGateway;
use crate::http::{Answer, send};

pub const SANDBOX_KEY: &str = "sandbox-key-for-tests-0123456789";
pub const START: Timestamp = Timestamp::from_seconds(1_768_471_200);

pub struct World {
    pub shop: SocketAddr,
    pub gateway: FakeGateway,
    pub plumbing: Plumbing,
    pub keys: Keys,
    gateway_plumbing: Plumbing,
}

pub struct Change {
    pub database: Location,
    pub refund_alone_max: Option<i64>,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(Change { database: Location::Memory, refund_alone_max: None }).await
    }

    pub async fn start_with(change: Change) -> Self {
        let clock = Clock::virtual_at(START);
        let gateway_plumbing = Plumbing::new("gateway", clock.clone(), 7, Secrets::seeded(7));
        let keys = keys();
        let key = SigningKey::from_base64(&keys.client.key_id, &keys.client.signing_key).unwrap();
        let gateway = FakeGateway::start(&gateway_plumbing, &key, keys.merchant_id);
        let plumbing = Plumbing::new("merchant", clock, 42, Secrets::seeded(42));
        let shop = start_shop(&keys, &gateway, &plumbing, &change).await;
        Self { shop, gateway, plumbing, keys, gateway_plumbing }
    }

    /// Starts a second shop on the same files, as after a crash.
    pub async fn restart(&mut self, change: &Change) {
        self.plumbing.shutdown.trigger();
        let clock = self.plumbing.clock.clone();
        self.plumbing = Plumbing::new("merchant", clock, 43, Secrets::seeded(43));
        self.shop = start_shop(&self.keys, &self.gateway, &self.plumbing, change).await;
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.shop)
    }

    /// Moves time; everything that becomes due is done before this returns.
    pub async fn advance(&self, by: Duration) {
        self.plumbing.clock.advance(by).unwrap();
        self.settle().await;
    }

    /// Waits until the shop and the gateway have nothing to do.
    pub async fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..20_000 {
            let idle = |plumbing: &Plumbing| {
                let now = plumbing.activity.snapshot();
                now.in_flight + now.queued + now.awaiting_answer + now.serving == 0
            };
            quiet =
                if idle(&self.plumbing) && idle(&self.gateway_plumbing) { quiet + 1 } else { 0 };
            if quiet > 3 {
                return;
            }
            self.turn().await;
        }
        panic!("the shop does not come to rest: {:?}", self.plumbing.activity.snapshot());
    }

    /// Lets the shop work and moves time to the next timer, if it waits for one.
    pub async fn tick(&self) {
        self.turn().await;
        if let Some(at) = self.plumbing.clock.next_due() {
            let soon = self.plumbing.clock.now().plus(Duration::from_secs(4));
            if at <= soon {
                self.plumbing.clock.advance_to(at).unwrap();
            }
        }
    }

    async fn turn(&self) {
        let idle = send(self.shop, "GET", "/healthz", &[], b"").await;
        assert_eq!(idle.status, 200);
        tokio::task::yield_now().await;
    }

    /// Delivers an event as the gateway does.
    pub async fn deliver(&self, event: &Event) -> Answer {
        self.deliver_body(&event.id.to_string(), &serde_json::to_vec(event).unwrap()).await
    }

    /// Delivers a body under an id, correctly signed.
    pub async fn deliver_body(&self, id: &str, body: &[u8]) -> Answer {
        let headers = self.signed(id, body);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post_webhook(&headers, body).await
    }

    pub fn secret(&self) -> WebhookSecret {
        WebhookSecret::parse(&self.keys.webhook.secret).unwrap()
    }

    /// The headers of a correct delivery, now.
    pub fn signed(&self, id: &str, body: &[u8]) -> Vec<(String, String)> {
        self.signed_at(id, body, self.plumbing.clock.now().seconds())
    }

    pub fn signed_at(&self, id: &str, body: &[u8], at: i64) -> Vec<(String, String)> {
        let secret = self.secret();
        let signature = sign(&[&secret], [&signing_key()], id, at, body);
        vec![
            ("content-type".into(), "application/json".into()),
            ("webhook-id".into(), id.into()),
            ("webhook-timestamp".into(), at.to_string()),
            ("webhook-signature".into(), signature),
        ]
    }

    pub async fn post_webhook(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.shop, "POST", "/webhooks/payments", headers, body).await
    }

    /// A call of the shop's API with the sandbox key.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.api_with(method, path, body, &[("sandbox-key", SANDBOX_KEY)]).await
    }

    pub async fn api_with(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut all = headers.to_vec();
        if body.is_some() {
            all.push(("content-type", "application/json"));
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        send(self.shop, method, path, &all, body.as_bytes()).await
    }

    /// Places an order of one product over the API; its id.
    pub async fn order(&self, sku: &str) -> String {
        let placed = self.api("POST", "/api/orders", Some(json!({"sku": sku}))).await;
        assert_eq!(placed.status, 201, "{}", placed.text());
        placed.json()["id"].as_str().unwrap().to_owned()
    }

    /// An order that is paid, told by a notification; its id.
    pub async fn paid_order(&self, sku: &str) -> String {
        let order = self.order(sku).await;
        let payment = self.gateway.newest();
        self.gateway.submit_card(payment.id);
        let captured = self.gateway.capture(payment.id);
        let event = self.gateway.event(wire::events::EventType::PaymentCaptured, &captured);
        assert_eq!(self.deliver(&event).await.status, 200);
        order
    }

    pub async fn read(&self, order: &str) -> Value {
        let answer = self.api("GET", &format!("/api/orders/{order}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub async fn status(&self, order: &str) -> String {
        self.read(order).await["status"].as_str().unwrap().to_owned()
    }

    /// The newest order by its payment.
    pub async fn read_newest(&self) -> String {
        let kept = self.gateway.kept();
        let mut references = kept.calls.iter().rev().filter(|(path, _, _)| path == "/api/payments");
        let body = &references.find(|(_, key, _)| !key.is_empty()).unwrap().2;
        let body: Value = serde_json::from_slice(body).unwrap();
        body["order_reference"].as_str().unwrap().to_owned()
    }

    /// The shop's own rules hold.
    pub async fn check_invariants(&self) {
        let report = self.api("GET", "/_sandbox/invariants", None).await.json();
        assert_eq!(report["ok"], true, "{report}");
        assert!(report["checked"].as_u64().unwrap() > 8);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.plumbing.shutdown.trigger();
        self.gateway_plumbing.shutdown.trigger();
    }
}

async fn start_shop(
    keys: &Keys,
    gateway: &FakeGateway,
    plumbing: &Plumbing,
    change: &Change,
) -> SocketAddr {
    let mut settings = Settings::in_memory(keys.clone(), &format!("http://{}", gateway.address));
    settings.database = change.database.clone();
    if let Some(most) = change.refund_alone_max {
        settings.refund_alone_max = wire::money::MinorUnits::new(most).unwrap();
    }
    let listener = kit::http::listen(([127, 0, 0, 1], 0).into()).unwrap();
    let program = Program::start(settings, listener, plumbing.clone()).await.unwrap();
    let address = program.address();
    actix_web::rt::spawn(program.run());
    address
}

pub fn signing_key() -> WebhookSigningKey {
    WebhookSigningKey::from_seed(&[9; 32])
}

fn keys() -> Keys {
    Keys {
        sandbox_key: SANDBOX_KEY.into(),
        merchant_id: MerchantId::new(START, [3; 10]),
        client: ClientKeys {
            client_id: "cli_shop".into(),
            client_secret: "a-client-secret-of-enough-length".into(),
            key_id: "key_shop".into(),
            signing_key: BASE64.encode(&[5; 32]),
        },
        webhook: WebhookKeys {
            secret: WebhookSecret::new(&[6; 32]).unwrap().encode(),
            public_key: signing_key().public().encode(),
        },
        session_key: BASE64.encode(&[7; 32]),
        publishable_key: None,
        order_code_key: None,
        operators: vec![
            operator("ada", "operator"),
            operator("grace", "administrator"),
            operator("victor", "viewer"),
        ],
    }
}

/// The password of everybody in these tests.
pub const PASSWORD: &str = "correct horse battery staple";

fn operator(name: &str, role: &str) -> Operator {
    use argon2::password_hash::PasswordHasher;
    let cheap = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cheap);
    let hash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), b"salt for tests 1").unwrap();
    Operator { name: name.into(), role: role.into(), password_hash: hash.to_string() }
}
