//! What the pages show: values as texts, with the class that colours them.

use kit::http::{Pairs, Problem, query_pairs};
use wire::gateway_api::{PaymentStatus, PaymentView};
use wire::time::Timestamp;

use crate::failure::Failure;
use crate::process::resident_kib;
use crate::program::{Addresses, Program};
use crate::supervisor::board::{Board, ProgramState};

/// A state with the class of its pill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pill {
    pub class: &'static str,
    pub word: String,
}

impl Pill {
    fn new(class: &'static str, word: impl Into<String>) -> Self {
        Self { class, word: word.into() }
    }

    pub fn of_payment(payment: &PaymentView) -> Self {
        if payment.outcome_unknown {
            return Self::new("wait", "outcome unknown");
        }
        let class = match payment.status {
            PaymentStatus::Authorized
            | PaymentStatus::PartiallyCaptured
            | PaymentStatus::Captured
            | PaymentStatus::Verified => "good",
            PaymentStatus::CaptureFailed | PaymentStatus::Expired | PaymentStatus::Failed => "bad",
            PaymentStatus::RequiresAction | PaymentStatus::Processing => "wait",
            PaymentStatus::RequiresPaymentMethod => "info",
            PaymentStatus::Canceled => "",
        };
        Self::new(class, payment.status.as_str().replace('_', " "))
    }
}

/// One program of the world.
#[derive(Debug, Clone)]
pub(super) struct ProgramTile {
    pub name: &'static str,
    pub title: &'static str,
    pub address: String,
    pub words: &'static str,
    pub state: Pill,
    pub pid: String,
    pub restarts: u32,
    pub memory: String,
    pub ready_after: String,
    pub last_end: Option<String>,
}

impl ProgramTile {
    pub fn of(program: Program, board: &Board, addresses: Addresses) -> Self {
        let status = board.of(program);
        let (title, words) = match program {
            Program::Merchant => ("Shop", "storefront, orders, back office"),
            Program::Gateway => ("Gateway", "API, card page, dashboard"),
            Program::ProcessorSim => ("Processor", "processor, networks, issuing banks"),
        };
        let class = match status.state {
            ProgramState::Ready => "good",
            ProgramState::Restarting => "bad",
            ProgramState::Starting | ProgramState::Stopped => "wait",
        };
        let none = || "–".to_owned();
        Self {
            name: program.as_str(),
            title,
            address: addresses.of(program),
            words,
            state: Pill::new(class, status.state.as_str()),
            pid: status.pid.map_or_else(none, |pid| pid.to_string()),
            restarts: status.restarts,
            memory: status.pid.and_then(resident_kib).map_or_else(none, megabytes),
            ready_after: status
                .ready_after
                .map_or_else(none, |after| format!("{} ms", after.as_millis())),
            last_end: status.last_end,
        }
    }
}

/// `12.3 MB`
pub(crate) fn megabytes(kib: u64) -> String {
    let tenths = kib.saturating_mul(10).checked_div(1024).unwrap_or(0);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// One payment of a list.
#[derive(Debug, Clone)]
pub(super) struct PaymentRow {
    pub id: String,
    pub state: Pill,
    pub amount: String,
    pub order: String,
    pub card: String,
    pub created: String,
}

impl PaymentRow {
    pub fn of(payment: &PaymentView) -> Self {
        Self {
            id: payment.id.to_string(),
            state: Pill::of_payment(payment),
            amount: payment.amount.to_string(),
            order: payment.order_reference.clone(),
            card: card(payment),
            created: moment(payment.created_at),
        }
    }
}

/// `visa …4242`
pub(super) fn card(payment: &PaymentView) -> String {
    let card = payment.card.as_ref();
    card.map_or_else(|| "–".to_owned(), |card| format!("{} …{}", card.brand, card.last4))
}

/// `2026-11-22 10:32:01`
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    text.get(..19).unwrap_or(&text).to_owned()
}

/// Which payments a list shows: the filters of the API, kept in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub status: String,
    pub order: String,
    pub after: String,
    pub before: String,
}

impl Filter {
    pub fn read(query: &str) -> Result<Self, Problem> {
        let pairs = query_pairs(query)?;
        pairs.only(&["status", "order_reference", "after", "before", "refresh"])?;
        let plain = |name: &'static str| text_of(&pairs, name);
        Ok(Self {
            status: plain("status")?,
            order: plain("order_reference")?,
            after: plain("after")?,
            before: plain("before")?,
        })
    }

    /// The query of the API call.
    pub fn api_query(&self, limit: u32) -> String {
        format!("limit={limit}{}", self.pairs(true))
    }

    /// The query of another page of the same list: `&after=…`.
    pub fn page_query(&self) -> String {
        self.pairs(false)
    }

    fn pairs(&self, with_place: bool) -> String {
        let place = |value: &str| if with_place { value.to_owned() } else { String::new() };
        let pairs = [
            ("status", self.status.clone()),
            ("order_reference", self.order.clone()),
            ("after", place(&self.after)),
            ("before", place(&self.before)),
        ];
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        given.fold(String::new(), |query, (name, value)| format!("{query}&{name}={value}"))
    }
}

/// Values go into another query as they are, so they are plain words or they are refused.
fn text_of(pairs: &Pairs, name: &'static str) -> Result<String, Problem> {
    let value = pairs.get(name).unwrap_or("").trim();
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if plain {
        return Ok(value.to_owned());
    }
    let detail = "only letters, digits, `_`, `-` and `.` can be looked for";
    Err(Problem::new(400, "parameter_invalid", detail).param(name))
}

/// What a page says when the world does not answer it.
pub(super) fn apology(failure: &Failure) -> String {
    let mut text = failure.message.clone();
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_the_address_becomes_the_filter_of_the_call() {
        let filter = Filter::read("status=captured&order_reference=ord_1&after=pay_1").unwrap();
        assert_eq!(
            filter.api_query(20),
            "limit=20&status=captured&order_reference=ord_1&after=pay_1"
        );
        assert_eq!(filter.page_query(), "&status=captured&order_reference=ord_1");
        assert!(Filter::read("status=a%26b").is_err());
        assert!(Filter::read("color=red").is_err());
    }

    #[test]
    fn memory_and_moments_are_short() {
        assert_eq!(megabytes(12_646), "12.3 MB");
        assert_eq!(moment(Timestamp::from_seconds(1_767_225_600)), "2026-01-01 00:00:00");
        assert_eq!(apology(&Failure::check("the gateway is down")), "The gateway is down");
    }
}
