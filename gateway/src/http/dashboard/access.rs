//! Who is at the dashboard: the session cookie, the proof in each form, signing in and out.

use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use data_encoding::BASE64URL_NOPAD;
use futures_util::future::LocalBoxFuture;
use hmac::{Hmac, Mac};
use kit::http::{Pairs, Problem, ReceivedRequest, form_pairs, query_pairs};
use sha2::Sha256;

use crate::domain::operator::Task;
use crate::http::access::caller;
use crate::http::browser::{
    NewCookie, code_text, cookie, is_code, is_same_origin, keyed, page, see,
};
use crate::operations::Context;
use crate::operations::dashboard::{self, Deed, DeedFailure, Operator, SignInFailure};
use crate::pages::dashboard::{Frame, LoginPage};
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, shown};

const SESSION_COOKIE: &str = "payrig_gateway";
/// Ties the sign-in form to the browser that it was shown to.
const LOGIN_COOKIE: &str = "payrig_gateway_login";
const SESSION_SECONDS: u64 = 12 * 60 * 60;
const LOGIN_NONCE_BYTES: usize = 16;
const START: &str = "/dashboard";

/// A person, with the token of their session.
pub struct SignedIn {
    /// Who.
    pub operator: Operator,
    token: String,
}

/// A request of somebody who is signed in. An extractor: everybody else is led to the sign-in page.
pub struct Visit {
    /// What every operation needs.
    pub context: Data<Context>,
    /// The request as it came.
    pub received: ReceivedRequest,
    /// Who visits.
    pub signed_in: SignedIn,
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let context = request.app_data::<Data<Context>>().cloned();
        let received = ReceivedRequest::from_request(request, payload);
        Box::pin(async move {
            let context = context.ok_or_else(|| Problem::internal("no context"))?;
            let received = received.await?;
            let Some(signed_in) = person(&context, &received).await? else {
                let wanted = if received.method.is_safe() { received.path.as_str() } else { START };
                let way = see(&format!("/dashboard/login?next={wanted}"));
                return Err(InternalError::from_response("nobody is signed in", way).into());
            };
            Ok(Self { context, received, signed_in })
        })
    }
}

