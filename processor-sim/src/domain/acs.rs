//! A challenge at an access control server: who is asked, what is answered, how it ends.

use std::time::Duration;

use wire::money::{Currency, MinorUnits};
use wire::three_ds::{TransStatus, challenge_cancel, challenge_indicator};
use wire::time::Timestamp;

/// Wrong codes after which a challenge has failed.
pub const WRONG_CODES_MAX: u32 = 3;

/// How a card authenticates its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreeDsRule {
    /// Without asking the cardholder.
    Answers(TransStatus),
    /// The cardholder is asked.
    Challenge(Ending),
    /// The 3DS Method never answers; then the cardholder is authenticated without being asked.
    MethodSilent,
    /// The directory server fails: the ACS is not asked.
    DirectoryFails,
}

/// How a challenge ends when the cardholder answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As the cardholder answers.
    ByCardholder,
    /// Always without success.
    Fails,
    /// With a technical error.
    Technical,
    /// Never: it runs into its time limit.
    Never,
}

impl ThreeDsRule {
    /// The rule of an outcome word of the card catalogue.
    pub fn of_word(word: &str) -> Self {
        use TransStatus as S;
        match word {
            "threeds_attempt" => Self::Answers(S::A),
            "threeds_not_authenticated" => Self::Answers(S::N),
            "threeds_unavailable" => Self::Answers(S::U),
            "threeds_rejected" => Self::Answers(S::R),
            "threeds_informational" => Self::Answers(S::I),
            "threeds_challenge"
            | "threeds_always"
            | "threeds_unless_set_up"
            | "threeds_on_session_only"
            | "threeds_then_decline" => Self::Challenge(Ending::ByCardholder),
            "threeds_challenge_fail" => Self::Challenge(Ending::Fails),
            "threeds_challenge_error" => Self::Challenge(Ending::Technical),
            "threeds_challenge_abandon" => Self::Challenge(Ending::Never),
            "threeds_method_timeout" => Self::MethodSilent,
            "threeds_ds_error" | "threeds_required_error" | "threeds_optional_error" => {
                Self::DirectoryFails
            }
            _ => Self::Answers(S::Y),
        }
    }

    /// What an authentication request is answered. A mandate asks every cardholder whom the bank
    /// can ask; an exemption that the bank accepts spares the question.
    pub const fn decide(self, mandate: bool, exempt: bool) -> (TransStatus, Ending) {
        match self {
            Self::Challenge(ending) if exempt && !mandate => (TransStatus::I, ending),
            Self::Challenge(ending) => (TransStatus::C, ending),
            Self::Answers(TransStatus::Y) | Self::MethodSilent if mandate => {
                (TransStatus::C, Ending::ByCardholder)
            }
            Self::MethodSilent => (TransStatus::Y, Ending::ByCardholder),
            Self::Answers(status) => (status, Ending::ByCardholder),
            Self::DirectoryFails => (TransStatus::U, Ending::ByCardholder),
        }
    }
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 4] = [Self::ByCardholder, Self::Fails, Self::Technical, Self::Never];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByCardholder => "by_cardholder",
            Self::Fails => "fails",
            Self::Technical => "technical",
            Self::Never => "never",
        }
    }

    /// The ending of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == text)
    }
}

/// Where an authentication stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A challenge is needed; no CReq has come.
    Ready,
    /// The cardholder is being asked.
    Open,
    /// It has a result.
    Decided(TransStatus),
}

/// How long a challenge waits.
#[derive(Clone, Copy, Debug)]
pub struct ChallengeLimits {
    /// For the first CReq.
    pub first_request: Duration,
    /// For the cardholder to do something.
    pub idle: Duration,
}

impl Default for ChallengeLimits {
    fn default() -> Self {
        Self { first_request: Duration::from_secs(30), idle: Duration::from_mins(10) }
    }
}

/// What a cardholder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Presses Approve, or types the right code.
    Approves,
    /// Presses Fail.
    Fails,
    /// Presses Cancel.
    Cancels,
    /// Types a wrong code.
    WrongCode,
    /// Types the code of the technical error.
    Error,
    /// Does nothing more.
    Leaves,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 6] =
        [Self::Approves, Self::Fails, Self::Cancels, Self::WrongCode, Self::Error, Self::Leaves];
}

