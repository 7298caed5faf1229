//! Sends what is owed until it is acknowledged: reversals and stand-in advices.

use kit::crash_points::Boundary;
use kit::facts::{Facts, TraceId};
use kit::link::Call;
use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::ids::ReversalId;
use wire::money::MinorUnits;
use wire::processor_api::{FUNCTION_REVERSAL_FULL, Message, Mti, Original, PURCHASE};
use wire::time::Timestamp;

use super::{Context, issuer, network, translate};
use crate::domain::obligation::{ObligationEvent, ObligationKind, ObligationState};
use crate::domain::parties::{Issuer, route_of};
use crate::store::{NewObligation, StoredObligation};

/// Obligations that one step takes up.
const CLAIM_MAX: i64 = 32;

/// Takes up all that is due, each on a task of its own. Returns when the next one is due.
pub async fn step(context: Context) -> Option<Timestamp> {
    loop {
        let now = context.clock().now();
        match context.store.claim_obligations(now, CLAIM_MAX).await {
            Ok(claimed) if claimed.is_empty() => break,
            Ok(claimed) => claimed.into_iter().for_each(|stored| begin(&context, stored)),
            Err(error) => {
                tracing::error!(%error, "what is owed could not be read");
                break;
            }
        }
    }
    context.store.next_obligation_due().await.unwrap_or_else(|error| {
        tracing::error!(%error, "what is owed could not be read");
        None
    })
}

fn begin(context: &Context, stored: StoredObligation) {
    tokio::spawn(context.plumbing.activity.track(fulfil(context.clone(), stored)));
}

/// Sends one message and records what came of it.
async fn fulfil(context: Context, stored: StoredObligation) {
    let code = send(&context, &stored.owed).await;
    let code = code.or(context.planted("owe_only_once").then_some(ResponseCode::APPROVED));
    let event =
        ObligationEvent::Answered { code, now: context.clock().now(), jitter: context.jitter() };
    let (kind, id) = (stored.owed.obligation.kind, stored.id);
    let reported = context.store.report_obligation(stored, event, code).await;
    context.plumbing.crash_points.reached(message_kind(kind), Boundary::AnswerStored);
    match reported {
        Ok(ObligationState::Parked) => {
            tracing::error!(
                obligation = id,
                kind = kind.as_str(),
                "given up after a day: a person has to decide"
            );
        }
        Ok(ObligationState::Acked) if code == Some(ResponseCode::ALREADY_CLEARED) => {
            tracing::warn!(obligation = id, "a reversal came after the clearing");
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, obligation = id, "an answer was not recorded"),
    }
    context.obligations.wake();
}

async fn send(context: &Context, owed: &NewObligation) -> Option<ResponseCode> {
    let brand: Brand = owed.network.parse().ok()?;
    let issuer = owed.issuer.as_deref().and_then(Issuer::by_id).or_else(|| {
        let route = route_of(brand, owed.pan_masked.first6())?;
        Issuer::by_id(route.issuer)
    });
    let message = match owed.obligation.kind {
        ObligationKind::ProcessorReversal | ObligationKind::NetworkReversal => {
            reversal(context, owed)?
        }
        ObligationKind::StandInAdvice => advice(context, owed)?,
    };
    let facts = facts(owed, &message);
    if owed.obligation.kind == ObligationKind::ProcessorReversal {
        let call = Call::post(network::path(brand), translate::encode(&message))
            .facts(facts)
            .deadline(context.timers.processor)
            .fabricate(network::fabricate);
        return network::code_of(context.hops.to_network(context, brand, call).await);
    }
    let issuer = issuer?;
    if !context.sign_on.is_signed_on(issuer, brand) {
        return None;
    }
    let call = Call::post(issuer::path(issuer), translate::encode(&message))
        .facts(facts)
        .deadline(context.timers.network)
        .fabricate(network::fabricate);
    let code = network::code_of(context.hops.to_issuer(context, issuer, call).await);
    if let (ObligationKind::NetworkReversal, Some(code)) = (owed.obligation.kind, code)
        && code != ResponseCode::ALREADY_CLEARED
        && let Err(error) = context.store.mark_network_reversed(owed.original).await
    {
        tracing::error!(%error, "a reversal was not recorded");
    }
    code
}

