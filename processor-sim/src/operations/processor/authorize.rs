//! 0100 and 0101: record, route, answer; on silence answer 68 and owe a reversal.

use kit::crash_points::Boundary;
use kit::facts::TraceId;
use kit::http::NonceRow;
use kit::link::{Call, LinkFailure, Reply};
use kit::sqlite::DatabaseError;
use wire::codes::ResponseCode;
use wire::money::MinorUnits;
use wire::processor_api::{Message, SandboxData};
use wire::test_cards;

use super::capture::{granted, over_capture};
use super::retries::{self, Retries};
use super::{Taken, answer_rule, conversion, rule_of, tolerance_of};
use crate::domain::acquirer_transaction::{TransactionEvent, TransactionState};
use crate::domain::answer::Answer;
use crate::domain::checks::Purpose;
use crate::domain::fees;
use crate::domain::identity::BusinessDigest;
use crate::domain::obligation::{Obligation, ObligationKind};
use crate::domain::outcome::{self, Clues, OutcomeSource, Wish};
use crate::domain::parties::{Issuer, route_of};
use crate::domain::retry_policy::Block;
use crate::operations::translate::{self, Fault, RequestFields, TakeError};
use crate::operations::{Context, disputes, network};
use crate::store::{
    Acceptor, Conclusion, NewObligation, NewTransaction, Opened, RetryFee, StoredTransaction,
};

/// Timeout waiting for response (field 25 of a reversal).
const REASON_TIMEOUT: &str = "4021";

/// Takes an authorization or refund to its network, once.
pub(super) async fn authorize(
    context: &Context,
    message: &Message,
    trace: TraceId,
    nonce: Option<NonceRow>,
) -> Result<Taken, TakeError> {
    let fields = translate::request_fields(context, message).await?;
    let acceptor = check(context, message, &fields).await?;
    let retries = Retries::of(context, message, &fields, acceptor.id);
    let tried = judge(context, message, (&fields, &acceptor), retries.as_ref()).await?;
    let fee = match tried {
        Tried::Allowed => None,
        Tried::ForFee(fee) => Some(fee),
        Tried::Forbidden(refusal) => return Ok(Taken::given(*refusal)),
    };
    let chosen = choose(context, message, &fields, &acceptor)?;
    let mut new = new_transaction(context, message, &fields, &acceptor, chosen.as_ref(), trace)?;
    new.raises = raised_by(context, message, &fields).await?;
    new.conversion = conversion::agreed(context, message, &fields, acceptor.id).await?;
    let (alias, wish) = (new.card_alias.clone(), new.wish.clone());
    let over_capture = tolerance_of(
        context,
        new.network,
        new.category.as_deref(),
        new.card_alias.as_deref(),
        new.currency,
    );
    let over_capture = granted(over_capture, Some(&acceptor));
    let obligation = timeout_obligation(context, message, &new);
    let id = match context.store.open_transaction(new, nonce).await? {
        Opened::New(id) => id,
        Opened::Known(known) => return repeat(context, message, fields.digest, *known).await,
        Opened::Disputed => {
            let note = "a chargeback has taken this money already".to_owned();
            return Err(Fault { code: ResponseCode::INVALID_TRANSACTION, note }.into());
        }
    };
    let kind = translate::kind(message);
    context.plumbing.crash_points.reached(kind, Boundary::Prepared);
    let forwarded = forward(message, chosen);
    let outcome = send(context, &forwarded, &fields, trace).await;
    let mut conclusion = conclude(context, id, outcome, &fields, obligation);
    conclusion.retry = retries.and_then(|retries| retries.note(context, &conclusion.answer));
    conclusion.fee = fee;
    let answer = conclusion.answer.clone();
    let owes = conclusion.obligation.is_some();
    let charged_at = conclusion.fee.as_ref().map(|_| conclusion.at);
    let concluded = context.store.conclude_transaction(conclusion).await?;
    if let Some(at) = charged_at {
        context.expect_clearing(at);
    }
    context.plumbing.crash_points.reached(kind, Boundary::AnswerStored);
    context.plumbing.crash_points.reached(kind, Boundary::Stored);
    context.waiting.concluded(id);
    if owes {
        context.obligations.wake();
    }
    match concluded {
        Ok(()) => {
            let rule = rule_of(context, wish.as_deref(), alias.as_deref());
            let lost = rule.loses_outcome() && answer.code.approves();
            let lost = lost || first_refund_is_lost(context, id, &fields, rule).await?;
            if fields.purpose == Purpose::Refund && answer.code.approves() {
                context.expect_clearing(context.clock().now());
                disputes::refunded(context, message).await?;
            }
            let mut taken = taken(message, &answer, lost)?;
            super::capture::tell(&mut taken.message, over_capture);
            Ok(taken)
        }
        Err(other) => given(context, message, &other),
    }
}

