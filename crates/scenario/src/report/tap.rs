//! TAP 14: one line per case, a YAML block on failure.

use std::fmt::Write;

use crate::model::Scenario;
use crate::runner::CaseReport;

/// The whole document.
pub fn document<'s>(
    reports: &[CaseReport],
    scenario_of: impl Fn(&CaseReport) -> Option<&'s Scenario>,
) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", reports.len());
    for (index, report) in reports.iter().enumerate() {
        let number = index.saturating_add(1);
        let verdict = if report.failed() { "not ok" } else { "ok" };
        let name = format!("{}: {}", report.class_name(), report.test_name());
        let name = name.replace('\\', "\\\\").replace('#', "\\#");
        let directive = report.skipped.as_ref().map(|reason| format!(" # SKIP {reason}"));
        writeln!(text, "{verdict} {number} - {name}{}", directive.unwrap_or_default()).ok();
        if let Some(trouble) = &report.trouble {
            writeln!(text, "  ---\n  message: {:?}\n  seed: {}", trouble.message, report.seed).ok();
            text.push_str("  details: |\n");
            let scenario = scenario_of(report);
            let block = scenario.map(|scenario| super::failure(report, scenario));
            for line in block.unwrap_or_default().lines() {
                writeln!(text, "    {line}").ok();
            }
            text.push_str("  ...\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_failure_has_a_block() {
        let scenario = samples::scenario();
        insta::assert_snapshot!(document(&samples::reports_with_one_skipped(), |_| Some(&scenario)), @r#"
        TAP version 14
        1..3
        ok 1 - timeouts.answer-lost: The answer is lost [a]
        not ok 2 - timeouts.answer-lost: The answer is lost [b]
          ---
          message: "expected 0, got 1 <hold>"
          seed: 42
          details: |
            step 1 "Nothing is held"
                ╭─[scenarios/timeouts/answer-lost.scenario.yaml:7:22]
              6 │     query: { from: issuer.holds }
              7 │     expect: { count: 0 }
                ·                      ┬
                ·                      ╰── expected 0, got 1 <hold>
                ╰────
                10:00:20.000  gateway → processor       reversal       0400 ⟶ 0410 25
              again   payrig run scenarios/timeouts/answer-lost.scenario.yaml --case "b" --seed 42 --until 1
          ...
        ok 3 - timeouts.answer-lost: The answer is lost [c] # SKIP needs refunds; the merchant file has no `refund` hook
        "#);
    }
}
