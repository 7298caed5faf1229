//! A client of the gateway's API that signs like any merchant would, and can be made to err.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use data_encoding::BASE64;
use payrig::keys::Client as Credentials;
use serde_json::Value;
use wire::signature::{
    ReceivedHeaders, RequestContent, RequestTarget, SignatureTimes, SigningKey, Wire, sign_request,
    verify_response,
};
use wire::time::Timestamp;

use crate::http::{Answer, Http};

/// How long an access token is used; it is good for a little longer.
const RENEW_AFTER: Duration = Duration::from_secs(800);

/// A merchant's client.
#[derive(Clone)]
pub struct Api {
    http: Http,
    base: String,
    credentials: Credentials,
    clock: kit::clock::Clock,
    /// Keeps nonces and keys apart from those of other clients with the same credentials.
    name: Arc<str>,
    counter: Arc<AtomicU64>,
    token: Arc<tokio::sync::Mutex<Option<(String, Timestamp)>>>,
}

/// What a call does differently from a correct one.
#[derive(Clone, Default)]
pub struct Change {
    /// Another idempotency key than a fresh one; `Some("")` sends none.
    pub idempotency_key: Option<String>,
    /// Another bearer token; `Some("")` sends none.
    pub bearer: Option<String>,
    /// Signs with this key.
    pub key: Option<SigningKey>,
    /// Moves the signature's times by seconds.
    pub skew_s: i64,
    /// Uses this nonce.
    pub nonce: Option<String>,
    /// Sends these bytes, though others were signed.
    pub sent_body: Option<Vec<u8>>,
    /// Sends no signature.
    pub unsigned: bool,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

impl Api {
    /// A client of the gateway at `base` (without `/api`).
    pub fn new(http: Http, base: &str, credentials: Credentials, clock: kit::clock::Clock) -> Self {
        Self {
            http,
            base: base.to_owned(),
            credentials,
            clock,
            name: kit::random::Secrets::system().token("", 9).into(),
            counter: Arc::new(AtomicU64::new(1)),
            token: Arc::default(),
        }
    }

    /// The client's credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The client's signing key.
    pub fn key(&self) -> SigningKey {
        SigningKey::from_base64(&self.credentials.key_id, &self.credentials.signing_key).unwrap()
    }

    /// An access token, kept while it is good.
    pub async fn token(&self) -> String {
        self.try_token().await.unwrap()
    }

    async fn try_token(&self) -> anyhow::Result<String> {
        let mut token = self.token.lock().await;
        let now = self.clock.now();
        if let Some((token, until)) = token.as_ref()
            && now < *until
        {
            return Ok(token.clone());
        }
        let answer = self.try_request_token("grant_type=client_credentials").await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.text());
        let fresh = answer.json()["access_token"].as_str().unwrap().to_owned();
        *token = Some((fresh.clone(), now.plus(RENEW_AFTER)));
        Ok(fresh)
    }

    /// Forgets the access token, for example after it expired.
    pub async fn forget_token(&self) {
        *self.token.lock().await = None;
    }

    /// A call of the token endpoint with a body of one's own.
    pub async fn request_token(&self, form: &str) -> Answer {
        self.try_request_token(form).await.unwrap()
    }

    async fn try_request_token(&self, form: &str) -> anyhow::Result<Answer> {
        let pair = format!("{}:{}", self.credentials.client_id, self.credentials.client_secret);
        let basic = format!("Basic {}", BASE64.encode(pair.as_bytes()));
        let headers = [
            ("authorization", basic.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let url = format!("{}/api/oauth/token", self.base);
        self.http.try_send("POST", &url, &headers, form.to_owned()).await
    }

    /// A correct `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None, Change::default()).await
    }

    /// A correct `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body.to_string().into_bytes()), Change::default()).await
    }

    /// A `POST` under an idempotency key.
    pub async fn post_with_key(&self, path: &str, body: Value, key: &str) -> Answer {
        let change = Change { idempotency_key: Some(key.to_owned()), ..Change::default() };
        self.call("POST", path, Some(body.to_string().into_bytes()), change).await
    }

    /// A call of `/api{path}`, signed, with changes; the answer's signature is verified when it has
    /// one.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        change: Change,
    ) -> Answer {
        self.try_call(method, path, body, change).await.unwrap()
    }

    /// A call that nobody may answer.
    pub async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        change: Change,
    ) -> anyhow::Result<Answer> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let full_path = format!("/api{path}");
        let authority = self.base.trim_start_matches("http://").to_owned();
        let target = RequestTarget { method, authority: &authority, path: &full_path, query };
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let idempotency =
            change.idempotency_key.clone().unwrap_or_else(|| format!("{}-{number}", self.name));
        let unsafe_call = method != "GET";
        let signed_body = body.clone().unwrap_or_default();
        let content = RequestContent {
            body: &signed_body,
            content_type: body.as_ref().map(|_| "application/json"),
            idempotency_key: (unsafe_call && !idempotency.is_empty()).then_some(&*idempotency),
            trace_id: None,
        };
        let now = self.clock.now().seconds() + change.skew_s;
        let times = SignatureTimes { created: now, expires: now + 60 };
        let nonce = change.nonce.clone().unwrap_or_else(|| format!("{}-{number:020}", self.name));
        let key = change.key.clone().unwrap_or_else(|| self.key());
        let signed = sign_request(&key, Wire::Api, &target, &content, times, &nonce);

        let bearer = match &change.bearer {
            Some(bearer) => bearer.clone(),
            None => self.try_token().await?,
        };
        let mut headers: Vec<(String, String)> = change.headers.clone();
        if !bearer.is_empty() {
            headers.push(("authorization".into(), format!("Bearer {bearer}")));
        }
        if body.is_some() {
            headers.push(("content-type".into(), "application/json".into()));
        }
        if let Some(key) = content.idempotency_key {
            headers.push(("idempotency-key".into(), key.to_owned()));
        }
        if !change.unsigned {
            if let Some(digest) = &signed.content_digest {
                headers.push(("content-digest".into(), digest.clone()));
            }
            headers.push(("signature-input".into(), signed.signature_input.clone()));
            headers.push(("signature".into(), signed.signature.clone()));
        }
        let pairs: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let url = if query.is_empty() {
            format!("{}{full_path}", self.base)
        } else {
            format!("{}{full_path}?{query}", self.base)
        };
        let sent = change.sent_body.clone().unwrap_or(signed_body.clone());
        let answer = self.http.try_send(method, &url, &pairs, sent).await?;
        if !change.unsigned && answer.headers.contains_key("signature") {
            self.verify(&self.key(), &answer, &signed.binding(&target));
        } else if !change.unsigned && answer.status < 300 {
            panic!("the answer to a signed call is not signed: {}", answer.text());
        }
        Ok(answer)
    }

    fn verify(&self, key: &SigningKey, answer: &Answer, binding: &wire::signature::RequestBinding) {
        let values = |name: &str| -> Vec<String> {
            answer
                .headers
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap().to_owned())
                .collect()
        };
        let (input, signature, digest) =
            (values("signature-input"), values("signature"), values("content-digest"));
        let headers = ReceivedHeaders {
            signature_input: &texts(&input),
            signature: &texts(&signature),
            content_digest: &texts(&digest),
        };
        let content_type = answer.header("content-type");
        verify_response(
            key,
            answer.status,
            (!content_type.is_empty()).then_some(&*content_type),
            &answer.body,
            &headers,
            binding,
            self.clock.now().seconds(),
        )
        .unwrap_or_else(|refusal| panic!("answer refused: {refusal:?}\n{}", answer.text()));
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
