//! Who is at the other end: a visitor's cookie, an operator's session, forms that are really ours.

use actix_web::HttpResponse;
use actix_web::http::header::HeaderMap;
use kit::http::{Pairs, Problem, ReceivedRequest, form_pairs};

use super::{answer, error};
use crate::domain::operator::Actor;
use crate::operations::look::Credentials;
use crate::operations::{Context, choose, look, sign_in};
use crate::pages::{self, Frame};
use crate::store::carts::Visitor;

/// The visitor's cookie.
const VISITOR_COOKIE: &str = "payrig_shop";
/// The cookie of the back office.
const OFFICE_COOKIE: &str = "payrig_office";
/// Random bytes in a cookie.
const COOKIE_BYTES: usize = 32;
/// Characters of a cookie: those bytes in base64url.
const COOKIE_CHARACTERS: usize = 43;
/// How long a visitor's cookie is kept: a year.
const VISITOR_SECONDS: u32 = 31_536_000;

/// A browser in the storefront.
pub struct Guest {
    /// The value of its cookie.
    pub cookie: String,
    is_new: bool,
    /// What it has chosen so far, if anything.
    pub visitor: Option<Visitor>,
}

/// The cookie of a visitor who is new.
pub fn new_cookie(context: &Context) -> String {
    context.secrets.token("", COOKIE_BYTES)
}

impl Guest {
    /// The browser behind a request; one without a cookie gets one.
    pub async fn of(context: &Context, headers: &HeaderMap) -> Result<Self, Problem> {
        let known = cookie(headers, VISITOR_COOKIE).filter(|value| is_token(value));
        let Some(cookie) = known else {
            let cookie = new_cookie(context);
            return Ok(Self { cookie, is_new: true, visitor: None });
        };
        let visitor = choose::visitor(context, &cookie).await.map_err(error::store)?;
        Ok(Self { cookie, is_new: false, visitor })
    }

    /// What its pages show around their content.
    pub fn frame(&self, context: &Context, current: &'static str) -> Frame {
        Frame {
            pieces: self.visitor.as_ref().map_or(0, |visitor| visitor.cart.pieces()),
            form_token: context.keys.form_token(&self.cookie),
            current,
        }
    }

    /// Gives a new browser its cookie.
    pub fn greet(&self, response: HttpResponse) -> HttpResponse {
        if !self.is_new {
            return response;
        }
        let cookie = format!(
            "{VISITOR_COOKIE}={}; Path=/; Max-Age={VISITOR_SECONDS}; HttpOnly; SameSite=Lax",
            self.cookie
        );
        answer::with_cookie(response, &cookie)
    }

    /// What it shows to see an order.
    pub fn credentials(&self) -> Credentials {
        Credentials { cookie: Some(self.cookie.clone()), ..Credentials::default() }
    }
}

/// A form of the storefront: sent by a page of ours in this very browser.
pub async fn shop_form(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<(Guest, Pairs), Problem> {
    check_origin(received)?;
    let pairs = form_pairs(received)?;
    let guest = Guest::of(context, received.headers()).await?;
    if guest.is_new || !context.keys.form_fits(&guest.cookie, pairs.get("csrf").unwrap_or("")) {
        return Err(error::form_foreign());
    }
    Ok((guest, pairs))
}

/// Somebody who is logged in to the back office.
pub struct Colleague {
    /// Who, in which role.
    pub actor: Actor,
    /// The value of the session's cookie.
    pub token: String,
}

impl Colleague {
    /// The one behind a request, if there is a session.
    pub async fn of(context: &Context, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(token) = cookie(headers, OFFICE_COOKIE).filter(|value| is_token(value)) else {
            return Ok(None);
        };
        let actor = sign_in::session(context, &token).await.map_err(error::store)?;
        Ok(actor.map(|actor| Self { actor, token }))
    }

    /// The one behind a request for a page; others are sent to the login.
    pub async fn or_login(
        context: &Context,
        headers: &HeaderMap,
    ) -> Result<Result<Self, HttpResponse>, Problem> {
        let found = Self::of(context, headers).await?;
        Ok(found.ok_or_else(|| answer::see_other("/office/login")))
    }

    /// What their pages show around their content.
    pub async fn frame(
        &self,
        context: &Context,
        current: &'static str,
    ) -> Result<pages::office::Frame, Problem> {
        let waiting = look::approvals_waiting(context).await.map_err(error::store)?;
        let token = context.keys.form_token(&self.token);
        Ok(pages::office::Frame::new(&self.actor, waiting, token, current))
    }
}

/// A form of the back office: sent by a page of ours within this very session.
pub async fn office_form(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<(Colleague, Pairs), Problem> {
    check_origin(received)?;
    let pairs = form_pairs(received)?;
    let colleague = Colleague::of(context, received.headers()).await?;
    let colleague = colleague.ok_or_else(error::login_needed)?;
    if !context.keys.form_fits(&colleague.token, pairs.get("csrf").unwrap_or("")) {
        return Err(error::form_foreign());
    }
    Ok((colleague, pairs))
}

/// The cookie of a new session; it ends with the browser or by the house rules.
pub fn session_cookie(context: &Context, token: &str) -> String {
    let seconds = context.rules.session_lives.as_secs();
    format!("{OFFICE_COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict")
}

/// Takes the session's cookie away.
pub fn no_session_cookie() -> String {
    format!("{OFFICE_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}

/// Refuses what another site had sent: browsers say where a form comes from.
pub fn check_origin(received: &ReceivedRequest) -> Result<(), Problem> {
    if let Some(site) = received.header("sec-fetch-site") {
        return if site == "same-origin" { Ok(()) } else { Err(error::form_foreign()) };
    }
    match received.header("origin") {
        None => Ok(()),
        Some(origin) => {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            if host == received.authority { Ok(()) } else { Err(error::form_foreign()) }
        }
    }
}

fn is_token(value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    value.len() == COOKIE_CHARACTERS && value.bytes().all(fits)
}

/// The only value of a cookie; two of the same name are as good as none.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let header = headers.get("cookie")?.to_str().ok()?;
    let named = |pair: &&str| pair.trim().split_once('=').is_some_and(|(it, _)| it == name);
    let mut found = header.split(';').filter(named);
    match (found.next(), found.next()) {
        (Some(pair), None) => pair.trim().split_once('=').map(|(_, value)| value.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::cookie;

    #[test]
    fn a_cookie_is_read_by_its_whole_name_and_only_once() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("a=1; payrig_shop=x=y; payrig_shopper=2; b=1; b=2");
        headers.insert(HeaderName::from_static("cookie"), value);
        assert_eq!(cookie(&headers, "payrig_shop").as_deref(), Some("x=y"));
        assert_eq!(cookie(&headers, "a").as_deref(), Some("1"));
        assert_eq!(cookie(&headers, "b"), None);
        assert_eq!(cookie(&headers, "c"), None);
    }
}
