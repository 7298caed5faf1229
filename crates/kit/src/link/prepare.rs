//! Turns a call into the request that is sent: target, headers, signature.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use serde_json::{Map, Value};
use wire::signature::{
    RequestBinding, RequestContent, RequestTarget, SignatureTimes, SignedHeaders, SigningKey, Wire,
    sign_request,
};
use wire::time::Timestamp;

use super::{Call, Fabricate, LinkFailure, Signing};
use crate::facts::Facts;
use crate::faults::{Action, FaultPlan};
use crate::http::SIGNATURE_SECONDS;
use crate::plumbing::Plumbing;

/// A request that is ready to be sent, any number of times.
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) kind: &'static str,
    pub(super) answer_bytes_max: usize,
    pub(super) cut_answer: bool,
    pub(super) fabricate: Option<Fabricate>,
    /// What a signed answer is bound to; none when answers are not verified.
    pub(super) binding: Option<RequestBinding>,
}

/// What of a call is not sent.
pub(super) struct Remainder {
    pub(super) facts: Facts,
    pub(super) deadline: Duration,
    pub(super) at: Timestamp,
}

/// What all requests of a link have in common.
pub(super) struct Sender<'a> {
    pub(super) plumbing: &'a Plumbing,
    pub(super) scheme: &'static str,
    pub(super) authority: &'a str,
    pub(super) signing: &'a Signing,
    pub(super) agent: &'a HeaderValue,
}

impl Sender<'_> {
    pub(super) fn prepare(
        &self,
        mut call: Call,
        plan: &FaultPlan,
    ) -> Result<(Prepared, Remainder), LinkFailure> {
        let mut body = call.body.take().unwrap_or_default();
        if let Some(Action::AlterSigned(changes)) = &plan.damage {
            body = altered(&body, changes);
        }
        let trace = call.facts.trace;
        let mut headers = HeaderMap::with_capacity(16);
        let mut lines = Lines { headers: &mut headers, broken: None };
        self.add_headers(&mut lines, &call, !body.is_empty());
        let at = self.plumbing.clock.now();
        let binding = match self.signing {
            Signing::Already => {
                spoil_headers(&mut lines, plan);
                None
            }
            Signing::HttpSignature { key, wire } => {
                let target = RequestTarget {
                    method: call.method.as_str(),
                    authority: self.authority,
                    path: &call.path,
                    query: &call.query,
                };
                let hop = (*wire == Wire::MessageHop).then(|| trace.to_string());
                let content = RequestContent {
                    body: &body,
                    content_type: Some(call.content_type),
                    idempotency_key: call.idempotency_key.as_deref(),
                    trace_id: hop.as_deref(),
                };
                let signed = sign(self.plumbing, key, *wire, &target, &content, at, plan);
                if let Some(trace) = &hop {
                    lines.text(HeaderName::from_static("payrig-trace-id"), trace);
                }
                lines.signature(&signed);
                Some(signed.binding(&target))
            }
        };
        if let Some(reason) = lines.broken {
            return Err(LinkFailure::NotSent(reason));
        }
        let uri = self.uri(&call.path, &call.query)?;
        if let Some(Action::Alter(changes)) = &plan.damage {
            body = altered(&body, changes);
        }
        let prepared = Prepared {
            method: call.method,
            uri,
            path: call.path,
            query: call.query,
            headers,
            body,
            kind: call.facts.kind,
            answer_bytes_max: call.answer_bytes_max,
            cut_answer: call.cut_answer,
            fabricate: call.fabricate,
            binding,
        };
        Ok((prepared, Remainder { facts: call.facts, deadline: call.deadline, at }))
    }

    fn add_headers(&self, lines: &mut Lines<'_>, call: &Call, with_body: bool) {
        lines.text(header::HOST, self.authority);
        lines.value(header::USER_AGENT, self.agent.clone());
        if with_body {
            lines.value(header::CONTENT_TYPE, HeaderValue::from_static(call.content_type));
        }
        if let Some(key) = &call.idempotency_key {
            lines.text(HeaderName::from_static("idempotency-key"), key);
        }
        if let Some(token) = &call.bearer {
            lines.text(header::AUTHORIZATION, &format!("Bearer {token}"));
        }
        let span = self.plumbing.spans.bytes();
        lines.text(HeaderName::from_static("traceparent"), &call.facts.trace.traceparent(span));
        for (name, value) in &call.headers {
            lines.named(name, value);
        }
    }

    fn uri(&self, path: &str, query: &str) -> Result<Uri, LinkFailure> {
        let mark = if query.is_empty() { "" } else { "?" };
        let target = [path, mark, query].concat();
        Uri::builder()
            .scheme(self.scheme)
            .authority(self.authority)
            .path_and_query(target)
            .build()
            .map_err(|error| LinkFailure::NotSent(format!("the address cannot be sent: {error}")))
    }
}

