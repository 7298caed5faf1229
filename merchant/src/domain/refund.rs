//! Refunds: who asked, who agreed, and what the gateway made of it.

use std::time::Duration;

use wire::ids::RefundId;
use wire::money::MinorUnits;
use wire::time::Timestamp;

/// Longest reason, in characters.
pub const REASON_MAX: usize = 200;

/// Who asked for a refund that was not made here: the gateway's own dashboard.
pub const ELSEWHERE: &str = "gateway";

/// How long to wait before a refund without an answer is sent again.
pub const SEND_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Where a refund stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Above the limit: a second person has to agree.
    AwaitingApproval,
    /// To be sent to the gateway, or sent without an answer yet.
    Sending,
    /// The gateway has it.
    Pending {
        /// The gateway's id.
        id: RefundId,
    },
    /// The money is on its way back.
    Succeeded {
        /// The gateway's id.
        id: RefundId,
    },
    /// It did not work, or came back.
    Failed {
        /// The gateway's id, if it made one.
        id: Option<RefundId>,
        /// Why, in a word.
        code: String,
    },
    /// The second person said no.
    Rejected,
}

/// What can happen to a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The second person agreed.
    Approved {
        /// Who.
        by: String,
    },
    /// The second person said no.
    Rejected {
        /// Who.
        by: String,
    },
    /// The gateway took it.
    Accepted {
        /// The gateway's id.
        id: RefundId,
    },
    /// The issuer took it.
    Succeeded {
        /// The gateway's id.
        id: RefundId,
    },
    /// It did not work, or came back.
    Failed {
        /// The gateway's id.
        id: RefundId,
        /// Why.
        code: String,
    },
    /// The gateway refused to make it.
    Refused {
        /// Why.
        code: String,
    },
}

/// Why a refund is not asked for, or not changed. The texts are for the back office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing was taken, so nothing can be given back.
    #[error("the order is not paid")]
    NotPaid,
    /// More than what is left.
    #[error("the amount is more than what is left to refund")]
    TooMuch,
    /// Zero or less.
    #[error("the amount must be more than zero")]
    Nothing,
    /// No reason was given, or a very long one.
    #[error("give a reason of at most {REASON_MAX} characters")]
    Reason,
    /// A card number stands in the reason.
    #[error("the reason holds what looks like a card number")]
    ReasonIsCardNumber,
    /// The one who asked cannot be the one who agrees.
    #[error("a second person has to approve this refund")]
    SamePerson,
    /// The role does not allow it.
    #[error("your role does not allow this")]
    Role,
    /// Already approved, rejected or sent.
    #[error("this refund is no longer waiting for approval")]
    NotWaiting,
    /// No answer of the gateway can follow here.
    #[error("this refund was not sent")]
    NotSent,
}

/// Giving money back for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// 1 for the first of its order.
    pub number: u32,
    /// Minor units in the order's currency.
    pub amount: MinorUnits,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
    /// Whether a second person has to agree before it is sent.
    pub needs_second_person: bool,
    /// Who agreed or said no, when a second person was needed.
    pub decided_by: Option<String>,
    /// Sent with every try, so that it is made once.
    pub idempotency_key: String,
    /// The form or API key it was asked for with: a double click asks once.
    pub request_key: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Last four digits of the card that got it, where that took the place of the one that had
    /// paid.
    pub moved_to: Option<String>,
    /// When sending is tried next.
    pub send_due_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl State {
    /// The word as it is stored and shown.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Sending => "sending",
            Self::Pending { .. } => "pending",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Rejected => "rejected",
        }
    }

    /// The gateway's id, once it is known.
    pub const fn id(&self) -> Option<RefundId> {
        match self {
            Self::AwaitingApproval | Self::Sending | Self::Rejected => None,
            Self::Pending { id } | Self::Succeeded { id } => Some(*id),
            Self::Failed { id, .. } => *id,
        }
    }

    /// Whether its amount is no longer free for another refund.
    pub const fn reserves(&self) -> bool {
        match self {
            Self::AwaitingApproval
            | Self::Sending
            | Self::Pending { .. }
            | Self::Succeeded { .. } => true,
            Self::Failed { .. } | Self::Rejected => false,
        }
    }
}

