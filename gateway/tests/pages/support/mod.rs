//! A gateway in memory without a processor, and a browser that keeps cookies and fills forms.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use gateway::Program;
use gateway::settings::{
    ClientKeys, KeyEncryptionKey, Keys, MerchantKeys, OperatorKeys, Settings, Signatures,
    SigningKeyText, WebhookKeys,
};
use kit::clock::Clock;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, Link, LinkName, Signing};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::ids::MerchantId;
use wire::settlement::{NOTICES_PATH, News, Notice};
use wire::signature::{SigningKey, Wire};
use wire::time::Timestamp;

pub const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);
const SANDBOX_KEY: &str = "sandbox-key-of-the-tests-0123456789";
/// argon2id of `correct horse`, as cheap as it may be.
const PASSWORD_HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MjZP1+1U9JUbDWvDvtLyEsZiNXOKEUxfi6O2oe46uxA";

/// A gateway that runs in this test.
pub struct Gateway {
    pub address: SocketAddr,
    plumbing: Plumbing,
}

/// A payment that was created by the API.
pub struct NewPayment {
    pub id: String,
    pub checkout_path: String,
}

impl NewPayment {
    /// The payment of an answer of the API.
    pub fn of(answer: &Value) -> Self {
        let (_, path) = answer["checkout_url"].as_str().unwrap().split_once("/pay/").unwrap();
        let id = answer["id"].as_str().unwrap().to_owned();
        Self { id, checkout_path: format!("/pay/{path}") }
    }

    pub fn path(&self) -> String {
        format!("/pay/{}", self.id)
    }
}

impl Gateway {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody listens there: a free port that was given back.
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut settings =
            Settings::in_memory(keys(), &format!("http://{nobody}"), &format!("http://{address}"));
        settings.shop_url = Some("http://127.0.0.1:9".to_owned());
        change(&mut settings);
        let plumbing = Plumbing::new("gateway", Clock::virtual_at(NOW), 42, Secrets::seeded(42));
        let program = Program::start(settings, listener, plumbing.clone()).await.unwrap();
        actix_web::rt::spawn(async move { program.run().await });
        Self { address, plumbing }
    }

    pub async fn advance(&self, by: Duration) {
        self.plumbing.clock.advance(by).unwrap();
        // Background work runs on this thread too: let it begin.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    pub async fn create_payment(&self, amount: i64) -> NewPayment {
        self.create(amount, "Tea for two").await
    }

    pub async fn create_described_payment(&self, description: &str) -> NewPayment {
        self.create(4999, description).await
    }

    async fn create(&self, amount: i64, description: &str) -> NewPayment {
        let body = json!({
            "amount": {"value": amount, "currency": "EUR"},
            "order_reference": format!("ord_{}", self.plumbing.random.below(1_000_000_000)),
            "description": description,
            "return_url": "http://127.0.0.1:7071/orders/1/return",
            "cancel_url": "http://127.0.0.1:7071/cart",
            "line_items": [{"name": description, "quantity": 1, "unit_price": amount}],
        });
        let answer = self.api("POST", "/api/payments", Some(body)).await;
        NewPayment::of(&answer)
    }

    pub async fn payment(&self, payment: &NewPayment) -> Value {
        self.api("GET", &format!("/api/payments/{}", payment.id), None).await
    }

    pub async fn status_of(&self, payment: &NewPayment) -> String {
        self.payment(payment).await["status"].as_str().unwrap().to_owned()
    }

    /// The status of a call without any credential.
    pub async fn knock(&self, method: &str, path: &str) -> u16 {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        send(self.address, method, path, &form, None).await.status
    }

    /// What the processor tells by itself.
    pub async fn tell(&self, number: i64, news: News) {
        let key = Arc::new(SigningKey::new("gateway-processor-1", [6; 32]));
        let signing = Signing::HttpSignature { key, wire: Wire::MessageHop };
        let name = LinkName("processor->gateway");
        let base = format!("http://{}", self.address);
        let link = Link::new(name, &base, signing, &self.plumbing).unwrap();
        let card_acceptor_id = "MERCH0000000001".to_owned();
        let notice = Notice { number, card_acceptor_id, at: NOW, news };
        let trace = TraceId::new(&self.plumbing.random);
        let call = Call::post(NOTICES_PATH, serde_json::to_vec(&notice).unwrap());
        let reply = link.send(call.facts(Facts::new("notice", trace))).await.unwrap();
        assert_eq!(reply.status, 200, "{:?}", reply.body);
    }

    async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let basic = format!("Basic {}", BASE64.encode(b"cli_playground:secret-of-the-playground"));
        let form = "application/x-www-form-urlencoded";
        let headers = [("Authorization", basic.as_str()), ("Content-Type", form)];
        let grant = Some("grant_type=client_credentials");
        let token = send(self.address, "POST", "/api/oauth/token", &headers, grant).await;
        let token: Value = serde_json::from_str(&token.body).unwrap();
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let key = format!("key-{}", self.plumbing.random.u64());
        let mut headers = vec![("Authorization", bearer.as_str())];
        if body.is_some() {
            headers.extend([("Content-Type", "application/json"), ("Idempotency-Key", &key)]);
        }
        let body = body.map(|body| body.to_string());
        let answer = send(self.address, method, path, &headers, body.as_deref()).await;
        assert!(answer.status < 300, "{} {}", answer.status, answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }
}

