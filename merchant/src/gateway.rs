//! Client of the gateway: signed calls, repeated under the same key until their outcome is known.

mod token;
mod translate;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kit::activity::Activity;
use kit::clock::Clock;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, Link, LinkError, LinkFailure, LinkName, Reply, Signing};
use kit::plumbing::Plumbing;
use kit::random::Random;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wire::gateway_api::{
    ConfirmPayment, CreateCustomer, CreateRefund, CustomerExport, CustomerView, Empty, Page,
    PaymentView, RefundView, StoredCardView,
};
use wire::ids::{CardId, CustomerId, DisputeId, OrderId, PaymentId, SettlementId, TokenId};
use wire::money::MinorUnits;
use wire::settlement::{DisputeView, SettlementReport, SettlementSummary, SubmitEvidence};
use wire::signature::{SigningKey, Wire};
use wire::time::Timestamp;

use crate::domain::payment::{RefundNews, Snapshot};
use crate::keys::ClientKeys;
pub use translate::{How, payment_request, snapshot};

/// The link, as faults and the wire log name it.
pub const LINK: &str = "merchant->gateway";

/// Conflicts that are over when the call is signed anew and sent again.
const ASK_AGAIN: [&str; 2] = ["idempotency_key_in_use", "signature_replayed"];

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Pauses between tries whose outcome is unknown; then the background takes over.
const RETRY_AFTER: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// Why a call gave no answer to work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The gateway answered and refused: nothing was done.
    #[error("the gateway refused: {code} ({detail})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable code.
        code: String,
        /// For people.
        detail: String,
    },
    /// No usable answer: it may or may not have been done. Ask again under the same key.
    #[error("the gateway did not answer: {0}")]
    Unknown(String),
}

/// A payment as the gateway shows it to its merchant.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What it says about the payment.
    pub snapshot: Snapshot,
    /// Where the customer pays.
    pub checkout_url: Option<String>,
}

/// The gateway, as the shop knows it; clones share the connection and the access token.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    api: Link,
    /// The token endpoint is called without a signature, as any OAuth client does.
    open: Link,
    client: ClientKeys,
    token: tokio::sync::Mutex<Option<token::AccessToken>>,
    clock: Clock,
    activity: Activity,
    traces: Random,
    deadline: Duration,
}

/// What a call is about, for the wire log and for faults.
#[derive(Clone, Copy, Debug, Default)]
struct About {
    order: Option<OrderId>,
    payment: Option<PaymentId>,
    amount: Option<MinorUnits>,
}

/// One call, before it is signed; a body makes it a `POST`.
struct Request<'a> {
    path: &'a str,
    query: &'a str,
    body: Option<Bytes>,
    idempotency_key: Option<&'a str>,
    about: About,
    deletes: bool,
}

impl Gateway {
    /// A client of the gateway at `base_url`. `deadline` bounds a whole call with its repeats.
    pub fn new(
        base_url: &str,
        signing: &SigningKey,
        client: &ClientKeys,
        deadline: Duration,
        plumbing: &Plumbing,
    ) -> Result<Self, LinkError> {
        let signed = Signing::HttpSignature { key: Arc::new(signing.clone()), wire: Wire::Api };
        Ok(Self(Arc::new(Inner {
            api: Link::new(LinkName(LINK), base_url, signed, plumbing)?,
            open: Link::new(LinkName(LINK), base_url, Signing::Already, plumbing)?,
            client: client.clone(),
            token: tokio::sync::Mutex::new(None),
            clock: plumbing.clock.clone(),
            activity: plumbing.activity.clone(),
            traces: plumbing.random.child("operations"),
            deadline,
        })))
    }

    /// Makes a payment. The same bytes under the same key make it once, however often.
    pub async fn create_payment(
        &self,
        order: OrderId,
        amount: MinorUnits,
        body: Bytes,
        idempotency_key: &str,
    ) -> Result<Shown, Failure> {
        let about = About { order: Some(order), payment: None, amount: Some(amount) };
        self.shown(&Request::post("/api/payments", body, idempotency_key, about)).await
    }

