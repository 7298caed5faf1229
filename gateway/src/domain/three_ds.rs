//! A 3-D Secure authentication as the 3DS server sees it.

use std::borrow::Cow;
use std::time::Duration;

use wire::card::Brand;
use wire::codes::DeclineCode;
use wire::three_ds::{
    TransId, TransStatus, challenge_cancel, challenge_indicator, indicator, shifts_liability,
};
use wire::time::Timestamp;

/// What is agreed about 3-D Secure when a payment is created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreeDsTerms {
    /// When it runs.
    pub mode: Mode,
    /// Why the cardholder should not be asked.
    pub exemption: Option<Exemption>,
    /// What happens when it cannot be performed.
    pub on_unavailable: OnUnavailable,
    /// The result of an authentication that the merchant's own 3DS server made.
    pub own: Option<OwnResult>,
}

impl ThreeDsTerms {
    /// These terms, or, for a range whose cards were tried too often, those under which the
    /// cardholder is asked wherever the network knows how.
    pub fn when_suspicious(&self, suspicious: bool) -> Cow<'_, Self> {
        if suspicious {
            Cow::Owned(Self { mode: Mode::Force, exemption: None, ..self.clone() })
        } else {
            Cow::Borrowed(self)
        }
    }
}

/// When 3-D Secure runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// When the card's range is enrolled for it, or its issuer asks for it.
    #[default]
    Automatic,
    /// For every card of a network that knows it.
    Force,
    /// Never.
    Skip,
}

/// Why the cardholder should not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// The merchant has analysed the risk (TRA).
    RiskAnalysed,
    /// The amount is low.
    LowValue,
}

impl Exemption {
    /// Every exemption.
    pub const ALL: [Self; 2] = [Self::RiskAnalysed, Self::LowValue];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RiskAnalysed => "tra",
            Self::LowValue => "low_value",
        }
    }
}

/// What happens when an authentication could not be performed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnavailable {
    /// The payment goes on, without a shift of liability.
    #[default]
    Authorize,
    /// The card is declined.
    Stop,
}

/// An authentication that the merchant's own 3DS server made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnResult {
    /// Protocol version.
    pub version: String,
    /// Electronic commerce indicator.
    pub eci: String,
    /// CAVV.
    pub value: Option<String>,
    /// The directory server's id.
    pub ds_trans_id: TransId,
}

/// What a card's range says about 3-D Secure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrollment {
    /// The network or the card does not know it.
    None,
    /// It is possible, and nobody asks for it.
    Possible,
    /// The issuer asks for it with a soft decline.
    OnDemand,
    /// It comes before every payment that the cardholder starts.
    Enrolled,
    /// The same, and without it the issuer wants no authorization.
    Required,
}

/// What is asked of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// No preference.
    Any,
    /// A mandate: the issuer has asked for it.
    Mandate,
    /// None, for this reason.
    Exemption(Exemption),
}

impl Wanted {
    /// What is asked for, from a stored or sent code.
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::Any, Self::Mandate]
            .into_iter()
            .chain(Exemption::ALL.map(Self::Exemption))
            .find(|wanted| wanted.code() == code)
    }

    /// threeDSRequestorChallengeInd.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Any => challenge_indicator::NONE,
            Self::Mandate => challenge_indicator::MANDATE,
            Self::Exemption(Exemption::RiskAnalysed) => challenge_indicator::RISK_ANALYSED,
            Self::Exemption(Exemption::LowValue) => challenge_indicator::LOW_VALUE,
        }
    }
}

/// Whether 3-D Secure runs before the authorization, and what is asked of it. `stepping_up`: the
/// issuer has just asked for it.
pub fn needed(terms: &ThreeDsTerms, enrollment: Enrollment, stepping_up: bool) -> Option<Wanted> {
    let wanted = if stepping_up {
        Wanted::Mandate
    } else {
        terms.exemption.map_or(Wanted::Any, Wanted::Exemption)
    };
    let runs = match (terms.mode, enrollment) {
        (Mode::Skip, _) | (_, Enrollment::None) | (Mode::Automatic, Enrollment::Possible) => false,
        (_, Enrollment::Enrolled | Enrollment::Required) | (Mode::Force, _) => true,
        (Mode::Automatic, Enrollment::OnDemand) => stepping_up,
    };
    (runs && terms.own.is_none()).then_some(wanted)
}

