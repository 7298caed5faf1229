//! Three programs in one process, in memory, on ports of their own, under one clock.

use std::ops::Deref;

use kit::clock::Clock;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wire::time::Timestamp;

use crate::api::Api;
use crate::http::{Answer, Http};
use crate::payer::Payer;

/// Seed of all test worlds.
const SEED: u64 = 7;
/// When virtual worlds begin.
const BEGIN: &str = "2026-01-15T10:00:00Z";

/// A world, with what tests do in it.
pub struct World {
    inner: payrig::world::World,
    /// A plain client.
    pub http: Http,
    apis: std::sync::Mutex<std::collections::BTreeMap<String, Api>>,
}

impl Deref for World {
    type Target = payrig::world::World;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

/// An order that waits for its payment.
#[derive(Clone, Debug)]
pub struct Order {
    /// `ord_…`
    pub id: String,
    /// Where the payer pays.
    pub checkout_url: String,
    /// The shop's whole answer.
    pub body: Value,
}

impl World {
    /// A world under virtual time.
    pub async fn start() -> Self {
        let begin: Timestamp = BEGIN.parse().unwrap();
        Self::start_with(Clock::virtual_at(begin)).await
    }

    /// A world under real time, for clients that look at their own clock.
    pub async fn start_real_time() -> Self {
        Self::start_with(Clock::real()).await
    }

    async fn start_with(clock: Clock) -> Self {
        let inner = payrig::world::World::start(clock, SEED).await.unwrap();
        let http = Http::counted(inner.outside.activity.clone());
        Self { inner, http, apis: std::sync::Mutex::default() }
    }

    /// A client of the gateway's API by name: shop, playground, bench.
    pub fn api(&self, name: &str) -> Api {
        let mut apis = self.apis.lock().unwrap();
        apis.entry(name.to_owned())
            .or_insert_with(|| {
                let credentials = self.keys.world.clients[name].clone();
                Api::new(self.http.clone(), &self.gateway, credentials, self.clock.clone())
            })
            .clone()
    }

    /// Somebody new with a browserless browser.
    pub fn payer(&self) -> Payer {
        Payer::new(self.http.clone())
    }

