//! Disputes: look at them, give in, answer with evidence.

use wire::ids::DisputeId;
use wire::settlement::DisputeView;

use super::settlements::trouble;
use super::{Context, Trouble};
use crate::domain::operator::Actor;
use crate::gateway::Failure;
use crate::store::audit::Entry;

/// Longest evidence that is taken.
pub const EVIDENCE_CHARACTERS_MAX: usize = 20_000;

/// The newest disputes.
pub async fn list(context: &Context) -> Result<Vec<DisputeView>, Trouble> {
    context.gateway.disputes().await.map_err(trouble)
}

/// One dispute.
pub async fn read(context: &Context, id: DisputeId) -> Result<DisputeView, Trouble> {
    context.gateway.dispute(id).await.map_err(trouble)
}

/// What became of an answer.
#[derive(Debug)]
pub enum Answered {
    /// Taken.
    Taken,
    /// Refused, with words for people.
    Refused(String),
}

/// Answers with evidence, or gives in without any. Written into the audit log when it was taken.
pub async fn answer(
    context: &Context,
    id: DisputeId,
    evidence: Option<String>,
    actor: &Actor,
    key: &str,
) -> Result<Answered, Trouble> {
    let length = evidence.as_deref().map_or(1, |text| text.trim().chars().count());
    if !(1..=EVIDENCE_CHARACTERS_MAX).contains(&length) {
        return Ok(Answered::Refused("Write what speaks for the payment".to_owned()));
    }
    let action = if evidence.is_some() { "dispute answered" } else { "dispute accepted" };
    let view = match context.gateway.answer_dispute(id, evidence, key).await {
        Ok(view) => view,
        Err(Failure::Refused { status: 409 | 422, detail, .. }) => {
            return Ok(Answered::Refused(detail));
        }
        Err(failure) => return Err(trouble(failure)),
    };
    let entry = Entry {
        actor: actor.name.clone(),
        action,
        subject: id.to_string(),
        detail: view.status.clone(),
    };
    context.store.record_action(entry, context.clock.now()).await?;
    Ok(Answered::Taken)
}
