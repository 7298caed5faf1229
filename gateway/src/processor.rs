//! The client of the processor: messages out, answers in.

mod messages;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, Link, LinkFailure};
use kit::random::Secrets;
use serde_json::{Map, Value};
use wire::card::{Brand, CardNumber, Expiry, SecurityCode};
use wire::codes::{DeclineCode, ResponseCode};
use wire::ids::PaymentId;
use wire::money::{Currency, MinorUnits};
use wire::processor_api::{
    FUNCTION_FILE_ADD, FUNCTION_FILE_DELETE, FUNCTION_FILE_INQUIRY, FileName, Message,
    PROCESSOR_PATH, TokenStatus,
};
use wire::settlement::{AnswerDispute, DISPUTES_PATH, DisputeCase};
use wire::test_cards;
use wire::time::Timestamp;

use crate::domain::answer::Answer;
use crate::domain::capture::Capture;
use crate::domain::conversion::{Conversion, QuoteRefusal};
use crate::domain::identity::Identity;
use crate::domain::network_profile::OverCapture;
use crate::domain::payment::Payment;
use crate::domain::refund::Refund;
use crate::domain::reversal::{Original, Reversal};
use crate::domain::stored_card::CardUpdate;
use crate::settings::MerchantKeys;
use crate::vault::CardData;

/// The way to the processor, and what every message says about the merchant.
pub struct Processor {
    link: Link,
    merchant: MerchantKeys,
    secrets: Secrets,
    deadline: Duration,
}

/// What became of a message.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It was answered.
    Answered(T),
    /// It certainly never reached the processor, or was refused there unread.
    NotSent,
    /// Nobody knows: no answer in time, or none that can be believed.
    Unanswered,
}

impl<T> Outcome<T> {
    fn then<U>(self, read: impl FnOnce(T) -> Option<U>) -> Outcome<U> {
        match self {
            Self::Answered(value) => read(value).map_or(Outcome::Unanswered, Outcome::Answered),
            Self::NotSent => Outcome::NotSent,
            Self::Unanswered => Outcome::Unanswered,
        }
    }
}

/// What an inquiry found out.
#[derive(Debug)]
pub enum Found {
    /// The answer that the request got.
    Answer(Box<Answer>),
    /// The far side is still finding out.
    StillOpen,
    /// The far side knows no such request.
    Nothing,
}

/// A card and what comes with it, for one message.
pub struct CardForMessage {
    /// Number, expiry, name and postal code.
    pub data: CardData,
    /// The security code, if it is still held.
    pub code: Option<SecurityCode>,
    /// The network token that pays in its place.
    pub token: Option<TokenForMessage>,
}

/// A network token, for one message.
#[derive(Clone)]
pub struct TokenForMessage {
    /// Its number.
    pub number: CardNumber,
    /// Its date.
    pub expiry: Expiry,
    /// The code with which it pays once.
    pub cryptogram: Option<String>,
}

/// What the network has told of a token.
pub struct TokenTold {
    /// Where it stands.
    pub state: TokenStatus,
    /// Its number.
    pub number: Option<CardNumber>,
    /// Its date.
    pub expiry: Option<Expiry>,
    /// A code with which it pays once.
    pub cryptogram: Option<String>,
}

/// What a message is about, beside its content.
#[derive(Clone, Debug)]
pub struct About {
    /// The operation.
    pub trace: TraceId,
    /// The payment.
    pub payment: PaymentId,
    /// The merchant's reference.
    pub order: String,
    /// Its currency.
    pub currency: Currency,
    /// Minor units.
    pub amount: MinorUnits,
    /// Number of the attempt.
    pub attempt: Option<u32>,
    /// The card's network.
    pub network: Option<Brand>,
    /// Alias of the test card, where it is known.
    pub card: Option<&'static str>,
    /// The payer pays in the currency of the card.
    pub conversion: Option<Arc<Conversion>>,
    /// What that is in the currency of the card, where it is not a plain part.
    pub card_amount: Option<MinorUnits>,
}

impl About {
    /// About a payment as a whole.
    pub fn payment(payment: &Payment, trace: TraceId) -> Self {
        Self {
            trace,
            payment: payment.id,
            order: payment.order_reference.clone(),
            currency: payment.currency,
            amount: payment.amounts.requested,
            attempt: payment.attempts.last().map(|attempt| attempt.n),
            network: payment.attempts.last().map(|attempt| attempt.card.brand),
            card: None,
            conversion: payment.attempts.last().and_then(|attempt| attempt.conversion.clone()),
            card_amount: None,
        }
    }