    /// What another program needs to connect as a client.
    pub fn environment(&self, client: &str) -> Vec<(String, String)> {
        let credentials = &self.keys.world.clients[client];
        [
            ("PAY_API", format!("{}/api", self.gateway)),
            ("PAY_CLIENT_ID", credentials.client_id.clone()),
            ("PAY_CLIENT_SECRET", credentials.client_secret.clone()),
            ("PAY_KEY_ID", credentials.key_id.clone()),
            ("PAY_SIGNING_KEY", credentials.signing_key.clone()),
            ("PAY_WEBHOOK_SECRET", self.keys.world.webhook_secret.clone()),
            ("PAY_PUBLISHABLE_KEY", self.keys.world.publishable_key.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    // --- the control plane ---------------------------------------------------------------------

    /// A call of a program's control plane.
    pub async fn sandbox(&self, program: &str, method: &str, path: &str, body: Value) -> Answer {
        let base = match program {
            "gateway" => &self.gateway,
            "merchant" => &self.shop,
            "processor-sim" => &self.processor,
            other => panic!("no program {other}"),
        };
        let key = self.keys.world.sandbox_key.clone();
        let headers = [("sandbox-key", key.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http.send(method, &format!("{base}/_sandbox{path}"), &headers, body).await
    }

    /// Arms one fault.
    pub async fn fault(&self, program: &str, fault: Value) {
        self.faults(program, json!([fault])).await;
    }

    /// Arms faults.
    pub async fn faults(&self, program: &str, faults: Value) {
        let list = json!({"faults": faults});
        let answer = self.sandbox(program, "POST", "/faults", list).await;
        assert!(answer.status < 300, "{faults}: {}", answer.text());
    }

    /// Checks the invariants of all programs.
    pub async fn assert_invariants(&self) {
        self.settle().await;
        for program in ["gateway", "merchant", "processor-sim"] {
            let report = self.sandbox(program, "GET", "/invariants", Value::Null).await;
            assert_eq!(report.status, 200, "{program}: {}", report.text());
            let report = report.json();
            assert_eq!(report["ok"], true, "{program}: {report:#}");
            assert!(report["checked"].as_u64().unwrap() > 0, "{program} checks nothing");
        }
    }

    /// Waits until nothing runs, nothing is queued and no message is on its way.
    pub async fn settle(&self) {
        self.inner.settle().await.unwrap();
    }

    /// Moves virtual time, timer by timer.
    pub async fn advance(&self, by: &str) {
        let target = self.clock.now().plus(kit::settings::duration(by).unwrap());
        self.inner.advance_to(target).await.unwrap();
    }

    // --- paying --------------------------------------------------------------------------------

    /// The answer to a request for a token.
    pub async fn request_token(&self, number: &str, expiry: &str, code: &str) -> Answer {
        let bearer = format!("Bearer {}", self.keys.world.publishable_key);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = json!({"number": number, "expiry": expiry, "security_code": code}).to_string();
        self.http.send("POST", &format!("{}/api/tokens", self.gateway), &headers, body).await
    }

    /// A token for a card.
    pub async fn token(&self, number: &str) -> String {
        let code =
            if number.starts_with("34") || number.starts_with("37") { "1234" } else { "123" };
        let answer = self.request_token(number, "12/30", code).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Pays at once, server to server, and gives the payment after everything came to rest.
    pub async fn pay(&self, number: &str, value: i64, currency: &str) -> Value {
        let token = self.token(number).await;
        let body = json!({"amount": {"value": value, "currency": currency},
            "order_reference": format!("ref-{token}"), "card_token": token, "confirm": true});
        let answer = self.api("shop").post("/payments", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        self.settle().await;
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        self.api("shop").get(&format!("/payments/{id}")).await.json()
    }

    /// Begins to pay; the answer comes when the world lets it.
    pub async fn begin_payment(
        &self,
        number: &str,
        value: i64,
        currency: &str,
        reference: &str,
    ) -> JoinHandle<Answer> {
        let token = self.token(number).await;
        self.begin_with_token(&token, value, currency, reference).await
    }

    /// Begins to pay with a token.
    pub async fn begin_with_token(
        &self,
        token: &str,
        value: i64,
        currency: &str,
        reference: &str,
    ) -> JoinHandle<Answer> {
        let api = self.api("shop");
        api.token().await;
        let body = json!({"amount": {"value": value, "currency": currency},
            "order_reference": reference, "card_token": token, "confirm": true});
        let handle = tokio::task::spawn(async move { api.post("/payments", body).await });
        // From now on it counts as a message, so nobody calls the world quiet before it arrives.
        tokio::task::yield_now().await;
        handle
    }

    /// The newest payment with an order reference, as the API shows it.
    pub async fn payment_by_reference(&self, reference: &str) -> Value {
        let api = self.api("shop");
        let listed = api.get(&format!("/payments?order_reference={reference}")).await;
        listed.json()["data"].get(0).cloned().unwrap_or(Value::Null)
    }

    /// Sum of all open holds at all issuers, in minor units.
    pub async fn open_holds(&self) -> i64 {
        let answer = self.sandbox("processor-sim", "GET", "/accounts", Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        let balances = body["data"].as_array().unwrap().iter();
        balances
            .flat_map(|account| account["balances"].as_array().unwrap().iter())
            .map(|balance| balance["held"].as_i64().unwrap())
            .sum()
    }

    /// Every notification the gateway sent so far: headers and body.
    pub async fn sent_webhooks(&self) -> Vec<(Value, String)> {
        self.settle().await;
        let answer = self.sandbox("gateway", "GET", "/wire", Value::Null).await;
        let mut sent = Vec::new();
        for entry in answer.json()["entries"].as_array().unwrap() {
            if entry["link"] != "gateway->merchant" {
                continue;
            }
            let headers: serde_json::Map<String, Value> = entry["request"]["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone()))
                .collect();
            let body = entry["request"]["body"].as_str().unwrap().to_owned();
            sent.push((Value::Object(headers), body));
        }
        sent
    }

    // --- the shop ------------------------------------------------------------------------------

    /// Somebody of the back office, logged in.
    pub async fn colleague(&self, name: &str) -> Payer {
        let accounts = &self.keys.world.accounts;
        let account = accounts.iter().find(|account| account.name == name).unwrap();
        let mut payer = self.payer();
        let page = payer.open(&format!("{}/office/login", self.shop)).await;
        let typed = [("name", name), ("password", account.password.as_str())];
        let inside = payer.fill(&page, "login-submit", &typed).await;
        assert!(inside.has("logout"), "{}", inside.html);
        payer
    }

    /// Begins to place an order through the shop's API.
    pub async fn begin_order(&self, sku: &str, quantity: u32) -> JoinHandle<Answer> {
        let (http, url) = (self.http.clone(), format!("{}/api/orders", self.shop));
        let body = json!({"sku": sku, "quantity": quantity}).to_string();
        let handle = tokio::task::spawn(async move {
            http.send("POST", &url, &[("content-type", "application/json")], body).await
        });
        tokio::task::yield_now().await;
        handle
    }

    /// Places an order and gives somebody to pay it.
    pub async fn order(&self, sku: &str, quantity: u32) -> (Payer, Order) {
        let answer = self.begin_order(sku, quantity).await.await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let body = answer.json();
        let order = Order {
            id: body["id"].as_str().unwrap().to_owned(),
            checkout_url: body["checkout_url"].as_str().unwrap().to_owned(),
            body,
        };
        (self.payer(), order)
    }

    /// What the shop says of an order.
    pub async fn order_status(&self, id: &str) -> String {
        let key = self.keys.world.sandbox_key.clone();
        let url = format!("{}/api/orders/{id}", self.shop);
        let answer = self.http.send("GET", &url, &[("sandbox-key", key.as_str())], "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["status"].as_str().unwrap().to_owned()
    }

    /// The gateway's payment for an order.
    pub async fn payment_of(&self, order: &str) -> Value {
        self.payment_by_reference(order).await
    }
}
