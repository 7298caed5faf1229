//! A gateway that does what it is told: keeps payments, remembers calls, signs its answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use kit::http::{KeyTable, NonceCache, OwnedKeyLookup, Problem, ReceivedRequest, verify};
use kit::plumbing::Plumbing;
use serde_json::json;
use wire::codes::{Advice, DeclineCode};
use wire::events::{Event, EventData, EventType};
use wire::gateway_api::{
    Amounts, AttemptView, CardView, CreatePayment, CreateRefund, FailureView, Page, PaymentStatus,
    PaymentView, RefundStatus, RefundView,
};
use wire::ids::{AttemptId, EventId, MerchantId, PaymentId, RefundId};
use wire::money::{MinorUnits, Money};
use wire::signature::{SigningKey, Wire};

/// What the gateway does with the next call of a kind instead of answering it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trick {
    /// Answers this status without having done anything.
    Refuse(u16, &'static str),
    /// Does it, and answers 500 all the same.
    DoAndFail,
}

#[derive(Default)]
pub struct Kept {
    pub payments: BTreeMap<PaymentId, PaymentView>,
    /// Every call: path, idempotency key, body.
    pub calls: Vec<(String, String, Vec<u8>)>,
    pub tokens_given: u32,
    pub tricks: Vec<(&'static str, Trick)>,
    by_key: BTreeMap<String, (Vec<u8>, PaymentId)>,
    refunds_by_key: BTreeMap<String, RefundId>,
    sequences: BTreeMap<PaymentId, u64>,
    numbers: u8,
    valid_token: String,
    pub refunds_pend: bool,
}

#[derive(Clone)]
pub struct FakeGateway {
    pub kept: Arc<Mutex<Kept>>,
    pub address: SocketAddr,
    plumbing: Plumbing,
    merchant: MerchantId,
}

struct Keys(Arc<SigningKey>);

impl KeyTable for Keys {
    fn find(&self, key_id: &str) -> OwnedKeyLookup {
        if key_id == self.0.key_id() {
            OwnedKeyLookup::Known(self.0.clone())
        } else {
            OwnedKeyLookup::Unknown
        }
    }
}

struct Served {
    gateway: FakeGateway,
    keys: Keys,
    nonces: NonceCache,
}

impl FakeGateway {
    pub fn start(plumbing: &Plumbing, key: &SigningKey, merchant: MerchantId) -> Self {
        let listener = kit::http::listen(([127, 0, 0, 1], 0).into()).unwrap();
        let gateway = Self {
            kept: Arc::default(),
            address: listener.local_addr().unwrap(),
            plumbing: plumbing.clone(),
            merchant,
        };
        let served = Data::new(Served {
            gateway: gateway.clone(),
            keys: Keys(Arc::new(key.clone())),
            nonces: NonceCache::default(),
        });
        let configure = move |config: &mut ServiceConfig| {
            config
                .app_data(served.clone())
                .route("/api/oauth/token", web::post().to(token))
                .route("/api/payments", web::post().to(create))
                .route("/api/payments", web::get().to(list))
                .route("/api/payments/{id}", web::get().to(read))
                .route("/api/payments/{id}/cancel", web::post().to(cancel))
                .route("/api/payments/{id}/refunds", web::post().to(refund));
        };
        let running = kit::http::serve(listener, configure, plumbing).unwrap();
        actix_web::rt::spawn(running.run());
        gateway
    }

    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// The only payment.
    pub fn only_payment(&self) -> PaymentView {
        let kept = self.kept();
        assert_eq!(kept.payments.len(), 1, "exactly one payment");
        kept.payments.values().next().unwrap().clone()
    }

    /// The newest payment.
    pub fn newest(&self) -> PaymentView {
        self.kept().payments.values().next_back().unwrap().clone()
    }

    /// Plays one trick on the next call whose path ends so.
    pub fn trick(&self, path_end: &'static str, trick: Trick) {
        self.kept().tricks.push((path_end, trick));
    }

