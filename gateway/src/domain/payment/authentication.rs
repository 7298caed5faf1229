//! What 3-D Secure does to a payment.

use wire::codes::DeclineCode;
use wire::three_ds::TransId;
use wire::time::Timestamp;

use super::{Announcement, Decision, Effect, Payment, Policy, Refusal, State};
use crate::domain::attempt::{Attempt, AttemptKind, AttemptState};
use crate::domain::identity::Identity;
use crate::domain::three_ds::{
    Authentication, Event, Mode, NewAuthentication, Outcome, Verdict, Wanted,
};

/// Something that happens to the authentication of a payment.
#[derive(Clone, Debug)]
pub struct AuthenticationStep {
    /// Which.
    pub id: TransId,
    /// What.
    pub event: Event,
    /// Which message the authorization is sent as that may follow.
    pub identity: Identity,
    /// When.
    pub at: Timestamp,
}

impl Payment {
    /// The authentication of an attempt.
    pub fn authentication_of(&self, attempt: &Attempt) -> Option<&Authentication> {
        self.authentications.iter().find(|it| it.attempt == attempt.n)
    }

    /// The authentication of the last attempt.
    pub fn last_authentication(&self) -> Option<&Authentication> {
        self.authentication_of(self.attempts.last()?)
    }

    /// The authentication that is under way.
    pub fn open_authentication(&self) -> Option<&Authentication> {
        self.last_authentication().filter(|it| it.status().is_none())
    }

    /// Whether the issuer has just asked for the cardholder, who can still be asked.
    pub fn wants_step_up(&self) -> bool {
        let asked = self.attempts.last().is_some_and(|attempt| {
            let code = attempt.decline.map(|decline| decline.code);
            attempt.kind == AttemptKind::Payment
                && attempt.state == AttemptState::Declined
                && code == Some(DeclineCode::AUTHENTICATION_REQUIRED)
        });
        let mandated = self.last_authentication().is_some_and(|it| it.wanted == Wanted::Mandate);
        asked
            && !mandated
            && self.state == State::RequiresPaymentMethod
            && self.terms.three_ds.mode != Mode::Skip
            && !self.terms.by_merchant()
    }

    /// An attempt is made; the cardholder is authenticated before it is sent.
    pub(super) fn authenticate_first(
        &mut self,
        attempt: Attempt,
        new: NewAuthentication,
        policy: &Policy,
    ) -> Vec<Effect> {
        let (n, brand, at) = (attempt.n, attempt.card.brand, attempt.created_at);
        self.attempts.push(attempt);
        self.authentications.push(Authentication::begin(new, n, brand, at, &policy.three_ds));
        self.state = State::Authenticating;
        // The authentication has a timer of its own.
        self.due_at = None;
        vec![Effect::Announce(Announcement::Processing)]
    }

    pub(super) fn on_authentication(
        &mut self,
        step: AuthenticationStep,
        policy: &Policy,
    ) -> Decision {
        let AuthenticationStep { id, event, identity, at } = step;
        let running = self.open_authentication().is_some_and(|it| it.id == id)
            && matches!(self.state, State::Authenticating | State::RequiresAction);
        let found = self.authentications.iter_mut().find(|it| it.id == id);
        let found = found.ok_or(Refusal::NotWaiting)?;
        if !running && !matches!(event, Event::Returned(_)) {
            return Err(Refusal::NotWaiting);
        }
        let before = found.tampered;
        let outcome = found.apply(event, at, &policy.three_ds).map_err(|_| Refusal::NotWaiting)?;
        let mut effects = Vec::new();
        if found.tampered && !before {
            effects.push(Effect::Tampered(id));
        }
        match outcome {
            Outcome::Quiet | Outcome::Request => {}
            Outcome::Challenge => {
                self.state = State::RequiresAction;
                self.due_at = Some(self.expires_at);
                effects.push(Effect::Announce(Announcement::RequiresAction));
            }
            Outcome::Decided => {
                let verdict = found.verdict(self.terms.three_ds.on_unavailable);
                effects.extend(self.conclude(verdict, identity, at, policy));
            }
        }
        Ok(effects)
    }

    fn conclude(
        &mut self,
        verdict: Verdict,
        identity: Identity,
        at: Timestamp,
        policy: &Policy,
    ) -> Vec<Effect> {
        match verdict {
            Verdict::Authorize => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.identity = identity;
                }
                self.waits_for_answer(at, policy);
                vec![Effect::Announce(Announcement::Processing)]
            }
            Verdict::Stop(code) => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.stop(code, at);
                }
                self.after_decline(policy)
            }
        }
    }

    /// The payer, the merchant or the clock gives up while the cardholder is being asked.
    pub(super) fn abandon(&mut self, at: Timestamp, policy: &Policy) -> Vec<Effect> {
        let open = self.open_authentication().map(|it| it.id);
        if let Some(found) =
            self.authentications.iter_mut().find(|authentication| Some(authentication.id) == open)
        {
            // It is open, so it can be given up.
            let _ = found.apply(Event::GivenUp, at, &policy.three_ds);
        }
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.stop(DeclineCode::CHALLENGE_CANCELED, at);
        }
        if self.authorizations().next().is_some() {
            return self.settle_authorized(Announcement::AttemptFailed);
        }
        self.cancel()
    }
}