/// How long the 3DS server waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the 3DS Method.
    pub method: Duration,
    /// For the directory server.
    pub directory: Duration,
    /// For the result of a challenge, from the answer that asked for it.
    pub challenge: Duration,
    /// For the result, from the browser's return.
    pub after_return: Duration,
    /// Until the next question after a result that is still open.
    pub between_questions: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            method: Duration::from_secs(10),
            directory: Duration::from_secs(10),
            // First CReq 30 s, then ten minutes, and a little for the way.
            challenge: Duration::from_mins(11),
            after_return: Duration::from_secs(3),
            between_questions: Duration::from_mins(1),
        }
    }
}

/// Slack after the deadline of the directory server; then the program has lost its answer.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// Questions after a result that nobody answers; then it is taken as a failure.
const UNANSWERED_MAX: u32 = 3;

/// Where an authentication stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The 3DS Method runs in the browser.
    MethodPending,
    /// The AReq is on its way.
    RequestSent,
    /// The cardholder is asked.
    Challenged,
    /// The browser came back, the result has not come.
    Returned,
    /// It has a result.
    Done(TransStatus),
}

impl Stage {
    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MethodPending => "method_pending",
            Self::RequestSent => "areq_sent",
            Self::Challenged => "challenge",
            Self::Returned => "result_awaited",
            Self::Done(_) => "done",
        }
    }
}

/// What an AReq was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The directory server's id.
    pub ds_trans_id: TransId,
    /// The ACS's id.
    pub acs_trans_id: TransId,
    /// How it ended, or that a challenge is needed.
    pub status: TransStatus,
    /// What goes with it.
    pub values: Values,
    /// Where the browser brings a CReq.
    pub acs_url: Option<String>,
}

/// What goes with a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Electronic commerce indicator.
    pub eci: Option<String>,
    /// CAVV.
    pub value: Option<String>,
    /// Why not.
    pub reason: Option<String>,
    /// Why a challenge ended without success.
    pub cancel: Option<String>,
}

/// What happens to an authentication.
#[derive(Clone, Debug)]
pub enum Event {
    /// The 3DS Method came back.
    MethodCompleted,
    /// The 3DS Method took too long.
    MethodTimedOut,
    /// The AReq was answered.
    Responded(Box<Response>),
    /// The AReq was not answered, or not so that it can be believed.
    Unanswered,
    /// A browser brought a CRes: a hint.
    Returned(TransStatus),
    /// The result came (RReq), or was found by a question.
    Resulted(TransStatus, Values),
    /// The question was answered: the cardholder is still being asked.
    StillOpen,
    /// The question was not answered.
    NothingFound,
    /// The payment was given up.
    GivenUp,
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing for the payment.
    Quiet,
    /// The AReq is to be sent.
    Request,
    /// The cardholder has to be asked.
    Challenge,
    /// There is a result.
    Decided,
}

/// Nothing waits for this; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the authentication does not wait for this")]
pub struct NotWaiting;

/// What the payment does with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on to the authorization.
    Authorize,
    /// Declines the card.
    Stop(DeclineCode),
}

/// One authentication of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// Our id of it.
    pub id: TransId,
    /// Number of the attempt.
    pub attempt: u32,
    /// The network.
    pub brand: Brand,
    /// Where it stands.
    pub stage: Stage,
    /// Whether the issuer wants no authorization without it.
    pub required: bool,
    /// What is asked of a challenge.
    pub wanted: Wanted,
    /// threeDSCompInd: Y, N, or U without a method.
    pub method: char,
    /// There was an error on the way.
    pub technical: bool,
    /// The cardholder was asked.
    pub challenged: bool,
    /// The browser said something else than the result.
    pub tampered: bool,
    /// What the browser said.
    pub returned: Option<TransStatus>,
    /// The directory server's id.
    pub ds_trans_id: Option<TransId>,
    /// The ACS's id.
    pub acs_trans_id: Option<TransId>,
    /// Where the browser goes: first the path of the 3DS Method, then the address for a CReq.
    pub acs_url: Option<String>,
    /// What goes with the result.
    pub values: Values,
    /// Questions that nobody answered.
    pub unanswered: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When something happens by itself.
    pub due_at: Option<Timestamp>,
}

/// An authentication that is about to begin.
#[derive(Clone, Copy, Debug)]
pub struct NewAuthentication {
    /// Our id of it.
    pub id: TransId,
    /// Where a browser runs the 3DS Method first, below the origin of the ACS.
    pub method: Option<&'static str>,
    /// Whether the issuer wants no authorization without it.
    pub required: bool,
    /// What is asked of a challenge.
    pub wanted: Wanted,
}

