//! Sending reversals until they are acknowledged.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kit::crash_points::Boundary;
use kit::facts::TraceId;
use wire::ids::ReversalId;
use wire::time::Timestamp;

use super::Context;
use super::confirm_payment::detach;
use super::failure::Failure;
use super::timers::STEP_ROWS;
use super::unit_of_work::{self, Change};
use crate::domain::payment::{Event, Payment};
use crate::domain::reversal::{Reversal, ReversalEvent};
use crate::processor::Outcome;
use crate::store::payments::{self, Stored};
use crate::store::reversals;

/// Reversals sent at the same time.
const IN_FLIGHT_MAX: usize = 32;

/// How soon the loop looks again when a reversal has to wait for a message on its way.
const HELD_BACK: Duration = Duration::from_secs(1);

/// Sends what is due; says when the next one is.
pub async fn step(context: &Context) -> Option<Timestamp> {
    if context.planted("forget_reversals") {
        return None;
    }
    let timer = &context.timers.reversals;
    let look = timer.look();
    let now = context.plumbing.clock.now();
    let found = context
        .database
        .write(move |connection| -> Result<_, Failure> {
            let mut due = Vec::new();
            for (row, id) in reversals::due(connection, now, STEP_ROWS)? {
                due.extend(payments::load_row(connection, row)?.map(|stored| (stored, id)));
            }
            Ok((due, reversals::next_due(connection, now)?))
        })
        .await;
    let (due, next) = match found {
        Ok(found) => found,
        Err(failure) => {
            tracing::error!(%failure, "reversals that are due were not found");
            return None;
        }
    };
    let mut later = None;
    for (stored, id) in due {
        if context.running.reversals.is_running(&id) {
            continue;
        }
        if overtakes(context, &stored.payment) || !begin(context, stored, id) {
            later = Some(now.plus(HELD_BACK));
        }
    }
    let next = next.into_iter().chain(later).min();
    look.sleep_until(next);
    next
}

/// A capture on its way must not arrive after the reversal that takes it back.
fn overtakes(context: &Context, payment: &Payment) -> bool {
    if payment.captures.is_empty() {
        return false;
    }
    // Said before looking, so that a capture that ends in between wakes this loop.
    context.running.reversal_waits.store(true, Ordering::SeqCst);
    payment.captures.iter().any(|capture| context.running.captures.is_running(&capture.id))
}

fn begin(context: &Context, stored: Stored, id: ReversalId) -> bool {
    let Some(running) = context.running.reversals.begin(id, IN_FLIGHT_MAX) else { return false };
    let inner = context.clone();
    detach(context, async move {
        if let Err(failure) = send(&inner, stored.row, id).await {
            tracing::error!(reversal.id = %id, %failure, "a reversal was not recorded");
        }
        drop(running);
        inner.timers.reversals.wake().wake();
    });
    true
}

fn find(payment: &Payment, id: ReversalId) -> Option<&Reversal> {
    payment.reversals.iter().find(|reversal| reversal.id == id && reversal.is_open())
}

async fn send(context: &Context, row: i64, id: ReversalId) -> Result<(), Failure> {
    // It was due when this was begun; the send before may have been answered in between.
    let found = context.database.read(move |connection| payments::load_row(connection, row));
    let Some(stored) = found.await? else { return Ok(()) };
    let now = context.plumbing.clock.now();
    let is_due = |it: &&Reversal| it.due_at.is_some_and(|at| at <= now);
    let Some(reversal) = find(&stored.payment, id).filter(is_due) else { return Ok(()) };
    let trace = TraceId::new(&context.jitter);
    context.plumbing.crash_points.reached("reversal", Boundary::Prepared);
    let outcome = context.processor.reverse(&stored.payment, reversal, trace).await;
    let at = context.plumbing.clock.now();
    let event = Event::Reversal {
        id,
        event: match outcome {
            Outcome::Answered(code) => ReversalEvent::Answered(code, at),
            Outcome::NotSent | Outcome::Unanswered if context.planted("reverse_only_once") => {
                ReversalEvent::Answered(wire::codes::ResponseCode::APPROVED, at)
            }
            Outcome::NotSent | Outcome::Unanswered => ReversalEvent::Unanswered(at),
        },
        age_max: context.settings.timers.reversal_age_max,
        jitter_permille: context.jitter_permille(id, at),
    };
    let take_in = move |change: &mut Change<'_>| change.take_in(event);
    unit_of_work::in_background(context, stored.row, trace, take_in).await?;
    context.plumbing.crash_points.reached("reversal", Boundary::AnswerStored);
    Ok(())
}