    pub fn forget_token(&self) {
        self.kept().valid_token.clear();
    }

    /// Calls whose path ends so.
    pub fn calls(&self, path_end: &str) -> Vec<(String, Vec<u8>)> {
        let kept = self.kept();
        let here = kept.calls.iter().filter(|(path, _, _)| path.ends_with(path_end));
        here.map(|(_, key, body)| (key.clone(), body.clone())).collect()
    }

    fn change(&self, id: PaymentId, change: impl FnOnce(&mut PaymentView)) -> PaymentView {
        let mut kept = self.kept();
        let payment = kept.payments.get_mut(&id).unwrap();
        change(payment);
        payment.clone()
    }

    /// A card was submitted, its bank has not answered.
    pub fn submit_card(&self, id: PaymentId) -> PaymentView {
        let now = self.plumbing.clock.now();
        self.change(id, |payment| {
            payment.status = PaymentStatus::Processing;
            payment.failure = None;
            payment.card = Some(card());
            let n = u32::try_from(payment.attempts.len()).unwrap() + 1;
            payment.attempts.push(AttemptView {
                network_token: None,
                id: AttemptId::new(now, [u8::try_from(n).unwrap(); 10]),
                n,
                kind: "payment".into(),
                amount: payment.amount.value,
                approved: wire::money::MinorUnits::ZERO,
                state: "processing".into(),
                card: Some(card()),
                stan: Some("000001".into()),
                rrn: Some("601510000001".into()),
                auth_code: None,
                response_code: None,
                failure: None,
                outcome_source: None,
                cvv_result: None,
                avs_result: None,
                created_at: now,
            });
        })
    }

    /// The bank approves, the money is taken.
    pub fn capture(&self, id: PaymentId) -> PaymentView {
        self.change(id, |payment| {
            payment.status = PaymentStatus::Captured;
            payment.outcome_unknown = false;
            payment.amounts.authorized = payment.amount.value;
            payment.amounts.captured = payment.amount.value;
            if let Some(attempt) = payment.attempts.last_mut() {
                attempt.state = "approved".into();
                attempt.auth_code = Some("A1B2C3".into());
            }
        })
    }

    /// The bank declines; another card may be tried.
    pub fn decline(&self, id: PaymentId, code: &str) -> PaymentView {
        self.change(id, |payment| {
            payment.status = PaymentStatus::RequiresPaymentMethod;
            payment.failure = Some(failure(code));
        })
    }

    /// The payment ends without money.
    pub fn end(&self, id: PaymentId, status: PaymentStatus, code: Option<&str>) -> PaymentView {
        self.change(id, |payment| {
            payment.status = status;
            payment.outcome_unknown = false;
            payment.failure = code.map(failure);
        })
    }

    /// The bank asks the payer to confirm.
    pub fn ask_payer(&self, id: PaymentId) -> PaymentView {
        self.change(id, |payment| payment.status = PaymentStatus::RequiresAction)
    }

    pub fn outcome_unknown(&self, id: PaymentId) -> PaymentView {
        self.change(id, |payment| payment.outcome_unknown = true)
    }

    /// Settles the pending refunds of a payment.
    pub fn settle_refunds(&self, id: PaymentId, status: RefundStatus) -> PaymentView {
        self.change(id, |payment| settle(payment, status))
    }

    /// The next event about a payment as it is now.
    pub fn event(&self, event_type: EventType, payment: &PaymentView) -> Event {
        let sequence = {
            let mut kept = self.kept();
            let sequence = kept.sequences.entry(payment.id).or_default();
            *sequence += 1;
            *sequence
        };
        self.event_numbered(event_type, payment, sequence)
    }

