//! Errors as clients see them: problem details (RFC 9457) with a stable code.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

/// An error that a client can see. Built in one expression:
/// `Problem::new(400, "amount_invalid", "more than was authorized").param("amount.value")`.
#[derive(Clone)]
pub struct Problem(Box<Parts>);

#[derive(Clone)]
struct Parts {
    status: StatusCode,
    code: Cow<'static, str>,
    title: Option<Cow<'static, str>>,
    detail: Cow<'static, str>,
    param: Option<Cow<'static, str>>,
    reason: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    payment: Option<String>,
    request_id: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    extra: Map<String, Value>,
    /// What only the log may say.
    internal: Option<String>,
}

/// Where the documents and the trace pages are.
#[derive(Debug, Clone)]
pub struct ProblemLinks {
    /// The page that explains a code is `{docs}#{code}`.
    pub docs: String,
    /// The trace of a payment is `{traces}/{payment}`.
    pub traces: String,
}

impl Default for ProblemLinks {
    fn default() -> Self {
        Self {
            docs: "http://127.0.0.1:7070/docs/reference/errors".into(),
            traces: "http://127.0.0.1:7070/trace".into(),
        }
    }
}

/// What a rendered problem says about its request.
#[derive(Debug, Clone, Copy)]
pub struct ProblemContext<'a> {
    /// Id of the request.
    pub request_id: &'a str,
    /// Where to point.
    pub links: &'a ProblemLinks,
}

