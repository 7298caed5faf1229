//! Asking for more money on an authorization that is open: the estimate was too low.

use rusqlite::Connection;
use wire::ids::{AttemptId, PaymentId, ReversalId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::Context;
use super::announce::Occasion;
use super::caps::{self, Asked};
use super::confirm_payment::{Begun, detach, follow, tell};
use super::failure::{Failure, Verb};
use super::idempotency::{self, Answered, Call, Claim};
use super::unit_of_work::Change;
use crate::domain::payment::{Event, Increment, Payment};
use crate::store::payments;
use crate::store::vault::{Opening, Purpose, open_card};

/// An increment as the merchant asks for it.
pub struct Incrementing {
    /// How much more.
    pub amount: MinorUnits,
    /// The outcome that the caller asks the sandbox for.
    pub sandbox_outcome: Option<String>,
}

/// Raises an authorization. The work goes on when the caller hangs up.
pub async fn increment(
    context: &Context,
    call: Call,
    id: PaymentId,
    incrementing: Incrementing,
) -> Result<Answered, Failure> {
    let (teller, told) = context.plumbing.activity.handover();
    let inner = context.clone();
    detach(context, async move {
        let sandbox_outcome = incrementing.sandbox_outcome;
        let paid = match begin(&inner, &call, id, incrementing.amount).await {
            Ok(begun) => follow(&inner, &call, begun, (None, None), sandbox_outcome).await,
            Err(failure) => Err(failure),
        };
        tell(&inner, &call, paid, teller).await;
    });
    told.wait().await.ok_or(Failure::Ending)?
}

/// The first unit of work: the attempt and the identity under which it is about to be sent.
async fn begin(
    context: &Context,
    call: &Call,
    id: PaymentId,
    amount: MinorUnits,
) -> Result<Begun, Failure> {
    let identity = context.identities.next().await?;
    let at = identity.transmission_at;
    let ids = &context.plumbing.ids;
    let merchant = &context.settings.keys.merchant;
    let mut new = Increment {
        id: ids.with(AttemptId::new),
        identity,
        reversal_id: ids.with(ReversalId::new),
        amount,
        category: merchant.mcc.clone(),
        country: merchant.country.clone(),
        over_cap: false,
        caller: None,
    };
    let (inner, call) = (context.clone(), call.clone());
    context
        .database
        .write(move |connection| {
            let context = &inner;
            match idempotency::claim(connection, &call, at)? {
                Claim::Go(row) => new.caller = row,
                Claim::Answered(status, body) => {
                    return idempotency::replay(context, status, body).map(Begun::Replayed);
                }
            }
            let stored =
                payments::load(connection, &call.merchant, &id)?.ok_or(Failure::PaymentNotFound)?;
            let occasion = Occasion { trace: call.trace, at };
            new.over_cap = over_cap(context, connection, &stored.payment, (amount, at))?;
            let mut change = Change::of(context, connection, stored, occasion);
            change.apply(Event::Incremented(new), Verb::Increment)?;
            let payment = &change.stored.payment;
            let attempt = payment.attempts.last().ok_or(Failure::Ending)?;
            let opening = Opening {
                token: attempt.card.token,
                merchant: payment.merchant,
                purpose: Purpose::Authorization,
                payment: Some(payment.id),
                now: at,
            };
            let opened = open_card(connection, &context.vault, &opening)?;
            Ok(Begun::Fresh(Box::new(change.save()?), Box::new(opened)))
        })
        .await
}

/// Looks at the caps before more is asked for.
fn over_cap(
    context: &Context,
    connection: &Connection,
    payment: &Payment,
    (amount, at): (MinorUnits, Timestamp),
) -> Result<bool, Failure> {
    // What the sum cannot hold is refused as an amount.
    let Some(sum) = payment.amounts.requested.checked_add(amount) else { return Ok(false) };
    let Some(base) = payment.authorizations().next() else { return Ok(false) };
    caps::check_payment(context, sum)?;
    let card = &base.card.fingerprint;
    caps::check_day(context, connection, &Asked { payment, card, amount, at, may_wait: true })
}
