//! 3-D Secure: asking for an authentication, and taking in what became of it.

use kit::activity::NextDue;
use kit::crash_points::Boundary;
use kit::facts::TraceId;
use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use wire::codes::DeclineCode;
use wire::ids::{AttemptId, PaymentId, ReversalId};
use wire::three_ds::{ResultRequest, TransId, TransStatus};
use wire::time::Timestamp;

use super::confirm_payment::{Way, detach, go_on};
use super::failure::Failure;
use super::timers::STEP_ROWS;
use super::unit_of_work::{self, Change};
use super::{Context, send_capture};
use crate::directory::{Inquired, enrollment};
use crate::domain::answer::Answer;
use crate::domain::payment::{AuthenticationStep, Event, Payment, State, Submission};
use crate::domain::three_ds::{self, Enrollment, NewAuthentication, Stage, Values};
use crate::processor::Outcome;
use crate::store::authentications;
use crate::store::payments::{self, Stored, Twin};
use crate::store::vault::{Opening, Purpose, open_card};
use crate::vault::CardData;

/// Authentications worked on at the same time.
const IN_FLIGHT_MAX: usize = 256;

/// Our id of a new authentication. Whoever knows it may say that a browser came back, so it is not
/// left to chance.
pub(super) fn new_id(context: &Context) -> TransId {
    TransId::from_random(context.plumbing.secrets.bytes())
}

/// Whether the AReq of the last attempt may be sent now.
pub(super) fn may_ask(payment: &Payment) -> bool {
    payment.open_authentication().is_some_and(|it| it.stage == Stage::RequestSent)
}

/// Sends the AReq of the last attempt, and takes in its answer.
pub(super) async fn ask(
    context: &Context,
    stored: Stored,
    card: &CardData,
    trace: TraceId,
) -> Result<Stored, Failure> {
    let Stored { row, payment } = stored;
    let authentication = payment.open_authentication().ok_or(Failure::Ending)?;
    let id = authentication.id;
    context.plumbing.crash_points.reached("areq", Boundary::Prepared);
    let answer = context.directory.authenticate(&payment, authentication, card, trace).await;
    let event = match answer {
        Some(response) => three_ds::Event::Responded(Box::new(response)),
        None => three_ds::Event::Unanswered,
    };
    take_in(context, row, id, event, trace).await?;
    let load = move |connection: &Connection| payments::load_row(connection, row);
    context.database.read(load).await?.ok_or(Failure::PaymentNotFound)
}

/// Takes an event into an authentication. None when nothing waited for it.
async fn take_in(
    context: &Context,
    row: i64,
    id: TransId,
    event: three_ds::Event,
    trace: TraceId,
) -> Result<Option<Payment>, Failure> {
    let identity = context.identities.next().await?;
    let at = context.plumbing.clock.now();
    let step = AuthenticationStep { id, event, identity, at };
    let since = at.minus(context.settings.timers.duplicate_window);
    unit_of_work::in_background(context, row, trace, move |change| {
        let paid = was_paid_meanwhile(change, since)?;
        let taken = change.take_in(Event::Authentication(Box::new(step)))?;
        if taken && paid && change.stored.payment.state == State::Processing {
            // Another payment of this order was faster while the payer was asked.
            let attempt = change.stored.payment.attempts.last().map(|attempt| attempt.id);
            if let Some(attempt) = attempt {
                change.take_in(Event::NotSent { attempt, at })?;
            }
        }
        Ok(taken)
    })
    .await
}

fn was_paid_meanwhile(change: &Change<'_>, since: Timestamp) -> Result<bool, DatabaseError> {
    let payment = &change.stored.payment;
    if payment.state != State::RequiresAction {
        return Ok(false);
    }
    payments::has_paid_twin(change.connection, &Twin { payment, since })
}

/// The attempt that follows when the issuer asks for the cardholder.
pub(super) async fn step_up(
    context: &Context,
    payment: &Payment,
    outcome: &Outcome<Answer>,
    card: &CardData,
) -> Result<Option<Submission>, Failure> {
    let asked = matches!(outcome, Outcome::Answered(answer)
        if answer.decline().code == DeclineCode::AUTHENTICATION_REQUIRED
            && !answer.response_code.approves());
    let terms = &payment.terms.three_ds;
    let range = enrollment(&card.number);
    // Nobody is there to be asked when the merchant starts the payment.
    let asked = asked && !payment.terms.by_merchant();
    let wanted = three_ds::needed(terms, range, true).filter(|_| asked);
    let Some((wanted, attempt)) = wanted.zip(payment.attempts.last()) else { return Ok(None) };
    let ids = &context.plumbing.ids;
    Ok(Some(Submission {
        id: ids.with(AttemptId::new),
        card: attempt.card.clone(),
        identity: context.identities.next().await?,
        reversal_id: ids.with(ReversalId::new),
        caller: None,
        saving: attempt.saving.clone(),
        network_token: None,
        conversion: attempt.conversion.clone(),
        over_cap: attempt.over_cap,
        authentication: Some(NewAuthentication {
            id: new_id(context),
            method: None,
            required: range == Enrollment::Required,
            wanted,
        }),
    }))
}

/// The 3DS Method has come back to a browser.
pub async fn method_completed(context: &Context, id: TransId) -> Result<(), Failure> {
    let Some(row) = payment_of(context, id).await? else { return Ok(()) };
    let trace = TraceId::new(&context.jitter);
    let event = three_ds::Event::MethodCompleted;
    if take_in(context, row, id, event, trace).await?.is_some() {
        resume(context, row, trace);
    }
    Ok(())
}

