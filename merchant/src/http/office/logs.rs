//! What happened: payments, notifications, reconciliation, audit.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Problem, query_pairs};

use super::super::browser::Colleague;
use super::super::{answer, error};
use crate::operations::look::ROWS_MAX;
use crate::operations::{Context, look, reconcile};
use crate::pages::office::{
    AuditPage, AuditRow, MessageRow, PaymentLogRow, PaymentsPage, ReconciliationPage, RefusalRow,
    WebhooksPage,
};

/// `GET /office/payments`
pub async fn payments(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let payments = look::payments(&context, before(&request)?).await.map_err(error::store)?;
    let page = PaymentsPage {
        frame: colleague.frame(&context, "payments").await?,
        next: next(payments.len(), payments.last().map(|payment| payment.row)),
        payments: payments.iter().map(PaymentLogRow::from).collect(),
    };
    answer::page(&context, &page)
}

/// `GET /office/webhooks`
pub async fn webhooks(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let messages = look::inbox(&context, before(&request)?).await.map_err(error::store)?;
    let page = WebhooksPage {
        frame: colleague.frame(&context, "webhooks").await?,
        next: next(messages.len(), messages.last().map(|message| message.row)),
        messages: messages.iter().map(MessageRow::from).collect(),
        refusals: context.refusals.newest().iter().map(RefusalRow::from).collect(),
    };
    answer::page(&context, &page)
}

/// `GET /office/reconciliation`
pub async fn reconciliation(
    context: Data<Context>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let report = reconcile::reconcile(&context, before(&request)?).await.map_err(error::store)?;
    let frame = colleague.frame(&context, "reconciliation").await?;
    answer::page(&context, &ReconciliationPage::new(frame, &report))
}

/// `GET /office/audit`
pub async fn audit(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    if !colleague.actor.role.may_audit() {
        return Err(error::role_missing());
    }
    let (entries, broken) = look::audit(&context).await.map_err(error::store)?;
    let frame = colleague.frame(&context, "audit").await?;
    let entries = entries.iter().map(AuditRow::from).collect();
    answer::page(&context, &AuditPage { frame, entries, broken })
}

fn before(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let pairs = query_pairs(request.query_string())?;
    Ok(pairs.get("before").and_then(|row| row.parse().ok()))
}

fn next(shown: usize, last: Option<i64>) -> Option<String> {
    let full = u32::try_from(shown).is_ok_and(|count| count >= ROWS_MAX);
    last.filter(|_| full).map(|row| format!("before={row}"))
}
