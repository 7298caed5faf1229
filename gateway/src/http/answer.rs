//! What the handlers of the API share: strict bodies, keys of calls, answers.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use kit::facts::Facts;
use kit::http::{Pairs, Problem, ProblemContext, annotate, query_pairs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::access::Authorized;
use super::error::problem;
use crate::operations::failure::Failure;
use crate::operations::idempotency::{Answered, Call, Render, StoredAnswer, outcome_source_of};
use crate::operations::{Context, view};

/// Longest `Payrig-Outcome`.
const OUTCOME_CHARACTERS_MAX: usize = 100;

/// Reads a body; none stands for one without fields where every field is optional.
pub fn decode<T: DeserializeOwned>(caller: &Authorized) -> Result<T, Problem> {
    let received = &caller.received;
    if received.body.is_empty() && received.content_type.is_none() {
        let none = serde_json::from_slice(b"{}");
        return none.map_err(|_| Problem::new(400, "body_missing", "this call needs a body"));
    }
    kit::http::json(received).map_err(in_terms_of_money)
}

/// Amounts and currencies have codes of their own.
fn in_terms_of_money(refused: Problem) -> Problem {
    let code = match (refused.code(), refused.param_name()) {
        ("field_invalid", Some("amount.currency")) => "invalid_currency",
        ("field_invalid", Some(param)) if is_amount(param) => "invalid_amount",
        _ => return refused,
    };
    let (detail, param) = (refused.detail().to_owned(), refused.param_name().map(str::to_owned));
    let same = Problem::new(400, code, detail);
    param.map_or(same.clone(), |param| same.param(param))
}

fn is_amount(param: &str) -> bool {
    matches!(param, "amount" | "amount.value") || param.ends_with(".unit_price")
}

/// Reads the query of a list.
pub fn pairs(caller: &Authorized) -> Result<Pairs, Problem> {
    let received = &caller.received;
    annotate(received.http(), Facts::new("api", received.trace));
    query_pairs(&received.query)
}

/// Reads the id in a path; one that cannot be read is as absent as one that was never given.
pub fn id_of<T: FromStr + Display>(
    caller: &Authorized,
    path: &str,
    absent: Failure,
) -> Result<T, Problem> {
    let id = path.parse::<T>().map_err(|_| problem(&absent))?;
    let facts = Facts::new("api", caller.received.trace);
    let payment = path.starts_with("pay_").then(|| path.to_owned());
    annotate(caller.received.http(), Facts { payment, ..facts });
    Ok(id)
}

/// The call, with the key that makes it repeatable. `status` is that of a call that does what it
/// was asked to.
pub fn call(context: &Context, caller: &Authorized, status: u16) -> Result<Call, Problem> {
    caller.call(status, render(context, caller.received.request_id.clone()))
}

/// How the failures of one request look, as bytes that can be kept.
fn render(context: &Context, request_id: String) -> Render {
    let links = context.links.clone();
    Arc::new(move |failure| {
        let problem = problem(failure);
        let rendering = ProblemContext { request_id: &request_id, links: &links };
        (problem.status(), problem.body(&rendering))
    })
}

/// The answer to a call.
pub fn answered(
    context: &Context,
    status: u16,
    answered: Answered,
) -> Result<HttpResponse, Problem> {
    match answered {
        Answered::Payment(payment) => {
            let view = view::with_secrets(view::payment(&payment), &context.client_secrets);
            let outcome_source = outcome_source_of(&view);
            let body = serde_json::to_vec(&view).map_err(Problem::internal)?;
            Ok(respond(StoredAnswer {
                status,
                body: body.into(),
                is_problem: false,
                replayed: false,
                outcome_source,
            }))
        }
        Answered::Refund(payment, id) => {
            let found = payment.refunds.iter().find(|refund| refund.id == id);
            let refund = found.ok_or_else(|| problem(&Failure::RefundNotFound))?;
            json(status, &view::refund(&payment, refund))
        }
        Answered::Stored(stored) => Ok(respond(stored)),
    }
}

/// An answer of bytes that are ready.
pub fn respond(answer: StoredAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    let content_type =
        if answer.is_problem { "application/problem+json" } else { "application/json" };
    response.insert_header((CONTENT_TYPE, content_type));
    if answer.replayed {
        response.insert_header(("idempotency-replayed", "true"));
    }
    if let Some(source) = answer.outcome_source {
        response.insert_header(("payrig-outcome-source", source));
    }
    response.body(answer.body)
}

/// An answer that is no repeat of anything.
pub fn json<T: Serialize>(status: u16, value: &T) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(value).map_err(Problem::internal)?;
    Ok(respond(StoredAnswer {
        status,
        body: body.into(),
        is_problem: false,
        replayed: false,
        outcome_source: None,
    }))
}

/// The outcome that the caller asks the sandbox for; only the sandbox's key makes it count.
pub fn sandbox_outcome(context: &Context, caller: &Authorized) -> Result<Option<String>, Problem> {
    let received = &caller.received;
    let (Some(outcome), Some(key)) =
        (received.header("payrig-outcome"), received.header("sandbox-key"))
    else {
        return Ok(None);
    };
    let given: [u8; 32] = Sha256::digest(key).into();
    let expected: [u8; 32] = Sha256::digest(context.settings.keys.sandbox_key.expose()).into();
    if !bool::from(given.ct_eq(&expected)) {
        let detail = "the header `Sandbox-Key` does not open this sandbox";
        return Err(Problem::new(403, "sandbox_key_invalid", detail).param("sandbox-key"));
    }
    if outcome.is_empty() || outcome.len() > OUTCOME_CHARACTERS_MAX {
        let detail = "an outcome is written as rc:51 or card:visa.stolen";
        return Err(Problem::new(400, "outcome_invalid", detail).param("payrig-outcome"));
    }
    Ok(Some(outcome.to_owned()))
}
