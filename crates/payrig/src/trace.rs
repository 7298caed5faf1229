//! The trace of a payment: what every program saw of it, as one story in order.
//!
//! The ladder in the terminal, the drawing in the console and `--json` all read this model.

pub(crate) mod collect;
mod drawing;
mod ladder;
mod merge;
mod words;

use kit::wirelog::Entry;
use serde::Serialize;
use wire::gateway_api::TimelineEntry;
use wire::time::Timestamp;

pub use collect::collect;
pub(crate) use collect::is_our_own_look;
pub use drawing::{Drawing, drawing, sentence};
pub use ladder::{ladder, signatures};
pub use merge::merge;
pub use words::payment_line;

/// A party of a payment, from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The payer's browser, or any outside client.
    Browser,
    /// The shop.
    Merchant,
    /// The payment gateway.
    Gateway,
    /// The acquirer's processor.
    Processor,
    /// The card network.
    Network,
    /// The cardholder's bank.
    Issuer,
}

impl Lane {
    /// All of them, from left to right.
    pub const ALL: [Self; 6] = [
        Self::Browser,
        Self::Merchant,
        Self::Gateway,
        Self::Processor,
        Self::Network,
        Self::Issuer,
    ];

    /// The word as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Merchant => "merchant",
            Self::Gateway => "gateway",
            Self::Processor => "processor",
            Self::Network => "network",
            Self::Issuer => "issuer",
        }
    }

    /// 0 for the leftmost.
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|lane| *lane == self).unwrap_or(0)
    }

    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name).unwrap_or(Self::Browser)
    }

    /// Both ends of a link, such as `gateway->processor`.
    pub fn ends_of(link: &str) -> (Self, Self) {
        let (from, to) = link.split_once("->").unwrap_or(("", link));
        (Self::named(from), Self::named(to))
    }
}

/// What is known of a payment.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// Payment, order reference or trace id that was asked for.
    pub id: String,
    /// The payment as the gateway tells it, when it could be read.
    pub payment: Option<serde_json::Value>,
    /// Everything that happened, in order; numbered from 1.
    pub steps: Vec<Step>,
    /// Every exchange, as both ends saw it.
    pub exchanges: Vec<Exchange>,
    /// What the gateway wrote down about the payment.
    pub timeline: Vec<TimelineEntry>,
}

/// One request with its answer, as seen from both ends.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// Number within the trace, from 1.
    pub n: usize,
    /// Who asked.
    pub from: Lane,
    /// Who was asked.
    pub to: Lane,
    /// 2 and more when the same message arrived again.
    pub copy: usize,
    /// What the sender saw.
    pub sender: Option<Entry>,
    /// What the receiver saw.
    pub receiver: Option<Entry>,
}

impl Exchange {
    /// The end that knows more: the sender, where it belongs to the world.
    pub fn entry(&self) -> Option<&Entry> {
        self.sender.as_ref().or(self.receiver.as_ref())
    }

    /// Names it for as long as the wire log keeps it: the program and the number of an entry.
    pub fn key(&self) -> String {
        self.entry().map_or(String::new(), |entry| format!("{}-{}", entry.program, entry.seq))
    }

    /// Whether one of its entries has this name.
    pub fn is(&self, key: &str) -> bool {
        let entries = self.sender.iter().chain(&self.receiver);
        entries.into_iter().any(|entry| format!("{}-{}", entry.program, entry.seq) == key)
    }

    /// When it began.
    pub fn start(&self) -> Timestamp {
        self.entry().map_or(Timestamp::default(), |entry| entry.at)
    }
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Number within the trace, from 1.
    pub n: usize,
    /// When it left or took place.
    pub at: Timestamp,
    /// What it was.
    #[serde(flatten)]
    pub event: StepEvent,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepEvent {
    /// A message went from one party to another.
    Message(Message),
    /// Something changed inside a party.
    Change(Change),
}

/// One arrow of the ladder.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// Number of its exchange.
    pub exchange: usize,
    /// Name of its exchange.
    pub key: String,
    /// Request or answer.
    pub half: Half,
    /// Who sent it.
    pub from: Lane,
    /// Who was to get it.
    pub to: Lane,
    /// A few characters: `0100`, `POST`, `201`.
    pub label: String,
    /// A sentence.
    pub words: String,
    /// How it fared.
    pub fate: Fate,
    /// What its receiver thought of the signature: `ok` or a reason; absent when unsigned.
    pub verdict: Option<String>,
    /// 2 and more when the same message arrived again.
    pub copy: usize,
    /// Faults that were applied to it.
    pub fault: Option<String>,
    /// When it arrived, if much later than it left.
    pub arrived_at: Option<Timestamp>,
}

/// Which half of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// The question.
    Request,
    /// The answer.
    Answer,
}

/// How a message fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It arrived much later than it left, or after the sender had stopped waiting.
    Late,
    /// It never arrived.
    Lost,
    /// It was made up on the way.
    Fabricated,
    /// It arrived damaged and was refused.
    Refused,
}

impl Fate {
    /// The word that is shown with it; nothing for the usual case.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Delivered => None,
            Self::Late => Some("late"),
            Self::Lost => Some("lost"),
            Self::Fabricated => Some("made up"),
            Self::Refused => Some("refused"),
        }
    }
}

/// Something that changed inside a party.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Where.
    pub lane: Lane,
    /// What, as a sentence.
    pub words: String,
}

/// What the trace is made of.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The wire logs of all programs.
    pub entries: Vec<Entry>,
    /// The gateway's timeline of the payment.
    pub timeline: Vec<TimelineEntry>,
    /// The payment.
    pub payment: Option<serde_json::Value>,
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
