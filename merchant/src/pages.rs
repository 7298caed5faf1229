//! Pages of the shop: askama structs, and the words in which things are shown.

pub mod office;
pub mod order;
pub mod privacy;
pub mod shown;
pub mod storefront;
pub mod subscriptions;
pub mod ways;

use askama::Template;

/// What every page of the storefront shows around its content.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Pieces in the cart.
    pub pieces: u32,
    /// Token that forms carry.
    pub form_token: String,
    /// Which entry of the menu is the current one.
    pub current: &'static str,
}

/// An error.
#[derive(Template)]
#[template(path = "merchant/problem.html")]
pub struct ProblemPage<'a> {
    /// Around the content; without cart, since an error may have any cause.
    pub frame: Frame,
    /// What kind of problem.
    pub heading: &'a str,
    /// For people.
    pub detail: &'a str,
    /// Stable word.
    pub code: &'a str,
    /// For support.
    pub request_id: &'a str,
}
