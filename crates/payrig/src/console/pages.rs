//! The pages of the console: askama structs.

use std::fmt::Write;
use std::sync::Arc;

use askama::Template;
use kit::http::Problem;
use kit::wirelog::Entry;
use wire::gateway_api::{Page, PaymentView, TimelineEntry};
use wire::money::Money;

use super::Console;
use super::frame::Frame;
use super::inspect::{self, Cause, Check};
use super::reference::{Spoken, codes_in};
use super::shown::{Filter, PaymentRow, Pill, ProgramTile, apology, card, moment};
use crate::commands::Findings;
use crate::failure::Outcome;
use crate::program::Program;
use crate::trace::{Drawing, Exchange, Half, StepEvent, Trace, drawing, sentence};

/// Payments on the start page.
const LATEST: u32 = 10;
/// Payments on a page of the list.
const PER_PAGE: u32 = 50;

/// Renders a page; a template that cannot be rendered shows nothing rather than half a page.
pub(super) fn rendered(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page could not be rendered");
        String::new()
    })
}

/// A light: do the books add up?
#[derive(Debug, Clone)]
pub(super) struct Light {
    class: &'static str,
    words: String,
    violations: Vec<String>,
}

impl Light {
    fn of(findings: &Outcome<Arc<Findings>>) -> Self {
        match findings {
            Ok(findings) if findings.ok => Self {
                class: "good",
                words: format!("{} invariants hold", findings.checked),
                violations: Vec::new(),
            },
            Ok(findings) => {
                let violations: Vec<String> = findings
                    .programs
                    .values()
                    .flat_map(|report| report.violations.clone())
                    .collect();
                let words = match violations.len() {
                    1 => "1 invariant is broken".to_owned(),
                    count => format!("{count} invariants are broken"),
                };
                Self { class: "bad", words, violations }
            }
            Err(_) => Self {
                class: "wait",
                words: "invariants could not be checked".into(),
                violations: Vec::new(),
            },
        }
    }
}

async fn list(console: &Console, filter: &Filter, limit: u32) -> Outcome<Page<PaymentView>> {
    console.client.read(&format!("/api/payments?{}", filter.api_query(limit))).await
}

/// The start page.
#[derive(Template)]
#[template(path = "console/home.html")]
pub(super) struct HomePage {
    frame: Frame,
    programs: Vec<ProgramTile>,
    light: Light,
    payments: Vec<PaymentRow>,
    apology: Option<String>,
    shop: String,
    gateway: String,
}

impl HomePage {
    pub async fn read(console: &Console, frame: Frame) -> Self {
        let addresses = console.access.addresses;
        let tile = |program| ProgramTile::of(program, &console.board, addresses);
        let payments = list(console, &Filter::default(), LATEST).await;
        Self {
            frame,
            programs: Program::ALL.map(tile).into(),
            light: Light::of(&console.invariants().await),
            apology: payments.as_ref().err().map(apology),
            payments: payments
                .map(|page| page.data.iter().map(PaymentRow::of).collect())
                .unwrap_or_default(),
            shop: addresses.of(Program::Merchant),
            gateway: addresses.of(Program::Gateway),
        }
    }

    pub fn text(&self) -> String {
        rendered(self)
    }
}

/// The list of payments.
#[derive(Template)]
#[template(path = "console/payments.html")]
pub(super) struct PaymentsPage {
    frame: Frame,
    filter: Filter,
    payments: Vec<PaymentRow>,
    older: Option<String>,
    newer: Option<String>,
    apology: Option<String>,
}

impl PaymentsPage {
    pub async fn read(console: &Console, frame: Frame, filter: Filter) -> Self {
        let page = list(console, &filter, PER_PAGE).await;
        let apology = page.as_ref().err().map(apology);
        let (rows, has_more) = page.map_or_else(
            |_| (Vec::new(), false),
            |page| (page.data.iter().map(PaymentRow::of).collect::<Vec<_>>(), page.has_more),
        );
        let backwards = !filter.before.is_empty();
        let place = |row: Option<&PaymentRow>, name: &str| {
            row.map(|row| format!("/payments?{name}={}{}", row.id, filter.page_query()))
        };
        let older = (has_more || backwards).then(|| place(rows.last(), "after")).flatten();
        let has_newer = if backwards { has_more } else { !filter.after.is_empty() };
        let newer = has_newer.then(|| place(rows.first(), "before")).flatten();
        Self { frame, payments: rows, older, newer, apology, filter }
    }

