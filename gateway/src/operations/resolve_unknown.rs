//! Finding out what became of an authorization that was not answered.

use std::time::Duration;

use kit::crash_points::Boundary;
use kit::facts::TraceId;
use wire::time::Timestamp;

use super::confirm_payment::{detach, new_captures};
use super::failure::Failure;
use super::unit_of_work::{self, Change};
use super::{Context, send_capture};
use crate::domain::payment::Event;
use crate::processor::{About, Found, Outcome};
use crate::store::payments::Stored;

/// Inquiries sent at the same time.
const IN_FLIGHT_MAX: usize = 32;

/// How soon the loop looks again when too many inquiries are on their way.
const CROWDED: Duration = Duration::from_secs(1);

/// Begins an inquiry for each payment; says when to look again if not all could be begun.
pub(super) fn begin(context: &Context, searching: Vec<Stored>) -> Option<Timestamp> {
    let mut crowded = None;
    for stored in searching {
        let inquiries = &context.running.inquiries;
        if inquiries.is_running(&stored.payment.id) {
            continue;
        }
        let Some(running) = inquiries.begin(stored.payment.id, IN_FLIGHT_MAX) else {
            crowded = Some(context.plumbing.clock.now().plus(CROWDED));
            continue;
        };
        let inner = context.clone();
        detach(context, async move {
            if let Err(failure) = inquire(&inner, &stored).await {
                tracing::error!(payment.id = %stored.payment.id, %failure, "inquiry failed");
            }
            drop(running);
            inner.timers.payments.wake().wake();
        });
    }
    crowded
}

async fn inquire(context: &Context, stored: &Stored) -> Result<(), Failure> {
    let payment = &stored.payment;
    let Some(attempt) = payment.attempts.last() else { return Ok(()) };
    let trace = TraceId::new(&context.jitter);
    let identity = context.identities.next().await?;
    context.plumbing.crash_points.reached("inquiry", Boundary::Prepared);
    let about = About::payment(payment, trace);
    let outcome = if context.planted("never_inquire") {
        Outcome::Unanswered
    } else {
        context.processor.inquire(&about, identity, attempt.identity, None).await
    };
    let (capture, more) = new_captures(context, payment).await?;
    let at = context.plumbing.clock.now();
    let event = match outcome {
        Outcome::Answered(Found::Answer(answer)) => {
            let answer = answer.taken_in(at);
            Event::Answered { attempt: attempt.id, answer, capture, more }
        }
        Outcome::Answered(Found::StillOpen) => Event::StillOpen(at),
        Outcome::Answered(Found::Nothing) | Outcome::NotSent | Outcome::Unanswered => {
            Event::NothingFound(at)
        }
    };
    let row = stored.row;
    let take_in = move |change: &mut Change<'_>| change.take_in(event);
    let changed = unit_of_work::in_background(context, row, trace, take_in).await?;
    context.plumbing.crash_points.reached("inquiry", Boundary::AnswerStored);
    if let Some(payment) = changed {
        let jobs = send_capture::jobs(&payment, row, trace);
        send_capture::send_all(context, jobs).await;
    }
    Ok(())
}
