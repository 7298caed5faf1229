//! Forgetting what is kept for a time only.

use kit::activity::NextDue;

use super::Context;
use super::failure::Failure;
use crate::domain::caps::day_of;
use crate::store::{caps, conversions, idempotency};

/// Rows forgotten in one transaction.
const ROWS: u32 = 500;

/// Forgets answers older than they are kept, and offers that nobody took.
pub async fn step(context: &Context) -> NextDue {
    let kept = context.settings.timers.idempotency_kept;
    loop {
        let now = context.plumbing.clock.now();
        let pruned = context
            .database
            .write(move |connection| -> Result<_, Failure> {
                let more = idempotency::prune(connection, now, kept, ROWS)?;
                conversions::forget_expired(connection, now.minus(kept))?;
                caps::forget_before(connection, day_of(now))?;
                Ok((more, idempotency::oldest(connection)?))
            })
            .await;
        match pruned {
            Ok((true, _)) => {}
            Ok((false, oldest)) => {
                // The oldest may be an answer that is still owed: then this looks again later.
                let ends = oldest.map_or(now, |oldest| oldest.max(now.minus(kept / 2)));
                return NextDue::calendar(Some(ends.plus(kept)));
            }
            Err(failure) => {
                tracing::error!(%failure, "old answers were not forgotten");
                return NextDue::calendar(Some(now.plus(kept)));
            }
        }
    }
}
