//! A refund: money given back after it was taken.

use wire::codes::DeclineCode;
use wire::ids::{AttemptId, RefundId, ReversalId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::answer::{Answer, Decline, Verdict};
use super::identity::Identity;
use super::reversal::backoff;

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefundState {
    /// Sent, or about to be.
    Authorizing,
    /// Sent, and no answer came.
    Unknown,
    /// Approved, and queued for clearing.
    Queued,
    /// Refused.
    Failed,
    /// Taken back before the cut-off.
    Reversed,
}

impl RefundState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Authorizing, Self::Unknown, Self::Queued, Self::Failed, Self::Reversed];

    /// The word as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorizing => "authorizing",
            Self::Unknown => "unknown",
            Self::Queued => "queued",
            Self::Failed => "failed",
            Self::Reversed => "reversed",
        }
    }

    /// Whether its money is given back, or may be.
    pub const fn holds(self) -> bool {
        match self {
            Self::Authorizing | Self::Unknown | Self::Queued => true,
            Self::Failed | Self::Reversed => false,
        }
    }
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// The attempt whose card gets the money.
    pub attempt: AttemptId,
    /// Which message it is sent as.
    pub identity: Identity,
    /// The name of its reversal, should it be canceled.
    pub reversal_id: ReversalId,
    /// How much.
    pub amount: MinorUnits,
    /// What of a converted payment is given back in the currency of the card.
    pub card_amount: Option<MinorUnits>,
    /// The merchant's reason.
    pub reason: Option<String>,
    /// Where it stands.
    pub state: RefundState,
    /// Why it did not work.
    pub decline: Option<Decline>,
    /// Approval code.
    pub auth_code: Option<String>,
    /// Last four digits of the card that got it in the place of the one that had paid.
    pub moved_to: Option<String>,
    /// Which rule of the world decided.
    pub outcome_source: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// How often its outcome was asked for.
    pub tries: u32,
    /// When its outcome is asked for next; none once it is decided.
    pub due_at: Option<Timestamp>,
    /// The call that waits for the outcome; a number that means nothing here.
    pub caller: Option<i64>,
}

/// A refund as it is asked for.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// Its id.
    pub id: RefundId,
    /// Which message it is sent as.
    pub identity: Identity,
    /// The name of its reversal, should it be canceled.
    pub reversal_id: ReversalId,
    /// All that is left when absent.
    pub amount: Option<MinorUnits>,
    /// The merchant's reason.
    pub reason: Option<String>,
    /// When an unanswered request is asked after.
    pub due_at: Timestamp,
    /// The call that waits for the outcome.
    pub caller: Option<i64>,
}

/// What can happen to a refund.
#[derive(Clone, Debug)]
pub enum RefundEvent {
    /// An answer came: to the request, to a repeat, or by inquiry.
    Answered(Box<Answer>),
    /// The request certainly never reached the far side, or was refused there unread.
    NotSent,
    /// No answer came; asked again after the wait.
    Unanswered {
        /// When the wait begins.
        at: Timestamp,
        /// Drawn part of the jitter, in thousandths.
        jitter_permille: u32,
    },
    /// The merchant takes it back.
    Canceled,
    /// It was posted, and the account turned out closed: the money is here again.
    CameBack,
}

/// What follows from an event of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// Nothing that anybody is told.
    Quiet,
    /// The money is given back.
    Succeeded,
    /// It is not.
    Failed,
    /// It was, and is taken back: a reversal is due.
    Reversed,
    /// It was, and has come back.
    CameBack,
}

/// The event does not fit the state; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the refund is {}", .0.as_str())]
pub struct RefundRefusal(pub RefundState);

impl Refund {
    /// A refund about to be sent.
    pub fn new(new: NewRefund, attempt: AttemptId, amount: MinorUnits) -> Self {
        Self {
            id: new.id,
            attempt,
            identity: new.identity,
            reversal_id: new.reversal_id,
            amount,
            card_amount: None,
            reason: new.reason,
            state: RefundState::Authorizing,
            decline: None,
            auth_code: None,
            moved_to: None,
            outcome_source: None,
            created_at: new.identity.transmission_at,
            tries: 0,
            due_at: Some(new.due_at),
            caller: new.caller,
        }
    }

    /// Takes in what happened; a refusal changes nothing.
    pub fn apply(&mut self, event: &RefundEvent) -> Result<RefundOutcome, RefundRefusal> {
        use RefundEvent::{Answered, CameBack, Canceled, NotSent, Unanswered};
        use RefundState::{Authorizing, Failed, Queued, Reversed, Unknown};
        match (self.state, event) {
            (Authorizing | Unknown, Answered(answer)) => Ok(self.answered(answer)),
            (Authorizing | Unknown, Unanswered { at, jitter_permille }) => {
                self.unanswered(*at, *jitter_permille);
                Ok(RefundOutcome::Quiet)
            }
            (Authorizing, NotSent) => {
                self.state = Failed;
                self.decline = Some(Decline::without_answer(DeclineCode::PROCESSING_ERROR));
                self.due_at = None;
                Ok(RefundOutcome::Failed)
            }
            (Queued, Canceled) => {
                self.state = Reversed;
                Ok(RefundOutcome::Reversed)
            }
            (Queued, CameBack) => {
                self.state = Failed;
                self.decline = Some(Decline::without_answer(DeclineCode::ACCOUNT_CLOSED));
                Ok(RefundOutcome::CameBack)
            }
            // Unknown and not sent: an earlier sending may have arrived.
            (Unknown, NotSent)
            | (Authorizing | Unknown, Canceled | CameBack)
            | (Queued, Answered(_) | NotSent | Unanswered { .. })
            | (
                Failed | Reversed,
                Answered(_) | NotSent | Unanswered { .. } | Canceled | CameBack,
            ) => Err(RefundRefusal(self.state)),
        }
    }

