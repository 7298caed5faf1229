//! The pages of an access control server.

use askama::Template;
use wire::money::Money;

use crate::domain::acs::WRONG_CODES_MAX;
use crate::domain::parties::Issuer;
use crate::store::{NewAuthentication, StoredAuthentication};

/// What the last answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// There was none.
    None,
    /// The code was left empty.
    NoCode,
    /// The code was wrong.
    WrongCode,
}

/// The page on which a cardholder confirms a payment.
#[derive(Template)]
#[template(path = "processor-sim/challenge.html")]
pub struct ChallengePage {
    bank: &'static str,
    action: String,
    acs_trans_id: String,
    session: String,
    merchant: String,
    amount: String,
    card: String,
    problem: Option<String>,
    waits: bool,
}

impl ChallengePage {
    /// The page of a challenge that is open.
    pub fn new(stored: &StoredAuthentication, session: &str, hint: Hint, waits: bool) -> Self {
        let asked = &stored.asked;
        let left = WRONG_CODES_MAX.saturating_sub(stored.challenge.wrong_codes);
        let problem = match (hint, left) {
            (Hint::None, _) => None,
            (Hint::NoCode, _) => Some("Enter the code.".to_owned()),
            (Hint::WrongCode, 1) => Some("That code is wrong. You can try once more.".to_owned()),
            (Hint::WrongCode, left) => {
                Some(format!("That code is wrong. You can try {left} more times."))
            }
        };
        Self {
            bank: asked.issuer.name,
            action: format!("/acs/{}/challenge/answer", asked.issuer.id),
            acs_trans_id: asked.acs_trans_id.to_string(),
            session: session.to_owned(),
            merchant: asked.merchant_name.clone(),
            amount: Money::new(asked.amount, asked.currency).to_string(),
            card: format!(
                "{} ending in {}",
                asked.network.display_name(),
                asked.pan_masked.last4()
            ),
            problem: if waits { None } else { problem },
            waits,
        }
    }
}

/// The page that brings the browser back to the gateway.
#[derive(Template)]
#[template(path = "processor-sim/challenge_return.html")]
pub struct ReturnPage {
    bank: &'static str,
    action: String,
    result: String,
    session: String,
    over: bool,
}

impl ReturnPage {
    /// After a challenge; `over`: it had ended before.
    pub fn new(asked: &NewAuthentication, result: String, session: &str, over: bool) -> Self {
        Self {
            bank: asked.issuer.name,
            action: asked.notification_url.clone(),
            result,
            session: session.to_owned(),
            over,
        }
    }
}

/// A challenge that does not exist, or a message that cannot be read.
#[derive(Template)]
#[template(path = "processor-sim/challenge_stray.html")]
pub struct StrayPage {
    bank: &'static str,
}

impl StrayPage {
    /// At this bank.
    pub const fn new(issuer: &Issuer) -> Self {
        Self { bank: issuer.name }
    }
}

/// The hidden page of the 3DS Method.
#[derive(Template)]
#[template(path = "processor-sim/method.html")]
pub struct MethodPage {
    action: String,
    data: String,
}

impl MethodPage {
    /// Goes back to this address at once.
    pub fn new(action: &str, data: String) -> Self {
        Self { action: action.to_owned(), data }
    }
}
