//! Logging in and out.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Problem, ReceivedRequest};

use super::super::browser::{Guest, no_session_cookie, office_form, session_cookie, shop_form};
use super::super::{answer, error};
use crate::operations::Context;
use crate::operations::sign_in::{self, Login};
use crate::pages::office::LoginPage;

/// `GET /office/login`
pub async fn show(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let page = page(&context, &guest, "", None);
    Ok(guest.greet(answer::page(&context, &page)?))
}

/// `POST /office/login`: the session is always a new one.
pub async fn sign_in(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (guest, pairs) = shop_form(&context, &received).await?;
    let (name, password) = (pairs.get("name").unwrap_or(""), pairs.get("password").unwrap_or(""));
    let tried = sign_in::sign_in(&context, name, password.to_owned(), received.peer).await;
    let (status, text) = match tried.map_err(error::store)? {
        Login::Welcome(token) => {
            let cookie = session_cookie(&context, &token);
            return Ok(answer::with_cookie(answer::see_other("/office"), &cookie));
        }
        Login::Wrong => (401, "Name or password are wrong."),
        Login::Wait(_) => (429, "Too many failed logins. Wait a quarter of an hour."),
    };
    let page = page(&context, &guest, name, Some(text));
    answer::page_with_status(&context, &page, status)
}

/// `POST /office/logout`
pub async fn sign_out(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (colleague, _) = office_form(&context, &received).await?;
    let out = sign_in::sign_out(&context, &colleague.token, &colleague.actor).await;
    out.map_err(error::store)?;
    Ok(answer::with_cookie(answer::see_other("/office/login"), &no_session_cookie()))
}

fn page(context: &Context, guest: &Guest, name: &str, error: Option<&'static str>) -> LoginPage {
    let form_token = context.keys.form_token(&guest.cookie);
    LoginPage { form_token, name: name.chars().take(64).collect(), error }
}
