//! Taking authorized money, all or a part.

use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use wire::ids::{CaptureId, PaymentId, ReversalId};
use wire::money::MinorUnits;

use super::confirm_payment::{detach, new_capture};
use super::failure::{Failure, Verb};
use super::idempotency::{Answered, Call};
use super::unit_of_work::{self, Answer};
use super::{Context, send_capture};
use crate::domain::payment::{CaptureRequest, Event, NewCapture};
use crate::store::payments;

/// How much is to be captured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capturing {
    /// All that is left when absent.
    pub amount: Option<MinorUnits>,
    /// Give the rest back; by default when the capture takes all.
    pub is_final: Option<bool>,
}

/// Captures, and sends the capture without waiting for its answer.
pub async fn capture(
    context: &Context,
    call: Call,
    id: PaymentId,
    capturing: Capturing,
) -> Result<Answered, Failure> {
    let identity = context.identities.next().await?;
    let ids = &context.plumbing.ids;
    let mut more = Vec::new();
    // Where several cards paid, each has its own capture.
    let read = move |connection: &Connection| payments::authorizations(connection, &id);
    let cards = context.database.read::<_, DatabaseError, _>(read).await?;
    for _ in 1..cards {
        more.push(new_capture(context).await?);
    }
    let event = Event::Captured(CaptureRequest {
        capture: NewCapture { id: ids.with(CaptureId::new), identity },
        more,
        amount: capturing.amount.filter(|_| !context.planted("capture_everything")),
        is_final: capturing.is_final.filter(|_| !context.planted("forget_what_is_final")),
        reversal: ids.with(ReversalId::new),
    });
    let trace = call.trace;
    let (answered, row) = unit_of_work::change(context, call, id, move |change| {
        change.apply(event, Verb::Capture)?;
        Ok(Answer::Payment)
    })
    .await?;
    if let (Answered::Payment(payment), Some(row)) = (&answered, row) {
        let jobs = send_capture::jobs(payment, row, trace);
        let inner = context.clone();
        detach(context, async move { send_capture::send_all(&inner, jobs).await });
    }
    Ok(answered)
}
