//! The processor: takes what the gateway sends, routes it to networks, keeps what it was answered.

mod authorize;
mod capture;
mod conversion;
mod file_action;
mod inquire;
mod retries;
mod reverse;

use std::time::Duration;

use kit::facts::TraceId;
use kit::http::NonceRow;
use kit::sqlite::DatabaseError;
use wire::card::mask_card_numbers;
use wire::codes::ResponseCode;
use wire::processor_api::{Message, Mti};

use super::Context;
use super::translate::{self, Fault, TakeError};
use crate::domain::behaviour::AnswerRule;
use crate::domain::outcome::Wish;
use crate::store::StoredTransaction;

pub use self::authorize::obligation_of;
pub use self::capture::tolerance_of;

/// How much longer than the gateway a lost answer takes.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// A message as it came in.
#[derive(Debug)]
pub enum Incoming {
    /// Well formed.
    Message(Box<Message>),
    /// Only its identity could be read; to be answered with this code.
    Damaged(Box<Message>, Fault),
}

impl Incoming {
    /// The message, or as much of it as could be read.
    pub fn message(&self) -> &Message {
        match self {
            Self::Message(message) | Self::Damaged(message, _) => message,
        }
    }
}

/// What the processor answers.
#[derive(Debug)]
pub struct Taken {
    /// The answer.
    pub message: Message,
    /// The answer is lost on the way: it comes when nobody waits for it any more.
    pub lost: bool,
}

impl Taken {
    fn given(message: Message) -> Self {
        Self { message, lost: false }
    }
}

/// Reads a body. `None`: not even the identity of a message is in it.
pub fn read(body: &[u8]) -> Option<Incoming> {
    match wire::json::parse_strict::<Message>(body) {
        Ok(message) => Some(Incoming::Message(Box::new(message))),
        Err(error) => damaged(body, &error.to_string()),
    }
}

/// Reads the identity of a message whose body is otherwise not as it must be.
fn damaged(body: &[u8], note: &str) -> Option<Incoming> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    let mti: Mti = serde_json::from_value(value.get("mti")?.clone()).ok()?;
    mti.answer()?;
    let message = Message::new(
        mti,
        text("stan")?,
        text("transmission_at")?.parse().ok()?,
        text("acquirer_id")?,
        text("terminal_id")?,
    );
    let not_positive = value.get("amount").and_then(serde_json::Value::as_i64);
    let code = match not_positive {
        Some(amount) if amount < 0 => ResponseCode::INVALID_AMOUNT,
        Some(_) | None => ResponseCode::FORMAT_ERROR,
    };
    Some(Incoming::Damaged(Box::new(message), Fault { code, note: note.to_owned() }))
}

/// Takes a message of the gateway and answers it.
pub async fn take(
    context: &Context,
    incoming: Incoming,
    trace: TraceId,
    nonce: Option<NonceRow>,
) -> Result<Option<Taken>, DatabaseError> {
    let message = match incoming {
        Incoming::Message(message) => message,
        Incoming::Damaged(message, fault) => return Ok(refused(&message, &fault)),
    };
    let taken = match message.mti {
        Mti::AuthorizationRequest | Mti::AuthorizationRepeat => {
            authorize::authorize(context, &message, trace, nonce).await
        }
        Mti::CaptureAdvice | Mti::CaptureAdviceRepeat => {
            capture::capture(context, &message, nonce).await
        }
        Mti::ReversalRequest
        | Mti::ReversalRepeat
        | Mti::ReversalAdvice
        | Mti::ReversalAdviceRepeat => reverse::reverse(context, &message, trace, nonce).await,
        Mti::FileAction => file_action::file_action(context, &message, trace).await,
        Mti::AdministrativeRequest => inquire::inquire(context, &message).await,
        Mti::NetworkRequest => Ok(manage_network(&message)),
        Mti::AuthorizationAdvice
        | Mti::AuthorizationAdviceRepeat
        | Mti::AuthorizationAnswer
        | Mti::AuthorizationAdviceAnswer
        | Mti::CaptureAdviceAnswer
        | Mti::FileActionAnswer
        | Mti::ReversalAnswer
        | Mti::ReversalAdviceAnswer
        | Mti::AdministrativeAnswer
        | Mti::NetworkAnswer => {
            Err(Fault::format("the processor takes no such message from the gateway").into())
        }
    };
    match taken {
        Ok(taken) => Ok(Some(taken)),
        Err(TakeError::Fault(fault)) => Ok(refused(&message, &fault)),
        Err(TakeError::Database(error)) => Err(error),
    }
}

/// The answer to a message that is not taken; nothing of it is kept.
fn refused(message: &Message, fault: &Fault) -> Option<Taken> {
    let mut answer = message.answer(fault.code)?;
    // What a reader complains about may repeat what somebody put into the wrong field.
    let note = Some(mask_card_numbers(&fault.note).into_owned());
    answer.sandbox = Some(wire::processor_api::SandboxData { note, ..Default::default() });
    Some(Taken::given(answer))
}

/// Echo, sign-on, sign-off, cut-over: acknowledged.
fn manage_network(message: &Message) -> Taken {
    let known = ["801", "802", "821", "831"];
    let code = match message.function_code.as_deref() {
        Some(function) if known.contains(&function) => ResponseCode::APPROVED,
        Some(_) | None => ResponseCode::FORMAT_ERROR,
    };
    let answer = message.answer(code).unwrap_or_else(|| message.clone());
    Taken::given(answer)
}

/// Holds an answer back until nobody waits for it any more.
pub async fn lose(context: &Context) {
    let _waiting = context.plumbing.activity.waiting();
    context.clock().sleep(context.timers.gateway.saturating_add(LOST_AFTER)).await;
}

/// What becomes of the processor's answers about a transaction.
fn answer_rule(context: &Context, transaction: &StoredTransaction) -> AnswerRule {
    rule_of(context, transaction.wish.as_deref(), transaction.card_alias.as_deref())
}

fn rule_of(context: &Context, wish: Option<&str>, alias: Option<&str>) -> AnswerRule {
    let behaviour = match wish.map(Wish::parse) {
        Some(Ok(wish)) => translate::behaviour_of_wish(context, &wish),
        Some(Err(_)) | None => None,
    };
    let of_card = || alias.and_then(|alias| context.cards.by_alias(alias));
    let behaviour = behaviour.or_else(|| of_card().map(|card| card.behaviour));
    behaviour.map_or(AnswerRule::Given, |behaviour| behaviour.answers)
}
