//! The processor's view of one authorization or refund.

use wire::codes::ResponseCode;
use wire::money::MinorUnits;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// A reversal came before the request: nothing was and nothing will be sent.
    Tombstone,
    /// Sent to the network, which has not answered.
    Sent,
    /// Answered: approved or declined.
    Answered,
    /// No answer in time: a reversal is owed.
    Unanswered,
    /// Taken back, acknowledged by the network.
    Reversed,
}

impl TransactionState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Tombstone, Self::Sent, Self::Answered, Self::Unanswered, Self::Reversed];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
            Self::Reversed => "reversed",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// The network answered.
    Answered {
        /// Field 39.
        code: ResponseCode,
        /// Field 4 of the answer.
        amount: MinorUnits,
    },
    /// The processor's own deadline passed.
    DeadlinePassed,
    /// An increment was approved.
    Raised(MinorUnits),
    /// An increment was taken back.
    Lowered(MinorUnits),
    /// A reversal was acknowledged; this amount remains, `None`: nothing.
    ReversalAcked(Option<MinorUnits>),
}

/// The event changes nothing: it came late, twice, or speaks of something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state of the transaction")]
pub struct TransactionRefusal;

/// One authorization or refund at the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquirerTransaction {
    /// Where it stands.
    pub state: TransactionState,
    /// What the gateway was answered, or will be.
    pub code: Option<ResponseCode>,
    /// What the issuer approved.
    pub authorized: MinorUnits,
    /// What reversals have left of it.
    pub remaining: MinorUnits,
    /// What increments have added.
    pub raised: MinorUnits,
}

impl AcquirerTransaction {
    /// Recorded, about to be sent.
    pub const fn sent() -> Self {
        Self {
            state: TransactionState::Sent,
            code: None,
            authorized: MinorUnits::ZERO,
            remaining: MinorUnits::ZERO,
            raised: MinorUnits::ZERO,
        }
    }

    /// What captures may take, without tolerance.
    pub fn left(&self) -> MinorUnits {
        self.remaining.checked_add(self.raised).unwrap_or(MinorUnits::MAX)
    }

    /// Leaves this much: what increments added goes first.
    fn leave(&mut self, left: MinorUnits) {
        self.remaining = left.min(self.remaining);
        self.raised = left.checked_sub(self.remaining).unwrap_or_default().min(self.raised);
    }

    /// Applies one event. A refusal changes nothing.
    pub fn apply(&mut self, event: TransactionEvent) -> Result<(), TransactionRefusal> {
        use TransactionEvent as Event;
        use TransactionState as State;
        match (self.state, event) {
            (State::Sent, Event::Answered { code, amount }) => {
                self.state = State::Answered;
                self.code = Some(code);
                if code.approves() {
                    (self.authorized, self.remaining) = (amount, amount);
                }
            }
            (State::Sent, Event::DeadlinePassed) => {
                self.state = State::Unanswered;
                self.code = Some(ResponseCode::RESPONSE_TOO_LATE);
            }
            (State::Answered, Event::ReversalAcked(Some(remaining))) => {
                self.leave(remaining);
            }
            (State::Answered, Event::Raised(more)) if self.is_approved() => {
                self.raised = self.raised.checked_add(more).ok_or(TransactionRefusal)?;
            }
            (State::Answered, Event::Lowered(less)) if self.is_approved() => {
                self.leave(self.left().checked_sub(less).unwrap_or_default());
            }
            (State::Answered, Event::ReversalAcked(None)) if self.is_approved() => self.reverse(),
            (State::Sent | State::Unanswered, Event::ReversalAcked(_)) => self.reverse(),
            (State::Answered | State::Reversed | State::Tombstone, Event::ReversalAcked(_)) => {}
            (
                State::Tombstone | State::Answered | State::Unanswered | State::Reversed,
                Event::Answered { .. } | Event::DeadlinePassed,
            )
            | (_, Event::Raised(_) | Event::Lowered(_)) => return Err(TransactionRefusal),
        }
        Ok(())
    }

    fn reverse(&mut self) {
        self.state = TransactionState::Reversed;
        self.code = self.code.or(Some(ResponseCode::ALREADY_CLEARED));
        self.leave(MinorUnits::ZERO);
    }

