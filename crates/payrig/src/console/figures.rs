//! Figures: success, declines, response times, webhook lag, reversals and volume of a window.
//!
//! Business figures come from the payments and use scenario time; response times come from the
//! wire logs and use the real clock. Nothing is computed with fractions: rates are per mille.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kit::wirelog::{Entry, Outcome as WireOutcome, Side};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use wire::codes::ResponseCode;
use wire::gateway_api::{Page, PaymentStatus, PaymentView};
use wire::money::{MinorUnits, Money};
use wire::time::Timestamp;

use super::Console;
use crate::failure::Outcome;
use crate::program::Program;
use crate::trace::is_our_own_look;

/// Messages whose time is remembered.
const SAMPLES_MAX: usize = 20_000;
/// Messages that one reading takes from a program at most, in pages of a thousand.
const PAGES_MAX: usize = 8;
/// Payments that a look reads at most, in pages of a hundred.
const PAYMENT_PAGES_MAX: usize = 5;
/// Below this many a percentile says little.
const FEW: usize = 20;

/// How far back figures look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Window {
    pub name: &'static str,
    pub words: &'static str,
    pub length: Option<Duration>,
}

/// The windows that can be chosen.
pub(super) const WINDOWS: [Window; 4] = [
    Window { name: "5m", words: "5 minutes", length: Some(Duration::from_mins(5)) },
    Window { name: "1h", words: "1 hour", length: Some(Duration::from_hours(1)) },
    Window { name: "24h", words: "24 hours", length: Some(Duration::from_hours(24)) },
    Window { name: "all", words: "everything", length: None },
];

impl Window {
    pub fn named(name: &str) -> Option<Self> {
        WINDOWS.into_iter().find(|window| window.name == name)
    }

    fn start(self, now: Timestamp) -> Timestamp {
        self.length.map_or(Timestamp::from_seconds(0), |length| now.minus(length))
    }
}

/// One message, as far as figures need it.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    at: Timestamp,
    link: String,
    millis: u64,
    error: bool,
    refused: bool,
    replayed: bool,
    /// A card that was not let through because too many were tried.
    slowed: bool,
    /// A fault had a hand in it: its time is not the program's.
    injected: bool,
    /// From the making of an event to its delivery, in scenario time.
    lag: Option<u64>,
}

impl Sample {
    fn of(entry: &Entry) -> Option<Self> {
        // Each message once: as its sender saw it, or the server where a browser sent it.
        if entry.side == Side::Receiver && !entry.link.starts_with("browser->") {
            return None;
        }
        let status = entry.answer.as_ref().map(|answer| answer.status);
        let verdict = entry.answer_verdict.as_deref().filter(|verdict| *verdict != "ok");
        let reason = entry.answer.as_ref().and_then(|answer| {
            let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
            body.get("reason")?.as_str().map(str::to_owned)
        });
        let refused = verdict.is_some() || matches!(status, Some(401)) && reason.is_some();
        let failed = entry.outcome != WireOutcome::Answered;
        Some(Self {
            at: entry.at,
            link: entry.link.clone(),
            millis: entry.duration_ms,
            error: failed || refused || status.is_none_or(|status| status >= 500),
            refused,
            replayed: reason.as_deref() == Some("signature_replayed"),
            slowed: status == Some(429) && entry.facts.kind == "card_form",
            injected: entry.fault.is_some(),
            lag: lag(entry),
        })
    }
}

fn lag(entry: &Entry) -> Option<u64> {
    let answer = entry.answer.as_ref().filter(|answer| (200..300).contains(&answer.status))?;
    entry.facts.event.as_ref()?;
    let body: serde_json::Value = serde_json::from_str(&entry.request.body).ok()?;
    let made: Timestamp = body.get("created_at")?.as_str()?.parse().ok()?;
    u64::try_from(answer.at.since(made).as_millis()).ok()
}

/// What was read from the wire logs so far.
#[derive(Default)]
pub(super) struct Samples(Mutex<Read>);

