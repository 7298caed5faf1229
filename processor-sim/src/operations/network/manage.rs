//! 0800: banks sign on to a network and off again.

use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::processor_api::Message;

use super::Hop;
use crate::domain::parties::Issuer;
use crate::operations::Context;

/// Takes a network management message of a bank.
pub(super) fn manage(context: &Context, brand: Brand, message: &Message) -> Hop {
    let issuer = message.forwarder_id.as_deref().and_then(Issuer::by_id);
    let code = match (issuer, message.function_code.as_deref()) {
        (Some(issuer), Some("801")) => {
            context.sign_on.set(issuer, brand, true);
            ResponseCode::APPROVED
        }
        (Some(issuer), Some("802")) => {
            context.sign_on.set(issuer, brand, false);
            ResponseCode::APPROVED
        }
        (Some(_), Some("831")) => ResponseCode::APPROVED,
        (Some(_) | None, Some(_) | None) => ResponseCode::FORMAT_ERROR,
    };
    match message.answer(code) {
        Some(answer) => Hop::Answer(Box::new(answer)),
        None => Hop::Silence,
    }
}
