//! The load: payers that pay one after the other, each on a connection of its own.
//!
//! It shares two cores with what it measures, so it does as little as it can: plain HTTP/1
//! connections, one thread, bodies put together from fixed parts.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{HeaderName, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use kit::clock::Clock;
use kit::random::{Random, Secrets};
use tokio::net::TcpStream;
use wire::signature::{
    ReceivedHeaders, RequestBinding, RequestContent, RequestTarget, SignatureTimes, SigningKey,
    Wire, sign_request, verify_response,
};

use crate::keys::{Client, World};
use crate::program::{Addresses, Program};

/// The cards that pay: approved, of different networks, with room for millions of payments.
const CARDS: [&str; 4] =
    ["4242424242424242", "5555555555554444", "4000010000000001", "5200010000000006"];
/// Minor units of one payment: small, so that no account runs dry.
const AMOUNT: &str = "100";
/// How many different problems are kept for the report.
const PROBLEMS_MAX: usize = 8;
const SIGNATURE_SECONDS: i64 = 60;
const JSON: &str = "application/json";

/// Who pays, and where.
#[derive(Clone)]
pub(super) struct Payer {
    authority: String,
    port: u16,
    publishable: String,
    bearer: String,
    key: Rc<SigningKey>,
    clock: Clock,
    random: Random,
    two_step: bool,
    /// Tokens that were made beforehand.
    tokens: Rc<RefCell<Vec<String>>>,
}

/// What came of the load so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Microseconds from the first byte of the first call to the last answer, per payment.
    pub latencies: Vec<u32>,
    /// Payments that were not captured at once, and why.
    pub problems: Vec<String>,
    /// How many of them.
    pub problem_count: u64,
}

impl Tally {
    fn problem(&mut self, text: String) {
        self.problem_count = self.problem_count.saturating_add(1);
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }
}

