//! Disputes: the list, one case, and its answer.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Problem, ReceivedRequest, query_pairs};
use wire::ids::DisputeId;

use super::super::browser::{Colleague, office_form};
use super::super::{answer, error};
use crate::operations::Context;
use crate::operations::disputes::{self, Answered};
use crate::pages::office::{DisputePage, DisputesPage};

/// `GET /office/disputes`
pub async fn list(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let disputes = disputes::list(&context).await.map_err(error::trouble)?;
    let frame = colleague.frame(&context, "disputes").await?;
    answer::page(&context, &DisputesPage::new(frame, &disputes))
}

/// `GET /office/disputes/{id}`
pub async fn show(
    context: Data<Context>,
    request: HttpRequest,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let colleague = match Colleague::or_login(&context, request.headers()).await? {
        Ok(colleague) => colleague,
        Err(login) => return Ok(login),
    };
    let said = query_pairs(request.query_string())?;
    let notice = match said.get("said") {
        Some("answered") => Some(("good", "The answer was sent".to_owned())),
        Some("accepted") => Some(("info", "The dispute was accepted".to_owned())),
        Some(_) | None => None,
    };
    page(&context, &colleague, id(&path)?, notice, 200).await
}

/// `POST /office/disputes/{id}/accept`
pub async fn accept(
    context: Data<Context>,
    received: ReceivedRequest,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    respond(&context, &received, &path, false).await
}

/// `POST /office/disputes/{id}/evidence`
pub async fn submit(
    context: Data<Context>,
    received: ReceivedRequest,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    respond(&context, &received, &path, true).await
}

async fn respond(
    context: &Context,
    received: &ReceivedRequest,
    path: &str,
    with_evidence: bool,
) -> Result<HttpResponse, Problem> {
    let (colleague, pairs) = office_form(context, received).await?;
    if !colleague.actor.role.may_refund() {
        return Err(error::role_missing());
    }
    let id = id(path)?;
    let evidence = with_evidence.then(|| pairs.get("evidence").unwrap_or("").to_owned());
    let key = format!("{id}-{}", pairs.get("key").unwrap_or("answer"));
    let answered = disputes::answer(context, id, evidence, &colleague.actor, &key).await;
    match answered.map_err(error::trouble)? {
        Answered::Taken => {
            let word = if with_evidence { "answered" } else { "accepted" };
            Ok(answer::see_other(&format!("/office/disputes/{id}?said={word}")))
        }
        Answered::Refused(text) => {
            let notice = Some(("bad", format!("Not sent: {text}.")));
            page(context, &colleague, id, notice, 422).await
        }
    }
}

async fn page(
    context: &Context,
    colleague: &Colleague,
    id: DisputeId,
    notice: Option<(&'static str, String)>,
    status: u16,
) -> Result<HttpResponse, Problem> {
    let dispute = disputes::read(context, id).await.map_err(error::trouble)?;
    let frame = colleague.frame(context, "disputes").await?;
    let key = context.secrets.token("", 16);
    answer::page_with_status(context, &DisputePage::new(frame, &dispute, notice, key), status)
}

fn id(path: &str) -> Result<DisputeId, Problem> {
    path.parse().map_err(|_| Problem::not_found())
}
