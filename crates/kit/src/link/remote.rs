//! A link over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::HeaderValue;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use wire::signature::{ReceivedHeaders, RefusalReason, verify_response};

use super::deliver::{Delivered, Delivery, InTransit, send_with};
use super::outgoing::Outgoing;
use super::prepare::{Prepared, Sender};
use super::resolve::{AddressPolicy, PolicyResolver, check_literal};
use super::{Call, LinkError, LinkFailure, LinkName, Reply, Signing, UnknownCause};
use crate::facts::Facts;
use crate::http::AGENT_PREFIX;
use crate::plumbing::Plumbing;
use crate::wirelog::{Exchange, LoggedAnswer, LoggedRequest, Outcome, Side};

/// How long an unused connection is kept; shorter than our servers keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Unused connections kept per peer.
const IDLE_CONNECTIONS_MAX: usize = 256;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A directed connection to a peer; clones share it and its connections.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    name: LinkName,
    authority: String,
    signing: Signing,
    agent: HeaderValue,
    plumbing: Plumbing,
    client: Client<HttpConnector<PolicyResolver>, Outgoing>,
    abroad: bool,
}

impl Link {
    /// A link to `base_url`, for example `http://127.0.0.1:7072`. Opens nothing yet.
    pub fn new(
        name: LinkName,
        base_url: &str,
        signing: Signing,
        plumbing: &Plumbing,
    ) -> Result<Self, LinkError> {
        Self::guarded(name, base_url, signing, plumbing, AddressPolicy::everything())
    }

    /// A link that connects only to addresses that `policy` allows: judged on the address that is
    /// connected to, not on a name that may resolve otherwise the next time.
    pub fn guarded(
        name: LinkName,
        base_url: &str,
        signing: Signing,
        plumbing: &Plumbing,
        policy: AddressPolicy,
    ) -> Result<Self, LinkError> {
        let authority = authority_of(base_url)?;
        check_literal(&authority, &policy)?;
        plumbing.faults.register(name.0);
        let mut connector = HttpConnector::new_with_resolver(PolicyResolver::new(policy));
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .set_host(false)
            .build(connector);
        let agent = HeaderValue::from_str(&format!("{AGENT_PREFIX}{}", plumbing.program))
            .unwrap_or_else(|_| HeaderValue::from_static("payrig/unnamed"));
        Ok(Self(Arc::new(Inner {
            name,
            authority,
            signing,
            agent,
            plumbing: plumbing.clone(),
            client,
            abroad: false,
        })))
    }

    /// The same to a program that is not ours: it counts no messages and writes no wire log, so
    /// this end does both for it.
    pub fn abroad(self) -> Self {
        let Inner { name, authority, signing, agent, plumbing, client, .. } = &*self.0;
        Self(Arc::new(Inner {
            name: *name,
            authority: authority.clone(),
            signing: signing.clone(),
            agent: agent.clone(),
            plumbing: plumbing.clone(),
            client: client.clone(),
            abroad: true,
        }))
    }

    /// The name of the link.
    pub fn name(&self) -> LinkName {
        self.0.name
    }

    /// Host and port of the peer.
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    /// Sends one request and waits for its answer until the deadline.
    pub async fn send(&self, call: Call) -> Result<Reply, LinkFailure> {
        let inner = &*self.0;
        let plan = inner.plumbing.faults.decide(inner.name.0, &call.facts, &call.path);
        let sender = Sender {
            plumbing: &inner.plumbing,
            scheme: "http",
            authority: &inner.authority,
            signing: &inner.signing,
            agent: &inner.agent,
        };
        let (prepared, remainder) = sender.prepare(call, &plan)?;
        send_with(self.clone(), prepared, remainder, plan).await
    }
}

/// `http://host[:port]`, with nothing behind it but a slash.
fn authority_of(base_url: &str) -> Result<String, LinkError> {
    let refused = || LinkError::BaseUrl(base_url.to_owned());
    let uri: http::Uri = base_url.parse().map_err(|_| refused())?;
    let authority = uri.authority().ok_or_else(refused)?;
    let plain = uri.scheme_str() == Some("http")
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none()
        && !authority.as_str().contains('@');
    if !plain {
        return Err(refused());
    }
    let authority = authority.as_str().to_ascii_lowercase();
    Ok(authority.strip_suffix(":80").map(str::to_owned).unwrap_or(authority))
}

