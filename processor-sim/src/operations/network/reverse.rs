//! 0400 to 0421 at a network: passed on to the bank that has, or may have, the request.

use kit::facts::TraceId;
use kit::link::Call;
use wire::card::{Brand, CardNumber};
use wire::codes::ResponseCode;
use wire::money::MinorUnits;
use wire::processor_api::{FUNCTION_REVERSAL_PARTIAL, Message};

use super::Hop;
use crate::domain::parties::{Issuer, route_of};
use crate::operations::translate::{self, Fault, TakeError};
use crate::operations::{Context, issuer};

/// Takes a reversal from the processor.
pub(super) async fn reverse(
    context: &Context,
    brand: Brand,
    message: &Message,
    trace: TraceId,
) -> Result<Hop, TakeError> {
    let original = message.original.as_ref().ok_or_else(|| translate::missing("original"))?;
    let identity = translate::original_identity(context, original).await?;
    let known = context.store.find_network_transaction(identity).await?;
    let of_record = known.as_ref().and_then(|known| known.issuer.as_deref());
    let issuer = of_record.and_then(Issuer::by_id).or_else(|| route(brand, message));
    let Some(issuer) = issuer else { return answered(message, ResponseCode::NOT_FOUND) };
    let code = pass_on(context, brand, issuer, message, trace).await;
    let acknowledged =
        [ResponseCode::APPROVED, ResponseCode::NOT_FOUND, ResponseCode::ALREADY_CLEARED];
    if acknowledged.contains(&code) {
        let in_full = message.replacement_amount.is_none_or(MinorUnits::is_zero)
            && message.function_code.as_deref() != Some(FUNCTION_REVERSAL_PARTIAL)
            && code != ResponseCode::ALREADY_CLEARED;
        context.store.acknowledge_network_reversal(identity, in_full).await?;
    }
    answered(message, code)
}

/// The bank by number, or by the six digits of a masked one.
fn route(brand: Brand, message: &Message) -> Option<&'static Issuer> {
    let digits = match (&message.pan, &message.pan_masked) {
        (Some(number), _) => CardNumber::expose(number),
        (None, Some(masked)) => masked.get(..6)?,
        (None, None) => return None,
    };
    route_of(brand, digits).and_then(|route| Issuer::by_id(route.issuer))
}

/// The bank's answer, or 91: try again.
async fn pass_on(
    context: &Context,
    brand: Brand,
    issuer: &'static Issuer,
    message: &Message,
    trace: TraceId,
) -> ResponseCode {
    if !context.sign_on.is_signed_on(issuer, brand) {
        return ResponseCode::ISSUER_UNAVAILABLE;
    }
    let mut facts = translate::facts(context, message, trace);
    facts.network = Some(brand.as_str().to_owned());
    facts.issuer = Some(issuer.id.to_owned());
    let call = Call::post(issuer::path(issuer), translate::encode(message))
        .facts(facts)
        .deadline(context.timers.network)
        .fabricate(super::fabricate);
    let reply = context.hops.to_issuer(context, issuer, call).await;
    super::code_of(reply).unwrap_or(ResponseCode::ISSUER_UNAVAILABLE)
}

fn answered(message: &Message, code: ResponseCode) -> Result<Hop, TakeError> {
    let answer = message.answer(code);
    let answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Hop::Answer(Box::new(answer)))
}