const fn message_kind(kind: ObligationKind) -> &'static str {
    match kind {
        ObligationKind::ProcessorReversal | ObligationKind::NetworkReversal => "reversal",
        ObligationKind::StandInAdvice => "authorization_advice",
    }
}

fn facts(owed: &NewObligation, message: &Message) -> Facts {
    let kind = message_kind(owed.obligation.kind);
    Facts {
        payment: translate::payment_reference(owed.payment),
        card: owed.card_alias.clone(),
        amount: Some(owed.amount.get()),
        network: Some(owed.network.clone()),
        issuer: owed.issuer.clone(),
        mti: Some(message.mti.as_str().to_owned()),
        ..Facts::new(kind, TraceId::from_bytes(owed.trace))
    }
}

/// The parts that all owed messages have in common.
fn begin_message(context: &Context, owed: &NewObligation) -> Option<(Message, Original)> {
    let tries = owed.obligation.tries.saturating_sub(1);
    let mti = mti_of(owed.obligation.kind.message_type(tries))?;
    let (acquirer_id, terminal_id) = context.directory.names_of(owed.original.terminal)?;
    let stan = owed.original.stan.to_string();
    let original = Original {
        mti: Mti::AuthorizationRequest,
        stan: stan.clone(),
        transmission_at: owed.original.transmission_at,
        terminal_id: terminal_id.clone(),
        acquirer_id: acquirer_id.clone(),
        forwarder_id: None,
    };
    // A reversal has its own time; an advice is the request itself, told by the network.
    let at = match owed.obligation.kind {
        ObligationKind::StandInAdvice => owed.original.transmission_at,
        ObligationKind::ProcessorReversal | ObligationKind::NetworkReversal => {
            owed.obligation.created_at
        }
    };
    let mut message = Message::new(mti, stan, at, acquirer_id, terminal_id);
    message.repeat_no = tries;
    message.processing_code = Some(PURCHASE.to_owned());
    message.amount = Some(owed.amount);
    message.currency = Some(owed.currency);
    message.mcc.clone_from(&owed.category);
    message.card_acceptor_id.clone_from(&owed.card_acceptor_id);
    message.reason_code = Some(owed.reason_code.clone());
    message.rrn = owed.rrn.map(|rrn| format!("{rrn:012}"));
    message.network_transaction_id = owed.network_transaction_id.map(|id| id.to_string());
    message.payment_reference = translate::payment_reference(owed.payment);
    Some((message, original))
}

fn reversal(context: &Context, owed: &NewObligation) -> Option<Message> {
    let (mut message, original) = begin_message(context, owed)?;
    message.function_code = Some(FUNCTION_REVERSAL_FULL.to_owned());
    message.pan_masked = Some(owed.pan_masked.to_string());
    message.original = Some(original);
    message.replacement_amount = Some(MinorUnits::ZERO);
    message.reversal_id = owed.reversal_id.map(ReversalId::from_bytes);
    Some(message)
}

/// The advice carries the number, which the network takes from the bank's card file: its own
/// rows hold only a keyed digest.
fn advice(context: &Context, owed: &NewObligation) -> Option<Message> {
    let (mut message, _) = begin_message(context, owed)?;
    message.pan = Some(context.cards.number_of(context, owed.card_digest)?);
    message.function_code = Some("100".to_owned());
    message.auth_code = owed.auth_code.map(|code| code.as_str().to_owned());
    message.blind = Some(context.plumbing.secrets.nonce());
    Some(message)
}

fn mti_of(digits: &str) -> Option<Mti> {
    match digits {
        "0120" => Some(Mti::AuthorizationAdvice),
        "0121" => Some(Mti::AuthorizationAdviceRepeat),
        "0400" => Some(Mti::ReversalRequest),
        "0401" => Some(Mti::ReversalRepeat),
        "0420" => Some(Mti::ReversalAdvice),
        "0421" => Some(Mti::ReversalAdviceRepeat),
        _ => None,
    }
}
