//! The frame of the embedded card fields.

use askama::Template;

use super::card_page::{script_networks, script_texts};
use super::texts::Texts;

/// Number, date and code, in a frame on the shop's page.
#[derive(Template)]
#[template(path = "gateway/fields.html")]
pub struct FieldsPage<'a> {
    texts: &'static Texts,
    key: &'a str,
    origin: &'a str,
    nonce: &'a str,
    script_texts: String,
    script_networks: String,
}

impl<'a> FieldsPage<'a> {
    /// The frame for a page of `origin`, which greets with `nonce`.
    pub fn new(texts: &'static Texts, key: &'a str, origin: &'a str, nonce: &'a str) -> Self {
        let (script_texts, script_networks) = (script_texts(texts), script_networks());
        Self { texts, key, origin, nonce, script_texts, script_networks }
    }
}
