//! What the pages show: values as texts, with the class that colours them.

use kit::http::{Pairs, Problem, query_pairs};
use wire::codes::DeclineCode;
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

/// Which payments a list shows: what was typed, as the filters of the API; kept in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// What was typed.
    pub q: String,
    /// The filters of the API that it stands for.
    filters: Vec<(&'static str, String)>,
    /// What could not be understood, in words.
    pub mistakes: Vec<String>,
    pub after: String,
    pub before: String,
}

/// The operators of the search box.
const OPERATORS: &str = "status:failed, card:4242, code:05, order:…, amount>5000, amount<5000, \
                         after:2026-11-22, before:2026-11-22";

impl Filter {
    pub fn read(query: &str) -> Result<Self, Problem> {
        let pairs = query_pairs(query)?;
        pairs.only(&["q", "after", "before", "refresh", "said"])?;
        let plain = |name: &'static str| text_of(&pairs, name);
        let q = pairs.get("q").unwrap_or("").trim().to_owned();
        let mut filter = Self {
            after: plain("after")?,
            before: plain("before")?,
            q: q.clone(),
            ..Self::default()
        };
        for word in q.split_whitespace() {
            match condition(word) {
                Ok((name, value)) => {
                    filter.filters.retain(|(known, _)| *known != name);
                    filter.filters.push((name, value));
                }
                Err(mistake) => filter.mistakes.push(mistake),
            }
        }
        Ok(filter)
    }

    /// The payment whose id was typed.
    pub fn payment(&self) -> Option<&str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (self.q.starts_with("pay_") && self.q.bytes().all(plain)).then_some(&*self.q)
    }

    /// The query of the API call.
    pub fn api_query(&self, limit: u32) -> String {
        let place = [("after", &self.after), ("before", &self.before)];
        let filters = self.filters.iter().map(|(name, value)| (*name, value)).chain(place);
        let given = filters.filter(|(_, value)| !value.is_empty());
        given.fold(format!("limit={limit}"), |query, (name, value)| {
            format!("{query}&{name}={value}")
        })
    }

    /// The query of another page of the same list: `&q=…`.
    pub fn page_query(&self) -> String {
        if self.q.is_empty() { String::new() } else { format!("&q={}", encoded(&self.q)) }
    }
}

/// A value for a query.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// One word of a search as a filter of the API.
fn condition(word: &str) -> Result<(&'static str, String), String> {
    let plain = |text: &str| {
        let ours = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !text.is_empty() && text.bytes().all(ours) { Some(text.to_owned()) } else { None }
    };
    let wrong = |expected: &str| format!("`{word}`: expected {expected}");
    if let Some(rest) = word.strip_prefix("amount") {
        return amount(rest).ok_or_else(|| wrong("amount>5000 or amount<5000, in minor units"));
    }
    let Some((operator, value)) = word.split_once(':') else {
        return plain(word).map(|word| ("order_reference", word)).ok_or_else(|| wrong(OPERATORS));
    };
    match operator {
        "status" => {
            let known = PaymentStatus::ALL.iter().find(|status| status.as_str() == value);
            known.map(|status| ("status", status.as_str().to_owned())).ok_or_else(|| {
                let all: Vec<&str> = PaymentStatus::ALL.iter().map(|it| it.as_str()).collect();
                wrong(&all.join(", "))
            })
        }
        "card" => {
            let four = value.len() == 4 && value.bytes().all(|byte| byte.is_ascii_digit());
            let last4 = four.then(|| ("card_last4", value.to_owned()));
            last4.ok_or_else(|| wrong("the last four digits, as in card:4242"))
        }
        "code" => decline_code(value).map(|code| ("decline_code", code)).ok_or_else(|| {
            wrong("a response code such as 05 or a decline code such as do_not_honor")
        }),
        "order" => plain(value)
            .map(|it| ("order_reference", it))
            .ok_or_else(|| wrong("an order reference")),
        "after" | "before" => {
            let moment =
                if value.len() == 10 { format!("{value}T00:00:00Z") } else { value.into() };
            let name = if operator == "after" { "created_after" } else { "created_before" };
            let known = moment.parse::<Timestamp>().is_ok();
            known.then(|| (name, encoded(&moment))).ok_or_else(|| wrong("a day: 2026-11-22"))
        }
        _ => Err(wrong(OPERATORS)),
    }
}

fn amount(rest: &str) -> Option<(&'static str, String)> {
    let (sign, number) = rest.split_at_checked(1)?;
    let number: i64 = number.trim_start_matches('=').parse().ok()?;
    let inclusive = rest.get(1..2) == Some("=");
    match sign {
        ">" => {
            let least = if inclusive { number } else { number.saturating_add(1) };
            Some(("amount_min", least.to_string()))
        }
        "<" => {
            let most = if inclusive { number } else { number.saturating_sub(1) };
            Some(("amount_max", most.to_string()))
        }
        _ => None,
    }
}

/// A decline code by its name or by the number that the bank sent.
fn decline_code(text: &str) -> Option<String> {
    let code = DeclineCode::parse(text).or_else(|| {
        let number = text.to_uppercase();
        let mut all = DeclineCode::ALL.iter().copied();
        all.find(|code| code.response_code().is_some_and(|known| known.as_str() == number))
    });
    code.map(|code| code.as_str().to_owned())
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
    fn what_is_typed_becomes_the_filters_of_the_call() {
        let filter = Filter::read("q=status%3Acaptured+ord_1+amount%3E5000+card:4242&after=pay_1");
        let filter = filter.unwrap();
        assert_eq!(
            filter.api_query(20),
            "limit=20&status=captured&order_reference=ord_1&amount_min=5001&card_last4=4242&after=pay_1"
        );
        assert_eq!(
            filter.page_query(),
            "&q=status%3Acaptured%20ord_1%20amount%3E5000%20card%3A4242"
        );
        assert!(filter.mistakes.is_empty());
        let codes = Filter::read("q=code:05+before:2026-11-22+amount<=9").unwrap();
        assert_eq!(
            codes.api_query(1),
            "limit=1&decline_code=do_not_honor&created_before=2026-11-22T00%3A00%3A00Z&amount_max=9"
        );
        assert_eq!(Filter::read("q=pay_01k").unwrap().payment(), Some("pay_01k"));
        assert!(Filter::read("color=red").is_err());
    }

    #[test]
    fn what_is_not_understood_is_told_with_what_would_be() {
        for (typed, hint) in [
            ("status:gone", "requires_payment_method"),
            ("card:42", "last four digits"),
            ("code:zz9", "05"),
            ("colour:red", "status:failed"),
            ("amount=5", "amount>5000"),
            ("a&b=c", "status:failed"),
        ] {
            let filter = Filter::read(&format!("q={}", encoded(typed))).unwrap();
            assert_eq!(filter.mistakes.len(), 1, "{typed}");
            assert!(filter.mistakes[0].contains(hint), "{:?}", filter.mistakes);
            assert_eq!(filter.api_query(1), "limit=1", "{typed}");
        }
    }

    #[test]
    fn memory_and_moments_are_short() {
        assert_eq!(megabytes(12_646), "12.3 MB");
        assert_eq!(moment(Timestamp::from_seconds(1_767_225_600)), "2026-01-01 00:00:00");
        assert_eq!(apology(&Failure::check("the gateway is down")), "The gateway is down");
    }
}
