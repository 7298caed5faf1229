//! Between messages and what the rules speak of.

use kit::facts::{Facts, TraceId};
use kit::sqlite::DatabaseError;
use wire::card::{CardNumber, Expiry};
use wire::codes::ResponseCode;
use wire::ids::{PaymentId, ReversalId};
use wire::money::{Currency, MinorUnits};
use wire::processor_api::{
    Additional, FUNCTION_INCREMENTAL, FUNCTION_VERIFICATION, Message, Mti, Original, PURCHASE,
    REFUND, SandboxData, ThreeDsData,
};

use super::{Context, network_tokens};
use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId, Results};
use crate::domain::behaviour::Behaviour;
use crate::domain::checks::Purpose;
use crate::domain::identity::{BusinessDigest, Identity, Stan};
use crate::domain::outcome::{OutcomeSource, Wish};

/// A message that cannot be taken as it is: the code that answers it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Field 39.
    pub code: ResponseCode,
    /// For the people who watch.
    pub note: String,
}

impl Fault {
    /// A format error: a field is missing or malformed.
    pub fn format(note: impl Into<String>) -> Self {
        Self { code: ResponseCode::FORMAT_ERROR, note: note.into() }
    }
}

/// A message or the database did not allow to go on.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The message is answered with a code.
    #[error("{}", .0.note)]
    Fault(Fault),
    /// Nothing can be answered.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<Fault> for TakeError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What every authorization and refund must carry.
#[derive(Clone, Debug)]
pub struct RequestFields {
    /// Its identity.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// Field 2, a card or a network token.
    pub number: CardNumber,
    /// The card that pays: behind a token, the one that it stands for.
    pub card: CardNumber,
    /// What it is for.
    pub purpose: Purpose,
    /// Field 4.
    pub amount: MinorUnits,
    /// Field 49.
    pub currency: Currency,
    /// Field 14.
    pub expiry: Option<Expiry>,
}

/// Reads the fields of an authorization or refund.
pub async fn request_fields(
    context: &Context,
    message: &Message,
) -> Result<RequestFields, TakeError> {
    let number = message.pan.clone().or_else(|| message.token_pan.clone());
    let number = number.ok_or_else(|| missing("pan"))?;
    let card = network_tokens::opened(context, message).unwrap_or_else(|| number.clone());
    let currency = message.currency.ok_or_else(|| missing("currency"))?;
    let amount = message.amount.ok_or_else(|| missing("amount"))?;
    let purpose = purpose(message)?;
    if amount.is_zero() != (purpose == Purpose::Verification) {
        let note = "an amount of zero goes with function 113, and only with it";
        return Err(Fault { code: ResponseCode::INVALID_AMOUNT, note: note.into() }.into());
    }
    let expiry = match message.expiry.as_deref().map(Expiry::from_yymm) {
        Some(Err(_)) => return Err(Fault::format("expiry is not YYMM").into()),
        Some(Ok(expiry)) => Some(expiry),
        None => None,
    };
    Ok(RequestFields {
        identity: identity(context, message).await?,
        digest: digest(context, message),
        number,
        card,
        purpose,
        amount,
        currency,
        expiry,
    })
}

/// A mandatory field that is not there.
pub fn missing(field: &str) -> Fault {
    Fault::format(format!("{field} is missing"))
}

fn purpose(message: &Message) -> Result<Purpose, Fault> {
    let refused = |note: &str| Fault { code: ResponseCode::INVALID_TRANSACTION, note: note.into() };
    match (message.processing_code.as_deref(), message.function_code.as_deref()) {
        (None, _) => Err(missing("processing_code")),
        (_, None) => Err(missing("function_code")),
        (Some(PURCHASE), Some(FUNCTION_VERIFICATION)) => Ok(Purpose::Verification),
        (Some(PURCHASE), Some("100" | "101" | FUNCTION_INCREMENTAL)) => Ok(Purpose::Purchase),
        (Some(REFUND), Some("100")) => Ok(Purpose::Refund),
        (Some(_), Some(_)) => Err(refused("this processing and function code is not supported")),
    }
}

/// Whether a request asks for more money on an authorization that is open.
pub fn is_increment(message: &Message) -> bool {
    message.function_code.as_deref() == Some(FUNCTION_INCREMENTAL)
}

/// Whether a merchant starts a payment without naming the one in which its customer agreed.
pub fn lacks_original(message: &Message) -> bool {
    let credential = message.stored_credential.as_ref();
    let by_merchant = credential.is_some_and(|it| it.initiator == "MIT");
    by_merchant && credential.is_some_and(|it| it.original_ntid.is_none())
}

