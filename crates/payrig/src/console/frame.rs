//! What surrounds every page: the clock, what is armed or switched off, messages, proof of forms.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use actix_web::web::Data;
use futures_util::future::join_all;
use kit::http::{Pairs, Problem, ReceivedRequest, form_pairs, query_pairs};
use kit::random::Secrets;
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::Console;
use super::alerts::{self, Firing};
use super::shown::moment;
use crate::commands::spoken_fault;
use crate::program::Program;
use crate::timekeeping::clock_of;

/// Messages that wait to be shown.
const FLASHES_MAX: usize = 64;
/// Bytes of the proof that a form came from our own page.
const PROOF_BYTES: usize = 32;

/// A fault that is armed, in words.
#[derive(Debug, Clone)]
pub(super) struct ArmedFault {
    pub id: String,
    pub on: String,
    pub words: String,
    pub only: String,
    pub left: String,
    pub hits: u64,
    pub used_up: bool,
}

/// A protection that a lesson has switched off.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Weakness {
    pub id: String,
    pub says: String,
    pub on: bool,
}

/// A program's faults as its control plane lists them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FaultListing {
    pub faults: Vec<Value>,
    pub links: Vec<String>,
    #[serde(default)]
    pub parked: std::collections::BTreeMap<String, usize>,
}

#[derive(Debug, Deserialize)]
struct WeaknessListing {
    vulnerabilities: Vec<Weakness>,
}

/// What one press of a button came to.
#[derive(Debug, Clone)]
pub(super) struct Flash {
    pub tone: &'static str,
    pub text: String,
}

/// Messages for the next page, and the proof that forms carry.
pub(super) struct Desk {
    proof: String,
    flashes: Mutex<(u64, VecDeque<(u64, Flash)>)>,
    /// What the bars said last: pages of problems say it again.
    last: Mutex<Frame>,
}

impl Desk {
    pub fn new(secrets: &Secrets) -> Self {
        let proof = data_encoding::BASE64URL_NOPAD.encode(&secrets.bytes::<PROOF_BYTES>());
        Self { proof, flashes: Mutex::default(), last: Mutex::default() }
    }

    /// Keeps a message and returns the number under which a page finds it once.
    pub fn say(&self, tone: &'static str, text: impl Into<String>) -> u64 {
        let mut kept = self.flashes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0 = kept.0.saturating_add(1);
        let number = kept.0;
        kept.1.push_back((number, Flash { tone, text: text.into() }));
        if kept.1.len() > FLASHES_MAX {
            kept.1.pop_front();
        }
        number
    }

    /// The frame of the last page, without its message.
    pub fn last_frame(&self) -> Frame {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, frame: &Frame) {
        let plain = Frame { flash: None, live: false, may_live: false, ..frame.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = plain;
    }

    fn take(&self, number: u64) -> Option<Flash> {
        let mut kept = self.flashes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.1.iter().position(|(known, _)| *known == number)?;
        kept.1.remove(place).map(|(_, flash)| flash)
    }

    /// The fields of a form that was sent from one of our own pages.
    pub fn form(&self, received: &ReceivedRequest) -> Result<Pairs, Problem> {
        let pairs = form_pairs(received)?;
        let proof = pairs.get("csrf").unwrap_or_default();
        let ours = proof.as_bytes().ct_eq(self.proof.as_bytes());
        if bool::from(ours) && is_same_origin(received) {
            return Ok(pairs);
        }
        let detail = "this form was not sent from this console, or the console was started again; \
                      load the page anew";
        Err(Problem::new(403, "form_not_ours", detail))
    }
}

/// Whether a browser says that a form comes from another origin.
fn is_same_origin(received: &ReceivedRequest) -> bool {
    match received.header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => received.header("origin").is_none_or(|origin| {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some_and(|it| it.eq_ignore_ascii_case(&received.authority))
        }),
    }
}

