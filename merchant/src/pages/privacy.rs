//! What the shop knows of its customer.

use askama::Template;

use super::Frame;
use super::order::Notice;

/// A customer's own data.
#[derive(Template)]
#[template(path = "merchant/privacy.html")]
pub struct PrivacyPage {
    /// Around the content.
    pub frame: Frame,
    /// A message about what was just asked for.
    pub notice: Option<Notice>,
    /// Orders of this browser.
    pub orders: usize,
    /// Subscriptions of this browser.
    pub subscriptions: usize,
    /// Whether cards are saved at the gateway.
    pub at_gateway: bool,
}