    /// An event with a given number.
    pub fn event_numbered(
        &self,
        event_type: EventType,
        payment: &PaymentView,
        sequence: u64,
    ) -> Event {
        let payment = PaymentView { checkout_url: None, client_secret: None, ..payment.clone() };
        Event {
            id: self.plumbing.ids.with(EventId::new),
            event_type,
            created_at: self.plumbing.clock.now(),
            sequence,
            previous_status: None,
            merchant_id: self.merchant,
            livemode: false,
            data: EventData { payment, refund: None, dispute: None },
        }
    }
}

fn settle(payment: &mut PaymentView, status: RefundStatus) {
    let mut sum = 0;
    for refund in &mut payment.refunds {
        if refund.status == RefundStatus::Pending {
            refund.status = status;
        }
        if refund.status == RefundStatus::Succeeded {
            sum += refund.amount.value.get();
        }
    }
    payment.amounts.refunded = MinorUnits::new(sum).unwrap();
}

fn card() -> CardView {
    CardView {
        brand: "visa".into(),
        bin: "424242".into(),
        last4: "4242".into(),
        expiry_month: 12,
        expiry_year: 2030,
        fingerprint: "fp".into(),
        funding: "credit".into(),
        country: None,
    }
}

fn failure(code: &str) -> FailureView {
    let code: DeclineCode = DeclineCode::parse(code).unwrap();
    FailureView {
        code,
        response_code: None,
        message: code.family().payer_message().into(),
        advice: Advice::RetryLater,
        decided_by: None,
        retry_after: None,
    }
}

/// Verifies a call and notes it; plays the trick that is waiting for it.
fn check(served: &Served, received: &ReceivedRequest) -> Result<Option<Trick>, Problem> {
    let clock = &served.gateway.plumbing.clock;
    verify(received, Wire::Api, &served.keys, &served.nonces, clock)?;
    let mut kept = served.gateway.kept();
    if received.bearer() != Some(kept.valid_token.as_str()) {
        return Err(Problem::new(401, "token_invalid", "the token is not valid"));
    }
    let key = received.idempotency_key.clone().unwrap_or_default();
    assert_eq!(key.is_empty(), received.method == "GET", "unsafe calls carry a key");
    kept.calls.push((received.path.clone(), key, received.body.to_vec()));
    let waiting = kept.tricks.iter().position(|(end, _)| received.path.ends_with(end));
    match waiting.map(|index| kept.tricks.remove(index).1) {
        Some(Trick::Refuse(status, code)) => Err(Problem::new(status, code, "as told")),
        other => Ok(other),
    }
}

fn answer(trick: Option<Trick>, status: u16, body: &impl serde::Serialize) -> HttpResponse {
    if trick == Some(Trick::DoAndFail) {
        return HttpResponse::InternalServerError().json(json!({"code": "internal_error"}));
    }
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).json(body)
}

