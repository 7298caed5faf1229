//! Before listening: what was under way when the program ended is brought to its end.

use kit::sqlite::DatabaseError;
use wire::codes::ResponseCode;

use super::{Context, processor};
use crate::domain::acquirer_transaction::TransactionEvent;
use crate::domain::answer::Answer;
use crate::store::Conclusion;

/// What recovery found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Requests that were sent and not concluded: answered 68 from now on, and taken back.
    pub interrupted: usize,
    /// Messages that were being sent: due again.
    pub resumed: usize,
}

/// Concludes interrupted requests as unanswered, each with the reversal that is owed for it.
/// Whether a network or a bank had acted, nobody here can know.
pub async fn recover(context: &Context) -> Result<Recovered, DatabaseError> {
    let now = context.clock().now();
    let interrupted = context.store.interrupted_transactions().await?;
    let count = interrupted.len();
    for transaction in interrupted {
        let conclusion = Conclusion {
            id: transaction.id,
            event: TransactionEvent::DeadlinePassed,
            answer: Answer::refusal(ResponseCode::RESPONSE_TOO_LATE),
            obligation: processor::obligation_of(context, &transaction),
            retry: None,
            fee: None,
            at: now,
        };
        // The inner refusal cannot be: only what is still `sent` was read.
        let _ = context.store.conclude_transaction(conclusion).await?;
    }
    let resumed = context.store.resume_obligations(now).await?;
    Ok(Recovered { interrupted: count, resumed })
}
