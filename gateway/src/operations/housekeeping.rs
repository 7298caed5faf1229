//! Forgetting what is kept for a time only.

use std::time::Duration;

use kit::activity::NextDue;

use super::Context;
use super::failure::Failure;
use crate::store::idempotency;

/// Rows forgotten in one transaction.
const ROWS: u32 = 500;

/// How often this looks.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// Forgets answers older than they are kept.
pub async fn step(context: &Context) -> NextDue {
    let kept = context.settings.timers.idempotency_kept;
    loop {
        let now = context.plumbing.clock.now();
        let more = context
            .database
            .write(move |connection| -> Result<bool, Failure> {
                Ok(idempotency::prune(connection, now, kept, ROWS)?)
            })
            .await;
        match more {
            Ok(true) => {}
            Ok(false) => return NextDue::calendar(Some(now.plus(EVERY))),
            Err(failure) => {
                tracing::error!(%failure, "old answers were not forgotten");
                return NextDue::calendar(Some(now.plus(EVERY)));
            }
        }
    }
}