impl Authentication {
    /// An authentication that begins, with the method or with the AReq.
    pub fn begin(
        new: NewAuthentication,
        attempt: u32,
        brand: Brand,
        at: Timestamp,
        limits: &Limits,
    ) -> Self {
        let mut begun = Self {
            id: new.id,
            attempt,
            brand,
            stage: Stage::MethodPending,
            required: new.required,
            wanted: new.wanted,
            method: 'U',
            technical: false,
            challenged: false,
            tampered: false,
            returned: None,
            ds_trans_id: None,
            acs_trans_id: None,
            acs_url: new.method.map(str::to_owned),
            values: Values::default(),
            unanswered: 0,
            created_at: at,
            due_at: Some(at.plus(limits.method)),
        };
        if new.method.is_none() {
            begun.request('U', at, limits);
        }
        begun
    }

    fn request(&mut self, method: char, at: Timestamp, limits: &Limits) {
        self.stage = Stage::RequestSent;
        self.method = method;
        self.due_at = Some(at.plus(limits.directory).plus(LOST_AFTER));
    }

    /// Takes in what happened; a refusal changes nothing.
    #[expect(clippy::too_many_lines, reason = "the grid of stages and events is one match")]
    pub fn apply(
        &mut self,
        event: Event,
        at: Timestamp,
        limits: &Limits,
    ) -> Result<Outcome, NotWaiting> {
        use Event as E;
        use Stage as S;
        match (self.stage, event) {
            (S::MethodPending, E::MethodCompleted) => {
                self.request('Y', at, limits);
                Ok(Outcome::Request)
            }
            (S::MethodPending, E::MethodTimedOut) => {
                self.request('N', at, limits);
                Ok(Outcome::Request)
            }
            (S::RequestSent, E::Responded(response)) => Ok(self.responded(*response, at, limits)),
            (S::RequestSent, E::Unanswered) => {
                self.technical = true;
                let eci = indicator(self.brand, TransStatus::U).map(str::to_owned);
                Ok(self.decide(TransStatus::U, Values { eci, ..Values::default() }))
            }
            (S::Challenged, E::Returned(status)) => {
                self.stage = S::Returned;
                self.returned = Some(status);
                self.due_at = Some(at.plus(limits.after_return));
                Ok(Outcome::Quiet)
            }
            (S::Done(result), E::Returned(status))
                if self.challenged && self.returned.is_none() =>
            {
                self.returned = Some(status);
                self.tampered = status != result;
                Ok(Outcome::Quiet)
            }
            (S::Challenged | S::Returned, E::Resulted(status, values)) => {
                self.tampered = self.returned.is_some_and(|returned| returned != status);
                Ok(self.decide(status, values))
            }
            (S::Challenged | S::Returned, E::StillOpen) => {
                // Whatever brought the browser back: the bank still asks.
                self.stage = S::Challenged;
                self.due_at = Some(at.plus(limits.between_questions));
                Ok(Outcome::Quiet)
            }
            (S::Challenged | S::Returned, E::NothingFound) => {
                self.unanswered = self.unanswered.saturating_add(1);
                if self.unanswered < UNANSWERED_MAX {
                    self.due_at = Some(at.plus(limits.between_questions));
                    return Ok(Outcome::Quiet);
                }
                self.technical = true;
                // Nobody vouches for it: that is no success.
                Ok(self.decide(TransStatus::N, Values::default()))
            }
            (S::MethodPending | S::RequestSent | S::Challenged | S::Returned, E::GivenUp) => {
                let cancel = self.challenged.then(|| challenge_cancel::BY_CARDHOLDER.to_owned());
                Ok(self.decide(TransStatus::N, Values { cancel, ..Values::default() }))
            }
            (
                S::MethodPending,
                E::Responded(_)
                | E::Unanswered
                | E::Returned(_)
                | E::Resulted(..)
                | E::StillOpen
                | E::NothingFound,
            )
            | (
                S::RequestSent,
                E::MethodCompleted
                | E::MethodTimedOut
                | E::Returned(_)
                | E::Resulted(..)
                | E::StillOpen
                | E::NothingFound,
            )
            | (
                S::Challenged | S::Returned,
                E::MethodCompleted | E::MethodTimedOut | E::Responded(_) | E::Unanswered,
            )
            | (S::Returned, E::Returned(_))
            | (S::Done(_), _) => Err(NotWaiting),
        }
    }

