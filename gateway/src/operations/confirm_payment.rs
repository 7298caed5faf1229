//! Paying with a card: record the attempt, ask the processor, record the answer.

use std::future::Future;
use std::sync::Arc;

use kit::activity::Teller;
use kit::crash_points::Boundary;
use kit::facts::TraceId;
use rusqlite::Connection;
use wire::codes::ResponseCode;
use wire::ids::{AttemptId, CaptureId, CardId, PaymentId, QuoteId, ReversalId, TokenId};
use wire::stored_credential::Initiator;
use wire::three_ds::TransId;
use wire::time::Timestamp;

use super::announce::Occasion;
use super::caps::Asked;
use super::create_payment::{self, CheckedPayment};
use super::failure::{Failure, Verb};
use super::idempotency::{self, Answered, Call, Claim};
use super::stored_cards::{Agreed, WantedCard};
use super::unit_of_work::{Change, committed};
use super::{
    Context, authenticate, caps, card_attempts, card_updater, convert_payment, network_tokens,
    reauthorize_payment, send_capture, stored_cards,
};
use crate::directory::{enrollment, method_path};
use crate::domain::answer::Answer;
use crate::domain::attempt::AttemptState;
use crate::domain::identity::Identity;
use crate::domain::payment::{Event, NewCapture, Payment, State, Submission};
use crate::domain::stored_card::may_have_changed;
use crate::domain::three_ds::{self, Enrollment, NewAuthentication};
use crate::processor::{CardForMessage, Outcome, TokenForMessage};
use crate::store::payments::{self, Stored, Twin};
use crate::store::vault::{OpenedCard, Redemption, erase_card, redeem_token};
use crate::vault::CardData;

/// What is to be paid, and with what.
pub struct Confirmation {
    /// An existing payment, or one that is created with the same call.
    pub payment: ToPay,
    /// The card.
    pub card: PayWith,
    /// The outcome that the caller asks the sandbox for.
    pub sandbox_outcome: Option<String>,
    /// Whether the payer's browser is there, so that the 3DS Method can run in it.
    pub in_browser: bool,
    /// The payer agreed that the card is saved.
    pub consent: Option<Agreed>,
    /// The offer to pay in the currency of the card that the payer took.
    pub quote: Option<QuoteId>,
}

/// Where the card comes from.
#[derive(Clone, Copy, Debug)]
pub enum PayWith {
    /// A single-use token.
    Token(TokenId),
    /// The payment that is authorized again.
    Previous(PaymentId),
    /// A saved card, which the payment names.
    Saved,
}

/// The payment that is to be paid.
pub enum ToPay {
    /// It exists.
    Existing(PaymentId),
    /// It is created first.
    New(Box<CheckedPayment>),
}

/// Pays. The work goes on when the caller hangs up: an authorization that was sent is followed to
/// its end.
pub async fn confirm(
    context: &Context,
    call: Call,
    confirmation: Confirmation,
) -> Result<Answered, Failure> {
    let (teller, told) = context.plumbing.activity.handover();
    let inner = context.clone();
    detach(context, async move { pay(&inner, call, confirmation, teller).await });
    told.wait().await.ok_or(Failure::Ending)?
}

/// Runs work that must not end with the request that began it.
pub(super) fn detach(context: &Context, work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(context.plumbing.activity.track(work));
}

pub(super) type Reply = Teller<Result<Answered, Failure>>;

async fn pay(context: &Context, call: Call, confirmation: Confirmation, reply: Reply) {
    if let Some(wanted) = confirmation.charged() {
        card_updater::before_charge(context, &call, wanted).await;
    }
    let paid = attempt(context, &call, confirmation).await;
    let doubtful = paid.as_ref().ok().and_then(Paid::doubtful_card);
    let saved = paid.as_ref().ok().and_then(Paid::saved_card);
    let stopped = paid.as_ref().ok().and_then(Paid::card_of_stopped_token);
    tell(context, &call, paid, reply).await;
    if let Some(card) = doubtful {
        card_updater::after_decline(context, &call, card).await;
    }
    if let Some(card) = stopped {
        network_tokens::after_decline(context, &call, card).await;
    }
    if let Some(card) = saved {
        network_tokens::after_saving(context, &call, card).await;
    }
}

