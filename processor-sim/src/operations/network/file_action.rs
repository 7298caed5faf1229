//! 0302 at a network: the account updater asks the bank that issued the card.

use kit::facts::TraceId;
use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::processor_api::{FUNCTION_FILE_INQUIRY, FileName, FileRecord, Message};

use super::{Hop, token_action};
use crate::domain::parties::{Issuer, route_of};
use crate::domain::updater::{self, Finding};
use crate::operations::Context;
use crate::operations::translate::{self, Fault, TakeError};

/// Takes a file action from the processor.
pub(super) async fn file_action(
    context: &Context,
    brand: Brand,
    message: &Message,
    trace: TraceId,
) -> Result<Hop, TakeError> {
    let record = message.file.as_ref().ok_or_else(|| translate::missing("file"))?;
    let function = message.function_code.as_deref();
    if record.file == FileName::Updater && function == Some(FUNCTION_FILE_INQUIRY) {
        return update(context, brand, message, trace).await;
    }
    if record.file == FileName::Token {
        return token_action::token_action(context, brand, message, trace).await;
    }
    let note = "this network takes no such file action".to_owned();
    Err(Fault { code: ResponseCode::INVALID_TRANSACTION, note }.into())
}

/// What became of a card.
async fn update(
    context: &Context,
    brand: Brand,
    message: &Message,
    trace: TraceId,
) -> Result<Hop, TakeError> {
    if !updater::participates(brand) {
        return told(message, ResponseCode::APPROVED, Finding::NotParticipating.word(brand));
    }
    let number = message.pan.as_ref().ok_or_else(|| translate::missing("pan"))?;
    let route = route_of(brand, number.expose());
    let Some(bank) = route.and_then(|route| Issuer::by_id(route.issuer)) else {
        return told(message, ResponseCode::NOT_FOUND, Finding::NoMatch.word(brand));
    };
    let answer = super::ask_bank(context, bank, message, trace).await;
    let unavailable = || message.answer(ResponseCode::ISSUER_UNAVAILABLE);
    let answer = answer.or_else(unavailable);
    let answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Hop::Answer(Box::new(answer)))
}

fn told(message: &Message, code: ResponseCode, word: &str) -> Result<Hop, TakeError> {
    let answer = message.answer(code);
    let mut answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    let record = FileRecord::of(FileName::Updater);
    answer.file = Some(FileRecord { result: Some(word.to_owned()), ..record });
    Ok(Hop::Answer(Box::new(answer)))
}
