//! Answers: pages, redirects, JSON.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use askama::Template;
use kit::http::{PagePolicy, Problem};
use serde::Serialize;

use super::error;
use crate::operations::Context;

/// A page of the shop. Its forms lead to the gateway's payment page, by redirect.
pub fn page(context: &Context, page: &impl Template) -> Result<HttpResponse, Problem> {
    page_with_status(context, page, 200)
}

/// A page with another status than 200: a form that has to be corrected.
pub fn page_with_status(
    context: &Context,
    page: &impl Template,
    status: u16,
) -> Result<HttpResponse, Problem> {
    let body = page.render().map_err(error::page)?;
    let forms = vec![context.rules.gateway_url.clone()];
    let policy = PagePolicy { forms, ..PagePolicy::standard() };
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy.csp()))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .body(body))
}

/// "Look there": after every form.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

/// JSON with a status.
pub fn json(status: u16, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    let body = serde_json::to_string(body).map_err(Problem::internal)?;
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(body))
}

/// Adds a cookie to an answer.
pub fn with_cookie(mut response: HttpResponse, cookie: &str) -> HttpResponse {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}