/// What happens to a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeEvent {
    /// A CReq came.
    Requested(Timestamp),
    /// The cardholder answered.
    Answered(Act, Timestamp),
    /// Its time is over.
    Expired(Timestamp),
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The cardholder is asked.
    Ask,
    /// Nothing more happens until the time is over.
    Wait,
    /// It has a result from now on.
    Decided,
    /// It had a result before; nothing has changed.
    Over,
}

/// Nothing waits for this; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the challenge does not wait for this")]
pub struct NotWaiting;

/// One challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Where it stands.
    pub stage: Stage,
    /// How it ends.
    pub ending: Ending,
    /// Wrong codes so far.
    pub wrong_codes: u32,
    /// Answers so far.
    pub interactions: u32,
    /// Why it ended without success.
    pub cancel: Option<&'static str>,
    /// When its time is over.
    pub due_at: Option<Timestamp>,
}

impl Challenge {
    /// A challenge that waits for its first CReq, or what was decided without one.
    pub fn new(
        status: TransStatus,
        ending: Ending,
        at: Timestamp,
        limits: ChallengeLimits,
    ) -> Self {
        let needed = status == TransStatus::C;
        Self {
            stage: if needed { Stage::Ready } else { Stage::Decided(status) },
            ending,
            wrong_codes: 0,
            interactions: 0,
            cancel: None,
            due_at: needed.then(|| at.plus(limits.first_request)),
        }
    }

    /// Takes in what happened; a refusal changes nothing.
    pub fn apply(
        &mut self,
        event: ChallengeEvent,
        limits: ChallengeLimits,
    ) -> Result<Step, NotWaiting> {
        use ChallengeEvent as E;
        match (self.stage, event) {
            (Stage::Ready | Stage::Open, E::Requested(at)) => {
                self.stage = Stage::Open;
                self.due_at = Some(at.plus(limits.idle));
                Ok(Step::Ask)
            }
            (Stage::Open, E::Answered(act, at)) => Ok(self.answered(act, at, limits)),
            (Stage::Ready, E::Expired(at)) if self.is_over(at) => {
                Ok(self.decide(TransStatus::N, Some(challenge_cancel::NEVER_BEGUN)))
            }
            (Stage::Open, E::Expired(at)) if self.is_over(at) => {
                Ok(self.decide(TransStatus::N, Some(challenge_cancel::TIMED_OUT)))
            }
            (Stage::Decided(_), E::Requested(_) | E::Answered(..)) => Ok(Step::Over),
            (Stage::Ready, E::Answered(..))
            | (Stage::Ready | Stage::Open | Stage::Decided(_), E::Expired(_)) => Err(NotWaiting),
        }
    }

    fn is_over(&self, at: Timestamp) -> bool {
        self.due_at.is_some_and(|due| at >= due)
    }

    fn answered(&mut self, act: Act, at: Timestamp, limits: ChallengeLimits) -> Step {
        if act == Act::Leaves || self.ending == Ending::Never {
            // Only the time limit ends it.
            return Step::Wait;
        }
        self.interactions = self.interactions.saturating_add(1);
        self.due_at = Some(at.plus(limits.idle));
        match (act, self.ending) {
            (Act::Cancels, _) => self.decide(TransStatus::N, Some(challenge_cancel::BY_CARDHOLDER)),
            (Act::Error, _) | (Act::Approves, Ending::Technical) => {
                self.decide(TransStatus::U, Some(challenge_cancel::ERROR))
            }
            (Act::Fails, _) | (Act::Approves, Ending::Fails) => self.decide(TransStatus::N, None),
            (Act::Approves, Ending::ByCardholder) => self.decide(TransStatus::Y, None),
            (Act::WrongCode, _) => {
                self.wrong_codes = self.wrong_codes.saturating_add(1);
                if self.wrong_codes >= WRONG_CODES_MAX {
                    return self.decide(TransStatus::N, None);
                }
                Step::Ask
            }
            (Act::Leaves, _) | (Act::Approves, Ending::Never) => Step::Wait,
        }
    }

