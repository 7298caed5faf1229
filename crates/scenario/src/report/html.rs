//! One HTML file that loads nothing from outside: failed cases first, steps, messages.

use std::fmt::Write;

use super::{escaped, ladder};
use crate::model::Scenario;
use crate::runner::{CaseReport, StepReport, StepStatus};

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;\
max-width:72rem;padding:0 1rem}h1{font-size:1.4rem}details{border:1px solid #8884;\
border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}\
.passed{color:#17803d}.failed{color:#c0262d}.skipped{color:#777}pre{overflow:auto;\
padding:.6rem;background:#8881;border-radius:6px}summary,p,td{overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%;table-layout:fixed}\
td{padding:.15rem .6rem .15rem 0;vertical-align:top}td.time{width:13rem;color:#777}\
@media (max-width:44rem){body{margin:1rem auto}tr,td,td.time{display:block;width:auto}\
details details{overflow-x:auto}details details svg.ladder{max-width:none}}\
svg.ladder{max-width:100%;height:auto}svg.ladder text{font:11px ui-monospace,monospace;\
text-anchor:middle;fill:currentColor}svg.ladder text.lane{font-weight:600}\
svg.ladder line.lane{stroke:#8886}svg.ladder line.sent,svg.ladder path.sent{stroke:currentColor;\
fill:none}svg.ladder line.lost,svg.ladder path.lost{stroke:#c0262d;fill:none;stroke-dasharray:4 3}\
svg.ladder text.lost,svg.ladder text.cross{fill:#c0262d}\
@media (prefers-color-scheme:dark){.passed{color:#4cc27a}.failed{color:#ff7b80}}";

/// The whole document.
pub fn document<'s>(
    reports: &[CaseReport],
    scenario_of: impl Fn(&CaseReport) -> Option<&'s Scenario>,
) -> String {
    let counts = super::Counts::of(reports);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Payrig scenarios</title>\
         <style>{STYLE}</style></head><body>\n<h1>Scenarios: {} failed, {} passed{}</h1>\n",
        counts.failed,
        counts.passed,
        if counts.skipped == 0 { String::new() } else { format!(", {} skipped", counts.skipped) }
    );
    let (rest, failed): (Vec<&CaseReport>, Vec<&CaseReport>) =
        reports.iter().partition(|report| !report.failed());
    let (skipped, passed): (Vec<&CaseReport>, Vec<&CaseReport>) =
        rest.into_iter().partition(|report| report.skipped.is_some());
    for report in failed.into_iter().chain(passed).chain(skipped) {
        case(&mut text, report, scenario_of(report));
    }
    text.push_str("</body></html>\n");
    text
}

fn case(text: &mut String, report: &CaseReport, scenario: Option<&Scenario>) {
    let (open, class, sign) = match (&report.trouble, &report.skipped) {
        (Some(_), _) => (" open", "failed", "✗"),
        (None, Some(_)) => ("", "skipped", "○"),
        (None, None) => ("", "passed", "✓"),
    };
    let name = escaped(&report.test_name());
    let lasted = kit::durations::text(report.virtual_duration());
    writeln!(
        text,
        "<details{open}><summary><b class=\"{class}\">{sign}</b> {name} <small>seed {}, {lasted} \
         of virtual time</small></summary>",
        report.seed
    )
    .ok();
    if let Some(scenario) = scenario {
        writeln!(text, "<p>{}</p>", escaped(&scenario.description)).ok();
        if let Some(trouble) = &report.trouble {
            // Said in full before the excerpt, of which a long line may be out of view.
            let message = escaped(&trouble.message);
            writeln!(text, "<p class=\"failed\"><b>{}: {message}</b></p>", place(report)).ok();
            writeln!(text, "<pre>{}</pre>", escaped(&super::failure(report, scenario))).ok();
        }
    }
    if let Some(reason) = &report.skipped {
        writeln!(text, "<p class=\"skipped\">Skipped: {}</p>", escaped(reason)).ok();
    }
    pictures(text, report);
    text.push_str("<table>\n");
    for step in &report.steps {
        row(text, step);
    }
    text.push_str("</table></details>\n");
}

fn place(report: &CaseReport) -> String {
    let step = report.failed_step();
    step.map_or("after the last step".into(), |it| {
        format!("step {} {}", it.number, escaped(&it.name))
    })
}

/// One ladder per payment; those of a failed case are open.
fn pictures(text: &mut String, report: &CaseReport) {
    let messages: Vec<&serde_json::Value> =
        report.steps.iter().flat_map(|step| &step.messages).collect();
    let open = if report.passed() { "" } else { " open" };
    for payment in ladder::payments(&messages) {
        let name = escaped(&payment);
        let drawing = ladder::drawing(&payment, &messages);
        writeln!(text, "<details{open}><summary>Messages of {name}</summary>{drawing}</details>")
            .ok();
    }
}

fn row(text: &mut String, step: &StepReport) {
    let class = step.status.as_str();
    writeln!(
        text,
        "<tr><td class=\"time\">{}</td><td><b class=\"{class}\">{} {}</b>",
        step.at,
        step.number,
        escaped(&step.name)
    )
    .ok();
    if let StepStatus::Failed(trouble) = &step.status {
        writeln!(text, "<br><span class=\"failed\">{}</span>", escaped(&trouble.message)).ok();
    }
    if !step.messages.is_empty() {
        let lines: Vec<String> = step.messages.iter().map(super::line).collect();
        writeln!(text, "<pre>{}</pre>", escaped(&lines.join("\n"))).ok();
    }
    text.push_str("</td></tr>\n");
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_failed_case_comes_first_and_everything_is_escaped() {
        let scenario = samples::scenario();
        let page = document(&samples::reports_with_one_skipped(), |_| Some(&scenario));
        assert!(page.contains("Skipped: needs refunds"), "{page}");
        assert!(page.contains("1 failed, 1 passed, 1 skipped"));
        let (failed, passed) = (page.find("lost [b]").unwrap(), page.find("lost [a]").unwrap());
        assert!(failed < passed);
        assert!(page.contains("got 1 &lt;hold&gt;") && !page.contains("<hold>"));
        assert!(!page.contains("http") && !page.contains("src="), "it loads something");
        assert!(page.contains("gateway → processor"), "the messages are shown");
    }
}