    /// About a refund.
    pub fn refund(payment: &Payment, refund: &Refund, trace: TraceId) -> Self {
        Self {
            amount: refund.amount,
            conversion: payment.conversion_of(refund.attempt).cloned(),
            card_amount: refund.card_amount,
            ..Self::payment(payment, trace)
        }
    }

    /// About a reversal.
    fn reversal(payment: &Payment, reversal: &Reversal, trace: TraceId) -> Self {
        let (attempt, card_amount) = match reversal.original {
            Original::Attempt(id) => (Some(id), None),
            Original::Refund(id) => {
                let refund = payment.refunds.iter().find(|it| it.id == id);
                (refund.map(|it| it.attempt), refund.and_then(|it| it.card_amount))
            }
        };
        Self {
            amount: reversal.amount,
            conversion: attempt.and_then(|id| payment.conversion_of(id)).cloned(),
            card_amount,
            ..Self::payment(payment, trace)
        }
    }

    /// An amount of ours as the message carries it.
    fn on_card(&self, amount: MinorUnits) -> MinorUnits {
        self.conversion.as_ref().map_or(amount, |it| it.on_card(amount))
    }

    /// What the message carries: amount and currency.
    fn carried(&self) -> (MinorUnits, Currency) {
        match &self.conversion {
            None => (self.amount, self.currency),
            Some(it) => {
                (self.card_amount.unwrap_or_else(|| it.on_card(self.amount)), it.card_currency)
            }
        }
    }

    /// An answer in the merchant's currency.
    fn own(&self, answer: Answer) -> Answer {
        let Some(it) = &self.conversion else { return answer };
        let amount = answer.amount.map(|amount| {
            if amount == self.carried().0 { self.amount } else { it.from_card(amount) }
        });
        Answer { amount, ..answer }
    }
}

impl Processor {
    /// Talks over `link` for this merchant; an answer is waited for until the deadline.
    pub fn new(link: Link, merchant: MerchantKeys, secrets: Secrets, deadline: Duration) -> Self {
        Self { link, merchant, secrets, deadline }
    }

    /// 0100: asks the card's issuer for the money of the payment's last attempt.
    pub async fn authorize(
        &self,
        payment: &Payment,
        card: CardForMessage,
        sandbox_outcome: Option<String>,
        trace: TraceId,
    ) -> Outcome<Answer> {
        let Some(attempt) = payment.attempts.last() else { return Outcome::NotSent };
        let mut about = About::payment(payment, trace);
        about.card = alias(&card.data.number);
        about.amount = attempt.asked;
        let number = card.data.number.clone();
        let message = self.authorization(&about, payment, attempt, card, sandbox_outcome);
        let answer = self.send("authorization", &about, &message).await;
        answer.then(|answer| Some(about.own(read_answer(&answer, Some(&number))?)))
    }

    /// 0100 or 0101 with the processing code of a refund: gives money back to the card.
    pub async fn refund(
        &self,
        payment: &Payment,
        refund: &Refund,
        card: CardForMessage,
        trace: TraceId,
    ) -> Outcome<Answer> {
        let mut about = About::refund(payment, refund, trace);
        about.card = alias(&card.data.number);
        let number = card.data.number.clone();
        let message = self.refund_message(&about, payment, refund, card);
        let answer = self.send("refund", &about, &message).await;
        answer.then(|answer| Some(about.own(read_answer(&answer, Some(&number))?)))
    }

    /// 0220 or 0221: takes money that was authorized.
    pub async fn capture(&self, capture: &CaptureMessage) -> Outcome<ResponseCode> {
        let message = self.capture_message(capture);
        let answer = self.send("capture", &capture.about, &message).await;
        answer.then(|answer| answer.response_code)
    }

    /// 0400, 0401, 0420 or 0421: gives an authorization back, or a refund.
    pub async fn reverse(
        &self,
        payment: &Payment,
        reversal: &Reversal,
        trace: TraceId,
    ) -> Outcome<ResponseCode> {
        let about = About::reversal(payment, reversal, trace);
        let Some(original) = original_of(payment, reversal.original) else {
            tracing::error!(payment.id = %payment.id, "a reversal has no original");
            return Outcome::Unanswered;
        };
        let message = self.reversal_message(&about, payment, reversal, original);
        let answer = self.send("reversal", &about, &message).await;
        answer.then(|answer| answer.response_code)
    }

