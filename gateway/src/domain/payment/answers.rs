//! What answers to an authorization, and their absence, do to a payment.

use std::time::Duration;

use wire::codes::DeclineCode;
use wire::ids::{AttemptId, ReversalId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::{
    Announcement, CaptureMode, Decision, Effect, LOST_AFTER, NewCapture, Payment, Policy, Refusal,
    Search, State, Submission,
};
use crate::domain::answer::{Answer, Verdict};
use crate::domain::attempt::{Attempt, AttemptState};
use crate::domain::capture::Capture;
use crate::domain::retry;
use crate::domain::reversal::{
    Original, Reason, RepeatPolicy, Reversal, ReversalEvent, ReversalState,
};
use crate::domain::windows::authorization_window;

/// Waits between inquiries while the far side is still finding out; the last one repeats.
const WAITS_SECONDS: [u64; 5] = [1, 2, 5, 10, 30];

impl Payment {
    pub(super) fn submit(&mut self, card: Submission, policy: &Policy) -> Decision {
        let at = card.identity.transmission_at;
        if at >= self.expires_at {
            return Err(Refusal::SessionOver);
        }
        if retry::is_blocked(&self.attempts, &card.card.fingerprint, at) {
            return Err(Refusal::RetryBlocked);
        }
        let n = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
        let Submission { id, card, identity, reversal_id, caller } = card;
        self.caller = caller;
        self.attempts.push(Attempt::new(id, n, card, identity, reversal_id));
        self.state = State::Processing;
        self.due_at = Some(at.plus(policy.processor_deadline).plus(LOST_AFTER));
        Ok(vec![Effect::Announce(Announcement::Processing)])
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
        capture: NewCapture,
        policy: &Policy,
    ) -> Decision {
        let requested = self.amounts.requested;
        let attempt = self.open_attempt(id)?;
        match answer.verdict(requested) {
            Verdict::Approved => Ok(self.approve(answer, requested, Some(capture))),
            Verdict::Partial(amount) if policy.accept_partial => {
                Ok(self.approve(answer, amount, None))
            }
            Verdict::Partial(amount) => {
                attempt.reject(answer, DeclineCode::PARTIAL_APPROVAL, AttemptState::Declined);
                self.give_back(amount, MinorUnits::ZERO, Reason::Cancellation, answer.at);
                Ok(self.after_decline(policy))
            }
            Verdict::OtherAmount(amount) => {
                attempt.reject(answer, DeclineCode::AMOUNT_MISMATCH, AttemptState::Reversed);
                self.give_back(amount, MinorUnits::ZERO, Reason::AmountIncorrect, answer.at);
                self.end(State::Failed);
                Ok(vec![Effect::AmountAlarm(id), Effect::Announce(Announcement::Failed)])
            }
            Verdict::Declined => {
                attempt.decline(answer);
                Ok(self.after_decline(policy))
            }
            Verdict::Undecided => Ok(self.undecided(answer, policy)),
        }
    }

    fn approve(
        &mut self,
        answer: &Answer,
        amount: MinorUnits,
        capture: Option<NewCapture>,
    ) -> Vec<Effect> {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.approve(answer, amount);
            let window = authorization_window(attempt.card.brand);
            self.capture_before = Some(answer.at.plus(window));
        }
        self.network_transaction_id.clone_from(&answer.network_transaction_id);
        self.amounts.authorized = amount;
        match (self.capture_mode, capture) {
            (CaptureMode::Automatic, Some(NewCapture { id, identity })) => {
                self.captures.push(Capture::new(id, identity, amount));
                self.amounts.captured = amount;
                self.end(State::Captured);
                vec![Effect::Announce(Announcement::Captured)]
            }
            (CaptureMode::Automatic, None) | (CaptureMode::Manual, _) => {
                self.state = State::Authorized;
                self.due_at = self.capture_before;
                vec![Effect::Announce(Announcement::Authorized)]
            }
        }
    }

    fn after_decline(&mut self, policy: &Policy) -> Vec<Effect> {
        let tries = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        if tries < policy.attempts_max {
            self.state = State::RequiresPaymentMethod;
            self.due_at = Some(self.expires_at);
            vec![Effect::Announce(Announcement::AttemptFailed)]
        } else {
            self.end(State::Failed);
            vec![Effect::Announce(Announcement::Failed)]
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
        let requested = self.amounts.requested;
        self.give_back(requested, MinorUnits::ZERO, Reason::Timeout, at);
        self.state = State::OutcomeUnknown(Search::Reversing);
        self.due_at = Some(at.plus(policy.resolve_limit));
        Vec::new()
    }

    fn fail_fast(&mut self, at: Timestamp) -> Vec<Effect> {
        let requested = self.amounts.requested;
        self.give_back(requested, MinorUnits::ZERO, Reason::Timeout, at);
        self.give_up(at)
    }

    /// The payment fails while its reversal is still on its way.
    pub(super) fn give_up(&mut self, at: Timestamp) -> Vec<Effect> {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.give_up(at);
        }
        self.end(State::Failed);
        vec![Effect::Announce(Announcement::Failed)]
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
        if let Some(id) = self.attempts.last().map(|attempt| attempt.reversal_id) {
            self.queue_reversal(id, amount, remains, reason, at);
        }
    }

    /// The first reversal of an attempt has the attempt's own name; later ones bring theirs.
    pub(super) fn queue_reversal(
        &mut self,
        name: ReversalId,
        amount: MinorUnits,
        remains: MinorUnits,
        reason: Reason,
        at: Timestamp,
    ) {
        let Some(attempt) = self.attempts.last() else { return };
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
            ReversalState::Acknowledged => Ok(self.reversal_acknowledged(original, event)),
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
