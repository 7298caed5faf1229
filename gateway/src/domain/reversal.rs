//! A reversal: a durable obligation to give an authorization back, repeated until acknowledged.

use std::time::Duration;

use wire::codes::ResponseCode;
use wire::ids::{AttemptId, RefundId, ReversalId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

/// Why money is given back (ISO 8583 field 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// 4000: the merchant or the payer took it back.
    Cancellation,
    /// 4004: completed for a part.
    CompletedPartially,
    /// 4005: the answer speaks of another amount.
    AmountIncorrect,
    /// 4021: no answer came.
    Timeout,
    /// 4351: the authorization ran out.
    Expired,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Cancellation,
        Self::CompletedPartially,
        Self::AmountIncorrect,
        Self::Timeout,
        Self::Expired,
    ];

    /// The four digits.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancellation => "4000",
            Self::CompletedPartially => "4004",
            Self::AmountIncorrect => "4005",
            Self::Timeout => "4021",
            Self::Expired => "4351",
        }
    }
}

/// Where a reversal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReversalState {
    /// To be sent.
    Queued,
    /// Sent at least once and not acknowledged; to be repeated.
    Retry,
    /// Acknowledged.
    Acknowledged,
    /// Too old: a person has to look.
    Parked,
}

impl ReversalState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Retry, Self::Acknowledged, Self::Parked];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Retry => "retry",
            Self::Acknowledged => "acked",
            Self::Parked => "parked",
        }
    }
}

/// What is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Original {
    /// An authorization.
    Attempt(AttemptId),
    /// A refund.
    Refund(RefundId),
}

/// A reversal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// Its name on the wire.
    pub id: ReversalId,
    /// What is given back.
    pub original: Original,
    /// Why.
    pub reason: Reason,
    /// The amount of the original.
    pub amount: MinorUnits,
    /// What of it remains after this reversal; zero for a full one.
    pub remains: MinorUnits,
    /// Its transmission time; constant over repeats.
    pub transmission_at: Timestamp,
    /// Where it stands.
    pub state: ReversalState,
    /// What it was acknowledged with.
    pub response_code: Option<ResponseCode>,
    /// How often it was sent.
    pub tries: u32,
    /// When it is sent next; none once it is acknowledged or parked.
    pub due_at: Option<Timestamp>,
}

/// What can happen to a reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReversalEvent {
    /// An answer with this code came.
    Answered(ResponseCode, Timestamp),
    /// No answer came, or one that cannot be read.
    Unanswered(Timestamp),
    /// A person wants it tried again.
    Requeued(Timestamp),
}

/// The event does not fit the state; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reversal is {}", .0.as_str())]
pub struct ReversalRefusal(pub ReversalState);

/// The rules of repeating.
#[derive(Clone, Copy, Debug)]
pub struct RepeatPolicy {
    /// Age at which an unacknowledged reversal is parked.
    pub age_max: Duration,
    /// Drawn part of the jitter, in thousandths: 0 to 1000.
    pub jitter_permille: u32,
}

/// Jitter adds up to a fifth of the wait.
const JITTER_DIVISOR: u32 = 5000;

/// The wait after `tries` unanswered sends: 1 s, 5 s, 30 s, 2 min, 10 min, 1 h, then hourly.
pub fn backoff(tries: u32, jitter_permille: u32) -> Duration {
    let seconds = match tries {
        0 | 1 => 1,
        2 => 5,
        3 => 30,
        4 => 120,
        5 => 600,
        _ => 3600,
    };
    let wait = Duration::from_secs(seconds);
    let jitter = wait.saturating_mul(jitter_permille.min(1000)).checked_div(JITTER_DIVISOR);
    wait.saturating_add(jitter.unwrap_or_default())
}

impl Reversal {
    /// Whether it still has to be acknowledged.
    pub const fn is_open(&self) -> bool {
        match self.state {
            ReversalState::Queued | ReversalState::Retry => true,
            ReversalState::Acknowledged | ReversalState::Parked => false,
        }
    }

    /// Takes in what happened; a refusal changes nothing.
    pub fn apply(
        &mut self,
        event: ReversalEvent,
        policy: RepeatPolicy,
    ) -> Result<(), ReversalRefusal> {
        use ReversalEvent::{Answered, Requeued, Unanswered};
        use ReversalState::{Acknowledged, Parked, Queued, Retry};
        match (self.state, event) {
            (Queued | Retry, Answered(code, at)) => {
                self.tries = self.tries.saturating_add(1);
                if acknowledges(code) {
                    self.state = Acknowledged;
                    self.response_code = Some(code);
                    self.due_at = None;
                } else {
                    self.repeat(at, policy);
                }
                Ok(())
            }
            (Queued | Retry, Unanswered(at)) => {
                self.tries = self.tries.saturating_add(1);
                self.repeat(at, policy);
                Ok(())
            }
            (Parked, Requeued(at)) => {
                self.state = Retry;
                self.due_at = Some(at);
                Ok(())
            }
            // An answer that comes after all: the obligation is met.
            (Parked, Answered(code, _)) if acknowledges(code) => {
                self.state = Acknowledged;
                self.response_code = Some(code);
                Ok(())
            }
            (Queued | Retry, Requeued(_))
            | (Acknowledged, Answered(..) | Unanswered(_) | Requeued(_))
            | (Parked, Answered(..) | Unanswered(_)) => Err(ReversalRefusal(self.state)),
        }
    }

