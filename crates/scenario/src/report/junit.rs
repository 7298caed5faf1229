//! JUnit XML: one test case per matrix row. Names and class names never change.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::escaped;
use crate::model::Scenario;
use crate::runner::{CaseReport, Class};

/// The whole document. `scenario_of` finds the file of a report.
pub fn document<'s>(
    reports: &[CaseReport],
    scenario_of: impl Fn(&CaseReport) -> Option<&'s Scenario>,
) -> String {
    let mut suites: BTreeMap<String, Vec<&CaseReport>> = BTreeMap::new();
    for report in reports {
        suites.entry(report.class_name()).or_default().push(report);
    }
    let counts = super::Counts::of(reports);
    let all: Duration = reports.iter().map(|report| report.real).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    writeln!(
        text,
        "<testsuites name=\"payrig\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{}\">",
        reports.len(),
        counts.failed,
        counts.skipped,
        seconds(all)
    )
    .ok();
    for (class, reports) in suites {
        let failed = reports.iter().filter(|report| report.failed()).count();
        let skipped = reports.iter().filter(|report| report.skipped.is_some()).count();
        let class = escaped(&class);
        let count = reports.len();
        writeln!(
            text,
            "  <testsuite name=\"{class}\" tests=\"{count}\" failures=\"{failed}\" \
             skipped=\"{skipped}\">"
        )
        .ok();
        for report in reports {
            case(&mut text, &class, report, scenario_of(report));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(text: &mut String, class: &str, report: &CaseReport, scenario: Option<&Scenario>) {
    let name = escaped(&report.test_name());
    let time = seconds(report.real);
    writeln!(text, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{time}\">").ok();
    let lasted = kit::durations::text(report.virtual_duration());
    let version = env!("CARGO_PKG_VERSION");
    text.push_str("      <properties>\n");
    for (name, value) in [
        ("seed", report.seed.to_string()),
        ("virtual_duration", lasted),
        ("version", version.into()),
    ] {
        writeln!(text, "        <property name=\"{name}\" value=\"{value}\"/>").ok();
    }
    text.push_str("      </properties>\n");
    if let Some(reason) = &report.skipped {
        writeln!(text, "      <skipped message=\"{}\"/>", escaped(reason)).ok();
    }
    if let Some(trouble) = &report.trouble {
        let element = if trouble.class == Class::Check { "failure" } else { "error" };
        let message = escaped(&trouble.message);
        let block = scenario.map(|scenario| super::failure(report, scenario)).unwrap_or_default();
        let block = escaped(&block);
        writeln!(text, "      <{element} message=\"{message}\">{block}</{element}>").ok();
    }
    text.push_str("    </testcase>\n");
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn every_row_is_a_test_case() {
        let scenario = samples::scenario();
        let document = document(&samples::reports_with_one_skipped(), |_| Some(&scenario));
        insta::assert_snapshot!(document, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="payrig" tests="3" failures="1" skipped="1" time="5.502">
          <testsuite name="timeouts.answer-lost" tests="3" failures="1" skipped="1">
            <testcase name="The answer is lost [a]" classname="timeouts.answer-lost" time="1.834">
              <properties>
                <property name="seed" value="42"/>
                <property name="virtual_duration" value="1d"/>
                <property name="version" value="0.1.0"/>
              </properties>
            </testcase>
            <testcase name="The answer is lost [b]" classname="timeouts.answer-lost" time="1.834">
              <properties>
                <property name="seed" value="42"/>
                <property name="virtual_duration" value="1d"/>
                <property name="version" value="0.1.0"/>
              </properties>
              <failure message="expected 0, got 1 &lt;hold&gt;">step 1 &quot;Nothing is held&quot;
            ╭─[scenarios/timeouts/answer-lost.scenario.yaml:7:22]
          6 │     query: { from: issuer.holds }
          7 │     expect: { count: 0 }
            ·                      ┬
            ·                      ╰── expected 0, got 1 &lt;hold&gt;
            ╰────
            10:00:20.000  gateway → processor       reversal       0400 ⟶ 0410 25
          again   payrig run scenarios/timeouts/answer-lost.scenario.yaml --case &quot;b&quot; --seed 42 --until 1
        </failure>
            </testcase>
            <testcase name="The answer is lost [c]" classname="timeouts.answer-lost" time="1.834">
              <properties>
                <property name="seed" value="42"/>
                <property name="virtual_duration" value="1d"/>
                <property name="version" value="0.1.0"/>
              </properties>
              <skipped message="needs refunds; the merchant file has no `refund` hook"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
