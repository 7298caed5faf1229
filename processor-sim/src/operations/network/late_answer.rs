//! Answers that nobody waits for any more.

use wire::codes::ResponseCode;
use wire::processor_api::Message;

use super::Hop;
use crate::operations::Context;
use crate::operations::translate::{self, TakeError};

/// A 0110 that nobody waits for any more: it came late, or a second time. It changes nothing: what
/// was decided without it stands, and a reversal or an advice is on its way where one is needed.
pub(super) async fn late_answer(context: &Context, message: &Message) -> Result<Hop, TakeError> {
    let identity = translate::identity(context, message).await?;
    let known = context.store.find_network_transaction(identity).await?;
    tracing::info!(
        stan = message.stan,
        known = known.is_some(),
        response_code = message.response_code.as_ref().map(ResponseCode::as_str),
        "late_response: an answer came when nobody waited for it; dropped"
    );
    Ok(Hop::Silence)
}
