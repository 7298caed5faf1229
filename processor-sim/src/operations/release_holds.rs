//! Releases holds whose time has come.

use kit::activity::NextDue;

use super::Context;

/// Holds released in one unit of work.
const RELEASE_MAX: i64 = 256;

/// Releases all that is due. Returns when the next hold is: a date of the calendar.
pub async fn step(context: Context) -> NextDue {
    if context.planted("hold_for_ever") {
        return NextDue::calendar(None);
    }
    let look = context.releases.look();
    loop {
        let now = context.clock().now();
        match context.store.release_due_holds(now, RELEASE_MAX).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "holds could not be released");
                break;
            }
        }
    }
    let due = context.store.next_hold_due().await.unwrap_or_else(|error| {
        tracing::error!(%error, "holds could not be read");
        None
    });
    look.sleep_until(due);
    NextDue::calendar(due)
}