#[derive(Default)]
struct Read {
    last: [u64; 3],
    samples: VecDeque<Sample>,
}

#[derive(Deserialize)]
struct WirePage {
    entries: Vec<Entry>,
    last_seq: u64,
}

impl Samples {
    /// Takes in what is new and gives back all that is remembered.
    async fn read(&self, console: &Console) -> Vec<Sample> {
        let mut read = self.0.lock().await;
        for (place, program) in Program::ALL.into_iter().enumerate() {
            for _ in 0..PAGES_MAX {
                let after = read.last.get(place).copied().unwrap_or(0);
                let path = format!("wire?after={after}&limit=1000");
                let Ok(page) = console.access.ask::<WirePage>(program, &path).await else { break };
                if let Some(last) = read.last.get_mut(place) {
                    *last = page.entries.last().map_or(page.last_seq, |entry| entry.seq);
                }
                let full = page.entries.len() >= 1000;
                let new = page.entries.iter().filter(|entry| !is_our_own_look(entry));
                read.samples.extend(new.filter_map(Sample::of));
                while read.samples.len() > SAMPLES_MAX {
                    read.samples.pop_front();
                }
                if !full {
                    break;
                }
            }
        }
        read.samples.iter().cloned().collect()
    }
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Rate {
    pub part: u64,
    pub whole: u64,
}

impl Rate {
    pub fn per_mille(self) -> Option<u64> {
        self.part.saturating_mul(1000).checked_div(self.whole)
    }

    /// `97.5 %`, or a dash where there is nothing to count.
    pub fn percent(&self) -> String {
        self.per_mille().map_or("–".to_owned(), |rate| format!("{}.{} %", rate / 10, rate % 10))
    }
}

/// Times of one kind, in milliseconds, by the nearest rank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Times {
    pub count: usize,
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

impl Times {
    pub fn of(mut millis: Vec<u64>) -> Self {
        millis.sort_unstable();
        let count = millis.len();
        let rank = |percent: usize| {
            let place = count.saturating_mul(percent).div_ceil(100).saturating_sub(1);
            millis.get(place).copied().unwrap_or(0)
        };
        Self { count, p50: rank(50), p95: rank(95), p99: rank(99) }
    }

    pub const fn few(&self) -> bool {
        self.count < FEW
    }
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LinkRow {
    pub link: String,
    pub times: Times,
    pub errors: Rate,
}

/// Declines of one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DeclineRow {
    pub code: String,
    pub response_code: String,
    pub meaning: String,
    pub family: &'static str,
    pub count: u64,
}

/// All figures of a window.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Figures {
    pub success: Rate,
    pub authorization: Rate,
    pub declines: Vec<DeclineRow>,
    pub declined: u64,
    pub unknown: Rate,
    pub unknown_open: u64,
    pub unknown_oldest_seconds: u64,
    pub reversals: Rate,
    pub refunds: Rate,
    pub disputes: Rate,
    pub volume: Vec<String>,
    pub links: Vec<LinkRow>,
    pub webhook_lag: Times,
    pub errors: Rate,
    pub refused: u64,
    pub replayed: u64,
    /// Cards that were not let through because too many were tried.
    pub slowed: u64,
    /// Payments and paid ones per slice of the window, oldest first.
    pub slices: Vec<(u64, u64)>,
    /// Whether a fault had a hand in a message of the window.
    pub injected: bool,
}

/// How many slices the chart of a window has.
const SLICES: u64 = 30;

/// Figures of these payments and messages.
pub(super) fn figures(
    payments: &[PaymentView],
    samples: &[Sample],
    now: Timestamp,
    window: Window,
) -> Figures {
    let start = window.start(now);
    let inside: Vec<&PaymentView> =
        payments.iter().filter(|payment| payment.created_at >= start).collect();
    let samples: Vec<&Sample> = samples.iter().filter(|sample| sample.at >= start).collect();
    let mut figures = Figures::default();
    for payment in &inside {
        count_payment(&mut figures, payment, now);
    }
    figures.declines = declines(&inside);
    figures.declined = figures.declines.iter().map(|row| row.count).sum();
    figures.volume = volume(&inside);
    figures.slices = slices(&inside, now, window);
    count_messages(&mut figures, &samples);
    figures
}

