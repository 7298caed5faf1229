//! A link between two roles inside one program: the same envelope, faults and log, without HTTP.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use wire::signature::{
    KeyLookup, ReceivedHeaders, Refusal, RequestContent, RequestTarget, SignatureTimes,
    SignedHeaders, SigningKey, VerifiedSignature, Wire, verify_request, verify_response,
};

use super::deliver::{Delivered, Delivery, InTransit, send_with};
use super::prepare::{Prepared, Remainder, Sender};
use super::{Call, LinkFailure, LinkName, Reply, Signing};
use crate::crash_points::Boundary;
use crate::facts::TraceId;
use crate::faults::FaultPlan;
use crate::http::SIGNATURE_SECONDS;
use crate::plumbing::Plumbing;

/// A directed connection to another role of the same program; clones share it.
#[derive(Clone)]
pub struct LocalLink(Arc<Inner>);

struct Inner {
    name: LinkName,
    authority: String,
    key: Arc<SigningKey>,
    signing: Signing,
    agent: HeaderValue,
    plumbing: Plumbing,
}

/// A message whose signature was verified over the received bytes.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    /// The target path.
    pub path: String,
    /// The body.
    pub body: Bytes,
    /// The operation.
    pub trace: TraceId,
}

/// What a role answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAnswer {
    /// HTTP status: 200 when a business answer exists, approval or decline.
    pub status: u16,
    /// JSON.
    pub body: Bytes,
}

impl LocalLink {
    /// A link to a role, whose name stands for host and port.
    pub fn new(
        name: LinkName,
        authority: impl Into<String>,
        key: Arc<SigningKey>,
        plumbing: &Plumbing,
    ) -> Self {
        plumbing.faults.register(name.0);
        let signing = Signing::HttpSignature { key: key.clone(), wire: Wire::MessageHop };
        Self(Arc::new(Inner {
            name,
            authority: authority.into(),
            key,
            signing,
            agent: HeaderValue::from_static("payrig/role"),
            plumbing: plumbing.clone(),
        }))
    }

    /// The name of the link.
    pub fn name(&self) -> LinkName {
        self.0.name
    }

    /// Sends one message to the role that `receive` is, and waits for its answer until the
    /// deadline. Once the role has begun it finishes, whether or not the sender still waits.
    pub async fn send<H, F>(&self, call: Call, receive: H) -> Result<Reply, LinkFailure>
    where
        H: Fn(ReceivedMessage) -> F + Send + Sync + 'static,
        F: Future<Output = LocalAnswer> + Send + 'static,
    {
        let trace = call.facts.trace;
        let plan = self.0.plumbing.faults.decide(self.0.name.0, &call.facts, &call.path);
        // Nothing borrowed may live across the await: the compiler could not prove it `Send`.
        let (prepared, remainder) = self.0.prepare(call, &plan)?;
        let receive: Receive = Arc::new(move |message| Box::pin(receive(message)));
        let role = Role { link: self.clone(), receive, trace };
        send_with(role, prepared, remainder, plan).await
    }
}

/// A role's way to take a message, whatever it is made of.
type Receive = Arc<dyn Fn(ReceivedMessage) -> Working + Send + Sync>;

/// A role that works on a message.
type Working = Pin<Box<dyn Future<Output = LocalAnswer> + Send>>;

/// The receiving role of one message.
#[derive(Clone)]
struct Role {
    link: LocalLink,
    receive: Receive,
    trace: TraceId,
}

impl Delivery for Role {
    fn plumbing(&self) -> &Plumbing {
        &self.link.0.plumbing
    }

    fn name(&self) -> &'static str {
        self.link.0.name.0
    }

    fn authority(&self) -> &str {
        &self.link.0.authority
    }

    async fn deliver(&self, prepared: &Prepared) -> Delivered {
        let inner = &*self.link.0;
        inner.plumbing.crash_points.reached(prepared.kind, Boundary::Sent);
        if let Err(refusal) = inner.verify_request(prepared) {
            return inner.refused(prepared, &refusal);
        }
        let message = ReceivedMessage {
            path: prepared.path.clone(),
            body: prepared.body.clone(),
            trace: self.trace,
        };
        let (activity, receive) = (inner.plumbing.activity.clone(), self.receive.clone());
        let counted = activity.clone();
        let work = activity.track(async move {
            let answer = receive(message).await;
            (answer, InTransit::Work(counted.enter()))
        });
        let (answer, in_transit) = Unstoppable(Some(Box::pin(work))).await;
        let delivered = inner.sign_and_verify(prepared, &answer);
        Delivered { request_verdict: Some("ok"), in_transit: Some(in_transit), ..delivered }
    }
}