    /// Reads a payment.
    pub async fn payment(&self, order: OrderId, id: PaymentId) -> Result<Shown, Failure> {
        let path = format!("/api/payments/{id}");
        let about = About { order: Some(order), payment: Some(id), amount: None };
        self.shown(&Request::get(&path, "", about)).await
    }

    /// The newest payment of an order, however it was made.
    pub async fn payment_of_order(&self, order: OrderId) -> Result<Option<Shown>, Failure> {
        let query = format!("order_reference={order}&limit=1");
        let about = About { order: Some(order), ..About::default() };
        let reply = self.call(&Request::get("/api/payments", &query, about)).await?;
        let page: Page<PaymentView> = decode(&reply)?;
        Ok(page.data.first().map(|view| Shown {
            snapshot: snapshot(view),
            checkout_url: view.checkout_url.clone(),
        }))
    }

    /// Pays with a card token, once per key.
    pub async fn confirm_payment(
        &self,
        order: OrderId,
        id: PaymentId,
        card_token: TokenId,
        idempotency_key: &str,
    ) -> Result<Shown, Failure> {
        let path = format!("/api/payments/{id}/confirm");
        let about = About { order: Some(order), payment: Some(id), amount: None };
        let body = encode(&ConfirmPayment { card_token, currency_conversion: None })?;
        self.shown(&Request::post(&path, body, idempotency_key, about)).await
    }

    /// Cancels a payment that was not paid.
    pub async fn cancel_payment(&self, order: OrderId, id: PaymentId) -> Result<Shown, Failure> {
        let path = format!("/api/payments/{id}/cancel");
        let key = format!("{id}-cancel");
        let about = About { order: Some(order), payment: Some(id), amount: None };
        let body = encode(&Empty {})?;
        self.shown(&Request::post(&path, body, &key, about)).await
    }

    /// Refunds a part of a payment, once per key.
    pub async fn refund(
        &self,
        order: OrderId,
        id: PaymentId,
        amount: MinorUnits,
        reason: &str,
        idempotency_key: &str,
    ) -> Result<RefundNews, Failure> {
        let path = format!("/api/payments/{id}/refunds");
        let about = About { order: Some(order), payment: Some(id), amount: Some(amount) };
        let body = encode(&CreateRefund { amount: Some(amount), reason: Some(reason.to_owned()) })?;
        let reply = self.call(&Request::post(&path, body, idempotency_key, about)).await?;
        let view: RefundView = decode(&reply)?;
        Ok(translate::refund(&view))
    }

    /// A payment as the gateway shows it: what became of a charge, and what to do next.
    pub async fn payment_view(
        &self,
        order: OrderId,
        id: PaymentId,
    ) -> Result<PaymentView, Failure> {
        let path = format!("/api/payments/{id}");
        let about = About { order: Some(order), payment: Some(id), amount: None };
        decode(&self.call(&Request::get(&path, "", about)).await?)
    }

    /// Makes a customer whose cards are saved.
    pub async fn create_customer(
        &self,
        request: &CreateCustomer,
        idempotency_key: &str,
    ) -> Result<CustomerView, Failure> {
        let body = encode(request)?;
        let request = Request::post("/api/customers", body, idempotency_key, About::default());
        decode(&self.call(&request).await?)
    }

    /// The saved cards of a customer.
    pub async fn cards(&self, customer: CustomerId) -> Result<Vec<StoredCardView>, Failure> {
        let path = format!("/api/customers/{customer}/cards");
        let request = Request::get(&path, "", About::default());
        let page: Page<StoredCardView> = decode(&self.call(&request).await?)?;
        Ok(page.data)
    }