/// What becomes of a try.
enum Tried {
    /// It is sent.
    Allowed,
    /// The network forbids it; the merchant has it sent for a fee.
    ForFee(RetryFee),
    /// It is refused, and nothing is sent.
    Forbidden(Box<Message>),
}

/// Whether the network allows a try, and what the merchant has agreed to where it does not.
async fn judge(
    context: &Context,
    message: &Message,
    (fields, acceptor): (&RequestFields, &Acceptor),
    retries: Option<&Retries>,
) -> Result<Tried, TakeError> {
    let Some(retries) = retries else { return Ok(Tried::Allowed) };
    let Some(forbidden) = retries.judge(context, fields).await? else {
        return Ok(Tried::Allowed);
    };
    // A message that is known is answered from its record.
    if context.store.find_transaction(fields.identity).await?.is_some() {
        return Ok(Tried::Allowed);
    }
    if acceptor.retries_for_fee && forbidden.block != Block::SecurityCode {
        return Ok(Tried::ForFee(retry_fee(context, message, fields, acceptor.id)));
    }
    let refusal = retries::refusal(message, &forbidden).map(Box::new);
    Ok(refusal.map_or(Tried::Allowed, Tried::Forbidden))
}

/// What a try costs that the network does not allow.
fn retry_fee(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
    acceptor: i64,
) -> RetryFee {
    let network = fields.number.brand();
    let route = route_of(network, fields.card.expose());
    let bank = route.and_then(|route| Issuer::by_id(route.issuer));
    let country = message.acceptor.as_ref().map(|acceptor| acceptor.country.as_str());
    let (domestic, abroad) = fees::EXCESSIVE_REATTEMPT;
    let is_domestic = bank.is_some_and(|bank| Some(bank.country) == country);
    let hundredths = if is_domestic { domestic } else { abroad };
    let amount = fees::fixed(hundredths, fields.currency.exponent());
    RetryFee { acceptor, network, amount, ids: context.plumbing.ids.clone() }
}

/// The transaction that an increment raises: an approval of the same card that is still open.
async fn raised_by(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
) -> Result<Option<i64>, TakeError> {
    if !translate::is_increment(message) {
        return Ok(None);
    }
    let original = message.original.as_ref().ok_or_else(|| translate::missing("original"))?;
    let identity = translate::original_identity(context, original).await?;
    let found = context.store.find_transaction(identity).await?;
    let card = context.card_digest(&fields.card);
    let fits = found.filter(|base| {
        base.machine.state == TransactionState::Answered
            && base.machine.is_approved()
            && base.card_digest == Some(card)
            && base.currency == fields.currency
            && base.raises.is_none()
    });
    let refused = || {
        let note = "there is no open authorization of this card that this raises".to_owned();
        Fault { code: ResponseCode::INVALID_TRANSACTION, note }
    };
    Ok(Some(fits.ok_or_else(refused)?.id))
}

/// The checks that come before anything is kept (30 and 13 came with reading the fields).
async fn check(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
) -> Result<Acceptor, TakeError> {
    let refused = |code, note: &str| Fault { code, note: note.to_owned() };
    if !test_cards::is_accepted(&fields.number) {
        let note = "not one of the issued test cards";
        return Err(refused(ResponseCode::NO_SUCH_ISSUER, note).into());
    }
    translate::retrieval_reference(message)?.ok_or_else(|| translate::missing("rrn"))?;
    let category = message.mcc.as_deref().ok_or_else(|| translate::missing("mcc"))?;
    if category.len() != 4 || !category.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::format("mcc has four digits").into());
    }
    if fields.purpose != Purpose::Refund && fields.expiry.is_none() {
        return Err(translate::missing("expiry").into());
    }
    translate::check_credential(message)?;
    let name = message.card_acceptor_id.as_deref();
    let name = name.ok_or_else(|| translate::missing("card_acceptor_id"))?;
    let directory = &context.directory;
    let acceptor = directory.acceptor(&context.store, &message.acquirer_id, name).await?;
    if acceptor.blocked {
        let note = "the merchant is blocked at the processor";
        return Err(refused(ResponseCode::INVALID_MERCHANT, note).into());
    }
    let enabled = acceptor
        .categories
        .as_ref()
        .is_none_or(|list| list.iter().any(|enabled| enabled == category));
    if !enabled {
        let note = "the merchant is not enabled for this category";
        return Err(refused(ResponseCode::NOT_PERMITTED_TO_TERMINAL, note).into());
    }
    Ok(acceptor)
}

type Chosen = Option<(Wish, OutcomeSource)>;

