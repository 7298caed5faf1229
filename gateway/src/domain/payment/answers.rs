//! What answers to an authorization, and their absence, do to a payment.

use std::time::Duration;

use wire::codes::{DeclineCode, ResponseCode};
use wire::ids::{AttemptId, ReversalId};
use wire::money::MinorUnits;
use wire::stored_credential::CheckRule;
use wire::time::Timestamp;

use super::changes::plus;
use super::{
    Announcement, CaptureMode, Decision, Effect, LOST_AFTER, NewCapture, Payment, Policy, Refusal,
    Search, State, Submission,
};
use crate::domain::answer::{Answer, Verdict};
use crate::domain::attempt::{Attempt, AttemptKind, AttemptState};
use crate::domain::network_profile::NetworkProfile;
use crate::domain::retry;
use crate::domain::reversal::{
    Original, Reason, RepeatPolicy, Reversal, ReversalEvent, ReversalState,
};

/// Waits between inquiries while the far side is still finding out; the last one repeats.
const WAITS_SECONDS: [u64; 5] = [1, 2, 5, 10, 30];
/// Why a person has to look at what went over a cap.
const OVER_CAP: &str = "cap_exceeded";

impl Payment {
    pub(super) fn submit(&mut self, card: Submission, policy: &Policy) -> Decision {
        let at = card.identity.transmission_at;
        if at >= self.expires_at {
            return Err(Refusal::SessionOver);
        }
        if retry::is_blocked(&self.attempts, &card.card.fingerprint, at) {
            return Err(Refusal::RetryBlocked);
        }
        let Submission {
            id,
            card,
            identity,
            reversal_id,
            caller,
            authentication,
            saving,
            network_token,
            conversion,
            over_cap,
        } = card;
        self.caller = caller;
        let asked = (AttemptKind::Payment, self.lacking());
        let mut attempt = Attempt::new(id, self.next_n(), asked, card, identity, reversal_id);
        attempt.saving = saving;
        attempt.network_token = network_token;
        attempt.conversion = conversion;
        attempt.over_cap = over_cap;
        Ok(match authentication {
            Some(new) => self.authenticate_first(attempt, new, policy),
            None => self.send(attempt, policy),
        })
    }

