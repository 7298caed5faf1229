//! `POST /webhooks/payments`: raw bytes in, verified before anything is believed.

use actix_web::HttpResponse;
use actix_web::web::Data;
use kit::facts::Facts;
use kit::http::{Problem, ReceivedRequest, annotate, on_link};
use serde_json::json;
use wire::webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookHeaders};

use super::{answer, error};
use crate::operations::Context;
use crate::operations::receive_event::{self, Answer, Opened, Refused, Verified};
use crate::operations::refusals::RefusedMessage;

/// Takes a notification in. 2xx only after it is committed; every refusal is 4xx with a reason.
pub async fn receive(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    on_link(received.http(), "gateway->merchant");
    let opened = match open(&context, &received) {
        Ok(opened) => opened,
        Err(refused) => {
            annotate(received.http(), facts(&received));
            return Err(refuse(&context, &received, refused));
        }
    };
    let (payment, order) = opened.subject();
    annotate(received.http(), Facts { payment, order, ..facts(&received) });
    match receive_event::receive(&context, &opened).await.map_err(error::store)? {
        Answer::Taken { verdict } => answer::json(200, &json!({ "verdict": verdict })),
        Answer::Refused(refused) => Err(refuse(&context, &received, refused)),
    }
}

fn facts(received: &ReceivedRequest) -> Facts {
    let event = received.header(ID_HEADER).map(str::to_owned);
    Facts { event, ..Facts::new("webhook", received.trace) }
}

fn open<'a>(context: &Context, received: &'a ReceivedRequest) -> Result<Opened<'a>, Refused> {
    let verified = verify(context, received)?;
    receive_event::open(&verified, &received.body)
}

fn verify(context: &Context, received: &ReceivedRequest) -> Result<Verified, Refused> {
    let id = received.header_values(ID_HEADER);
    let timestamp = received.header_values(TIMESTAMP_HEADER);
    let signature = received.header_values(SIGNATURE_HEADER);
    let headers = WebhookHeaders { id: &id, timestamp: &timestamp, signature: &signature };
    receive_event::verify(context, headers, &received.body)
}

fn refuse(context: &Context, received: &ReceivedRequest, refused: Refused) -> Problem {
    tracing::warn!(reason = refused.reason, peer = %received.peer, "notification refused");
    context.refusals.remember(RefusedMessage {
        at: context.clock.now(),
        peer: received.peer,
        reason: refused.reason,
        bytes: received.body.len(),
    });
    error::notification(refused)
}