/// The wish that decides, when one of the sources before the card, or the amount, speaks.
fn choose(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
    acceptor: &Acceptor,
) -> Result<Chosen, Fault> {
    let card = context.cards.find(&fields.card);
    let clues = Clues {
        header: message.sandbox.as_ref().and_then(|sandbox| sandbox.outcome.as_deref()),
        holder_name: message.cardholder_name.as_deref(),
        amount: fields.amount.get(),
        card_speaks: card.is_some_and(|card| !card.behaviour.is_plain()),
    };
    let chosen = outcome::choose(&clues, acceptor.triggers)
        .map_err(|error| Fault::format(format!("sandbox.outcome: {error}")))?;
    if let Some((wish, _)) = &chosen
        && translate::behaviour_of_wish(context, wish).is_none()
    {
        return Err(Fault::format(format!("sandbox.outcome: there is no card {wish}")));
    }
    Ok(chosen)
}

fn new_transaction(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
    acceptor: &Acceptor,
    chosen: Option<&(Wish, OutcomeSource)>,
    trace: TraceId,
) -> Result<NewTransaction, Fault> {
    let card = context.cards.find(&fields.card);
    Ok(NewTransaction {
        identity: fields.identity,
        digest: fields.digest,
        acceptor: Some(acceptor.id),
        rrn: translate::retrieval_reference(message)?,
        network: Some(fields.number.brand().as_str()),
        pan_masked: Some(fields.number.masked()),
        card_digest: Some(context.card_digest(&fields.card)),
        card_alias: card.and_then(|card| card.alias.clone()),
        wish: chosen.map(|(wish, _)| wish.to_string()),
        purpose: fields.purpose,
        raises: None,
        category: message.mcc.clone(),
        descriptor: message.acceptor.as_ref().map(|acceptor| acceptor.name.clone()),
        indicator: message.threeds.as_ref().and_then(|threeds| threeds.eci.clone()),
        amount: fields.amount,
        currency: fields.currency,
        conversion: None,
        reversal_id: translate::reversal_bytes(message),
        payment: translate::payment_bytes(message),
        trace: *trace.bytes(),
        sent_at: context.clock().now(),
    })
}

/// What the processor will owe if no network answers.
fn timeout_obligation(
    context: &Context,
    message: &Message,
    new: &NewTransaction,
) -> Option<NewObligation> {
    Some(NewObligation {
        obligation: Obligation::new(ObligationKind::ProcessorReversal, context.clock().now()),
        original: new.identity,
        network: new.network?.to_owned(),
        issuer: None,
        pan_masked: new.pan_masked?,
        card_digest: new.card_digest?,
        card_alias: new.card_alias.clone(),
        amount: new.amount,
        currency: new.currency,
        category: new.category.clone(),
        card_acceptor_id: message.card_acceptor_id.clone(),
        reason_code: REASON_TIMEOUT.to_owned(),
        rrn: new.rrn,
        auth_code: None,
        network_transaction_id: None,
        reversal_id: new.reversal_id,
        payment: new.payment,
        trace: new.trace,
    })
}

/// The reversal that is owed for a transaction that was interrupted by the end of the program.
pub fn obligation_of(context: &Context, interrupted: &StoredTransaction) -> Option<NewObligation> {
    let acceptor = interrupted.acceptor.and_then(|id| context.directory.acceptor_of(id));
    Some(NewObligation {
        obligation: Obligation::new(ObligationKind::ProcessorReversal, context.clock().now()),
        original: interrupted.identity,
        network: interrupted.network.clone()?,
        issuer: None,
        pan_masked: interrupted.pan_masked?,
        card_digest: interrupted.card_digest?,
        card_alias: interrupted.card_alias.clone(),
        amount: interrupted.amount,
        currency: interrupted.currency,
        category: interrupted.category.clone(),
        card_acceptor_id: acceptor.map(|acceptor| acceptor.card_acceptor_id),
        reason_code: REASON_TIMEOUT.to_owned(),
        rrn: interrupted.rrn,
        auth_code: None,
        network_transaction_id: None,
        reversal_id: interrupted.reversal_id,
        payment: interrupted.payment,
        trace: interrupted.trace,
    })
}

/// The message as it goes on: with the chosen outcome, and as a first sending.
fn forward(message: &Message, chosen: Chosen) -> Message {
    let mut forwarded = message.clone();
    forwarded.sandbox = chosen.map(|(wish, source)| SandboxData {
        outcome: Some(wish.to_string()),
        outcome_source: Some(source.as_str().to_owned()),
        note: None,
    });
    forwarded
}

/// What came back from the network.
enum Sent {
    Answered(Box<Answer>),
    /// It surely did not act.
    NotTaken,
    Unknown,
}