/// Reasons of stored credentials (field 48.77).
const REASONS: [&str; 8] = [
    "recurring",
    "installment",
    "unscheduled",
    "incremental",
    "delayed",
    "no_show",
    "resubmission",
    "reauth",
];

/// The words of a stored credential, and what must stand beside them.
pub fn check_credential(message: &Message) -> Result<(), Fault> {
    let Some(credential) = &message.stored_credential else { return Ok(()) };
    let refused = |note: &str| Err(Fault::format(format!("stored_credential: {note}")));
    match (credential.initiator.as_str(), credential.sequence.as_str()) {
        ("CIT", "first" | "subsequent") | ("MIT", "subsequent") => {}
        ("MIT", _) => return refused("what a merchant starts is subsequent"),
        (_, _) => return refused("the initiator is CIT or MIT, the sequence first or subsequent"),
    }
    if credential.reason.as_deref().is_some_and(|reason| !REASONS.contains(&reason)) {
        return refused("the reason is not known");
    }
    let original = credential.original_ntid.as_deref();
    if original.is_some_and(|id| NetworkTransactionId::parse(id).is_none()) {
        return refused("original_ntid has fifteen digits");
    }
    Ok(())
}

/// The identity of a message.
pub async fn identity(context: &Context, message: &Message) -> Result<Identity, TakeError> {
    let directory = &context.directory;
    let terminal =
        directory.terminal(&context.store, &message.acquirer_id, &message.terminal_id).await?;
    let stan = Stan::parse(&message.stan).map_err(|error| Fault::format(error.to_string()))?;
    Ok(Identity { transmission_at: message.transmission_at, terminal, stan })
}

/// The identity of the message that another one speaks of.
pub async fn original_identity(
    context: &Context,
    original: &Original,
) -> Result<Identity, TakeError> {
    let directory = &context.directory;
    let terminal =
        directory.terminal(&context.store, &original.acquirer_id, &original.terminal_id).await?;
    let stan = Stan::parse(&original.stan).map_err(|error| Fault::format(error.to_string()))?;
    Ok(Identity { transmission_at: original.transmission_at, terminal, stan })
}

/// The keyed digest over fields 2, 3, 4, 18, 41, 42, 49, 56 and 95.
pub fn digest(context: &Context, message: &Message) -> BusinessDigest {
    let number = |field: Option<MinorUnits>| {
        field.map(|amount| amount.get().to_string()).unwrap_or_default()
    };
    let original = message.original.as_ref().map(|original| {
        format!(
            "{} {} {} {} {}",
            original.mti.class(),
            original.stan,
            original.transmission_at.millis(),
            original.terminal_id,
            original.acquirer_id
        )
    });
    // The card behind a token: the bank, which sees no token, comes to the same.
    let card = network_tokens::opened(context, message);
    context.business_digest(&[
        card.as_ref().map_or("", CardNumber::expose).as_bytes(),
        bytes(message.processing_code.as_deref()),
        number(message.amount).as_bytes(),
        bytes(message.mcc.as_deref()),
        message.terminal_id.as_bytes(),
        bytes(message.card_acceptor_id.as_deref()),
        message.currency.map_or("", Currency::code).as_bytes(),
        original.unwrap_or_default().as_bytes(),
        number(message.replacement_amount).as_bytes(),
    ])
}

fn number_of(message: &Message) -> Option<&CardNumber> {
    message.pan.as_ref().or(message.token_pan.as_ref())
}

fn bytes(field: Option<&str>) -> &[u8] {
    field.unwrap_or_default().as_bytes()
}

/// What the message says about its answer, when it is one.
pub fn answer_of(message: &Message) -> Option<Answer> {
    let code = message.response_code?;
    let results = message.additional.clone().unwrap_or_default();
    let sandbox = message.sandbox.clone().unwrap_or_default();
    let approved = if code.approves() { message.amount } else { None };
    Some(Answer {
        code,
        approved: approved.unwrap_or(MinorUnits::ZERO),
        auth_code: message.auth_code.as_deref().and_then(AuthCode::parse),
        network_transaction_id: message
            .network_transaction_id
            .as_deref()
            .and_then(NetworkTransactionId::parse),
        settlement_date: message.settlement_date.clone(),
        results: Results {
            security_code: results.cvv_result,
            address: results.avs_result,
            advice: results.advice_code,
            category: results.visa_category,
            stand_in: results.stip_reason,
            authentication: results.cavv_result,
            indicator: message.threeds.as_ref().and_then(|threeds| threeds.eci.clone()),
            account: message.par.clone(),
            moved_to: results.moved_to,
        },
        source: sandbox.outcome_source.as_deref().and_then(OutcomeSource::parse),
        note: sandbox.note,
    })
}