fn keys() -> Keys {
    let key = |byte: u8| BASE64.encode(&[byte; 32]).as_str().into();
    let operator = |name: &str, role: &str| OperatorKeys {
        name: name.to_owned(),
        role: role.to_owned(),
        password_hash: PASSWORD_HASH.into(),
    };
    Keys {
        sandbox_key: SANDBOX_KEY.into(),
        merchant: MerchantKeys {
            id: MerchantId::new(NOW, [1; 10]),
            name: "Payrig Demo Shop".to_owned(),
            master_secret: key(1),
            acquirer_id: "00000912345".to_owned(),
            terminal_id: "ECOM0001".to_owned(),
            card_acceptor_id: "MERCH0000000001".to_owned(),
            mcc: "5732".to_owned(),
            country: "FR".to_owned(),
            city: "Paris".to_owned(),
        },
        kek: KeyEncryptionKey { version: 1, key: key(2) },
        kek_previous: None,
        session_key: key(3),
        publishable_key: "pk_0123456789abcdef".to_owned(),
        webhook: WebhookKeys {
            secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(),
            signing_key: format!("whsk_{}", BASE64.encode(&[4; 32])).as_str().into(),
        },
        clients: vec![ClientKeys {
            name: "playground".to_owned(),
            client_id: "cli_playground".to_owned(),
            client_secret: "secret-of-the-playground".into(),
            key_id: "key_playground".to_owned(),
            signing_key: key(5),
            signatures: Signatures::Optional,
            return_origins: vec!["loopback".to_owned()],
        }],
        processor: SigningKeyText { key_id: "gateway-processor-1".to_owned(), signing_key: key(6) },
        operators: vec![operator("admin", "administrator"), operator("vera", "viewer")],
    }
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The text between two marks.
    pub fn between(&self, before: &str, after: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    }

    /// The address of a link, by its `data-testid`.
    pub fn link(&self, test_id: &str) -> Option<String> {
        let mark = format!("data-testid=\"{test_id}\"");
        let tag = self.body.split("<a ").find(|tag| {
            tag.split_once('>').is_some_and(|(attributes, _)| attributes.contains(&mark))
        })?;
        let (_, rest) = tag.split_once("href=\"")?;
        Some(rest.split_once('"')?.0.replace("&#38;", "&"))
    }
}

/// A browser: keeps cookies by path, and the hidden fields of the last form.
pub struct Browser {
    address: SocketAddr,
    cookies: BTreeMap<String, (String, String)>,
    /// Headers that it adds to each request.
    pub headers: Vec<(String, String)>,
    /// Proof of the last page.
    pub csrf: String,
    key: String,
}

impl Browser {
    pub fn new(gateway: &Gateway) -> Self {
        Self::at(gateway.address)
    }

    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            csrf: String::new(),
            key: String::new(),
        }
    }

    pub async fn signed_in(gateway: &Gateway, name: &str) -> Self {
        let mut browser = Self::new(gateway);
        browser.get("/dashboard/login").await;
        let fields = [("name", name), ("password", "correct horse")];
        assert_eq!(browser.submit("/dashboard/login", &fields).await.status, 303);
        browser.get("/dashboard").await;
        browser
    }

    /// Another tab of the same browser, on the same page.
    pub fn twin(&self) -> Self {
        Self {
            address: self.address,
            cookies: self.cookies.clone(),
            headers: self.headers.clone(),
            csrf: self.csrf.clone(),
            key: self.key.clone(),
        }
    }

    /// The key of the last form.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Goes back to a form that was shown before.
    pub fn use_key(&mut self, key: &str) {
        key.clone_into(&mut self.key);
    }

    /// Follows the link of a payment to its page.
    pub async fn open(&mut self, payment: &NewPayment) -> Answer {
        let answer = self.get(&payment.checkout_path).await;
        self.follow(answer).await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Follows redirects to a page.
    pub async fn follow(&mut self, mut answer: Answer) -> Answer {
        while let Some(path) = answer.header("location").map(str::to_owned) {
            answer = self.get(&path).await;
        }
        answer
    }

    /// Sends a form with the hidden fields of the last page that had some.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let (csrf, key) = (self.csrf.clone(), self.key.clone());
        let mut pairs = vec![("csrf", csrf.as_str())];
        if !key.is_empty() && fields.iter().all(|(name, _)| *name != "key") {
            pairs.push(("key", key.as_str()));
        }
        pairs.extend(fields);
        let body = encoded(&pairs);
        self.send("POST", path, Some(&body)).await
    }

    async fn send(&mut self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|(_, (_, under))| path.starts_with(under.as_str()))
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        if body.is_some() {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        let answer = send(self.address, method, path, &headers, body).await;
        self.remember(&answer);
        answer
    }

    fn remember(&mut self, answer: &Answer) {
        let set = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        for (_, cookie) in set {
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, rest) = rest.split_once(';').unwrap();
            let path = rest.split_once("Path=").unwrap().1.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), (value.to_owned(), path.to_owned()));
        }
        if let Some(csrf) = answer.between("name=\"csrf\" value=\"", "\"") {
            self.csrf = csrf;
        }
        if let Some(key) = answer.between("name=\"key\" value=\"", "\"") {
            self.key = key;
        }
    }
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    char::from(byte).to_string()
                }
                b' ' => "+".to_owned(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

/// One exchange on a connection of its own.
async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = body.unwrap_or_default();
    head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Answer { status, headers, body: body.to_owned() }
}
