//! Clearing and settlement, moved on by the calendar: files, batches, payouts, cases, notices.

mod files;
mod notify;
mod reports;
mod taken;

use kit::activity::NextDue;
use kit::sqlite::DatabaseError;
use wire::time::Timestamp;

use super::{Context, disputes};
use wire::calendar::BusinessDay;

pub use files::{receive_at_issuer, receive_at_network};
pub(crate) use notify::case_of;
pub use notify::dispute_notice;
pub use reports::report_of;

/// Rounds of one step at most: a jump of the clock over years is worked off in several.
const ROUNDS_MAX: usize = 5000;
/// Rounds for one moment.
const AGAIN_MAX: u32 = 16;

/// Does all that is due, in the order in which it became due. Returns when something is again.
pub async fn step(context: Context) -> NextDue {
    let look = context.clearing.look();
    if let Err(error) = work_off(&context).await {
        tracing::error!(%error, "clearing could not go on");
    }
    let due = context.store.next_clearing_due().await.unwrap_or_else(|error| {
        tracing::error!(%error, "clearing could not be read");
        None
    });
    // What is still due was tried just now and failed: it is tried again in a minute.
    let soon = context.clock().now().plus(std::time::Duration::from_mins(1));
    let due = due.map(|due| if due > context.clock().now() { due } else { soon });
    look.sleep_until(due);
    NextDue::calendar(due)
}

async fn work_off(context: &Context) -> Result<(), DatabaseError> {
    let (mut before, mut again) = (None, 0_u32);
    for _ in 0..ROUNDS_MAX {
        let due = context.store.next_clearing_due().await?;
        let Some(due) = due.filter(|due| *due <= context.clock().now()) else { break };
        // One thing leads to another at the same moment; what goes on failing has to wait.
        again = if before == Some(due) { again.saturating_add(1) } else { 0 };
        if again > AGAIN_MAX {
            break;
        }
        before = Some(due);
        round(context, due).await?;
    }
    Ok(())
}

/// Everything that was due at one moment.
async fn round(context: &Context, until: Timestamp) -> Result<(), DatabaseError> {
    let ids = || context.plumbing.ids.clone();
    let store = &context.store;
    store.build_files(until, ids()).await?;
    files::send_due(context, until).await?;
    let corrected = store.correct_records(until, ids()).await?;
    notify::of_records(context, corrected, until).await?;
    let mut returned = store.return_credits(until, ids()).await?;
    if context.planted("tell_nobody_of_returns") {
        returned.clear();
    }
    notify::of_records(context, returned, until).await?;
    disputes::go_on(context, until).await?;
    store.close_batches(until, ids()).await?;
    for batch in store.settle_batches(until).await? {
        reports::publish(context, batch, until).await?;
    }
    notify::deliver(context, until).await
}

/// Ends the business day now: what waits for the cut-off goes into files at once.
pub async fn cut_off(context: &Context) -> Result<(), DatabaseError> {
    let until = BusinessDay::of(context.clock().now()).cut_off();
    let ids = || context.plumbing.ids.clone();
    context.store.build_files(until, ids()).await?;
    files::send_due(context, until).await?;
    context.store.close_batches(until, ids()).await?;
    context.clearing.wake().wake();
    Ok(())
}

/// Settles every closed batch now, whatever day it is.
pub async fn settle(context: &Context) -> Result<usize, DatabaseError> {
    let far = context.clock().now().plus(wire::calendar::days(30));
    let settled = context.store.settle_batches(far).await?;
    let now = context.clock().now();
    for batch in &settled {
        reports::publish(context, *batch, now).await?;
    }
    notify::deliver(context, now).await?;
    context.clearing.wake().wake();
    Ok(settled.len())
}