impl Inner {
    fn prepare(&self, call: Call, plan: &FaultPlan) -> Result<(Prepared, Remainder), LinkFailure> {
        let sender = Sender {
            plumbing: &self.plumbing,
            scheme: "http",
            authority: &self.authority,
            signing: &self.signing,
            agent: &self.agent,
        };
        sender.prepare(call, plan)
    }

    fn verify_request(&self, prepared: &Prepared) -> Result<VerifiedSignature, Refusal> {
        let content = RequestContent {
            body: &prepared.body,
            content_type: text(&prepared.headers, "content-type"),
            idempotency_key: None,
            trace_id: text(&prepared.headers, "payrig-trace-id"),
        };
        let received = Received::of(&prepared.headers);
        let now = self.plumbing.clock.now().seconds();
        let lookup = |id: &str| {
            if id == self.key.key_id() { KeyLookup::Known(&self.key) } else { KeyLookup::Unknown }
        };
        let target = self.target(prepared);
        verify_request(lookup, Wire::MessageHop, &target, &content, &received.headers(), now)
    }

    fn target<'a>(&'a self, prepared: &'a Prepared) -> RequestTarget<'a> {
        RequestTarget {
            method: prepared.method.as_str(),
            authority: &self.authority,
            path: &prepared.path,
            query: &prepared.query,
        }
    }

    /// The answer of a role that did not believe the message: nothing was done.
    fn refused(&self, prepared: &Prepared, refusal: &Refusal) -> Delivered {
        let body = serde_json::json!({
            "code": "signature_invalid", "status": 401, "reason": refusal.reason.as_str(),
        });
        let answer = LocalAnswer { status: refusal.reason.status(), body: body.to_string().into() };
        let mut delivered = self.sign_and_verify(prepared, &answer);
        delivered.request_verdict = Some(refusal.reason.as_str());
        delivered
    }

    /// Signs as the receiver, then verifies as the sender.
    fn sign_and_verify(&self, prepared: &Prepared, answer: &LocalAnswer) -> Delivered {
        let Some(binding) = &prepared.binding else {
            let reply = Reply::fabricated(answer.status, answer.body.clone());
            return Delivered::answered(reply);
        };
        let created = self.plumbing.clock.now().seconds();
        let times = SignatureTimes { created, expires: created.saturating_add(SIGNATURE_SECONDS) };
        let kind = (!answer.body.is_empty()).then_some("application/json");
        let nonce = self.plumbing.secrets.nonce();
        let key = self.key.response_key();
        let signed = key.sign(answer.status, kind, &answer.body, binding, times, &nonce);
        let headers = answer_headers(kind, &signed);
        let received = Received::of(&headers);
        let verified = verify_response(
            &self.key,
            answer.status,
            kind,
            &answer.body,
            &received.headers(),
            binding,
            created,
        );
        let reply = Reply { status: answer.status, body: answer.body.clone(), headers };
        let verdict = verified.map_err(|refusal| refusal.reason);
        Delivered { answer_verdict: Some(verdict), ..Delivered::answered(reply) }
    }
}

fn answer_headers(kind: Option<&'static str>, signed: &SignedHeaders) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if let Some(kind) = kind {
        add(header::CONTENT_TYPE, kind);
    }
    add(HeaderName::from_static("content-digest"), signed.content_digest.as_deref().unwrap_or(""));
    add(HeaderName::from_static("signature-input"), &signed.signature_input);
    add(HeaderName::from_static("signature"), &signed.signature);
    headers
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The signature headers of a message, each of which our own senders set once.
struct Received<'h> {
    input: Option<&'h str>,
    signature: Option<&'h str>,
    digest: Option<&'h str>,
}

impl<'h> Received<'h> {
    fn of(headers: &'h HeaderMap) -> Self {
        Self {
            input: text(headers, "signature-input"),
            signature: text(headers, "signature"),
            digest: text(headers, "content-digest"),
        }
    }

    fn headers(&self) -> ReceivedHeaders<'_> {
        ReceivedHeaders {
            signature_input: self.input.as_slice(),
            signature: self.signature.as_slice(),
            content_digest: self.digest.as_slice(),
        }
    }
}

/// Work that goes on in the background when the one who waits for it goes away.
struct Unstoppable<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send> Future for Unstoppable<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.0.as_mut() else { return Poll::Pending };
        let answer = std::task::ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(answer)
    }
}

impl<T: Send> Drop for Unstoppable<T> {
    fn drop(&mut self) {
        // Without a runtime the program is ending, as in a crash.
        if let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}