    /// 0600: asks what became of a request.
    pub async fn inquire(
        &self,
        about: &About,
        identity: Identity,
        original: Identity,
        number: Option<&CardNumber>,
    ) -> Outcome<Found> {
        let message = self.inquiry_message(about, identity, original);
        let answer = self.send("inquiry", about, &message).await;
        answer.then(|answer| {
            Some(match read_found(answer, number)? {
                Found::Answer(answer) => Found::Answer(Box::new(about.own(*answer))),
                other => other,
            })
        })
    }

    /// 0600 about a capture: whether it has left for clearing.
    pub async fn is_submitted(
        &self,
        about: &About,
        identity: Identity,
        capture: &Capture,
    ) -> Outcome<bool> {
        let message = self.capture_inquiry(about, identity, capture.identity);
        self.has_cleared(about, &message).await
    }

    /// 0600 about a refund: whether its credit has left for clearing.
    pub async fn is_refund_submitted(
        &self,
        about: &About,
        identity: Identity,
        refund: &Refund,
    ) -> Outcome<bool> {
        let message = self.inquiry_message(about, identity, refund.identity);
        self.has_cleared(about, &message).await
    }

    async fn has_cleared(&self, about: &About, inquiry: &Message) -> Outcome<bool> {
        let answer = self.send("inquiry", about, inquiry).await;
        answer.then(|answer| answer.response_code.map(|it| it == ResponseCode::ALREADY_CLEARED))
    }

    /// A merchant's answer to a dispute. The inner error: why it was refused.
    pub async fn answer_dispute(
        &self,
        answer: &AnswerDispute,
        trace: TraceId,
    ) -> Outcome<Result<DisputeCase, String>> {
        let Ok(body) = serde_json::to_vec(answer) else { return Outcome::NotSent };
        let call = Call::post(DISPUTES_PATH, body)
            .facts(Facts::new("representment", trace))
            .deadline(self.deadline);
        let Ok(reply) = self.link.send(call).await else { return Outcome::Unanswered };
        match reply.status {
            200 => match serde_json::from_slice(&reply.body) {
                Ok(case) => Outcome::Answered(Ok(case)),
                Err(_) => Outcome::Unanswered,
            },
            404 | 409 | 422 => {
                let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                let detail = problem.get("detail").and_then(Value::as_str);
                Outcome::Answered(Err(detail.unwrap_or("refused").to_owned()))
            }
            _ => Outcome::Unanswered,
        }
    }

    /// 0302: asks the account updater what became of a saved card.
    pub async fn ask_updater(
        &self,
        card: &CardData,
        identity: Identity,
        trace: TraceId,
    ) -> Outcome<Told> {
        let message = self.updater_message(card, identity);
        let answer = self.send_about_card(&card.number, &message, trace).await;
        answer.then(|answer| read_told(&answer, card))
    }

    /// 0302: asks what the holder of a card would pay in the currency of the card.
    pub async fn request_quote(
        &self,
        payment: &Payment,
        card: &CardData,
        identity: Identity,
        trace: TraceId,
    ) -> Outcome<Result<Conversion, QuoteRefusal>> {
        let message = self.conversion_message(payment, card, identity);
        let answer = self.send_about_card(&card.number, &message, trace).await;
        answer.then(read_quote)
    }

    /// 0302: asks for a network token of a saved card.
    pub async fn request_token(
        &self,
        card: &CardData,
        identity: Identity,
        trace: TraceId,
    ) -> Outcome<TokenTold> {
        let message = self.token_message(FUNCTION_FILE_ADD, card, identity);
        let answer = self.send_about_card(&card.number, &message, trace).await;
        answer.then(|answer| read_token(&answer))
    }

    /// 0302: asks where a token stands, and for a code with which it pays once.
    pub async fn ask_for_code(
        &self,
        token: &CardData,
        identity: Identity,
        trace: TraceId,
    ) -> Outcome<TokenTold> {
        let message = self.token_message(FUNCTION_FILE_INQUIRY, token, identity);
        let answer = self.send_about_card(&token.number, &message, trace).await;
        answer.then(|answer| read_token(&answer))
    }

    /// 0302: ends a token.
    pub async fn end_token(
        &self,
        token: &CardData,
        identity: Identity,
        trace: TraceId,
    ) -> Outcome<TokenTold> {
        let message = self.token_message(FUNCTION_FILE_DELETE, token, identity);
        let answer = self.send_about_card(&token.number, &message, trace).await;
        answer.then(|answer| read_token(&answer))
    }

