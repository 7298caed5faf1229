//! Alerts: rules as data, on the clock of the world, with the fault that may explain them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use wire::time::Timestamp;

use super::Console;
use super::figures::{self, Figures, WINDOWS, Window};
use crate::failure::Outcome;

/// The rules, part of the binary; a test reads them.
const RULES: &str = include_str!("alerts.toml");
/// How old an evaluation may be before another page asks for a new one.
const KEPT: Duration = Duration::from_secs(2);

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub name: String,
    pub metric: String,
    pub window: String,
    pub above: Option<u64>,
    pub below: Option<u64>,
    pub clear_at: u64,
    pub minimum_samples: u64,
    #[serde(default)]
    pub hold_for_seconds: u64,
    pub severity: String,
}

#[derive(Deserialize)]
struct RuleFile {
    alert: Vec<Rule>,
}

/// The rules of this console.
pub(super) fn rules() -> Vec<Rule> {
    toml::from_str::<RuleFile>(RULES).map(|file| file.alert).unwrap_or_default()
}

/// An alert that has fired and not cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Firing {
    pub name: String,
    pub severity: String,
    pub words: String,
    pub since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    since: Timestamp,
    fired: bool,
}

/// What is known about the rules so far.
#[derive(Default)]
pub(super) struct Alerts(Mutex<Known>);

#[derive(Default)]
struct Known {
    standing: BTreeMap<String, Standing>,
    firing: Arc<Vec<Firing>>,
    age: Option<kit::clock::Stopwatch>,
}

/// The figure that a rule looks at, and on how many it rests.
fn measured(
    metric: &str,
    at: &BTreeMap<&str, &Figures>,
    window: &str,
    broken: u64,
) -> Option<(u64, u64)> {
    let figures = at.get(window)?;
    let worst = |value: fn(&figures::LinkRow) -> Option<(u64, u64)>| {
        figures.links.iter().filter_map(value).max().unwrap_or((0, 0))
    };
    Some(match metric {
        "success_rate" => (figures.success.per_mille()?, figures.success.whole),
        "decline_spike" => {
            let hour = at.get("1h")?;
            let declined = |figures: &Figures| {
                let rate = figures.authorization;
                rate.whole.saturating_sub(rate.part).saturating_mul(1000).checked_div(rate.whole)
            };
            let now = declined(figures)?.saturating_mul(1000);
            (now.checked_div(declined(hour)?)?, figures.declined)
        }
        "worst_error_rate" => worst(|row| {
            // Too few messages say nothing about a link.
            Some((row.errors.per_mille()?, row.errors.whole)).filter(|(_, whole)| *whole >= 20)
        }),
        "worst_p95" => worst(|row| {
            let count = u64::try_from(row.times.count).ok()?;
            Some((row.times.p95, count)).filter(|_| !row.times.few())
        }),
        "unknown_age" => (figures.unknown_oldest_seconds, figures.unknown_open),
        "webhook_lag_p95" => {
            (figures.webhook_lag.p95, u64::try_from(figures.webhook_lag.count).unwrap_or(0))
        }
        "reversals" => (figures.reversals.per_mille()?, figures.reversals.part),
        "refused_signatures" => (figures.refused, figures.refused),
        "replays" => (figures.replayed, figures.replayed),
        "cards_slowed" => (figures.slowed, figures.slowed),
        "violations" => (broken, broken),
        _ => return None,
    })
}

impl Known {
    /// Judges every rule anew.
    fn judge(
        &mut self,
        rules: &[Rule],
        at: &BTreeMap<&str, &Figures>,
        broken: u64,
        now: Timestamp,
    ) {
        let mut firing = Vec::new();
        for rule in rules {
            let measured = measured(&rule.metric, at, &rule.window, broken);
            let (value, samples) = measured.unwrap_or((0, 0));
            let before = self.standing.get(&rule.name).copied();
            let fired = before.is_some_and(|standing| standing.fired);
            let enough = measured.is_some() && samples >= rule.minimum_samples;
            let beyond = |limit: Option<u64>, low: Option<u64>| {
                limit.is_some_and(|limit| value > limit) || low.is_some_and(|low| value < low)
            };
            let bad = if fired {
                beyond(rule.above.map(|_| rule.clear_at), rule.below.map(|_| rule.clear_at))
            } else {
                beyond(rule.above, rule.below)
            };
            if !(enough && bad) {
                self.standing.remove(&rule.name);
                continue;
            }
            let since = before.map_or(now, |standing| standing.since);
            let fired = fired || now.since(since).as_secs() >= rule.hold_for_seconds;
            self.standing.insert(rule.name.clone(), Standing { since, fired });
            if fired {
                let injected = at.get(rule.window.as_str()).is_some_and(|it| it.injected);
                firing.push(Firing {
                    name: rule.name.clone(),
                    severity: rule.severity.clone(),
                    words: words(rule, value, injected),
                    since,
                });
            }
        }
        self.firing = Arc::new(firing);
    }
}

