//! Giving up a payment that is not paid.

use wire::ids::PaymentId;

use super::Context;
use super::failure::{Failure, Verb};
use super::idempotency::{Answered, Call};
use super::unit_of_work::{self, Answer};
use crate::domain::payment::Event;

/// Cancels a payment that waits for a card.
pub async fn cancel(context: &Context, call: Call, id: PaymentId) -> Result<Answered, Failure> {
    let at = context.plumbing.clock.now();
    let (answered, _) = unit_of_work::change(context, call, id, move |change| {
        change.apply(Event::Canceled(at), Verb::Cancel)?;
        Ok(Answer::Payment)
    })
    .await?;
    Ok(answered)
}