    fn decide(&mut self, status: TransStatus, cancel: Option<&'static str>) -> Step {
        self.stage = Stage::Decided(status);
        self.cancel = cancel;
        self.due_at = None;
        Step::Decided
    }
}

/// Why a result is what it is (transStatusReason), where it is no success.
pub const fn reason(status: TransStatus, cancel: Option<&str>) -> Option<&'static str> {
    match (status, cancel) {
        (TransStatus::N, Some(_)) => Some("14"),
        (TransStatus::N, None) => Some("01"),
        (TransStatus::R, _) => Some("11"),
        (TransStatus::U, _) => Some("06"),
        (TransStatus::Y | TransStatus::A | TransStatus::I | TransStatus::C, _) => None,
    }
}

/// Why the merchant asks that the cardholder is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// The risk was analysed (TRA).
    RiskAnalysed,
    /// The amount is low.
    LowValue,
}

impl Exemption {
    /// The exemption of an authorization (field 48.43).
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "tra" => Some(Self::RiskAnalysed),
            "low_value" => Some(Self::LowValue),
            _ => None,
        }
    }

    /// The exemption of an authentication request.
    pub fn of_indicator(code: &str) -> Option<Self> {
        match code {
            challenge_indicator::RISK_ANALYSED => Some(Self::RiskAnalysed),
            challenge_indicator::LOW_VALUE => Some(Self::LowValue),
            _ => None,
        }
    }

    /// Whether the banks accept it for an amount: up to 500 whole units, or up to 30.
    pub fn is_accepted(self, amount: MinorUnits, currency: Currency) -> bool {
        let whole_units: i64 = match self {
            Self::RiskAnalysed => 500,
            Self::LowValue => 30,
        };
        let limit = whole_units.saturating_mul(10_i64.saturating_pow(currency.exponent()));
        amount.get() <= limit
    }
}

/// Longest life of a CAVV.
pub const VALUE_LIFE: Duration = Duration::from_hours(90 * 24);

