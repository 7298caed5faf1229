//! What became of a payment, told to the payer: never more than is certain.

use askama::Template;
use wire::codes::Family;

use super::card_page::OrderSummary;
use super::texts::{Texts, fill};

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The money is taken or reserved, just now.
    Paid,
    /// The same, seen again.
    AlreadyPaid,
    /// With the bank.
    Processing,
    /// Nobody knows yet.
    Unknown,
    /// Approved; the merchant could not collect it yet.
    Completing,
    /// Canceled by payer or merchant before any money was reserved.
    Canceled,
    /// Voided by the merchant after it was reserved.
    Released,
    /// The page ran out.
    Expired,
    /// The authorization ran out.
    HoldExpired,
    /// Too many attempts, or refused for good.
    Failed(Family),
    /// Failed, and a reversal is still on its way.
    Reversing,
    /// Failed, and it is certain that nothing was taken.
    Reversed,
    /// The card was confirmed, without money.
    Verified,
    /// The link or the session is not valid.
    Refused,
    /// The form did not come from this page.
    Forged,
}

/// Where the payer goes from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnLink {
    /// Registered address of the shop.
    pub address: String,
    /// What the link says.
    pub text: String,
    /// Whether the browser goes there by itself.
    pub soon: bool,
}

/// The page that tells an outcome.
#[derive(Template)]
#[template(path = "gateway/outcome.html")]
pub struct OutcomePage {
    texts: &'static Texts,
    path: String,
    order: OrderSummary,
    payment: String,
    name: &'static str,
    tone: &'static str,
    sign: &'static str,
    family: Option<&'static str>,
    heading: String,
    paragraphs: Vec<String>,
    return_link: Option<ReturnLink>,
    shows_facts: bool,
    card: Option<String>,
    refunded: Option<String>,
}

/// What the page is made of.
pub struct OutcomePageParts {
    /// The texts of the payer's language.
    pub texts: &'static Texts,
    /// What there is to tell.
    pub outcome: Outcome,
    /// Path of the payment, `/pay/pay_…`; empty for a stranger.
    pub path: String,
    /// What was to be paid.
    pub order: OrderSummary,
    /// The payment's id.
    pub payment: String,
    /// Network and last four digits.
    pub card: Option<String>,
    /// What was given back.
    pub refunded: Option<String>,
    /// The shop's address for this outcome.
    pub return_address: Option<String>,
}

impl Outcome {
    /// Stable word of the outcome.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::AlreadyPaid => "already_paid",
            Self::Processing => "processing",
            Self::Unknown => "unknown",
            Self::Completing => "completing",
            Self::Canceled | Self::Released => "canceled",
            Self::Expired | Self::HoldExpired => "expired",
            Self::Failed(_) | Self::Reversing | Self::Reversed => "failed",
            Self::Verified => "verified",
            Self::Refused => "refused",
            Self::Forged => "forged",
        }
    }

    /// Whether this may still change.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Processing | Self::Unknown)
    }

    /// Whether the browser returns to the shop by itself.
    pub const fn returns_soon(self) -> bool {
        matches!(self, Self::Paid | Self::Verified | Self::Canceled)
    }

    const fn tone(self) -> (&'static str, &'static str) {
        match self {
            Self::Paid | Self::AlreadyPaid | Self::Verified => ("good", "✓"),
            Self::Processing | Self::Unknown | Self::Completing | Self::Reversing => ("wait", "…"),
            Self::Canceled | Self::Released => ("", "✕"),
            Self::Expired | Self::HoldExpired => ("", "◷"),
            Self::Failed(_) | Self::Reversed | Self::Refused | Self::Forged => ("bad", "!"),
        }
    }

    fn heading(self, texts: &Texts) -> &str {
        let outcomes = &texts.outcomes;
        match self {
            Self::Paid => &outcomes.paid,
            Self::AlreadyPaid => &outcomes.already_paid,
            Self::Processing => &outcomes.processing,
            Self::Unknown => &outcomes.unknown,
            Self::Completing => &outcomes.completing,
            Self::Canceled | Self::Released => &outcomes.canceled,
            Self::Expired | Self::HoldExpired => &outcomes.expired_title,
            Self::Failed(_) | Self::Reversing | Self::Reversed => &outcomes.failed,
            Self::Verified => &outcomes.verified,
            Self::Refused | Self::Forged => &outcomes.refused_title,
        }
    }

    fn paragraphs(self, texts: &Texts) -> Vec<&str> {
        let outcomes = &texts.outcomes;
        match self {
            Self::Paid => vec![&outcomes.paid_more],
            Self::AlreadyPaid => vec![&outcomes.already_paid_more],
            Self::Processing => vec![&outcomes.processing_more],
            Self::Unknown => vec![&outcomes.unknown_more],
            Self::Completing => vec![&outcomes.completing_more],
            Self::Canceled => vec![&outcomes.canceled_unpaid],
            Self::Released => vec![&outcomes.canceled_released],
            Self::Expired => vec![&outcomes.expired],
            Self::HoldExpired => vec![&outcomes.expired_hold],
            Self::Failed(family) => vec![texts.families.of(family), &outcomes.failed_attempts],
            Self::Reversing => vec![&outcomes.failed_reversing],
            Self::Reversed => vec![texts.families.of(Family::TryLater)],
            Self::Verified => vec![&outcomes.verified_more],
            Self::Refused => vec![&outcomes.refused],
            Self::Forged => vec![&outcomes.forged],
        }
    }

    const fn family(self) -> Option<Family> {
        match self {
            Self::Failed(family) => Some(family),
            Self::Reversed => Some(Family::TryLater),
            Self::Unknown | Self::Reversing => Some(Family::Unknown),
            Self::Paid
            | Self::AlreadyPaid
            | Self::Processing
            | Self::Completing
            | Self::Canceled
            | Self::Released
            | Self::Expired
            | Self::HoldExpired
            | Self::Verified
            | Self::Refused
            | Self::Forged => None,
        }
    }

    /// Whether the page may name the order: a stranger learns nothing about it.
    const fn shows_facts(self) -> bool {
        !matches!(self, Self::Refused | Self::Forged)
    }
}

