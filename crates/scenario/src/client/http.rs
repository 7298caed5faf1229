//! A plain HTTP client whose requests the world knows of.

use std::fmt::Write;

use ::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kit::activity::Activity;
use kit::gate::Gate;
use kit::http::AGENT_PREFIX;
use serde_json::{Map, Value};

/// Largest answer that is read: a wire log may be long.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Paths about a program, whose requests it does not count.
const UNCOUNTED: [&str; 4] = ["/_sandbox", "/healthz", "/metrics", "/assets/"];

/// Whether a request is about a program, and so not part of what happens in the world.
pub(crate) fn is_uncounted(path: &str) -> bool {
    UNCOUNTED.iter().any(|start| path.starts_with(start))
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no answer from {url}: {reason}")]
pub struct NoAnswer {
    /// What was asked.
    pub url: String,
    /// What went wrong.
    pub reason: String,
}

/// Sends requests, follows nothing, remembers nothing.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    activity: Activity,
    gate: Gate,
    /// The address of a program that is not ours.
    abroad: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body bytes.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, else as text.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| self.text().into())
    }

    /// One header as text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// All headers, names in lower case.
    pub fn headers_json(&self) -> Value {
        let text = |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
        let pairs = self.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        Value::Object(pairs.collect::<Map<String, Value>>())
    }
}

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Method in capitals.
    pub method: String,
    /// Whole address.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Http {
    /// A client that counts its requests there, and waits at this gate with them.
    pub fn new(activity: Activity, gate: Gate) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            activity,
            gate,
            abroad: None,
        }
    }

    /// What goes to this address is counted as sent to a program that is not ours.
    pub fn abroad(self, address: Option<String>) -> Self {
        Self { abroad: address, ..self }
    }

    fn is_abroad(&self, url: &str) -> bool {
        let rest = self.abroad.as_ref().and_then(|base| url.strip_prefix(base.as_str()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    }

    /// Sends one request and reads the answer.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Answer, NoAnswer> {
        let url = outgoing.url.clone();
        self.exchange(outgoing).await.map_err(|reason| NoAnswer { url, reason })
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Answer, String> {
        let method = Method::from_bytes(outgoing.method.as_bytes()).map_err(said)?;
        let uri: ::http::Uri = outgoing.url.parse().map_err(said)?;
        let abroad = self.is_abroad(&outgoing.url);
        let counted = !abroad && !is_uncounted(uri.path());
        let path = uri.path().to_owned();
        let mut request = Request::builder()
            .method(method.clone())
            .uri(uri)
            .header("user-agent", format!("{AGENT_PREFIX}scenario"));
        for (name, value) in &outgoing.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(outgoing.body.into())).map_err(said)?;
        self.gate.pass(false, || format!("scenario {method} {path}")).await;
        let _on_its_way = counted.then(|| self.activity.message_sent());
        // Whoever waits for rest waits for what is asked and changed by hand too.
        let _asking = (!counted && !abroad).then(|| self.activity.enter());
        let _abroad = abroad.then(|| self.activity.sent_abroad());
        let answer = self.client.request(request).await.map_err(said)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Form encoding.
pub fn encode_form(fields: &[(String, String)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut all, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    all.push(char::from(byte));
                }
                b' ' => all.push('+'),
                _ => {
                    write!(all, "%{byte:02X}").ok();
                }
            }
            all
        })
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}