    fn repeat(&mut self, at: Timestamp, policy: RepeatPolicy) {
        if at.since(self.transmission_at) >= policy.age_max {
            self.state = ReversalState::Parked;
            self.due_at = None;
        } else {
            self.state = ReversalState::Retry;
            self.due_at = Some(at.plus(backoff(self.tries, policy.jitter_permille)));
        }
    }

    /// Which form the next send takes: 0 the request, 1 its repeat, 2 the advice, 3 its repeats.
    ///
    /// An expiry is told, not asked: it begins with the advice.
    pub const fn form(&self) -> Form {
        match (self.tries, self.reason) {
            (0, Reason::Expired) | (2, _) => Form::Advice,
            (0, _) => Form::Request,
            (1, Reason::Expired) => Form::AdviceRepeat,
            (1, _) => Form::RequestRepeat,
            (_, _) => Form::AdviceRepeat,
        }
    }
}

/// 00 and 25 settle a reversal; 21 does too, and leaves the clearing to reconciliation.
fn acknowledges(code: ResponseCode) -> bool {
    code == ResponseCode::APPROVED
        || code == ResponseCode::NOT_FOUND
        || code == ResponseCode::ALREADY_CLEARED
}

/// Message type of a reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 0400
    Request,
    /// 0401
    RequestRepeat,
    /// 0420
    Advice,
    /// 0421
    AdviceRepeat,
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const POLICY: RepeatPolicy =
        RepeatPolicy { age_max: Duration::from_hours(24), jitter_permille: 0 };

    fn reversal(state: ReversalState) -> Reversal {
        Reversal {
            id: ReversalId::new(AT, [1; 10]),
            original: Original::Attempt(AttemptId::new(AT, [2; 10])),
            reason: Reason::Timeout,
            amount: MinorUnits::new(4999).unwrap(),
            remains: MinorUnits::ZERO,
            transmission_at: AT,
            state,
            response_code: None,
            tries: 0,
            due_at: Some(AT),
        }
    }

    #[test]
    fn every_state_takes_every_event_as_written_here() {
        let events = [
            ReversalEvent::Answered(ResponseCode::APPROVED, AT),
            ReversalEvent::Answered(ResponseCode::NOT_FOUND, AT),
            ReversalEvent::Answered(ResponseCode::ALREADY_CLEARED, AT),
            ReversalEvent::Answered(ResponseCode::ISSUER_UNAVAILABLE, AT),
            ReversalEvent::Unanswered(AT),
            ReversalEvent::Unanswered(AT.plus(POLICY.age_max)),
            ReversalEvent::Requeued(AT),
        ];
        let mut grid = String::new();
        for state in ReversalState::ALL {
            for event in events {
                let mut it = reversal(state);
                let before = it.clone();
                let outcome = match it.apply(event, POLICY) {
                    Ok(()) => it.state.as_str().to_owned(),
                    Err(refusal) => {
                        assert_eq!(it, before);
                        format!("refused: {refusal}")
                    }
                };
                let event = match event {
                    ReversalEvent::Answered(code, _) => format!("answered {}", code.as_str()),
                    ReversalEvent::Unanswered(at) => {
                        format!("unanswered at {}", at.since(AT).as_secs())
                    }
                    ReversalEvent::Requeued(_) => "requeued".to_owned(),
                };
                let _ = writeln!(grid, "{:7} {event:20} {outcome}", state.as_str());
            }
        }
        insta::assert_snapshot!(grid, @"
        queued  answered 00          acked
        queued  answered 25          acked
        queued  answered 21          acked
        queued  answered 91          retry
        queued  unanswered at 0      retry
        queued  unanswered at 86400  parked
        queued  requeued             refused: the reversal is queued
        retry   answered 00          acked
        retry   answered 25          acked
        retry   answered 21          acked
        retry   answered 91          retry
        retry   unanswered at 0      retry
        retry   unanswered at 86400  parked
        retry   requeued             refused: the reversal is retry
        acked   answered 00          refused: the reversal is acked
        acked   answered 25          refused: the reversal is acked
        acked   answered 21          refused: the reversal is acked
        acked   answered 91          refused: the reversal is acked
        acked   unanswered at 0      refused: the reversal is acked
        acked   unanswered at 86400  refused: the reversal is acked
        acked   requeued             refused: the reversal is acked
        parked  answered 00          acked
        parked  answered 25          acked
        parked  answered 21          acked
        parked  answered 91          refused: the reversal is parked
        parked  unanswered at 0      refused: the reversal is parked
        parked  unanswered at 86400  refused: the reversal is parked
        parked  requeued             retry
        ");
    }

    #[test]
    fn a_reversal_is_repeated_as_request_then_advice_with_growing_waits() {
        let mut it = reversal(ReversalState::Queued);
        let mut at = AT;
        let mut story = String::new();
        while it.is_open() {
            let _ = writeln!(story, "{:>6} s {:?}", at.since(AT).as_secs(), it.form());
            it.apply(ReversalEvent::Unanswered(at), POLICY).unwrap();
            at = it.due_at.unwrap_or(at);
            if it.tries > 8 {
                break;
            }
        }
        insta::assert_snapshot!(story, @"
            0 s Request
            1 s RequestRepeat
            6 s Advice
           36 s AdviceRepeat
          156 s AdviceRepeat
          756 s AdviceRepeat
         4356 s AdviceRepeat
         7956 s AdviceRepeat
        11556 s AdviceRepeat
        ");
    }

    #[test]
    fn jitter_adds_at_most_a_fifth() {
        assert_eq!(backoff(2, 0), Duration::from_secs(5));
        assert_eq!(backoff(2, 1000), Duration::from_secs(6));
        assert_eq!(backoff(2, 5000), Duration::from_secs(6));
    }
}
