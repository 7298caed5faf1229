//! What people and machines are told about a run.

pub mod html;
pub mod junit;
pub mod ladder;
pub mod tap;
pub mod terminal;

use std::fmt::Write;

use serde_json::Value;

use crate::diagnostic::frame;
use crate::model::Scenario;
use crate::runner::{CaseReport, StepReport};

/// Messages that a failure shows, the last ones.
const MESSAGES_MAX: usize = 12;

/// Everything about a failure: the step, the line, the messages before it, how to repeat it.
pub fn failure(report: &CaseReport, scenario: &Scenario) -> String {
    let Some(trouble) = &report.trouble else { return String::new() };
    let mut text = String::new();
    let step = report.failed_step();
    match step {
        Some(step) => writeln!(text, "step {} \"{}\"", step.number, step.name).ok(),
        None => writeln!(text, "after the last step").ok(),
    };
    match trouble.spot {
        Some(spot) => {
            text.push_str(&frame(spot, &trouble.message, &scenario.path, &scenario.source));
        }
        None => {
            writeln!(text, "  {}", trouble.message).ok();
        }
    }
    let about_payments =
        |message: &&Value| message.get("type").is_none_or(|kind| kind != "network_management");
    let messages = report.steps.iter().flat_map(|step| &step.messages);
    let sent: Vec<String> = messages.filter(about_payments).map(line).collect();
    for message in sent.iter().skip(sent.len().saturating_sub(MESSAGES_MAX)) {
        writeln!(text, "    {message}").ok();
    }
    writeln!(text, "  again   {}", again(report, step)).ok();
    text
}

/// The command that plays the same case again.
pub fn again(report: &CaseReport, step: Option<&StepReport>) -> String {
    let mut command = format!("payrig run {}", report.path);
    if !report.case.is_empty() {
        write!(command, " --case \"{}\"", report.case).ok();
    }
    write!(command, " --seed {}", report.seed).ok();
    if let Some(merchant) = &report.merchant {
        write!(command, " --merchant {merchant}").ok();
    }
    if let Some(step) = step {
        write!(command, " --until {}", step.number.split('.').next().unwrap_or_default()).ok();
    }
    command
}

/// One message as a line.
pub fn line(message: &Value) -> String {
    let text = |key: &str| match message.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let at = text("at");
    let at = at.split_once('T').map_or(at.as_str(), |(_, time)| time.trim_end_matches('Z'));
    let link = text("link").replace("->", " → ");
    let answer = [text("answer_mti"), text("response_code")].join(" ");
    let answer = if answer.trim().is_empty() { text("status") } else { answer };
    let mut line = format!("{at:<12}  {link:<24}  {:<14} {:<4}", text("type"), text("mti"));
    match text("outcome").as_str() {
        "answered" => write!(line, " ⟶ {}", answer.trim()).ok(),
        outcome => write!(line, " ⟶ {outcome} {}", text("fault")).ok(),
    };
    line.trim_end().to_owned()
}

/// How many failed, passed, and so on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// As they should.
    pub passed: usize,
    /// Not as they should.
    pub failed: usize,
    /// Not played, because the world lacks something.
    pub skipped: usize,
}

impl Counts {
    /// Of all reports.
    pub fn of(reports: &[CaseReport]) -> Self {
        let count = |of: fn(&CaseReport) -> bool| reports.iter().filter(|it| of(it)).count();
        Self {
            passed: count(CaseReport::passed),
            failed: count(CaseReport::failed),
            skipped: count(|report| report.skipped.is_some()),
        }
    }
}

/// Text in XML and HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(letter),
            control if control.is_control() => safe.push(' '),
            plain => safe.push(plain),
        }
    }
    safe
}

#[cfg(test)]
pub(crate) mod samples {
    //! A run to render.

    use std::time::Duration;

    use serde_json::json;
    use wire::time::Timestamp;

    use crate::model::{Scenario, parse};
    use crate::runner::{CaseReport, StepReport, StepStatus, Trouble};
    use crate::yaml::Spot;

    const SOURCE: &str = "version: 1
name: The answer is lost
matrix: [{ case: a }, { case: b }]
steps:
  - name: Nothing is held
    query: { from: issuer.holds }
    expect: { count: 0 }
";

    pub(crate) fn scenario() -> Scenario {
        parse("scenarios/timeouts/answer-lost.scenario.yaml", SOURCE).unwrap()
    }

    pub(crate) fn reports() -> Vec<CaseReport> {
        let begin = Timestamp::from_seconds(1_768_471_200);
        let report = |case: &str, status: StepStatus, trouble| CaseReport {
            scenario: "The answer is lost".into(),
            path: "scenarios/timeouts/answer-lost.scenario.yaml".into(),
            case: case.into(),
            seed: 42,
            began: begin,
            ended: begin.plus(Duration::from_hours(24)),
            real: Duration::from_millis(1834),
            steps: vec![StepReport {
                number: "1".into(),
                name: "Nothing is held".into(),
                verb: "query",
                at: begin,
                real: Duration::from_millis(12),
                status,
                messages: vec![json!({
                    "at": "2026-01-15T10:00:20.000Z", "link": "gateway->processor",
                    "type": "reversal", "mti": "0400", "outcome": "answered",
                    "answer_mti": "0410", "response_code": "25",
                })],
            }],
            steps_in_all: 1,
            trouble,
            merchant: None,
            skipped: None,
        };
        let spot = Spot { line: 7, column: 22, length: 1 };
        let trouble = Trouble::check("expected 0, got 1 <hold>").at(spot);
        vec![
            report("a", StepStatus::Passed, None),
            report("b", StepStatus::Failed(trouble.clone()), Some(trouble)),
        ]
    }

    /// The same, and a case that was not played.
    pub(crate) fn reports_with_one_skipped() -> Vec<CaseReport> {
        let mut reports = reports();
        let skipped = CaseReport {
            case: "c".into(),
            steps: Vec::new(),
            trouble: None,
            skipped: Some("needs refunds; the merchant file has no `refund` hook".into()),
            ..reports[0].clone()
        };
        reports.push(skipped);
        reports
    }
}
