//! 0600 with function 603: what became of a message, from the processor's own record.

use wire::codes::ResponseCode;
use wire::processor_api::{FUNCTION_STATUS_INQUIRY, Message, Mti, Original, PURCHASE, REFUND};

use super::{Taken, answer_rule};
use crate::domain::acquirer_transaction::TransactionState;
use crate::domain::checks::Purpose;
use crate::operations::Context;
use crate::operations::translate::{self, Fault, TakeError};
use crate::store::{OnRecord, StoredTransaction};

/// Answers a status inquiry: 00 with the answer of then, 00 alone while there is none yet, 25 when
/// the message never came.
pub(super) async fn inquire(context: &Context, message: &Message) -> Result<Taken, TakeError> {
    if message.function_code.as_deref() != Some(FUNCTION_STATUS_INQUIRY) {
        let note = "only the status inquiry, function 603, is supported";
        let code = ResponseCode::INVALID_TRANSACTION;
        return Err(Fault { code, note: note.to_owned() }.into());
    }
    let original = message.original.as_ref().ok_or_else(|| translate::missing("original"))?;
    let identity = translate::original_identity(context, original).await?;
    match original.mti.class() {
        '1' => match context.store.find_transaction(identity).await? {
            Some(found) => {
                let mut taken = about_transaction(context, message, &found)?;
                if found.purpose == Purpose::Refund
                    && context.store.credit_is_submitted(found.id).await?
                {
                    taken.message.response_code = Some(ResponseCode::ALREADY_CLEARED);
                }
                Ok(taken)
            }
            None => about_nothing(message),
        },
        '2' => {
            let (found, submitted) = context.store.find_capture(identity).await?;
            let mut taken = about(message, original, found)?;
            if submitted && !context.planted("deny_that_captures_have_left") {
                // It has left for clearing and cannot be taken back any more.
                taken.message.response_code = Some(ResponseCode::ALREADY_CLEARED);
            }
            Ok(taken)
        }
        '4' => about(message, original, context.store.find_reversal(identity).await?),
        _ => Err(Fault::format("original.mti cannot be inquired about").into()),
    }
}

fn about_transaction(
    context: &Context,
    message: &Message,
    found: &StoredTransaction,
) -> Result<Taken, TakeError> {
    if context.planted("know_nothing_when_asked") {
        return about_nothing(message);
    }
    let lost = answer_rule(context, found).loses_outcome() && found.machine.is_approved();
    match (found.machine.state, &found.answer) {
        (TransactionState::Tombstone, _) => about_nothing(message),
        (TransactionState::Sent, _) | (_, None) => {
            Ok(Taken { message: plain(message, ResponseCode::APPROVED)?, lost })
        }
        (
            TransactionState::Answered | TransactionState::Unanswered | TransactionState::Reversed,
            Some(_),
        ) => {
            let mut answer = plain(message, ResponseCode::APPROVED)?;
            answer.inquired =
                stored_answer(context, found).map(|it| Box::new(at_its_end(it, found)));
            Ok(Taken { message: answer, lost })
        }
    }
}

/// A refund without an answer that we reversed ourselves was not made, whatever the bank did with
/// it; nobody else reverses refunds, so whoever asks learns of its end here.
fn at_its_end(mut answer: Message, found: &StoredTransaction) -> Message {
    let was_reversed =
        found.purpose == Purpose::Refund && found.machine.state == TransactionState::Reversed;
    let in_doubt = found.answer.as_ref().map(|answer| answer.code);
    if was_reversed && in_doubt == Some(ResponseCode::RESPONSE_TOO_LATE) {
        answer.response_code = Some(ResponseCode::SYSTEM_MALFUNCTION);
    }
    answer
}

/// The 0110 that a transaction was answered with, from the record alone.
pub(super) fn stored_answer(context: &Context, found: &StoredTransaction) -> Option<Message> {
    let (acquirer_id, terminal_id) = context.directory.names_of(found.identity.terminal)?;
    let mut answer = Message::new(
        Mti::AuthorizationAnswer,
        found.identity.stan.to_string(),
        found.identity.transmission_at,
        acquirer_id,
        terminal_id,
    );
    let processing_code = if found.purpose == Purpose::Refund { REFUND } else { PURCHASE };
    answer.pan_masked = found.pan_masked.map(|pan| pan.to_string());
    answer.processing_code = Some(processing_code.to_owned());
    answer.amount = Some(found.amount);
    answer.currency = Some(found.currency);
    answer.rrn = found.rrn.map(|rrn| format!("{rrn:012}"));
    let acceptor = found.acceptor.and_then(|id| context.directory.acceptor_of(id));
    answer.card_acceptor_id = acceptor.map(|acceptor| acceptor.card_acceptor_id);
    answer.payment_reference = translate::payment_reference(found.payment);
    translate::fill_in(&mut answer, found.answer.as_ref()?);
    super::capture::tell(&mut answer, super::capture::over_capture(context, found));
    Some(answer)
}

/// About a capture or a reversal.
fn about(message: &Message, original: &Original, found: OnRecord) -> Result<Taken, TakeError> {
    let code = match found {
        OnRecord::Nothing => return about_nothing(message),
        OnRecord::Unanswered => {
            return Ok(Taken::given(plain(message, ResponseCode::APPROVED)?));
        }
        OnRecord::Answered(code) => code,
    };
    let mut answer = plain(message, ResponseCode::APPROVED)?;
    let inquired = Message::new(
        original.mti,
        original.stan.clone(),
        original.transmission_at,
        original.acquirer_id.clone(),
        original.terminal_id.clone(),
    );
    answer.inquired = inquired.answer(code).map(Box::new);
    Ok(Taken::given(answer))
}

fn about_nothing(message: &Message) -> Result<Taken, TakeError> {
    Ok(Taken::given(plain(message, ResponseCode::NOT_FOUND)?))
}

fn plain(message: &Message, code: ResponseCode) -> Result<Message, TakeError> {
    let answer = message.answer(code);
    Ok(answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?)
}