    fn responded(&mut self, response: Response, at: Timestamp, limits: &Limits) -> Outcome {
        self.ds_trans_id = Some(response.ds_trans_id);
        self.acs_trans_id = Some(response.acs_trans_id);
        if response.status != TransStatus::C {
            return self.decide(response.status, response.values);
        }
        self.stage = Stage::Challenged;
        self.challenged = true;
        self.acs_url = response.acs_url;
        self.due_at = Some(at.plus(limits.challenge));
        Outcome::Challenge
    }

    fn decide(&mut self, status: TransStatus, values: Values) -> Outcome {
        self.stage = Stage::Done(status);
        self.values = values;
        self.due_at = None;
        Outcome::Decided
    }

    /// The result, once there is one.
    pub const fn status(&self) -> Option<TransStatus> {
        match self.stage {
            Stage::Done(status) => Some(status),
            Stage::MethodPending | Stage::RequestSent | Stage::Challenged | Stage::Returned => None,
        }
    }

    /// What the payment does with a result.
    pub fn verdict(&self, on_unavailable: OnUnavailable) -> Verdict {
        let canceled = self.values.cancel.as_deref() == Some(challenge_cancel::BY_CARDHOLDER);
        match self.stage {
            Stage::Done(TransStatus::Y | TransStatus::A | TransStatus::I) => Verdict::Authorize,
            Stage::Done(TransStatus::U) if self.technical && self.required => {
                Verdict::Stop(DeclineCode::PROCESSING_ERROR)
            }
            Stage::Done(TransStatus::U) if on_unavailable == OnUnavailable::Authorize => {
                Verdict::Authorize
            }
            Stage::Done(TransStatus::R) => Verdict::Stop(DeclineCode::AUTHENTICATION_REJECTED),
            Stage::Done(_) if canceled => Verdict::Stop(DeclineCode::CHALLENGE_CANCELED),
            Stage::Done(_)
            | Stage::MethodPending
            | Stage::RequestSent
            | Stage::Challenged
            | Stage::Returned => Verdict::Stop(DeclineCode::AUTHENTICATION_FAILED),
        }
    }

