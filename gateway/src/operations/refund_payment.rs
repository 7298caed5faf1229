//! Giving captured money back, and taking such a refund back before the cut-off.

use kit::crash_points::Boundary;
use wire::ids::{PaymentId, RefundId, ReversalId};
use wire::money::MinorUnits;

use super::announce::Occasion;
use super::confirm_payment::detach;
use super::create_payment::text;
use super::failure::{Failure, Verb};
use super::idempotency::{self, Answered, Call, Claim};
use super::unit_of_work::{Answer, Change, committed};
use super::{Context, unit_of_work};
use crate::domain::answer::Answer as Answered0110;
use crate::domain::payment::{Event, Payment, Refusal};
use crate::domain::refund::{NewRefund, Refund, RefundEvent, RefundState};
use crate::processor::{About, CardForMessage, Outcome};
use crate::store::idempotency::{Shown, answer as answer_key};
use crate::store::payments::{self, Stored};
use crate::store::vault::{Opening, Purpose, open_card};
use crate::store::{cases, idempotency as keys, refunds};

const REASON_CHARACTERS_MAX: usize = 200;

/// How much is to be refunded.
#[derive(Clone, Debug, Default)]
pub struct Refunding {
    /// All that is left when absent.
    pub amount: Option<MinorUnits>,
    /// The merchant's reason.
    pub reason: Option<String>,
}

/// Refunds. The work goes on when the caller hangs up.
pub async fn refund(
    context: &Context,
    call: Call,
    id: PaymentId,
    refunding: Refunding,
) -> Result<Answered, Failure> {
    let mut refunding = refunding;
    if context.planted("refund_everything") {
        refunding.amount = None;
    }
    if let Some(reason) = &refunding.reason {
        text(reason, "reason", REASON_CHARACTERS_MAX)?;
    }
    let (teller, told) = context.plumbing.activity.handover();
    let inner = context.clone();
    detach(context, async move {
        // A caller that hung up is not told; its key will tell it.
        teller.tell(give_back(&inner, call, id, refunding).await);
    });
    told.wait().await.ok_or(Failure::Ending)?
}

async fn give_back(
    context: &Context,
    call: Call,
    id: PaymentId,
    refunding: Refunding,
) -> Result<Answered, Failure> {
    match attempt(context, &call, id, refunding).await {
        Ok(answered) => Ok(answered),
        Err(failure) => idempotency::keep(context, &call, failure).await,
    }
}

async fn attempt(
    context: &Context,
    call: &Call,
    id: PaymentId,
    refunding: Refunding,
) -> Result<Answered, Failure> {
    let (stored, refund, card) = match begin_when_captured(context, call, id, refunding).await? {
        Begun::Fresh(stored, refund, card) => (stored, refund, card),
        Begun::Replayed(answered) => return Ok(answered),
    };
    context.plumbing.crash_points.reached("refund", Boundary::Prepared);
    committed(context, &stored.payment);
    let running = context.running.refunds.begin(refund.id, usize::MAX);
    let outcome = context.processor.refund(&stored.payment, &refund, *card, call.trace).await;
    let event = outcome_event(context, refund.id, outcome);
    let refund = refund.id;
    let payment = record(context, stored.row, refund, event, call.trace).await?;
    drop(running);
    context.plumbing.crash_points.reached("refund", Boundary::AnswerStored);
    let payment = payment.unwrap_or(stored.payment);
    Ok(Answered::Refund(Box::new(payment), refund))
}

/// What an outcome is to a refund.
pub(super) fn outcome_event(
    context: &Context,
    id: RefundId,
    outcome: Outcome<Answered0110>,
) -> RefundEvent {
    let at = context.plumbing.clock.now();
    match outcome {
        Outcome::Answered(answer) => RefundEvent::Answered(Box::new(answer.taken_in(at))),
        Outcome::NotSent => RefundEvent::NotSent,
        Outcome::Unanswered => {
            RefundEvent::Unanswered { at, jitter_permille: context.jitter_permille(id, at) }
        }
    }
}

/// Takes an event into a refund, and answers the call that waits for it.
pub(super) async fn record(
    context: &Context,
    row: i64,
    id: RefundId,
    event: RefundEvent,
    trace: kit::facts::TraceId,
) -> Result<Option<Payment>, Failure> {
    let at = context.plumbing.clock.now();
    unit_of_work::in_background(context, row, trace, move |change| {
        let taken = change.take_in(Event::Refund { id, event, at })?;
        let answered = answer_caller(change, id)?;
        Ok(taken || answered)
    })
    .await
}

/// The call that made a refund is answered as soon as its first message has an outcome, even if
/// that is unknown: then it shows a pending refund.
pub(super) fn answer_caller(change: &mut Change<'_>, id: RefundId) -> Result<bool, Failure> {
    let event = change.event;
    let refund = change.stored.payment.refunds.iter_mut().find(|refund| refund.id == id);
    let Some(caller) = refund.and_then(|refund| refund.caller.take()) else { return Ok(false) };
    match event {
        Some(event) => answer_key(change.connection, caller, Shown::Refund, event)?,
        // Nothing new to show: the event of its making shows it.
        None => keys::answer_as_noted(change.connection, caller, Shown::Refund)?,
    }
    Ok(true)
}