/// A browser came back from a challenge: a hint. Says which payment it belongs to.
pub async fn returned(
    context: &Context,
    id: TransId,
    status: TransStatus,
) -> Result<Option<PaymentId>, Failure> {
    let Some(row) = payment_of(context, id).await? else { return Ok(None) };
    let trace = TraceId::new(&context.jitter);
    take_in(context, row, id, three_ds::Event::Returned(status), trace).await?;
    let load = move |connection: &Connection| payments::load_row(connection, row);
    Ok(context.database.read(load).await?.map(|stored| stored.payment.id))
}

/// Takes a result of a challenge; the authorization follows in the background. False when there
/// is no such challenge.
pub async fn take_result(
    context: &Context,
    result: ResultRequest,
    trace: TraceId,
) -> Result<bool, Failure> {
    let id = result.server_trans_id;
    let Some(row) = payment_of(context, id).await? else { return Ok(false) };
    let changed = take_in(context, row, id, resulted(result), trace).await?;
    if changed.is_some_and(|payment| payment.state == State::Processing) {
        resume(context, row, trace);
    }
    Ok(true)
}

fn resulted(result: ResultRequest) -> three_ds::Event {
    three_ds::Event::Resulted(
        result.trans_status,
        Values {
            eci: result.eci,
            value: result.authentication_value,
            reason: result.trans_status_reason,
            cancel: result.challenge_cancel,
        },
    )
}

async fn payment_of(context: &Context, id: TransId) -> Result<Option<i64>, DatabaseError> {
    context.database.read(move |connection| authentications::payment_of(connection, id)).await
}

/// Goes on in the background with what comes next: the AReq, or the authorization.
fn resume(context: &Context, row: i64, trace: TraceId) {
    let inner = context.clone();
    detach(context, async move {
        if let Err(failure) = resume_now(&inner, row, trace).await {
            tracing::error!(%failure, "a payment could not go on after its authentication");
        }
    });
}

async fn resume_now(context: &Context, row: i64, trace: TraceId) -> Result<(), Failure> {
    let (inner, now) = (context.clone(), context.plumbing.clock.now());
    let opened =
        context.database.write(move |connection| open(&inner, connection, row, now)).await?;
    let Some((stored, card, token)) = opened else { return Ok(()) };
    let way = Way { trace, token: Some(token), sandbox_outcome: None, network_token: None };
    let stored = go_on(context, stored, &card, way).await?;
    let jobs = send_capture::jobs(&stored.payment, row, trace);
    send_capture::send_all(context, jobs).await;
    Ok(())
}

type Opened = (Stored, CardData, wire::ids::TokenId);

/// The payment and the card of its last attempt, opened with an audit row.
fn open(
    context: &Context,
    connection: &Connection,
    row: i64,
    now: Timestamp,
) -> Result<Option<Opened>, Failure> {
    let Some(stored) = payments::load_row(connection, row)? else { return Ok(None) };
    let payment = &stored.payment;
    let Some(attempt) = payment.attempts.last() else { return Ok(None) };
    let token = attempt.card.token;
    let opening = Opening {
        token,
        merchant: payment.merchant,
        purpose: Purpose::Authorization,
        payment: Some(payment.id),
        now,
    };
    let opened = open_card(connection, &context.vault, &opening)?;
    Ok(Some((stored, opened.data, token)))
}

/// Works on authentications that have taken too long; says when the next one will have.
pub async fn step(context: &Context) -> NextDue {
    let looking = context.timers.authentications.look();
    let now = context.plumbing.clock.now();
    let look = move |connection: &Connection| -> Result<_, Failure> {
        let (rows, next) = authentications::due(connection, now, STEP_ROWS)?;
        let mut due = Vec::new();
        for row in rows {
            due.extend(payments::load_row(connection, row)?);
        }
        Ok((due, next))
    };
    let (due, next) = match context.database.read(look).await {
        Ok(found) => found,
        Err(failure) => {
            tracing::error!(%failure, "authentications that are due were not found");
            return NextDue::default();
        }
    };
    for stored in due {
        let running = &context.running.authentications;
        let Some(guard) = running.begin(stored.payment.id, IN_FLIGHT_MAX) else { continue };
        let inner = context.clone();
        detach(context, async move {
            if let Err(failure) = overdue(&inner, stored).await {
                tracing::error!(%failure, "an authentication that was due could not go on");
            }
            drop(guard);
            inner.timers.authentications.wake().wake();
        });
    }
    looking.sleep_until(next);
    NextDue { work: next, ..NextDue::default() }
}

/// What follows when nobody has answered in time.
async fn overdue(context: &Context, stored: Stored) -> Result<(), Failure> {
    let trace = TraceId::new(&context.jitter);
    let Some(authentication) = stored.payment.open_authentication() else { return Ok(()) };
    let event = match authentication.stage {
        Stage::MethodPending => three_ds::Event::MethodTimedOut,
        // The program ended while it waited for the directory server.
        Stage::RequestSent => three_ds::Event::Unanswered,
        Stage::Challenged | Stage::Returned => {
            match context.directory.inquire(&stored.payment, authentication, trace).await {
                Inquired::Result(result) => resulted(*result),
                Inquired::Open => three_ds::Event::StillOpen,
                Inquired::Nothing => three_ds::Event::NothingFound,
            }
        }
        Stage::Done(_) => return Ok(()),
    };
    let (id, row) = (authentication.id, stored.row);
    let changed = take_in(context, row, id, event, trace).await?;
    let goes_on = |payment: &Payment| payment.state == State::Processing || may_ask(payment);
    if changed.as_ref().is_some_and(goes_on) {
        resume_now(context, row, trace).await?;
    }
    Ok(())
}
