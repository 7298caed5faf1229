//! Disputes: list, read, accept, evidence.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use kit::http::Problem;
use wire::gateway_api::Empty;
use wire::ids::{DisputeId, PaymentId};
use wire::settlement::SubmitEvidence;

use super::access::Authorized;
use super::answer::{decode, id_of, json, pairs};
use crate::domain::access::Scope;
use crate::operations::failure::Failure;
use crate::operations::{Context, disputes};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/disputes", web::get().to(list))
        .route("/api/disputes/{id}", web::get().to(read))
        .route("/api/disputes/{id}/accept", web::post().to(accept))
        .route("/api/disputes/{id}/evidence", web::post().to(submit));
}

type Answer = Result<HttpResponse, Problem>;

async fn list(context: Data<Context>, caller: Authorized) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let pairs = pairs(&caller)?;
    pairs.only(&["payment"])?;
    let payment = match pairs.get("payment").map(str::parse::<PaymentId>) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(error)) => {
            let invalid = Failure::invalid("parameter_invalid", "payment", error.to_string());
            return Err(invalid.into());
        }
    };
    json(200, &disputes::list(&context, caller.merchant, payment).await?)
}

async fn read(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let id = id_of::<DisputeId>(&caller, &path, Failure::DisputeNotFound)?;
    json(200, &disputes::read(&context, caller.merchant, id).await?)
}

async fn accept(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::DisputesWrite)?;
    let id = id_of::<DisputeId>(&caller, &path, Failure::DisputeNotFound)?;
    let _: Empty = decode(&caller)?;
    let trace = caller.received.trace;
    json(200, &disputes::answer(&context, caller.merchant, id, None, trace).await?)
}

async fn submit(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::DisputesWrite)?;
    let id = id_of::<DisputeId>(&caller, &path, Failure::DisputeNotFound)?;
    let body: SubmitEvidence = decode(&caller)?;
    let trace = caller.received.trace;
    let evidence = Some(body.evidence);
    json(200, &disputes::answer(&context, caller.merchant, id, evidence, trace).await?)
}
