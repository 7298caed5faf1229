//! `payrig invariants`: do the books of all programs add up?

use std::collections::BTreeMap;
use std::fmt::Write;

use kit::http::InvariantReport;
use serde::Serialize;

use super::print_json;
use crate::access::Access;
use crate::cli::InvariantsFlags;
use crate::failure::{Exit, Failure, Outcome};
use crate::program::Program;
use crate::terminal::{Look, output_look, print};

/// What all programs found.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    /// Whether all rules hold everywhere.
    pub ok: bool,
    /// How many were checked.
    pub checked: u32,
    /// Per program.
    pub programs: BTreeMap<Program, InvariantReport>,
}

pub(super) async fn run(flags: InvariantsFlags) -> Outcome {
    let access = Access::open(&flags.state.state)?;
    let findings = check(&access).await?;
    if flags.json {
        print_json(&findings)?;
    } else {
        print(&text(&findings, output_look()));
    }
    if findings.ok { Ok(()) } else { Err(Failure::said(Exit::CheckFailed)) }
}

/// Asks every program.
pub(crate) async fn check(access: &Access) -> Outcome<Findings> {
    let mut programs = BTreeMap::new();
    for program in Program::ALL {
        let report: InvariantReport = access.ask(program, "invariants").await?;
        programs.insert(program, report);
    }
    Ok(Findings {
        ok: programs.values().all(|report| report.ok),
        checked: programs.values().map(|report| report.checked).sum(),
        programs,
    })
}

fn text(findings: &Findings, look: Look) -> String {
    let mut text = String::new();
    for (program, report) in &findings.programs {
        let checked = format!("{} checked", report.checked);
        let verdict = match report.violations.len() {
            0 => look.good("all hold"),
            1 => look.bad("1 violation"),
            count => look.bad(&format!("{count} violations")),
        };
        writeln!(text, "{:<14} {checked:>12}   {verdict}", program.as_str()).ok();
        for violation in &report.violations {
            writeln!(text, "  {} {violation}", look.sign("✗", "x")).ok();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_stand_under_their_program() {
        let bad = InvariantReport::new(16, vec!["R1: ledger 7 sums to 3 EUR".into()]);
        let findings = Findings {
            ok: false,
            checked: 24,
            programs: [
                (Program::Gateway, bad),
                (Program::Merchant, InvariantReport::new(8, Vec::new())),
            ]
            .into(),
        };
        insta::assert_snapshot!(text(&findings, Look::PLAIN), @r"
        merchant          8 checked   all hold
        gateway          16 checked   1 violation
          ✗ R1: ledger 7 sums to 3 EUR
        ");
    }
}
