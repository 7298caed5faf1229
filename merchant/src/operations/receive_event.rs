//! Taking in a notification: verified, compared with what was ordered, recorded and acted upon in
//! one transaction.

use std::borrow::Cow;

use kit::crash_points::Boundary;
use serde::Deserialize;
use wire::events::{Event, EventType};
use wire::gateway_api::{PaymentStatus, RefundView};
use wire::ids::{EventId, MerchantId, OrderId, PaymentId};
use wire::webhook::{self, WebhookHeaders, WebhookRefusal};

use crate::domain::order::{Effect, Order};
use crate::domain::payment::{News, Snapshot, Source};
use crate::gateway::snapshot;
use crate::keys::sha256;
use crate::store::StoreError;
use crate::store::inbox::{Receipt, Received, UNKNOWN_ORDER, Verdict};
use crate::store::orders::Outcome;

use super::{Context, believe};

/// Longest texts that are kept of a notification.
const KEPT_CHARACTERS_MAX: usize = 64;

/// What the sender is told.
#[derive(Debug)]
pub enum Answer {
    /// 2xx: recorded, with what was made of it.
    Taken {
        /// The verdict, or `duplicate`.
        verdict: &'static str,
    },
    /// 4xx: nothing was changed.
    Refused(Refused),
}

/// Why a notification is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Stable word.
    pub reason: &'static str,
    /// For people.
    pub detail: String,
}

impl Refused {
    fn new(status: u16, reason: &'static str, detail: impl Into<String>) -> Self {
        Self { status, reason, detail: detail.into() }
    }
}

impl From<WebhookRefusal> for Refused {
    fn from(refusal: WebhookRefusal) -> Self {
        let status = match refusal {
            WebhookRefusal::HeaderMissing { .. }
            | WebhookRefusal::SignatureMismatch
            | WebhookRefusal::TimestampTooOld
            | WebhookRefusal::TimestampTooNew => 401,
            WebhookRefusal::HeaderDuplicate { .. }
            | WebhookRefusal::IdMalformed
            | WebhookRefusal::TimestampMalformed => 400,
            WebhookRefusal::SignatureTooLarge => 431,
        };
        Self::new(status, refusal.as_str(), refusal.to_string())
    }
}

/// What every notification says about itself; unknown members are no fault.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow, default)]
    merchant_id: Option<Cow<'a, str>>,
    #[serde(default)]
    livemode: Option<bool>,
    #[serde(default)]
    sequence: Option<u64>,
    #[serde(borrow, default)]
    data: Option<EnvelopeData<'a>>,
}

#[derive(Deserialize)]
struct EnvelopeData<'a> {
    #[serde(borrow, default)]
    payment: Option<EnvelopePayment<'a>>,
}

#[derive(Deserialize)]
struct EnvelopePayment<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    order_reference: Option<Cow<'a, str>>,
}

/// A notification whose signature is right.
#[derive(Debug)]
pub struct Verified {
    /// `webhook-id`.
    pub id: String,
}

/// Rules 1 to 3: headers, time, signature, over the bytes as received.
pub fn verify(
    context: &Context,
    headers: WebhookHeaders<'_>,
    body: &[u8],
) -> Result<Verified, Refused> {
    if context.vulnerabilities.is_on(believe::WEBHOOKS)
        && let [id] = headers.id
    {
        tracing::warn!(event = id, "a lesson lets a notification in unchecked");
        return Ok(Verified { id: (*id).to_owned() });
    }
    let (keys, now) = (&context.keys, context.clock.now().seconds());
    if context.mutants.has("believe_unsigned_notifications") {
        return Ok(Verified { id: headers.id.first().copied().unwrap_or_default().to_owned() });
    }
    let verified = match webhook::verify(&keys.webhook_secrets, [], headers, body, now) {
        // The second kind of signature costs much more: it is tried when the first does not fit.
        Err(WebhookRefusal::SignatureMismatch) => {
            webhook::verify(&[], [&keys.webhook_public], headers, body, now)
        }
        decided => decided,
    }?;
    Ok(Verified { id: verified.id })
}