impl OutcomePage {
    /// The page of these parts.
    pub fn new(parts: OutcomePageParts) -> Self {
        let (texts, outcome) = (parts.texts, parts.outcome);
        let merchant = [("merchant", parts.order.merchant.as_str())];
        let (tone, sign) = outcome.tone();
        let paragraphs = outcome.paragraphs(texts);
        let return_text = fill(&texts.outcomes.return_to_shop, &merchant);
        let return_link = parts.return_address.map(|address| ReturnLink {
            address,
            text: return_text,
            soon: outcome.returns_soon(),
        });
        Self {
            name: outcome.name(),
            tone,
            sign,
            family: outcome.family().map(Family::as_str),
            heading: outcome.heading(texts).to_owned(),
            paragraphs: paragraphs.into_iter().map(|text| fill(text, &merchant)).collect(),
            return_link,
            shows_facts: outcome.shows_facts(),
            card: parts.card,
            refunded: parts.refunded,
            texts,
            path: parts.path,
            order: parts.order,
            payment: parts.payment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::texts::english;

    const ALL: [Outcome; 15] = [
        Outcome::Paid,
        Outcome::AlreadyPaid,
        Outcome::Processing,
        Outcome::Unknown,
        Outcome::Completing,
        Outcome::Canceled,
        Outcome::Released,
        Outcome::Expired,
        Outcome::HoldExpired,
        Outcome::Failed(Family::Generic),
        Outcome::Reversing,
        Outcome::Reversed,
        Outcome::Verified,
        Outcome::Refused,
        Outcome::Forged,
    ];

    fn page(outcome: Outcome) -> String {
        let order = OrderSummary {
            merchant: "<svg onload=alert(1)>".into(),
            amount: "€49.99".into(),
            description: None,
            reference: "ord_1".into(),
            lines: Vec::new(),
        };
        let parts = OutcomePageParts {
            texts: english(),
            outcome,
            path: String::new(),
            order,
            payment: "pay_1".into(),
            card: None,
            refunded: None,
            return_address: Some("http://127.0.0.1:7071/return?a=1&b=\"2".into()),
        };
        OutcomePage::new(parts).render().unwrap()
    }

    #[test]
    fn only_certain_outcomes_say_that_nothing_was_charged() {
        let certain = |it: &Outcome| page(*it).contains("You have not been charged");
        let said: Vec<Outcome> = ALL.into_iter().filter(certain).collect();
        assert_eq!(said, [Outcome::Canceled, Outcome::Reversed]);
    }

    #[test]
    fn while_the_outcome_is_open_the_page_offers_no_second_payment() {
        for outcome in ALL.into_iter().filter(|it| it.is_open()) {
            let page = page(outcome);
            assert!(!page.contains("<form") && !page.contains("Try again"), "{outcome:?}");
        }
    }

    #[test]
    fn foreign_texts_are_inert() {
        for outcome in ALL {
            let page = page(outcome);
            assert!(!page.contains("<svg onload"), "{outcome:?}");
            assert!(!page.contains("b=\"2"), "{outcome:?}");
        }
    }

    #[test]
    fn a_stranger_learns_nothing_about_the_order() {
        for outcome in [Outcome::Refused, Outcome::Forged] {
            let page = page(outcome);
            assert!(!page.contains("ord_1") && !page.contains("€49.99"), "{outcome:?}");
        }
    }
}
