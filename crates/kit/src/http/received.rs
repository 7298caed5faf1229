//! A request as it came over the wire, before anything is believed.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;

use super::exchange::with_state;
use super::{BODY_BYTES_MAX, BODY_TIMEOUT, Problem};
use crate::clock;
use crate::facts::TraceId;

/// Headers that decide something and so may stand only once.
const SINGLE_HEADERS: [&str; 9] = [
    "host",
    "authorization",
    "content-type",
    "content-length",
    "idempotency-key",
    "payrig-trace-id",
    "traceparent",
    "sandbox-key",
    "cookie",
];

/// A request with its body, taken as sent: nothing is decoded or normalised.
///
/// An extractor; refuses bodies over [`BODY_BYTES_MAX`], content codings and doubled headers.
#[derive(Clone)]
pub struct ReceivedRequest {
    /// The method.
    pub method: Method,
    /// The `Host` header in lower case, with its port.
    pub authority: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The body as sent.
    pub body: Bytes,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// `Idempotency-Key` as sent.
    pub idempotency_key: Option<String>,
    /// The operation: from `Payrig-Trace-Id` or `traceparent`, else new.
    pub trace: TraceId,
    /// The socket's peer, IPv4 where it is mapped.
    pub peer: IpAddr,
    /// The id of this request, `req_…`.
    pub request_id: String,
    http: HttpRequest,
}

impl ReceivedRequest {
    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        self.http.headers()
    }

    /// The only value of a header; none when it is missing, doubled or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.http.headers().get_all(name);
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// Every value of a header; those that are not ASCII read as empty.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let values = self.http.headers().get_all(name);
        values.map(|value| value.to_str().unwrap_or_default()).collect()
    }

    /// The token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    /// The request as the server knows it, for its extensions and path parameters.
    pub const fn http(&self) -> &HttpRequest {
        &self.http
    }
}

impl std::fmt::Debug for ReceivedRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ReceivedRequest({} {} {})", self.method, self.path, self.request_id)
    }
}

impl FromRequest for ReceivedRequest {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            check_headers(request.headers())?;
            let body =
                clock::real_timeout(BODY_TIMEOUT, read_body(payload)).await.map_err(|_| {
                    Problem::new(408, "body_timeout", "the body did not arrive in time")
                })??;
            receive(request, body)
        })
    }
}

fn receive(request: HttpRequest, body: Bytes) -> Result<ReceivedRequest, Problem> {
    let (trace, request_id) = with_state(&request, |state| {
        state.body = Some(body.clone());
        (state.trace, state.request_id.clone())
    })
    .ok_or_else(|| Problem::internal("the server was not set up by kit::http::serve"))?;
    let text = |name: HeaderName| match request.headers().get(&name) {
        None => Ok(None),
        Some(value) => value.to_str().map(|value| Some(value.to_owned())).map_err(|_| {
            Problem::new(400, "header_invalid", "a header holds more than visible ASCII")
                .param(name.as_str().to_owned())
        }),
    };
    let authority = text(header::HOST)?.unwrap_or_default().to_ascii_lowercase();
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    Ok(ReceivedRequest {
        method: request.method().clone(),
        authority,
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        body,
        content_type: text(header::CONTENT_TYPE)?,
        idempotency_key: text(HeaderName::from_static("idempotency-key"))?,
        trace,
        peer: peer.to_canonical(),
        request_id,
        http: request,
    })
}

fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "content codings are not accepted: send the body as it is";
        return Err(
            Problem::new(415, "content_encoding_unsupported", detail).param("content-encoding")
        );
    }
    for name in SINGLE_HEADERS {
        if headers.get_all(name).nth(1).is_some() {
            let detail = "this header may stand only once";
            return Err(Problem::new(400, "header_duplicate", detail).param(name));
        }
    }
    Ok(())
}

async fn read_body(mut payload: Payload) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(413, "body_too_large", "a body has at most 65,536 bytes")
            .header("connection", "close")
    };
    let broken = |_| Problem::new(400, "body_incomplete", "the body broke off");
    let Some(first) = payload.next().await.transpose().map_err(broken)? else {
        return Ok(Bytes::new());
    };
    if first.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let Some(second) = payload.next().await.transpose().map_err(broken)? else {
        return Ok(first);
    };
    let mut body = BytesMut::from(first);
    let mut chunk = second;
    loop {
        if body.len().saturating_add(chunk.len()) > BODY_BYTES_MAX {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
        match payload.next().await.transpose().map_err(broken)? {
            Some(next) => chunk = next,
            None => return Ok(body.freeze()),
        }
    }
}

/// The id of a request, for pages that show it.
pub fn request_id(request: &HttpRequest) -> String {
    with_state(request, |state| state.request_id.clone()).unwrap_or_default()
}

/// The operation a request belongs to.
pub fn trace_id(request: &HttpRequest) -> TraceId {
    with_state(request, |state| state.trace).unwrap_or_default()
}