/// The frame of one page.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    /// The page's place in the navigation.
    pub place: &'static str,
    /// Whether the page shows changes by itself.
    pub live: bool,
    /// Whether it could.
    pub may_live: bool,
    /// The rest of the query, for links that keep it.
    pub query: String,
    pub csrf: String,
    pub clock: String,
    pub armed: Vec<ArmedFault>,
    pub weak: Vec<Weakness>,
    pub firing: Vec<Firing>,
    pub flash: Option<Flash>,
}

impl Frame {
    /// The frame of a page that is asked for now.
    pub async fn of(
        console: &Data<Console>,
        received: &ReceivedRequest,
        place: &'static str,
    ) -> Result<Self, Problem> {
        let pairs = query_pairs(&received.query)?;
        let flash = pairs.get("said").and_then(|number| console.desk.take(number.parse().ok()?));
        let (armed, weak, clock) = tokio::join!(
            armed_faults(console),
            weaknesses(console),
            clock_of(&console.access, Program::Gateway),
        );
        let frame = Self {
            place,
            live: false,
            may_live: false,
            query: String::new(),
            csrf: console.desk.proof.clone(),
            clock: clock.map_or_else(
                |_| "–".to_owned(),
                |clock| format!("{} {}", moment(clock.now), clock.mode),
            ),
            armed,
            weak: weak.into_iter().filter(|weakness| weakness.on).collect(),
            firing: alerts::firing(console),
            flash,
        };
        console.desk.remember(&frame);
        Ok(frame)
    }

    /// As it is, for a page that follows what happens unless `?refresh=off`.
    pub fn alive(mut self, received: &ReceivedRequest, query: impl Into<String>) -> Self {
        let pairs = query_pairs(&received.query);
        self.live = pairs.is_ok_and(|pairs| pairs.get("refresh") != Some("off"));
        self.may_live = true;
        self.query = query.into();
        self
    }

    /// How many armed faults still act.
    fn acting(&self) -> usize {
        self.armed.iter().filter(|fault| !fault.used_up).count()
    }

    /// What the bar on every page says; nothing while nothing is armed.
    pub fn bar(&self) -> Option<String> {
        match (self.acting(), self.armed.len()) {
            (0, 0) => None,
            (0, _) => Some("The armed faults have done their work".to_owned()),
            (1, _) => Some("1 fault is armed".to_owned()),
            (count, _) => Some(format!("{count} faults are armed")),
        }
    }
}

/// The faults of all programs; a program that does not answer has none.
pub(super) async fn fault_listings(console: &Console) -> Vec<(Program, FaultListing)> {
    let ask = |program| async move {
        let listing = console.access.ask::<FaultListing>(program, "faults").await;
        (program, listing.unwrap_or_default())
    };
    join_all(Program::ALL.map(ask)).await
}

async fn armed_faults(console: &Console) -> Vec<ArmedFault> {
    let listings = fault_listings(console).await;
    let of = |(_, listing): (Program, FaultListing)| {
        listing.faults.into_iter().map(|fault| armed(&fault))
    };
    listings.into_iter().flat_map(of).collect()
}

fn armed(listed: &Value) -> ArmedFault {
    let fault = listed.get("fault").unwrap_or(listed);
    let text = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let count = |name: &str| listed.get(name).and_then(Value::as_u64).unwrap_or(0);
    let times = fault.get("times").and_then(Value::as_u64);
    let (words, only) = spoken_fault(fault);
    ArmedFault {
        id: text("id"),
        on: text("on"),
        words,
        only,
        left: times.map_or_else(
            || "until cleared".to_owned(),
            |times| format!("{} of {times} left", times.saturating_sub(count("hits"))),
        ),
        hits: count("hits"),
        used_up: listed.get("used_up").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// The switches of all programs.
pub(super) async fn weaknesses(console: &Console) -> Vec<Weakness> {
    let ask = |program| console.access.ask::<WeaknessListing>(program, "vulnerabilities");
    let listings = join_all(Program::ALL.map(ask)).await;
    listings.into_iter().flatten().flat_map(|listing| listing.vulnerabilities).collect()
}
