//! 0400 to 0421: what the gateway takes back is taken back all the way to the bank.

use kit::crash_points::Boundary;
use kit::facts::TraceId;
use kit::http::NonceRow;
use kit::link::Call;
use wire::card::{Brand, MaskedPan};
use wire::codes::ResponseCode;
use wire::money::MinorUnits;
use wire::processor_api::Message;

use super::capture::over_capture;
use super::{Taken, answer_rule};
use crate::domain::acquirer_transaction::TransactionState;
use crate::domain::behaviour::AnswerRule;
use crate::domain::checks::Purpose;
use crate::operations::translate::{self, Fault, TakeError};
use crate::operations::{Context, network};
use crate::store::{BegunReversal, NewReversal, NewTransaction, ReversalStart, StoredTransaction};

/// Takes a reversal.
pub(super) async fn reverse(
    context: &Context,
    message: &Message,
    trace: TraceId,
    nonce: Option<NonceRow>,
) -> Result<Taken, TakeError> {
    let new = new_reversal(context, message, trace).await?;
    let remains = new.remains;
    let begun = match context.store.begin_reversal(new, nonce).await? {
        ReversalStart::Conflict => return answered(message, ResponseCode::DUPLICATE, false),
        ReversalStart::Begun(begun) => *begun,
    };
    context.plumbing.crash_points.reached("reversal", Boundary::Prepared);
    let rule = answer_rule(context, &begun.transaction);
    let lost = matches!(rule, AnswerRule::LostWithReversals(count)
        if begun.received_before < i64::from(count));
    let refused = matches!(rule, AnswerRule::LostThenRefused(count)
        if begun.received_before < i64::from(count));
    if refused {
        return answered(message, ResponseCode::SYSTEM_MALFUNCTION, false);
    }
    if let Some(code) = begun.code {
        return answered(message, code, lost);
    }
    let code = if takes_what_is_captured(context, &begun, remains) {
        ResponseCode::ALREADY_CLEARED
    } else {
        pass_on(context, message, &begun, trace).await
    };
    if is_acknowledgement(code) {
        let transaction = Box::new(begun.transaction);
        context.store.finish_reversal(begun.id, transaction, remains, code).await?;
    }
    context.plumbing.crash_points.reached("reversal", Boundary::AnswerStored);
    context.plumbing.crash_points.reached("reversal", Boundary::Stored);
    answered(message, code, lost)
}

async fn new_reversal(
    context: &Context,
    message: &Message,
    trace: TraceId,
) -> Result<NewReversal, TakeError> {
    let original = message.original.as_ref().ok_or_else(|| translate::missing("original"))?;
    let amount = message.amount.ok_or_else(|| translate::missing("amount"))?;
    let currency = message.currency.ok_or_else(|| translate::missing("currency"))?;
    let digest = translate::digest(context, message);
    let tombstone = NewTransaction {
        identity: translate::original_identity(context, original).await?,
        digest,
        acceptor: None,
        rrn: None,
        network: brand_of(message).map(Brand::as_str),
        pan_masked: masked(message),
        card_digest: message.pan.as_ref().map(|number| context.card_digest(number)),
        card_alias: None,
        wish: None,
        purpose: Purpose::Purchase,
        raises: None,
        category: None,
        descriptor: None,
        indicator: None,
        amount,
        currency,
        conversion: None,
        reversal_id: translate::reversal_bytes(message),
        payment: translate::payment_bytes(message),
        trace: *trace.bytes(),
        sent_at: context.clock().now(),
    };
    Ok(NewReversal {
        identity: translate::identity(context, message).await?,
        digest,
        original: tombstone,
        // Nothing that remains is a full reversal.
        remains: message.replacement_amount.filter(|remains| *remains != MinorUnits::ZERO),
        reason_code: message.reason_code.clone(),
        reversal_id: translate::reversal_bytes(message),
    })
}

/// Whether a reversal would leave less than what is captured. What waits for the cut-off goes with
/// a full reversal; what has left for clearing is presented, and only a refund gives it back.
fn takes_what_is_captured(
    context: &Context,
    begun: &BegunReversal,
    remains: Option<MinorUnits>,
) -> bool {
    let transaction = &begun.transaction;
    let left = match (transaction.raises, remains) {
        (Some(_), _) if transaction.machine.is_approved() => {
            begun.left.checked_sub(transaction.machine.left()).unwrap_or_default()
        }
        (Some(_), _) => return false,
        (None, Some(remains)) => remains.min(begun.left),
        (None, None) => return begun.progress.submitted,
    };
    over_capture(context, transaction).cap(left) < begun.progress.captured
}

fn masked(message: &Message) -> Option<MaskedPan> {
    let of_number = message.pan.as_ref().map(wire::card::CardNumber::masked);
    of_number.or_else(|| message.pan_masked.as_deref()?.parse().ok())
}

fn brand_of(message: &Message) -> Option<Brand> {
    let of_number = message.pan.as_ref().map(wire::card::CardNumber::brand);
    of_number.or_else(|| masked(message)?.brand())
}

/// Brings the reversal to the network, where there is anything to take back. The code that comes
/// back, or 91: try again.
async fn pass_on(
    context: &Context,
    message: &Message,
    begun: &BegunReversal,
    trace: TraceId,
) -> ResponseCode {
    if context.planted("processor_keeps_reversals") {
        return ResponseCode::APPROVED;
    }
    let transaction = &begun.transaction;
    match transaction.machine.state {
        TransactionState::Reversed => return ResponseCode::APPROVED,
        TransactionState::Answered if !transaction.machine.is_approved() => {
            return ResponseCode::APPROVED;
        }
        TransactionState::Tombstone
        | TransactionState::Sent
        | TransactionState::Answered
        | TransactionState::Unanswered => {}
    }
    let Some(brand) = network_of(transaction) else { return ResponseCode::NOT_FOUND };
    let mut forwarded = message.clone();
    // The bank speaks of what it still holds, not of what it has posted.
    forwarded.replacement_amount = message
        .replacement_amount
        .map(|remains| remains.checked_sub(begun.progress.posted).unwrap_or_default());
    if forwarded.pan.is_none() {
        forwarded.pan_masked = transaction.pan_masked.map(|pan| pan.to_string());
    }
    let mut facts = translate::facts(context, &forwarded, trace);
    facts.card.clone_from(&transaction.card_alias);
    facts.network = Some(brand.as_str().to_owned());
    facts.payment = facts.payment.or_else(|| translate::payment_reference(transaction.payment));
    let call = Call::post(network::path(brand), translate::encode(&forwarded))
        .facts(facts)
        .deadline(context.timers.processor)
        .fabricate(network::fabricate);
    let reply = context.hops.to_network(context, brand, call).await;
    network::code_of(reply).unwrap_or(ResponseCode::ISSUER_UNAVAILABLE)
}

fn network_of(transaction: &StoredTransaction) -> Option<Brand> {
    transaction.network.as_deref()?.parse().ok()
}

fn is_acknowledgement(code: ResponseCode) -> bool {
    [ResponseCode::APPROVED, ResponseCode::NOT_FOUND, ResponseCode::ALREADY_CLEARED].contains(&code)
}

fn answered(message: &Message, code: ResponseCode, lost: bool) -> Result<Taken, TakeError> {
    let answer = message.answer(code);
    let message = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Taken { message, lost })
}
