//! Settlement reports: list, read, as CSV.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use kit::http::Problem;
use wire::ids::SettlementId;

use super::access::Authorized;
use super::answer::{id_of, json};
use crate::domain::access::Scope;
use crate::operations::failure::Failure;
use crate::operations::{Context, settlements};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/settlements", web::get().to(list))
        .route("/api/settlements/{id}", web::get().to(read))
        .route("/api/settlements/{id}/lines.csv", web::get().to(download));
}

type Answer = Result<HttpResponse, Problem>;

async fn list(context: Data<Context>, caller: Authorized) -> Answer {
    caller.require(Scope::ReportsRead)?;
    json(200, &settlements::list(&context, caller.merchant).await?)
}

async fn read(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::ReportsRead)?;
    let id = id_of::<SettlementId>(&caller, &path, Failure::SettlementNotFound)?;
    json(200, &settlements::read(&context, caller.merchant, id).await?)
}

async fn download(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::ReportsRead)?;
    let id = id_of::<SettlementId>(&caller, &path, Failure::SettlementNotFound)?;
    let report = settlements::read(&context, caller.merchant, id).await?;
    Ok(HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(report.lines_csv()))
}