    pub fn text(&self) -> String {
        rendered(self)
    }
}

/// One row of the table beside the ladder.
#[derive(Debug, Clone)]
struct StepRow {
    n: usize,
    time: String,
    words: String,
    key: Option<String>,
    class: &'static str,
}

/// One payment with its ladder.
#[derive(Template)]
#[template(path = "console/payment.html")]
pub(super) struct PaymentPage {
    frame: Frame,
    id: String,
    payment: Option<PaymentView>,
    state: Option<Pill>,
    amount: String,
    amounts: Vec<(&'static str, String)>,
    card: String,
    created: String,
    drawing: Drawing,
    steps: Vec<StepRow>,
    timeline: Vec<TimelineEntry>,
    mermaid: String,
    dashboard: String,
}

impl PaymentPage {
    pub fn new(console: &Console, frame: Frame, trace: &Trace) -> Self {
        let payment = trace.payment.clone();
        let payment: Option<PaymentView> =
            payment.and_then(|payment| serde_json::from_value(payment).ok());
        let shown = |show: fn(&PaymentView) -> String| payment.as_ref().map_or("–".into(), show);
        let gateway = console.access.addresses.of(Program::Gateway);
        Self {
            frame,
            id: trace.id.clone(),
            state: payment.as_ref().map(Pill::of_payment),
            amount: shown(|payment| payment.amount.to_string()),
            amounts: payment.as_ref().map(amounts).unwrap_or_default(),
            card: shown(card),
            created: shown(|payment| moment(payment.created_at)),
            drawing: drawing(trace),
            steps: trace.steps.iter().map(step_row).collect(),
            timeline: trace.timeline.clone(),
            mermaid: mermaid(trace),
            dashboard: format!("{gateway}/dashboard/payments/{}", trace.id),
            payment,
        }
    }

