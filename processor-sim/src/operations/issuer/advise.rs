//! 0120 and 0121 at a bank: what the network approved in its place is held, even if it overdraws.

use wire::codes::ResponseCode;
use wire::processor_api::Message;

use super::authorize::release_at;
use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId, Results};
use crate::domain::parties::Issuer;
use crate::operations::Context;
use crate::operations::network::Hop;
use crate::operations::translate::{self, Fault, TakeError};
use crate::store::{Advised, IssuerAdvice};

/// Takes an advice.
pub(super) async fn advise(
    context: &Context,
    issuer: &'static Issuer,
    message: &Message,
) -> Result<Hop, TakeError> {
    let fields = translate::request_fields(context, message).await?;
    let card = context.cards.find(&fields.number).filter(|card| card.issuer == issuer);
    let card = card.ok_or_else(|| Fault {
        code: ResponseCode::INVALID_NUMBER,
        note: "no such card".to_owned(),
    })?;
    let state = card.state();
    let release = release_at(context, message, &card.behaviour, card.brand());
    let id = message.network_transaction_id.as_deref().and_then(NetworkTransactionId::parse);
    let advice = IssuerAdvice {
        identity: fields.identity,
        digest: fields.digest,
        issuer,
        card: card.rows(context, &state),
        terms: state.terms,
        currency: fields.currency,
        release_at: release,
        answer: Answer {
            approved: fields.amount,
            auth_code: message.auth_code.as_deref().and_then(AuthCode::parse),
            network_transaction_id: id,
            results: Results { stand_in: message.reason_code.clone(), ..Results::default() },
            ..Answer::refusal(ResponseCode::APPROVED)
        },
        at: context.clock().now(),
    };
    let code = match context.store.advise(advice).await? {
        Advised::Conflict => ResponseCode::DUPLICATE,
        Advised::Answered(code, (row, account)) => {
            card.remember_rows(row, account);
            code
        }
    };
    context.releases.note(Some(release));
    let answer = message.answer(code);
    let answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Hop::Answer(Box::new(answer)))
}
