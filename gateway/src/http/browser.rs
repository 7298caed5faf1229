//! What pages have in common: cookies, where a form came from, redirects.

use std::fmt::Write;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use askama::Template;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use kit::http::{Problem, ProblemPage, ReceivedRequest};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::pages::dashboard::ProblemPage as ShownProblem;

/// The block of SHA-256: a key of this length is used as it is (RFC 2104).
const KEY_BYTES: usize = 64;

/// The value of a cookie.
pub fn cookie<'r>(received: &'r ReceivedRequest, name: &str) -> Option<&'r str> {
    let pairs = received.header("cookie")?.split(';');
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|it| it.1)
}

/// A cookie that scripts cannot read.
pub struct NewCookie<'c> {
    /// Its name.
    pub name: &'c str,
    /// Its value.
    pub value: &'c str,
    /// Where it is sent to.
    pub path: &'c str,
    /// `Strict`, or `Lax` where people arrive from another site.
    pub same_site: &'static str,
    /// Seconds; none ends with the browser, zero removes it.
    pub seconds: Option<u64>,
    /// Whether it is sent over TLS only.
    pub secure: bool,
}

impl NewCookie<'_> {
    /// The value of `Set-Cookie`.
    pub fn header(&self) -> String {
        let mut text = format!(
            "{}={}; Path={}; HttpOnly; SameSite={}",
            self.name, self.value, self.path, self.same_site
        );
        // Writing to a String cannot fail.
        if let Some(seconds) = self.seconds {
            let _ = write!(text, "; Max-Age={seconds}");
        }
        if self.secure {
            text.push_str("; Secure");
        }
        text
    }
}

/// Whether a form was sent from one of our own pages, as far as the browser says.
///
/// Our pages send no referrer, so that browsers give `null` as origin of our own forms too; then
/// `Sec-Fetch-Site` decides. What sends neither header is no browser and needs the form's proof.
pub fn is_same_origin(received: &ReceivedRequest) -> bool {
    if received.headers().contains_key("sec-fetch-site") {
        return received.header("sec-fetch-site") == Some("same-origin");
    }
    if !received.headers().contains_key(header::ORIGIN) {
        return true;
    }
    let origin = received.header("origin").and_then(|it| it.split_once("://"));
    origin.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(&received.authority))
}

/// See another page: 303, so that a reload does not send the form again.
pub fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish()
}

/// A page.
pub fn page(status: u16, template: &impl Template) -> Result<HttpResponse, Problem> {
    let body = template.render().map_err(Problem::internal)?;
    let status = StatusCode::from_u16(status).map_err(Problem::internal)?;
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body))
}

/// How problems look in a browser.
pub fn problem_page(merchant: String) -> ProblemPage {
    Arc::new(move |problem, request| {
        let shown = ShownProblem {
            merchant: merchant.clone(),
            heading: problem.title_text().to_owned(),
            detail: problem.detail().to_owned(),
            code: problem.code().to_owned(),
            request_id: request.request_id.to_owned(),
        };
        shown.render().unwrap_or_default()
    })
}

/// Has the browser go on by itself, after some seconds.
pub fn refresh(mut response: HttpResponse, seconds: u32, address: &str) -> HttpResponse {
    if let Ok(value) = HeaderValue::from_str(&format!("{seconds}; url={address}")) {
        response.headers_mut().insert(header::REFRESH, value);
    }
    response
}

/// An authentication code under a key of its own, derived from a secret (base64) by a label.
pub fn keyed(secret: &str, label: &str) -> Hmac<Sha256> {
    let root = Zeroizing::new(BASE64.decode(secret.as_bytes()).unwrap_or_default());
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    // Only lengths over 255 hashes are refused (RFC 5869 section 2.3).
    let _ = Hkdf::<Sha256>::new(None, &root).expand(label.as_bytes(), key.as_mut_slice());
    let key: &[u8; KEY_BYTES] = &key;
    <Hmac<Sha256> as KeyInit>::new(key.into())
}

/// The code as text, base64url.
pub fn code_text(code: Hmac<Sha256>) -> String {
    BASE64URL_NOPAD.encode(&code.finalize().into_bytes())
}

/// Whether a text is this code; in constant time.
pub fn is_code(code: Hmac<Sha256>, text: &str) -> bool {
    let Ok(given) = BASE64URL_NOPAD.decode(text.as_bytes()) else { return false };
    code.verify_slice(&given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites() {
        let cookie = |seconds, secure| {
            let (name, value, path, same_site) = ("a", "b", "/x", "Strict");
            NewCookie { name, value, path, same_site, seconds, secure }.header()
        };
        assert_eq!(cookie(None, false), "a=b; Path=/x; HttpOnly; SameSite=Strict");
        assert_eq!(
            cookie(Some(0), true),
            "a=b; Path=/x; HttpOnly; SameSite=Strict; Max-Age=0; Secure"
        );
    }

    #[test]
    fn a_code_depends_on_secret_and_label() {
        let (one, two) = (BASE64.encode(&[1; 32]), BASE64.encode(&[2; 32]));
        let text = code_text(keyed(&one, "a"));
        assert!(is_code(keyed(&one, "a"), &text));
        assert!(!is_code(keyed(&one, "b"), &text));
        assert!(!is_code(keyed(&two, "a"), &text));
        assert!(!is_code(keyed(&one, "a"), ""));
    }
}
