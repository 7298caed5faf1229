//! One unit of work: load, decide, save; with its events and its answer in one transaction.

use rusqlite::Connection;
use wire::gateway_api::PaymentStatus;
use wire::ids::{PaymentId, RefundId};

use super::announce::{self, Occasion};
use super::failure::{Failure, Verb, refused};
use super::idempotency::{self, Answered, Call, Claim};
use super::{Context, caps, view};
use crate::domain::payment::{Decision, Event, Payment, State};
use crate::store::idempotency::{Shown, answer};
use crate::store::payments::{self, Stored};

/// A payment that is being changed.
pub(super) struct Change<'a> {
    pub context: &'a Context,
    pub connection: &'a Connection,
    pub stored: Stored,
    before: Payment,
    occasion: Occasion,
    /// Row of the last event.
    pub event: Option<i64>,
}

impl<'a> Change<'a> {
    /// Begins with a payment as it is stored.
    pub fn of(
        context: &'a Context,
        connection: &'a Connection,
        stored: Stored,
        occasion: Occasion,
    ) -> Self {
        let before = stored.payment.clone();
        Self { context, connection, stored, before, occasion, event: None }
    }

    /// Takes an event into the payment and writes what it announces.
    pub fn apply(&mut self, event: Event, verb: Verb) -> Result<(), Failure> {
        let previous = view::status(self.stored.payment.state);
        let decision = self.stored.payment.apply(event, &self.context.policy);
        self.announce(previous, decision, verb)
    }

    fn announce(
        &mut self,
        previous: PaymentStatus,
        decision: Decision,
        verb: Verb,
    ) -> Result<(), Failure> {
        let effects = decision.map_err(refused(verb))?;
        let event = announce::effects(
            self.context,
            self.connection,
            &mut self.stored.payment,
            Some(previous),
            &effects,
            self.occasion,
        )?;
        self.event = event.or(self.event);
        Ok(())
    }

    /// Takes in what happened in the background. What nobody waits for any more is no failure.
    pub fn take_in(&mut self, event: Event) -> Result<bool, Failure> {
        match self.apply(event, Verb::Confirm) {
            Ok(()) => Ok(true),
            Err(Failure::Refused { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Answers the call that waits for the outcome of the running attempt, if one does.
    pub fn answer_caller(&mut self) -> Result<(), Failure> {
        let state = self.stored.payment.state;
        if matches!(state, State::Processing | State::Authenticating) {
            return Ok(());
        }
        if let (Some(event), Some(caller)) = (self.event, self.stored.payment.caller) {
            answer(self.connection, caller, Shown::Payment, event)?;
            self.stored.payment.caller = None;
        }
        Ok(())
    }

    /// Writes what has changed.
    pub fn save(self) -> Result<Stored, Failure> {
        payments::save(self.connection, self.stored.row, &self.before, &self.stored.payment)?;
        caps::count(self.context, self.connection, &self.before, &self.stored.payment)?;
        Ok(self.stored)
    }
}

/// What a call is answered with.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// The payment.
    Payment,
    /// A refund of it.
    Refund(RefundId),
}

/// Changes one payment for a call, in one transaction with its events and its answer. Gives back
/// the payment's row too, when it was changed.
pub(super) async fn change<F>(
    context: &Context,
    call: Call,
    id: PaymentId,
    decide: F,
) -> Result<(Answered, Option<i64>), Failure>
where
    F: FnOnce(&mut Change<'_>) -> Result<Answer, Failure> + Send + 'static,
{
    let now = context.plumbing.clock.now();
    let (inner, work_call) = (context.clone(), call.clone());
    let done = context
        .database
        .write(move |connection| {
            let context = &inner;
            let row = match idempotency::claim(connection, &work_call, now)? {
                Claim::Go(row) => row,
                Claim::Answered(status, body) => {
                    return Ok((idempotency::replay(context, status, body)?, None));
                }
            };
            let stored = payments::load(connection, &work_call.merchant, &id)?
                .ok_or(Failure::PaymentNotFound)?;
            let occasion = Occasion { trace: work_call.trace, at: now };
            let mut change = Change::of(context, connection, stored, occasion);
            let answer = decide(&mut change)?;
            store_answer(connection, row, change.event, answer)?;
            let Stored { row, payment } = change.save()?;
            let payment = Box::new(payment);
            let answered = match answer {
                Answer::Payment => Answered::Payment(payment),
                Answer::Refund(id) => Answered::Refund(payment, id),
            };
            Ok((answered, Some(row)))
        })
        .await;
    match done {
        Ok((answered, row)) => {
            if let Answered::Payment(payment) | Answered::Refund(payment, _) = &answered {
                committed(context, payment);
            }
            Ok((answered, row))
        }
        Err(failure) => Ok((idempotency::keep(context, &call, failure).await?, None)),
    }
}

pub(super) fn store_answer(
    connection: &Connection,
    row: Option<i64>,
    event: Option<i64>,
    given: Answer,
) -> Result<(), Failure> {
    let (Some(row), Some(event)) = (row, event) else { return Ok(()) };
    let shown = match given {
        Answer::Payment => Shown::Payment,
        Answer::Refund(_) => Shown::Refund,
    };
    Ok(answer(connection, row, shown, event)?)
}

/// After a commit: wakes whoever has something to do because of it.
pub(super) fn committed(context: &Context, payment: &Payment) {
    context.notifier.wake();
    let timers = &context.timers;
    timers.payments.note(payment.due_at);
    // A capture that was never tried is being sent already, unless its sender says otherwise.
    let captures = payment.captures.iter().filter(|it| it.tries > 0);
    timers.captures.note(captures.filter_map(|it| it.due_at).min());
    timers.reversals.note(payment.reversals.iter().filter_map(|it| it.due_at).min());
    let open = payment.open_authentication();
    timers.authentications.note(open.and_then(|it| it.due_at));
    timers.refunds.note(payment.refunds.iter().filter_map(|it| it.due_at).min());
}

/// Changes one payment in the background, in one transaction with its events.
///
/// None when the payment was not changed.
pub(super) async fn in_background<F>(
    context: &Context,
    row: i64,
    trace: kit::facts::TraceId,
    decide: F,
) -> Result<Option<Payment>, Failure>
where
    F: FnOnce(&mut Change<'_>) -> Result<bool, Failure> + Send + 'static,
{
    let at = context.plumbing.clock.now();
    let inner = context.clone();
    let saved = context
        .database
        .write(move |connection| {
            change_row(&inner, connection, row, Occasion { trace, at }, decide)
        })
        .await?;
    if let Some(payment) = &saved {
        committed(context, payment);
    }
    Ok(saved)
}

/// Changes the payment of a row, inside a transaction.
pub(super) fn change_row(
    context: &Context,
    connection: &Connection,
    row: i64,
    occasion: Occasion,
    decide: impl FnOnce(&mut Change<'_>) -> Result<bool, Failure>,
) -> Result<Option<Payment>, Failure> {
    let Some(stored) = payments::load_row(connection, row)? else { return Ok(None) };
    let mut change = Change::of(context, connection, stored, occasion);
    if !decide(&mut change)? {
        return Ok(None);
    }
    change.answer_caller()?;
    Ok(Some(change.save()?.payment))
}
