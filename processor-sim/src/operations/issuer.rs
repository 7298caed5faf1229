//! The issuing banks: decide on their cards, hold money, take it back.

mod advise;
mod authorize;
mod file_action;
mod reverse;

use bytes::Bytes;
use kit::link::{LocalAnswer, ReceivedMessage};
use wire::processor_api::{Message, Mti};

use super::Context;
use super::network::{answer_hop, local};
use crate::domain::parties::Issuer;

/// Where a bank takes messages.
pub fn path(issuer: &Issuer) -> String {
    format!("/iss/{}/v1/messages", issuer.id)
}

/// Takes a message from a network.
pub async fn receive(
    context: Context,
    issuer: &'static Issuer,
    received: ReceivedMessage,
) -> LocalAnswer {
    let Ok(message) = serde_json::from_slice::<Message>(&received.body) else {
        return local(400, Bytes::new());
    };
    let taken = match message.mti {
        Mti::AuthorizationRequest | Mti::AuthorizationRepeat => {
            authorize::authorize(&context, issuer, &message, received.trace).await
        }
        Mti::AuthorizationAdvice | Mti::AuthorizationAdviceRepeat => {
            advise::advise(&context, issuer, &message).await
        }
        Mti::ReversalRequest
        | Mti::ReversalRepeat
        | Mti::ReversalAdvice
        | Mti::ReversalAdviceRepeat => reverse::reverse(&context, issuer, &message).await,
        Mti::FileAction => file_action::file_action(&context, issuer, &message),
        Mti::AuthorizationAnswer
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
