//! Payouts at the dashboard: the settlement reports, one of them, its lines as CSV.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use kit::http::{Problem, ReceivedRequest};
use wire::ids::SettlementId;
use wire::settlement::SettlementReport;

use super::access::{Visit, id_of};
use crate::http::browser::page;
use crate::operations::failure::Failure;
use crate::operations::{Context, dashboard, settlements};
use crate::pages::dashboard::payouts::{PayoutPage, PayoutsPage};

/// `GET /dashboard/payouts`
pub async fn list(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, signed_in, .. } = &visit;
    let found = settlements::list(context, dashboard::merchant(context)).await;
    let found = found.map_err(Problem::internal)?;
    let reports = found.data.iter().map(Into::into).collect();
    page(200, &PayoutsPage { frame: signed_in.frame(context, "payouts"), reports })
}

/// `GET /dashboard/payouts/{id}`
pub async fn detail(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let report = report_of(context, received).await?;
    page(200, &PayoutPage::new(signed_in.frame(context, "payouts"), &report))
}

/// `GET /dashboard/payouts/{id}/lines.csv`
pub async fn download(visit: Visit) -> Result<HttpResponse, Problem> {
    let report = report_of(&visit.context, &visit.received).await?;
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
    let id: SettlementId = id_of(received)?;
    let found = settlements::read(context, dashboard::merchant(context), id).await;
    found.map_err(|failure| match failure {
        Failure::SettlementNotFound => Problem::not_found(),
        other => Problem::internal(other),
    })
}