    /// Has a saved card forgotten.
    pub async fn delete_card(&self, customer: CustomerId, card: CardId) -> Result<(), Failure> {
        let path = format!("/api/customers/{customer}/cards/{card}");
        let key = format!("{card}-delete");
        self.call(&Request::delete(&path, &key, About::default())).await.map(drop)
    }

    /// All that the gateway knows of a customer.
    pub async fn export_customer(&self, customer: CustomerId) -> Result<CustomerExport, Failure> {
        let path = format!("/api/customers/{customer}/export");
        decode(&self.call(&Request::get(&path, "", About::default())).await?)
    }

    /// Has a customer erased, with saved cards and the cards of payments.
    pub async fn erase_customer(&self, customer: CustomerId) -> Result<(), Failure> {
        let path = format!("/api/customers/{customer}");
        let key = format!("{customer}-erase");
        self.call(&Request::delete(&path, &key, About::default())).await.map(drop)
    }

    /// The newest payments of this merchant, at most 100.
    pub async fn newest_payments(&self) -> Result<Vec<Snapshot>, Failure> {
        let request = Request::get("/api/payments", "limit=100", About::default());
        let page: Page<PaymentView> = decode(&self.call(&request).await?)?;
        Ok(page.data.iter().map(snapshot).collect())
    }

    /// The newest settlement reports, at most `limit`, newest first.
    pub async fn settlements(&self, limit: usize) -> Result<Vec<SettlementReport>, Failure> {
        let request = Request::get("/api/settlements", "", About::default());
        let page: Page<SettlementSummary> = decode(&self.call(&request).await?)?;
        let mut reports = Vec::new();
        for summary in page.data.into_iter().take(limit) {
            reports.push(self.settlement(summary.batch_id).await?);
        }
        Ok(reports)
    }

    /// One settlement report.
    pub async fn settlement(&self, id: SettlementId) -> Result<SettlementReport, Failure> {
        let path = format!("/api/settlements/{id}");
        decode(&self.call(&Request::get(&path, "", About::default())).await?)
    }

    /// The newest disputes.
    pub async fn disputes(&self) -> Result<Vec<DisputeView>, Failure> {
        let request = Request::get("/api/disputes", "", About::default());
        let page: Page<DisputeView> = decode(&self.call(&request).await?)?;
        Ok(page.data)
    }

    /// One dispute.
    pub async fn dispute(&self, id: DisputeId) -> Result<DisputeView, Failure> {
        let path = format!("/api/disputes/{id}");
        decode(&self.call(&Request::get(&path, "", About::default())).await?)
    }

    /// Answers a dispute with evidence, or gives in without any.
    pub async fn answer_dispute(
        &self,
        id: DisputeId,
        evidence: Option<String>,
        idempotency_key: &str,
    ) -> Result<DisputeView, Failure> {
        let (path, body) = match evidence {
            Some(evidence) => {
                (format!("/api/disputes/{id}/evidence"), encode(&SubmitEvidence { evidence })?)
            }
            None => (format!("/api/disputes/{id}/accept"), encode(&Empty {})?),
        };
        let request = Request::post(&path, body, idempotency_key, About::default());
        decode(&self.call(&request).await?)
    }

    async fn shown(&self, request: &Request<'_>) -> Result<Shown, Failure> {
        let view: PaymentView = decode(&self.call(request).await?)?;
        Ok(Shown { snapshot: snapshot(&view), checkout_url: view.checkout_url })
    }

    /// Sends, and repeats under the same key while the outcome is unknown and time is left.
    async fn call(&self, request: &Request<'_>) -> Result<Reply, Failure> {
        let give_up_at = self.0.clock.now().plus(self.0.deadline);
        let trace = TraceId::new(&self.0.traces);
        let mut pauses = RETRY_AFTER.iter();
        loop {
            let failure = match self.attempt(request, trace, give_up_at).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let pause = pauses.next().filter(|_| matches!(failure, Failure::Unknown(_)));
            let Some(pause) = pause else { return Err(failure) };
            if self.0.clock.now().plus(*pause) >= give_up_at {
                return Err(failure);
            }
            let waiting = self.0.activity.waiting();
            self.0.clock.sleep(*pause).await;
            drop(waiting);
        }
    }

