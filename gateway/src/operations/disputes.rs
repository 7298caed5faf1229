//! Disputes: look, give in, answer with evidence.

use kit::facts::TraceId;
use rusqlite::Connection;
use wire::card::contains_card_number;
use wire::gateway_api::Page;
use wire::ids::{DisputeId, MerchantId, PaymentId};
use wire::settlement::{AnswerDispute, DisputeAction, DisputeCase, DisputeView};

use super::announce::Occasion;
use super::failure::Failure;
use super::{Context, notices};
use crate::processor::Outcome;
use crate::store::cases;

/// Longest evidence.
const EVIDENCE_CHARACTERS_MAX: usize = 20_000;
/// Disputes of a list.
const LIST_MAX: u32 = 100;

async fn case(
    context: &Context,
    merchant: MerchantId,
    id: DisputeId,
) -> Result<DisputeCase, Failure> {
    let load = move |connection: &Connection| -> Result<_, Failure> {
        cases::find(connection, &merchant, &id)?.ok_or(Failure::DisputeNotFound)
    };
    context.database.read(load).await
}

/// One dispute of a merchant.
pub async fn read(
    context: &Context,
    merchant: MerchantId,
    id: DisputeId,
) -> Result<DisputeView, Failure> {
    Ok(DisputeView::from(&case(context, merchant, id).await?))
}

/// A merchant's disputes, newest first; of one payment, or all.
pub async fn list(
    context: &Context,
    merchant: MerchantId,
    payment: Option<PaymentId>,
) -> Result<Page<DisputeView>, Failure> {
    let load = move |connection: &Connection| -> Result<_, Failure> {
        Ok(cases::list(connection, &merchant, payment, LIST_MAX)?)
    };
    let found = context.database.read(load).await?;
    Ok(Page { data: found.iter().map(DisputeView::from).collect(), has_more: false })
}

/// Whether a text can be sent as evidence.
pub fn check_evidence(text: &str) -> Result<(), Failure> {
    if !(1..=EVIDENCE_CHARACTERS_MAX).contains(&text.trim().chars().count()) {
        let detail = format!("evidence is a text of 1 to {EVIDENCE_CHARACTERS_MAX} characters");
        return Err(Failure::invalid("field_invalid", "evidence", detail));
    }
    if contains_card_number(text) {
        let detail = "evidence may not hold what may be a card number";
        return Err(Failure::invalid("card_number_not_allowed_here", "evidence", detail));
    }
    Ok(())
}

/// Gives in, or answers with evidence. The same answer a second time changes nothing.
pub async fn answer(
    context: &Context,
    merchant: MerchantId,
    id: DisputeId,
    evidence: Option<String>,
    trace: TraceId,
) -> Result<DisputeView, Failure> {
    evidence.as_deref().map_or(Ok(()), check_evidence)?;
    case(context, merchant, id).await?;
    let evidence = evidence.filter(|_| !context.planted("give_in_instead_of_answering"));
    let action = if evidence.is_some() { DisputeAction::Answer } else { DisputeAction::Accept };
    let asked = AnswerDispute { dispute: id, action, evidence };
    let case = match context.processor.answer_dispute(&asked, trace).await {
        Outcome::Answered(Ok(case)) => case,
        Outcome::Answered(Err(detail)) => return Err(Failure::DisputeRefused(detail)),
        Outcome::NotSent | Outcome::Unanswered => return Err(Failure::ProcessorSilent),
    };
    let view = DisputeView::from(&case);
    let at = context.plumbing.clock.now();
    let inner = context.clone();
    context
        .database
        .write(move |connection| {
            notices::take_case(&inner, connection, &case, Occasion { trace, at })
        })
        .await?;
    context.notifier.wake();
    Ok(view)
}
