//! Disputes at the dashboard: the list, one case, and its answer.

use actix_web::HttpResponse;
use kit::facts::Facts;
use kit::http::{Problem, ReceivedRequest, annotate, query_pairs};
use wire::card::contains_card_number;
use wire::ids::DisputeId;
use wire::settlement::DisputeView;

use super::access::{SignedIn, Visit, form_key, id_of};
use crate::domain::operator::Task;
use crate::http::browser::{page, see};
use crate::operations::failure::Failure;
use crate::operations::{Context, dashboard, disputes};
use crate::pages::dashboard::Notice;
use crate::pages::dashboard::disputes::{DisputePage, DisputePageParts, DisputesPage};
use crate::pages::shown::signed;

/// `GET /dashboard/disputes`
pub async fn list(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, signed_in, .. } = &visit;
    let found = disputes::list(context, dashboard::merchant(context), None).await;
    let found = found.map_err(Problem::internal)?;
    let disputes = found.data.iter().map(Into::into).collect();
    page(200, &DisputesPage { frame: signed_in.frame(context, "disputes"), disputes })
}

/// `GET /dashboard/disputes/{id}`
pub async fn detail(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let dispute = dispute_of(context, received).await?;
    let done = query_pairs(&received.query)?.get("done").and_then(done_notice);
    show(context, signed_in, &dispute, Said { notice: done, ..Said::default() })
}

fn done_notice(word: &str) -> Option<Notice> {
    let text = match word {
        "answer_dispute" => "The evidence was sent.",
        "accept_dispute" => "The dispute was accepted.",
        "again" => "This form was sent already; nothing was done twice.",
        _ => return None,
    };
    Some(Notice { tone: "good", text: text.to_owned() })
}

async fn dispute_of(context: &Context, received: &ReceivedRequest) -> Result<DisputeView, Problem> {
    let id: DisputeId = id_of(received)?;
    let found = disputes::read(context, dashboard::merchant(context), id).await;
    let dispute = found.map_err(|failure| match failure {
        Failure::DisputeNotFound => Problem::not_found(),
        other => Problem::internal(other),
    })?;
    let mut facts = Facts::new("page", received.trace);
    facts.payment = dispute.payment.map(|id| id.to_string());
    annotate(received.http(), facts);
    Ok(dispute)
}

/// What a page says about the press before it.
#[derive(Default)]
struct Said {
    /// 200 unless something was refused.
    refused: Option<u16>,
    notice: Option<Notice>,
    typed: String,
}

impl Said {
    /// Why nothing was sent.
    fn no(status: u16, text: String, typed: String) -> Self {
        Self { refused: Some(status), notice: Some(Notice { tone: "bad", text }), typed }
    }
}

fn show(
    context: &Context,
    signed_in: &SignedIn,
    dispute: &DisputeView,
    said: Said,
) -> Result<HttpResponse, Problem> {
    let shown = DisputePage::new(DisputePageParts {
        frame: signed_in.frame(context, "disputes"),
        dispute,
        notice: said.notice,
        typed: said.typed,
        form_key: form_key(context),
        role: signed_in.operator.role,
    });
    page(said.refused.unwrap_or(200), &shown)
}

/// `POST /dashboard/disputes/{id}/evidence`
pub async fn submit(visit: Visit) -> Result<HttpResponse, Problem> {
    answer(&visit, Task::AnswerDispute).await
}

/// `POST /dashboard/disputes/{id}/accept`
pub async fn accept(visit: Visit) -> Result<HttpResponse, Problem> {
    answer(&visit, Task::AcceptDispute).await
}

/// Answers: the form, the evidence, the role, the log, then the operation of the API.
async fn answer(visit: &Visit, task: Task) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = visit;
    let form = signed_in.form(context, received)?;
    let dispute = dispute_of(context, received).await?;
    let text = (task == Task::AnswerDispute).then(|| form.get("evidence").unwrap_or_default());
    // What may be a card number is not shown again.
    let typed = text.filter(|it| !contains_card_number(it)).unwrap_or_default().to_owned();
    if let Some(Err(failure)) = text.map(disputes::check_evidence) {
        let said = Said::no(422, format!("Not sent: {failure}. Change it, then send it."), typed);
        return show(context, signed_in, &dispute, said);
    }
    let amount = signed(dispute.amount, dispute.currency);
    let detail = match text {
        Some(text) => format!("{amount}: evidence of {} characters", text.chars().count()),
        None => amount,
    };
    let (id, subject) = (dispute.id, dispute.id.to_string());
    if !signed_in.begin(context, &form, task, subject, detail).await? {
        return Ok(see(&format!("/dashboard/disputes/{id}?done=again")));
    }
    let merchant = dashboard::merchant(context);
    let evidence = text.map(str::to_owned);
    match disputes::answer(context, merchant, id, evidence, received.trace).await {
        Ok(_) => Ok(see(&format!("/dashboard/disputes/{id}?done={}", task.as_str()))),
        Err(Failure::Database(error)) => Err(Problem::internal(error)),
        Err(failure) => {
            let silent = matches!(failure, Failure::ProcessorSilent);
            let what_to_do = if silent { "send it once more" } else { "its state stands below" };
            let text = format!("Not done: {failure}; {what_to_do}.");
            let said = Said::no(if silent { 503 } else { 409 }, text, typed);
            show(context, signed_in, &dispute_of(context, received).await?, said)
        }
    }
}
