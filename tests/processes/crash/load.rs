//! The load: clients that pay, capture, void and refund, and ask again until they are answered.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use kit::clock::Clock;
use kit::random::Random;
use payrig::program::{Addresses, Program};
use payrig_tests::api::{Api, Change};
use payrig_tests::http::{Answer, Http};
use payrig_tests::payer::{CardTyped, Payer};
use payrig_tests::processes::{seen, until};
use serde_json::{Value, json};

use super::fleet::Fleet;
use super::told::Told;

/// What one answer may take, while programs die all the time.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);
/// How long a client waits for the outcome of a payment before it turns to the next.
const PATIENCE: Duration = Duration::from_secs(10);
/// Cards to try after one another before a client gives up.
const CARDS_MAX: usize = 6;
/// Cards that pay, of different networks and issuers.
const PAYING: [&str; 4] =
    ["4242424242424242", "5555555555554444", "4000010000000001", "5200010000000006"];
/// Cards that do not.
const DECLINED: [&str; 2] = ["4000000000000002", "4000000000009995"];

/// What a client does with a payment.
#[derive(Clone, Copy)]
enum Plan {
    /// Creates and pays in one call.
    AtOnce,
    /// Creates, then pays.
    TwoSteps,
    /// Tries a card that is declined, then another.
    OtherCard,
    /// Authorizes, then captures all.
    CaptureAll,
    /// Authorizes, then captures a part and releases the rest.
    CapturePart,
    /// Authorizes, then voids.
    Void,
    /// Pays and refunds all.
    RefundAll,
    /// Pays and refunds a part, twice.
    RefundParts,
    /// Buys in the shop, on the hosted page.
    Shop,
}

const PLANS: [Plan; 10] = [
    Plan::AtOnce,
    Plan::TwoSteps,
    Plan::OtherCard,
    Plan::CaptureAll,
    Plan::CapturePart,
    Plan::Void,
    Plan::RefundAll,
    Plan::RefundParts,
    Plan::Shop,
    Plan::Shop,
];

/// The clients of one run.
pub struct Load {
    api: Api,
    /// The clock by which the clients sign.
    pub clock: Clock,
    http: Http,
    addresses: Addresses,
    publishable_key: String,
    random: Random,
    name: &'static str,
    /// Set when enough has been paid.
    pub over: Cell<bool>,
    /// What every client was told.
    pub told: RefCell<Vec<Told>>,
    /// What was taken back or makes no sense.
    pub faults: RefCell<Vec<String>>,
    /// Calls that found nobody, or were not answered.
    pub unanswered: Cell<u64>,
}

impl Load {
    /// Clients that have done nothing yet.
    pub fn new(fleet: &Fleet, name: &'static str, random: Random) -> Self {
        let http = Http::default();
        let gateway = fleet.addresses.of(Program::Gateway);
        let client = fleet.keys.clients["shop"].clone();
        let clock = Clock::real();
        Self {
            api: Api::new(http.clone(), &gateway, client, clock.clone()),
            clock,
            http,
            addresses: fleet.addresses,
            publishable_key: fleet.keys.publishable_key.clone(),
            random,
            name,
            over: Cell::new(false),
            told: RefCell::default(),
            faults: RefCell::default(),
            unanswered: Cell::new(0),
        }
    }

    /// The API, for a look afterwards.
    pub const fn api(&self) -> &Api {
        &self.api
    }

    /// One client: one purchase after the other, until the run is over.
    pub async fn work(&self, client: usize) {
        let random = self.random.child(&format!("client {client}"));
        let mut number = 0;
        while !self.over.get() {
            number += 1;
            let reference = format!("{}-{client}-{number}", self.name);
            let pick = |limit: usize| {
                usize::try_from(random.below(u64::try_from(limit).unwrap())).unwrap()
            };
            let purchase = Purchase {
                load: self,
                index: self.told.borrow().len(),
                amount: 1000 + i64::try_from(random.below(9000)).unwrap(),
                card: PAYING[pick(PAYING.len())],
                declined: DECLINED[pick(DECLINED.len())],
                reference: reference.clone(),
            };
            self.told.borrow_mut().push(Told { reference, ..Told::default() });
            purchase.follow(PLANS[pick(PLANS.len())]).await;
        }
    }