async fn token(served: Data<Served>, received: ReceivedRequest) -> HttpResponse {
    assert!(received.header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(&received.body[..], b"grant_type=client_credentials");
    let mut kept = served.gateway.kept();
    kept.tokens_given += 1;
    kept.valid_token = format!("pra_token_{}", kept.tokens_given);
    HttpResponse::Ok().json(json!({
        "access_token": kept.valid_token, "token_type": "Bearer", "expires_in": 900, "scope": "all",
    }))
}

async fn create(served: Data<Served>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let trick = check(&served, &received)?;
    let key = received.idempotency_key.clone().unwrap();
    let gateway = &served.gateway;
    let mut kept = gateway.kept();
    if let Some((body, id)) = kept.by_key.get(&key).cloned() {
        assert_eq!(body, received.body.to_vec(), "the same key with other bytes");
        return Ok(answer(trick, 201, &kept.payments[&id]));
    }
    let asked: CreatePayment = serde_json::from_slice(&received.body).unwrap();
    let sum: i64 =
        asked.line_items.iter().map(|line| line.unit_price.get() * i64::from(line.quantity)).sum();
    assert_eq!(sum, asked.amount.value.get());
    kept.numbers += 1;
    let now = gateway.plumbing.clock.now();
    // Later ones sort behind earlier ones although time stands.
    let later = std::time::Duration::from_millis(kept.numbers.into());
    let id = PaymentId::new(now.plus(later), [kept.numbers; 10]);
    let payment = PaymentView {
        id,
        object: "payment".into(),
        status: PaymentStatus::RequiresPaymentMethod,
        order_reference: asked.order_reference,
        amount: asked.amount,
        amounts: Amounts::default(),
        capture: asked.capture,
        capture_before: None,
        estimated: false,
        accept_partial: false,
        capturable: wire::money::MinorUnits::ZERO,
        previous_payment: None,
        three_ds: None,
        next_action: None,
        purpose: wire::stored_credential::PaymentPurpose::Purchase,
        customer_id: None,
        currency_conversion: None,
        stored_card: None,
        initiator: wire::stored_credential::Initiator::Customer,
        mit_reason: None,
        agreement: None,
        grandfathered: false,
        review: None,
        card: None,
        failure: None,
        outcome_unknown: false,
        reversal_state: "none".into(),
        network_transaction_id: None,
        checkout_url: Some(format!("http://{}/pay/{id}?cs=secret", gateway.address)),
        client_secret: Some(format!("{id}_secret_x")),
        attempts: vec![],
        refunds: vec![],
        captures: vec![],
        statement_descriptor: None,
        description: asked.description,
        created_at: now,
        expires_at: now.plus(std::time::Duration::from_mins(30)),
        metadata: asked.metadata,
    };
    kept.payments.insert(id, payment.clone());
    kept.by_key.insert(key, (received.body.to_vec(), id));
    Ok(answer(trick, 201, &payment))
}

async fn list(served: Data<Served>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let trick = check(&served, &received)?;
    let data = served.gateway.kept().payments.values().rev().cloned().collect();
    Ok(answer(trick, 200, &Page::<PaymentView> { data, has_more: false }))
}

fn id_of(received: &ReceivedRequest) -> PaymentId {
    received.http().match_info().query("id").parse().unwrap()
}

async fn read(served: Data<Served>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let trick = check(&served, &received)?;
    let payment = served.gateway.kept().payments.get(&id_of(&received)).cloned();
    payment.map(|payment| answer(trick, 200, &payment)).ok_or_else(Problem::not_found)
}

async fn cancel(served: Data<Served>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let trick = check(&served, &received)?;
    let mut kept = served.gateway.kept();
    let payment = kept.payments.get_mut(&id_of(&received)).unwrap();
    match payment.status {
        PaymentStatus::RequiresPaymentMethod | PaymentStatus::Canceled => {
            payment.status = PaymentStatus::Canceled;
            Ok(answer(trick, 200, payment))
        }
        _ => Err(Problem::new(409, "payment_not_cancelable", "too late")),
    }
}

async fn refund(served: Data<Served>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let trick = check(&served, &received)?;
    let key = received.idempotency_key.clone().unwrap();
    let asked: CreateRefund = serde_json::from_slice(&received.body).unwrap();
    let now = served.gateway.plumbing.clock.now();
    let mut kept = served.gateway.kept();
    kept.numbers += 1;
    let fresh = RefundId::new(now, [kept.numbers; 10]);
    let pends = kept.refunds_pend;
    let known = kept.refunds_by_key.get(&key).copied();
    let id = known.unwrap_or(fresh);
    kept.refunds_by_key.insert(key, id);
    let payment = kept.payments.get_mut(&id_of(&received)).unwrap();
    if known.is_none() {
        payment.refunds.push(RefundView {
            id,
            payment: payment.id,
            amount: Money::new(asked.amount.unwrap(), payment.amount.currency),
            status: RefundStatus::Pending,
            reason: asked.reason,
            failure: None,
            arn: None,
            currency_conversion: None,
            moved_to: None,
            created_at: now,
        });
        if !pends {
            settle(payment, RefundStatus::Succeeded);
        }
    }
    let view = payment.refunds.iter().find(|refund| refund.id == id).unwrap();
    Ok(answer(trick, 201, view))
}