fn words(rule: &Rule, value: u64, injected: bool) -> String {
    let shown = match rule.metric.as_str() {
        "success_rate" | "worst_error_rate" | "reversals" => {
            format!("{}.{} %", value / 10, value % 10)
        }
        "decline_spike" => format!("{}.{} times the usual", value / 1000, value % 1000 / 100),
        "worst_p95" | "webhook_lag_p95" => format!("{value} ms"),
        "unknown_age" => format!("for {value} s"),
        _ => value.to_string(),
    };
    let window =
        if rule.window == "all" { String::new() } else { format!(" within {}", rule.window) };
    let why = if injected { "; a fault that was armed had a hand in it" } else { "" };
    format!("{shown}{window}{why}")
}

/// Judges the rules now, from a fresh look.
pub(super) async fn evaluate(console: &Console) -> Outcome<Arc<Vec<Firing>>> {
    let figures = figures::look(console, &WINDOWS).await?;
    let names = WINDOWS.iter().map(|Window { name, .. }| *name);
    let at: BTreeMap<&str, &Figures> = names.zip(&figures).collect();
    let count = |findings: Arc<crate::commands::Findings>| -> usize {
        findings.programs.values().map(|report| report.violations.len()).sum()
    };
    let broken = console.invariants().await.map_or(0, count);
    let broken = u64::try_from(broken).unwrap_or(u64::MAX);
    let now = console.client.now().await?;
    let mut known = console.alerts.0.lock().unwrap_or_else(PoisonError::into_inner);
    known.judge(&rules(), &at, broken, now);
    known.age = Some(console.access.plumbing.clock.stopwatch());
    Ok(known.firing.clone())
}

/// What is known to fire; looks again in the background when that is old.
pub(super) fn firing(console: &Data<Console>) -> Vec<Firing> {
    let (firing, old) = {
        let mut known = console.alerts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = known.age.as_ref().is_none_or(|age| age.elapsed() >= KEPT);
        if old {
            // One look at a time.
            known.age = Some(console.access.plumbing.clock.stopwatch());
        }
        (known.firing.clone(), old)
    };
    if old {
        let console = console.clone();
        actix_web::rt::spawn(async move {
            let before = firing_now(&console);
            if evaluate(&console).await.is_ok_and(|now| now != before) {
                console.live.changed();
            }
        });
    }
    firing.to_vec()
}

fn firing_now(console: &Console) -> Arc<Vec<Firing>> {
    console.alerts.0.lock().unwrap_or_else(PoisonError::into_inner).firing.clone()
}

#[cfg(test)]
mod tests {
    use super::super::figures::Rate;
    use super::*;

    fn judged(known: &mut Known, figures: &Figures, seconds: i64) -> Vec<String> {
        let at = WINDOWS.iter().map(|window| (window.name, figures)).collect();
        known.judge(&rules(), &at, 0, Timestamp::from_seconds(seconds));
        known.firing.iter().map(|firing| firing.name.clone()).collect()
    }

    #[test]
    fn every_rule_names_a_figure_and_a_window_that_exist() {
        let rules = rules();
        assert!(rules.len() >= 10);
        let full = Figures {
            success: Rate { part: 1, whole: 1 },
            authorization: Rate { part: 0, whole: 1 },
            reversals: Rate { part: 1, whole: 1 },
            ..Figures::default()
        };
        let at: BTreeMap<&str, &Figures> =
            WINDOWS.iter().map(|window| (window.name, &full)).collect();
        for rule in rules {
            assert!(Window::named(&rule.window).is_some(), "{}", rule.name);
            assert!(measured(&rule.metric, &at, &rule.window, 0).is_some(), "{}", rule.name);
            assert!(rule.above.is_some() != rule.below.is_some(), "{}", rule.name);
        }
    }

    #[test]
    fn an_alert_needs_enough_samples_and_clears_at_its_own_threshold() {
        let rate = |part, whole| Figures { success: Rate { part, whole }, ..Figures::default() };
        let mut known = Known::default();
        assert!(judged(&mut known, &rate(0, 19), 1).is_empty(), "too few to say anything");
        assert_eq!(judged(&mut known, &rate(79, 100), 2), ["Success rate low"]);
        assert_eq!(judged(&mut known, &rate(82, 100), 3), ["Success rate low"], "not yet well");
        assert!(judged(&mut known, &rate(85, 100), 4).is_empty());
        assert!(judged(&mut known, &rate(82, 100), 5).is_empty(), "82 % alone is no reason");
        assert_eq!(
            judged(&mut known, &rate(40, 100), 6),
            ["Success rate low", "Success rate very low"]
        );
    }

    #[test]
    fn an_alert_that_must_hold_waits_on_the_clock_of_the_world() {
        let mut rule = rules().remove(0);
        rule.hold_for_seconds = 60;
        let bad = Figures { success: Rate { part: 0, whole: 50 }, ..Figures::default() };
        let at: BTreeMap<&str, &Figures> =
            WINDOWS.iter().map(|window| (window.name, &bad)).collect();
        let mut known = Known::default();
        for (seconds, fires) in [(0, false), (59, false), (60, true)] {
            known.judge(std::slice::from_ref(&rule), &at, 0, Timestamp::from_seconds(seconds));
            assert_eq!(!known.firing.is_empty(), fires, "after {seconds} s");
        }
    }
}
