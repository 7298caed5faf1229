//! The lines of a run for people.

use std::time::Duration;

use crate::model::Scenario;
use crate::runner::CaseReport;

/// Signs and colours, given by whoever owns the terminal.
#[derive(Clone, Copy)]
pub struct Paint {
    /// Good news.
    pub good: fn(&str) -> String,
    /// Bad news.
    pub bad: fn(&str) -> String,
    /// Important.
    pub strong: fn(&str) -> String,
    /// Less important.
    pub faint: fn(&str) -> String,
}

impl Paint {
    /// Without colour.
    pub const PLAIN: Self = Self {
        good: str::to_owned,
        bad: str::to_owned,
        strong: str::to_owned,
        faint: str::to_owned,
    };
}

/// One line: the sign, the name, steps and times.
pub fn line(report: &CaseReport, paint: Paint) -> String {
    let name = report.test_name();
    let real = seconds(report.real);
    if let Some(reason) = &report.skipped {
        return format!("  {} {name:<68} {}", (paint.faint)("○"), (paint.faint)(reason));
    }
    if report.passed() {
        let took = format!(
            "{:>3} steps   {:>9} virtual   {real}",
            report.steps.len(),
            kit::durations::text(rounded(report.virtual_duration())),
        );
        return format!("  {} {name:<68} {}", (paint.good)("✓"), (paint.faint)(&took));
    }
    let step = report.failed_step().map_or_else(
        || "after the last step".to_owned(),
        |step| format!("step {} of {}", step.number, report.steps_in_all),
    );
    format!("  {} {name:<68} {step}   {real}", (paint.bad)("✗"))
}

/// The block below a failed line.
pub fn failure(report: &CaseReport, scenario: &Scenario) -> String {
    let block = super::failure(report, scenario);
    let lines: Vec<String> = block.lines().map(|line| format!("    {line}\n")).collect();
    lines.concat()
}

/// The last line.
pub fn summary(reports: &[CaseReport], took: Duration, paint: Paint) -> String {
    let counts = super::Counts::of(reports);
    let passed = format!("{} passed", counts.passed);
    let skipped =
        if counts.skipped == 0 { String::new() } else { format!(", {} skipped", counts.skipped) };
    let took = seconds(took);
    if counts.failed == 0 {
        return format!("{}{skipped} in {took}", (paint.good)(&passed));
    }
    let failed = format!("{} failed", counts.failed);
    format!("{}, {passed}{skipped} in {took}", (paint.bad)(&failed))
}

fn seconds(duration: Duration) -> String {
    let tenths = duration.as_millis().saturating_add(50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_failure_shows_the_line_the_messages_and_how_to_repeat_it() {
        let (scenario, reports) = (samples::scenario(), samples::reports_with_one_skipped());
        let mut text = String::new();
        for report in &reports {
            text.push_str(line(report, Paint::PLAIN).trim_end());
            text.push('\n');
            text.push_str(&failure(report, &scenario));
        }
        text.push_str(&summary(&reports, Duration::from_millis(3668), Paint::PLAIN));
        insta::assert_snapshot!(text, @r#"
          ✓ The answer is lost [a]                                                 1 steps          1d virtual   1.8 s
          ✗ The answer is lost [b]                                               step 1 of 1   1.8 s
            step 1 "Nothing is held"
                ╭─[scenarios/timeouts/answer-lost.scenario.yaml:7:22]
              6 │     query: { from: issuer.holds }
              7 │     expect: { count: 0 }
                ·                      ┬
                ·                      ╰── expected 0, got 1 <hold>
                ╰────
                10:00:20.000  gateway → processor       reversal       0400 ⟶ 0410 25
              again   payrig run scenarios/timeouts/answer-lost.scenario.yaml --case "b" --seed 42 --until 1
          ○ The answer is lost [c]                                               needs refunds; the merchant file has no `refund` hook
        1 failed, 1 passed, 1 skipped in 3.7 s
        "#);
    }
}
