//! 0302 about network tokens: a merchant asks for one, for a code to pay with, or ends it.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use kit::facts::TraceId;
use wire::card::{Brand, Expiry};
use wire::codes::ResponseCode;
use wire::processor_api::{
    FUNCTION_FILE_ADD, FUNCTION_FILE_DELETE, FUNCTION_FILE_INQUIRY, FileName, FileRecord, Message,
    TokenStatus,
};

use super::Hop;
use crate::domain::network_token::TokenEvent;
use crate::operations::control_cards::CardError;
use crate::operations::translate::{self, Fault, TakeError};
use crate::operations::{Context, network_tokens};
use crate::store::StoredToken;

/// Takes what a merchant wants of a token.
pub(super) async fn token_action(
    context: &Context,
    brand: Brand,
    message: &Message,
    trace: TraceId,
) -> Result<Hop, TakeError> {
    match message.function_code.as_deref() {
        Some(FUNCTION_FILE_ADD) => provision(context, brand, message, trace).await,
        Some(FUNCTION_FILE_INQUIRY) => {
            let Some(token) = own(context, message)? else {
                return told(context, message, ResponseCode::NOT_PERMITTED, None, None);
            };
            let code = network_tokens::new_code(context, &token).await?;
            told(context, message, ResponseCode::APPROVED, Some(&token), Some(code))
        }
        Some(FUNCTION_FILE_DELETE) => {
            let Some(token) = own(context, message)? else {
                return told(context, message, ResponseCode::NOT_PERMITTED, None, None);
            };
            let ended = network_tokens::happen(context, &token, TokenEvent::Deactivated).await?;
            told(context, message, ResponseCode::APPROVED, Some(&ended), None)
        }
        _ => Err(Fault::format("tokens are added, inquired about and deleted").into()),
    }
}

/// The token that a message names, if it is the merchant's own.
fn own(context: &Context, message: &Message) -> Result<Option<Arc<StoredToken>>, Fault> {
    let number = message.token_pan.as_ref().ok_or_else(|| translate::missing("token_pan"))?;
    let requestor = network_tokens::requestor(message);
    Ok(context.tokens.find(number).filter(|token| token.requestor == requestor))
}

/// Gives out a token when the bank agrees.
async fn provision(
    context: &Context,
    brand: Brand,
    message: &Message,
    trace: TraceId,
) -> Result<Hop, TakeError> {
    let number = message.pan.as_ref().ok_or_else(|| translate::missing("pan"))?;
    if !network_tokens::is_supported(number) || number.brand() != brand {
        return told(context, message, ResponseCode::NOT_PERMITTED, None, None);
    }
    let Some(card) = context.cards.find(number) else {
        return told(context, message, ResponseCode::INVALID_NUMBER, None, None);
    };
    let token = network_tokens::request(context, &card, network_tokens::requestor(message)).await;
    let token = match token {
        Ok(token) => token,
        Err(CardError::Database(error)) => return Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "no network token was made");
            return told(context, message, ResponseCode::SYSTEM_MALFUNCTION, None, None);
        }
    };
    if token.state != TokenStatus::Initiated {
        return told(context, message, ResponseCode::APPROVED, Some(&token), None);
    }
    let answer = super::ask_bank(context, card.issuer, message, trace).await;
    let code = answer.and_then(|it| it.response_code).unwrap_or(ResponseCode::ISSUER_UNAVAILABLE);
    let agreed = code == ResponseCode::APPROVED;
    let event = if agreed { TokenEvent::Approved } else { TokenEvent::Refused };
    let mut token = network_tokens::happen(context, &token, event).await?;
    if agreed && card.behaviour.tokens_suspended {
        token = network_tokens::happen(context, &token, TokenEvent::Suspended).await?;
    }
    told(context, message, code, Some(&token), None)
}

fn told(
    context: &Context,
    message: &Message,
    code: ResponseCode,
    token: Option<&StoredToken>,
    cryptogram: Option<String>,
) -> Result<Hop, TakeError> {
    let answer = message.answer(code);
    let mut answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    let mut record = FileRecord::of(FileName::Token);
    if let Some(token) = token {
        record.token_status = Some(token.state);
        record.token_pan = Some(token.number.clone());
        record.expiry = Some(Expiry::yymm(token.expiry));
        answer.blind = Some(BASE64URL_NOPAD.encode(&context.plumbing.secrets.bytes::<16>()));
    }
    record.cryptogram = cryptogram;
    answer.file = Some(record);
    Ok(Hop::Answer(Box::new(answer)))
}
