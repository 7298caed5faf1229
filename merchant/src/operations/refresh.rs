//! Asking the gateway: makes a payment that was begun, reads one that exists, takes the answer in.

use std::time::Duration;

use bytes::Bytes;
use kit::crash_points::Boundary;
use wire::ids::{OrderId, PaymentId};
use wire::money::MinorUnits;

use crate::domain::order::{Attention, Effect, Mismatch, Order};
use crate::domain::payment::{Source, Status};
use crate::gateway::{Failure, Shown};
use crate::store::orders::Outcome;

use super::{Context, Trouble};

/// How long a form that was sent in time may be on its way.
const FORM_TRAVELS: Duration = Duration::from_mins(1);

/// How a payment stands after the gateway was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// It can be paid here.
    Open {
        /// The payment page.
        checkout_url: String,
    },
    /// It is with the bank, or approved.
    Busy,
    /// It has ended: paid, canceled, expired, failed, or never made.
    Ended,
    /// It waits for the customer to send the sealed form.
    Sealed,
    /// The gateway did not answer; it will be asked again.
    Unreachable,
}

/// What to ask the gateway.
enum Question {
    Create {
        key: String,
        request: Vec<u8>,
        amount: MinorUnits,
    },
    Read {
        id: PaymentId,
        since: u64,
    },
    /// Made by a form that the customer sends: is it there yet?
    Find {
        /// The nonce of its seal.
        key: String,
        /// The form cannot be sent any more, nor be on its way.
        is_over: bool,
    },
    Nothing,
}

/// Asks the gateway about one payment of an order and takes the answer in.
pub async fn refresh(context: &Context, id: OrderId, number: u32) -> Result<Refreshed, Trouble> {
    let question = ask(context, id, number).await?;
    if context.mutants.has("never_read_payments") && matches!(question, Question::Read { .. }) {
        return Ok(Refreshed::Busy);
    }
    let is_over = matches!(question, Question::Find { is_over: true, .. });
    let (answer, since) = match question {
        Question::Nothing => return Ok(Refreshed::Ended),
        Question::Create { key, request, amount } => {
            context.crash_points.reached("api", Boundary::Prepared);
            let body = Bytes::from(request);
            (context.gateway.create_payment(id, amount, body, &key).await, 0)
        }
        Question::Find { key, .. } => match context.gateway.payment_of_order(id).await {
            Ok(Some(shown)) if shown.snapshot.idempotency_key.as_ref() == Some(&key) => {
                (Ok(shown), 0)
            }
            Ok(_) if is_over => {
                give_up(context, id, number, "form_expired".to_owned()).await?;
                return Ok(Refreshed::Ended);
            }
            Ok(_) => return Ok(Refreshed::Sealed),
            Err(failure) => (Err(failure), 0),
        },
        Question::Read { id: payment, since } => {
            (context.gateway.payment(id, payment).await, since)
        }
    };
    match answer {
        Ok(shown) => match take_in(context, id, number, shown, since).await? {
            // What does not fit the order never will: the form cannot be sent again.
            Refreshed::Unreachable if is_over => {
                give_up(context, id, number, "form_differs".to_owned()).await
            }
            refreshed => Ok(refreshed),
        },
        Err(Failure::Unknown(cause)) => {
            tracing::warn!(order.id = %id, payment.number = number, cause, "no answer yet");
            context.due.wake();
            Ok(Refreshed::Unreachable)
        }
        Err(Failure::Refused { status, code, detail }) => {
            tracing::warn!(order.id = %id, status, code, detail, "the gateway refused");
            give_up(context, id, number, code).await
        }
    }
}

/// Plans the next question before this one is asked, so that a crash in between loses nothing.
async fn ask(context: &Context, id: OrderId, number: u32) -> Result<Question, Trouble> {
    let now = context.clock.now();
    let asked = context.store.decide(id, now, move |order: &mut Order| {
        let amount = order.total.value;
        let Some(payment) = order.payment_mut(number) else {
            return Ok::<_, Trouble>(Outcome::of(Question::Nothing));
        };
        let question = match (payment.id, payment.status) {
            (Some(id), _) => Question::Read { id, since: payment.sequence },
            (None, Status::Creating) if payment.request.is_empty() => Question::Find {
                key: payment.idempotency_key.clone(),
                is_over: now >= payment.form_expires_at().plus(FORM_TRAVELS),
            },
            (None, Status::Creating) => Question::Create {
                key: payment.idempotency_key.clone(),
                request: payment.request.clone(),
                amount,
            },
            (None, _) => {
                payment.read_due_at = None;
                Question::Nothing
            }
        };
        if payment.status.is_open() || payment.read_due_at.is_some_and(|due| due <= now) {
            payment.read_due_at = Some(now.plus(payment.patience(now)));
        }
        Ok(Outcome::of(question))
    });
    let question = asked.await?.ok_or(Trouble::NoOrder)??;
    context.due.wake();
    Ok(question)
}