    pub fn text(&self) -> String {
        rendered(self)
    }
}

/// What became of the amount: what is zero is left out.
fn amounts(payment: &PaymentView) -> Vec<(&'static str, String)> {
    let amounts = &payment.amounts;
    [
        ("Authorized", amounts.authorized),
        ("Reversed", amounts.reversed),
        ("Captured", amounts.captured),
        ("Refunded", amounts.refunded),
        ("Charged back", amounts.charged_back),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_zero())
    .map(|(word, value)| (word, Money::new(value, payment.amount.currency).to_string()))
    .collect()
}

/// The ladder as text for a document.
fn mermaid(trace: &Trace) -> String {
    let mut text = String::from("sequenceDiagram\n");
    for lane in crate::trace::Lane::ALL {
        writeln!(text, "  participant {}", lane.as_str()).ok();
    }
    for step in &trace.steps {
        match &step.event {
            StepEvent::Message(message) => {
                let arrow = match (message.half, message.fate.word()) {
                    (_, Some("lost")) => "-x",
                    (Half::Request, _) => "->>",
                    (Half::Answer, _) => "-->>",
                };
                let words = sentence(message).replace([';', '#'], ",");
                let (from, to) = (message.from.as_str(), message.to.as_str());
                writeln!(text, "  {from}{arrow}{to}: {words}").ok();
            }
            StepEvent::Change(change) => {
                let words = change.words.replace([';', '#'], ",");
                writeln!(text, "  Note over {}: {words}", change.lane.as_str()).ok();
            }
        }
    }
    text
}

fn step_row(step: &crate::trace::Step) -> StepRow {
    let time = step.at.to_string().get(11..23).unwrap_or("").to_owned();
    match &step.event {
        StepEvent::Message(message) => StepRow {
            n: step.n,
            time,
            words: sentence(message),
            key: Some(message.key.clone()),
            class: message.fate.word().map_or("", |_| "wait"),
        },
        StepEvent::Change(change) => StepRow {
            n: step.n,
            time,
            words: format!("{}: {}", change.lane.as_str(), change.words),
            key: None,
            class: "good",
        },
    }
}

/// One end of an exchange.
struct ShownEnd {
    title: String,
    entry: Entry,
    request_body: String,
    answer_body: String,
    address: String,
    codes: Vec<Spoken>,
}

/// One message in full: both ends, headers, bodies, signed bytes, verdicts.
#[derive(Template)]
#[template(path = "console/message.html")]
pub(super) struct MessagePage {
    frame: Frame,
    payment: String,
    title: String,
    request_verdict: Option<String>,
    answer_verdict: Option<String>,
    signature_base: Option<String>,
    cause: Option<Cause>,
    checks: Vec<Check>,
    curl: Option<String>,
    raw: String,
    ends: Vec<ShownEnd>,
}

impl MessagePage {
    pub fn new(
        console: &Console,
        frame: Frame,
        payment: &str,
        exchange: &Exchange,
        curl: Option<String>,
    ) -> Self {
        let ends: Vec<ShownEnd> =
            [("Sent by", &exchange.sender), ("Received by", &exchange.receiver)]
                .into_iter()
                .filter_map(|(title, entry)| Some(shown_end(title, entry.as_ref()?)))
                .collect();
        let arrived = exchange.receiver.as_ref().or(exchange.sender.as_ref());
        let refusal = inspect::refusal(exchange.receiver.as_ref());
        let verdict = |entry: &Option<Entry>, which: fn(&Entry) -> Option<String>| {
            entry.as_ref().and_then(which)
        };
        let request_verdict = verdict(&exchange.receiver, |entry| entry.request_verdict.clone());
        let base = arrived.and_then(|entry| entry.request.signature_base.clone());
        Self {
            frame,
            payment: payment.to_owned(),
            title: format!("{} to {}", exchange.from.as_str(), exchange.to.as_str()),
            cause: refusal.as_deref().and_then(inspect::cause_of),
            request_verdict: request_verdict.or(refusal),
            checks: arrived.map(|entry| inspect::checks(console, entry)).unwrap_or_default(),
            raw: arrived.map(inspect::raw).unwrap_or_default(),
            curl,
            answer_verdict: verdict(&exchange.sender, |entry| entry.answer_verdict.clone()),
            signature_base: base,
            ends,
        }
    }

    pub fn text(&self) -> String {
        rendered(self)
    }
}

fn shown_end(title: &str, entry: &Entry) -> ShownEnd {
    let query = match entry.request.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    ShownEnd {
        title: format!("{title} {}", entry.program),
        request_body: indented(&entry.request.body),
        answer_body: entry.answer.as_ref().map(|answer| indented(&answer.body)).unwrap_or_default(),
        address: format!("{}{query}", entry.request.path),
        codes: entry.answer.as_ref().map(|answer| codes_in(&answer.body)).unwrap_or_default(),
        entry: entry.clone(),
    }
}

/// JSON with line breaks; anything else as it is.
pub(super) fn indented(body: &str) -> String {
    serde_json::from_str::<serde_json::Value>(body)
        .map_or_else(|_| body.to_owned(), |value| format!("{value:#}"))
}

/// Something that is not there or does not work.
#[derive(Template)]
#[template(path = "console/problem.html")]
pub(super) struct ProblemPage {
    frame: Frame,
    heading: String,
    detail: String,
    code: String,
    request_id: String,
}

impl ProblemPage {
    pub fn new(frame: Frame, problem: &Problem, request_id: &str) -> Self {
        let heading = if problem.status() == 404 { "Nothing here" } else { "This did not work" };
        Self {
            frame,
            heading: heading.into(),
            detail: problem.detail().to_owned(),
            code: problem.code().to_owned(),
            request_id: request_id.to_owned(),
        }
    }

    pub fn text(&self) -> String {
        rendered(self)
    }
}

#[cfg(test)]
mod tests;
