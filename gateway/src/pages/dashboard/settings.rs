//! What is allowed and how long things take; and what to have seen before going live.

use askama::Template;

use super::Frame;
use crate::store::checklist::Seen;

/// Label and value.
pub type Setting = (&'static str, String);

/// A group of settings.
pub struct Group {
    /// Its heading.
    pub title: &'static str,
    /// Its settings.
    pub settings: Vec<Setting>,
}

/// Who may do what.
pub struct RoleLine {
    /// The role.
    pub role: &'static str,
    /// What it may do.
    pub may: String,
    /// People who have it.
    pub people: String,
}

/// The page of settings.
#[derive(Template)]
#[template(path = "gateway/settings.html")]
pub struct SettingsPage {
    /// What stands around it.
    pub frame: Frame,
    /// The settings.
    pub groups: Vec<Group>,
    /// Roles with their people.
    pub roles: Vec<RoleLine>,
}

/// One line of the checklist.
pub struct Item {
    /// A word that tests know it by.
    pub id: &'static str,
    /// What should have been seen.
    pub title: &'static str,
    /// How to see it.
    pub how: &'static str,
    /// Whether it was seen.
    pub done: bool,
}

/// A part of the checklist.
pub struct Part {
    /// Its heading.
    pub title: &'static str,
    /// Its lines.
    pub items: Vec<Item>,
}

/// The checklist before going live.
#[derive(Template)]
#[template(path = "gateway/go_live.html")]
pub struct GoLivePage {
    /// What stands around it.
    pub frame: Frame,
    /// Its parts.
    pub parts: Vec<Part>,
    /// How many lines are done.
    pub done: usize,
    /// How many there are.
    pub all: usize,
}

const fn item(id: &'static str, title: &'static str, how: &'static str, done: bool) -> Item {
    Item { id, title, how, done }
}

/// The checklist, from what was seen.
pub fn checklist(seen: Seen) -> Vec<Part> {
    vec![
        Part { title: "Webhooks", items: webhooks(seen) },
        Part { title: "Payments", items: payments(seen) },
        Part { title: "Money and keys", items: money(seen) },
    ]
}

fn webhooks(seen: Seen) -> Vec<Item> {
    vec![
        item(
            "endpoint",
            "A webhook endpoint is enabled",
            "Add one on the page Developers.",
            seen.endpoint,
        ),
        item(
            "answering",
            "It took what was sent last",
            "Pay for something; your endpoint answers with 2xx in time.",
            seen.answering,
        ),
        item(
            "forged",
            "It refused a damaged signature, and took the repeat",
            "In the console: Faults, “Damage the signature of the next webhook”.",
            seen.refuses_forged,
        ),
        item(
            "twice",
            "It took the same event twice without harm",
            "Send an event again from its page, then look that nothing happened twice.",
            seen.takes_twice,
        ),
        item(
            "secret",
            "A webhook secret was rotated",
            "Rotate it on the page Developers; for a day both secrets sign.",
            seen.secret_rotated,
        ),
    ]
}

fn payments(seen: Seen) -> Vec<Item> {
    vec![
        item(
            "signed",
            "A signed API call was accepted lately",
            "Sign your calls; the console shows each signature step by step.",
            seen.signed_call,
        ),
        item("captured", "A payment was captured", "Pay with 4242 4242 4242 4242.", seen.captured),
        item(
            "decline",
            "A declined payer paid with another card",
            "4000 0000 0000 0002 first, then a card that pays.",
            seen.decline_handled,
        ),
        item(
            "challenge",
            "A payer passed a 3-D Secure challenge",
            "Pay with 4000 0100 3007 0008 and approve.",
            seen.challenged,
        ),
        item(
            "reversal",
            "An unknown outcome ended in a reversal",
            "In the console: Faults, “Lose the next authorization's answer”; then move the clock.",
            seen.reversed,
        ),
    ]
}

fn money(seen: Seen) -> Vec<Item> {
    vec![
        item(
            "refund",
            "A refund was made",
            "From a payment's page, or with POST /api/payments/{id}/refunds.",
            seen.refunded,
        ),
        item(
            "settlement",
            "A settlement report arrived",
            "Move the clock over the cut-off, then compare the report with your books.",
            seen.settled,
        ),
        item(
            "key",
            "An API signing key was rotated",
            "Replace the key; the old one goes on for an overlap, so that no call fails.",
            seen.key_rotated,
        ),
    ]
}
