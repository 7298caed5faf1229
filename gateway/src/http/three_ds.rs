//! `/3ds/…`: results of challenges from the directory servers, and browsers that come back.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use kit::facts::Facts;
use kit::http::{
    PagePolicy, Problem, ReceivedRequest, annotate, form_pairs, json, on_link, page_headers, verify,
};
use wire::signature::Wire;
use wire::three_ds::{
    ChallengeResponse, METHOD_NOTIFY_PATH, MethodData, NOTIFY_PATH, RESULT_PATH, ResultRequest,
    from_browser,
};

use super::browser::see;
use super::notices::Hop;
use super::pay::refused;
use crate::operations::{Context, authenticate};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    let policy = PagePolicy::standard();
    config
        .route(RESULT_PATH, web::post().to(take_result))
        .service(
            web::resource(NOTIFY_PATH)
                .wrap(page_headers(&policy))
                .route(web::post().to(challenge_over)),
        )
        .route(METHOD_NOTIFY_PATH, web::post().to(method_over));
}

/// RReq: the only truth about a challenge. One that comes twice is answered the same.
async fn take_result(
    received: ReceivedRequest,
    context: Data<Context>,
    hop: Data<Hop>,
) -> Result<HttpResponse, Problem> {
    on_link(received.http(), "directory->gateway");
    verify(&received, Wire::MessageHop, &**hop, hop.nonces(), &context.plumbing.clock)?;
    let result: ResultRequest = json(&received)?;
    let mut facts = Facts::new("rreq", received.trace);
    facts.payment = Some(result.payment_reference.clone());
    annotate(received.http(), facts);
    let (taken, unknown) = (result.response("01"), result.response("02"));
    let known = authenticate::take_result(&context, result, received.trace).await?;
    Ok(HttpResponse::Ok().json(if known { taken } else { unknown }))
}

/// `cres`: the browser says that the challenge is over. The payment's own page knows the rest.
async fn challenge_over(
    received: ReceivedRequest,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    annotate(received.http(), Facts::new("challenge", received.trace));
    let form = form_pairs(&received)?;
    let response = form.get("cres").and_then(from_browser::<ChallengeResponse>);
    let Some(response) = response else { return refused(&context, &received) };
    let (id, status) = (response.server_trans_id, response.trans_status);
    match authenticate::returned(&context, id, status).await? {
        Some(payment) => Ok(see(&format!("/pay/{payment}/status"))),
        None => refused(&context, &received),
    }
}

/// `threeDSMethodData`: the hidden frame says that the 3DS Method is over.
async fn method_over(
    received: ReceivedRequest,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    annotate(received.http(), Facts::new("challenge", received.trace));
    let form = form_pairs(&received)?;
    if let Some(data) = form.get("threeDSMethodData").and_then(from_browser::<MethodData>) {
        authenticate::method_completed(&context, data.server_trans_id).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