    pub(super) fn next_n(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// An attempt is about to be sent.
    pub(super) fn send(&mut self, attempt: Attempt, policy: &Policy) -> Vec<Effect> {
        let at = attempt.created_at;
        self.attempts.push(attempt);
        self.waits_for_answer(at, policy);
        vec![Effect::Announce(Announcement::Processing)]
    }

    pub(super) fn waits_for_answer(&mut self, at: Timestamp, policy: &Policy) {
        self.state = State::Processing;
        self.due_at = Some(at.plus(policy.processor_deadline).plus(LOST_AFTER));
    }

    pub(super) fn cancel(&mut self) -> Vec<Effect> {
        self.end(State::Canceled);
        vec![Effect::Announce(Announcement::Canceled)]
    }

    pub(super) fn end(&mut self, state: State) {
        self.state = state;
        self.due_at = None;
    }

    fn open_attempt(&mut self, id: AttemptId) -> Result<&mut Attempt, Refusal> {
        self.attempts
            .last_mut()
            .filter(|it| it.id == id && it.state.is_open())
            .ok_or(Refusal::NotWaiting)
    }

    pub(super) fn answered(
        &mut self,
        id: AttemptId,
        answer: &Answer,
        captures: (NewCapture, Vec<NewCapture>),
        policy: &Policy,
    ) -> Decision {
        let accept_partial = self.terms.accept_partial;
        let attempt = self.open_attempt(id)?;
        // A converted payment is completed at once, in full.
        let accept_partial = accept_partial && attempt.conversion.is_none();
        match answer.verdict(attempt.asked) {
            Verdict::Approved if attempt.kind == AttemptKind::Increment => {
                attempt.approve(answer, attempt.asked);
                let asked = attempt.asked;
                self.raise(asked, answer.at);
                Ok(self.settle_authorized(Announcement::Authorized))
            }
            Verdict::Approved => Ok(self.approve_and_save(answer, captures)),
            Verdict::Partial(_) if accept_partial && attempt.kind == AttemptKind::Payment => {
                Ok(self.approve_and_save(answer, captures))
            }
            Verdict::Partial(amount) => {
                attempt.reject(answer, DeclineCode::PARTIAL_APPROVAL, AttemptState::Declined);
                self.give_back(amount, MinorUnits::ZERO, Reason::Cancellation, answer.at);
                Ok(self.after_decline(policy))
            }
            Verdict::OtherAmount(amount) => {
                attempt.reject(answer, DeclineCode::AMOUNT_MISMATCH, AttemptState::Reversed);
                self.give_back(amount, MinorUnits::ZERO, Reason::AmountIncorrect, answer.at);
                let mut effects = vec![Effect::AmountAlarm(id)];
                effects.extend(self.fail());
                Ok(effects)
            }
            Verdict::Declined => {
                attempt.decline(answer);
                Ok(self.after_decline(policy))
            }
            Verdict::Undecided => Ok(self.undecided(answer, policy)),
        }
    }

    fn approve_and_save(
        &mut self,
        answer: &Answer,
        captures: (NewCapture, Vec<NewCapture>),
    ) -> Vec<Effect> {
        if self.judged(answer).0 == CheckRule::Reject {
            return self.reject_by_rule(answer);
        }
        let saves = self.attempts.last().filter(|it| it.saving.is_some()).map(|it| it.id);
        // First saved, then announced: the event may name the card.
        let mut effects: Vec<Effect> = saves.map(Effect::SaveCard).into_iter().collect();
        effects.extend(self.approve(answer, captures));
        effects
    }

    /// What the merchant's rules say of the results of an approval.
    fn judged(&self, answer: &Answer) -> (CheckRule, Option<&'static str>) {
        self.terms.rules.judge(answer.cvv_result.as_deref(), answer.avs_result.as_deref())
    }

    /// The merchant does not want this approval: it is taken back.
    fn reject_by_rule(&mut self, answer: &Answer) -> Vec<Effect> {
        let amount = self.asked();
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.reject(answer, DeclineCode::RULE_REJECTED, AttemptState::Reversed);
        }
        if !amount.is_zero() {
            self.give_back(amount, MinorUnits::ZERO, Reason::Cancellation, answer.at);
        }
        self.fail()
    }

