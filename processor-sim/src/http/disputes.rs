//! Disputes: merchants' answers on the signed hop, and the control plane in everybody's place.

use actix_web::{HttpRequest, HttpResponse, web};
use kit::http::{Problem, ReceivedRequest, annotate, json, on_link, verify};
use serde::Deserialize;
use serde_json::{Value, json as object};
use wire::card::Brand;
use wire::ids::{DisputeId, PaymentId};
use wire::settlement::AnswerDispute;
use wire::signature::Wire;

use super::{Served, error};
use crate::domain::dispute::{DisputeEvent, DisputeState, REASONS, Reason, Story};
use crate::operations::Context;
use crate::operations::disputes::{self, DisputeError, File};
use crate::store::StoredDispute;

type Shared = web::Data<Context>;
type Answer = Result<HttpResponse, Problem>;

/// The routes of the control plane.
pub fn control_routes(config: &mut web::ServiceConfig) {
    config
        .route("/disputes", web::get().to(list))
        .route("/disputes", web::post().to(open))
        .route("/disputes/{id}/{event}", web::post().to(happen));
}

/// `POST /acq/v1/disputes`: a merchant's answer.
pub async fn answer(received: ReceivedRequest, served: web::Data<Served>) -> Answer {
    let context = &served.context;
    on_link(received.http(), "gateway->processor");
    verify(&received, Wire::MessageHop, &**served, &served.nonces, context.clock())?;
    annotate(received.http(), kit::facts::Facts::new("representment", received.trace));
    let asked: AnswerDispute = json(&received)?;
    let case = disputes::answer(context, asked).await;
    Ok(HttpResponse::Ok().json(case.map_err(|refusal| error::dispute(&refusal))?))
}

/// `GET disputes`
async fn list(context: Shared) -> Answer {
    let all = context.store.disputes().await.map_err(|failure| error::database(&failure))?;
    let data: Vec<Value> = all.iter().map(shown).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": data })))
}

fn shown(stored: &StoredDispute) -> Value {
    object!({
        "id": stored.dispute_id.to_string(),
        "arn": stored.arn,
        "payment": stored.payment.map(|id| PaymentId::from_bytes(id).to_string()),
        "network": stored.network.as_str(),
        "reason": stored.reason,
        "amount": stored.amount,
        "currency": stored.currency.code(),
        "function_code": stored.function_code(),
        "state": stored.machine.state.as_str(),
        "taken": stored.machine.taken,
        "story": stored.story.as_str(),
        "invalid": stored.invalid,
        "evidence": stored.evidence,
        "opened_at": stored.opened_at,
        "updated_at": stored.updated_at,
        "due_by": stored.due_by,
        "due_at": stored.due_at,
        "sequence": stored.sequence,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenBody {
    arn: String,
    reason: String,
    amount: Option<i64>,
    stage: Option<String>,
    story: Option<String>,
    #[serde(default)]
    force: bool,
}

/// `POST disputes`
async fn open(received: ReceivedRequest, context: Shared) -> Answer {
    let body: OpenBody = json(&received)?;
    let reason = reason(&body)?;
    let stage = match body.stage.as_deref() {
        None | Some("chargeback") => DisputeState::Chargeback,
        Some("alert") => DisputeState::Alert,
        Some("inquiry") => DisputeState::Inquiry,
        Some(_) => {
            return Err(error::invalid("stage", "expected alert, inquiry or chargeback"));
        }
    };
    let story = body.story.as_deref().map_or(Some(Story::Silent), Story::parse);
    let words = "expected silent, winning, losing, insisting or withdrawing";
    let story = story.ok_or_else(|| error::invalid("story", words))?;
    let filing =
        File { arn: body.arn, reason, stage, amount: body.amount, story, force: body.force };
    let now = context.clock().now();
    let filed = disputes::file(&context, filing, now).await;
    let filed = filed.map_err(|failure| error::database(&failure))?;
    Ok(HttpResponse::Created().json(shown(&filed)))
}

/// A reason code; those of several networks carry their network in front.
fn reason(body: &OpenBody) -> Result<&'static Reason, Problem> {
    let (network, code) = match body.reason.split_once(':') {
        Some((network, code)) => (network.parse::<Brand>().ok(), code),
        None => (None, body.reason.as_str()),
    };
    let fits = |it: &&Reason| it.code == code && (network.is_none() || it.network == network);
    let detail = "not a reason code of any network, such as 10.4, 13.1 or 4853";
    REASONS.iter().find(fits).ok_or_else(|| error::invalid("reason", detail))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody {
    evidence: Option<String>,
}

/// `POST disputes/{id}/{event}`: in the place of issuer, network or merchant.
async fn happen(received: ReceivedRequest, request: HttpRequest, context: Shared) -> Answer {
    let body: EventBody =
        if received.body.is_empty() { EventBody::default() } else { json(&received)? };
    let id: DisputeId =
        request.match_info().query("id").parse().map_err(|_| Problem::not_found())?;
    let event = match request.match_info().query("event") {
        "accept" => DisputeEvent::Accepted,
        "answer" => DisputeEvent::Answered,
        "issuer-accepts" => DisputeEvent::IssuerAccepts,
        "issuer-insists" => DisputeEvent::IssuerInsists,
        "rule-for-merchant" => DisputeEvent::RuledForMerchant,
        "rule-for-cardholder" => DisputeEvent::RuledForCardholder,
        "withdraw" => DisputeEvent::Withdrawn,
        _ => return Err(Problem::not_found()),
    };
    let moved = disputes::happen(&context, id, event, body.evidence).await;
    let moved = moved.map_err(|refusal: DisputeError| error::dispute(&refusal))?;
    Ok(HttpResponse::Ok().json(shown(&moved)))
}