/// What the bank finds about the authentication that a request claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueCheck {
    /// The request claims none.
    NoneClaimed,
    /// It belongs to this request and was not used before; the indicator of then.
    Valid(TransStatus),
    /// It does not: another card, amount or merchant, unknown, too old, or used before.
    Invalid(&'static str),
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_795_341_600);

    fn later(seconds: u64) -> Timestamp {
        AT.plus(Duration::from_secs(seconds))
    }

    fn fresh(ending: Ending) -> Challenge {
        Challenge::new(TransStatus::C, ending, AT, ChallengeLimits::default())
    }

    fn opened(ending: Ending) -> Challenge {
        let mut challenge = fresh(ending);
        let step = challenge.apply(ChallengeEvent::Requested(AT), ChallengeLimits::default());
        assert_eq!(step, Ok(Step::Ask));
        challenge
    }

    #[test]
    fn every_stage_takes_every_event_as_written_here() {
        let mut grid = String::new();
        let decided =
            Challenge::new(TransStatus::Y, Ending::ByCardholder, AT, ChallengeLimits::default());
        let stages =
            [("ready", fresh(Ending::ByCardholder)), ("open", opened(Ending::ByCardholder))];
        for (name, challenge) in stages.into_iter().chain([("decided", decided)]) {
            let mut events = vec![ChallengeEvent::Requested(AT)];
            events.extend(Act::ALL.map(|act| ChallengeEvent::Answered(act, AT)));
            events.extend([ChallengeEvent::Expired(AT), ChallengeEvent::Expired(later(600))]);
            for event in events {
                let mut it = challenge;
                let step = it.apply(event, ChallengeLimits::default());
                let event = match event {
                    ChallengeEvent::Requested(_) => "requested".to_owned(),
                    ChallengeEvent::Answered(act, _) => format!("{act:?}"),
                    ChallengeEvent::Expired(at) => format!("expired after {:?}", at.since(AT)),
                };
                let cancel = it.cancel.map(|code| format!(" {code}")).unwrap_or_default();
                let line = if let Ok(step) = step {
                    format!("{step:?}, {:?}{cancel}", it.stage)
                } else {
                    assert_eq!(it, challenge, "a refusal changes nothing");
                    "refused".to_owned()
                };
                writeln!(grid, "{name} + {event}: {line}").unwrap();
            }
        }
        insta::assert_snapshot!(grid, @r"
    ready + requested: Ask, Open
    ready + Approves: refused
    ready + Fails: refused
    ready + Cancels: refused
    ready + WrongCode: refused
    ready + Error: refused
    ready + Leaves: refused
    ready + expired after 0ns: refused
    ready + expired after 600s: Decided, Decided(N) 05
    open + requested: Ask, Open
    open + Approves: Decided, Decided(Y)
    open + Fails: Decided, Decided(N)
    open + Cancels: Decided, Decided(N) 01
    open + WrongCode: Ask, Open
    open + Error: Decided, Decided(U) 06
    open + Leaves: Wait, Open
    open + expired after 0ns: refused
    open + expired after 600s: Decided, Decided(N) 04
    decided + requested: Over, Decided(Y)
    decided + Approves: Over, Decided(Y)
    decided + Fails: Over, Decided(Y)
    decided + Cancels: Over, Decided(Y)
    decided + WrongCode: Over, Decided(Y)
    decided + Error: Over, Decided(Y)
    decided + Leaves: Over, Decided(Y)
    decided + expired after 0ns: refused
    decided + expired after 600s: refused
    ");
    }

    #[test]
    fn the_third_wrong_code_ends_a_challenge() {
        let mut challenge = opened(Ending::ByCardholder);
        let mut wrong = || {
            let event = ChallengeEvent::Answered(Act::WrongCode, AT);
            (challenge.apply(event, ChallengeLimits::default()).unwrap(), challenge.stage)
        };
        assert_eq!(wrong(), (Step::Ask, Stage::Open));
        assert_eq!(wrong(), (Step::Ask, Stage::Open));
        assert_eq!(wrong(), (Step::Decided, Stage::Decided(TransStatus::N)));
        assert_eq!(wrong(), (Step::Over, Stage::Decided(TransStatus::N)));
        assert_eq!(challenge.interactions, 3);
    }

    #[test]
    fn some_cards_end_in_their_own_way_whatever_the_cardholder_does() {
        let approve = |ending| {
            let mut challenge = opened(ending);
            let event = ChallengeEvent::Answered(Act::Approves, AT);
            challenge.apply(event, ChallengeLimits::default()).unwrap();
            challenge.stage
        };
        assert_eq!(approve(Ending::Fails), Stage::Decided(TransStatus::N));
        assert_eq!(approve(Ending::Technical), Stage::Decided(TransStatus::U));
        assert_eq!(approve(Ending::Never), Stage::Open);
    }

    #[test]
    fn every_answer_of_the_cardholder_begins_the_time_anew() {
        let mut challenge = opened(Ending::ByCardholder);
        let event = ChallengeEvent::Answered(Act::WrongCode, later(500));
        challenge.apply(event, ChallengeLimits::default()).unwrap();
        let expired = |challenge: &mut Challenge, at| {
            challenge.apply(ChallengeEvent::Expired(at), ChallengeLimits::default())
        };
        assert_eq!(expired(&mut challenge, later(600)), Err(NotWaiting));
        assert_eq!(expired(&mut challenge, later(1100)), Ok(Step::Decided));
        assert_eq!(challenge.cancel, Some(challenge_cancel::TIMED_OUT));
    }

    #[test]
    fn a_mandate_comes_before_the_card_and_an_exemption_spares_the_question() {
        let card = ThreeDsRule::of_word("threeds_challenge");
        assert_eq!(card.decide(false, false).0, TransStatus::C);
        assert_eq!(card.decide(false, true).0, TransStatus::I);
        assert_eq!(card.decide(true, true).0, TransStatus::C);
        let card = ThreeDsRule::of_word("threeds_frictionless");
        assert_eq!(card.decide(false, false).0, TransStatus::Y);
        assert_eq!(card.decide(true, false).0, TransStatus::C);
        let card = ThreeDsRule::of_word("threeds_rejected");
        assert_eq!(card.decide(true, false).0, TransStatus::R);
    }
}
