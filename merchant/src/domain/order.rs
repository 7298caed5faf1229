//! An order: its frozen total, its payments, its refunds, and what may happen to it.

mod state;

use wire::card::contains_card_number;
use wire::codes::Family;
use wire::ids::{OrderId, PaymentId};
use wire::money::{MinorUnits, Money};
use wire::time::Timestamp;

use super::customer::Customer;
use super::operator::Actor;
use super::payment::{
    News, Payment, RefundNews, RefundOutcome, Snapshot, Source, Status as PaymentStatus,
};
use super::refund::{self, ELSEWHERE, REASON_MAX, Refund, SEND_AGAIN_AFTER};

pub use state::{Attention, Effect, Event, Refusal, State, Status, Unpaid};

/// Most tries to pay one order.
pub const PAYMENTS_MAX: usize = 20;

/// One position, with name and price as they were when the order was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which product.
    pub sku: String,
    /// Its name then.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// Its price then, in the order's currency.
    pub unit_price: MinorUnits,
}

impl Line {
    /// Price of the line.
    pub fn total(&self) -> MinorUnits {
        self.unit_price.checked_times(i64::from(self.quantity)).unwrap_or(MinorUnits::MAX)
    }
}

/// Why the gateway's word does not fit this order. Nothing changes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It names another order.
    #[error("the order reference differs")]
    Order,
    /// The payment is none of this order's.
    #[error("the payment does not belong to this order")]
    Payment,
    /// Another amount.
    #[error("the amount differs from the order's total")]
    Amount,
    /// Another currency.
    #[error("the currency differs from the order's")]
    Currency,
    /// Captured, but not all of it.
    #[error("the captured amount differs from the order's total")]
    Captured,
    /// More refunded than captured.
    #[error("more is refunded than captured")]
    Refunded,
}

impl Mismatch {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order_mismatch",
            Self::Payment => "payment_mismatch",
            Self::Amount => "amount_mismatch",
            Self::Currency => "currency_mismatch",
            Self::Captured => "captured_amount_mismatch",
            Self::Refunded => "refunded_amount_mismatch",
        }
    }
}

/// What news did to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Whether it counted.
    pub news: News,
    /// What follows.
    pub effects: Vec<Effect>,
}

/// An order with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id; also the reference at the gateway.
    pub id: OrderId,
    /// Who ordered.
    pub customer: Customer,
    /// What, at which price.
    pub lines: Vec<Line>,
    /// Frozen when the order was placed.
    pub total: Money,
    /// Where it stands.
    pub state: State,
    /// Why a person has to look.
    pub attention: Option<Attention>,
    /// Every payment, oldest first; the last is the current one.
    pub payments: Vec<Payment>,
    /// Every refund, oldest first.
    pub refunds: Vec<Refund>,
    /// When it was placed.
    pub placed_at: Timestamp,
}

impl Order {
    /// The status in one word.
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// The payment that counts.
    pub fn current(&self) -> Option<&Payment> {
        self.payments.last()
    }

    /// The current payment, if it may still be paid.
    pub fn open_payment(&self) -> Option<&Payment> {
        self.current().filter(|payment| payment.status.is_open())
    }

    /// Applies what happened; a refusal changes nothing.
    pub fn apply(&mut self, event: Event) -> Result<Vec<Effect>, Refusal> {
        self.state.apply(self.total, event)
    }

    /// Whether the customer may pay it now.
    pub const fn may_be_paid(&self) -> bool {
        matches!(self.state, State::Unpaid(Unpaid::Awaiting | Unpaid::Declined { .. }))
    }

    /// Begins a payment, or says which one is already open. One is open at a time.
    pub fn begin_payment(
        &mut self,
        make: impl FnOnce(&Self, u32) -> Payment,
    ) -> Result<u32, Refusal> {
        if let Some(open) = self.open_payment() {
            let number = open.number;
            self.apply(Event::PaymentBegun)?;
            return Ok(number);
        }
        if self.payments.len() >= PAYMENTS_MAX {
            return Err(Refusal::TooManyPayments);
        }
        self.apply(Event::PaymentBegun)?;
        let number = self.payments.last().map_or(1, |payment| payment.number.saturating_add(1));
        let payment = make(self, number);
        self.payments.push(payment);
        Ok(number)
    }

    /// Takes the gateway's word in, after comparing it with what was ordered.
    pub fn observe(
        &mut self,
        snapshot: &Snapshot,
        source: Source,
        now: Timestamp,
    ) -> Result<Observation, Mismatch> {
        self.compare(snapshot)?;
        let last = self.payments.last().map(|payment| payment.number);
        let payment = self.payment_of(snapshot).ok_or(Mismatch::Payment)?;
        let news = payment.learn(snapshot, source, now);
        let (is_current, payment) = (Some(payment.number) == last, payment.clone());
        let mut effects = Vec::new();
        if news == News::Fresh {
            for event in events_of(&payment, snapshot, is_current) {
                // Refusals concern what people ask for; news of the gateway are never refused.
                effects.extend(self.apply(event).unwrap_or_default());
            }
            self.settle_refunds(snapshot, now);
        }
        for effect in &effects {
            if let Effect::Flag(attention) = effect {
                self.attention = Some(*attention);
            }
        }
        Ok(Observation { news, effects })
    }