    /// A message that belongs to a card, not to a payment.
    async fn send_about_card(
        &self,
        number: &CardNumber,
        message: &Message,
        trace: TraceId,
    ) -> Outcome<Message> {
        let facts = Facts {
            card: alias(number).map(str::to_owned),
            network: Some(number.brand().as_str().to_owned()),
            mti: Some(message.mti.as_str().to_owned()),
            ..Facts::new("file_action", trace)
        };
        self.exchange(facts, message).await
    }

    async fn send(&self, kind: &'static str, about: &About, message: &Message) -> Outcome<Message> {
        let facts = Facts {
            payment: Some(about.payment.to_string()),
            order: Some(about.order.clone()),
            card: about.card.map(str::to_owned),
            amount: message.amount.map(MinorUnits::get),
            attempt: about.attempt,
            network: about.network.map(|brand| brand.as_str().to_owned()),
            mti: Some(message.mti.as_str().to_owned()),
            ..Facts::new(kind, about.trace)
        };
        self.exchange(facts, message).await
    }

    async fn exchange(&self, facts: Facts, message: &Message) -> Outcome<Message> {
        let Ok(body) = serde_json::to_vec(message) else { return Outcome::NotSent };
        let (kind, payment) = (facts.kind, facts.payment.clone().unwrap_or_default());
        let call = Call::post(PROCESSOR_PATH, body)
            .facts(facts)
            .deadline(self.deadline)
            .fabricate(fabricate);
        match self.link.send(call).await {
            Ok(reply) => match reply.status {
                200 => read(&reply.body, message).map_or(Outcome::Unanswered, Outcome::Answered),
                // Refused unread (`payments`: 4xx is not processed); but a nonce seen twice means
                // that a copy of this request may have been processed.
                400..=408 | 410..=499 => {
                    let status = reply.status;
                    tracing::error!(payment.id = payment, status, kind, "refused unread");
                    Outcome::NotSent
                }
                _ => Outcome::Unanswered,
            },
            Err(LinkFailure::NotSent(cause)) => {
                tracing::warn!(payment.id = payment, kind, cause, "not sent");
                Outcome::NotSent
            }
            Err(LinkFailure::Unknown(cause)) => {
                let cause = cause.as_str();
                tracing::warn!(payment.id = payment, kind, cause, "no answer");
                Outcome::Unanswered
            }
        }
    }
}

/// What a capture message needs of a payment.
#[derive(Clone, Debug)]
pub struct CaptureMessage {
    /// The payment.
    pub about: About,
    /// Its own identity.
    pub identity: Identity,
    /// The authorization's identity.
    pub original: Identity,
    /// How often it was sent before.
    pub tries: u32,
    /// What was authorized.
    pub authorized: MinorUnits,
    /// The issuer's approval.
    pub auth_code: Option<String>,
    /// The network's id of the payment.
    pub network_transaction_id: Option<String>,
}

fn alias(number: &CardNumber) -> Option<&'static str> {
    test_cards::by_number(number).map(|card| card.alias.as_str())
}

fn original_of(payment: &Payment, original: Original) -> Option<Identity> {
    match original {
        Original::Attempt(id) => {
            payment.attempts.iter().find(|it| it.id == id).map(|it| it.identity)
        }
        Original::Refund(id) => payment.refunds.iter().find(|it| it.id == id).map(|it| it.identity),
    }
}

/// The answer in a body, if it is one to `request`.
fn read(body: &[u8], request: &Message) -> Option<Message> {
    let answer: Message = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, "the processor's answer cannot be read");
            return None;
        }
    };
    let fits = Some(answer.mti) == request.mti.answer()
        && answer.stan == request.stan
        && answer.transmission_at == request.transmission_at
        && answer.terminal_id == request.terminal_id;
    if !fits {
        tracing::warn!(stan = request.stan, "the processor's answer belongs to another request");
    }
    fits.then_some(answer)
}

