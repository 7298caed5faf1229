//! Sending captures: with the approval, and again until they are answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kit::crash_points::Boundary;
use kit::facts::TraceId;
use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use wire::codes::ResponseCode;
use wire::ids::CaptureId;
use wire::time::Timestamp;

use super::Context;
use super::confirm_payment::detach;
use super::failure::Failure;
use super::timers::{RunningGuard, STEP_ROWS};
use super::unit_of_work::{self, Change};
use crate::domain::capture::{Capture, CaptureState};
use crate::domain::payment::{Event, Payment};
use crate::processor::{About, CaptureMessage, Outcome};
use crate::store::{captures, payments};

/// How soon a loop looks again when too much is being sent at once.
const CROWDED: Duration = Duration::from_secs(1);

/// A capture to be sent.
pub struct Job {
    id: CaptureId,
    /// Row of the payment.
    row: i64,
    /// Number of the capture within its payment, 1 first.
    n: i64,
    due_at: Option<Timestamp>,
    message: CaptureMessage,
}

/// The captures of a payment, standing in `row`, that were never sent.
pub(super) fn jobs(payment: &Payment, row: i64, trace: TraceId) -> Vec<Job> {
    jobs_where(payment, row, trace, |capture| capture.tries == 0)
}

fn jobs_where(
    payment: &Payment,
    row: i64,
    trace: TraceId,
    wanted: impl Fn(&Capture) -> bool,
) -> Vec<Job> {
    let pending = (1_i64..).zip(&payment.captures);
    pending
        .filter(|(_, capture)| capture.state == CaptureState::Pending && wanted(capture))
        .filter_map(|(n, capture)| {
            let attempt = payment.authorizations().find(|it| it.id == capture.attempt)?;
            Some((n, capture, attempt))
        })
        .map(|(n, capture, attempt)| Job {
            id: capture.id,
            row,
            n,
            due_at: capture.due_at,
            message: CaptureMessage {
                about: About { amount: capture.amount, ..About::payment(payment, trace) },
                identity: capture.identity,
                original: attempt.identity,
                tries: capture.tries,
                authorized: attempt.approved,
                auth_code: attempt.auth_code.clone(),
                network_transaction_id: payment.network_id_of(attempt),
            },
        })
        .collect()
}

/// Sends captures that were just made, each one once; what cannot be sent now is left to the
/// loop.
pub(super) async fn send_all(context: &Context, jobs: Vec<Job>) {
    for job in jobs {
        match begin(context, job.id) {
            Some(running) => send(context, job, running).await,
            None => context.timers.captures.note(job.due_at),
        }
    }
}

fn begin(context: &Context, id: CaptureId) -> Option<RunningGuard<CaptureId>> {
    context.running.captures.begin(id, context.settings.limits.captures_in_flight_max)
}

async fn send(context: &Context, job: Job, running: RunningGuard<CaptureId>) {
    context.plumbing.crash_points.reached("capture", Boundary::Prepared);
    if context.planted("never_send_captures") {
        return drop(running);
    }
    let mut outcome = context.processor.capture(&job.message).await;
    if context.planted("capture_twice")
        && let Ok(identity) = context.identities.next().await
    {
        let again = CaptureMessage { identity, ..job.message.clone() };
        outcome = context.processor.capture(&again).await;
    }
    let stored = record(context, &job, outcome).await;
    drop(running);
    if context.running.reversal_waits.swap(false, Ordering::SeqCst) {
        context.timers.reversals.wake().wake();
    }
    match stored {
        Ok(()) => context.plumbing.crash_points.reached("capture", Boundary::AnswerStored),
        Err(failure) => {
            tracing::error!(capture.id = %job.id, %failure, "a capture was not recorded");
            context.timers.captures.note(job.due_at);
        }
    }
    context.captures_settled.send_modify(|count| *count = count.wrapping_add(1));
}

async fn record(
    context: &Context,
    job: &Job,
    outcome: Outcome<ResponseCode>,
) -> Result<(), Failure> {
    let at = context.plumbing.clock.now();
    let (id, row, n) = (job.id, job.row, job.n);
    let event = match outcome {
        Outcome::Answered(code) if code.approves() => {
            // The way of nearly every capture: one statement instead of a payment.
            let accept = move |connection: &Connection| captures::accept(connection, row, n);
            context.database.stage::<_, DatabaseError, _>(accept).await?;
            return Ok(());
        }
        Outcome::Answered(code) if is_refusal(code) => Event::CaptureRefused(id),
        Outcome::Unanswered if context.planted("give_up_captures") => Event::CaptureRefused(id),
        Outcome::Answered(_) | Outcome::NotSent | Outcome::Unanswered => {
            let jitter_permille = context.jitter_permille(id, at);
            Event::CaptureUnanswered { id, at, jitter_permille }
        }
    };
    let take_in = move |change: &mut Change<'_>| change.take_in(event);
    unit_of_work::in_background(context, row, job.message.about.trace, take_in).await?;
    Ok(())
}

/// Whether a code says that the capture will never be taken; others are tried again.
fn is_refusal(code: ResponseCode) -> bool {
    use wire::codes::CodeClass;
    let retried = code == ResponseCode::RESPONSE_TOO_LATE;
    match code.info().map(|info| info.class) {
        Some(CodeClass::Technical | CodeClass::Approve) | None => false,
        Some(
            CodeClass::Hard
            | CodeClass::Soft
            | CodeClass::Data
            | CodeClass::Authenticate
            | CodeClass::Merchant
            | CodeClass::Reply,
        ) => !retried,
    }
}

/// Sends what is due; says when the next one is.
pub async fn step(context: &Context) -> Option<Timestamp> {
    let timer = &context.timers.captures;
    let look = timer.look();
    let now = context.plumbing.clock.now();
    let due = context
        .database
        .write(move |connection| -> Result<_, Failure> {
            let mut found = Vec::new();
            for (row, _) in captures::due(connection, now, STEP_ROWS)? {
                found.extend(payments::load_row(connection, row)?);
            }
            Ok((found, captures::next_due(connection, now)?))
        })
        .await;
    let (due, next) = match due {
        Ok(found) => found,
        Err(failure) => {
            tracing::error!(%failure, "captures that are due were not found");
            return None;
        }
    };
    let mut crowded = None;
    for stored in due {
        let trace = TraceId::new(&context.jitter);
        let is_due = |capture: &Capture| capture.due_at.is_some_and(|at| at <= now);
        for job in jobs_where(&stored.payment, stored.row, trace, is_due) {
            let Some(running) = begin(context, job.id) else {
                crowded = Some(now.plus(CROWDED));
                continue;
            };
            let inner = context.clone();
            detach(context, async move {
                send(&inner, job, running).await;
                inner.timers.captures.wake().wake();
            });
        }
    }
    let next = next.into_iter().chain(crowded).min();
    look.sleep_until(next);
    next
}