    /// Whether the gateway speaks of what was ordered here.
    fn compare(&self, snapshot: &Snapshot) -> Result<(), Mismatch> {
        if snapshot.order_reference != self.id.to_string() {
            return Err(Mismatch::Order);
        }
        if snapshot.amount.currency != self.total.currency {
            return Err(Mismatch::Currency);
        }
        if snapshot.amount != self.total {
            return Err(Mismatch::Amount);
        }
        if snapshot.status == PaymentStatus::Captured && snapshot.captured != self.total.value {
            return Err(Mismatch::Captured);
        }
        if snapshot.refunded > snapshot.captured {
            return Err(Mismatch::Refunded);
        }
        Ok(())
    }

    /// The payment with this id, or the one just asked for with this key.
    fn payment_of(&mut self, snapshot: &Snapshot) -> Option<&mut Payment> {
        self.payments.iter_mut().find(|payment| match payment.id {
            Some(id) => id == snapshot.payment,
            None => {
                payment.status == PaymentStatus::Creating
                    && snapshot.idempotency_key.as_ref() == Some(&payment.idempotency_key)
            }
        })
    }

    /// The number of the payment that a snapshot is about.
    pub fn payment_number(&self, payment: PaymentId) -> Option<u32> {
        self.payments.iter().find(|it| it.id == Some(payment)).map(|it| it.number)
    }

    /// The payment with this number.
    pub fn payment_mut(&mut self, number: u32) -> Option<&mut Payment> {
        self.payments.iter_mut().find(|payment| payment.number == number)
    }

    /// The payment with this number.
    pub fn payment(&self, number: u32) -> Option<&Payment> {
        self.payments.iter().find(|payment| payment.number == number)
    }

    /// The refund with this number.
    pub fn refund_mut(&mut self, number: u32) -> Option<&mut Refund> {
        self.refunds.iter_mut().find(|refund| refund.number == number)
    }

    /// Brings the shop's refunds in line with the gateway's list.
    fn settle_refunds(&mut self, snapshot: &Snapshot, now: Timestamp) {
        for news in &snapshot.refunds {
            let known = self.refunds.iter().position(|it| it.state.id() == Some(news.id));
            let Some(refund) = known.and_then(|index| self.refunds.get_mut(index)) else {
                self.note_foreign_refund(news, now);
                continue;
            };
            let event = match news.outcome {
                RefundOutcome::Pending => refund::Event::Accepted { id: news.id },
                RefundOutcome::Succeeded => refund::Event::Succeeded { id: news.id },
                RefundOutcome::Failed => refund::Event::Failed {
                    id: news.id,
                    code: news.failure.clone().unwrap_or_else(|| "failed".to_owned()),
                },
            };
            if news.moved_to.is_some() {
                refund.moved_to.clone_from(&news.moved_to);
            }
            // A refund with a gateway id was sent: the gateway's word always fits.
            let _changed = refund.apply(event).unwrap_or(false);
        }
    }

    /// Keeps a refund that was made elsewhere. While one of ours has no answer yet, a new id may
    /// be that answer: then its own repeat will tell.
    fn note_foreign_refund(&mut self, news: &RefundNews, now: Timestamp) {
        if self.refunds.iter().any(|refund| refund.state == refund::State::Sending) {
            return;
        }
        let id = news.id;
        let number = self.refunds.last().map_or(1, |refund| refund.number.saturating_add(1));
        self.refunds.push(Refund {
            number,
            amount: news.amount.value,
            reason: news.reason.clone().unwrap_or_default(),
            requested_by: ELSEWHERE.to_owned(),
            needs_second_person: false,
            decided_by: None,
            idempotency_key: String::new(),
            request_key: None,
            state: match news.outcome {
                RefundOutcome::Pending => refund::State::Pending { id },
                RefundOutcome::Succeeded => refund::State::Succeeded { id },
                RefundOutcome::Failed => refund::State::Failed {
                    id: Some(id),
                    code: news.failure.clone().unwrap_or_else(|| "failed".to_owned()),
                },
            },
            moved_to: news.moved_to.clone(),
            send_due_at: None,
            created_at: now,
        });
    }

    /// What can still be given back.
    pub fn refundable(&self) -> MinorUnits {
        let State::Fulfilled { captured, refunded, .. } = &self.state else {
            return MinorUnits::ZERO;
        };
        let sum = |counts: fn(&refund::State) -> bool| {
            let kept = self.refunds.iter().filter(|refund| counts(&refund.state));
            kept.fold(0_i64, |sum, refund| sum.saturating_add(refund.amount.get()))
        };
        let reserved = sum(refund::State::reserves);
        let underway =
            sum(|state| matches!(state, refund::State::AwaitingApproval | refund::State::Sending));
        // Refunds made elsewhere (the gateway's own dashboard) count as well.
        let gone = reserved.max(refunded.get().saturating_add(underway));
        MinorUnits::new(captured.get().saturating_sub(gone)).unwrap_or(MinorUnits::ZERO)
    }

