//! Finding out what became of a refund that was not answered: asked after, or sent again under
//! the same identity.

use std::time::Duration;

use kit::crash_points::Boundary;
use kit::facts::TraceId;
use wire::ids::RefundId;
use wire::time::Timestamp;

use super::Context;
use super::confirm_payment::detach;
use super::failure::Failure;
use super::refund_payment::{card_of, outcome_event, record};
use super::timers::STEP_ROWS;
use crate::domain::refund::{Refund, RefundEvent, RefundState};
use crate::processor::{About, Found, Outcome};
use crate::store::payments::{self, Stored};
use crate::store::refunds;

/// Refunds asked after at the same time.
const IN_FLIGHT_MAX: usize = 32;

/// How soon the loop looks again when too many are asked after.
const CROWDED: Duration = Duration::from_secs(1);

/// Asks after what is due; says when the next one is.
pub async fn step(context: &Context) -> Option<Timestamp> {
    let timer = &context.timers.refunds;
    let look = timer.look();
    let now = context.plumbing.clock.now();
    let found = context
        .database
        .write(move |connection| -> Result<_, Failure> {
            let mut due = Vec::new();
            for (row, id) in refunds::due(connection, now, STEP_ROWS)? {
                due.extend(payments::load_row(connection, row)?.map(|stored| (stored, id)));
            }
            Ok((due, refunds::next_due(connection, now)?))
        })
        .await;
    let (due, next) = match found {
        Ok(found) => found,
        Err(failure) => {
            tracing::error!(%failure, "refunds that are due were not found");
            return None;
        }
    };
    let mut crowded = None;
    for (stored, id) in due {
        if !context.running.refunds.is_running(&id) && !begin(context, stored, id) {
            crowded = Some(now.plus(CROWDED));
        }
    }
    let next = next.into_iter().chain(crowded).min();
    look.sleep_until(next);
    next
}

fn begin(context: &Context, stored: Stored, id: RefundId) -> bool {
    let Some(running) = context.running.refunds.begin(id, IN_FLIGHT_MAX) else { return false };
    let inner = context.clone();
    detach(context, async move {
        if let Err(failure) = find_out(&inner, stored, id).await {
            tracing::error!(refund.id = %id, %failure, "a refund was not found out");
        }
        drop(running);
        inner.timers.refunds.wake().wake();
    });
    true
}

async fn find_out(context: &Context, stored: Stored, id: RefundId) -> Result<(), Failure> {
    let found = stored.payment.refunds.iter().find(|refund| refund.id == id);
    let Some(refund) = found.cloned() else { return Ok(()) };
    let trace = TraceId::new(&context.jitter);
    let event = match refund.state {
        // It was left behind by a call that came to no end.
        RefundState::Authorizing => {
            let at = context.plumbing.clock.now();
            RefundEvent::Unanswered { at, jitter_permille: context.jitter_permille(id, at) }
        }
        RefundState::Unknown => ask(context, &stored, refund, trace).await?,
        RefundState::Queued | RefundState::Failed | RefundState::Reversed => return Ok(()),
    };
    record(context, stored.row, id, event, trace).await?;
    context.plumbing.crash_points.reached("refund", Boundary::AnswerStored);
    Ok(())
}

async fn ask(
    context: &Context,
    stored: &Stored,
    refund: Refund,
    trace: TraceId,
) -> Result<RefundEvent, Failure> {
    let identity = context.identities.next().await?;
    let about = About::refund(&stored.payment, &refund, trace);
    let outcome = context.processor.inquire(&about, identity, refund.identity, None).await;
    let at = context.plumbing.clock.now();
    match outcome {
        Outcome::Answered(Found::Answer(answer)) => {
            Ok(RefundEvent::Answered(Box::new(answer.taken_in(at))))
        }
        // Not known there: sent again, as the same message.
        Outcome::Answered(Found::Nothing) => repeat(context, stored, refund, trace).await,
        Outcome::Answered(Found::StillOpen) | Outcome::NotSent | Outcome::Unanswered => {
            let jitter_permille = context.jitter_permille(refund.id, at);
            Ok(RefundEvent::Unanswered { at, jitter_permille })
        }
    }
}

async fn repeat(
    context: &Context,
    stored: &Stored,
    refund: Refund,
    trace: TraceId,
) -> Result<RefundEvent, Failure> {
    let (inner, payment, same) = (context.clone(), stored.payment.clone(), refund.clone());
    let at = context.plumbing.clock.now();
    let card = context
        .database
        .write(move |connection| card_of(&inner, connection, &payment, &same, at))
        .await?;
    let outcome = context.processor.refund(&stored.payment, &refund, card, trace).await;
    Ok(match outcome {
        // A repeat that was not sent says nothing about what was sent before.
        Outcome::NotSent => outcome_event(context, refund.id, Outcome::Unanswered),
        Outcome::Answered(_) | Outcome::Unanswered => outcome_event(context, refund.id, outcome),
    })
}
