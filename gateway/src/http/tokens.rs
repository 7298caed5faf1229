//! `POST /api/tokens`: card data from a browser to a single-use token.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use kit::facts::Facts;
use kit::http::{Problem, ReceivedRequest, annotate, json};
use serde_json::json;
use wire::gateway_api::CreateToken;
use wire::ids::MerchantId;

use super::access::caller;
use crate::operations::Context;
use crate::operations::access::merchant_of_publishable_key;
use crate::operations::tokens::{self, FieldError, TokenizeError};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.route("/api/tokens", web::post().to(create));
}

/// `POST /api/tokens`
async fn create(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let merchant = merchant(&context, &received)?;
    let request: CreateToken = json(&received)?;
    let payment = request.payment.map(|payment| payment.to_string());
    annotate(received.http(), Facts { payment, ..Facts::new("card_form", received.trace) });
    let peer = caller(&context, &received);
    let made = tokens::create_token(&context, merchant, peer, request).await.map_err(problem)?;
    Ok(HttpResponse::Created().json(made.view()))
}

/// A publishable key names a merchant; it allows nothing but this.
fn merchant(context: &Context, received: &ReceivedRequest) -> Result<MerchantId, Problem> {
    let merchant = received.bearer().and_then(|key| merchant_of_publishable_key(context, key));
    merchant.ok_or_else(|| {
        let detail = "send the publishable key: `Authorization: Bearer pk_…`";
        Problem::new(401, "publishable_key_invalid", detail)
            .param("authorization")
            .header("www-authenticate", "Bearer realm=\"payrig\"")
    })
}

fn problem(error: TokenizeError) -> Problem {
    match error {
        TokenizeError::Fields(errors) => fields(&errors),
        TokenizeError::ClientSecret => {
            let detail = "`payment` and `client_secret` are given together and fit each other";
            Problem::new(403, "client_secret_invalid", detail).param("client_secret")
        }
        TokenizeError::TooMany(wait) => {
            let seconds = wait.as_secs().max(1);
            let detail = format!("too many cards were tried; wait {seconds} seconds");
            Problem::new(429, "cards_tried_too_often", detail)
                .header("retry-after", &seconds.to_string())
        }
        TokenizeError::Store(error) => Problem::internal(error),
    }
}

/// The first field in the usual members, all of them in `errors`.
fn fields(errors: &[FieldError]) -> Problem {
    let Some(first) = errors.first() else { return Problem::internal("no field was refused") };
    let all: Vec<serde_json::Value> = errors
        .iter()
        .map(|it| json!({ "param": it.field, "code": it.code, "detail": it.detail }))
        .collect();
    Problem::new(422, first.code, first.detail.clone()).param(first.field).member("errors", all)
}