const fn is_paid(payment: &PaymentView) -> bool {
    matches!(
        payment.status,
        PaymentStatus::Authorized | PaymentStatus::PartiallyCaptured | PaymentStatus::Captured
    )
}

fn count_payment(figures: &mut Figures, payment: &PaymentView, now: Timestamp) {
    let bump = |rate: &mut Rate, part: bool| {
        rate.whole = rate.whole.saturating_add(1);
        rate.part = rate.part.saturating_add(u64::from(part));
    };
    let Some(last) = payment.attempts.last() else { return };
    let open = payment.outcome_unknown || last.state == "processing";
    if !open {
        bump(&mut figures.success, is_paid(payment));
    }
    let asked = |state: &str| matches!(state, "unknown" | "reversed");
    bump(&mut figures.reversals, payment.attempts.iter().any(|it| it.state == "reversed"));
    for attempt in &payment.attempts {
        bump(&mut figures.unknown, asked(&attempt.state));
        if matches!(attempt.state.as_str(), "approved" | "declined") {
            bump(&mut figures.authorization, attempt.state == "approved");
        }
    }
    if payment.outcome_unknown {
        figures.unknown_open = figures.unknown_open.saturating_add(1);
        let age = now.since(last.created_at).as_secs();
        figures.unknown_oldest_seconds = figures.unknown_oldest_seconds.max(age);
    }
    if payment.amounts.captured > MinorUnits::ZERO {
        bump(&mut figures.refunds, payment.amounts.refunded > MinorUnits::ZERO);
        bump(&mut figures.disputes, payment.amounts.charged_back > MinorUnits::ZERO);
    }
}

fn declines(payments: &[&PaymentView]) -> Vec<DeclineRow> {
    let mut rows: BTreeMap<String, DeclineRow> = BTreeMap::new();
    for attempt in payments.iter().flat_map(|payment| &payment.attempts) {
        let Some(failure) = attempt.failure.as_ref().filter(|_| attempt.state == "declined") else {
            continue;
        };
        let code = failure.response_code.or(attempt.response_code);
        let info = code.and_then(ResponseCode::info);
        let meaning = info.map_or_else(String::new, |info| info.meaning.clone());
        let row = rows.entry(failure.code.as_str().to_owned()).or_insert_with(|| DeclineRow {
            code: failure.code.as_str().to_owned(),
            response_code: code.map_or(String::new(), |code| code.as_str().to_owned()),
            meaning,
            family: failure.code.family().as_str(),
            count: 0,
        });
        row.count = row.count.saturating_add(1);
    }
    let mut rows: Vec<DeclineRow> = rows.into_values().collect();
    rows.sort_by(|one, two| two.count.cmp(&one.count).then(one.code.cmp(&two.code)));
    rows
}

fn volume(payments: &[&PaymentView]) -> Vec<String> {
    let mut sums: BTreeMap<&str, Money> = BTreeMap::new();
    for payment in payments {
        let captured = Money::new(payment.amounts.captured, payment.amount.currency);
        let sum = sums
            .entry(payment.amount.currency.code())
            .or_insert(Money::new(MinorUnits::ZERO, payment.amount.currency));
        sum.value = sum.value.checked_add(captured.value).unwrap_or(sum.value);
    }
    sums.values().filter(|sum| !sum.value.is_zero()).map(ToString::to_string).collect()
}

fn slices(payments: &[&PaymentView], now: Timestamp, window: Window) -> Vec<(u64, u64)> {
    let oldest = payments.iter().map(|payment| payment.created_at).min().unwrap_or(now);
    let length = window.length.unwrap_or_else(|| now.since(oldest)).as_secs().max(SLICES);
    let start = now.minus(Duration::from_secs(length));
    let mut slices = vec![(0_u64, 0_u64); usize::try_from(SLICES).unwrap_or(0)];
    for payment in payments {
        let since = payment.created_at.since(start).as_secs();
        let place = since.saturating_mul(SLICES).checked_div(length).unwrap_or(0).min(SLICES - 1);
        let place = usize::try_from(place).unwrap_or(0);
        if let Some((all, paid)) = slices.get_mut(place) {
            *all = all.saturating_add(1);
            *paid = paid.saturating_add(u64::from(is_paid(payment)));
        }
    }
    slices
}