/// A notification that was opened: verified, and readable as far as every one of them is.
pub struct Opened<'a> {
    envelope: Envelope<'a>,
    body: &'a [u8],
}

impl Opened<'_> {
    /// The payment and the order it names, for the wire log.
    pub fn subject(&self) -> (Option<String>, Option<String>) {
        let payment = self.envelope.payment().and_then(|payment| payment.id.as_deref());
        (payment.map(str::to_owned), self.envelope.reference().map(str::to_owned))
    }
}

/// Opens a verified notification: only now it is parsed.
pub fn open<'a>(verified: &Verified, body: &'a [u8]) -> Result<Opened<'a>, Refused> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|it| malformed(&it))?;
    if envelope.id != verified.id {
        let detail = "the id in the body is not the one in the header";
        return Err(Refused::new(400, "event_id_mismatch", detail));
    }
    Ok(Opened { envelope, body })
}

fn malformed(error: &serde_json::Error) -> Refused {
    Refused::new(400, "body_malformed", format!("not a notification: {error}"))
}

/// Rules 4 to 6: compares, records and acts. Returns only after the commit.
pub async fn receive(context: &Context, opened: &Opened<'_>) -> Result<Answer, StoreError> {
    let received = received(context, &opened.envelope);
    let receipt = match first_look(context.rules.merchant, &opened.envelope) {
        Look::Decided(verdict) => context.store.record(received, verdict).await?,
        Look::OurOrder => match serde_json::from_slice::<Event>(opened.body) {
            Err(error) => return Ok(Answer::Refused(malformed(&error))),
            Ok(event) => act(context, received, event).await?,
        },
    };
    context.crash_points.reached("webhook", Boundary::Stored);
    Ok(answer(receipt))
}

async fn act(context: &Context, received: Received, event: Event) -> Result<Receipt, StoreError> {
    let now = received.at;
    let snapshot = snapshot(&event.data.payment);
    let receipt = context
        .store
        .receive(received, move |order| {
            let before = order.status();
            let outcome = judge(order, &event, &snapshot, now);
            let text = format!("{}: {}", event.event_type, order.status().as_str());
            if order.status() == before { outcome } else { outcome.noting("notification", text) }
        })
        .await?;
    context.due.wake();
    Ok(receipt)
}

fn answer(receipt: Receipt) -> Answer {
    match receipt {
        Receipt::Duplicate => Answer::Taken { verdict: "duplicate" },
        Receipt::New(Verdict { word, refused: false }) => Answer::Taken { verdict: word },
        Receipt::New(Verdict { word, refused: true }) => {
            let detail = "the notification does not fit what was ordered here";
            Answer::Refused(Refused::new(422, word, detail))
        }
    }
}

enum Look {
    Decided(Verdict),
    OurOrder,
}

/// What can be said without looking at an order.
fn first_look(merchant: MerchantId, envelope: &Envelope<'_>) -> Look {
    let foreign = |id: &Cow<'_, str>| id.parse::<MerchantId>() != Ok(merchant);
    if envelope.merchant_id.as_ref().is_some_and(foreign) {
        return Look::Decided(Verdict::refused("merchant_mismatch"));
    }
    // There is no real money here: a live notification is meant for somebody else.
    if envelope.livemode == Some(true) {
        return Look::Decided(Verdict::refused("mode_mismatch"));
    }
    if envelope.event_type.parse::<EventType>().is_err() {
        return Look::Decided(Verdict::taken("unknown_type"));
    }
    match envelope.order() {
        None => Look::Decided(UNKNOWN_ORDER),
        Some(_) => Look::OurOrder,
    }
}

impl Envelope<'_> {
    fn payment(&self) -> Option<&EnvelopePayment<'_>> {
        self.data.as_ref()?.payment.as_ref()
    }

    fn reference(&self) -> Option<&str> {
        self.payment()?.order_reference.as_deref()
    }

    /// The order it names, if the reference has the form of this shop's.
    fn order(&self) -> Option<OrderId> {
        self.reference()?.parse().ok()
    }
}