/// Why a payment could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// No connection.
    #[error("cannot connect to the gateway: {0}")]
    Connect(std::io::Error),
    /// The connection broke.
    #[error("the connection to the gateway broke: {0}")]
    Http(#[from] hyper::Error),
    /// A header could not be built.
    #[error("a request could not be built: {0}")]
    Request(#[from] http::Error),
    /// The gateway said something else than expected.
    #[error("{call} was answered {status}: {body}")]
    Answer {
        /// Which call.
        call: &'static str,
        /// Status of the answer.
        status: u16,
        /// Beginning of its body.
        body: String,
    },
    /// An answer was not signed as it should be.
    #[error("the answer's signature was refused: {0}")]
    Signature(&'static str),
    /// The payment did not end as expected.
    #[error("the payment is `{0}` instead of `captured`")]
    Status(String),
    /// The signing key in the key file cannot be read.
    #[error("the signing key of the client cannot be read")]
    Key,
}

/// One connection to the gateway.
struct Connection(SendRequest<Full<Bytes>>);

/// One answer, read to its end.
struct Answer {
    head: http::response::Parts,
    body: Bytes,
}

impl Payer {
    /// Fetches an access token for the client and prepares everything that stays the same.
    pub async fn new(
        world: &World,
        client: &Client,
        addresses: Addresses,
        clock: &Clock,
        two_step: bool,
    ) -> Result<Self, LoadError> {
        let key = SigningKey::from_base64(client.key_id.clone(), &client.signing_key)
            .map_err(|_| LoadError::Key)?;
        let port = addresses.port(Program::Gateway);
        let mut payer = Self {
            authority: format!("127.0.0.1:{port}"),
            port,
            publishable: format!("Bearer {}", world.publishable_key),
            bearer: String::new(),
            key: Rc::new(key),
            clock: clock.clone(),
            random: Random::seeded(u64::from_be_bytes(Secrets::system().bytes())),
            two_step,
            tokens: Rc::default(),
        };
        payer.bearer = format!("Bearer {}", payer.access_token(client).await?);
        Ok(payer)
    }

    async fn access_token(&self, client: &Client) -> Result<String, LoadError> {
        let mut connection = self.connect().await?;
        let basic =
            BASE64.encode(format!("{}:{}", client.client_id, client.client_secret).as_bytes());
        let request = self
            .request(Method::POST, "/api/oauth/token")
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from("grant_type=client_credentials"))?;
        let answer = connection.send(request).await?.expect("POST /api/oauth/token", 200)?;
        Ok(text_after(&answer.body, b"\"access_token\":\"").to_owned())
    }

    async fn connect(&self) -> Result<Connection, LoadError> {
        let stream =
            TcpStream::connect(("127.0.0.1", self.port)).await.map_err(LoadError::Connect)?;
        stream.set_nodelay(true).map_err(LoadError::Connect)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(async move {
            // The sender learns about a broken connection with its next request.
            connection.await.ok();
        });
        Ok(Connection(sender))
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header(header::HOST, &self.authority)
    }

    /// Makes card tokens in advance, over several connections: paying begins with a token.
    pub async fn prepare_tokens(&self, wanted: usize, connections: u32) -> Result<(), LoadError> {
        let missing = wanted.saturating_sub(self.tokens.borrow().len());
        let missing = u64::try_from(missing).unwrap_or(u64::MAX);
        let each = missing.div_ceil(u64::from(connections.max(1)));
        let makers = (0..connections).map(|_| async move {
            let mut connection = self.connect().await?;
            for number in 0..each {
                let token = self.token(&mut connection, number).await?;
                self.tokens.borrow_mut().push(token);
            }
            Ok(())
        });
        futures_util::future::try_join_all(makers).await.map(drop)
    }

    async fn token(&self, connection: &mut Connection, number: u64) -> Result<String, LoadError> {
        let card = usize::try_from(number).unwrap_or(0).checked_rem(CARDS.len()).unwrap_or(0);
        let digits = CARDS.get(card).copied().unwrap_or("");
        let request = self
            .request(Method::POST, "/api/tokens")
            .header(header::AUTHORIZATION, &self.publishable)
            .header(header::CONTENT_TYPE, JSON)
            .body(Full::from(format!(r#"{{"number":"{digits}","expiry":"12/39"}}"#)))?;
        let answer = connection.send(request).await?.expect("POST /api/tokens", 201)?;
        Ok(text_after(&answer.body, b"\"id\":\"").to_owned())
    }

    /// Pays until the time is over. `name` keeps the order references of payers apart.
    pub async fn pay_until(
        &self,
        name: &str,
        stop: &std::cell::Cell<bool>,
        tally: &Rc<RefCell<Tally>>,
    ) {
        let mut connection = None;
        let mut number = 0_u64;
        while !stop.get() {
            let order = format!("{name}-{number}");
            let stopwatch = self.clock.stopwatch();
            let paid = self.pay(&mut connection, &order, number).await;
            let latency = u32::try_from(stopwatch.elapsed().as_micros()).unwrap_or(u32::MAX);
            match paid {
                Ok(()) => tally.borrow_mut().latencies.push(latency),
                Err(error) => {
                    connection = None;
                    tally.borrow_mut().problem(error.to_string());
                    self.clock.sleep(Duration::from_millis(20)).await;
                }
            }
            number = number.saturating_add(1);
        }
    }

    async fn pay(
        &self,
        connection: &mut Option<Connection>,
        order: &str,
        number: u64,
    ) -> Result<(), LoadError> {
        let connection = match connection {
            Some(open) => open,
            None => connection.insert(self.connect().await?),
        };
        let prepared = self.tokens.borrow_mut().pop();
        let token = match prepared {
            Some(token) => token,
            None => self.token(connection, number).await?,
        };
        let payment = if self.two_step {
            let body = format!("{}}}", created(order));
            let created = self.call(connection, "/api/payments", order, body).await?;
            let created = created.expect("POST /api/payments", 201)?;
            let path = format!("/api/payments/{}/confirm", text_after(&created.body, b"\"id\":\""));
            let body = format!(r#"{{"card_token":"{token}"}}"#);
            let confirmed = self.call(connection, &path, &format!("{order}-c"), body).await?;
            confirmed.expect("POST /api/payments/{id}/confirm", 200)?
        } else {
            let body = format!(r#"{},"card_token":"{token}","confirm":true}}"#, created(order));
            let created = self.call(connection, "/api/payments", order, body).await?;
            created.expect("POST /api/payments", 201)?
        };
        match text_after(&payment.body, b"\"status\":\"") {
            "captured" => Ok(()),
            other => Err(LoadError::Status(other.to_owned())),
        }
    }

    /// A signed call, with the signature of its answer verified.
    async fn call(
        &self,
        connection: &mut Connection,
        path: &str,
        idempotency_key: &str,
        body: String,
    ) -> Result<Answer, LoadError> {
        let now = self.clock.now().seconds();
        let target = RequestTarget { method: "POST", authority: &self.authority, path, query: "" };
        let content = RequestContent {
            body: body.as_bytes(),
            content_type: Some(JSON),
            idempotency_key: Some(idempotency_key),
            trace_id: None,
        };
        let times = SignatureTimes { created: now, expires: now.saturating_add(SIGNATURE_SECONDS) };
        let nonce = BASE64URL_NOPAD.encode(&self.random.bytes::<16>());
        let signed = sign_request(&self.key, Wire::Api, &target, &content, times, &nonce);
        let binding = signed.binding(&target);
        let mut request = self
            .request(Method::POST, path)
            .header(header::AUTHORIZATION, &self.bearer)
            .header(header::CONTENT_TYPE, JSON)
            .header(IDEMPOTENCY_KEY, idempotency_key)
            .header(SIGNATURE_INPUT, signed.signature_input)
            .header(SIGNATURE, signed.signature);
        if let Some(digest) = signed.content_digest {
            request = request.header(CONTENT_DIGEST, digest);
        }
        let answer = connection.send(request.body(Full::from(body))?).await?;
        answer.verify(&self.key, &binding, now).map(|()| answer)
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// The body of a creation, without its closing brace.
fn created(order: &str) -> String {
    format!(
        r#"{{"amount":{{"value":{AMOUNT},"currency":"EUR"}},"order_reference":"{order}","capture":"automatic""#
    )
}

impl Connection {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, LoadError> {
        self.0.ready().await?;
        let answer: Response<Incoming> = self.0.send_request(request).await?;
        let (head, body) = answer.into_parts();
        Ok(Answer { head, body: body.collect().await?.to_bytes() })
    }
}

impl Answer {
    fn expect(self, call: &'static str, status: u16) -> Result<Self, LoadError> {
        if self.head.status.as_u16() == status {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        Err(LoadError::Answer { call, status: self.head.status.as_u16(), body })
    }

    fn verify(
        &self,
        key: &SigningKey,
        binding: &RequestBinding,
        now: i64,
    ) -> Result<(), LoadError> {
        let header = |name: &HeaderName| {
            self.head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        let headers = ReceivedHeaders {
            signature_input: &[header(&SIGNATURE_INPUT)],
            signature: &[header(&SIGNATURE)],
            content_digest: &[header(&CONTENT_DIGEST)],
        };
        let content_type = Some(header(&header::CONTENT_TYPE)).filter(|value| !value.is_empty());
        let status = self.head.status.as_u16();
        verify_response(key, status, content_type, &self.body, &headers, binding, now)
            .map_err(|refusal| LoadError::Signature(refusal.reason.as_str()))
    }
}

/// The text between the first `mark` and the next quote.
fn text_after<'a>(body: &'a [u8], mark: &[u8]) -> &'a str {
    let start = body.windows(mark.len()).position(|window| window == mark);
    let rest = start.and_then(|start| body.get(start.saturating_add(mark.len())..));
    let end = rest.and_then(|rest| rest.iter().position(|&byte| byte == b'"'));
    let text = rest.zip(end).and_then(|(rest, end)| rest.get(..end));
    text.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_without_reading_the_whole_body() {
        let body = br#"{"id":"pay_1","object":"payment","status":"captured"}"#;
        assert_eq!(text_after(body, b"\"status\":\""), "captured");
        assert_eq!(text_after(body, b"\"id\":\""), "pay_1");
        assert_eq!(text_after(body, b"\"missing\":\""), "");
    }

    #[test]
    fn the_bodies_are_what_the_api_reads() {
        let body = format!("{}}}", created("b-1"));
        let read: wire::gateway_api::CreatePayment = serde_json::from_str(&body).unwrap();
        assert_eq!(read.order_reference, "b-1");
        assert!(!read.confirm);
        for digits in CARDS {
            let card = wire::card::CardNumber::parse(digits).unwrap();
            assert!(wire::test_cards::is_accepted(&card), "{digits}");
        }
    }

    #[test]
    fn the_same_problem_is_told_once_and_counted_always() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.problem("declined".into());
        }
        assert_eq!((tally.problem_count, tally.problems.len()), (3, 1));
    }
}
