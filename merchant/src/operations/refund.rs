//! Giving money back: asked for, approved by a second person above the limit, sent once.

use data_encoding::HEXLOWER;
use kit::crash_points::Boundary;
use wire::ids::{OrderId, PaymentId};
use wire::money::{MinorUnits, Money};

use crate::domain::customer::plain_text;
use crate::domain::operator::Actor;
use crate::domain::order::{Order, RefundRequest, State};
use crate::domain::payment::{RefundNews, RefundOutcome};
use crate::domain::refund::{Event, Refund, Refusal, SEND_AGAIN_AFTER, State as RefundState};
use crate::gateway::Failure;
use crate::keys::sha256;
use crate::store::audit::Entry;
use crate::store::orders::Outcome;

use super::{Context, Trouble, refresh};

/// What a person asks for.
#[derive(Debug)]
pub struct Ask {
    /// All that is left when absent.
    pub amount: Option<MinorUnits>,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub actor: Actor,
    /// Key of the form or call.
    pub request_key: Option<String>,
}

/// Asks for a refund; when no second person is needed it is sent at once.
pub async fn request(
    context: &Context,
    id: OrderId,
    ask: Ask,
) -> Result<Result<Refund, Refusal>, Trouble> {
    let now = context.clock.now();
    let alone_max = context.rules.refund_alone_max;
    let refunds_all = context.mutants.has("refund_the_whole_order");
    let requested = context.store.decide(id, now, move |order: &mut Order| {
        let before = order.refunds.len();
        let actor = ask.actor.name.clone();
        let request = RefundRequest {
            amount: ask.amount.filter(|_| !refunds_all),
            reason: plain_text(&ask.reason),
            actor: ask.actor,
            request_key: ask.request_key.map(|key| HEXLOWER.encode(&sha256(key.as_bytes()))),
        };
        let refund = order.request_refund(request, alone_max, now)?.clone();
        let outcome = Outcome::of(refund.number);
        if order.refunds.len() == before {
            return Ok(outcome);
        }
        let amount = Money::new(refund.amount, order.total.currency);
        let waits = refund.state == RefundState::AwaitingApproval;
        let ending = if waits { "; a second person has to approve" } else { "" };
        let text = format!("Refund {} of {amount}: {}{ending}", refund.number, refund.reason);
        let entry = entry(&actor, "refund_requested", order.id, &text);
        Ok(outcome.noting(actor, text).audited(entry))
    });
    match requested.await?.ok_or(Trouble::NoOrder)? {
        Err(refusal) => Ok(Err(refusal)),
        Ok(number) => finish(context, id, number).await.map(Ok),
    }
}

/// A second person agrees or says no; an approved refund is sent at once.
pub async fn decide(
    context: &Context,
    id: OrderId,
    number: u32,
    actor: Actor,
    agrees: bool,
) -> Result<Result<Refund, Refusal>, Trouble> {
    let now = context.clock.now();
    let decided = context.store.decide(id, now, move |order: &mut Order| {
        order.decide_refund(number, &actor, agrees, now)?;
        let (word, action) =
            if agrees { ("approved", "refund_approved") } else { ("rejected", "refund_rejected") };
        let text = format!("Refund {number} {word}");
        let entry = entry(&actor.name, action, order.id, &text);
        Ok(Outcome::of(()).noting(actor.name, text).audited(entry))
    });
    match decided.await?.ok_or(Trouble::NoOrder)? {
        Err(refusal) => Ok(Err(refusal)),
        Ok(()) => finish(context, id, number).await.map(Ok),
    }
}

/// Sends a refund that is to be sent, and shows how it stands.
async fn finish(context: &Context, id: OrderId, number: u32) -> Result<Refund, Trouble> {
    send(context, id, number).await?;
    let mut stored = context.store.order(id).await?.ok_or(Trouble::NoOrder)?;
    stored.order.refund_mut(number).cloned().ok_or(Trouble::NoOrder)
}

/// What has to be sent.
struct Parcel {
    payment: PaymentId,
    amount: MinorUnits,
    reason: String,
    key: String,
}

/// Sends one refund under its key; the gateway makes it once. Unanswered, it is sent again later.
pub async fn send(context: &Context, id: OrderId, number: u32) -> Result<(), Trouble> {
    let Some(parcel) = claim(context, id, number).await? else { return Ok(()) };
    context.crash_points.reached("api", Boundary::Prepared);
    let Parcel { payment, amount, reason, key } = parcel;
    let event = match context.gateway.refund(id, payment, amount, &reason, &key).await {
        Ok(news) => event_of(news),
        Err(Failure::Refused { code, .. }) => Event::Refused { code },
        Err(Failure::Unknown(cause)) => {
            tracing::warn!(order.id = %id, refund.number = number, cause, "no answer yet");
            context.due.wake();
            return Ok(());
        }
    };
    let now = context.clock.now();
    let settled = context.store.decide(id, now, move |order: &mut Order| {
        let Some(refund) = order.refund_mut(number) else {
            return Ok::<_, Refusal>(Outcome::of(()));
        };
        let changed = refund.apply(event)?;
        refund.send_due_at = None;
        let text = format!("Refund {number}: {}", refund.state.as_str());
        // The payment tells how the refund goes on: it is read until the refund is decided.
        let pending = matches!(refund.state, RefundState::Pending { .. });
        if let Some(current) = order.payments.iter_mut().find(|it| it.id == Some(payment))
            && pending
        {
            current.read_due_at = Some(now.plus(current.patience(now)));
        }
        let outcome = Outcome::of(());
        Ok(if changed { outcome.noting("gateway", text) } else { outcome })
    });
    // A refusal: the refund was settled meanwhile by a notification.
    let _settled_before = settled.await?.ok_or(Trouble::NoOrder)?.is_err();
    context.crash_points.reached("api", Boundary::AnswerStored);
    refresh::refresh_current(context, id).await
}

/// Plans the next try before this one, so that a crash in between loses nothing.
async fn claim(context: &Context, id: OrderId, number: u32) -> Result<Option<Parcel>, Trouble> {
    let now = context.clock.now();
    let claimed = context.store.decide(id, now, move |order: &mut Order| {
        let State::Fulfilled { payment, .. } = order.state else {
            return Ok::<_, Refusal>(Outcome::of(None));
        };
        let Some(refund) = order.refund_mut(number) else { return Ok(Outcome::of(None)) };
        if refund.state != RefundState::Sending {
            refund.send_due_at = None;
            return Ok(Outcome::of(None));
        }
        refund.send_due_at = Some(now.plus(SEND_AGAIN_AFTER));
        Ok(Outcome::of(Some(Parcel {
            payment,
            amount: refund.amount,
            reason: refund.reason.clone(),
            key: refund.idempotency_key.clone(),
        })))
    });
    let parcel = claimed.await?.ok_or(Trouble::NoOrder)?.ok().flatten();
    context.due.wake();
    Ok(parcel)
}

fn event_of(news: RefundNews) -> Event {
    match news.outcome {
        RefundOutcome::Pending => Event::Accepted { id: news.id },
        RefundOutcome::Succeeded => Event::Succeeded { id: news.id },
        RefundOutcome::Failed => {
            Event::Failed { id: news.id, code: news.failure.unwrap_or_else(|| "failed".to_owned()) }
        }
    }
}

fn entry(actor: &str, action: &'static str, order: OrderId, detail: &str) -> Entry {
    Entry { actor: actor.to_owned(), action, subject: order.to_string(), detail: detail.to_owned() }
}
