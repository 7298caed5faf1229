//! One processor in this process, a gateway's link to it, and a clock that stands until moved.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kit::clock::Clock;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, Link, LinkFailure, LinkName, Reply, Signing};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use kit::sqlite::Location;
use processor_sim::{HopKeys, Keys, Program, Settings, SigningKeyText};
use serde_json::{Value, json};
use wire::card::{CardNumber, SecurityCode};
use wire::ids::{PaymentId, ReversalId};
use wire::money::{Currency, MinorUnits};
use wire::processor_api::{
    Acceptor, EntryMode, Message, Mti, PROCESSOR_PATH, PURCHASE, REFUND, StoredCredential,
    ThreeDsData,
};
use wire::signature::{SigningKey, Wire};
use wire::test_cards;
use wire::three_ds::{
    AuthenticationRequest, AuthenticationResponse, TransId, VERSION, request_path,
};
use wire::time::Timestamp;

pub const START: Timestamp = Timestamp::from_millis(1_795_341_600_000); // 2026-11-22T10:00Z
pub const SANDBOX_KEY: &str = "sandbox-key-of-the-tests";
const ACQUIRER: &str = "00000912345";
const MERCHANT: &str = "MERCH0000000001";

pub struct World {
    pub clock: Clock,
    pub program: Plumbing,
    pub gateway: Plumbing,
    link: Link,
    control: Link,
    stan: AtomicU32,
    ended: tokio::sync::oneshot::Receiver<()>,
}

fn secret(byte: u8) -> wire::signature::SigningKey {
    SigningKey::new("gateway-processor-1", [byte; 32])
}

fn base64(byte: u8) -> processor_sim::SecretText {
    let text = secret(byte).secret_base64().clone();
    processor_sim::SecretText(text)
}

fn keys() -> Keys {
    Keys {
        sandbox_key: SANDBOX_KEY.into(),
        gateway: SigningKeyText { key_id: "gateway-processor-1".into(), signing_key: base64(1) },
        hops: HopKeys {
            processor_to_network: base64(2),
            network_to_issuer: base64(3),
            issuer_to_network: base64(4),
            network_to_processor: base64(5),
        },
        pan_key: base64(6),
    }
}

impl World {
    pub async fn start() -> Self {
        Self::start_at(Location::Memory, Clock::virtual_at(START)).await
    }

    pub async fn start_with_file(path: &Path, clock: Clock) -> Self {
        Self::start_at(Location::File(path.to_owned()), clock).await
    }

    async fn start_at(database: Location, clock: Clock) -> Self {
        let program = Plumbing::new("processor", clock.clone(), 7, Secrets::seeded(7));
        let gateway = Plumbing::new("gateway", clock.clone(), 8, Secrets::system());
        let console = Plumbing::new("console", Clock::real(), 9, Secrets::seeded(9));
        let settings = Settings { database, ..Settings::in_memory(keys()) };
        let listener = kit::http::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let started = Program::start(settings, listener, program.clone()).await.unwrap();
        let base = format!("http://{}", started.address());
        let signing = Signing::HttpSignature { key: Arc::new(secret(1)), wire: Wire::MessageHop };
        let link = Link::new(LinkName("gateway->processor"), &base, signing, &gateway).unwrap();
        let control =
            Link::new(LinkName("console->processor"), &base, Signing::Already, &console).unwrap();
        let (done, ended) = tokio::sync::oneshot::channel();
        actix_web::rt::spawn(async move {
            started.run().await.unwrap();
            let _ = done.send(());
        });
        Self { clock, program, gateway, link, control, stan: AtomicU32::new(1), ended }
    }

    /// Ends the program as it is asked to, and waits for it.
    pub async fn stop(self) {
        self.program.shutdown.trigger();
        self.ended.await.unwrap();
    }

    /// A message with a fresh trace number and everything that is mandatory.
    pub fn message(&self, mti: Mti) -> Message {
        let stan = self.stan.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now();
        let mut message = Message::new(mti, format!("{stan:06}"), now, ACQUIRER, "ECOM0001");
        let fields = now.utc();
        message.rrn = Some(format!(
            "{}{:03}{:02}{stan:06}",
            fields.year % 10,
            fields.day_of_year(),
            fields.hour
        ));
        message.card_acceptor_id = Some(MERCHANT.into());
        message.payment_reference = Some(self.gateway.ids.with(PaymentId::new).to_string());
        message
    }