    /// Asks for a refund. Above `alone_max` without a second person's word it waits for approval;
    /// what one order got back without that word counts together, so that splitting does not help.
    pub fn request_refund(
        &mut self,
        request: RefundRequest,
        alone_max: MinorUnits,
        now: Timestamp,
    ) -> Result<&Refund, refund::Refusal> {
        let known = |refund: &Refund| {
            request.request_key.is_some() && refund.request_key == request.request_key
        };
        if let Some(index) = self.refunds.iter().position(known) {
            return self.refunds.get(index).ok_or(refund::Refusal::NotSent);
        }
        let amount = self.check_refund(&request)?;
        let alone = self
            .refunds
            .iter()
            .filter(|refund| refund.state.reserves() && refund.decided_by.is_none())
            .filter(|refund| refund.requested_by != ELSEWHERE)
            .fold(amount.get(), |sum, refund| sum.saturating_add(refund.amount.get()));
        let waits = alone > alone_max.get();
        let number = self.refunds.last().map_or(1, |refund| refund.number.saturating_add(1));
        self.refunds.push(Refund {
            number,
            amount,
            reason: request.reason,
            requested_by: request.actor.name,
            needs_second_person: waits,
            decided_by: None,
            idempotency_key: format!("{}-refund-{number}", self.id),
            request_key: request.request_key,
            state: if waits { refund::State::AwaitingApproval } else { refund::State::Sending },
            moved_to: None,
            // It is sent at once; this is for the case that nobody gets around to it.
            send_due_at: (!waits).then(|| now.plus(SEND_AGAIN_AFTER)),
            created_at: now,
        });
        self.refunds.last().ok_or(refund::Refusal::NotSent)
    }

    fn check_refund(&self, request: &RefundRequest) -> Result<MinorUnits, refund::Refusal> {
        if !request.actor.role.may_refund() {
            return Err(refund::Refusal::Role);
        }
        if !matches!(self.state, State::Fulfilled { .. }) {
            return Err(refund::Refusal::NotPaid);
        }
        if request.reason.is_empty() || request.reason.chars().count() > REASON_MAX {
            return Err(refund::Refusal::Reason);
        }
        if contains_card_number(&request.reason) {
            return Err(refund::Refusal::ReasonIsCardNumber);
        }
        let left = self.refundable();
        let amount = request.amount.unwrap_or(left);
        if request.amount.is_some_and(MinorUnits::is_zero) {
            return Err(refund::Refusal::Nothing);
        }
        if amount > left || amount.is_zero() {
            return Err(refund::Refusal::TooMuch);
        }
        Ok(amount)
    }

    /// A second person agrees or says no.
    pub fn decide_refund(
        &mut self,
        number: u32,
        actor: &Actor,
        agrees: bool,
        now: Timestamp,
    ) -> Result<(), refund::Refusal> {
        if !actor.role.may_refund() {
            return Err(refund::Refusal::Role);
        }
        let by = actor.name.clone();
        let refund = self.refund_mut(number).ok_or(refund::Refusal::NotWaiting)?;
        let event =
            if agrees { refund::Event::Approved { by } } else { refund::Event::Rejected { by } };
        refund.apply(event)?;
        refund.send_due_at = agrees.then(|| now.plus(SEND_AGAIN_AFTER));
        Ok(())
    }
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// All that is left when absent.
    pub amount: Option<MinorUnits>,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub actor: Actor,
    /// Key of the form or call, so that a double click asks once.
    pub request_key: Option<String>,
}

/// What the gateway's word means for the order.
fn events_of(payment: &Payment, snapshot: &Snapshot, is_current: bool) -> Vec<Event> {
    if !is_current {
        let money = !payment.captured.is_zero() && payment.status != PaymentStatus::Canceled;
        return if money { vec![Event::StrayCapture] } else { vec![] };
    }
    match payment.status {
        PaymentStatus::Creating | PaymentStatus::Refused => vec![],
        PaymentStatus::Open => match payment.declined {
            Some(family) if !payment.needs_action => vec![Event::AttemptDeclined { family }],
            Some(_) | None => vec![Event::PaymentOpen],
        },
        PaymentStatus::Checking | PaymentStatus::Authorized => vec![Event::CardSubmitted],
        PaymentStatus::Captured => {
            let captured = Money::new(payment.captured, snapshot.amount.currency);
            let mut events = vec![Event::Captured { payment: snapshot.payment, captured }];
            events.push(Event::Refunded { refunded: payment.refunded });
            events
        }
        PaymentStatus::CaptureFailed => vec![Event::CaptureFailed],
        PaymentStatus::Canceled => vec![Event::PaymentCanceled],
        PaymentStatus::Expired => vec![Event::PaymentExpired],
        PaymentStatus::Failed => {
            vec![Event::AttemptDeclined { family: payment.declined.unwrap_or(Family::Generic) }]
        }
    }
}

#[cfg(test)]
mod tests;
