//! Cases: opened by cards and people, answered by merchants, moved on by their clocks.

use kit::sqlite::DatabaseError;
use wire::ids::DisputeId;
use wire::processor_api::Message;
use wire::settlement::{AnswerDispute, DisputeAction, DisputeCase};
use wire::time::Timestamp;

use super::{Context, clearing, translate};
use crate::domain::dispute::{
    Dispute, DisputeEvent, DisputeState, Reason, Story, clock_days, habit, reason_of,
};
use crate::store::{DisputeChange, NewDispute, Planned, StoredDispute};
use wire::calendar::days;

/// Days after which an issuer insists, or takes a case back.
const INSISTS_AFTER: u32 = 1;
const WITHDRAWS_AFTER: u32 = 3;

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DisputeError {
    /// There is no such case.
    #[error("there is no such dispute")]
    Unknown,
    /// Its state does not allow it.
    #[error("a dispute that is {} cannot take this", .0.machine.state.as_str())]
    State(Box<StoredDispute>),
    /// Evidence that is no text.
    #[error("evidence is a text of 1 to 20000 characters")]
    Evidence,
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

const EVIDENCE_CHARACTERS_MAX: usize = 20_000;

/// When the clock of a state ends, and when its story goes on.
fn clocks(stored: &StoredDispute, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    let state = stored.machine.state;
    if state.is_final() {
        return (None, None);
    }
    let clock = clock_days(stored.network, state).map(|count| now.plus(days(count)));
    let answered = stored.evidence.is_some();
    let story = match (stored.story, state) {
        (Story::Withdrawing, _) => Some(stored.opened_at.plus(days(WITHDRAWS_AFTER)).max(now)),
        (Story::Winning | Story::Losing, DisputeState::Represented | DisputeState::Arbitration) => {
            Some(now)
        }
        (Story::Winning | Story::Losing, DisputeState::Inquiry) if answered => Some(now),
        (Story::Losing, DisputeState::PreArbitration) => Some(now),
        (Story::Winning, DisputeState::PreArbitration) if stored.machine.allocation => Some(now),
        (Story::Insisting, DisputeState::Represented) => Some(now.plus(days(INSISTS_AFTER))),
        (Story::Silent | Story::Insisting | Story::Winning | Story::Losing, _) => None,
    };
    let due = story.into_iter().chain(clock).min();
    (clock, due)
}

/// What happens by itself at the due time of a case.
fn by_itself(stored: &StoredDispute, until: Timestamp) -> DisputeEvent {
    let Dispute { state, allocation, .. } = stored.machine;
    let clock_ended = stored.due_by.is_some_and(|due_by| due_by <= until);
    match (state, stored.story) {
        (_, Story::Withdrawing) => DisputeEvent::Withdrawn,
        (DisputeState::Arbitration, Story::Winning) => DisputeEvent::RuledForMerchant,
        (DisputeState::Arbitration, _) => DisputeEvent::RuledForCardholder,
        (_, _) if clock_ended => DisputeEvent::Silence,
        (DisputeState::Inquiry | DisputeState::Represented, Story::Winning) => {
            DisputeEvent::IssuerAccepts
        }
        (DisputeState::PreArbitration, Story::Winning) if allocation => DisputeEvent::IssuerAccepts,
        (DisputeState::PreArbitration, Story::Losing) => DisputeEvent::Accepted,
        (DisputeState::Inquiry | DisputeState::Represented, _) => DisputeEvent::IssuerInsists,
        (_, _) => DisputeEvent::Silence,
    }
}

/// Opens what cards want to dispute, and moves every case on whose time has come.
pub(super) async fn go_on(context: &Context, until: Timestamp) -> Result<(), DatabaseError> {
    for planned in context.store.take_plans(until).await? {
        open_planned(context, &planned, until).await?;
    }
    for stored in context.store.due_disputes(until).await? {
        let mut event = by_itself(&stored, until);
        if event == DisputeEvent::RuledForCardholder && context.planted("rule_for_merchants") {
            event = DisputeEvent::RuledForMerchant;
        }
        let change = DisputeChange { event, evidence: None, at: until };
        let ids = context.plumbing.ids.clone();
        let moved = context.store.move_dispute(stored.dispute_id, change, clocks, ids).await?;
        if let Some(Ok(after)) = moved {
            clearing::dispute_notice(context, &after, until).await?;
        }
    }
    Ok(())
}

async fn open_planned(
    context: &Context,
    planned: &Planned,
    until: Timestamp,
) -> Result<(), DatabaseError> {
    let record = &planned.record;
    let card = record.card_alias.as_deref().and_then(wire::test_cards::by_alias);
    let Some(card) = card else { return Ok(()) };
    let Some(habit) = habit(&card.outcome) else { return Ok(()) };
    let count = i64::try_from(habit.reasons.len()).unwrap_or(1).max(1);
    for code in habit.reasons {
        let Some(reason) = reason_of(card.brand, code) else { continue };
        let amount = (count > 1).then(|| record.amount / count);
        let filing = File {
            arn: record.arn.clone(),
            reason,
            stage: habit.stage,
            amount,
            story: habit.story,
            force: false,
        };
        file(context, filing, until).await?;
    }
    Ok(())
}

/// A case as somebody files it.
#[derive(Clone, Debug)]
pub struct File {
    /// Acquirer reference number.
    pub arn: String,
    /// The network's reason.
    pub reason: &'static Reason,
    /// The first stage.
    pub stage: DisputeState,
    /// All that is left when absent.
    pub amount: Option<i64>,
    /// How it goes on.
    pub story: Story,
    /// Taken although liability has shifted, or too late.
    pub force: bool,
}

/// Files a case. One that is not valid is recorded as rejected.
pub async fn file(
    context: &Context,
    filing: File,
    at: Timestamp,
) -> Result<StoredDispute, DatabaseError> {
    let new = NewDispute {
        id: context.plumbing.ids.with(DisputeId::new),
        arn: filing.arn,
        reason: filing.reason,
        stage: filing.stage,
        amount: filing.amount,
        story: if context.planted("never_withdraw") { Story::Silent } else { filing.story },
        force: filing.force,
        at,
    };
    let ids = context.plumbing.ids.clone();
    let stored = context.store.open_dispute(new, clocks, ids).await?;
    clearing::dispute_notice(context, &stored, at).await?;
    context.clearing.wake().wake();
    Ok(stored)
}

/// A merchant's answer, or what the control plane does in somebody's place.
pub async fn happen(
    context: &Context,
    id: DisputeId,
    event: DisputeEvent,
    evidence: Option<String>,
) -> Result<StoredDispute, DisputeError> {
    let at = context.clock().now();
    let change = DisputeChange { event, evidence, at };
    let ids = context.plumbing.ids.clone();
    let moved = context.store.move_dispute(id, change, clocks, ids).await?;
    match moved.ok_or(DisputeError::Unknown)? {
        Ok(after) => {
            clearing::dispute_notice(context, &after, at).await?;
            context.clearing.wake().wake();
            Ok(after)
        }
        Err(before) => Err(DisputeError::State(Box::new(before))),
    }
}

/// Takes a merchant's answer. The same answer a second time changes nothing.
pub async fn answer(context: &Context, asked: AnswerDispute) -> Result<DisputeCase, DisputeError> {
    let event = match asked.action {
        DisputeAction::Accept => DisputeEvent::Accepted,
        DisputeAction::Answer => DisputeEvent::Answered,
    };
    if event == DisputeEvent::Answered {
        let length = asked.evidence.as_deref().map_or(0, |text| text.chars().count());
        if !(1..=EVIDENCE_CHARACTERS_MAX).contains(&length) {
            return Err(DisputeError::Evidence);
        }
    }
    let evidence = asked.evidence.clone();
    match happen(context, asked.dispute, event, evidence).await {
        Ok(after) => Ok(clearing::case_of(&after)),
        Err(DisputeError::State(before)) if is_repeat(&before, &asked) => {
            Ok(clearing::case_of(&before))
        }
        Err(error) => Err(error),
    }
}

fn is_repeat(before: &StoredDispute, asked: &AnswerDispute) -> bool {
    match asked.action {
        DisputeAction::Accept => before.machine.state == DisputeState::Accepted,
        DisputeAction::Answer => asked.evidence.is_some() && before.evidence == asked.evidence,
    }
}

/// A refund was approved: alerts about its payment are over.
pub async fn refunded(context: &Context, refund: &Message) -> Result<(), DatabaseError> {
    let Some(payment) = translate::payment_bytes(refund) else { return Ok(()) };
    for id in context.store.open_alerts(payment).await? {
        match happen(context, id, DisputeEvent::Refunded, None).await {
            Ok(_)
            | Err(DisputeError::Unknown | DisputeError::State(_) | DisputeError::Evidence) => {}
            Err(DisputeError::Database(error)) => return Err(error),
        }
    }
    Ok(())
}
