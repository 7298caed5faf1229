//! The payer's language: what was chosen on the page or by the shop's link, else what the browser
//! likes best, else English.

use actix_web::HttpResponse;
use actix_web::http::header::SET_COOKIE;
use kit::http::{Problem, ReceivedRequest};

use crate::http::browser::{NewCookie, cookie};
use crate::operations::Context;
use crate::pages::texts::{Texts, accepted, english, texts_of};

/// Where the choice is kept.
const COOKIE: &str = "payrig_lang";
/// How long it is kept, in seconds: a year.
const KEPT: u64 = 365 * 24 * 60 * 60;

/// The texts for a request.
pub fn of(received: &ReceivedRequest) -> &'static Texts {
    let chosen = cookie(received, COOKIE).and_then(texts_of);
    let liked = || received.header("accept-language").and_then(accepted);
    chosen.or_else(liked).unwrap_or_else(english)
}

/// Keeps a choice; a language that there is not changes nothing.
pub fn remember(context: &Context, tag: &str, response: &mut HttpResponse) -> Result<(), Problem> {
    let Some(texts) = texts_of(tag) else { return Ok(()) };
    let cookie = NewCookie {
        name: COOKIE,
        value: &texts.language,
        path: "/pay",
        same_site: "Lax",
        seconds: Some(KEPT),
        secure: context.settings.public_url.starts_with("https"),
    };
    let value = cookie.header().parse().map_err(Problem::internal)?;
    response.headers_mut().append(SET_COOKIE, value);
    Ok(())
}
