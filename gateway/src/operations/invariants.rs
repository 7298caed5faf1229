//! Checking the rules of the trade that this program can see.

use std::time::Duration;

use kit::http::InvariantReport;

use super::Context;
use super::failure::Failure;
use crate::store::invariants::{RULES, breaches};

/// The deadlines on either side of ours: the processor's, and the merchant's for us.
const PROCESSOR_DEADLINE: Duration = Duration::from_secs(12);
const MERCHANT_DEADLINE: Duration = Duration::from_secs(30);

/// Slack over the sum of all deadlines, for a program that was down for a while.
const HORIZON_SLACK: Duration = Duration::from_mins(10);

/// Checks every rule over all rows, and that our deadline lies between those beside it.
pub async fn check(context: &Context) -> InvariantReport {
    let timers = context.settings.timers;
    let horizon = timers
        .processor_deadline
        .saturating_mul(2)
        .saturating_add(timers.inquiry_after)
        .saturating_add(timers.resolve_limit.saturating_mul(2))
        .saturating_add(HORIZON_SLACK);
    let now = context.plumbing.clock.now();
    let look = move |connection: &rusqlite::Connection| -> Result<_, Failure> {
        let mut violations = Vec::new();
        for rule in RULES {
            for found in breaches(connection, rule, now, horizon)? {
                violations.push(format!("{}: {} ({found})", rule.id, rule.text));
            }
        }
        Ok(violations)
    };
    let mut violations = match context.database.read(look).await {
        Ok(violations) => violations,
        Err(failure) => vec![format!("the rules could not be checked: {failure}")],
    };
    let deadline = timers.processor_deadline;
    if deadline <= PROCESSOR_DEADLINE || deadline >= MERCHANT_DEADLINE {
        violations.push("I16: our deadline does not lie between those beside it".to_owned());
    }
    let checked = u32::try_from(RULES.len()).unwrap_or(u32::MAX).saturating_add(1);
    InvariantReport::new(checked, violations)
}
