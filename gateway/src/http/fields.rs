//! Embedded card fields: the script for the shop's page, and the frame that holds the fields.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{self, Data, ServiceConfig};
use askama::Template;
use kit::facts::Facts;
use kit::http::{PagePolicy, Problem, ReceivedRequest, annotate, query_pairs};

use super::pay::language;
use crate::operations::Context;
use crate::operations::access::merchant_of_publishable_key;
use crate::pages::fields::FieldsPage;
use crate::pages::texts::texts_of;

/// Shortest nonce that a page may greet with.
const NONCE_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=128;

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.route("/js/payrig.js", web::get().to(script)).route("/fields", web::get().to(frame));
}

/// `GET /js/payrig.js`: at a fixed address, so it is asked for anew each time.
async fn script() -> Result<HttpResponse, Problem> {
    let text = kit::assets::asset("payrig.js").ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header(("cross-origin-resource-policy", "cross-origin"))
        .body(text))
}

/// `GET /fields?key=pk_…&origin=http://…&nonce=…`: may be framed by that origin only, if it is one
/// of the merchant's.
async fn frame(context: Data<Context>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let pairs = query_pairs(&received.query)?;
    pairs.only(&["key", "origin", "nonce", "lang"])?;
    annotate(received.http(), Facts::new("page", received.trace));
    let key = pairs.require("key")?;
    let Some(merchant) = merchant_of_publishable_key(&context, key) else {
        let detail = "this publishable key is unknown";
        return Err(Problem::new(403, "publishable_key_invalid", detail).param("key"));
    };
    let origin = pairs.require("origin")?;
    let clients = context.access.clients();
    let known = clients
        .iter()
        .any(|client| client.merchant == merchant && client.return_origins.allow(origin));
    if !(known && is_bare_origin(origin)) {
        let detail = "the page that shows these fields lies under none of the registered origins";
        return Err(Problem::new(403, "origin_not_allowed", detail).param("origin"));
    }
    let nonce = pairs.require("nonce")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !NONCE_CHARACTERS.contains(&nonce.len()) || !nonce.bytes().all(plain) {
        let detail = "a nonce is 16 to 128 letters, digits, `-` and `_`";
        return Err(Problem::new(400, "parameter_invalid", detail).param("nonce"));
    }
    let chosen = pairs.get("lang").and_then(texts_of);
    let texts = chosen.unwrap_or_else(|| language::of(&received));
    let policy = PagePolicy { framed_by: vec![origin.to_owned()], ..PagePolicy::card_form() };
    let body = FieldsPage::new(texts, key, origin, nonce).render().map_err(Problem::internal)?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy.csp()))
        .insert_header(("cross-origin-resource-policy", "cross-origin"))
        .body(body))
}

/// `scheme://host[:port]` and nothing behind it: it becomes part of a header.
fn is_bare_origin(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    matches!(scheme, "http" | "https") && !authority.is_empty() && authority.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::is_bare_origin;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for good in ["http://127.0.0.1:7071", "https://shop.example", "http://[::1]:80"] {
            assert!(is_bare_origin(good), "{good}");
        }
        for bad in [
            "http://a/",
            "http://a;script-src *",
            "http://a b",
            "http://a@b",
            "ftp://a",
            "*",
            "'self'",
            "http://",
        ] {
            assert!(!is_bare_origin(bad), "{bad}");
        }
    }
}
