//! The authorizations of a payment: one, several where cards share it, and what raises them.

use std::sync::Arc;

use wire::ids::{AttemptId, ReversalId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::changes::{minus, plus};
use super::{CaptureMode, Decision, Increment, NewCapture, Payment, Policy, Refusal, Rigid, State};
use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::capture::Capture;
use crate::domain::conversion::Conversion;
use crate::domain::network_profile::NetworkProfile;
use crate::domain::reversal::{Original, Reason};

impl Payment {
    /// What cards have authorized, oldest first: more than one only where they share the payment.
    pub fn authorizations(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.is_authorization())
    }

    /// The attempt whose card a payment is paid with: the last that was approved, else the last.
    pub fn shown_attempt(&self) -> Option<&Attempt> {
        self.authorizations().last().or(self.attempts.last())
    }

    /// The network's id of an authorization.
    pub fn network_id_of(&self, attempt: &Attempt) -> Option<String> {
        attempt.network_transaction_id.clone().or_else(|| self.network_transaction_id.clone())
    }

    /// What its payer has agreed to pay in the currency of the card.
    pub fn conversion_of(&self, attempt: AttemptId) -> Option<&Arc<Conversion>> {
        self.attempts.iter().find(|it| it.id == attempt)?.conversion.as_ref()
    }

    /// What is captured of an authorization.
    pub(super) fn captured_of(&self, attempt: AttemptId) -> MinorUnits {
        let counted = self.captures.iter().filter(|it| it.attempt == attempt && it.state.counts());
        counted.fold(MinorUnits::ZERO, |sum, it| plus(sum, it.amount))
    }

    /// What of an authorization is neither captured nor given back.
    fn open_of(&self, attempt: &Attempt) -> MinorUnits {
        minus(attempt.kept(), self.captured_of(attempt.id))
    }

    /// What captures may still take.
    pub fn capturable(&self) -> MinorUnits {
        let open = self.amounts.open();
        let mut authorizations = self.authorizations();
        match (authorizations.next(), authorizations.next()) {
            (Some(only), None) if !open.is_zero() => {
                minus(only.over_capture.cap(only.kept()), self.amounts.captured)
            }
            (_, _) => open,
        }
    }

    /// Whether the issuer approved a part only, and another card may pay the rest.
    pub fn lacks_a_part(&self) -> bool {
        self.state == State::Authorized
            && self.terms.accept_partial
            && !self.lacking().is_zero()
            && self.amounts.captured.is_zero()
            && self.amounts.reversed.is_zero()
    }

    /// Whether the payer's page still asks for the rest: nobody else will take the part.
    pub fn waits_for_the_rest(&self) -> bool {
        self.capture_mode == CaptureMode::Automatic && self.lacks_a_part()
    }

    /// The page's time is over before another card paid the rest: the part is given back.
    pub(super) fn drop_the_part(&mut self, at: Timestamp) -> Decision {
        let name = self.authorizations().next().map(|it| it.reversal_id);
        let name = name.ok_or(Refusal::NotWaiting)?;
        self.void(None, name, at)
    }

    /// What of the requested amount no card has paid.
    pub fn lacking(&self) -> MinorUnits {
        minus(self.amounts.requested, self.amounts.authorized)
    }

    /// Shares an amount out over the authorizations, oldest first. What is more than all of them
    /// have open goes to the first.
    fn shares(&self, amount: MinorUnits, newest_first: bool) -> Vec<(AttemptId, MinorUnits)> {
        let mut left = amount;
        let mut order: Vec<&Attempt> = self.authorizations().collect();
        if newest_first {
            order.reverse();
        }
        let mut shares = Vec::new();
        for attempt in order {
            let share = self.open_of(attempt).min(left);
            if !share.is_zero() {
                shares.push((attempt.id, share));
                left = minus(left, share);
            }
        }
        if let Some((_, first)) = shares.first_mut() {
            *first = plus(*first, left);
        }
        shares
    }

    /// Makes the captures that take `amount`; none where a capture has no name.
    pub(super) fn take(
        &mut self,
        amount: MinorUnits,
        first: NewCapture,
        more: Vec<NewCapture>,
    ) -> bool {
        let shares = self.shares(amount, false);
        let names: Vec<NewCapture> = std::iter::once(first).chain(more).collect();
        if shares.is_empty() || names.len() < shares.len() {
            return false;
        }
        for ((attempt, share), NewCapture { id, identity }) in shares.into_iter().zip(names) {
            self.captures.push(Capture::new(id, identity, attempt, share));
        }
        self.amounts.captured = plus(self.amounts.captured, amount);
        true
    }

    /// Gives a part of what is open back to the issuers, that of the newest card first.
    pub(super) fn release(
        &mut self,
        name: ReversalId,
        part: MinorUnits,
        reason: Reason,
        at: Timestamp,
    ) {
        self.amounts.reversed = plus(self.amounts.reversed, part);
        for (n, (id, share)) in (0_u8..).zip(self.shares(part, true)) {
            let Some(attempt) = self.attempts.iter_mut().find(|it| it.id == id) else { continue };
            attempt.released = plus(attempt.released, share);
            let (authorized, remains) = (attempt.approved, attempt.kept());
            self.queue_reversal(id, numbered(name, n), (authorized, remains), reason, at);
        }
    }

    /// Sends the request for more money on the open authorization.
    pub(super) fn increment(&mut self, new: Increment, policy: &Policy) -> Decision {
        let at = new.identity.transmission_at;
        let base = self.base_of(&new, at)?;
        let card = base.card.clone();
        if new.amount.is_zero() || self.amounts.authorized.checked_add(new.amount).is_none() {
            return Err(Refusal::InvalidAmount);
        }
        let n = self.next_n();
        let asked = (AttemptKind::Increment, new.amount);
        let mut attempt = Attempt::new(new.id, n, asked, card, new.identity, new.reversal_id);
        attempt.over_cap = new.over_cap;
        self.caller = new.caller;
        Ok(self.send(attempt, policy))
    }

    /// The authorization that an increment raises, if it may.
    fn base_of(&self, new: &Increment, at: Timestamp) -> Result<&Attempt, Refusal> {
        let rigid = |why| Err(Refusal::NotIncrementable(why));
        if !self.terms.estimated {
            return rigid(Rigid::Final);
        }
        if self.capture_before.is_some_and(|before| at >= before) {
            return Err(Refusal::AuthorizationOver);
        }
        let mut bases = self.authorizations();
        let (Some(base), None) = (bases.next(), bases.next()) else { return rigid(Rigid::Split) };
        let category = self.terms.category.as_deref().unwrap_or(&new.category);
        if !NetworkProfile::of(base.card.brand).takes_increments(category, &new.country) {
            return rigid(Rigid::Network);
        }
        // A reversal names what remains of the authorization: it must not meet one that was
        // raised in between.
        let of_base = |it: &&super::Reversal| it.original == Original::Attempt(base.id);
        if self.reversals.iter().filter(of_base).any(super::Reversal::is_open) {
            return rigid(Rigid::Releasing);
        }
        Ok(base)
    }

    /// An increment was approved: the authorization it raises grows.
    pub(super) fn raise(&mut self, amount: MinorUnits, at: Timestamp) {
        let Some(base) = self.attempts.iter_mut().find(|it| it.is_authorization()) else { return };
        base.approved = plus(base.approved, amount);
        self.amounts.authorized = plus(self.amounts.authorized, amount);
        self.amounts.requested = plus(self.amounts.requested, amount);
        let profile = NetworkProfile::of(base.card.brand);
        if profile.increment_extends {
            self.capture_before = Some(at.plus(profile.window(true, false)));
        }
    }
}

/// The names of the second and later reversals of one event follow from that of the first.
fn numbered(name: ReversalId, n: u8) -> ReversalId {
    let mut bytes = *name.bytes();
    if let Some(last) = bytes.last_mut() {
        *last = last.wrapping_add(n);
    }
    ReversalId::from_bytes(bytes)
}
