//! 0302 at the processor: carried to the network of the card, and its answer carried back; offers of
//! conversion at the till are made here.

use kit::facts::TraceId;
use kit::link::{Call, LinkFailure, Reply};
use wire::codes::ResponseCode;
use wire::processor_api::{FileName, Message};
use wire::test_cards;

use super::{Taken, conversion};
use crate::operations::translate::{self, Fault, TakeError};
use crate::operations::{Context, network};

/// Asks the network of the card.
pub(super) async fn file_action(
    context: &Context,
    message: &Message,
    trace: TraceId,
) -> Result<Taken, TakeError> {
    let record = message.file.as_ref().ok_or_else(|| translate::missing("file"))?;
    let number = message.pan.as_ref().or(message.token_pan.as_ref());
    let number = number.ok_or_else(|| translate::missing("pan"))?;
    if !test_cards::is_accepted(number) {
        let note = "not one of the issued test cards".to_owned();
        return Err(Fault { code: ResponseCode::NO_SUCH_ISSUER, note }.into());
    }
    let name = message.card_acceptor_id.as_deref();
    let name = name.ok_or_else(|| translate::missing("card_acceptor_id"))?;
    let directory = &context.directory;
    let acceptor = directory.acceptor(&context.store, &message.acquirer_id, name).await?;
    if record.file == FileName::Conversion {
        let offered = conversion::offer(context, message, number, acceptor.id).await?;
        return Ok(Taken::given(offered));
    }
    let brand = number.brand();
    let call = Call::post(network::path(brand), translate::encode(message))
        .facts(translate::facts(context, message, trace))
        .deadline(context.timers.processor)
        .fabricate(network::fabricate);
    let reply = context.hops.to_network(context, brand, call).await;
    let unavailable = || message.answer(ResponseCode::ISSUER_UNAVAILABLE);
    let answer = read(reply).or_else(unavailable);
    Ok(Taken::given(answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?))
}

fn read(reply: Result<Reply, LinkFailure>) -> Option<Message> {
    let reply = reply.ok().filter(Reply::is_success)?;
    serde_json::from_slice(&reply.body).ok()
}
