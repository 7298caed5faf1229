//! What captures, voids, expiry and refunds do to a payment.

use wire::ids::{AttemptId, CaptureId, RefundId, ReversalId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::{Announcement, CaptureRequest, Decision, Effect, Payment, Policy, Refusal, State};
use crate::domain::capture::{Capture, CaptureState};
use crate::domain::refund::{NewRefund, Refund, RefundEvent, RefundOutcome};
use crate::domain::reversal::{Original, Reason, Reversal, ReversalState, backoff};

/// An amount that was asked for, or all that is left; never zero and never more than is left.
fn part_of(left: MinorUnits, asked: Option<MinorUnits>) -> Result<MinorUnits, Refusal> {
    let amount = asked.unwrap_or(left);
    if amount > left || left.is_zero() {
        Err(Refusal::AmountTooLarge(left))
    } else if amount.is_zero() {
        Err(Refusal::InvalidAmount)
    } else {
        Ok(amount)
    }
}

pub(super) fn minus(whole: MinorUnits, part: MinorUnits) -> MinorUnits {
    whole.checked_sub(part).unwrap_or_default()
}

pub(super) fn plus(one: MinorUnits, two: MinorUnits) -> MinorUnits {
    // Both are parts of one authorized amount, so the sum cannot be out of range.
    one.checked_add(two).unwrap_or(MinorUnits::MAX)
}

impl Payment {
    pub(super) fn capture(&mut self, request: CaptureRequest) -> Decision {
        let at = request.capture.identity.transmission_at;
        if self.capture_before.is_some_and(|before| at >= before) {
            return Err(Refusal::AuthorizationOver);
        }
        let open = self.amounts.open();
        // Without an amount it is what is open; a tip has to be named.
        let amount = part_of(self.capturable(), request.amount.or(Some(open)))?;
        let rest = minus(open, amount);
        if !self.take(amount, request.capture, request.more) {
            return Err(Refusal::NotWaiting);
        }
        if request.is_final.unwrap_or(rest.is_zero()) && !rest.is_zero() {
            self.release(request.reversal, rest, Reason::CompletedPartially, at);
        }
        Ok(vec![self.settle_state()])
    }

    /// The state that the amounts of an approved payment amount to.
    fn settle_state(&mut self) -> Effect {
        let announcement = if !self.amounts.open().is_zero() {
            self.due_at = self.capture_before;
            if self.amounts.captured.is_zero() {
                self.state = State::Authorized;
                Announcement::Authorized
            } else {
                self.state = State::PartiallyCaptured;
                Announcement::PartiallyCaptured
            }
        } else if self.amounts.captured.is_zero() {
            self.end(State::Canceled);
            Announcement::Canceled
        } else {
            self.end(State::Captured);
            Announcement::Captured
        };
        Effect::Announce(announcement)
    }

    fn pending_capture(&mut self, id: CaptureId) -> Result<&mut Capture, Refusal> {
        self.captures
            .iter_mut()
            .find(|it| it.id == id && it.state == CaptureState::Pending)
            .ok_or(Refusal::NotWaiting)
    }

    pub(super) fn capture_accepted(&mut self, id: CaptureId) -> Decision {
        let capture = self.pending_capture(id)?;
        capture.state = CaptureState::Succeeded;
        capture.due_at = None;
        Ok(Vec::new())
    }

    pub(super) fn capture_unanswered(
        &mut self,
        id: CaptureId,
        at: Timestamp,
        jitter_permille: u32,
    ) -> Decision {
        let capture = self.pending_capture(id)?;
        capture.tries = capture.tries.saturating_add(1);
        capture.due_at = Some(at.plus(backoff(capture.tries, jitter_permille)));
        Ok(Vec::new())
    }

    pub(super) fn capture_refused(&mut self, id: CaptureId) -> Decision {
        let capture = self.pending_capture(id)?;
        capture.state = CaptureState::Failed;
        capture.due_at = None;
        let amount = capture.amount;
        self.amounts.captured = minus(self.amounts.captured, amount);
        self.state = State::CaptureFailed;
        self.due_at = self.capture_before;
        Ok(vec![Effect::Announce(Announcement::CaptureFailed)])
    }

    fn capture_in(&mut self, id: CaptureId, state: CaptureState) -> Result<&mut Capture, Refusal> {
        let found = self.captures.iter_mut().find(|it| it.id == id && it.state == state);
        found.ok_or(Refusal::NotWaiting)
    }

    /// The money still counts as captured: the same record is presented again, or written off.
    pub(super) fn capture_rejected(&mut self, id: CaptureId) -> Decision {
        self.capture_in(id, CaptureState::Succeeded)?.state = CaptureState::Rejected;
        self.state = State::CaptureFailed;
        Ok(vec![Effect::Announce(Announcement::CaptureFailed)])
    }

    pub(super) fn capture_presented(&mut self, id: CaptureId) -> Decision {
        self.capture_in(id, CaptureState::Rejected)?.state = CaptureState::Succeeded;
        if self.captures.iter().any(|it| it.state == CaptureState::Rejected) {
            return Ok(Vec::new());
        }
        Ok(vec![self.settle_state()])
    }

    /// Nobody gets this money: what it held of the authorization is given back.
    pub(super) fn write_off(&mut self, id: CaptureId, name: ReversalId, at: Timestamp) -> Decision {
        let refunded = self.refunds_held();
        let captured = self.amounts.captured;
        let capture = self.capture_in(id, CaptureState::Rejected)?;
        let left = minus(captured, capture.amount);
        if refunded > left {
            // It was given back before it was refused: the books keep both, the loss is the merchant's.
            return Ok(Vec::new());
        }
        capture.state = CaptureState::Failed;
        self.amounts.captured = left;
        if self.captures.iter().any(|it| it.state == CaptureState::Rejected) {
            return Ok(Vec::new());
        }
        let open = self.amounts.open();
        if !open.is_zero() {
            self.release(name, open, Reason::Expired, at);
        }
        let (state, announcement) = if self.amounts.captured.is_zero() {
            (State::Failed, Announcement::Failed)
        } else {
            (State::Captured, Announcement::Captured)
        };
        self.end(state);
        Ok(vec![Effect::Announce(announcement)])
    }

    pub(super) fn void(
        &mut self,
        amount: Option<MinorUnits>,
        name: ReversalId,
        at: Timestamp,
    ) -> Decision {
        if self.state == State::Captured {
            return self.void_captures(amount, name, at);
        }
        let part = part_of(self.amounts.open(), amount)?;
        self.release(name, part, Reason::Cancellation, at);
        Ok(vec![self.settle_state()])
    }

    /// Takes back captures that are still queued, and with them the whole authorization.
    fn void_captures(
        &mut self,
        amount: Option<MinorUnits>,
        name: ReversalId,
        at: Timestamp,
    ) -> Decision {
        if amount.is_some_and(|amount| amount != self.amounts.captured) {
            return Err(Refusal::AmountTooLarge(MinorUnits::ZERO));
        }
        if self.refunds.iter().any(|refund| refund.state.holds()) {
            return Err(Refusal::AlreadyRefunded);
        }
        for capture in self.captures.iter_mut().filter(|it| it.state.counts()) {
            capture.state = CaptureState::Withdrawn;
            capture.due_at = None;
        }
        self.amounts.captured = MinorUnits::ZERO;
        let kept = minus(self.amounts.authorized, self.amounts.reversed);
        self.release(name, kept, Reason::Cancellation, at);
        Ok(vec![self.settle_state()])
    }

    pub(super) fn expire(&mut self, name: ReversalId, at: Timestamp) -> Decision {
        if self.capture_before.is_none_or(|before| at < before) {
            return Err(Refusal::NotWaiting);
        }
        let open = self.amounts.open();
        let rejected = self.captures.iter().any(|it| it.state == CaptureState::Rejected);
        if rejected && open.is_zero() {
            return Err(Refusal::NotWaiting);
        }
        // Nothing is open where a refused capture left nothing to give back.
        if !open.is_zero() {
            self.release(name, open, Reason::Expired, at);
        }
        if rejected {
            // Its end comes with the record's.
            self.due_at = None;
            return Ok(Vec::new());
        }
        let (state, announcement) = match (self.amounts.captured.is_zero(), self.state) {
            (false, _) => (State::Captured, Announcement::Captured),
            (true, State::CaptureFailed) => (State::Failed, Announcement::Failed),
            (true, _) => (State::Expired, Announcement::Expired),
        };
        self.end(state);
        Ok(vec![Effect::Announce(announcement)])
    }

    /// What of the captured amount is given back, or may be.
    pub fn refunds_held(&self) -> MinorUnits {
        let held = self.refunds.iter().filter(|refund| refund.state.holds());
        held.fold(MinorUnits::ZERO, |sum, refund| plus(sum, refund.amount))
    }

    /// The authorization that the next refund goes to: the first with anything left. Where several
    /// cards paid, they are refunded card by card.
    fn refundable(&self) -> Option<(AttemptId, MinorUnits)> {
        let left = |id: AttemptId| {
            let held = self.refunds.iter().filter(|it| it.attempt == id && it.state.holds());
            let held = held.fold(MinorUnits::ZERO, |sum, it| plus(sum, it.amount));
            (id, minus(self.captured_of(id), held))
        };
        let all = || self.authorizations().map(|it| left(it.id));
        all().find(|(_, left)| !left.is_zero()).or_else(|| all().next())
    }

    pub(super) fn refund(&mut self, new: NewRefund, policy: &Policy) -> Decision {
        let at = new.identity.transmission_at;
        let attempt = self.refundable().ok_or(Refusal::NotCaptured)?;
        if at.since(self.created_at) >= policy.refund_window {
            return Err(Refusal::RefundWindowClosed);
        }
        // Only what the processor and the network have taken: a capture may still be refused.
        let waits =
            |it: &&Capture| matches!(it.state, CaptureState::Pending | CaptureState::Rejected);
        let pending = self.captures.iter().filter(waits);
        let pending = pending.fold(MinorUnits::ZERO, |sum, it| plus(sum, it.amount));
        let (attempt, left) = attempt;
        let amount = part_of(left, new.amount)?;
        if amount > minus(left, pending) {
            return Err(Refusal::CapturePending);
        }
        let id = new.id;
        let mut refund = Refund::new(new, attempt, amount);
        refund.card_amount = self.refund_on_card(attempt, amount)?;
        self.refunds.push(refund);
        Ok(vec![Effect::Announce(Announcement::RefundCreated(id))])
    }

    /// What the payer of a converted payment gets back, at the rate of the payment.
    fn refund_on_card(
        &self,
        attempt: AttemptId,
        amount: MinorUnits,
    ) -> Result<Option<MinorUnits>, Refusal> {
        let Some(conversion) = self.conversion_of(attempt) else { return Ok(None) };
        let held = self.refunds.iter().filter(|it| it.attempt == attempt && it.state.holds());
        let held = held.fold((MinorUnits::ZERO, MinorUnits::ZERO), |(own, card), it| {
            (plus(own, it.amount), plus(card, it.card_amount.unwrap_or_default()))
        });
        let on_card = conversion.refund_of(amount, held);
        // Less than the smallest unit of the card's currency cannot be given back.
        if on_card.is_zero() { Err(Refusal::InvalidAmount) } else { Ok(Some(on_card)) }
    }

    pub(super) fn on_refund(
        &mut self,
        id: RefundId,
        event: &RefundEvent,
        at: Timestamp,
    ) -> Decision {
        let refund = self.refunds.iter_mut().find(|it| it.id == id).ok_or(Refusal::NotWaiting)?;
        let outcome = refund.apply(event).map_err(|refusal| Refusal::RefundDecided(refusal.0))?;
        let (amount, reversal_id) = (refund.amount, refund.reversal_id);
        match outcome {
            RefundOutcome::Quiet => Ok(Vec::new()),
            RefundOutcome::Succeeded => {
                self.amounts.refunded = plus(self.amounts.refunded, amount);
                Ok(vec![Effect::Announce(Announcement::RefundSucceeded(id))])
            }
            RefundOutcome::Failed => Ok(vec![Effect::Announce(Announcement::RefundFailed(id))]),
            RefundOutcome::CameBack => {
                self.amounts.refunded = minus(self.amounts.refunded, amount);
                Ok(vec![Effect::Announce(Announcement::RefundFailed(id))])
            }
            RefundOutcome::Reversed => {
                self.amounts.refunded = minus(self.amounts.refunded, amount);
                self.reversals.push(Reversal {
                    id: reversal_id,
                    original: Original::Refund(id),
                    reason: Reason::Cancellation,
                    amount,
                    remains: MinorUnits::ZERO,
                    transmission_at: at,
                    state: ReversalState::Queued,
                    response_code: None,
                    tries: 0,
                    due_at: Some(at),
                });
                Ok(vec![Effect::Announce(Announcement::RefundFailed(id))])
            }
        }
    }
}
