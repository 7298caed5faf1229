//! The rules that must hold, checked over everything that is stored.

use std::time::Duration;

use kit::sqlite::DatabaseError;
use wire::money::{Currency, MinorUnits};

use super::{Context, processor};
use crate::domain::obligation::AGE_MAX;
use crate::store::{InvariantLimits, OverCapture};

/// The rules that this program can see: I1 to I9, I11, I12, I15, I16.
pub const CHECKED: u32 = 13;

/// How much longer than its deadline a request may be without an end.
const GRACE: Duration = Duration::from_mins(1);

/// The offenders of every rule, a sentence each.
pub async fn violations(context: &Context) -> Result<Vec<String>, DatabaseError> {
    let now = context.clock().now();
    let limits = InvariantLimits {
        sent_before: now.minus(context.timers.processor.saturating_add(GRACE)),
        // The last try may begin just before the greatest age and wait for an hour.
        owed_since: now.minus(AGE_MAX.saturating_add(Duration::from_hours(2))),
    };
    let (mut violations, captures) = context.store.offenders(limits).await?;
    violations.extend(captures.iter().filter_map(|capture| judge(context, capture)));
    if let Err(error) = context.timers.check() {
        violations.push(format!("I16 deadlines nest: {error}"));
    }
    Ok(violations)
}

fn judge(context: &Context, capture: &OverCapture) -> Option<String> {
    let (Ok(left), Ok(currency)) =
        (MinorUnits::new(capture.remaining), Currency::parse(&capture.currency))
    else {
        return Some(format!("I4 transaction {} makes no sense", capture.transaction));
    };
    let over_capture = processor::tolerance_of(
        context,
        capture.network.as_deref(),
        capture.category.as_deref(),
        capture.card_alias.as_deref(),
        currency,
    );
    let allowed = over_capture.cap(left).get();
    (capture.captured > allowed).then(|| {
        format!(
            "I4 captures stay within the authorization: transaction {}: {} of {}",
            capture.transaction, capture.captured, allowed
        )
    })
}