enum Begun {
    Fresh(Box<Stored>, Box<Refund>, Box<CardForMessage>),
    Replayed(Answered),
}

/// Begins a refund; a capture that is still on its way to the processor is waited for.
async fn begin_when_captured(
    context: &Context,
    call: &Call,
    id: PaymentId,
    refunding: Refunding,
) -> Result<Begun, Failure> {
    let mut settled = context.captures_settled.subscribe();
    let clock = &context.plumbing.clock;
    let until = clock.now().plus(context.settings.timers.processor_deadline);
    loop {
        settled.mark_unchanged();
        let begun = begin(context, call, id, refunding.clone()).await;
        let pending =
            matches!(&begun, Err(Failure::Refused { refusal: Refusal::CapturePending, .. }));
        let left = until.since(clock.now());
        if !pending || left.is_zero() {
            return begun;
        }
        let waiting = context.plumbing.activity.waiting();
        let changed = clock.timeout(left, settled.changed()).await;
        drop(waiting);
        if changed.is_err() {
            return begun;
        }
    }
}

/// The first unit of work: the refund and the identity under which it is about to be sent.
async fn begin(
    context: &Context,
    call: &Call,
    id: PaymentId,
    refunding: Refunding,
) -> Result<Begun, Failure> {
    let identity = context.identities.next().await?;
    let at = identity.transmission_at;
    let timers = &context.settings.timers;
    let mut new = NewRefund {
        id: context.plumbing.ids.with(RefundId::new),
        identity,
        reversal_id: context.plumbing.ids.with(ReversalId::new),
        amount: refunding.amount,
        reason: refunding.reason,
        // Asked after only if this attempt comes to no end.
        due_at: at.plus(timers.processor_deadline).plus(timers.inquiry_after),
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
            if cases::block_refund(connection, &stored.payment, new.amount)?
                && !context.planted("refund_what_is_disputed")
            {
                return Err(Failure::Disputed);
            }
            let occasion = Occasion { trace: call.trace, at };
            let mut change = Change::of(context, connection, stored, occasion);
            let caller = new.caller;
            change.apply(Event::Refunded(new), Verb::Refund)?;
            if let (Some(caller), Some(event)) = (caller, change.event) {
                keys::note_event(connection, caller, event)?;
            }
            let stored = change.save()?;
            let refund = stored.payment.refunds.last().cloned().ok_or(Failure::RefundNotFound)?;
            let card = card_of(context, connection, &stored.payment, &refund, at)?;
            Ok(Begun::Fresh(Box::new(stored), Box::new(refund), Box::new(card)))
        })
        .await
}

/// The card that a refund goes to, opened with an audit row.
pub(super) fn card_of(
    context: &Context,
    connection: &rusqlite::Connection,
    payment: &Payment,
    refund: &Refund,
    now: wire::time::Timestamp,
) -> Result<CardForMessage, Failure> {
    let paid = payment.attempts.iter().find(|attempt| attempt.id == refund.attempt);
    let token = paid.map(|attempt| attempt.card.token).ok_or(Failure::RefundNotFound)?;
    let opening = Opening {
        token,
        merchant: payment.merchant,
        purpose: Purpose::Refund,
        payment: Some(payment.id),
        now,
    };
    let opened = open_card(connection, &context.vault, &opening)?;
    Ok(CardForMessage { data: opened.data, code: None, token: None })
}

/// Takes a refund back before the cut-off.
pub async fn cancel(context: &Context, call: Call, id: RefundId) -> Result<Answered, Failure> {
    let at = context.plumbing.clock.now();
    let merchant = call.merchant;
    let found = context
        .database
        .read(move |connection| -> Result<_, Failure> {
            let Some(row) = refunds::payment_of(connection, &id)? else { return Ok(None) };
            Ok(payments::load_row(connection, row)?)
        })
        .await?;
    let owned = found.filter(|stored| stored.payment.merchant == merchant);
    let Some(stored) = owned else {
        return idempotency::keep(context, &call, Failure::RefundNotFound).await;
    };
    let submitted = is_submitted(context, &call, &stored.payment, id).await?;
    let (answered, _) = unit_of_work::change(context, call, stored.payment.id, move |change| {
        if submitted {
            let refusal = Refusal::RefundSubmitted;
            return Err(Failure::Refused { verb: Verb::CancelRefund, refusal });
        }
        let event = Event::Refund { id, event: RefundEvent::Canceled, at };
        change.apply(event, Verb::CancelRefund)?;
        Ok(Answer::Refund(id))
    })
    .await?;
    Ok(answered)
}

/// Asks the processor whether the credit has left for clearing: only it knows its cut-off.
async fn is_submitted(
    context: &Context,
    call: &Call,
    payment: &Payment,
    id: RefundId,
) -> Result<bool, Failure> {
    let queued = |it: &&Refund| it.id == id && it.state == RefundState::Queued;
    let Some(refund) = payment.refunds.iter().find(queued) else { return Ok(false) };
    let identity = context.identities.next().await?;
    let about = About::refund(payment, refund, call.trace);
    match context.processor.is_refund_submitted(&about, identity, refund).await {
        Outcome::Answered(submitted) => Ok(submitted),
        Outcome::NotSent | Outcome::Unanswered => Err(Failure::SubmissionUnknown),
    }
}
