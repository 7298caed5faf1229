//! The step before listening: what a crash has left half done is taken up again.

use kit::facts::TraceId;
use rusqlite::Connection;
use wire::time::Timestamp;

use super::announce::Occasion;
use super::failure::Failure;
use super::refund_payment::answer_caller;
use super::unit_of_work::change_row;
use super::{Context, caps};
use crate::domain::payment::Event;
use crate::domain::refund::RefundEvent;
use crate::store::{captures, payments, refunds};

/// What was found half done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Authorizations whose outcome is not known.
    pub payments: usize,
    /// Refunds whose outcome is not known.
    pub refunds: usize,
    /// Captures that are sent again.
    pub captures: usize,
}

/// Marks as unknown what may have been sent, answers the calls that waited for it, and makes
/// captures due.
pub async fn recover(context: &Context) -> Result<Recovered, Failure> {
    let at = context.plumbing.clock.now();
    let inner = context.clone();
    let recovered =
        context.database.write(move |connection| take_up(&inner, connection, at)).await?;
    if recovered != Recovered::default() {
        let Recovered { payments, refunds, captures } = recovered;
        tracing::warn!(payments, refunds, captures, "taken up again after a crash");
    }
    Ok(recovered)
}

fn take_up(
    context: &Context,
    connection: &Connection,
    at: Timestamp,
) -> Result<Recovered, Failure> {
    let mut recovered = Recovered::default();
    caps::count_anew(context, connection, at)?;
    for row in payments::processing(connection)? {
        let occasion = Occasion { trace: TraceId::new(&context.jitter), at };
        let lost = change_row(context, connection, row, occasion, |change| {
            let attempt = change.stored.payment.attempts.last().map(|attempt| attempt.id);
            match attempt {
                Some(attempt) => change.take_in(Event::Unanswered { attempt, at }),
                None => Ok(false),
            }
        })?;
        recovered.payments = recovered.payments.saturating_add(usize::from(lost.is_some()));
    }
    for (row, id) in refunds::authorizing(connection)? {
        let occasion = Occasion { trace: TraceId::new(&context.jitter), at };
        let event = RefundEvent::Unanswered { at, jitter_permille: 0 };
        let lost = change_row(context, connection, row, occasion, |change| {
            let taken = change.take_in(Event::Refund { id, event, at })?;
            answer_caller(change, id)?;
            Ok(taken)
        })?;
        recovered.refunds = recovered.refunds.saturating_add(usize::from(lost.is_some()));
    }
    recovered.captures = captures::make_due(connection, at)?;
    Ok(recovered)
}
