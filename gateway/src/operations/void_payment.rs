//! Giving authorized money back, or captured money that is still queued.

use wire::ids::{PaymentId, ReversalId};
use wire::money::MinorUnits;

use super::Context;
use super::failure::{Failure, Verb};
use super::idempotency::{Answered, Call};
use super::unit_of_work::{self, Answer};
use crate::domain::payment::{Event, Payment, Refusal, State};
use crate::processor::{About, Outcome};
use crate::store::payments;

/// Voids all that is left, or a part; the reversal is on its way when this returns.
pub async fn void(
    context: &Context,
    call: Call,
    id: PaymentId,
    amount: Option<MinorUnits>,
) -> Result<Answered, Failure> {
    let submitted = is_submitted(context, &call, id).await?;
    let reversal = context.plumbing.ids.with(ReversalId::new);
    let at = context.plumbing.clock.now();
    let (answered, _) = unit_of_work::change(context, call, id, move |change| {
        if submitted && change.stored.payment.state == State::Captured {
            let refusal = Refusal::AlreadySubmitted;
            return Err(Failure::Refused { verb: Verb::Void, refusal });
        }
        change.apply(Event::Voided { amount, reversal, at }, Verb::Void)?;
        Ok(Answer::Payment)
    })
    .await?;
    Ok(answered)
}

/// Asks the processor whether a capture has left for clearing: only it knows its cut-off.
async fn is_submitted(context: &Context, call: &Call, id: PaymentId) -> Result<bool, Failure> {
    let merchant = call.merchant;
    let found =
        context.database.read(move |connection| payments::load(connection, &merchant, &id)).await?;
    let Some(payment) = found.map(|stored| stored.payment) else { return Ok(false) };
    if payment.state != State::Captured {
        return Ok(false);
    }
    ask(context, call, &payment).await
}

async fn ask(context: &Context, call: &Call, payment: &Payment) -> Result<bool, Failure> {
    for capture in payment.captures.iter().filter(|it| it.state.counts()) {
        let identity = context.identities.next().await?;
        let about = About { amount: capture.amount, ..About::payment(payment, call.trace) };
        match context.processor.is_submitted(&about, identity, capture).await {
            Outcome::Answered(true) => return Ok(true),
            Outcome::Answered(false) => {}
            Outcome::NotSent | Outcome::Unanswered => return Err(Failure::SubmissionUnknown),
        }
    }
    Ok(false)
}
