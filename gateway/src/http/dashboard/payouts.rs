//! Payouts at the dashboard: the settlement reports, one of them, its lines as CSV.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Data;
use kit::http::{Problem, ReceivedRequest};
use wire::ids::SettlementId;
use wire::settlement::SettlementReport;

use super::access::signed_in;
use crate::http::browser::page;
use crate::operations::failure::Failure;
use crate::operations::{Context, dashboard, settlements};
use crate::pages::dashboard::payouts::{PayoutPage, PayoutsPage};

/// `GET /dashboard/payouts`
pub async fn list(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let signed_in = match signed_in(&context, &received).await? {
        Ok(signed_in) => signed_in,
        Err(response) => return Ok(*response),
    };
    let found = settlements::list(&context, dashboard::merchant(&context)).await;
    let found = found.map_err(Problem::internal)?;
    let reports = found.data.iter().map(Into::into).collect();
    page(200, &PayoutsPage { frame: signed_in.frame(&context, "payouts"), reports })
}

/// `GET /dashboard/payouts/{id}`
pub async fn detail(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let signed_in = match signed_in(&context, &received).await? {
        Ok(signed_in) => signed_in,
        Err(response) => return Ok(*response),
    };
    let report = report_of(&context, &received).await?;
    page(200, &PayoutPage::new(signed_in.frame(&context, "payouts"), &report))
}

/// `GET /dashboard/payouts/{id}/lines.csv`
pub async fn download(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    if let Err(response) = signed_in(&context, &received).await? {
        return Ok(*response);
    }
    let report = report_of(&context, &received).await?;
    let (date, currency) = (&report.summary.date, report.summary.currency.code());
    let disposition = format!("attachment; filename=\"settlement-{date}-{currency}.csv\"");
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, disposition))
        .body(report.lines_csv()))
}

async fn report_of(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<SettlementReport, Problem> {
    let id: Option<SettlementId> =
        received.http().match_info().get("id").and_then(|it| it.parse().ok());
    let id = id.ok_or_else(Problem::not_found)?;
    let found = settlements::read(context, dashboard::merchant(context), id).await;
    found.map_err(|failure| match failure {
        Failure::SettlementNotFound => Problem::not_found(),
        other => Problem::internal(other),
    })
}