impl Confirmation {
    /// The saved card that pays.
    fn saved(&self) -> Option<WantedCard> {
        let ToPay::New(checked) = &self.payment else { return None };
        checked.wanted
    }

    /// The saved card that the merchant charges.
    fn charged(&self) -> Option<WantedCard> {
        self.saved().filter(|wanted| wanted.initiator == Initiator::Merchant)
    }
}

/// Answers the caller, and sends the captures that follow. A caller that hung up is not told; its
/// key will tell it.
pub(super) async fn tell(
    context: &Context,
    call: &Call,
    paid: Result<Paid, Failure>,
    reply: Reply,
) {
    match paid {
        Ok(Paid::Decided(stored)) => {
            committed(context, &stored.payment);
            let captures = send_capture::jobs(&stored.payment, stored.row, call.trace);
            reply.tell(Ok(Answered::Payment(Box::new(stored.payment))));
            send_capture::send_all(context, captures).await;
        }
        Ok(Paid::Replayed(answered)) => reply.tell(Ok(answered)),
        Err(failure) => reply.tell(idempotency::keep(context, call, failure).await),
    }
}

/// What an attempt came to.
pub(super) enum Paid {
    /// It has an outcome, or it is known that nobody knows it.
    Decided(Box<Stored>),
    /// The call was answered before.
    Replayed(Answered),
}

impl Paid {
    /// The card that was saved with the approval.
    fn saved_card(&self) -> Option<CardId> {
        let Self::Decided(stored) = self else { return None };
        let last = stored.payment.attempts.last()?;
        let approved = last.state == AttemptState::Approved;
        last.saving.as_ref().filter(|_| approved).map(|saving| saving.card)
    }

    /// The saved card whose network token did not pay.
    fn card_of_stopped_token(&self) -> Option<CardId> {
        let Self::Decided(stored) = self else { return None };
        let last = stored.payment.attempts.last()?;
        let codes = [ResponseCode::NOT_ACTIVE, ResponseCode::CLOSED_ACCOUNT];
        let stopped = last.response_code.is_some_and(|code| codes.contains(&code));
        last.network_token.as_ref().filter(|_| stopped)?;
        stored.payment.terms.stored.as_ref().map(|used| used.card)
    }

    /// The saved card whose decline the account updater may explain.
    fn doubtful_card(&self) -> Option<CardId> {
        let Self::Decided(stored) = self else { return None };
        let used = stored.payment.terms.stored.as_ref()?;
        let last = stored.payment.attempts.last()?;
        let declined = last.state == AttemptState::Declined;
        let doubtful = may_have_changed(last.response_code, last.advice_code.as_deref());
        (declined && doubtful).then_some(used.card)
    }
}

async fn attempt(
    context: &Context,
    call: &Call,
    confirmation: Confirmation,
) -> Result<Paid, Failure> {
    let sandbox_outcome = confirmation.sandbox_outcome.clone();
    let card = confirmation.card;
    let network_token = match confirmation.saved() {
        Some(wanted) => network_tokens::prepare(context, call, wanted).await,
        None => None,
    };
    let last4 = network_token.as_ref().map(|token| token.number.masked().last4().to_owned());
    let begun = begin(context, call, confirmation, last4).await?;
    let token = match card {
        PayWith::Token(token) => Some(token),
        PayWith::Previous(_) | PayWith::Saved => None,
    };
    follow(context, call, begun, (token, network_token), sandbox_outcome).await
}