    /// Whether the issuer said yes, whatever became of it later.
    pub fn is_approved(&self) -> bool {
        self.code.is_some_and(ResponseCode::approves)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn amount(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    fn in_state(state: TransactionState) -> AcquirerTransaction {
        let (code, authorized) = match state {
            TransactionState::Sent | TransactionState::Tombstone => (None, 0),
            TransactionState::Answered | TransactionState::Reversed => {
                (Some(ResponseCode::APPROVED), 100)
            }
            TransactionState::Unanswered => (Some(ResponseCode::RESPONSE_TOO_LATE), 0),
        };
        let authorized = amount(authorized);
        let remaining =
            if state == TransactionState::Reversed { MinorUnits::ZERO } else { authorized };
        AcquirerTransaction { state, code, authorized, remaining, raised: MinorUnits::ZERO }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "the grid is one table")]
    fn every_state_meets_every_event() {
        let answered = |code| TransactionEvent::Answered { code, amount: amount(100) };
        let events = [
            ("approved 100", answered(ResponseCode::APPROVED)),
            ("declined", answered(ResponseCode::INSUFFICIENT_FUNDS)),
            ("deadline passed", TransactionEvent::DeadlinePassed),
            ("raised by 50", TransactionEvent::Raised(amount(50))),
            ("lowered by 20", TransactionEvent::Lowered(amount(20))),
            ("reversal acked", TransactionEvent::ReversalAcked(None)),
            ("reversal acked to 30", TransactionEvent::ReversalAcked(Some(amount(30)))),
        ];
        let mut grid = String::new();
        for state in TransactionState::ALL {
            grid.push_str(state.as_str());
            grid.push('\n');
            for (name, event) in events {
                let mut transaction = in_state(state);
                let before = transaction;
                let line = if transaction.apply(event).is_ok() {
                    format!(
                        "-> {} code {} left {}",
                        transaction.state.as_str(),
                        transaction.code.map_or("--".to_owned(), |code| code.as_str().to_owned()),
                        transaction.left()
                    )
                } else {
                    assert_eq!(transaction, before);
                    "refused".into()
                };
                writeln!(grid, "  {name:<22} {line}").unwrap();
            }
        }
        insta::assert_snapshot!(grid, @"
        tombstone
          approved 100           refused
          declined               refused
          deadline passed        refused
          raised by 50           refused
          lowered by 20          refused
          reversal acked         -> tombstone code -- left 0
          reversal acked to 30   -> tombstone code -- left 0
        sent
          approved 100           -> answered code 00 left 100
          declined               -> answered code 51 left 0
          deadline passed        -> unanswered code 68 left 0
          raised by 50           refused
          lowered by 20          refused
          reversal acked         -> reversed code 21 left 0
          reversal acked to 30   -> reversed code 21 left 0
        answered
          approved 100           refused
          declined               refused
          deadline passed        refused
          raised by 50           -> answered code 00 left 150
          lowered by 20          -> answered code 00 left 80
          reversal acked         -> reversed code 00 left 0
          reversal acked to 30   -> answered code 00 left 30
        unanswered
          approved 100           refused
          declined               refused
          deadline passed        refused
          raised by 50           refused
          lowered by 20          refused
          reversal acked         -> reversed code 68 left 0
          reversal acked to 30   -> reversed code 68 left 0
        reversed
          approved 100           refused
          declined               refused
          deadline passed        refused
          raised by 50           refused
          lowered by 20          refused
          reversal acked         -> reversed code 00 left 0
          reversal acked to 30   -> reversed code 00 left 0
        ");
    }

    #[test]
    fn what_increments_added_is_given_back_first() {
        let mut transaction = in_state(TransactionState::Answered);
        transaction.apply(TransactionEvent::Raised(amount(50))).unwrap();
        transaction.apply(TransactionEvent::Raised(amount(30))).unwrap();
        assert_eq!(transaction.left(), amount(180));
        transaction.apply(TransactionEvent::Lowered(amount(30))).unwrap();
        assert_eq!((transaction.remaining, transaction.raised), (amount(100), amount(50)));
        transaction.apply(TransactionEvent::ReversalAcked(Some(amount(120)))).unwrap();
        assert_eq!((transaction.remaining, transaction.raised), (amount(100), amount(20)));
        transaction.apply(TransactionEvent::ReversalAcked(Some(amount(60)))).unwrap();
        assert_eq!((transaction.remaining, transaction.raised), (amount(60), amount(0)));
    }

    #[test]
    fn a_declined_transaction_has_nothing_to_take_back() {
        let mut transaction = AcquirerTransaction::sent();
        let code = ResponseCode::INSUFFICIENT_FUNDS;
        transaction.apply(TransactionEvent::Answered { code, amount: amount(100) }).unwrap();
        assert_eq!(transaction.remaining, MinorUnits::ZERO);
        transaction.apply(TransactionEvent::ReversalAcked(None)).unwrap();
        assert_eq!(transaction.state, TransactionState::Answered);
    }
}