fn received(context: &Context, envelope: &Envelope<'_>) -> Received {
    let kept = |text: &str| text.chars().take(KEPT_CHARACTERS_MAX).collect::<String>();
    let event: Option<EventId> = envelope.id.parse().ok();
    let event = event.map(|id| {
        let again = context.mutants.has("act_on_every_copy");
        if again { context.ids.with(EventId::new) } else { id }
    });
    let payment = envelope.payment().and_then(|payment| payment.id.as_deref());
    let order = envelope.order();
    Received {
        key: event.map_or_else(|| foreign_key(&envelope.id), |id| *id.bytes()),
        event: event.is_none().then(|| envelope.id.clone().into_owned()),
        event_type: kept(&envelope.event_type),
        payment: payment.and_then(|id| id.parse::<PaymentId>().ok()),
        reference: envelope.reference().filter(|_| order.is_none()).map(kept),
        order,
        sequence: envelope.sequence,
        at: context.clock.now(),
    }
}

/// Sixteen bytes for an id that is not of the gateway's usual form.
fn foreign_key(id: &str) -> [u8; 16] {
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(sha256(id.as_bytes())) {
        *to = from;
    }
    key
}

/// Compares a notification with the order and lets it act.
fn judge(
    order: &mut Order,
    event: &Event,
    snapshot: &Snapshot,
    now: wire::time::Timestamp,
) -> Outcome<Verdict> {
    if event.data.payment.object != "payment" {
        return Outcome::of(Verdict::refused("object_mismatch"));
    }
    if !status_fits(event.event_type, event.data.payment.status) {
        return Outcome::of(Verdict::refused("status_mismatch"));
    }
    if !event.data.refund.as_ref().is_none_or(|refund| refund_fits(refund, snapshot)) {
        return Outcome::of(Verdict::refused("refund_mismatch"));
    }
    let source = Source::Event { sequence: event.sequence };
    match order.observe(snapshot, source, now) {
        Err(mismatch) => Outcome::of(Verdict::refused(mismatch.as_str())),
        Ok(seen) => {
            let flagged = seen.effects.iter().any(|effect| matches!(effect, Effect::Flag(_)));
            let word = match (seen.news, flagged) {
                (News::Stale | News::Overtaken, _) => "stale",
                (News::Fresh, true) => "flagged",
                (News::Fresh, false) => "applied",
            };
            Outcome::of(Verdict::taken(word)).with_effects(seen.effects)
        }
    }
}

/// Whether a payment in this status can be what the event says happened.
const fn status_fits(event_type: EventType, status: PaymentStatus) -> bool {
    use {EventType as E, PaymentStatus as S};
    match event_type {
        E::PaymentCaptured => matches!(status, S::Captured),
        E::PaymentPartiallyCaptured => matches!(status, S::PartiallyCaptured),
        E::PaymentAuthorized => matches!(status, S::Authorized),
        E::PaymentVerified => matches!(status, S::Verified),
        E::PaymentCaptureFailed => matches!(status, S::CaptureFailed),
        E::PaymentRequiresAction => matches!(status, S::RequiresAction),
        E::PaymentProcessing => matches!(status, S::Processing),
        E::PaymentAttemptFailed => matches!(status, S::RequiresPaymentMethod | S::Failed),
        E::PaymentFailed => matches!(status, S::Failed),
        // A void of a part leaves the rest captured.
        E::PaymentCanceled => matches!(status, S::Canceled | S::Captured | S::PartiallyCaptured),
        E::PaymentExpired => matches!(status, S::Expired | S::Canceled | S::Captured),
        E::PaymentCreated
        | E::RefundCreated
        | E::RefundSucceeded
        | E::RefundFailed
        | E::DisputeOpened
        | E::DisputeUpdated
        | E::DisputeClosed
        | E::SettlementPaidOut
        | E::CardUpdated
        | E::CardErased => true,
    }
}

fn refund_fits(refund: &RefundView, snapshot: &Snapshot) -> bool {
    refund.payment == snapshot.payment && refund.amount.currency == snapshot.amount.currency
}
