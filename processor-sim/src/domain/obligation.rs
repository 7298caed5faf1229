//! A message that is owed: repeated until it is acknowledged, across restarts.

use std::time::Duration;

use wire::codes::ResponseCode;
use wire::time::Timestamp;

/// What is owed, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObligationKind {
    /// The processor takes back a request that no network answered.
    ProcessorReversal,
    /// A network takes back a request that no issuer answered.
    NetworkReversal,
    /// A network tells an issuer what it approved in its place.
    StandInAdvice,
}

impl ObligationKind {
    /// Every kind.
    pub const ALL: [Self; 3] =
        [Self::ProcessorReversal, Self::NetworkReversal, Self::StandInAdvice];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProcessorReversal => "processor_reversal",
            Self::NetworkReversal => "network_reversal",
            Self::StandInAdvice => "stand_in_advice",
        }
    }

    /// The kind of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The message type of a try, counted from 0.
    pub const fn message_type(self, tries: u32) -> &'static str {
        match (self, tries) {
            (Self::ProcessorReversal, 0) => "0400",
            (Self::ProcessorReversal, 1) => "0401",
            (Self::ProcessorReversal, 2) | (Self::NetworkReversal, 0) => "0420",
            (Self::ProcessorReversal | Self::NetworkReversal, _) => "0421",
            (Self::StandInAdvice, 0) => "0120",
            (Self::StandInAdvice, _) => "0121",
        }
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObligationState {
    /// Due for its first sending.
    Queued,
    /// Sent; unacknowledged until the answer says otherwise.
    Sent,
    /// Sent in vain; due again later.
    Retry,
    /// Acknowledged.
    Acked,
    /// No longer owed.
    Withdrawn,
    /// Given up for a person to decide.
    Parked,
}

impl ObligationState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Sent, Self::Retry, Self::Acked, Self::Withdrawn, Self::Parked];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Acked => "acked",
            Self::Withdrawn => "withdrawn",
            Self::Parked => "parked",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObligationEvent {
    /// Its time has come: it is handed to the link.
    Send,
    /// The peer answered with this code; `None`: not at all, or not in a way to be trusted.
    Answered {
        /// Field 39.
        code: Option<ResponseCode>,
        /// Now.
        now: Timestamp,
        /// Jitter in thousandths of the waiting time, up to 200.
        jitter: u32,
    },
    /// Somebody else has brought the peer to the same end.
    Settled,
    /// A person has it tried again.
    Requeue(Timestamp),
}

/// The event makes no sense in this state; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state of the obligation")]
pub struct ObligationRefusal;

/// How long tries go on.
pub const AGE_MAX: Duration = Duration::from_hours(24);

/// Waiting times after the first tries; the last one repeats.
const BACKOFF_SECONDS: [u64; 7] = [1, 5, 30, 120, 600, 3600, 3600];

/// A message that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obligation {
    /// What.
    pub kind: ObligationKind,
    /// Where it stands.
    pub state: ObligationState,
    /// How often it was sent.
    pub tries: u32,
    /// When it came up.
    pub created_at: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
}

impl Obligation {
    /// Owed from now on, due at once.
    pub const fn new(kind: ObligationKind, now: Timestamp) -> Self {
        Self { kind, state: ObligationState::Queued, tries: 0, created_at: now, due_at: now }
    }

    /// Applies one event. A refusal changes nothing.
    pub fn apply(&mut self, event: ObligationEvent) -> Result<(), ObligationRefusal> {
        use ObligationEvent as Event;
        use ObligationState as State;
        match (self.state, event) {
            (State::Queued | State::Retry, Event::Send) => {
                self.state = State::Sent;
                self.tries = self.tries.saturating_add(1);
            }
            (State::Sent, Event::Answered { code, now, jitter }) => {
                if code.is_some_and(is_acknowledged) {
                    self.state = State::Acked;
                } else {
                    self.wait(now, jitter);
                }
            }
            (State::Queued | State::Sent | State::Retry, Event::Settled) => {
                self.state = State::Withdrawn;
            }
            (State::Parked, Event::Requeue(now)) => {
                (self.state, self.due_at, self.created_at) = (State::Queued, now, now);
            }
            (State::Queued | State::Retry, Event::Requeue(now)) => self.due_at = now,
            (State::Queued | State::Retry, Event::Answered { .. })
            | (State::Sent, Event::Send | Event::Requeue(_))
            | (
                State::Acked | State::Withdrawn,
                Event::Send | Event::Answered { .. } | Event::Settled | Event::Requeue(_),
            )
            | (State::Parked, Event::Send | Event::Answered { .. } | Event::Settled) => {
                return Err(ObligationRefusal);
            }
        }
        Ok(())
    }