impl Refund {
    /// Applies what happened; a refusal changes nothing. True when something changed.
    pub fn apply(&mut self, event: Event) -> Result<bool, Refusal> {
        use {Event as E, State as S};
        let (state, decided_by) = match (&self.state, event) {
            (S::AwaitingApproval, E::Approved { by } | E::Rejected { by })
                if by == self.requested_by =>
            {
                return Err(Refusal::SamePerson);
            }
            (S::AwaitingApproval, E::Approved { by }) => (S::Sending, Some(by)),
            (S::AwaitingApproval, E::Rejected { by }) => (S::Rejected, Some(by)),
            (
                S::Sending
                | S::Pending { .. }
                | S::Succeeded { .. }
                | S::Failed { .. }
                | S::Rejected,
                E::Approved { .. } | E::Rejected { .. },
            ) => return Err(Refusal::NotWaiting),
            (
                S::AwaitingApproval | S::Rejected,
                E::Accepted { .. } | E::Succeeded { .. } | E::Failed { .. } | E::Refused { .. },
            ) => return Err(Refusal::NotSent),
            (S::Sending, E::Accepted { id }) => (S::Pending { id }, None),
            (S::Sending | S::Pending { .. }, E::Succeeded { id }) => (S::Succeeded { id }, None),
            (S::Sending | S::Pending { .. } | S::Succeeded { .. }, E::Failed { id, code }) => {
                (S::Failed { id: Some(id), code }, None)
            }
            (S::Sending, E::Refused { code }) => (S::Failed { id: None, code }, None),
            // An older answer after a newer one.
            (S::Pending { .. } | S::Succeeded { .. } | S::Failed { .. }, E::Accepted { .. })
            | (S::Succeeded { .. } | S::Failed { .. }, E::Succeeded { .. })
            | (S::Failed { .. }, E::Failed { .. })
            | (S::Pending { .. } | S::Succeeded { .. } | S::Failed { .. }, E::Refused { .. }) => {
                return Ok(false);
            }
        };
        self.decided_by = decided_by.or_else(|| self.decided_by.take());
        self.state = state;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn refund(state: State) -> Refund {
        Refund {
            number: 1,
            amount: MinorUnits::new(60_000).unwrap(),
            reason: "broken".into(),
            requested_by: "ada".into(),
            needs_second_person: true,
            decided_by: None,
            idempotency_key: "key".into(),
            request_key: None,
            state,
            moved_to: None,
            send_due_at: None,
            created_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "the whole grid in one piece is the point")]
    fn the_grid_of_states_and_events() {
        let id = RefundId::from_bytes([1; 16]);
        let code = || "declined".to_owned();
        let states = [
            State::AwaitingApproval,
            State::Sending,
            State::Pending { id },
            State::Succeeded { id },
            State::Failed { id: Some(id), code: code() },
            State::Rejected,
        ];
        let events = [
            ("approved by grace", Event::Approved { by: "grace".into() }),
            ("approved by ada", Event::Approved { by: "ada".into() }),
            ("rejected by grace", Event::Rejected { by: "grace".into() }),
            ("accepted", Event::Accepted { id }),
            ("succeeded", Event::Succeeded { id }),
            ("failed", Event::Failed { id, code: code() }),
            ("refused", Event::Refused { code: code() }),
        ];
        let mut grid = String::new();
        for state in &states {
            for (name, event) in &events {
                let mut refund = refund(state.clone());
                let said = match refund.apply(event.clone()) {
                    Ok(true) => refund.state.as_str().to_owned(),
                    Ok(false) => "no change".to_owned(),
                    Err(refusal) => format!("refused: {refusal:?}"),
                };
                let state = state.as_str();
                writeln!(grid, "{state:<17} + {name:<17} = {said}").unwrap();
            }
        }
        insta::assert_snapshot!(grid, @r"
        awaiting_approval + approved by grace = sending
        awaiting_approval + approved by ada   = refused: SamePerson
        awaiting_approval + rejected by grace = rejected
        awaiting_approval + accepted          = refused: NotSent
        awaiting_approval + succeeded         = refused: NotSent
        awaiting_approval + failed            = refused: NotSent
        awaiting_approval + refused           = refused: NotSent
        sending           + approved by grace = refused: NotWaiting
        sending           + approved by ada   = refused: NotWaiting
        sending           + rejected by grace = refused: NotWaiting
        sending           + accepted          = pending
        sending           + succeeded         = succeeded
        sending           + failed            = failed
        sending           + refused           = failed
        pending           + approved by grace = refused: NotWaiting
        pending           + approved by ada   = refused: NotWaiting
        pending           + rejected by grace = refused: NotWaiting
        pending           + accepted          = no change
        pending           + succeeded         = succeeded
        pending           + failed            = failed
        pending           + refused           = no change
        succeeded         + approved by grace = refused: NotWaiting
        succeeded         + approved by ada   = refused: NotWaiting
        succeeded         + rejected by grace = refused: NotWaiting
        succeeded         + accepted          = no change
        succeeded         + succeeded         = no change
        succeeded         + failed            = failed
        succeeded         + refused           = no change
        failed            + approved by grace = refused: NotWaiting
        failed            + approved by ada   = refused: NotWaiting
        failed            + rejected by grace = refused: NotWaiting
        failed            + accepted          = no change
        failed            + succeeded         = no change
        failed            + failed            = no change
        failed            + refused           = no change
        rejected          + approved by grace = refused: NotWaiting
        rejected          + approved by ada   = refused: NotWaiting
        rejected          + rejected by grace = refused: NotWaiting
        rejected          + accepted          = refused: NotSent
        rejected          + succeeded         = refused: NotSent
        rejected          + failed            = refused: NotSent
        rejected          + refused           = refused: NotSent
        ");
    }
}