impl Delivery for Link {
    fn plumbing(&self) -> &Plumbing {
        &self.0.plumbing
    }

    fn name(&self) -> &'static str {
        self.0.name.0
    }

    fn authority(&self) -> &str {
        &self.0.authority
    }

    async fn deliver(&self, prepared: &Prepared) -> Delivered {
        let activity = &self.0.plumbing.activity;
        let in_transit = Some(if self.0.abroad {
            InTransit::Abroad(activity.sent_abroad())
        } else {
            InTransit::Message(activity.message_sent())
        });
        let (parts, body) = match self.exchange(prepared).await {
            Ok(answer) => answer,
            Err(failure) => return Delivered { in_transit, ..Delivered::failed(failure) },
        };
        let reply = Reply { status: parts.status.as_u16(), headers: parts.headers, body };
        if self.0.abroad {
            self.log_arrival(prepared, &reply);
        }
        let verdict = self.verify(prepared, &reply);
        Delivered { answer_verdict: verdict, in_transit, ..Delivered::answered(reply) }
    }
}

impl Link {
    async fn exchange(
        &self,
        prepared: &Prepared,
    ) -> Result<(http::response::Parts, Bytes), LinkFailure> {
        let crash_points = &self.0.plumbing.crash_points;
        let body = Outgoing::new(prepared.body.clone(), crash_points, prepared.kind);
        let mut request = Request::new(body);
        *request.method_mut() = prepared.method.clone();
        *request.uri_mut() = prepared.uri.clone();
        *request.headers_mut() = prepared.headers.clone();
        let response = self.0.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                LinkFailure::NotSent(root_cause(&error))
            } else {
                LinkFailure::Unknown(UnknownCause::Reset)
            }
        })?;
        let (parts, body) = response.into_parts();
        if prepared.cut_answer {
            return Ok((parts, read_beginning(body, prepared.answer_bytes_max).await));
        }
        let body = Limited::new(body, prepared.answer_bytes_max).collect().await;
        let body = body.map_err(|error| {
            let too_large = error.is::<LengthLimitError>();
            LinkFailure::Unknown(if too_large {
                UnknownCause::TooLarge
            } else {
                UnknownCause::Truncated
            })
        })?;
        Ok((parts, body.to_bytes()))
    }

    /// Writes down for a stranger that a message arrived there.
    fn log_arrival(&self, prepared: &Prepared, reply: &Reply) {
        let plumbing = &self.0.plumbing;
        let now = plumbing.clock.now();
        plumbing.wire_log.record(Exchange {
            link: self.0.name.0,
            side: Side::Receiver,
            at: now,
            facts: Facts { kind: prepared.kind, ..Facts::default() },
            request: LoggedRequest {
                method: prepared.method.as_str(),
                authority: &self.0.authority,
                path: &prepared.path,
                query: &prepared.query,
                headers: &prepared.headers,
                body: &prepared.body,
            },
            answer: Some(LoggedAnswer {
                at: now,
                status: reply.status,
                headers: &reply.headers,
                body: &reply.body,
            }),
            outcome: Outcome::Answered,
            fault: None,
            request_verdict: None,
            answer_verdict: None,
            duration: Duration::ZERO,
        });
    }

    /// Checks the answer's signature, where the link has one; the reason when it is refused.
    fn verify(&self, prepared: &Prepared, reply: &Reply) -> Option<Result<(), RefusalReason>> {
        let Signing::HttpSignature { key, .. } = &self.0.signing else { return None };
        let binding = prepared.binding.as_ref()?;
        let input = lines(&reply.headers, "signature-input");
        let signature = lines(&reply.headers, "signature");
        let digest = lines(&reply.headers, "content-digest");
        let headers = ReceivedHeaders {
            signature_input: &input,
            signature: &signature,
            content_digest: &digest,
        };
        let content_type = reply.header("content-type");
        let now = self.0.plumbing.clock.now().seconds();
        let verified =
            verify_response(key, reply.status, content_type, &reply.body, &headers, binding, now);
        Some(verified.map_err(|refusal| refusal.reason))
    }
}

/// Reads an answer up to a size, or to where it breaks off; dropping the rest closes the
/// connection.
async fn read_beginning(mut body: Incoming, bytes_max: usize) -> Bytes {
    let mut read = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        let room = bytes_max.saturating_sub(read.len());
        read.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() >= room {
            break;
        }
    }
    read.freeze()
}

fn lines<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect()
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