/// Signs a request, wrongly when a fault says so.
pub(super) fn sign(
    plumbing: &Plumbing,
    key: &SigningKey,
    wire: Wire,
    target: &RequestTarget<'_>,
    content: &RequestContent<'_>,
    at: Timestamp,
    plan: &FaultPlan,
) -> SignedHeaders {
    let created = match &plan.damage {
        Some(Action::StaleTimestamp(age)) => at.minus(*age).seconds(),
        _ => at.seconds(),
    };
    let times = SignatureTimes { created, expires: created.saturating_add(SIGNATURE_SECONDS) };
    let nonce = plumbing.secrets.nonce();
    match &plan.damage {
        Some(Action::WrongKey) => {
            let wrong = SigningKey::new(key.key_id(), plumbing.secrets.bytes());
            sign_request(&wrong, wire, target, content, times, &nonce)
        }
        Some(Action::CorruptSignature) => {
            let mut signed = sign_request(key, wire, target, content, times, &nonce);
            signed.signature = corrupted(&signed.signature);
            signed
        }
        _ => sign_request(key, wire, target, content, times, &nonce),
    }
}

/// A JSON body with other values at dotted places, such as `body.amount`.
fn altered(body: &Bytes, changes: &Map<String, Value>) -> Bytes {
    let Ok(mut json) = serde_json::from_slice::<Value>(body) else { return body.clone() };
    for (place, value) in changes {
        let path = place.strip_prefix("body.").unwrap_or(place);
        let pointer: String = path.split('.').flat_map(|part| ["/", part]).collect();
        if let Some(found) = json.pointer_mut(&pointer) {
            found.clone_from(value);
        } else if let Some((parent, name)) = pointer.rsplit_once('/')
            && let Some(Value::Object(fields)) = json.pointer_mut(parent)
        {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    json.to_string().into()
}

/// Another character at the same place: still well formed, but wrong.
fn corrupted(signature: &str) -> String {
    let place = signature.find([':', ',']).map_or(0, |place| place.saturating_add(1));
    let other = |index: usize, it: char| match it {
        _ if index != place => it,
        'A' => 'B',
        _ => 'A',
    };
    signature.chars().enumerate().map(|(index, it)| other(index, it)).collect()
}

/// Damages the signature of a caller who signs himself: a webhook's.
fn spoil_headers(lines: &mut Lines<'_>, plan: &FaultPlan) {
    let name = HeaderName::from_static("webhook-signature");
    let time = HeaderName::from_static("webhook-timestamp");
    let current = |lines: &Lines<'_>, name: &HeaderName| {
        let value = lines.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    match &plan.damage {
        Some(Action::CorruptSignature | Action::WrongKey) => {
            if let Some(signature) = current(lines, &name) {
                let entries = signature.split(' ').map(corrupted);
                lines.text(name, &entries.collect::<Vec<_>>().join(" "));
            }
        }
        Some(Action::StaleTimestamp(age)) => {
            let seconds = current(lines, &time).and_then(|at| at.parse::<i64>().ok());
            if let Some(at) = seconds.map(Timestamp::from_seconds) {
                lines.text(time, &at.minus(*age).seconds().to_string());
            }
        }
        _ => {}
    }
}

struct Lines<'a> {
    headers: &'a mut HeaderMap,
    broken: Option<String>,
}

impl Lines<'_> {
    fn value(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    fn text(&mut self, name: HeaderName, value: &str) {
        match HeaderValue::from_str(value) {
            Ok(value) => self.value(name, value),
            Err(_) => self.broken = Some(format!("the header {name} cannot be sent")),
        }
    }

    fn named(&mut self, name: &str, value: &str) {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => self.text(name, value),
            Err(_) => self.broken = Some("a header name cannot be sent".to_owned()),
        }
    }

    fn signature(&mut self, signed: &SignedHeaders) {
        if let Some(digest) = &signed.content_digest {
            self.text(HeaderName::from_static("content-digest"), digest);
        }
        self.text(HeaderName::from_static("signature-input"), &signed.signature_input);
        self.text(HeaderName::from_static("signature"), &signed.signature);
    }
}
