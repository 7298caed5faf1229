//! Refunds: read, cancel.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use kit::http::Problem;
use wire::gateway_api::Empty;
use wire::ids::RefundId;

use super::access::Authorized;
use super::answer::{answered, call, decode, id_of, json};
use crate::domain::access::Scope;
use crate::operations::failure::Failure;
use crate::operations::{Context, read_payment, refund_payment};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/refunds/{id}", web::get().to(read))
        .route("/api/refunds/{id}/cancel", web::post().to(cancel));
}

type Answer = Result<HttpResponse, Problem>;

async fn read(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let id = id_of::<RefundId>(&caller, &path, Failure::RefundNotFound)?;
    json(200, &read_payment::read_refund(&context, caller.merchant, id).await?)
}

async fn cancel(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::RefundsWrite)?;
    let id = id_of::<RefundId>(&caller, &path, Failure::RefundNotFound)?;
    let _: Empty = decode(&caller)?;
    let call = call(&context, &caller, 200)?;
    let canceled = refund_payment::cancel(&context, call, id).await?;
    answered(&context, 200, canceled)
}