    /// One try. A token that was refused is fetched anew, once.
    async fn attempt(
        &self,
        request: &Request<'_>,
        trace: TraceId,
        give_up_at: Timestamp,
    ) -> Result<Reply, Failure> {
        let token = self.token(trace, give_up_at).await?;
        let reply = self.send(request, trace, &token, give_up_at).await?;
        if reply.status != 401 || refusal(&reply).code.starts_with("signature") {
            return judge(reply);
        }
        self.forget_token(&token).await;
        let token = self.token(trace, give_up_at).await?;
        judge(self.send(request, trace, &token, give_up_at).await?)
    }

    async fn send(
        &self,
        request: &Request<'_>,
        trace: TraceId,
        token: &str,
        give_up_at: Timestamp,
    ) -> Result<Reply, Failure> {
        let facts = Facts {
            order: request.about.order.map(|id| id.to_string()),
            payment: request.about.payment.map(|id| id.to_string()),
            amount: request.about.amount.map(MinorUnits::get),
            ..Facts::new("api", trace)
        };
        let mut call = match &request.body {
            Some(body) => Call::post(request.path, body.clone()),
            None if request.deletes => Call::delete(request.path),
            None => Call::get(request.path),
        };
        call.query = request.query.to_owned();
        call.idempotency_key = request.idempotency_key.map(str::to_owned);
        call.bearer = Some(token.to_owned());
        call.deadline = give_up_at.since(self.0.clock.now());
        call.answer_bytes_max = ANSWER_BYTES_MAX;
        call.facts = facts;
        self.0.api.send(call).await.map_err(|failure| unknown(&failure))
    }
}

impl<'a> Request<'a> {
    const fn get(path: &'a str, query: &'a str, about: About) -> Self {
        Self { path, query, body: None, idempotency_key: None, about, deletes: false }
    }

    const fn delete(path: &'a str, key: &'a str, about: About) -> Self {
        Self { path, query: "", body: None, idempotency_key: Some(key), about, deletes: true }
    }

    fn post(path: &'a str, body: Bytes, key: &'a str, about: About) -> Self {
        let (body, idempotency_key) = (Some(body), Some(key));
        Self { path, query: "", body, idempotency_key, about, deletes: false }
    }
}

fn unknown(failure: &LinkFailure) -> Failure {
    Failure::Unknown(failure.to_string())
}

/// Sorts answers: done, refused, or not to be relied upon.
fn judge(reply: Reply) -> Result<Reply, Failure> {
    match reply.status {
        200..=299 => Ok(reply),
        // Still running under this key, too often, or an error in the gateway: ask again.
        409 if ASK_AGAIN.contains(&refusal(&reply).code.as_str()) => {
            Err(Failure::Unknown("still running".to_owned()))
        }
        408 | 425 | 429 | 500..=599 => Err(Failure::Unknown(format!("answered {}", reply.status))),
        status => {
            let refusal = refusal(&reply);
            Err(Failure::Refused { status, code: refusal.code, detail: refusal.detail })
        }
    }
}

/// What is read of problem details.
#[derive(Deserialize)]
struct ProblemDetails {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

fn refusal(reply: &Reply) -> ProblemDetails {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| ProblemDetails {
        code: format!("status_{}", reply.status),
        detail: String::new(),
    })
}

/// An answer whose signature is right and whose body makes no sense says nothing.
fn decode<T: DeserializeOwned>(reply: &Reply) -> Result<T, Failure> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| Failure::Unknown(format!("unreadable answer: {error}")))
}

fn encode<T: serde::Serialize>(body: &T) -> Result<Bytes, Failure> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|error| Failure::Unknown(format!("cannot be encoded: {error}")))
}