/// The answer message to a request; `None` when the message is itself an answer.
pub fn answer_message(request: &Message, answer: &Answer) -> Option<Message> {
    let mut message = request.answer(answer.code)?;
    fill_in(&mut message, answer);
    Some(message)
}

/// Puts an answer into the message that carries it.
pub fn fill_in(message: &mut Message, answer: &Answer) {
    message.response_code = Some(answer.code);
    if answer.code.approves() {
        message.amount = Some(answer.approved);
    }
    message.auth_code = answer.auth_code.map(|code| code.as_str().to_owned());
    message.network_transaction_id = answer.network_transaction_id.map(|id| id.to_string());
    message.settlement_date.clone_from(&answer.settlement_date);
    let results = &answer.results;
    let additional = Additional {
        cvv_result: results.security_code.clone(),
        avs_result: results.address.clone(),
        advice_code: results.advice.clone(),
        visa_category: results.category,
        stip_reason: results.stand_in.clone(),
        cavv_result: results.authentication.clone(),
        moved_to: results.moved_to.clone(),
        ..Additional::default()
    };
    message.threeds = results
        .indicator
        .clone()
        .map(|eci| ThreeDsData { eci: Some(eci), ..ThreeDsData::default() });
    message.par.clone_from(&results.account);
    message.additional = (!additional.is_empty()).then_some(additional);
    message.sandbox = Some(SandboxData {
        outcome: None,
        outcome_source: answer.source.map(|source| source.as_str().to_owned()),
        note: answer.note.clone(),
    });
}

/// The wish that travels with a request, and the source it stems from.
pub fn directive(message: &Message) -> Option<(Wish, OutcomeSource)> {
    let sandbox = message.sandbox.as_ref()?;
    let wish = Wish::parse(sandbox.outcome.as_deref()?).ok()?;
    let source = sandbox.outcome_source.as_deref().and_then(OutcomeSource::parse);
    Some((wish, source.unwrap_or(OutcomeSource::Header)))
}

/// How a wish has the parties behave; `None` for the alias of a card that does not exist.
pub fn behaviour_of_wish(context: &Context, wish: &Wish) -> Option<Behaviour> {
    match wish {
        Wish::Code(code) => Some(Behaviour::answering(*code)),
        Wish::LikeCard(alias) => context.cards.by_alias(alias).map(|card| card.behaviour),
    }
}

/// The word by which faults and the wire log know a message.
pub fn kind(message: &Message) -> &'static str {
    match message.mti.class() {
        '1' if matches!(
            message.mti,
            Mti::AuthorizationAdvice
                | Mti::AuthorizationAdviceRepeat
                | Mti::AuthorizationAdviceAnswer
        ) =>
        {
            "authorization_advice"
        }
        '1' if message.processing_code.as_deref() == Some(REFUND) => "refund",
        '1' => "authorization",
        '2' => "capture",
        '3' => "file_action",
        '4' => "reversal",
        '6' => "inquiry",
        _ => "network_management",
    }
}

/// What is known about a message.
pub fn facts(context: &Context, message: &Message, trace: TraceId) -> Facts {
    let number = network_tokens::opened(context, message);
    let card = number.and_then(|number| context.cards.find(&number));
    let network = number_of(message).map(|number| number.brand().as_str().to_owned());
    Facts {
        payment: message.payment_reference.clone(),
        card: card.and_then(|card| card.alias.clone()),
        amount: message.amount.map(MinorUnits::get),
        network,
        mti: Some(message.mti.as_str().to_owned()),
        ..Facts::new(kind(message), trace)
    }
}

/// The sixteen bytes of a payment reference, when it is one of the gateway's.
pub fn payment_bytes(message: &Message) -> Option<[u8; 16]> {
    let payment: PaymentId = message.payment_reference.as_deref()?.parse().ok()?;
    Some(*payment.bytes())
}

/// The reference of sixteen stored bytes.
pub fn payment_reference(bytes: Option<[u8; 16]>) -> Option<String> {
    bytes.map(|bytes| PaymentId::from_bytes(bytes).to_string())
}

/// The sixteen bytes of a reversal id.
pub fn reversal_bytes(message: &Message) -> Option<[u8; 16]> {
    message.reversal_id.as_ref().map(|id: &ReversalId| *id.bytes())
}

/// Field 37 as a number: twelve digits.
pub fn retrieval_reference(message: &Message) -> Result<Option<i64>, Fault> {
    let Some(text) = &message.rrn else { return Ok(None) };
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(Some(number)),
        Ok(_) | Err(_) => Err(Fault::format("rrn has twelve digits")),
    }
}

/// Serialises a message.
pub fn encode(message: &Message) -> bytes::Bytes {
    // A message holds nothing that JSON cannot hold.
    serde_json::to_vec(message).unwrap_or_default().into()
}