    /// Why a person has to look before anything is captured.
    pub fn review(&self) -> Option<&'static str> {
        if self.state != State::Authorized {
            return None;
        }
        if self.is_over_cap() {
            return Some(OVER_CAP);
        }
        let attempt = self.authorizations().last()?;
        let results = (attempt.cvv_result.as_deref(), attempt.avs_result.as_deref());
        match self.terms.rules.judge(results.0, results.1) {
            (CheckRule::Review, word) => word,
            (CheckRule::Accept | CheckRule::Reject, _) => None,
        }
    }

    /// Whether money was approved that went over a cap.
    fn is_over_cap(&self) -> bool {
        self.attempts.iter().any(|it| it.over_cap && it.state == AttemptState::Approved)
    }

    /// An issuer approved all that was asked for, or a part that is taken.
    fn approve(
        &mut self,
        answer: &Answer,
        (capture, more): (NewCapture, Vec<NewCapture>),
    ) -> Vec<Effect> {
        let (estimated, by_merchant) = (self.terms.estimated, self.terms.by_merchant());
        let first = self.authorizations().next().is_none();
        if let Some(attempt) = self.attempts.last_mut() {
            let amount = answer.amount.unwrap_or(attempt.asked);
            attempt.approve(answer, amount);
            let window = NetworkProfile::of(attempt.card.brand).window(estimated, by_merchant);
            let before = answer.at.plus(window);
            let earlier = self.capture_before.filter(|_| !first);
            self.capture_before = Some(earlier.map_or(before, |earlier| earlier.min(before)));
            if first {
                self.network_transaction_id.clone_from(&answer.network_transaction_id);
            } else {
                attempt.network_transaction_id.clone_from(&answer.network_transaction_id);
            }
            self.amounts.authorized = plus(self.amounts.authorized, amount);
        }
        if self.terms.is_verification() {
            self.capture_before = None;
            self.end(State::Verified);
            return vec![Effect::Announce(Announcement::Verified)];
        }
        let paid_in_full = self.lacking().is_zero()
            && self.judged(answer).0 == CheckRule::Accept
            && !self.is_over_cap();
        if self.capture_mode == CaptureMode::Automatic
            && paid_in_full
            && self.take(self.amounts.authorized, capture, more)
        {
            self.end(State::Captured);
            return vec![Effect::Announce(Announcement::Captured)];
        }
        self.settle_authorized(Announcement::Authorized)
    }

    /// What is authorized waits for captures.
    pub(super) fn settle_authorized(&mut self, announcement: Announcement) -> Vec<Effect> {
        self.state = State::Authorized;
        self.due_at = self.capture_before;
        if self.waits_for_the_rest() {
            self.due_at = self.due_at.into_iter().chain([self.expires_at]).min();
        }
        vec![Effect::Announce(announcement)]
    }

    /// Ended without the money of the last attempt: that of earlier ones stays authorized.
    fn fail(&mut self) -> Vec<Effect> {
        if self.authorizations().next().is_some() {
            return self.settle_authorized(Announcement::AttemptFailed);
        }
        self.end(State::Failed);
        vec![Effect::Announce(Announcement::Failed)]
    }

    pub(super) fn after_decline(&mut self, policy: &Policy) -> Vec<Effect> {
        let tries = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        let goes_on = tries < policy.attempts_max && !self.terms.by_merchant();
        if goes_on && self.authorizations().next().is_none() {
            self.state = State::RequiresPaymentMethod;
            self.due_at = Some(self.expires_at);
            vec![Effect::Announce(Announcement::AttemptFailed)]
        } else {
            self.fail()
        }
    }

    fn undecided(&mut self, answer: &Answer, policy: &Policy) -> Vec<Effect> {
        let first = self.state == State::Processing;
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.lose(Some(answer.response_code));
        }
        if !first {
            return self.wait(answer.at, policy);
        }
        if policy.fail_fast {
            return self.fail_fast(answer.at);
        }
        self.state = State::OutcomeUnknown(Search::Waiting);
        self.due_at = Some(answer.at.plus(wait_after(Duration::ZERO)));
        vec![Effect::Announce(Announcement::Processing)]
    }

    pub(super) fn not_sent(&mut self, id: AttemptId, at: Timestamp, policy: &Policy) -> Decision {
        self.open_attempt(id)?.fail_unsent(at);
        Ok(self.after_decline(policy))
    }

    pub(super) fn lose(&mut self, id: AttemptId, at: Timestamp, policy: &Policy) -> Decision {
        self.open_attempt(id)?.lose(None);
        if policy.fail_fast {
            return Ok(self.fail_fast(at));
        }
        self.state = State::OutcomeUnknown(Search::Inquiring);
        self.due_at = Some(at.plus(policy.inquiry_after));
        Ok(vec![Effect::Announce(Announcement::Processing)])
    }

    /// The far side does not know yet: asked again later, but not for ever.
    pub(super) fn wait(&mut self, at: Timestamp, policy: &Policy) -> Vec<Effect> {
        let waited = self.unknown_for(at);
        if waited >= policy.processor_deadline.saturating_add(policy.resolve_limit) {
            return self.reverse_unknown(at, policy);
        }
        self.state = State::OutcomeUnknown(Search::Waiting);
        self.due_at = Some(at.plus(wait_after(waited)));
        Vec::new()
    }

    fn unknown_for(&self, at: Timestamp) -> Duration {
        self.attempts.last().map(|it| at.since(it.created_at)).unwrap_or_default()
    }

    pub(super) fn reverse_unknown(&mut self, at: Timestamp, policy: &Policy) -> Vec<Effect> {
        let asked = self.asked();
        self.give_back(asked, MinorUnits::ZERO, Reason::Timeout, at);
        self.state = State::OutcomeUnknown(Search::Reversing);
        self.due_at = Some(at.plus(policy.resolve_limit));
        Vec::new()
    }

    fn fail_fast(&mut self, at: Timestamp) -> Vec<Effect> {
        let asked = self.asked();
        self.give_back(asked, MinorUnits::ZERO, Reason::Timeout, at);
        self.give_up(at)
    }

    /// What the last attempt asked for.
    fn asked(&self) -> MinorUnits {
        self.attempts.last().map_or(self.amounts.requested, |attempt| attempt.asked)
    }

    /// The payment fails while its reversal is still on its way.
    pub(super) fn give_up(&mut self, at: Timestamp) -> Vec<Effect> {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.give_up(at);
        }
        self.fail()
    }

    /// An answer to an attempt that is decided, or is being reversed.
    pub(super) fn answered_late(&mut self, id: AttemptId, answer: &Answer) -> Decision {
        let reversing = self.reversals.iter().any(|it| it.original == Original::Attempt(id));
        if reversing && answer.response_code.approves() {
            return Ok(vec![Effect::LateApproval(id)]);
        }
        Err(Refusal::NotWaiting)
    }

    /// Queues the reversal of what the last attempt got, or may have got.
    pub(super) fn give_back(
        &mut self,
        amount: MinorUnits,
        remains: MinorUnits,
        reason: Reason,
        at: Timestamp,
    ) {
        if let Some((id, name)) = self.attempts.last().map(|it| (it.id, it.reversal_id)) {
            self.queue_reversal(id, name, (amount, remains), reason, at);
        }
    }

    /// The first reversal of an attempt has the attempt's own name; later ones bring theirs.
    pub(super) fn queue_reversal(
        &mut self,
        id: AttemptId,
        name: ReversalId,
        (amount, remains): (MinorUnits, MinorUnits),
        reason: Reason,
        at: Timestamp,
    ) {
        let Some(attempt) = self.attempts.iter().find(|it| it.id == id) else { return };
        let original = Original::Attempt(attempt.id);
        let earlier = self.reversals.iter().filter(|it| it.original == original);
        // Two reversals of one attempt differ in their transmission time only.
        let last = earlier.map(|it| it.transmission_at).max();
        let after = last.map(|last| last.plus(Duration::from_millis(1)));
        let id = if after.is_none() { attempt.reversal_id } else { name };
        self.reversals.push(Reversal {
            id,
            original,
            reason,
            amount,
            remains,
            transmission_at: after.map_or(at, |after| after.max(at)),
            state: ReversalState::Queued,
            response_code: None,
            tries: 0,
            due_at: Some(at),
        });
    }

    pub(super) fn on_reversal(
        &mut self,
        id: ReversalId,
        event: ReversalEvent,
        age_max: Duration,
        jitter_permille: u32,
    ) -> Decision {
        let policy = RepeatPolicy { age_max, jitter_permille };
        let reversal =
            self.reversals.iter_mut().find(|it| it.id == id).ok_or(Refusal::NotWaiting)?;
        reversal.apply(event, policy).map_err(|_| Refusal::NotWaiting)?;
        let (original, state) = (reversal.original, reversal.state);
        match state {
            ReversalState::Acknowledged => {
                let cleared = matches!(event,
                    ReversalEvent::Answered(code, _) if code == ResponseCode::ALREADY_CLEARED);
                let mut effects = self.reversal_acknowledged(original, event);
                effects.extend(cleared.then_some(Effect::AlreadyCleared(id)));
                Ok(effects)
            }
            ReversalState::Parked => Ok(vec![Effect::ReversalParked(id)]),
            ReversalState::Queued | ReversalState::Retry => Ok(Vec::new()),
        }
    }

    fn reversal_acknowledged(&mut self, original: Original, event: ReversalEvent) -> Vec<Effect> {
        let at = match event {
            ReversalEvent::Answered(_, at)
            | ReversalEvent::Unanswered(at)
            | ReversalEvent::Requeued(at) => at,
        };
        let unknown = self
            .attempts
            .iter_mut()
            .find(|it| original == Original::Attempt(it.id) && it.state == AttemptState::Unknown);
        if let Some(attempt) = unknown {
            attempt.state = AttemptState::Reversed;
        }
        if self.state == State::OutcomeUnknown(Search::Reversing) {
            self.give_up(at)
        } else {
            Vec::new()
        }
    }
}

fn wait_after(waited: Duration) -> Duration {
    let mut sum = 0_u64;
    for seconds in WAITS_SECONDS {
        sum = sum.saturating_add(seconds);
        if waited.as_secs() < sum {
            return Duration::from_secs(seconds);
        }
    }
    Duration::from_secs(30)
}
