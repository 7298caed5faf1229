//! A client of the gateway's API that signs as any merchant does, and can be made to err.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use data_encoding::BASE64;
use kit::clock::Clock;
use wire::signature::{
    ReceivedHeaders, RequestBinding, RequestContent, RequestTarget, SignatureTimes, SigningKey,
    Wire, sign_request, verify_response,
};
use wire::time::Timestamp;

use super::http::{Answer, Http, NoAnswer, Outgoing};
use crate::world::Credentials;

/// How long a signature is good, in seconds.
const SIGNATURE_SECONDS: i64 = 60;
/// How long an access token is used; it is good for a little longer.
const RENEW_AFTER: Duration = Duration::from_secs(800);

/// A merchant's client.
pub struct Api {
    http: Http,
    base: String,
    credentials: Credentials,
    clock: Clock,
    name: String,
    calls: Cell<u64>,
    last_nonce: RefCell<String>,
    token: tokio::sync::Mutex<Option<(String, Timestamp)>>,
}

/// What is wrong with a call, on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tamper {
    /// These bytes are sent, though others were signed.
    pub body: Option<Vec<u8>>,
    /// The signature is damaged.
    pub corrupt_signature: bool,
    /// There is no signature.
    pub no_signature: bool,
    /// The content digest is damaged.
    pub corrupt_digest: bool,
    /// Signed so many seconds later.
    pub skew_s: i64,
    /// The nonce of the call before.
    pub reuse_nonce: bool,
    /// Signed with a key that nobody knows.
    pub other_key: bool,
    /// Headers that are left out.
    pub missing: Vec<String>,
}

/// One call of the API.
#[derive(Debug, Clone, Default)]
pub struct ApiCall {
    /// Method in capitals.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// JSON.
    pub body: Option<Vec<u8>>,
    /// Fresh unless given; empty sends none.
    pub idempotency_key: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// What is wrong with it.
    pub tamper: Tamper,
}

impl Api {
    /// A client of the gateway at `base`.
    pub fn new(http: Http, base: &str, name: &str, credentials: Credentials, clock: Clock) -> Self {
        Self {
            http,
            base: base.to_owned(),
            credentials,
            clock,
            name: name.to_owned(),
            calls: Cell::new(0),
            last_nonce: RefCell::default(),
            token: tokio::sync::Mutex::default(),
        }
    }

    fn key(&self, other: bool) -> Result<SigningKey, NoAnswer> {
        let secret = if other { &BASE64.encode(&[7; 32]) } else { &self.credentials.signing_key };
        SigningKey::from_base64(self.credentials.key_id.clone(), secret)
            .map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, reason: &str) -> NoAnswer {
        NoAnswer { url: self.base.clone(), reason: reason.to_owned() }
    }

    /// Callers that come together fetch it once.
    async fn token(&self) -> Result<String, NoAnswer> {
        let mut kept = self.token.lock().await;
        let now = self.clock.now();
        if let Some((token, until)) = kept.as_ref()
            && now < *until
        {
            return Ok(token.clone());
        }
        let pair = format!("{}:{}", self.credentials.client_id, self.credentials.client_secret);
        let basic = format!("Basic {}", BASE64.encode(pair.as_bytes()));
        let kind = "application/x-www-form-urlencoded".to_owned();
        let outgoing = Outgoing {
            method: "POST".to_owned(),
            url: format!("{}/api/oauth/token", self.base),
            headers: vec![("authorization".to_owned(), basic), ("content-type".to_owned(), kind)],
            body: b"grant_type=client_credentials".to_vec(),
        };
        let answer = self.http.send(outgoing).await?;
        let json = answer.json();
        let token = json.get("access_token").and_then(serde_json::Value::as_str);
        let token = token.ok_or_else(|| self.failed("the gateway gave no access token"))?;
        *kept = Some((token.to_owned(), now.plus(RENEW_AFTER)));
        Ok(token.to_owned())
    }

