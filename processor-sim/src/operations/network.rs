//! The card networks: route to banks, stand in for silent ones, keep what was answered.

mod authorize;
mod file_action;
mod late_answer;
mod manage;
mod reverse;
mod token_action;

use bytes::Bytes;
use kit::facts::TraceId;
use kit::link::{Call, LinkFailure, LocalAnswer, ReceivedMessage, Reply};
use kit::sqlite::DatabaseError;
use serde_json::{Map, Value};
use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::processor_api::{Message, Mti, SandboxData};

use super::translate::{self, TakeError};
use super::{Context, issuer};
use crate::domain::outcome::OutcomeSource;
use crate::domain::parties::Issuer;

/// Where a network takes messages.
pub fn path(brand: Brand) -> String {
    format!("/net/{}/v1/messages", brand.as_str())
}

/// A message as it came in over a hop inside the program.
pub(super) enum Hop {
    /// To be answered.
    Answer(Box<Message>),
    /// Acted on as far as it makes sense; there is no answer.
    Silence,
}

/// Takes a message from the processor.
pub async fn receive(context: Context, brand: Brand, received: ReceivedMessage) -> LocalAnswer {
    let Ok(message) = serde_json::from_slice::<Message>(&received.body) else {
        return local(400, Bytes::new());
    };
    let taken = match message.mti {
        Mti::AuthorizationRequest | Mti::AuthorizationRepeat => {
            authorize::authorize(&context, brand, &message, received.trace).await
        }
        Mti::ReversalRequest
        | Mti::ReversalRepeat
        | Mti::ReversalAdvice
        | Mti::ReversalAdviceRepeat => {
            reverse::reverse(&context, brand, &message, received.trace).await
        }
        Mti::FileAction => {
            file_action::file_action(&context, brand, &message, received.trace).await
        }
        Mti::AuthorizationAnswer
        | Mti::AuthorizationAdvice
        | Mti::AuthorizationAdviceRepeat
        | Mti::AuthorizationAdviceAnswer
        | Mti::CaptureAdvice
        | Mti::CaptureAdviceRepeat
        | Mti::CaptureAdviceAnswer
        | Mti::FileActionAnswer
        | Mti::ReversalAnswer
        | Mti::ReversalAdviceAnswer
        | Mti::AdministrativeRequest
        | Mti::AdministrativeAnswer
        | Mti::NetworkRequest
        | Mti::NetworkAnswer => return local(400, Bytes::new()),
    };
    answer_hop(&message, taken)
}

/// Asks the bank of a card about its file; none when it does not answer.
async fn ask_bank(
    context: &Context,
    bank: &'static Issuer,
    message: &Message,
    trace: TraceId,
) -> Option<Message> {
    let mut facts = translate::facts(context, message, trace);
    facts.issuer = Some(bank.id.to_owned());
    let call = Call::post(issuer::path(bank), translate::encode(message))
        .facts(facts)
        .deadline(context.timers.network)
        .fabricate(fabricate);
    let reply = context.hops.to_issuer(context, bank, call).await.ok().filter(Reply::is_success)?;
    serde_json::from_slice(&reply.body).ok()
}

/// Takes a message from a bank: sign-on and sign-off, and answers that nobody waits for.
pub async fn receive_from_issuer(
    context: Context,
    brand: Brand,
    received: ReceivedMessage,
) -> LocalAnswer {
    let Ok(message) = serde_json::from_slice::<Message>(&received.body) else {
        return local(400, Bytes::new());
    };
    let taken = match message.mti {
        Mti::AuthorizationAnswer => late_answer::late_answer(&context, &message).await,
        Mti::NetworkRequest => Ok(manage::manage(&context, brand, &message)),
        Mti::AuthorizationRequest
        | Mti::AuthorizationRepeat
        | Mti::AuthorizationAdvice
        | Mti::AuthorizationAdviceRepeat
        | Mti::AuthorizationAdviceAnswer
        | Mti::CaptureAdvice
        | Mti::CaptureAdviceRepeat
        | Mti::CaptureAdviceAnswer
        | Mti::FileAction
        | Mti::FileActionAnswer
        | Mti::ReversalRequest
        | Mti::ReversalRepeat
        | Mti::ReversalAnswer
        | Mti::ReversalAdvice
        | Mti::ReversalAdviceRepeat
        | Mti::ReversalAdviceAnswer
        | Mti::AdministrativeRequest
        | Mti::AdministrativeAnswer
        | Mti::NetworkAnswer => return local(400, Bytes::new()),
    };
    answer_hop(&message, taken)
}

/// The answer on a hop: a message, silence, or that the message was not taken.
pub(super) fn answer_hop(request: &Message, taken: Result<Hop, TakeError>) -> LocalAnswer {
    match taken {
        Ok(Hop::Answer(answer)) => local(200, translate::encode(&answer)),
        Ok(Hop::Silence) => local(204, Bytes::new()),
        Err(TakeError::Fault(fault)) => match request.answer(fault.code) {
            Some(answer) => local(200, translate::encode(&answer)),
            None => local(400, Bytes::new()),
        },
        Err(TakeError::Database(error)) => failed(&error),
    }
}

pub(super) fn failed(error: &DatabaseError) -> LocalAnswer {
    tracing::error!(%error, "a message could not be recorded");
    local(500, Bytes::new())
}

pub(super) const fn local(status: u16, body: Bytes) -> LocalAnswer {
    LocalAnswer { status, body }
}

/// The response code of a reply, if it is one that can be trusted.
pub fn code_of(reply: Result<Reply, LinkFailure>) -> Option<ResponseCode> {
    let reply = reply.ok().filter(Reply::is_success)?;
    serde_json::from_slice::<Message>(&reply.body).ok()?.response_code
}

/// Approval code of answers that nobody has given.
const FABRICATED_AUTH_CODE: &str = "FABR1C";

/// The body of a business answer that a fault fabricates: an approval of the request, with the
/// fields that the fault names. The scenario is its source.
pub fn fabricate(request: &[u8], fields: &Map<String, Value>) -> Bytes {
    let made = || {
        let request: Message = serde_json::from_slice(request).ok()?;
        let is_authorization = request.mti.class() == '1';
        let mut answer = request.answer(ResponseCode::APPROVED)?;
        let source = OutcomeSource::Scenario.as_str().to_owned();
        answer.sandbox =
            Some(SandboxData { outcome_source: Some(source), ..SandboxData::default() });
        let Value::Object(mut members) = serde_json::to_value(answer).ok()? else { return None };
        members.extend(fields.clone());
        let code = members.get("response_code").and_then(Value::as_str);
        let approves = code.and_then(|code| ResponseCode::parse(code).ok());
        if is_authorization && approves.is_some_and(ResponseCode::approves) {
            members.entry("auth_code").or_insert_with(|| FABRICATED_AUTH_CODE.into());
        }
        serde_json::to_vec(&members).ok().map(Bytes::from)
    };
    made().unwrap_or_default()
}