    /// Repeats a call under the same idempotency key until it is answered.
    async fn insist(&self, method: &str, path: &str, body: Option<&Value>, key: &str) -> Answer {
        until(&format!("answer to {method} {path} {key}"), ANSWERED_WITHIN, async || {
            let change = Change { idempotency_key: Some(key.into()), ..Change::default() };
            let body = body.map(|body| body.to_string().into_bytes());
            self.answered(self.api.try_call(method, path, body, change).await)
        })
        .await
    }

    /// The answer, unless the call has to be repeated.
    fn answered(&self, answer: anyhow::Result<Answer>) -> Option<Answer> {
        let done = |answer: &Answer| {
            answer.status < 500 && answer.json()["code"] != "idempotency_key_in_use"
        };
        let answer = answer.ok().filter(done);
        if answer.is_none() {
            self.unanswered.set(self.unanswered.get() + 1);
        }
        answer
    }

    async fn token(&self, card: &str) -> String {
        let key = format!("Bearer {}", self.publishable_key);
        let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
        let body = json!({"number": card, "expiry": "12/39", "security_code": "123"}).to_string();
        let url = format!("{}/tokens", self.addresses.api());
        let answer = until("a token", ANSWERED_WITHIN, async || {
            self.answered(self.http.try_send("POST", &url, &headers, body.clone()).await)
        })
        .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }
}

/// One purchase by one client.
struct Purchase<'a> {
    load: &'a Load,
    index: usize,
    reference: String,
    amount: i64,
    card: &'static str,
    declined: &'static str,
}

