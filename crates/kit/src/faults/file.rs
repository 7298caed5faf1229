//! The shape in which faults are written.

use serde::{Deserialize, Serialize};

use super::{Action, FaultError};
use crate::facts::Facts;

/// One fault: on which link, for which messages, how often, and what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// A name to clear it by; made when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The link, for example `gateway->processor`.
    pub on: String,
    /// Which messages; all when empty.
    #[serde(default, rename = "match", skip_serializing_if = "FaultMatch::is_empty")]
    pub matching: FaultMatch,
    /// How many messages suffer; until cleared when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How many matching messages pass first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u32,
    /// With which probability a message suffers; always when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Whether a run may end without the fault having fired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What it does.
    #[serde(rename = "do")]
    pub action: Action,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Fault {
    pub(super) fn check(&self) -> Result<(), FaultError> {
        if self.times == Some(0) {
            return Err(FaultError::OutOfRange("`times` counts from 1"));
        }
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err(FaultError::OutOfRange("`probability` lies between 0 and 1"));
        }
        self.action.check()
    }
}

/// What must be true of a message; everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultMatch {
    /// The kind of message.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Payment id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Order reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Alias of the test card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The card network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Number of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The request path; a `*` at the end stands for any rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Event type of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

impl FaultMatch {
    /// Whether every message matches.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a message matches.
    pub fn fits(&self, facts: &Facts, path: &str) -> bool {
        let text = |wanted: &Option<String>, found: &Option<String>| {
            wanted.is_none() || wanted.as_deref() == found.as_deref()
        };
        self.kind.as_deref().is_none_or(|kind| kind == facts.kind)
            && text(&self.payment, &facts.payment)
            && text(&self.order, &facts.order)
            && text(&self.card, &facts.card)
            && text(&self.issuer, &facts.issuer)
            && text(&self.network, &facts.network)
            && text(&self.event, &facts.event)
            && self.amount.is_none_or(|amount| facts.amount == Some(amount))
            && self.attempt.is_none_or(|attempt| facts.attempt == Some(attempt))
            && self.path.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
                Some(start) => path.starts_with(start),
                None => path == wanted,
            })
    }
}