/// An answer in the words of the domain.
///
/// A test card may have its own decline code where the response code alone says less.
fn read_answer(answer: &Message, number: Option<&CardNumber>) -> Option<Answer> {
    let response_code = answer.response_code?;
    let decline_code = number
        .filter(|_| !response_code.approves())
        .and_then(test_cards::by_number)
        .filter(|card| card.response_code == Some(response_code))
        .and_then(|card| card.decline_code);
    let additional = answer.additional.clone().unwrap_or_default();
    let blocked = additional.retry_block.is_some() && !response_code.approves();
    let decline_code = if blocked { Some(DeclineCode::RETRY_BLOCKED) } else { decline_code };
    let approves = response_code.approves();
    Some(Answer {
        response_code,
        amount: if approves { answer.amount } else { None },
        auth_code: answer.auth_code.clone().filter(|_| approves),
        network_transaction_id: answer.network_transaction_id.clone(),
        decline_code,
        advice_code: additional.advice_code,
        retry_after: additional.retry_after,
        cvv_result: additional.cvv_result,
        avs_result: additional.avs_result,
        cavv_result: additional.cavv_result,
        indicator: answer.threeds.as_ref().and_then(|threeds| threeds.eci.clone()),
        over_capture: OverCapture {
            percent: additional.over_capture_percent.unwrap_or(0),
            amount: additional.over_capture_amount.unwrap_or_default(),
        },
        par: answer.par.clone(),
        moved_to: additional.moved_to,
        outcome_source: answer.sandbox.as_ref().and_then(|it| it.outcome_source.clone()),
        at: Timestamp::default(),
    })
}

/// What the account updater has told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What became of the card.
    pub update: CardUpdate,
    /// The card as it is now, where number or date have changed.
    pub card: Option<CardData>,
    /// Payment account reference.
    pub par: Option<String>,
}

/// What a 0312 of the account updater says; none where it makes no sense.
fn read_told(answer: &Message, asked: &CardData) -> Option<Told> {
    let record = answer.file.as_ref().filter(|record| record.file == FileName::Updater)?;
    let update = CardUpdate::of_word(record.result.as_deref()?)?;
    let date = || Expiry::from_yymm(record.expiry.as_deref()?).ok();
    let card = match update {
        CardUpdate::NewNumber => {
            Some(CardData { number: record.pan.clone()?, expiry: date()?, ..asked.clone() })
        }
        CardUpdate::NewExpiry => Some(CardData { expiry: date()?, ..asked.clone() }),
        CardUpdate::Closed
        | CardUpdate::ContactCardholder
        | CardUpdate::OptedOut
        | CardUpdate::NoChange
        | CardUpdate::NoMatch
        | CardUpdate::NotParticipating => None,
    };
    Some(Told { update, card, par: answer.par.clone() })
}

/// What a 0312 about conversion says: an offer, or that there is none (25).
fn read_quote(answer: Message) -> Option<Result<Conversion, QuoteRefusal>> {
    match answer.response_code? {
        ResponseCode::NOT_FOUND => Some(Err(QuoteRefusal::NotOffered)),
        code if code.approves() => Some(Ok(Conversion {
            agreed: answer.conversion?,
            card_amount: answer.amount_billing?,
            card_currency: answer.currency_billing?,
        })),
        _ => None,
    }
}

/// What a 0312 about a token says; none where there is no token.
fn read_token(answer: &Message) -> Option<TokenTold> {
    let record = answer.file.as_ref().filter(|record| record.file == FileName::Token)?;
    Some(TokenTold {
        state: record.token_status?,
        number: record.token_pan.clone(),
        expiry: record.expiry.as_deref().and_then(|text| Expiry::from_yymm(text).ok()),
        cryptogram: record.cryptogram.clone(),
    })
}

/// What a 0610 says: 25 for an unknown request, else the answer that the request got.
fn read_found(answer: Message, number: Option<&CardNumber>) -> Option<Found> {
    let code = answer.response_code?;
    if code == ResponseCode::NOT_FOUND {
        return Some(Found::Nothing);
    }
    match answer.inquired {
        Some(inquired) => read_answer(&inquired, number).map(|it| Found::Answer(Box::new(it))),
        None if code.approves() => Some(Found::StillOpen),
        None => None,
    }
}

/// A business answer made up by a fault: an approval of the request with the fault's fields.
fn fabricate(request: &[u8], fields: &Map<String, Value>) -> Bytes {
    let made = || -> Option<Bytes> {
        let request: Message = serde_json::from_slice(request).ok()?;
        let answer = request.answer(ResponseCode::APPROVED)?;
        let Value::Object(mut answer) = serde_json::to_value(answer).ok()? else { return None };
        answer.extend(fields.clone());
        serde_json::to_vec(&answer).ok().map(Bytes::from)
    };
    made().unwrap_or_default()
}

impl Answer {
    /// The same answer, taken in at `at`.
    pub fn taken_in(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }
}