/// Renders a problem as a page for browsers; give it to [`super::ServeOptions`].
pub type ProblemPage = Arc<dyn Fn(&Problem, &ProblemContext<'_>) -> String + Send + Sync>;

#[derive(Serialize)]
struct Rendered<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    request_id: &'a str,
    doc_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl Problem {
    /// A problem with a status, a stable code and a sentence for people. A status outside 400 to
    /// 599 counts as 500.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let status = StatusCode::from_u16(status).ok();
        let status = status.filter(|it| it.is_client_error() || it.is_server_error());
        Self(Box::new(Parts {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: code.into(),
            title: None,
            detail: detail.into(),
            param: None,
            reason: None,
            retry_after: None,
            payment: None,
            request_id: None,
            headers: Vec::new(),
            extra: Map::new(),
            internal: None,
        }))
    }

    /// 500 with a generic text; `cause` goes to the log only.
    pub fn internal(cause: impl fmt::Display) -> Self {
        let mut problem = Self::new(
            500,
            "internal_error",
            "Something failed here. The request id finds it in the log.",
        );
        problem.0.internal = Some(cause.to_string());
        problem
    }

    /// 503 with a generic text; `cause` goes to the log only.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        let mut problem =
            Self::new(503, "unavailable", "This cannot be done right now. Nothing was changed.");
        problem.0.internal = Some(cause.to_string());
        problem
    }

    /// 404 for what is absent or somebody else's.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is nothing at this address.")
    }

    /// Replaces the title, which else is the name of the status.
    pub fn title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.0.title = Some(title.into());
        self
    }

    /// Names the field or header in question, as a dotted path.
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// A finer reason below the code.
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// Sends `Retry-After`, in whole seconds, rounded up.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds a link to the trace of a payment.
    pub fn payment(mut self, id: impl fmt::Display) -> Self {
        self.0.payment = Some(id.to_string());
        self
    }

    /// Sets the request id where no middleware will.
    pub(super) fn request_id(mut self, id: &str) -> Self {
        self.0.request_id = Some(id.to_owned());
        self
    }

    /// Adds a header to the answer; an unsendable value is left out.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// Adds a member of its own (RFC 9457 section 3.2).
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(name.to_owned(), value.into());
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The sentence for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The field in question.
    pub fn param_name(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// The finer reason.
    pub fn reason_word(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What only the log may say.
    pub fn internal_cause(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }

    /// The short name of this kind of problem.
    pub fn title_text(&self) -> &str {
        match &self.0.title {
            Some(title) => title,
            None => self.0.status.canonical_reason().unwrap_or("Error"),
        }
    }

    /// The body of the answer, for this request. To be stored when the answer is repeated later.
    pub fn body(&self, context: &ProblemContext<'_>) -> Bytes {
        let parts = &self.0;
        let links = context.links;
        let rendered = Rendered {
            kind: format!("urn:payrig:problem:{}", parts.code),
            title: self.title_text(),
            status: self.status(),
            detail: &parts.detail,
            code: &parts.code,
            param: parts.param.as_deref(),
            reason: parts.reason.as_deref(),
            request_id: context.request_id,
            doc_url: format!("{}#{}", links.docs, parts.code),
            trace: parts.payment.as_ref().map(|payment| format!("{}/{payment}", links.traces)),
        };
        let text = serde_json::to_string(&rendered).unwrap_or_default();
        if parts.extra.is_empty() {
            return text.into();
        }
        // Members of its own go behind the standard ones.
        let extra = serde_json::to_string(&parts.extra).unwrap_or_default();
        let standard = text.strip_suffix('}').unwrap_or(&text);
        format!("{standard},{}", extra.strip_prefix('{').unwrap_or(&extra)).into()
    }

    /// The whole answer to a request, as problem details.
    pub fn response(&self, context: &ProblemContext<'_>) -> HttpResponse {
        let mut response = self.head();
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        response.body(self.body(context))
    }

    /// The whole answer to a request, as a page.
    pub(super) fn page(&self, context: &ProblemContext<'_>, page: &ProblemPage) -> HttpResponse {
        let mut response = self.head();
        response.insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"));
        response.body(page(self, context))
    }

    fn head(&self) -> actix_web::HttpResponseBuilder {
        let mut response = HttpResponse::build(self.0.status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(wait) = self.0.retry_after {
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        for (name, value) in &self.0.headers {
            response.append_header((name.clone(), value.clone()));
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.0.code, self.0.detail)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Problem");
        debug.field("status", &self.status()).field("code", &self.code());
        debug.field("detail", &self.detail());
        if let Some(param) = self.param_name() {
            debug.field("param", &param);
        }
        if let Some(reason) = self.reason_word() {
            debug.field("reason", &reason);
        }
        debug.finish()
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    /// Without a request id: the middleware of [`super::serve`] renders it again with one.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        let links = ProblemLinks::default();
        let request_id = self.0.request_id.as_deref().unwrap_or_default();
        self.response(&ProblemContext { request_id, links: &links })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_carries_everything_a_client_needs() {
        let problem = Problem::new(422, "cap_exceeded", "the amount is above your cap")
            .param("amount.value")
            .reason("daily")
            .payment("pay_1")
            .member("cap", 1000);
        let links = ProblemLinks::default();
        let body = problem.body(&ProblemContext { request_id: "req_1", links: &links });
        insta::assert_snapshot!(std::str::from_utf8(&body).unwrap(), @r#"{"type":"urn:payrig:problem:cap_exceeded","title":"Unprocessable Entity","status":422,"detail":"the amount is above your cap","code":"cap_exceeded","param":"amount.value","reason":"daily","request_id":"req_1","doc_url":"http://127.0.0.1:7070/docs/reference/errors#cap_exceeded","trace":"http://127.0.0.1:7070/trace/pay_1","cap":1000}"#);
        assert!(serde_json::from_slice::<Value>(&body).is_ok());
    }

    #[test]
    fn internal_causes_stay_inside() {
        let problem = Problem::internal("no such table: payments");
        let body =
            problem.body(&ProblemContext { request_id: "req_1", links: &ProblemLinks::default() });
        assert!(!String::from_utf8_lossy(&body).contains("table"));
        assert_eq!(problem.internal_cause(), Some("no such table: payments"));
        assert!(!format!("{problem:?}{problem}").contains("table"));
    }

    #[test]
    fn retry_after_is_rounded_up_and_statuses_are_errors() {
        let problem =
            Problem::new(200, "x", "y").retry_after(Duration::from_millis(1500)).header("x-a", "b");
        let response = problem.error_response();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers().get("retry-after").unwrap(), "2");
        assert_eq!(response.headers().get("x-a").unwrap(), "b");
    }
}