async fn take_in(
    context: &Context,
    id: OrderId,
    number: u32,
    shown: Shown,
    since: u64,
) -> Result<Refreshed, Trouble> {
    let now = context.clock.now();
    let snapshot = shown.snapshot;
    let taken = context.store.decide(id, now, move |order: &mut Order| {
        let before = order.status();
        let outcome = match order.observe(&snapshot, Source::Read { since }, now) {
            Ok(seen) => Outcome::of(()).with_effects(seen.effects),
            Err(mismatch) => mismatched(order, number, mismatch),
        };
        let outcome = if order.status() == before {
            outcome
        } else {
            let text = format!("{} → {}", before.as_str(), order.status().as_str());
            outcome.noting("read from the gateway", text)
        };
        let status = order.payment(number).map(|payment| payment.status);
        Ok::<_, Trouble>(Outcome {
            value: status,
            effects: outcome.effects,
            history: outcome.history,
            audit: None,
        })
    });
    let status = taken.await?.ok_or(Trouble::NoOrder)??;
    context.crash_points.reached("api", Boundary::AnswerStored);
    context.due.wake();
    Ok(match (status, shown.checkout_url) {
        (Some(Status::Open), Some(checkout_url)) if is_web_address(&checkout_url) => {
            Refreshed::Open { checkout_url }
        }
        (Some(Status::Creating), _) => Refreshed::Unreachable,
        (Some(Status::Open | Status::Checking | Status::Authorized), _) => Refreshed::Busy,
        (
            None
            | Some(
                Status::Captured
                | Status::CaptureFailed
                | Status::Canceled
                | Status::Expired
                | Status::Failed
                | Status::Refused,
            ),
            _,
        ) => Refreshed::Ended,
    })
}

/// An answer that does not fit the order changes nothing but calls for a person.
fn mismatched(order: &mut Order, number: u32, mismatch: Mismatch) -> Outcome<()> {
    tracing::error!(order.id = %order.id, payment.number = number, %mismatch, "answer refused");
    let attention = match mismatch {
        Mismatch::Captured | Mismatch::Amount | Mismatch::Currency => Attention::AmountDiffers,
        Mismatch::Order | Mismatch::Payment | Mismatch::Refunded => Attention::AnswerDiffers,
    };
    let first = order.attention != Some(attention);
    order.attention = Some(attention);
    let effects = if first { vec![Effect::Flag(attention)] } else { vec![] };
    Outcome::of(()).with_effects(effects)
}

/// The gateway refused for good: the payment was never made, or is not to be read.
async fn give_up(
    context: &Context,
    id: OrderId,
    number: u32,
    code: String,
) -> Result<Refreshed, Trouble> {
    let now = context.clock.now();
    let refused = context.store.decide(id, now, move |order: &mut Order| {
        let Some(payment) = order.payment_mut(number) else {
            return Ok::<_, Trouble>(Outcome::of(()));
        };
        if payment.status != Status::Creating {
            return Ok(Outcome::of(()));
        }
        payment.status = Status::Refused;
        payment.decline_code = Some(code.clone());
        payment.read_due_at = None;
        Ok(Outcome::of(()).noting("gateway", format!("Refused to make payment {number}: {code}")))
    });
    refused.await?.ok_or(Trouble::NoOrder)??;
    Ok(Refreshed::Unreachable)
}

fn is_web_address(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// Reads the current payment of an order, if there is one that may have news.
pub async fn refresh_current(context: &Context, id: OrderId) -> Result<(), Trouble> {
    let stored = context.store.order(id).await?.ok_or(Trouble::NoOrder)?;
    if let Some(payment) = stored.order.current() {
        refresh(context, id, payment.number).await?;
    }
    Ok(())
}