    /// An AReq for the card, amount and merchant of a message.
    pub fn areq(&self, message: &Message) -> AuthenticationRequest {
        AuthenticationRequest {
            message_type: "AReq".into(),
            message_version: VERSION.into(),
            server_trans_id: TransId::from_random(self.gateway.secrets.bytes()),
            device_channel: "02".into(),
            method_completed: "U".into(),
            challenge_indicator: "01".into(),
            number: message.pan.clone(),
            card_expiry_date: "3012".into(),
            purchase_amount: message.amount.unwrap(),
            purchase_currency: message.currency.unwrap(),
            merchant_name: "Demo Shop".into(),
            acquirer_merchant_id: MERCHANT.into(),
            mcc: "5732".into(),
            notification_url: "http://127.0.0.1:7072/3ds/notify".into(),
            payment_reference: message.payment_reference.clone().unwrap(),
            blind: "AAECAwQFBgcICQoLDA0ODw".into(),
        }
    }

    /// A signed request to a directory server: the status and the body.
    pub async fn directory(&self, path: &str, body: Vec<u8>) -> (u16, Value) {
        let reply = self.link.send(Call::post(path, body)).await.unwrap();
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    /// What the directory server answers.
    pub async fn ask(&self, request: &AuthenticationRequest) -> AuthenticationResponse {
        let path = request_path(request.number.as_ref().unwrap().brand());
        let call = Call::post(path, serde_json::to_vec(request).unwrap());
        let reply = self.link.send(call).await.unwrap();
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Has the bank authenticate the cardholder of a message, without asking.
    pub async fn authenticate(&self, message: &mut Message) {
        let answer = self.ask(&self.areq(message)).await;
        message.threeds = Some(ThreeDsData {
            version: Some(VERSION.into()),
            eci: answer.eci,
            cavv: answer.authentication_value,
            ds_trans_id: Some(answer.ds_trans_id.to_string()),
            ..ThreeDsData::default()
        });
    }

    /// A purchase of 49.99 EUR with a card of the catalogue.
    pub fn purchase(&self, alias: &str) -> Message {
        let card = test_cards::by_alias(alias).unwrap_or_else(|| panic!("no card {alias}"));
        let number = card.number.card().unwrap().clone();
        let code = if card.cvv == "any" {
            if card.brand == wire::card::Brand::Amex { "9876" } else { "987" }
        } else {
            &card.cvv
        };
        let code = SecurityCode::parse(code, card.brand).unwrap();
        self.purchase_with(number, Some(code))
    }

    pub fn purchase_with(&self, number: CardNumber, code: Option<SecurityCode>) -> Message {
        let mut message = self.message(Mti::AuthorizationRequest);
        message.pan = Some(number);
        message.cvv = code;
        message.blind = Some("AAECAwQFBgcICQoLDA0ODw".into());
        message.processing_code = Some(PURCHASE.into());
        message.function_code = Some("100".into());
        message.amount = Some(amount(4999));
        message.currency = Some(Currency::parse("EUR").unwrap());
        message.expiry = Some("3012".into());
        message.entry_mode = Some(EntryMode::Ecommerce);
        message.local_at = Some("2026-11-22T11:00:00".into());
        message.mcc = Some("5732".into());
        message.acceptor = Some(Acceptor {
            name: "Payrig Demo Shop".into(),
            country: "FR".into(),
            city: Some("Paris".into()),
            url: None,
            support: None,
        });
        message.accept_partial = Some(false);
        message.reversal_id = Some(self.gateway.ids.with(ReversalId::new));
        message
    }

    pub fn refund(&self, alias: &str, value: i64) -> Message {
        let mut message = self.purchase(alias);
        message.cvv = None;
        message.processing_code = Some(REFUND.into());
        message.amount = Some(amount(value));
        message
    }

    /// The capture of an authorization.
    pub fn capture(&self, authorization: &Message, value: i64) -> Message {
        let mut message = self.message(Mti::CaptureAdvice);
        message.processing_code = Some(PURCHASE.into());
        message.function_code = Some("201".into());
        message.amount = Some(amount(value));
        message.currency = authorization.currency;
        message.mcc.clone_from(&authorization.mcc);
        message.original = Some(authorization.as_original());
        message.payment_reference.clone_from(&authorization.payment_reference);
        message
    }

    /// The reversal of an authorization; `remains` is what is left of it.
    pub fn reversal(&self, authorization: &Message, remains: i64) -> Message {
        let mut message = Message::new(
            Mti::ReversalRequest,
            authorization.stan.clone(),
            self.clock.now(),
            authorization.acquirer_id.clone(),
            authorization.terminal_id.clone(),
        );
        message.rrn.clone_from(&authorization.rrn);
        message.card_acceptor_id.clone_from(&authorization.card_acceptor_id);
        message.function_code = Some(if remains == 0 { "400" } else { "401" }.into());
        message.reason_code = Some("4000".into());
        message.amount = authorization.amount;
        message.currency = authorization.currency;
        message.replacement_amount = Some(amount(remains));
        message.original = Some(authorization.as_original());
        message.reversal_id = authorization.reversal_id;
        message.payment_reference.clone_from(&authorization.payment_reference);
        message
    }

    /// The status inquiry about a message.
    pub fn inquiry(&self, about: &Message) -> Message {
        let mut message = self.message(Mti::AdministrativeRequest);
        message.function_code = Some("603".into());
        message.original = Some(about.as_original());
        message
    }

    /// Sends a message and waits for the answer with the clock standing still.
    pub async fn send(&self, message: &Message) -> Message {
        let reply = self.try_send(message).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Sends a message; the answer may be missing.
    pub async fn try_send(&self, message: &Message) -> Result<Reply, LinkFailure> {
        let body = serde_json::to_vec(message).unwrap();
        self.try_send_bytes(body).await
    }

    pub async fn try_send_bytes(&self, body: Vec<u8>) -> Result<Reply, LinkFailure> {
        let facts = Facts::new("authorization", TraceId::new(&self.gateway.random));
        let call = Call::post(PROCESSOR_PATH, body).facts(facts).deadline(Duration::from_secs(20));
        Box::pin(self.link.send(call)).await
    }

    /// Waits for something while moving the clock from timer to timer whenever all is quiet.
    pub fn stepping<'w, F>(&'w self, work: F) -> Pin<Box<dyn Future<Output = F::Output> + 'w>>
    where
        F: Future + 'w,
    {
        Box::pin(self.step_while(Box::pin(work)))
    }

    async fn step_while<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(self.gateway.activity.track(work));
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.quiet() => {}
            }
            let next = [self.clock.next_work_due(), self.program.activity.next_due().work]
                .into_iter()
                .flatten()
                .min();
            match next {
                Some(due) if due > self.clock.now() => {
                    self.clock.advance_to(due).unwrap();
                }
                Some(_) | None => tokio::task::yield_now().await,
            }
        }
    }

    /// Moves the clock, then waits until what became due is done.
    pub async fn advance(&self, by: Duration) {
        let until = self.clock.now().plus(by);
        loop {
            self.quiet().await;
            let next = [self.clock.next_due(), self.program.activity.next_due().earliest()]
                .into_iter()
                .flatten()
                .filter(|due| *due > self.clock.now() && *due < until)
                .min();
            match next {
                Some(due) => self.clock.advance_to(due).unwrap(),
                None => break,
            };
        }
        if until > self.clock.now() {
            self.clock.advance_to(until).unwrap();
        }
        self.quiet().await;
    }

    /// Resolves when neither side works on anything but waiting for a timer. The program is asked
    /// on its own thread, where no work is half done.
    pub async fn quiet(&self) {
        let mut before = None;
        loop {
            tokio::task::yield_now().await;
            let idle = self.get("idle").await;
            let ours = self.gateway.activity.snapshot();
            let theirs = |name: &str| idle[name].as_u64().unwrap();
            let counts = (ours.sent, theirs("received"));
            // A worker whose time has come may not have run yet.
            let overdue = self.clock.next_due().is_some_and(|due| due <= self.clock.now());
            let still = !overdue
                && ours.in_flight == 0
                && theirs("in_flight") == 0
                && theirs("queued") == 0
                && ours.awaiting_answer == theirs("serving");
            if still && before == Some(counts) {
                return;
            }
            before = still.then_some(counts);
        }
    }

    pub async fn control(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut call = Call::new(method.parse().unwrap(), format!("/_sandbox/{path}"))
            .header("sandbox-key", SANDBOX_KEY);
        call.body = body.map(|body| body.to_string().into());
        let reply = self.control.send(call).await.expect("an answer of the control plane");
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
    }

    pub async fn page(&self, path: &str) -> String {
        let reply = self.control.send(Call::get(path)).await.expect("a page");
        assert_eq!(reply.status, 200);
        String::from_utf8(reply.body.to_vec()).unwrap()
    }

    /// Sends a form as a browser does.
    pub async fn form(&self, path: &str, body: &str) -> (u16, String) {
        let mut call = Call::post(path, body.to_owned());
        call.content_type = "application/x-www-form-urlencoded";
        let reply = self.control.send(call).await.expect("an answer");
        (reply.status, String::from_utf8(reply.body.to_vec()).unwrap())
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.control("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn fault(&self, fault: Value) {
        let body = json!({ "faults": [fault] });
        let (status, answer) = self.control("POST", "faults", Some(body)).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Every rule must hold.
    pub async fn check_invariants(&self) {
        let report = self.get("invariants").await;
        assert_eq!(report["violations"], json!([]));
        assert_eq!(report["ok"], json!(true));
    }

    /// The account of a catalogue card that has been used.
    pub async fn account(&self, alias: &str) -> Value {
        let card = self.get(&format!("cards/{alias}")).await;
        let id = card["account"]["id"].as_str().expect("an account").to_owned();
        self.get(&format!("accounts/{id}")).await
    }

    /// What is held on a catalogue card in EUR.
    pub async fn held(&self, alias: &str) -> i64 {
        let card = self.get(&format!("cards/{alias}")).await;
        if card["account"].is_null() {
            return 0;
        }
        let account = self.account(alias).await;
        let balances = account["balances"].as_array().unwrap();
        let euro = balances.iter().find(|balance| balance["currency"] == "EUR");
        euro.map_or(0, |balance| balance["held"].as_i64().unwrap())
    }

    /// Messages of the wire log on a link: `mti -> response code`.
    pub async fn ladder(&self, link: &str) -> Vec<String> {
        let log = self.get("wire").await;
        let entries = log["entries"].as_array().unwrap();
        entries
            .iter()
            .filter(|entry| entry["link"] == link)
            .filter(|entry| entry["facts"]["type"] != "network_management")
            .map(|entry| {
                let answer = &entry["answer"]["body"];
                let body: Value =
                    serde_json::from_str(answer.as_str().unwrap_or("null")).unwrap_or_default();
                let code = body["response_code"].as_str().unwrap_or("--").to_owned();
                format!("{} {code}", entry["facts"]["mti"].as_str().unwrap_or("?"))
            })
            .collect()
    }
}

pub fn amount(value: i64) -> MinorUnits {
    MinorUnits::new(value).unwrap()
}

pub fn code(message: &Message) -> String {
    message.response_code.map_or("--".into(), |code| code.as_str().to_owned())
}

pub fn source(message: &Message) -> String {
    let sandbox = message.sandbox.clone().unwrap_or_default();
    sandbox.outcome_source.unwrap_or_default()
}

pub fn note(message: &Message) -> String {
    message.sandbox.clone().unwrap_or_default().note.unwrap_or_default()
}

pub fn merchant_initiated() -> StoredCredential {
    StoredCredential {
        initiator: "MIT".into(),
        sequence: "subsequent".into(),
        reason: Some("recurring".into()),
        original_ntid: None,
    }
}
