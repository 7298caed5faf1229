//! What is due: payments to make or read, refunds to send, old notifications to forget.

use std::time::Duration;

use futures_util::StreamExt;
use kit::activity::NextDue;

use crate::store::due::Due;

use super::{Context, Trouble, refresh, refund, subscriptions};

/// Calls to the gateway at a time.
const CALLS_AT_ONCE: usize = 8;
/// How long to wait after something inside failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// How often old notifications are looked for.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// Does all that is due; says when to be called again.
pub async fn work_due(context: &Context) -> NextDue {
    match step(context).await {
        Ok(next) => next,
        Err(trouble) => {
            tracing::error!(%trouble, "what is due was not done");
            NextDue::from(Some(context.clock.now().plus(AFTER_TROUBLE)))
        }
    }
}

async fn step(context: &Context) -> Result<NextDue, Trouble> {
    loop {
        Box::pin(subscriptions::work(context)).await?;
        let due = context.store.due(context.clock.now()).await?;
        if due.is_empty() {
            let work = context.store.next_due_at().await?;
            // Months recur for ever: nobody who waits for rest waits for them.
            let calendar = context.store.next_subscription_due().await?;
            return Ok(NextDue { work, calendar, unseen: None });
        }
        let done: Vec<Result<(), Trouble>> = futures_util::stream::iter(due)
            .map(|due| work(context, due))
            .buffer_unordered(CALLS_AT_ONCE)
            .collect()
            .await;
        for result in done {
            result?;
        }
    }
}

async fn work(context: &Context, due: Due) -> Result<(), Trouble> {
    match due {
        Due::Payment { order, number } => refresh::refresh(context, order, number).await.map(drop),
        Due::Refund { order, number } => refund::send(context, order, number).await,
    }
}

/// Forgets notifications that are older than the house rules say; says when to look again.
pub async fn forget_old(context: &Context) -> NextDue {
    let now = context.clock.now();
    let before = now.minus(context.rules.inbox_lives);
    let more = context.store.forget_inbox(before).await.unwrap_or_else(|error| {
        tracing::error!(%error, "old notifications were not forgotten");
        false
    });
    NextDue::unseen(if more { now } else { now.plus(FORGET_EVERY) })
}
