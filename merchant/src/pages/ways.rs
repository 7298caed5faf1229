//! Pages of the two further ways to pay.

use askama::Template;

use super::Frame;

/// Card fields of the gateway, in a frame.
#[derive(Template)]
#[template(path = "merchant/card.html")]
pub struct CardPage {
    /// Around the content.
    pub frame: Frame,
    /// The order.
    pub id: String,
    /// What it costs.
    pub total: String,
    /// Where the script comes from.
    pub gateway: String,
    /// The publishable key.
    pub key: String,
}

/// The order as a sealed form.
#[derive(Template)]
#[template(path = "merchant/sealed.html")]
pub struct SealedPage {
    /// Around the content.
    pub frame: Frame,
    /// The order.
    pub id: String,
    /// What it costs.
    pub total: String,
    /// Where the form goes.
    pub action: String,
    /// Names and values.
    pub fields: Vec<(&'static str, String)>,
}
