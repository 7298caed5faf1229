//! Settlement reports and what they differ in.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use kit::http::Problem;
use wire::ids::SettlementId;

use super::super::browser::Colleague;
use super::super::{answer, error};
use crate::operations::{Context, settlements};
use crate::pages::office::{SettlementPage, SettlementsPage};

/// `GET /office/settlements`
pub async fn list(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let compared = settlements::compare(&context).await.map_err(error::trouble)?;
    let frame = colleague.frame(&context, "settlements").await?;
    answer::page(&context, &SettlementsPage::new(frame, &compared))
}

/// `GET /office/settlements/{id}`
pub async fn show(
    context: Data<Context>,
    request: HttpRequest,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let id = id(&path)?;
    let compared = settlements::compare(&context).await.map_err(error::trouble)?;
    let report = settlements::read(&context, id).await.map_err(error::trouble)?;
    let frame = colleague.frame(&context, "settlements").await?;
    answer::page(&context, &SettlementPage::new(frame, &report, &compared.differences))
}

/// `GET /office/settlements/{id}/lines.csv`
pub async fn download(
    context: Data<Context>,
    request: HttpRequest,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    if let Err(login) = Colleague::or_login(&context, request.headers()).await? {
        return Ok(login);
    }
    let report = settlements::read(&context, id(&path)?).await.map_err(error::trouble)?;
    let name = format!("attachment; filename=\"settlement-{}.csv\"", report.summary.date);
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("content-disposition", name))
        .body(report.lines_csv()))
}

fn id(path: &str) -> Result<SettlementId, Problem> {
    path.parse().map_err(|_| Problem::not_found())
}