/// Sends what was begun, and records what became of it.
pub(super) async fn follow(
    context: &Context,
    call: &Call,
    begun: Begun,
    (token, network_token): (Option<TokenId>, Option<TokenForMessage>),
    sandbox_outcome: Option<String>,
) -> Result<Paid, Failure> {
    let (stored, card) = match begun {
        Begun::Fresh(stored, card) => (stored, card),
        Begun::Replayed(answered) => return Ok(Paid::Replayed(answered)),
    };
    context.plumbing.crash_points.reached(call.message_kind(), Boundary::Stored);
    context.plumbing.crash_points.reached("authorization", Boundary::Prepared);
    committed(context, &stored.payment);
    let way = Way { trace: call.trace, token, sandbox_outcome, network_token };
    let stored = go_on(context, *stored, &card.data, way).await?;
    Ok(Paid::Decided(Box::new(stored)))
}

/// How an attempt goes on.
pub(super) struct Way {
    /// The operation.
    pub trace: TraceId,
    /// The token whose security code may still be held.
    pub token: Option<TokenId>,
    /// The outcome that the caller asks the sandbox for.
    pub sandbox_outcome: Option<String>,
    /// The network token that pays in the place of a saved card.
    pub network_token: Option<TokenForMessage>,
}

/// Messages of one attempt and its step-up: AReq and 0100, and both again.
const MESSAGES_MAX: usize = 4;

/// Authenticates and authorizes, until an outcome is known or somebody else has to act.
pub(super) async fn go_on(
    context: &Context,
    mut stored: Stored,
    card: &CardData,
    mut way: Way,
) -> Result<Stored, Failure> {
    for _ in 0..MESSAGES_MAX {
        match stored.payment.state {
            State::Authenticating if authenticate::may_ask(&stored.payment) => {
                stored = authenticate::ask(context, stored, card, way.trace).await?;
            }
            State::Processing => {
                let now = context.plumbing.clock.now();
                // Not held after the authorization (PCI DSS 3.3.1): a step-up goes without it.
                let code = way.token.take().and_then(|it| context.security_codes.take(it, now));
                // A code pays once: a step-up goes by the number.
                let token = way.network_token.take();
                let by_token =
                    stored.payment.attempts.last().and_then(|it| it.network_token.as_ref());
                let token = token.filter(|_| by_token.is_some());
                let message = CardForMessage { data: card.clone(), code, token };
                let wish = way.sandbox_outcome.take();
                let outcome =
                    context.processor.authorize(&stored.payment, message, wish, way.trace).await;
                let outcome = mutated(context, outcome);
                stored = finish(context, way.trace, stored, outcome, card).await?;
                context.plumbing.crash_points.reached("authorization", Boundary::AnswerStored);
            }
            _ => break,
        }
        committed(context, &stored.payment);
    }
    Ok(stored)
}

/// Answers as a planted fault misreads them.
fn mutated(context: &Context, outcome: Outcome<Answer>) -> Outcome<Answer> {
    match outcome {
        Outcome::Unanswered if context.planted("take_silence_for_a_refusal") => Outcome::NotSent,
        Outcome::Answered(answer) if context.planted("take_a_decline_for_an_approval") => {
            let code = ResponseCode::APPROVED;
            let auth_code = answer.auth_code.clone().or_else(|| Some("000000".to_owned()));
            Outcome::Answered(Answer { response_code: code, auth_code, ..answer })
        }
        other => other,
    }
}

/// What is about to be sent.
pub(super) enum Begun {
    /// An attempt, and the card that it is for.
    Fresh(Box<Stored>, Box<OpenedCard>),
    /// The call was answered before.
    Replayed(Answered),
}

