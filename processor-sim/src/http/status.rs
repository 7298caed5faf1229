//! `GET /`: the status page.

use actix_web::{HttpResponse, web};
use askama::Template;
use kit::http::Problem;

use super::error;
use crate::operations::{Context, control_ledgers};
use crate::pages::StatusPage;

/// Networks, banks with their sign-on state, and the sums of the ledgers.
pub async fn page(context: web::Data<Context>) -> Result<HttpResponse, Problem> {
    let status = control_ledgers::status(&context).await;
    let status = status.map_err(|failure| error::database(&failure))?;
    let page = StatusPage::new(status).render().map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page))
}