    fn answered(&mut self, answer: &Answer) -> RefundOutcome {
        match answer.verdict(self.amount) {
            Verdict::Approved => {
                self.state = RefundState::Queued;
                self.auth_code.clone_from(&answer.auth_code);
                self.moved_to = answer.moved_to.as_deref().map(last_four);
                self.outcome_source.clone_from(&answer.outcome_source);
                self.due_at = None;
                RefundOutcome::Succeeded
            }
            Verdict::Declined => {
                self.state = RefundState::Failed;
                self.decline = Some(answer.decline());
                self.outcome_source.clone_from(&answer.outcome_source);
                self.due_at = None;
                RefundOutcome::Failed
            }
            // A refund is given in full or not at all: anything else is asked after.
            Verdict::Partial(_) | Verdict::OtherAmount(_) | Verdict::Undecided => {
                self.unanswered(answer.at, 0);
                RefundOutcome::Quiet
            }
        }
    }

    fn unanswered(&mut self, at: Timestamp, jitter_permille: u32) {
        self.state = RefundState::Unknown;
        self.tries = self.tries.saturating_add(1);
        self.due_at = Some(at.plus(backoff(self.tries, jitter_permille)));
    }
}

fn last_four(masked: &str) -> String {
    masked.get(masked.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use wire::codes::ResponseCode;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn refund(state: RefundState) -> Refund {
        let identity = Identity { terminal: 0, stan: 7, transmission_at: AT };
        let amount = MinorUnits::new(1000).unwrap();
        let new = NewRefund {
            id: RefundId::new(AT, [1; 10]),
            identity,
            reversal_id: ReversalId::new(AT, [2; 10]),
            amount: Some(amount),
            reason: None,
            due_at: AT,
            caller: None,
        };
        Refund { state, ..Refund::new(new, AttemptId::new(AT, [3; 10]), amount) }
    }

    fn answer(response_code: ResponseCode) -> RefundEvent {
        RefundEvent::Answered(Box::new(Answer {
            response_code,
            amount: None,
            auth_code: None,
            network_transaction_id: None,
            decline_code: None,
            advice_code: None,
            retry_after: None,
            cvv_result: None,
            avs_result: None,
            cavv_result: None,
            indicator: None,
            over_capture: crate::domain::network_profile::OverCapture::default(),
            par: None,
            moved_to: None,
            outcome_source: None,
            at: AT,
        }))
    }

    #[test]
    fn every_state_takes_every_event_as_written_here() {
        let events = [
            ("approved", answer(ResponseCode::APPROVED)),
            ("declined", answer(ResponseCode::CLOSED_ACCOUNT)),
            ("too late", answer(ResponseCode::RESPONSE_TOO_LATE)),
            ("not sent", RefundEvent::NotSent),
            ("unanswered", RefundEvent::Unanswered { at: AT, jitter_permille: 0 }),
            ("canceled", RefundEvent::Canceled),
            ("came back", RefundEvent::CameBack),
        ];
        let mut grid = String::new();
        for state in RefundState::ALL {
            for (name, event) in &events {
                let mut it = refund(state);
                let before = it.clone();
                let outcome = match it.apply(event) {
                    Ok(outcome) => format!("{} ({outcome:?})", it.state.as_str()),
                    Err(refusal) => {
                        assert_eq!(it, before);
                        format!("refused: {refusal}")
                    }
                };
                let _ = writeln!(grid, "{:11} {name:10} {outcome}", state.as_str());
            }
        }
        insta::assert_snapshot!(grid, @"
        authorizing approved   queued (Succeeded)
        authorizing declined   failed (Failed)
        authorizing too late   unknown (Quiet)
        authorizing not sent   failed (Failed)
        authorizing unanswered unknown (Quiet)
        authorizing canceled   refused: the refund is authorizing
        authorizing came back  refused: the refund is authorizing
        unknown     approved   queued (Succeeded)
        unknown     declined   failed (Failed)
        unknown     too late   unknown (Quiet)
        unknown     not sent   refused: the refund is unknown
        unknown     unanswered unknown (Quiet)
        unknown     canceled   refused: the refund is unknown
        unknown     came back  refused: the refund is unknown
        queued      approved   refused: the refund is queued
        queued      declined   refused: the refund is queued
        queued      too late   refused: the refund is queued
        queued      not sent   refused: the refund is queued
        queued      unanswered refused: the refund is queued
        queued      canceled   reversed (Reversed)
        queued      came back  failed (CameBack)
        failed      approved   refused: the refund is failed
        failed      declined   refused: the refund is failed
        failed      too late   refused: the refund is failed
        failed      not sent   refused: the refund is failed
        failed      unanswered refused: the refund is failed
        failed      canceled   refused: the refund is failed
        failed      came back  refused: the refund is failed
        reversed    approved   refused: the refund is reversed
        reversed    declined   refused: the refund is reversed
        reversed    too late   refused: the refund is reversed
        reversed    not sent   refused: the refund is reversed
        reversed    unanswered refused: the refund is reversed
        reversed    canceled   refused: the refund is reversed
        reversed    came back  refused: the refund is reversed
        ");
    }
}