    /// Whether the issuer bears the loss of a fraud. `effective`: the indicator of the approval.
    pub fn shifts_liability(&self, effective: Option<&str>) -> bool {
        shifts_liability(self.brand, effective.or(self.values.eci.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_795_341_600);

    fn begun(with_method: bool) -> Authentication {
        let new = NewAuthentication {
            id: TransId::from_bytes([1; 16]),
            method: with_method.then_some("/method"),
            required: false,
            wanted: Wanted::Any,
        };
        Authentication::begin(new, 1, Brand::Visa, AT, &Limits::default())
    }

    fn responded(status: TransStatus) -> Event {
        Event::Responded(Box::new(Response {
            ds_trans_id: TransId::from_bytes([2; 16]),
            acs_trans_id: TransId::from_bytes([3; 16]),
            status,
            values: Values::default(),
            acs_url: None,
        }))
    }

    fn after(events: impl IntoIterator<Item = Event>) -> Authentication {
        let mut it = begun(false);
        for event in events {
            it.apply(event, AT, &Limits::default()).unwrap();
        }
        it
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "the grid is long")]
    fn every_stage_takes_every_event_as_written_here() {
        let challenged = || after([responded(TransStatus::C)]);
        let returned = after([responded(TransStatus::C), Event::Returned(TransStatus::Y)]);
        let result = Event::Resulted(TransStatus::Y, Values::default());
        let stages = [
            ("method", begun(true)),
            ("request", begun(false)),
            ("challenge", challenged()),
            ("returned", returned),
            ("done", after([responded(TransStatus::C), result.clone()])),
        ];
        let events = [
            ("method completed", Event::MethodCompleted),
            ("method timed out", Event::MethodTimedOut),
            ("ARes Y", responded(TransStatus::Y)),
            ("ARes C", responded(TransStatus::C)),
            ("no ARes", Event::Unanswered),
            ("CRes N", Event::Returned(TransStatus::N)),
            ("RReq Y", result),
            ("still open", Event::StillOpen),
            ("nothing found", Event::NothingFound),
            ("given up", Event::GivenUp),
        ];
        let mut grid = String::new();
        for (name, authentication) in &stages {
            for (word, event) in &events {
                let mut it = authentication.clone();
                let outcome = it.apply(event.clone(), AT, &Limits::default());
                let line = if let Ok(outcome) = outcome {
                    let tampered = if it.tampered { ", tampered" } else { "" };
                    format!("{outcome:?}, {:?}{tampered}", it.stage)
                } else {
                    assert_eq!(it, *authentication, "a refusal changes nothing");
                    "refused".to_owned()
                };
                writeln!(grid, "{name} + {word}: {line}").unwrap();
            }
        }
        insta::assert_snapshot!(grid, @r"
    method + method completed: Request, RequestSent
    method + method timed out: Request, RequestSent
    method + ARes Y: refused
    method + ARes C: refused
    method + no ARes: refused
    method + CRes N: refused
    method + RReq Y: refused
    method + still open: refused
    method + nothing found: refused
    method + given up: Decided, Done(N)
    request + method completed: refused
    request + method timed out: refused
    request + ARes Y: Decided, Done(Y)
    request + ARes C: Challenge, Challenged
    request + no ARes: Decided, Done(U)
    request + CRes N: refused
    request + RReq Y: refused
    request + still open: refused
    request + nothing found: refused
    request + given up: Decided, Done(N)
    challenge + method completed: refused
    challenge + method timed out: refused
    challenge + ARes Y: refused
    challenge + ARes C: refused
    challenge + no ARes: refused
    challenge + CRes N: Quiet, Returned
    challenge + RReq Y: Decided, Done(Y)
    challenge + still open: Quiet, Challenged
    challenge + nothing found: Quiet, Challenged
    challenge + given up: Decided, Done(N)
    returned + method completed: refused
    returned + method timed out: refused
    returned + ARes Y: refused
    returned + ARes C: refused
    returned + no ARes: refused
    returned + CRes N: refused
    returned + RReq Y: Decided, Done(Y)
    returned + still open: Quiet, Challenged
    returned + nothing found: Quiet, Returned
    returned + given up: Decided, Done(N)
    done + method completed: refused
    done + method timed out: refused
    done + ARes Y: refused
    done + ARes C: refused
    done + no ARes: refused
    done + CRes N: Quiet, Done(Y), tampered
    done + RReq Y: refused
    done + still open: refused
    done + nothing found: refused
    done + given up: refused
    ");
    }

    #[test]
    fn a_result_that_nobody_knows_is_no_success() {
        let mut it = after([responded(TransStatus::C)]);
        for _ in 0..2 {
            let outcome = it.apply(Event::NothingFound, AT, &Limits::default());
            assert_eq!(outcome, Ok(Outcome::Quiet));
        }
        let outcome = it.apply(Event::NothingFound, AT, &Limits::default());
        assert_eq!(outcome, Ok(Outcome::Decided));
        let failed = Verdict::Stop(DeclineCode::AUTHENTICATION_FAILED);
        assert_eq!(it.verdict(OnUnavailable::Authorize), failed);
    }

    #[test]
    fn the_result_decides_whether_the_card_is_authorized() {
        let verdict = |status, policy| after([responded(status)]).verdict(policy);
        let mut table = Vec::new();
        for status in TransStatus::ALL {
            let shown = |policy| match verdict(status, policy) {
                Verdict::Authorize => "authorize",
                Verdict::Stop(code) => code.as_str(),
            };
            let (go_on, stop) = (shown(OnUnavailable::Authorize), shown(OnUnavailable::Stop));
            table.push(format!("{}: {go_on} / {stop}", status.as_str()));
        }
        assert_eq!(
            table,
            [
                "Y: authorize / authorize",
                "A: authorize / authorize",
                "I: authorize / authorize",
                "U: authorize / authentication_failed",
                "N: authentication_failed / authentication_failed",
                "R: authentication_rejected / authentication_rejected",
                "C: authentication_failed / authentication_failed",
            ]
        );
    }

    #[test]
    fn three_d_secure_runs_when_range_merchant_or_issuer_say_so() {
        use Enrollment as E;
        let runs = |mode, enrollment, stepping_up| {
            let terms = ThreeDsTerms { mode, ..ThreeDsTerms::default() };
            needed(&terms, enrollment, stepping_up).is_some()
        };
        let all = [E::None, E::Possible, E::OnDemand, E::Enrolled, E::Required];
        let row = |mode, up| all.map(|enrollment| runs(mode, enrollment, up));
        assert_eq!(row(Mode::Automatic, false), [false, false, false, true, true]);
        assert_eq!(row(Mode::Automatic, true), [false, false, true, true, true]);
        assert_eq!(row(Mode::Force, false), [false, true, true, true, true]);
        assert_eq!(row(Mode::Skip, true), [false; 5]);
    }
}
