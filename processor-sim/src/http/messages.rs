//! `POST /acq/v1/messages`: one signed message in, one signed answer out.

use actix_web::{HttpResponse, web};
use kit::http::{NonceRow, Problem, ReceivedRequest, annotate, on_link, verify};
use wire::signature::Wire;

use super::{Served, error};
use crate::operations::{processor, translate};

/// Verifies, parses, takes and answers a message of the gateway.
pub async fn take(
    received: ReceivedRequest,
    served: web::Data<Served>,
) -> Result<HttpResponse, Problem> {
    let context = &served.context;
    on_link(received.http(), "gateway->processor");
    let clock = context.clock();
    let signed = verify(&received, Wire::MessageHop, &**served, &served.nonces, clock)?;
    let incoming = processor::read(&received.body).ok_or_else(error::unreadable)?;
    let facts = translate::facts(context, incoming.message(), received.trace);
    annotate(received.http(), facts);
    let nonce = NonceRow { key_id: signed.key_id, nonce: signed.nonce, expires: signed.expires };
    let taken = processor::take(context, incoming, received.trace, Some(nonce)).await;
    let taken = taken.map_err(|failure| error::database(&failure))?;
    let taken = taken.ok_or_else(error::unreadable)?;
    if taken.lost {
        processor::lose(context).await;
    }
    Ok(encode(&taken))
}

fn encode(taken: &processor::Taken) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    let sandbox = taken.message.sandbox.as_ref();
    if let Some(source) = sandbox.and_then(|sandbox| sandbox.outcome_source.as_deref()) {
        response.insert_header(("payrig-outcome-source", source));
    }
    response.content_type("application/json").body(translate::encode(&taken.message))
}