/// The person of the session cookie.
async fn person(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<Option<SignedIn>, Problem> {
    let Some(token) = cookie(received, SESSION_COOKIE) else { return Ok(None) };
    let found = dashboard::operator(context, token).await.map_err(Problem::internal)?;
    Ok(found.map(|operator| SignedIn { operator, token: token.to_owned() }))
}

impl SignedIn {
    /// What stands around a page.
    pub fn frame(&self, context: &Context, section: &'static str) -> Frame {
        Frame {
            merchant: merchant(context),
            section,
            operator: self.operator.name.clone(),
            role: self.operator.role.as_str(),
            csrf: proof(context, &self.token),
        }
    }

    /// The fields of a form that this session sent from our page: 403 `form_forged` else.
    pub fn form(&self, context: &Context, received: &ReceivedRequest) -> Result<Pairs, Problem> {
        let form = form_pairs(received)?;
        check_proof(context, received, &form, &self.token)?;
        Ok(form)
    }

    /// Checks the role, uses up the form and notes the deed. False when it was sent before.
    pub async fn begin(
        &self,
        context: &Context,
        form: &Pairs,
        task: Task,
        subject: String,
        detail: String,
    ) -> Result<bool, Problem> {
        let deed = Deed {
            operator: self.operator.clone(),
            task,
            subject,
            detail,
            form_key: form.require("key")?.to_owned(),
        };
        match dashboard::begin(context, deed).await {
            Ok(()) => Ok(true),
            Err(DeedFailure::SentAlready) => Ok(false),
            Err(failure @ DeedFailure::Forbidden(_)) => {
                Err(Problem::new(403, "role_insufficient", failure.to_string()))
            }
            Err(DeedFailure::Database(error)) => Err(Problem::internal(error)),
        }
    }
}

/// The id in the address; 404 for what is none.
pub fn id_of<T: FromStr>(received: &ReceivedRequest) -> Result<T, Problem> {
    let text = received.http().match_info().get("id");
    text.and_then(|it| it.parse().ok()).ok_or_else(Problem::not_found)
}

/// A key that makes one form good for one press.
pub fn form_key(context: &Context) -> String {
    BASE64URL_NOPAD.encode(&context.plumbing.secrets.bytes::<16>())
}

/// `GET /dashboard/login`
pub async fn show(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let next = query_pairs(&received.query)?.get("next").map(str::to_owned);
    login_page(&context, &received, next, String::new(), None)
}

fn login_page(
    context: &Context,
    received: &ReceivedRequest,
    next: Option<String>,
    name: String,
    failure: Option<SignInFailure>,
) -> Result<HttpResponse, Problem> {
    let known = cookie(received, LOGIN_COOKIE).filter(|it| it.len() >= LOGIN_NONCE_BYTES);
    let fresh = BASE64URL_NOPAD.encode(&context.plumbing.secrets.bytes::<LOGIN_NONCE_BYTES>());
    let nonce = known.unwrap_or(&fresh);
    let status = match &failure {
        None => 200,
        Some(SignInFailure::TooMany(_)) => 429,
        Some(_) => 401,
    };
    let shown_page = LoginPage {
        merchant: merchant(context),
        csrf: proof(context, nonce),
        next: next.filter(|it| is_ours(it)).unwrap_or_else(|| START.to_owned()),
        name,
        problem: failure.as_ref().map(|it| capitalized(&it.to_string())),
    };
    let mut response = page(status, &shown_page)?;
    if let Some(SignInFailure::TooMany(wait)) = failure {
        let seconds = wait.as_secs().to_string().parse().map_err(Problem::internal)?;
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    set_cookie(&mut response, context, LOGIN_COOKIE, nonce, None)?;
    Ok(response)
}

/// `POST /dashboard/login`
pub async fn sign_in(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let form = form_pairs(&received)?;
    check_proof(&context, &received, &form, cookie(&received, LOGIN_COOKIE).unwrap_or_default())?;
    let (name, password) = (form.require("name")?, form.require("password")?);
    let next = form.get("next").filter(|it| is_ours(it)).unwrap_or(START);
    let peer = caller(&context, &received).to_string();
    match dashboard::sign_in(&context, name, password, &peer).await {
        Ok(token) => {
            let mut response = see(next);
            set_cookie(&mut response, &context, SESSION_COOKIE, &token, Some(SESSION_SECONDS))?;
            Ok(response)
        }
        Err(SignInFailure::Database(error)) => Err(Problem::internal(error)),
        Err(failure) => {
            login_page(&context, &received, Some(next.to_owned()), name.to_owned(), Some(failure))
        }
    }
}

/// `POST /dashboard/logout`
pub async fn sign_out(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    signed_in.form(context, received)?;
    dashboard::sign_out(context, &signed_in.token).await.map_err(Problem::internal)?;
    let mut response = see("/dashboard/login");
    set_cookie(&mut response, context, SESSION_COOKIE, "", Some(0))?;
    Ok(response)
}

fn set_cookie(
    response: &mut HttpResponse,
    context: &Context,
    name: &str,
    value: &str,
    seconds: Option<u64>,
) -> Result<(), Problem> {
    let secure = context.settings.public_url.starts_with("https");
    let same_site = "Strict";
    let cookie = NewCookie { name, value, path: START, same_site, seconds, secure };
    let value = cookie.header().parse().map_err(Problem::internal)?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

/// The proof in a form: a code over the session's token, or over the nonce of the sign-in page.
fn proof(context: &Context, token: &str) -> String {
    code_text(code(context, token))
}

fn code(context: &Context, token: &str) -> Hmac<Sha256> {
    let mut code = keyed(context.settings.keys.session_key.expose(), "payrig/dashboard-form/v1");
    code.update(token.as_bytes());
    code
}

fn check_proof(
    context: &Context,
    received: &ReceivedRequest,
    form: &Pairs,
    token: &str,
) -> Result<(), Problem> {
    let proved = form.get("csrf").is_some_and(|given| is_code(code(context, token), given));
    if !token.is_empty() && proved && is_same_origin(received) {
        return Ok(());
    }
    let detail = "this form was not sent from the dashboard, or it is too old: reload the page";
    Err(Problem::new(403, "form_forged", detail))
}

/// Whether an address to go on to is one of our own pages.
fn is_ours(next: &str) -> bool {
    let rest = next.strip_prefix(START);
    let plain = next.bytes().all(|it| it.is_ascii_alphanumeric() || b"/_-?=&".contains(&it));
    plain && rest.is_some_and(|it| it.is_empty() || it.starts_with(['/', '?']))
}

fn merchant(context: &Context) -> String {
    shown(&context.settings.keys.merchant.name, SHOWN_CHARACTERS_MAX)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
