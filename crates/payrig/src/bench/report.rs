//! What a bench found, for people and for programs, and how it compares with the figures to reach.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::cli::BenchFlags;
use crate::console::megabytes;
use crate::program::Program;
use crate::terminal::{Look, columns};

/// Connections at which throughput and its latency are compared with their figures.
const FIGURE_CONNECTIONS: u32 = 64;

/// Raw measurements.
#[derive(Debug)]
pub(super) struct Measured {
    pub elapsed: Duration,
    pub ready_after: Duration,
    pub on_tmpfs: bool,
    pub latency: Latency,
    pub latency_alone: Latency,
    pub payments: usize,
    pub payments_stored: usize,
    pub problems: Vec<String>,
    pub problem_count: u64,
    pub webhooks: Webhooks,
    pub invariants_checked: u32,
    pub violations: Vec<String>,
    pub programs: BTreeMap<Program, ProgramFigures>,
}

/// What became of the notifications.
#[derive(Debug, Clone, Copy)]
pub(super) struct Webhooks {
    pub drained_after: Duration,
    pub all_delivered: bool,
    /// How many the shop should have got since its start.
    pub expected: u64,
    /// How many it got.
    pub received: u64,
}

/// Measurements of one program.
#[derive(Debug, Clone, Default)]
pub(super) struct ProgramFigures {
    pub ready_after: Duration,
    pub resident_idle_kib: u64,
    pub resident_after_kib: u64,
    pub processor_time: Duration,
    pub stored_before: u64,
    pub stored_after: u64,
}

/// Percentiles by nearest rank, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Latency {
    pub p50: u32,
    pub p90: u32,
    pub p99: u32,
    pub max: u32,
}

impl Latency {
    pub fn of(mut samples: Vec<u32>) -> Self {
        samples.sort_unstable();
        let rank = |percent: usize| {
            let rank = samples.len().saturating_mul(percent).div_ceil(100).max(1);
            samples.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self { p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) }
    }
}

/// A figure to reach, and whether it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Figure {
    pub id: &'static str,
    pub what: &'static str,
    pub target: &'static str,
    pub measured: String,
    /// Absent where this run does not tell.
    pub met: Option<bool>,
}

/// The report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub payments_per_second: u64,
    pub payments: usize,
    pub not_captured: u64,
    pub problems: Vec<String>,
    pub seconds: u64,
    pub connections: u32,
    pub mode: &'static str,
    pub build: &'static str,
    pub synchronous: &'static str,
    pub state_on_tmpfs: bool,
    pub latency_us: Latency,
    pub latency_alone_us: Latency,
    pub ready_ms: u128,
    pub resident_idle_kib: u64,
    pub resident_after_kib: u64,
    pub processor_us_per_payment: u64,
    pub stored_bytes_per_payment: u64,
    pub webhooks_delivered: bool,
    pub webhooks_expected: u64,
    pub webhooks_received: u64,
    pub webhooks_delivered_after_ms: u128,
    pub invariants_checked: u32,
    pub violations: Vec<String>,
    pub programs: BTreeMap<Program, ProgramReport>,
    pub figures: Vec<Figure>,
    /// Every payment captured, every webhook delivered, every invariant kept.
    pub passed: bool,
}

/// The report of one program.
#[derive(Debug, Serialize)]
pub(super) struct ProgramReport {
    pub ready_ms: u128,
    pub resident_idle_kib: u64,
    pub resident_after_kib: u64,
    pub processor_us_per_payment: u64,
    pub stored_bytes_per_payment: u64,
}

