//! `/acs/{issuer}/…`: the pages of a bank on which its cardholder confirms a payment.

use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use kit::facts::{Facts, TraceId};
use kit::http::{PagePolicy, Problem, ReceivedRequest, annotate, form_pairs, json, on_link};
use serde::Deserialize;
use wire::three_ds::{ChallengeRequest, MethodData, TransId, from_browser, to_browser};

use super::error;
use crate::domain::acs::{Act, Ending, Step};
use crate::domain::parties::Issuer;
use crate::operations::Context;
use crate::operations::three_ds::acs::{self, ERROR_CODE, RIGHT_CODE, Shown};
use crate::pages::challenge::{ChallengePage, Hint, MethodPage, ReturnPage, StrayPage};

type Shared = web::Data<Context>;
type Answer = Result<HttpResponse, Problem>;

/// The routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/acs/{issuer}/challenge", web::post().to(open))
        .route("/acs/{issuer}/challenge/answer", web::post().to(answer))
        .route("/acs/{issuer}/method", web::post().to(method))
        .route("/acs/{issuer}/method/silent", web::post().to(silent_method));
}

fn issuer(request: &HttpRequest) -> Result<&'static Issuer, Problem> {
    Issuer::by_id(request.match_info().query("issuer")).ok_or_else(Problem::not_found)
}

/// A page that the gateway may show in a frame, and whose forms go back there.
fn page(template: &impl Template, status: u16, gateway: Option<&str>) -> Answer {
    let body = template.render().map_err(Problem::internal)?;
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let origins: Vec<String> = gateway.map(str::to_owned).into_iter().collect();
    let policy =
        PagePolicy { forms: origins.clone(), framed_by: origins, ..PagePolicy::standard() };
    let mut response = HttpResponse::build(status);
    if let Ok(csp) = HeaderValue::from_str(&policy.csp()) {
        response.insert_header((CONTENT_SECURITY_POLICY, csp));
    }
    let shared = HeaderName::from_static("cross-origin-resource-policy");
    response.insert_header((shared, HeaderValue::from_static("cross-origin")));
    Ok(response.content_type("text/html; charset=utf-8").body(body))
}

fn note(received: &ReceivedRequest, shown: Option<&Shown>) {
    let mut facts = Facts::new("challenge", received.trace);
    if let Some(shown) = shown {
        let asked = &shown.stored.asked;
        facts = Facts::new("challenge", TraceId::from_bytes(asked.trace));
        facts.payment = Some(asked.payment.clone());
        facts.card.clone_from(&asked.card_alias);
        facts.issuer = Some(asked.issuer.id.to_owned());
        facts.network = Some(asked.network.as_str().to_owned());
        facts.amount = Some(asked.amount.get());
    }
    on_link(received.http(), "browser->acs");
    annotate(received.http(), facts);
}

/// `POST /acs/{issuer}/challenge`: a CReq in the form field `creq`.
async fn open(received: ReceivedRequest, context: Shared) -> Answer {
    let issuer = issuer(received.http())?;
    let form = form_pairs(&received)?;
    let request = form.get("creq").and_then(from_browser::<ChallengeRequest>);
    let Some(request) = request else {
        note(&received, None);
        return page(&StrayPage::new(issuer), 400, None);
    };
    let session = form.get("threeDSSessionData").unwrap_or_default().to_owned();
    let shown = acs::open(&context, issuer, &request).await;
    let shown = shown.map_err(|failure| error::database(&failure))?;
    note(&received, shown.as_ref());
    show(issuer, shown, &session, Hint::None)
}

/// `POST /acs/{issuer}/challenge/answer`: a button, or a code.
async fn answer(received: ReceivedRequest, context: Shared) -> Answer {
    let issuer = issuer(received.http())?;
    let form = form_pairs(&received)?;
    let id: Option<TransId> = form.get("acsTransID").and_then(|id| id.parse().ok());
    let session = form.get("threeDSSessionData").unwrap_or_default().to_owned();
    let Some(id) = id else {
        note(&received, None);
        return page(&StrayPage::new(issuer), 400, None);
    };
    let act = act(form.get("answer"), form.get("code"));
    let shown = match act {
        Some(act) => acs::answer(&context, issuer, id, act).await,
        None => acs::look(&context, issuer, id).await,
    };
    let shown = shown.map_err(|failure| error::database(&failure))?;
    note(&received, shown.as_ref());
    let hint = if act == Some(Act::WrongCode) { Hint::WrongCode } else { Hint::NoCode };
    show(issuer, shown, &session, hint)
}

/// What the cardholder did; none when the code was left empty.
fn act(button: Option<&str>, code: Option<&str>) -> Option<Act> {
    match button {
        Some("approve") => Some(Act::Approves),
        Some("fail") => Some(Act::Fails),
        Some("cancel") => Some(Act::Cancels),
        Some("leave") => Some(Act::Leaves),
        Some(_) | None => match code.unwrap_or_default().trim() {
            "" => None,
            RIGHT_CODE => Some(Act::Approves),
            ERROR_CODE => Some(Act::Error),
            _ => Some(Act::WrongCode),
        },
    }
}

fn show(issuer: &'static Issuer, shown: Option<Shown>, session: &str, hint: Hint) -> Answer {
    let Some(shown) = shown else { return page(&StrayPage::new(issuer), 404, None) };
    let gateway = acs::origin(&shown.stored.asked.notification_url);
    match (shown.step, acs::browser_result(&shown.stored)) {
        (Step::Decided | Step::Over, Some(result)) => {
            let over = shown.step == Step::Over;
            let returning =
                ReturnPage::new(&shown.stored.asked, to_browser(&result), session, over);
            page(&returning, 200, gateway)
        }
        (step, _) => {
            let waits = step == Step::Wait || shown.stored.challenge.ending == Ending::Never;
            page(&ChallengePage::new(&shown.stored, session, hint, waits), 200, gateway)
        }
    }
}

/// `POST /acs/{issuer}/method`: a hidden frame; what would be learned of the browser is nothing.
async fn method(received: ReceivedRequest) -> Answer {
    note(&received, None);
    let form = form_pairs(&received)?;
    let data = form.get("threeDSMethodData").and_then(from_browser::<MethodData>);
    let address = data.as_ref().and_then(|data| data.notification_url.as_deref());
    let gateway = address.and_then(acs::origin);
    let (Some(data), Some(address), Some(gateway)) = (&data, address, gateway) else {
        return Err(Problem::new(400, "message_malformed", "threeDSMethodData cannot be read"));
    };
    let back =
        to_browser(&MethodData { server_trans_id: data.server_trans_id, notification_url: None });
    page(&MethodPage::new(address, back), 200, Some(gateway))
}

/// The same for a card range whose 3DS Method never comes back.
async fn silent_method(received: ReceivedRequest) -> Answer {
    note(&received, None);
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    auto: String,
}

/// `PATCH /_sandbox/acs {"auto": "approve" | "off"}`
pub async fn set(received: ReceivedRequest, context: Shared) -> Answer {
    let switch: Switch = json(&received)?;
    let approves = match switch.auto.as_str() {
        "approve" => true,
        "off" => false,
        _ => return Err(error::invalid("auto", "expected approve or off")),
    };
    context.acs.approves_by_itself.store(approves, Ordering::Relaxed);
    Ok(HttpResponse::Ok().json(serde_json::json!({ "auto": switch.auto })))
}
