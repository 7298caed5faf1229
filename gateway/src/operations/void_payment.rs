//! Giving authorized money back, or captured money that is still queued.

use wire::ids::{PaymentId, ReversalId};
use wire::money::MinorUnits;

use super::Context;
use super::failure::{Failure, Verb};
use super::idempotency::{Answered, Call};
use super::unit_of_work::{self, Answer};
use crate::domain::payment::Event;

/// Voids all that is left, or a part; the reversal is on its way when this returns.
pub async fn void(
    context: &Context,
    call: Call,
    id: PaymentId,
    amount: Option<MinorUnits>,
) -> Result<Answered, Failure> {
    let reversal = context.plumbing.ids.with(ReversalId::new);
    let at = context.plumbing.clock.now();
    let (answered, _) = unit_of_work::change(context, call, id, move |change| {
        change.apply(Event::Voided { amount, reversal, at }, Verb::Void)?;
        Ok(Answer::Payment)
    })
    .await?;
    Ok(answered)
}
