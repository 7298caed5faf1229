//! Subscriptions in the back office.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use kit::http::Problem;

use super::super::browser::Colleague;
use super::super::{answer, error};
use crate::operations::Context;
use crate::pages::office::SubscriptionsPage;
use crate::pages::subscriptions::SubscriptionRow;

/// `GET /office/subscriptions`
pub async fn list(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let all = context.store.subscriptions(None).await.map_err(error::store)?;
    let frame = colleague.frame(&context, "subscriptions").await?;
    let rows = all.iter().map(SubscriptionRow::from).collect();
    answer::page(&context, &SubscriptionsPage { frame, rows })
}