    /// A signed call; the signature of its answer is verified.
    pub async fn call(&self, call: ApiCall) -> Result<Answer, NoAnswer> {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let authority = self.base.trim_start_matches("http://");
        let target = RequestTarget { method: &call.method, authority, path, query };
        let number = self.calls.get().saturating_add(1);
        self.calls.set(number);
        let fresh = format!("{}-{number}", self.name);
        let idempotency_key = call.idempotency_key.clone().unwrap_or(fresh);
        let is_unsafe = call.method != "GET";
        let body = call.body.clone().unwrap_or_default();
        let content = RequestContent {
            body: &body,
            content_type: call.body.as_ref().map(|_| "application/json"),
            idempotency_key: (is_unsafe && !idempotency_key.is_empty())
                .then_some(idempotency_key.as_str()),
            trace_id: None,
        };
        let tamper = &call.tamper;
        let created = self.clock.now().seconds().saturating_add(tamper.skew_s);
        let expires = created.saturating_add(SIGNATURE_SECONDS);
        let nonce = self.nonce(number, tamper.reuse_nonce);
        let key = self.key(tamper.other_key)?;
        let times = SignatureTimes { created, expires };
        let signed = sign_request(&key, Wire::Api, &target, &content, times, &nonce);

        let mut headers = call.headers.clone();
        let mut header = |name: &str, value: String| headers.push((name.to_owned(), value));
        header("authorization", format!("Bearer {}", self.token().await?));
        if call.body.is_some() {
            header("content-type", "application/json".to_owned());
        }
        if let Some(key) = content.idempotency_key {
            header("idempotency-key", key.to_owned());
        }
        if let Some(digest) = &signed.content_digest {
            header("content-digest", damaged(digest, tamper.corrupt_digest));
        }
        if !tamper.no_signature {
            header("signature-input", signed.signature_input.clone());
            header("signature", damaged(&signed.signature, tamper.corrupt_signature));
        }
        headers.retain(|(name, _)| !tamper.missing.iter().any(|it| it.eq_ignore_ascii_case(name)));
        let url = format!("{}{}", self.base, call.path);
        let body = tamper.body.clone().unwrap_or(body);
        let outgoing = Outgoing { method: call.method.clone(), url, headers, body };
        let answer = self.http.send(outgoing).await?;
        // The answer to a tampered request is bound to another signature than ours.
        let tampered = *tamper != Tamper::default();
        if !tampered && answer.headers.contains_key("signature") {
            self.verify(&answer, &signed.binding(&target))?;
        } else if !tampered && answer.status < 300 {
            return Err(self.failed("the answer to a signed call is not signed"));
        }
        Ok(answer)
    }

    fn nonce(&self, number: u64, reuse: bool) -> String {
        let mut last = self.last_nonce.borrow_mut();
        if !reuse || last.is_empty() {
            *last = format!("{}-{number:020}", self.name);
        }
        last.clone()
    }

    fn verify(&self, answer: &Answer, binding: &RequestBinding) -> Result<(), NoAnswer> {
        let values = |name: &str| -> Vec<&str> {
            answer.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
        };
        let (input, signature) = (values("signature-input"), values("signature"));
        let digest = values("content-digest");
        let headers = ReceivedHeaders {
            signature_input: &input,
            signature: &signature,
            content_digest: &digest,
        };
        let content_type = answer.header("content-type");
        verify_response(
            &self.key(false)?,
            answer.status,
            (!content_type.is_empty()).then_some(content_type),
            &answer.body,
            &headers,
            binding,
            self.clock.now().seconds(),
        )
        .map_err(|refusal| {
            let reason = refusal.reason.as_str();
            self.failed(&format!("the signature of the answer was refused: {reason}"))
        })
    }
}

/// The last letter before the closing colon is another one.
fn damaged(value: &str, damage: bool) -> String {
    if !damage {
        return value.to_owned();
    }
    let mut letters: Vec<char> = value.chars().collect();
    if let Some(letter) = letters.iter_mut().rev().find(|letter| letter.is_ascii_alphanumeric()) {
        *letter = if *letter == 'A' { 'B' } else { 'A' };
    }
    letters.into_iter().collect()
}
