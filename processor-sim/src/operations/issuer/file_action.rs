//! 0302 at a bank: what became of one of its cards.

use data_encoding::BASE64URL_NOPAD;
use wire::card::Expiry;
use wire::codes::ResponseCode;
use wire::processor_api::{FileName, FileRecord, Message};

use crate::domain::parties::Issuer;
use crate::domain::updater::{self, Finding};
use crate::operations::network::Hop;
use crate::operations::translate::{self, Fault, TakeError};
use crate::operations::{Context, card_lives};

/// Whether a network token may stand for a card: one that pays may.
fn agree(context: &Context, issuer: &'static Issuer, message: &Message) -> Result<Hop, TakeError> {
    let number = message.pan.as_ref().ok_or_else(|| translate::missing("pan"))?;
    let card = context.cards.find(number).filter(|card| card.issuer == issuer);
    let refusal = match card {
        Some(card) => card.state().status.refusal(),
        None => Some(ResponseCode::INVALID_NUMBER),
    };
    let answer = message.answer(refusal.unwrap_or(ResponseCode::APPROVED));
    let answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Hop::Answer(Box::new(answer)))
}

/// Tells the account updater about a card.
pub(super) fn file_action(
    context: &Context,
    issuer: &'static Issuer,
    message: &Message,
) -> Result<Hop, TakeError> {
    let number = message.pan.as_ref().ok_or_else(|| translate::missing("pan"))?;
    if message.file.as_ref().is_some_and(|record| record.file == FileName::Token) {
        return agree(context, issuer, message);
    }
    let saved_with = match message.expiry.as_deref().map(Expiry::from_yymm) {
        Some(Err(_)) => return Err(Fault::format("expiry is not YYMM").into()),
        Some(Ok(expiry)) => Some(expiry),
        None => None,
    };
    let card = context.cards.find(number).filter(|card| card.issuer == issuer);
    let known = card.as_ref().map(|card| card_lives::known(context, card));
    let finding = updater::find(known.as_ref().map(|(known, _)| known), saved_with);
    let code = match finding {
        Finding::NoMatch => ResponseCode::NOT_FOUND,
        Finding::NewNumber
        | Finding::NewExpiry
        | Finding::Closed
        | Finding::Contact
        | Finding::OptedOut
        | Finding::NoChange
        | Finding::NotParticipating => ResponseCode::APPROVED,
    };
    let answer = message.answer(code);
    let mut answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    let mut record = FileRecord::of(FileName::Updater);
    record.result = Some(finding.word(number.brand()).to_owned());
    if let Some((known, last)) = &known {
        answer.par = Some(card_lives::account_reference(context, last));
        let date = || known.expiry.or(saved_with).map(Expiry::yymm);
        if finding == Finding::NewNumber {
            record.pan = Some(last.number.clone());
            answer.blind = Some(BASE64URL_NOPAD.encode(&context.plumbing.secrets.bytes::<16>()));
        }
        if matches!(finding, Finding::NewNumber | Finding::NewExpiry) {
            record.expiry = date();
        }
    }
    answer.file = Some(record);
    Ok(Hop::Answer(Box::new(answer)))
}
