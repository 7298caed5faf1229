//! 0400 to 0421 at a bank: the hold is released, or a tombstone waits for its request.

use wire::money::MinorUnits;
use wire::processor_api::Message;

use crate::domain::parties::Issuer;
use crate::operations::Context;
use crate::operations::network::Hop;
use crate::operations::translate::{self, Fault, TakeError};
use crate::store::IssuerReversal;

/// Takes a reversal.
pub(super) async fn reverse(
    context: &Context,
    issuer: &'static Issuer,
    message: &Message,
) -> Result<Hop, TakeError> {
    let original = message.original.as_ref().ok_or_else(|| translate::missing("original"))?;
    let reversal = IssuerReversal {
        original: translate::original_identity(context, original).await?,
        issuer,
        remains: message.replacement_amount.filter(|remains| *remains != MinorUnits::ZERO),
        at: context.clock().now(),
    };
    let code = if context.planted("bank_keeps_holds") {
        wire::codes::ResponseCode::APPROVED
    } else {
        context.store.reverse_hold(reversal).await?
    };
    let answer = message.answer(code);
    let answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Hop::Answer(Box::new(answer)))
}