/// The first unit of work: the attempt and the identity under which it is about to be sent.
async fn begin(
    context: &Context,
    call: &Call,
    confirmation: Confirmation,
    network_token: Option<String>,
) -> Result<Begun, Failure> {
    let identity = context.identities.next().await?;
    let at = identity.transmission_at;
    let ids = &context.plumbing.ids;
    let submission = NewSubmission {
        card: confirmation.card,
        id: ids.with(AttemptId::new),
        identity,
        reversal_id: ids.with(ReversalId::new),
        code_held: match confirmation.card {
            PayWith::Token(token) => context.security_codes.holds(token, at),
            PayWith::Previous(_) | PayWith::Saved => false,
        },
        trans_id: authenticate::new_id(context),
        in_browser: confirmation.in_browser,
        consent: confirmation.consent,
        network_token,
        quote: confirmation.quote,
    };
    let (inner, call) = (context.clone(), call.clone());
    context
        .database
        .write(move |connection| {
            let context = &inner;
            let caller = match idempotency::claim(connection, &call, at)? {
                Claim::Go(row) => row,
                Claim::Answered(status, body) => {
                    return idempotency::replay(context, status, body).map(Begun::Replayed);
                }
            };
            let occasion = Occasion { trace: call.trace, at };
            let stored = match confirmation.payment {
                ToPay::Existing(id) => payments::load(connection, &call.merchant, &id)?
                    .ok_or(Failure::PaymentNotFound)?,
                ToPay::New(checked) => {
                    let wanted = checked.wanted;
                    let mut payment =
                        create_payment::new_payment(context, call.merchant, *checked, at);
                    reauthorize_payment::link(connection, &mut payment)?;
                    if let Some(wanted) = &wanted {
                        stored_cards::link(connection, &mut payment, wanted)?;
                    }
                    create_payment::insert(context, connection, payment, occasion)?.0
                }
            };
            submit(Change::of(context, connection, stored, occasion), submission, caller, at)
        })
        .await
}

struct NewSubmission {
    card: PayWith,
    id: AttemptId,
    identity: Identity,
    reversal_id: ReversalId,
    code_held: bool,
    trans_id: TransId,
    in_browser: bool,
    consent: Option<Agreed>,
    network_token: Option<String>,
    quote: Option<QuoteId>,
}

fn submit(
    mut change: Change<'_>,
    submission: NewSubmission,
    caller: Option<i64>,
    now: Timestamp,
) -> Result<Begun, Failure> {
    let payment = &change.stored.payment;
    refuse_twin(change.context, change.connection, payment, now)?;
    let vault = &change.context.vault;
    let opened = match submission.card {
        PayWith::Token(token) => {
            let redemption = Redemption {
                token,
                merchant: payment.merchant,
                payment: payment.id,
                now,
                code_held: submission.code_held,
            };
            redeem_token(change.connection, vault, &redemption)?
        }
        PayWith::Previous(previous) => {
            reauthorize_payment::card(change.connection, vault, payment, previous, now)?
        }
        PayWith::Saved => stored_cards::open(change.context, change.connection, payment, now)?,
    };
    let saving = stored_cards::saving(
        change.context,
        change.connection,
        payment,
        &opened.card.fingerprint,
        (submission.consent.as_ref(), now),
    )?;
    let suspicious = card_attempts::is_suspicious(change.context, &opened.data.number);
    let three_ds = change.stored.payment.terms.three_ds.when_suspicious(suspicious);
    let by_merchant = change.stored.payment.terms.by_merchant();
    let wanted = three_ds::needed(&three_ds, enrollment(&opened.data.number), suspicious);
    let authentication = wanted.filter(|_| !by_merchant).map(|wanted| NewAuthentication {
        id: submission.trans_id,
        method: method_path(&opened.data.number).filter(|_| submission.in_browser),
        required: enrollment(&opened.data.number) == Enrollment::Required,
        wanted,
    });
    // A payment whose holder is asked first goes by the number that was asked about.
    let network_token = submission.network_token.filter(|_| authentication.is_none());
    let token = match submission.card {
        PayWith::Token(token) => Some(token),
        PayWith::Previous(_) | PayWith::Saved => None,
    };
    let payment = &change.stored.payment;
    let amount = payment.lacking();
    let (card, may_wait) = (&opened.card.fingerprint, submission.quote.is_none());
    let asked = Asked { payment, card, amount, at: now, may_wait };
    let over_cap = caps::check_day(change.context, change.connection, &asked)?;
    let conversion = match submission.quote {
        None => None,
        Some(quote) => Some(convert_payment::take(change.connection, payment, quote, token, now)?),
    };
    let event = Event::CardSubmitted(Submission {
        authentication,
        network_token,
        conversion: conversion.map(Arc::new),
        over_cap,
        id: submission.id,
        card: opened.card.clone(),
        identity: submission.identity,
        reversal_id: submission.reversal_id,
        caller,
        saving,
    });
    change.apply(event, Verb::Confirm)?;
    Ok(Begun::Fresh(Box::new(change.save()?), Box::new(opened)))
}

