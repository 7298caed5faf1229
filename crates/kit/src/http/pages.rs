//! Headers of pages: what a browser may do with them.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::DefaultHeaders;

/// What a page may load, frame and post to, beyond its own origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PagePolicy {
    /// Origins whose scripts it loads.
    pub scripts: Vec<String>,
    /// Origins it shows in frames.
    pub frames: Vec<String>,
    /// Origins that may show it in a frame; nobody when empty.
    pub framed_by: Vec<String>,
    /// Origins its forms post to.
    pub forms: Vec<String>,
    /// Whether scripts must use trusted types: for pages that take card data.
    pub trusted_types: bool,
}

impl PagePolicy {
    /// The policy of every page that needs nothing more.
    pub fn standard() -> Self {
        Self::default()
    }

    /// The policy of pages that take card data.
    pub fn card_form() -> Self {
        Self { trusted_types: true, ..Self::default() }
    }

    /// The value of `Content-Security-Policy`.
    pub fn csp(&self) -> String {
        let own = |more: &[String]| format!("'self' {}", more.join(" ")).trim_end().to_owned();
        let none = |list: &[String]| {
            if list.is_empty() { "'none'".to_owned() } else { list.join(" ") }
        };
        let mut csp = format!(
            "default-src 'none'; script-src {}; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; form-action {}; frame-ancestors {}; base-uri 'none'",
            own(&self.scripts),
            own(&self.forms),
            none(&self.framed_by),
        );
        if !self.frames.is_empty() {
            csp.push_str("; frame-src ");
            csp.push_str(&self.frames.join(" "));
        }
        if self.trusted_types {
            csp.push_str("; require-trusted-types-for 'script'");
        }
        csp
    }
}

/// Middleware for a scope of pages with a policy of their own; headers that a handler sets win.
pub fn page_headers(policy: &PagePolicy) -> DefaultHeaders {
    let mut headers = DefaultHeaders::new().add((header::CONTENT_SECURITY_POLICY, policy.csp()));
    if !policy.framed_by.is_empty() {
        headers = headers.add(("cross-origin-resource-policy", "cross-origin"));
    }
    headers
}

/// Headers that every answer carries unless its handler said otherwise.
pub(super) fn add_default_headers(headers: &mut HeaderMap) {
    let page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let mut default = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::CACHE_CONTROL, "no-store");
    if !page {
        return;
    }
    default(header::REFERRER_POLICY, "no-referrer");
    default(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    default(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    default(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    default(header::CONTENT_SECURITY_POLICY, STANDARD_CSP);
}

const STANDARD_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_policy_is_the_one_that_pages_get_unasked() {
        assert_eq!(PagePolicy::standard().csp(), STANDARD_CSP);
    }

    #[test]
    fn further_origins_are_added_where_they_belong() {
        let policy = PagePolicy {
            scripts: vec!["http://127.0.0.1:7072".into()],
            frames: vec!["http://127.0.0.1:7072".into()],
            framed_by: vec!["http://127.0.0.1:7071".into()],
            forms: vec!["http://127.0.0.1:7073".into()],
            trusted_types: true,
        };
        insta::assert_snapshot!(policy.csp(), @"default-src 'none'; script-src 'self' http://127.0.0.1:7072; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self' http://127.0.0.1:7073; frame-ancestors http://127.0.0.1:7071; base-uri 'none'; frame-src http://127.0.0.1:7072; require-trusted-types-for 'script'");
        assert!(PagePolicy::card_form().csp().ends_with("require-trusted-types-for 'script'"));
    }

    #[test]
    fn headers_of_a_handler_are_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        add_default_headers(&mut headers);
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "max-age=60");
        assert_eq!(headers.get(header::CONTENT_SECURITY_POLICY).unwrap(), STANDARD_CSP);
        let mut headers = HeaderMap::new();
        add_default_headers(&mut headers);
        assert!(!headers.contains_key(header::CONTENT_SECURITY_POLICY));
        assert!(headers.contains_key(header::X_CONTENT_TYPE_OPTIONS));
    }
}