fn count_messages(figures: &mut Figures, samples: &[&Sample]) {
    let mut links: BTreeMap<&str, (Vec<u64>, Rate)> = BTreeMap::new();
    for sample in samples {
        let (times, errors) = links.entry(&sample.link).or_default();
        if !sample.injected {
            times.push(sample.millis);
        }
        for rate in [errors, &mut figures.errors] {
            rate.whole = rate.whole.saturating_add(1);
            rate.part = rate.part.saturating_add(u64::from(sample.error));
        }
        figures.refused = figures.refused.saturating_add(u64::from(sample.refused));
        figures.replayed = figures.replayed.saturating_add(u64::from(sample.replayed));
        figures.slowed = figures.slowed.saturating_add(u64::from(sample.slowed));
        figures.injected |= sample.injected;
    }
    figures.links = links
        .into_iter()
        .map(|(link, (times, errors))| LinkRow {
            link: link.to_owned(),
            times: Times::of(times),
            errors,
        })
        .collect();
    figures.webhook_lag = Times::of(samples.iter().filter_map(|sample| sample.lag).collect());
}

/// The newest payments, as many as one look reads.
pub(super) async fn newest_payments(console: &Console) -> Outcome<Vec<PaymentView>> {
    let mut payments: Vec<PaymentView> = Vec::new();
    for _ in 0..PAYMENT_PAGES_MAX {
        let after =
            payments.last().map_or(String::new(), |payment| format!("&after={}", payment.id));
        let path = format!("/api/payments?limit=100{after}");
        let page: Page<PaymentView> = console.client.read(&path).await?;
        payments.extend(page.data);
        if !page.has_more {
            break;
        }
    }
    Ok(payments)
}

/// The figures of a window, and of others beside it, from one look.
pub(super) async fn look(console: &Console, windows: &[Window]) -> Outcome<Vec<Figures>> {
    let payments = newest_payments(console).await?;
    let samples = console.samples.read(console).await;
    let now = console.client.now().await?;
    Ok(windows.iter().map(|window| figures(&payments, &samples, now, *window)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times = Times::of((1..=100).rev().collect());
        assert_eq!((times.p50, times.p95, times.p99, times.count), (50, 95, 99, 100));
        assert_eq!(Times::of(vec![7]), Times { count: 1, p50: 7, p95: 7, p99: 7 });
        assert_eq!(Times::of(Vec::new()), Times::default());
        assert!(Times::of(vec![7]).few());
    }

    #[test]
    fn rates_are_told_with_one_decimal_or_not_at_all() {
        assert_eq!(Rate { part: 39, whole: 40 }.percent(), "97.5 %");
        assert_eq!(Rate::default().percent(), "–");
    }

    #[test]
    fn a_slow_answer_that_a_fault_made_does_not_count_as_slow() {
        let sample = |millis, injected| Sample {
            at: Timestamp::from_seconds(100),
            link: "gateway->processor".into(),
            millis,
            error: injected,
            refused: false,
            replayed: false,
            slowed: false,
            injected,
            lag: None,
        };
        let samples = [sample(5, false), sample(45_000, true)];
        let now = Timestamp::from_seconds(120);
        let window = Window::named("5m").unwrap();
        let found = figures(&[], &samples, now, window);
        assert_eq!(found.links[0].times.p99, 5);
        assert_eq!(found.links[0].errors, Rate { part: 1, whole: 2 });
        assert!(found.injected);
        let later = figures(&[], &samples, Timestamp::from_seconds(1_000), window);
        assert!(later.links.is_empty(), "old messages are not in the window");
    }
}