    fn wait(&mut self, now: Timestamp, jitter: u32) {
        if now.since(self.created_at) >= AGE_MAX {
            self.state = ObligationState::Parked;
            return;
        }
        let place = usize::try_from(self.tries.saturating_sub(1)).unwrap_or(usize::MAX);
        let seconds = BACKOFF_SECONDS.get(place).copied().unwrap_or(3600);
        let millis = seconds.saturating_mul(1000_u64.saturating_add(u64::from(jitter.min(200))));
        self.state = ObligationState::Retry;
        self.due_at = now.plus(Duration::from_millis(millis));
    }
}

/// 00, 25 (nothing to take back) and 21 (cleared already) end an obligation.
fn is_acknowledged(code: ResponseCode) -> bool {
    [ResponseCode::APPROVED, ResponseCode::NOT_FOUND, ResponseCode::ALREADY_CLEARED].contains(&code)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn in_state(state: ObligationState) -> Obligation {
        Obligation { state, tries: 1, ..Obligation::new(ObligationKind::ProcessorReversal, START) }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "the grid is one table")]
    fn every_state_meets_every_event() {
        let now = START.plus(Duration::from_secs(7));
        let answered = |code| ObligationEvent::Answered { code, now, jitter: 0 };
        let events = [
            ("send", ObligationEvent::Send),
            ("answered 00", answered(Some(ResponseCode::APPROVED))),
            ("answered 21", answered(Some(ResponseCode::ALREADY_CLEARED))),
            ("answered 91", answered(Some(ResponseCode::ISSUER_UNAVAILABLE))),
            ("unanswered", answered(None)),
            ("settled", ObligationEvent::Settled),
            ("requeue", ObligationEvent::Requeue(now)),
        ];
        let mut grid = String::new();
        for state in ObligationState::ALL {
            grid.push_str(state.as_str());
            grid.push('\n');
            for (name, event) in events {
                let mut obligation = in_state(state);
                let before = obligation;
                let line = if obligation.apply(event).is_ok() {
                    format!(
                        "-> {} tries {} due +{}",
                        obligation.state.as_str(),
                        obligation.tries,
                        obligation.due_at.since(START).as_millis()
                    )
                } else {
                    assert_eq!(obligation, before);
                    "refused".into()
                };
                writeln!(grid, "  {name:<12} {line}").unwrap();
            }
        }
        insta::assert_snapshot!(grid, @r"
        queued
          send         -> sent tries 2 due +0
          answered 00  refused
          answered 21  refused
          answered 91  refused
          unanswered   refused
          settled      -> withdrawn tries 1 due +0
          requeue      -> queued tries 1 due +7000
        sent
          send         refused
          answered 00  -> acked tries 1 due +0
          answered 21  -> acked tries 1 due +0
          answered 91  -> retry tries 1 due +8000
          unanswered   -> retry tries 1 due +8000
          settled      -> withdrawn tries 1 due +0
          requeue      refused
        retry
          send         -> sent tries 2 due +0
          answered 00  refused
          answered 21  refused
          answered 91  refused
          unanswered   refused
          settled      -> withdrawn tries 1 due +0
          requeue      -> retry tries 1 due +7000
        acked
          send         refused
          answered 00  refused
          answered 21  refused
          answered 91  refused
          unanswered   refused
          settled      refused
          requeue      refused
        withdrawn
          send         refused
          answered 00  refused
          answered 21  refused
          answered 91  refused
          unanswered   refused
          settled      refused
          requeue      refused
        parked
          send         refused
          answered 00  refused
          answered 21  refused
          answered 91  refused
          unanswered   refused
          settled      refused
          requeue      -> queued tries 1 due +7000
        ");
    }

    #[test]
    fn tries_become_rarer_and_are_parked_after_a_day() {
        let mut obligation = Obligation::new(ObligationKind::NetworkReversal, START);
        let mut waits = Vec::new();
        let mut types = Vec::new();
        while obligation.state != ObligationState::Parked {
            types.push(obligation.kind.message_type(obligation.tries));
            obligation.apply(ObligationEvent::Send).unwrap();
            let now = obligation.due_at;
            obligation.apply(ObligationEvent::Answered { code: None, now, jitter: 0 }).unwrap();
            waits.push(obligation.due_at.since(now).as_secs());
        }
        assert_eq!(waits[..8], [1, 5, 30, 120, 600, 3600, 3600, 3600]);
        assert_eq!(types[..3], ["0420", "0421", "0421"]);
        assert!(waits.len() < 32);
        obligation.apply(ObligationEvent::Requeue(START.plus(AGE_MAX))).unwrap();
        assert_eq!(obligation.state, ObligationState::Queued);
    }

    #[test]
    fn the_processor_asks_twice_before_it_advises() {
        let types: Vec<&str> =
            (0..5).map(|tries| ObligationKind::ProcessorReversal.message_type(tries)).collect();
        assert_eq!(types, ["0400", "0401", "0420", "0421", "0421"]);
    }
}