impl Purchase<'_> {
    async fn follow(&self, plan: Plan) {
        match plan {
            Plan::AtOnce => drop(self.at_once().await),
            Plan::TwoSteps => drop(self.pay("automatic", &[]).await),
            Plan::OtherCard => drop(self.pay("automatic", &[self.declined]).await),
            Plan::CaptureAll => self.change("manual", "authorized", "capture", &[json!({})]).await,
            Plan::CapturePart => {
                let part = json!({"amount": self.amount / 2, "final": true});
                self.change("manual", "authorized", "capture", &[part]).await;
            }
            Plan::Void => self.change("manual", "authorized", "void", &[json!({})]).await,
            Plan::RefundAll => self.change("automatic", "captured", "refunds", &[json!({})]).await,
            Plan::RefundParts => {
                let part = json!({"amount": self.amount / 4, "reason": "a part"});
                self.change("automatic", "captured", "refunds", &[part.clone(), part]).await;
            }
            Plan::Shop => self.shop().await,
        }
    }

    /// Pays, and once it stands as wanted changes it.
    async fn change(&self, capture: &str, wanted: &str, verb: &str, bodies: &[Value]) {
        let payment = self.pay(capture, &[]).await;
        if payment["status"] != wanted {
            return;
        }
        let path = format!("/payments/{}/{verb}", payment["id"].as_str().unwrap());
        for (n, body) in bodies.iter().enumerate() {
            let key = format!("{}-{verb}-{n}", self.reference);
            let answer = self.load.insist("POST", &path, Some(body), &key).await;
            if answer.status >= 300 {
                self.fault(format!("{verb}: {}", answer.text()));
            } else if verb == "refunds" {
                self.hear(|told| told.refund(&answer.json()));
            } else {
                self.hear(|told| told.payment(&answer.json()));
            }
        }
    }

    fn create(&self, capture: &str) -> Value {
        json!({
            "amount": {"value": self.amount, "currency": "EUR"},
            "order_reference": self.reference, "capture": capture,
        })
    }

    async fn at_once(&self) -> Value {
        for n in 0..CARDS_MAX {
            let mut body = self.create("automatic");
            body["card_token"] = json!(self.load.token(self.card).await);
            body["confirm"] = json!(true);
            let key = format!("{}-create-{n}", self.reference);
            let answer = self.load.insist("POST", "/payments", Some(&body), &key).await;
            if answer.status == 201 {
                return self.decided(answer.json()).await;
            }
            if !token_was_lost(&answer) {
                self.fault(format!("create and confirm: {}", answer.text()));
                break;
            }
        }
        Value::Null
    }

    /// Creates a payment and tries cards until one pays.
    async fn pay(&self, capture: &str, first: &[&str]) -> Value {
        let key = format!("{}-create", self.reference);
        let created =
            self.load.insist("POST", "/payments", Some(&self.create(capture)), &key).await;
        if created.status != 201 {
            self.fault(format!("create: {}", created.text()));
            return Value::Null;
        }
        let mut payment = created.json();
        self.hear(|told| told.payment(&payment));
        let path = format!("/payments/{}/confirm", payment["id"].as_str().unwrap());
        for n in 0..CARDS_MAX {
            let card = first.get(n).unwrap_or(&self.card);
            let body = json!({"card_token": self.load.token(card).await});
            let key = format!("{}-confirm-{n}", self.reference);
            let answer = self.load.insist("POST", &path, Some(&body), &key).await;
            if answer.status == 200 {
                payment = self.decided(answer.json()).await;
            } else if !token_was_lost(&answer) {
                self.fault(format!("confirm: {}", answer.text()));
                return Value::Null;
            }
            if payment["status"] != "requires_payment_method" {
                break;
            }
        }
        payment
    }

    /// Reads a payment until its outcome is known, or patience ends.
    async fn decided(&self, told: Value) -> Value {
        self.hear(|client| client.payment(&told));
        if told["status"] != "processing" {
            return told;
        }
        let path = format!("/payments/{}", told["id"].as_str().unwrap());
        let decided = seen(PATIENCE, async || {
            let call = self.load.api.try_call("GET", &path, None, Change::default());
            let answer = self.load.answered(call.await)?;
            (answer.json()["status"] != "processing").then_some(answer)
        });
        let Some(decided) = decided.await else { return told };
        assert_eq!(decided.status, 200, "{}", decided.text());
        self.hear(|client| client.payment(&decided.json()));
        decided.json()
    }

    /// Orders in the shop and pays on the hosted page.
    async fn shop(&self) {
        let url = format!("{}/api/orders", self.load.addresses.of(Program::Merchant));
        let key = format!("{}-order", self.reference);
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let body = json!({"sku": "tea-42", "quantity": 1}).to_string();
        let ordered = until("an order", ANSWERED_WITHIN, async || {
            let answer = self.load.http.try_send("POST", &url, &headers, body.clone()).await;
            // Without an address to pay at, the shop itself was not answered yet.
            self.load.answered(answer).filter(|it| it.json()["checkout_url"].is_string())
        })
        .await;
        assert!(ordered.status < 300, "{}", ordered.text());
        let order = ordered.json();
        self.hear(|told| {
            order["id"].as_str().unwrap().clone_into(&mut told.reference);
            told.ordered = true;
            Ok(())
        });
        let outcome = self.hosted(order["checkout_url"].as_str().unwrap()).await;
        self.hear(|told| {
            told.outcome = outcome;
            Ok(())
        });
    }

    /// Pays on the hosted page; after an error the payer opens it again.
    async fn hosted(&self, checkout_url: &str) -> Option<String> {
        let mut payer = Payer::new(self.load.http.clone());
        let card = CardTyped::new(self.card);
        let typed = [("cc-number", card.number), ("cc-exp", card.expiry), ("cc-csc", card.code)];
        seen(PATIENCE, async || {
            let mut page = payer.try_open(checkout_url).await.ok()?;
            if page.has("card-form") {
                page = payer.try_fill(&page, "data-testid=\"card-form\"", &typed).await.ok()?;
            }
            let outcome = page.attribute("outcome", "data-outcome")?;
            (!matches!(&*outcome, "processing" | "unknown")).then_some(outcome)
        })
        .await
    }

    fn hear(&self, change: impl FnOnce(&mut Told) -> Result<(), String>) {
        let heard = change(&mut self.load.told.borrow_mut()[self.index]);
        if let Err(fault) = heard {
            self.fault(fault);
        }
    }

    fn fault(&self, what: String) {
        self.load.faults.borrow_mut().push(format!("{}: {what}", self.reference));
    }
}

/// A security code is kept in memory only: it does not survive the gateway.
fn token_was_lost(answer: &Answer) -> bool {
    answer.json()["code"] == "card_data_expired"
}