/// The same order is not paid twice by a second payment.
fn refuse_twin(
    context: &Context,
    connection: &Connection,
    payment: &Payment,
    now: Timestamp,
) -> Result<(), Failure> {
    if context.planted("pay_an_order_twice") {
        return Ok(());
    }
    let since = now.minus(context.settings.timers.duplicate_window);
    if payments::has_paid_twin(connection, &Twin { payment, since })? {
        return Err(Failure::OrderPaid);
    }
    Ok(())
}

/// The second unit of work: what the processor's answer, or its absence, does to the payment.
async fn finish(
    context: &Context,
    trace: TraceId,
    stored: Stored,
    outcome: Outcome<Answer>,
    card: &CardData,
) -> Result<Stored, Failure> {
    let (capture, more) = new_captures(context, &stored.payment).await?;
    let step_up = authenticate::step_up(context, &stored.payment, &outcome, card).await?;
    let Stored { row, payment } = stored;
    let (attempt, token) = payment
        .attempts
        .last()
        .map(|attempt| (attempt.id, attempt.card.token))
        .ok_or(Failure::Ending)?;
    let at = context.plumbing.clock.now();
    // A number that nobody issued is not kept (ISO 8583 response code 14).
    let not_issued = matches!(&outcome,
        Outcome::Answered(answer) if answer.response_code == ResponseCode::INVALID_NUMBER);
    let event = outcome_event(attempt, outcome, (capture, more), at);
    let inner = context.clone();
    context
        .database
        .write(move |connection| {
            let stored = payments::load_unchanged(connection, row, payment)?
                .ok_or(Failure::PaymentNotFound)?;
            let occasion = Occasion { trace, at };
            let mut change = Change::of(&inner, connection, stored, occasion);
            // Whoever was faster (a late answer found by inquiry) has decided; that stands.
            change.take_in(event)?;
            if let Some(submission) = step_up.filter(|_| change.stored.payment.wants_step_up()) {
                let caller = change.stored.payment.caller;
                change.take_in(Event::CardSubmitted(Submission { caller, ..submission }))?;
            }
            change.answer_caller()?;
            if not_issued {
                let merchant = change.stored.payment.merchant;
                erase_card(connection, token, merchant, "not_issued", at)?;
            }
            change.save()
        })
        .await
}

/// What an outcome of an authorization is to the payment.
pub(super) fn outcome_event(
    attempt: AttemptId,
    outcome: Outcome<Answer>,
    (capture, more): (NewCapture, Vec<NewCapture>),
    at: Timestamp,
) -> Event {
    match outcome {
        Outcome::Answered(answer) => {
            Event::Answered { attempt, answer: answer.taken_in(at), capture, more }
        }
        Outcome::NotSent => Event::NotSent { attempt, at },
        Outcome::Unanswered => Event::Unanswered { attempt, at },
    }
}

/// Names the captures that may follow an approval: one, and one more for each earlier card.
pub(super) async fn new_captures(
    context: &Context,
    payment: &Payment,
) -> Result<(NewCapture, Vec<NewCapture>), Failure> {
    let mut more = Vec::new();
    for _ in payment.authorizations() {
        more.push(new_capture(context).await?);
    }
    Ok((new_capture(context).await?, more))
}

/// Names the capture that may follow an approval.
pub(super) async fn new_capture(context: &Context) -> Result<NewCapture, Failure> {
    let identity = context.identities.next().await?;
    Ok(NewCapture { id: context.plumbing.ids.with(CaptureId::new), identity })
}