fn per(total: u64, count: usize) -> u64 {
    u64::try_from(count).ok().and_then(|count| total.checked_div(count)).unwrap_or(0)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Report {
    pub fn new(flags: &BenchFlags, measured: Measured) -> Self {
        let program = |figures: &ProgramFigures| ProgramReport {
            ready_ms: figures.ready_after.as_millis(),
            resident_idle_kib: figures.resident_idle_kib,
            resident_after_kib: figures.resident_after_kib,
            processor_us_per_payment: per(micros(figures.processor_time), measured.payments),
            stored_bytes_per_payment: per(
                figures.stored_after.saturating_sub(figures.stored_before),
                measured.payments_stored,
            ),
        };
        let programs: BTreeMap<Program, ProgramReport> =
            measured.programs.iter().map(|(name, figures)| (*name, program(figures))).collect();
        let sum = |of: fn(&ProgramReport) -> u64| programs.values().map(of).sum::<u64>();
        let count = u64::try_from(measured.payments).unwrap_or(u64::MAX);
        let elapsed = micros(measured.elapsed).max(1);
        let mut report = Self {
            payments_per_second: count.saturating_mul(1_000_000).checked_div(elapsed).unwrap_or(0),
            payments: measured.payments,
            not_captured: measured.problem_count,
            problems: measured.problems,
            seconds: measured.elapsed.as_secs(),
            connections: flags.connections,
            mode: if flags.two_step { "create, then confirm" } else { "create and confirm" },
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            synchronous: "FULL",
            state_on_tmpfs: measured.on_tmpfs,
            latency_us: measured.latency,
            latency_alone_us: measured.latency_alone,
            ready_ms: measured.ready_after.as_millis(),
            resident_idle_kib: sum(|program| program.resident_idle_kib),
            resident_after_kib: sum(|program| program.resident_after_kib),
            processor_us_per_payment: sum(|program| program.processor_us_per_payment),
            stored_bytes_per_payment: sum(|program| program.stored_bytes_per_payment),
            webhooks_delivered: measured.webhooks.all_delivered,
            webhooks_expected: measured.webhooks.expected,
            webhooks_received: measured.webhooks.received,
            webhooks_delivered_after_ms: measured.webhooks.drained_after.as_millis(),
            invariants_checked: measured.invariants_checked,
            violations: measured.violations,
            programs,
            figures: Vec::new(),
            passed: false,
        };
        report.figures = report.figures();
        report.passed = report.not_captured == 0
            && report.payments > 0
            && report.webhooks_delivered
            && report.violations.is_empty();
        report
    }

    fn webhooks(&self) -> String {
        format!(
            "{} of {} after {} ms",
            thousands(self.webhooks_received.min(self.webhooks_expected)),
            thousands(self.webhooks_expected),
            self.webhooks_delivered_after_ms
        )
    }

    fn figures(&self) -> Vec<Figure> {
        let at_load = self.connections == FIGURE_CONNECTIONS;
        let latency = self.latency_us;
        let spread = latency.p99.saturating_mul(2) <= latency.p50.saturating_mul(5);
        let figure = |id, what, target, measured, met| Figure { id, what, target, measured, met };
        vec![
            figure(
                "P1",
                "durable payments/s at 64 connections",
                ">= 4,000",
                thousands(self.payments_per_second),
                at_load.then_some(self.payments_per_second >= 4000),
            ),
            figure(
                "P3",
                "p99 at 64 connections",
                "<= 2.5 x p50 and <= 20 ms",
                format!("{} (p50 {})", millis(latency.p99), millis(latency.p50)),
                at_load.then_some(spread && latency.p99 <= 20_000),
            ),
            figure(
                "P3",
                "p50 at one connection",
                "<= 3 ms",
                millis(self.latency_alone_us.p50),
                Some(self.latency_alone_us.p50 <= 3000),
            ),
            figure(
                "P5",
                "all three programs ready",
                "<= 100 ms",
                format!("{} ms", self.ready_ms),
                Some(self.ready_ms <= 100),
            ),
            figure(
                "P6",
                "resident memory idle / after load",
                "<= 45 / 90 MB",
                format!(
                    "{} / {}",
                    megabytes(self.resident_idle_kib),
                    megabytes(self.resident_after_kib)
                ),
                Some(self.resident_idle_kib <= 45 * 1024 && self.resident_after_kib <= 90 * 1024),
            ),
            figure(
                "P7",
                "processor time per payment",
                "<= 500 us",
                format!("{} us", self.processor_us_per_payment),
                Some(self.processor_us_per_payment <= 500),
            ),
            figure(
                "P8",
                "stored bytes per payment, with its events",
                "-",
                thousands(self.stored_bytes_per_payment),
                None,
            ),
            figure(
                "P9",
                "webhooks delivered within 1 s of the end",
                "100 %",
                self.webhooks(),
                Some(self.webhooks_delivered && self.webhooks_delivered_after_ms <= 1000),
            ),
        ]
    }

    pub fn text(&self, look: Look) -> String {
        let mut text = String::new();
        writeln!(
            text,
            "{}  {} payments in {} s over {} connections, {}, {} build, synchronous={}",
            look.strong(&format!("{} payments/s", thousands(self.payments_per_second))),
            self.payments,
            self.seconds,
            self.connections,
            self.mode,
            self.build,
            self.synchronous,
        )
        .ok();
        let Latency { p50, p90, p99, max } = self.latency_us;
        let parts = [("p50", p50), ("p90", p90), ("p99", p99), ("max", max)];
        let parts = parts.map(|(name, value)| format!("{name} {}", millis(value)));
        writeln!(text, "latency  {}\n", parts.join("  ")).ok();
        text.push_str(&self.program_table());
        text.push('\n');
        text.push_str(&self.figure_table(look));
        self.write_troubles(&mut text, look);
        text
    }

    fn program_table(&self) -> String {
        let head = ["program", "ready", "idle", "after load", "cpu/payment", "stored/payment"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (name, program) in &self.programs {
            rows.push(vec![
                name.to_string(),
                format!("{} ms", program.ready_ms),
                megabytes(program.resident_idle_kib),
                megabytes(program.resident_after_kib),
                format!("{} us", program.processor_us_per_payment),
                format!("{} B", thousands(program.stored_bytes_per_payment)),
            ]);
        }
        columns(&rows)
    }

    fn figure_table(&self, look: Look) -> String {
        let rows: Vec<Vec<String>> = self
            .figures
            .iter()
            .map(|figure| {
                let verdict = match figure.met {
                    Some(true) => "met",
                    Some(false) => "NOT MET",
                    None => "-",
                };
                let cells = [figure.id, figure.what, figure.target, &figure.measured, verdict];
                cells.map(str::to_owned).to_vec()
            })
            .collect();
        let table = columns(&rows);
        table.lines().fold(String::new(), |mut text, line| {
            let line = if line.ends_with("NOT MET") { look.bad(line) } else { line.to_owned() };
            writeln!(text, "{line}").ok();
            text
        })
    }

    fn write_troubles(&self, text: &mut String, look: Look) {
        let mut trouble = |words: String| {
            writeln!(text, "{} {words}", look.bad("trouble:")).ok();
        };
        if self.not_captured > 0 {
            trouble(format!("{} payments were not captured", self.not_captured));
        }
        self.problems.iter().for_each(|problem| trouble(problem.clone()));
        if !self.webhooks_delivered {
            trouble("webhooks or captures were still waiting a minute after the load".into());
        }
        self.violations.iter().for_each(|violation| trouble(violation.clone()));
        if self.state_on_tmpfs {
            writeln!(text, "note: the state lay in memory (tmpfs): syncs cost nothing there").ok();
        }
        if self.build == "debug" {
            writeln!(text, "note: a debug build; `cargo run --release -- bench` measures").ok();
        }
    }
}

/// `12,345`
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as `7.1 ms`.
fn millis(micros: u32) -> String {
    let tenths = micros.saturating_add(50) / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(connections: u32) -> BenchFlags {
        BenchFlags {
            events: vec!["payment.captured".to_owned()],
            connections,
            seconds: 10,
            two_step: false,
            port_base: None,
            json: false,
            keep: false,
        }
    }

    fn measured() -> Measured {
        let program = |idle: u64| ProgramFigures {
            ready_after: Duration::from_millis(40),
            resident_idle_kib: idle,
            resident_after_kib: idle * 2,
            processor_time: Duration::from_secs(5),
            stored_before: 100_000,
            stored_after: 50_100_000,
        };
        Measured {
            elapsed: Duration::from_secs(10),
            ready_after: Duration::from_millis(48),
            on_tmpfs: false,
            latency: Latency { p50: 7100, p90: 11_000, p99: 14_200, max: 40_000 },
            latency_alone: Latency { p50: 1900, ..Latency::default() },
            payments: 50_000,
            payments_stored: 50_000,
            problems: Vec::new(),
            problem_count: 0,
            webhooks: Webhooks {
                drained_after: Duration::from_millis(320),
                all_delivered: true,
                expected: 150_000,
                received: 150_000,
            },
            invariants_checked: 30,
            violations: Vec::new(),
            programs: [
                (Program::Merchant, program(11_000)),
                (Program::Gateway, program(15_000)),
                (Program::ProcessorSim, program(12_000)),
            ]
            .into(),
        }
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let latency = Latency::of((1..=200).rev().collect());
        assert_eq!(latency, Latency { p50: 100, p90: 180, p99: 198, max: 200 });
        assert_eq!(Latency::of(vec![7]), Latency { p50: 7, p90: 7, p99: 7, max: 7 });
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }

    #[test]
    fn a_good_run_meets_its_figures() {
        let mut report = Report::new(&flags(64), measured());
        assert!(report.passed);
        assert_eq!(report.payments_per_second, 5000);
        report.build = "release";
        insta::assert_snapshot!(report.text(Look::PLAIN), @r"
        5,000 payments/s  50000 payments in 10 s over 64 connections, create and confirm, release build, synchronous=FULL
        latency  p50 7.1 ms  p90 11.0 ms  p99 14.2 ms  max 40.0 ms

        program        ready  idle     after load  cpu/payment  stored/payment
        merchant       40 ms  10.7 MB  21.4 MB     100 us       1,000 B
        gateway        40 ms  14.6 MB  29.2 MB     100 us       1,000 B
        processor-sim  40 ms  11.7 MB  23.4 MB     100 us       1,000 B

        P1  durable payments/s at 64 connections       >= 4,000                   5,000                            met
        P3  p99 at 64 connections                      <= 2.5 x p50 and <= 20 ms  14.2 ms (p50 7.1 ms)             met
        P3  p50 at one connection                      <= 3 ms                    1.9 ms                           met
        P5  all three programs ready                   <= 100 ms                  48 ms                            met
        P6  resident memory idle / after load          <= 45 / 90 MB              37.1 MB / 74.2 MB                met
        P7  processor time per payment                 <= 500 us                  300 us                           met
        P8  stored bytes per payment, with its events  -                          3,000                            -
        P9  webhooks delivered within 1 s of the end   100 %                      150,000 of 150,000 after 320 ms  met
        ");
    }

    #[test]
    fn a_figure_that_was_not_met_is_printed_as_not_met() {
        let mut bad = measured();
        bad.payments = 30_000;
        bad.latency.p99 = 30_000;
        bad.problem_count = 2;
        bad.problems = vec!["the payment is `processing` instead of `captured`".into()];
        let report = Report::new(&flags(64), bad);
        assert!(!report.passed);
        let text = report.text(Look::PLAIN);
        assert_eq!(text.matches("NOT MET").count(), 2, "{text}");
        assert!(text.contains("trouble: 2 payments were not captured"), "{text}");
    }

    #[test]
    fn figures_for_64_connections_are_not_judged_at_another_load() {
        let report = Report::new(&flags(8), measured());
        let unjudged = report.figures.iter().filter(|figure| figure.met.is_none()).count();
        assert_eq!(unjudged, 3);
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(millis(7149), "7.1 ms");
    }
}
