//! A plain HTTP client: what any program outside would use.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kit::activity::Activity;
use kit::http::AGENT_PREFIX;
use serde_json::Value;

/// Sends requests, follows nothing, remembers nothing.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Where its requests are counted, if a world waits for them.
    counted: Option<Activity>,
}

/// What came back.
#[derive(Clone, Debug)]
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

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// One header as text; empty when absent.
    pub fn header(&self, name: &str) -> String {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default()
    }

    /// `status code` of a problem, or `status` alone: what most tests assert.
    pub fn summary(&self) -> String {
        let body = self.json();
        let mut text = self.status.to_string();
        for key in ["code", "reason", "param"] {
            if let Some(word) = body.get(key).and_then(Value::as_str) {
                text.push(' ');
                text.push_str(word);
            }
        }
        text
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), counted: None }
    }
}

impl Http {
    /// A client whose requests a world knows of: it comes to rest only after they have arrived.
    pub fn counted(activity: Activity) -> Self {
        Self { counted: Some(activity), ..Self::default() }
    }

    /// Sends one request.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.try_send(method, url, headers, body).await.unwrap()
    }

    /// Sends one request that may find nobody.
    pub async fn try_send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes())?).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // The control plane asks about activity and is none itself.
        let counted = self.counted.as_ref().filter(|_| !url.contains("/_sandbox/"));
        let _on_its_way = counted.map(Activity::message_sent);
        if counted.is_some() {
            request = request.header("user-agent", format!("{AGENT_PREFIX}tests"));
        }
        let answer = self.client.request(request.body(Full::new(body.into()))?).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// `GET` without headers.
    pub async fn get(&self, url: &str) -> Answer {
        self.send("GET", url, &[], "").await
    }
}