async fn send(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
    trace: TraceId,
) -> Sent {
    let brand = fields.number.brand();
    let call = Call::post(network::path(brand), translate::encode(message))
        .facts(translate::facts(context, message, trace))
        .deadline(context.timers.processor)
        .fabricate(network::fabricate);
    read_reply(context.hops.to_network(context, brand, call).await)
}

fn read_reply(reply: Result<Reply, LinkFailure>) -> Sent {
    match reply {
        Ok(reply) if reply.is_success() => {
            let message = serde_json::from_slice::<Message>(&reply.body).ok();
            match message.as_ref().and_then(translate::answer_of) {
                Some(answer) => Sent::Answered(Box::new(answer)),
                None => Sent::Unknown,
            }
        }
        Ok(reply) if (400..500).contains(&reply.status) => Sent::NotTaken,
        Err(LinkFailure::NotSent(_)) => Sent::NotTaken,
        Ok(_) | Err(LinkFailure::Unknown(_)) => Sent::Unknown,
    }
}

/// What is recorded and answered.
fn conclude(
    context: &Context,
    id: i64,
    sent: Sent,
    fields: &RequestFields,
    obligation: Option<NewObligation>,
) -> Conclusion {
    let at = context.clock().now();
    let (event, answer, obligation) = match sent {
        Sent::Answered(answer) => {
            let amount = if answer.code.approves() { answer.approved } else { fields.amount };
            (TransactionEvent::Answered { code: answer.code, amount }, *answer, None)
        }
        Sent::NotTaken => {
            let code = ResponseCode::ISSUER_UNAVAILABLE;
            let event = TransactionEvent::Answered { code, amount: MinorUnits::ZERO };
            (event, Answer::refusal(code), None)
        }
        Sent::Unknown => {
            let answer = Answer::refusal(ResponseCode::RESPONSE_TOO_LATE);
            let obligation = obligation.filter(|_| !context.planted("processor_forgets_silence"));
            let obligation = obligation.map(|owed| NewObligation {
                obligation: Obligation::new(ObligationKind::ProcessorReversal, at),
                ..owed
            });
            (TransactionEvent::DeadlinePassed, answer, obligation)
        }
    };
    Conclusion { id, event, answer, obligation, retry: None, fee: None, at }
}

/// A known identity: the stored answer, a conflict, or the answer that is still to come.
async fn repeat(
    context: &Context,
    message: &Message,
    digest: BusinessDigest,
    mut known: StoredTransaction,
) -> Result<Taken, TakeError> {
    if known.machine.state == TransactionState::Tombstone {
        return taken(message, &Answer::refusal(ResponseCode::ALREADY_CLEARED), false);
    }
    if known.digest != digest {
        tracing::warn!(
            stan = message.stan,
            "a known identity came with other business fields: answered 94"
        );
        return taken(message, &Answer::refusal(ResponseCode::DUPLICATE), false);
    }
    if known.machine.state == TransactionState::Sent {
        let concluded = context.waiting.wait_for(known.id, &context.plumbing.activity);
        if let Some(now) = context.store.find_transaction(known.identity).await? {
            known = now;
        }
        if known.machine.state == TransactionState::Sent {
            let limit = context.timers.gateway;
            let waited = context.clock().timeout(limit, concluded.wait()).await;
            let reread = context.store.find_transaction(known.identity).await?;
            if let (Ok(Some(())), Some(now)) = (waited, reread) {
                known = now;
            }
        }
    }
    given(context, message, &known)
}

/// The answer on record.
fn given(
    context: &Context,
    message: &Message,
    known: &StoredTransaction,
) -> Result<Taken, TakeError> {
    let unanswered = || Answer::refusal(ResponseCode::RESPONSE_TOO_LATE);
    let answer = known.answer.clone().unwrap_or_else(unanswered);
    let lost = answer_rule(context, known).loses_outcome() && answer.code.approves();
    let mut taken = taken(message, &answer, lost)?;
    super::capture::tell(&mut taken.message, over_capture(context, known));
    Ok(taken)
}

async fn first_refund_is_lost(
    context: &Context,
    id: i64,
    fields: &RequestFields,
    rule: crate::domain::behaviour::AnswerRule,
) -> Result<bool, DatabaseError> {
    use crate::domain::behaviour::AnswerRule;
    if rule != AnswerRule::FirstRefundLost || fields.purpose != Purpose::Refund {
        return Ok(false);
    }
    Ok(context.store.lose_answer(id).await? == 0)
}

fn taken(message: &Message, answer: &Answer, lost: bool) -> Result<Taken, TakeError> {
    let message = translate::answer_message(message, answer)
        .ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Taken { message, lost })
}
