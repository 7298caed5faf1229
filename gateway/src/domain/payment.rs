//! A payment: the amounts are the truth, the state says what may happen next.

mod answers;
mod authentication;
mod authorizations;
mod changes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wire::ids::{AttemptId, CaptureId, MerchantId, PaymentId, RefundId, ReversalId};
use wire::money::{Currency, MinorUnits};
use wire::three_ds::TransId;
use wire::time::Timestamp;

use super::answer::Answer;
use super::attempt::Attempt;
use super::capture::Capture;
use super::card::Card;
use super::conversion::Conversion;
use super::identity::Identity;
use super::refund::{NewRefund, Refund, RefundEvent, RefundState};
use super::reversal::{Reversal, ReversalEvent};
use super::stored_card::Saving;
use super::terms::Terms;
use super::three_ds::{Authentication, Limits, NewAuthentication};
pub use authentication::AuthenticationStep;

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Waiting for a card.
    RequiresPaymentMethod,
    /// A card was submitted, and 3-D Secure runs without the payer.
    Authenticating,
    /// The payer's bank asks the payer.
    RequiresAction,
    /// An authorization is on its way.
    Processing,
    /// No answer came; it is being found out.
    OutcomeUnknown(Search),
    /// Approved, nothing captured.
    Authorized,
    /// A part is captured, the rest can be.
    PartiallyCaptured,
    /// All that will be is captured.
    Captured,
    /// A capture was refused by the processor.
    CaptureFailed,
    /// The account was found good, without money.
    Verified,
    /// Given up before it was paid, or voided.
    Canceled,
    /// The authorization ran out.
    Expired,
    /// Ended without money.
    Failed,
}

/// How an unknown outcome is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Search {
    /// Our deadline passed: one inquiry, then a reversal.
    Inquiring,
    /// The processor's deadline passed and it says so: it is asked until it knows.
    Waiting,
    /// A reversal is queued; its acknowledgement ends the search.
    Reversing,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 15] = [
        Self::RequiresPaymentMethod,
        Self::Authenticating,
        Self::RequiresAction,
        Self::Processing,
        Self::OutcomeUnknown(Search::Inquiring),
        Self::OutcomeUnknown(Search::Waiting),
        Self::OutcomeUnknown(Search::Reversing),
        Self::Authorized,
        Self::PartiallyCaptured,
        Self::Captured,
        Self::CaptureFailed,
        Self::Verified,
        Self::Canceled,
        Self::Expired,
        Self::Failed,
    ];

    /// The word as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::Authenticating => "authenticating",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::OutcomeUnknown(Search::Inquiring) => "unknown_inquiring",
            Self::OutcomeUnknown(Search::Waiting) => "unknown_waiting",
            Self::OutcomeUnknown(Search::Reversing) => "unknown_reversing",
            Self::Authorized => "authorized",
            Self::PartiallyCaptured => "partially_captured",
            Self::Captured => "captured",
            Self::CaptureFailed => "capture_failed",
            Self::Verified => "verified",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

/// When the money is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureMode {
    /// With the approval.
    Automatic,
    /// By a call of the merchant.
    Manual,
}

/// What has happened to the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// What was asked for, with every increment that was approved.
    pub requested: MinorUnits,
    /// What the issuers approved.
    pub authorized: MinorUnits,
    /// What of it was taken.
    pub captured: MinorUnits,
    /// What of it was given back before it was taken.
    pub reversed: MinorUnits,
    /// What of the captured amount was given back.
    pub refunded: MinorUnits,
}

impl Amounts {
    /// What was approved and is neither captured nor given back.
    pub fn open(&self) -> MinorUnits {
        self.authorized
            .checked_sub(self.reversed)
            .and_then(|rest| rest.checked_sub(self.captured))
            .unwrap_or_default()
    }
}

/// One line of what is paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// Minor units each.
    pub unit_price: MinorUnits,
}

/// What the merchant said about a payment and no rule looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Shown to the payer.
    pub description: Option<String>,
    /// Stands on the cardholder's statement.
    pub descriptor: Option<String>,
    /// Where the payer returns to.
    pub return_url: Option<String>,
    /// Where the payer goes who cancels.
    pub cancel_url: Option<String>,
    /// Who pays.
    pub customer_name: Option<String>,
    /// How to reach who pays.
    pub customer_email: Option<String>,
    /// What is paid for.
    pub lines: Vec<Line>,
    /// Free text pairs.
    pub metadata: BTreeMap<String, String>,
}

/// A payment with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// The merchant's own reference.
    pub order_reference: String,
    /// Its currency; never changes.
    pub currency: Currency,
    /// What has happened to the money.
    pub amounts: Amounts,
    /// When the money is captured.
    pub capture_mode: CaptureMode,
    /// What was agreed beside the amount.
    pub terms: Terms,
    /// Where it stands.
    pub state: State,
    /// Number of the last event.
    pub sequence: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the payment page ends.
    pub expires_at: Timestamp,
    /// Last moment for a capture.
    pub capture_before: Option<Timestamp>,
    /// When something happens by itself.
    pub due_at: Option<Timestamp>,
    /// The network's id, from the approval on.
    pub network_transaction_id: Option<String>,
    /// The call that waits for the outcome of the running attempt; a number that means nothing
    /// here.
    pub caller: Option<i64>,
    /// What the merchant said about it.
    pub details: Arc<Details>,
    /// Every try, oldest first.
    pub attempts: Vec<Attempt>,
    /// Every capture, oldest first.
    pub captures: Vec<Capture>,
    /// Every refund, oldest first.
    pub refunds: Vec<Refund>,
    /// Every reversal, oldest first.
    pub reversals: Vec<Reversal>,
    /// Every 3-D Secure authentication, oldest first.
    pub authentications: Vec<Authentication>,
}

/// A payment as it is asked for.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Its id.
    pub id: PaymentId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// The merchant's own reference.
    pub order_reference: String,
    /// Its currency.
    pub currency: Currency,
    /// How much.
    pub amount: MinorUnits,
    /// When the money is captured.
    pub capture_mode: CaptureMode,
    /// What was agreed beside the amount.
    pub terms: Terms,
    /// What the merchant said about it.
    pub details: Details,
    /// When it is created.
    pub at: Timestamp,
    /// When the payment page ends.
    pub expires_at: Timestamp,
}

/// The settings that rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Cards that may be tried for one payment.
    pub attempts_max: u32,
    /// Longest wait for the answer to one message.
    pub processor_deadline: Duration,
    /// Wait before the first status inquiry.
    pub inquiry_after: Duration,
    /// Longest time that an outcome stays unknown.
    pub resolve_limit: Duration,
    /// Whether a payment fails as soon as its reversal is queued.
    pub fail_fast: bool,
    /// Age up to which a payment can be refunded.
    pub refund_window: Duration,
    /// How long 3-D Secure waits.
    pub three_ds: Limits,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts_max: 10,
            processor_deadline: Duration::from_secs(20),
            inquiry_after: Duration::from_secs(2),
            resolve_limit: Duration::from_mins(1),
            fail_fast: false,
            refund_window: Duration::from_hours(180 * 24),
            three_ds: Limits::default(),
        }
    }
}

/// Slack after the deadline before an attempt without an outcome counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// What can happen to a payment.
#[derive(Clone, Debug)]
pub enum Event {
    /// A card was submitted.
    CardSubmitted(Submission),
    /// Something happened to the authentication of its holder.
    Authentication(Box<AuthenticationStep>),
    /// An answer to an attempt came: at once, late, or by inquiry.
    Answered {
        /// Of which attempt.
        attempt: AttemptId,
        /// What was answered.
        answer: Answer,
        /// The capture that follows an approval of an automatic payment.
        capture: NewCapture,
        /// The captures of its other authorizations.
        more: Vec<NewCapture>,
    },
    /// The request certainly never reached the far side, or was refused there unread.
    NotSent {
        /// Of which attempt.
        attempt: AttemptId,
        /// When that was clear.
        at: Timestamp,
    },
    /// No answer came before the deadline, or none that can be read.
    Unanswered {
        /// Of which attempt.
        attempt: AttemptId,
        /// When that was clear.
        at: Timestamp,
    },
    /// An inquiry found nothing out: unanswered, or the request is not known.
    NothingFound(Timestamp),
    /// An inquiry was answered: the far side is still finding out.
    StillOpen(Timestamp),
    /// The outcome stayed unknown for too long.
    LimitReached(Timestamp),
    /// Something happened to a reversal.
    Reversal {
        /// Which.
        id: ReversalId,
        /// What.
        event: ReversalEvent,
        /// Longest age.
        age_max: Duration,
        /// Drawn part of the jitter, in thousandths.
        jitter_permille: u32,
    },
    /// The merchant asks for more money on an authorization that is open.
    Incremented(Increment),
    /// The merchant captures.
    Captured(CaptureRequest),
    /// The processor took a capture.
    CaptureAccepted(CaptureId),
    /// The processor refused a capture.
    CaptureRefused(CaptureId),
    /// No answer to a capture came; it is sent again.
    CaptureUnanswered {
        /// Which.
        id: CaptureId,
        /// When that was clear.
        at: Timestamp,
        /// Drawn part of the jitter, in thousandths.
        jitter_permille: u32,
    },
    /// The network refused the clearing record of a capture.
    CaptureRejected(CaptureId),
    /// A clearing record that was refused was presented again and taken.
    CapturePresented(CaptureId),
    /// A clearing record that was refused was never corrected.
    CaptureWrittenOff {
        /// Of which capture.
        id: CaptureId,
        /// Names the reversal where the attempt's own name is used up.
        reversal: ReversalId,
        /// When.
        at: Timestamp,
    },
    /// The merchant voids.
    Voided {
        /// A part only.
        amount: Option<MinorUnits>,
        /// Names the reversal where the attempt's own name is used up.
        reversal: ReversalId,
        /// When.
        at: Timestamp,
    },
    /// The time for captures is over.
    AuthorizationExpired {
        /// Names the reversal where the attempt's own name is used up.
        reversal: ReversalId,
        /// When.
        at: Timestamp,
    },
    /// The merchant or the payer gives up.
    Canceled(Timestamp),
    /// The time for the payment page is over.
    SessionExpired(Timestamp),
    /// The merchant refunds.
    Refunded(NewRefund),
    /// Something happened to a refund.
    Refund {
        /// Which.
        id: RefundId,
        /// What.
        event: RefundEvent,
        /// When.
        at: Timestamp,
    },
}

/// A card that was submitted.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Id of the attempt.
    pub id: AttemptId,
    /// The card.
    pub card: Card,
    /// Which message it is sent as.
    pub identity: Identity,
    /// The name of its reversal, should it need one.
    pub reversal_id: ReversalId,
    /// The call that waits for the outcome.
    pub caller: Option<i64>,
    /// The authentication that comes first.
    pub authentication: Option<NewAuthentication>,
    /// The payer agreed that the card is saved.
    pub saving: Option<Saving>,
    /// Last four digits of the network token that pays in the place of the card.
    pub network_token: Option<String>,
    /// The payer pays in the currency of the card.
    pub conversion: Option<Arc<Conversion>>,
    /// It goes over a cap: a person is to look before anything is captured.
    pub over_cap: bool,
}

/// Names a capture before it is made.
#[derive(Clone, Copy, Debug)]
pub struct NewCapture {
    /// Its id.
    pub id: CaptureId,
    /// Which message it is sent as.
    pub identity: Identity,
}

/// An increment as the merchant asks for it.
#[derive(Clone, Debug)]
pub struct Increment {
    /// Id of the attempt.
    pub id: AttemptId,
    /// Which message it is sent as.
    pub identity: Identity,
    /// The name of its reversal, should it need one.
    pub reversal_id: ReversalId,
    /// How much more.
    pub amount: MinorUnits,
    /// The category of the merchant's account.
    pub category: String,
    /// The merchant's country.
    pub country: String,
    /// It goes over a cap: a person is to look before anything is captured.
    pub over_cap: bool,
    /// The call that waits for the outcome.
    pub caller: Option<i64>,
}

/// A capture as the merchant asks for it.
#[derive(Clone, Debug)]
pub struct CaptureRequest {
    /// The capture.
    pub capture: NewCapture,
    /// Those of the other authorizations, where several cards paid.
    pub more: Vec<NewCapture>,
    /// All that is left when absent.
    pub amount: Option<MinorUnits>,
    /// Give the rest back; by default when the capture takes all.
    pub is_final: Option<bool>,
    /// Names the reversal of the rest where the attempt's own name is used up.
    pub reversal: ReversalId,
}

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// It was created.
    Created,
    /// A card was submitted, or the outcome is unknown.
    Processing,
    /// The payer has to be asked.
    RequiresAction,
    /// Approved, to be captured; or what can be captured has changed.
    Authorized,
    /// All is captured.
    Captured,
    /// A part is captured.
    PartiallyCaptured,
    /// The account was found good, without money.
    Verified,
    /// Declined; another card may be tried.
    AttemptFailed,
    /// Ended without money.
    Failed,
    /// Given up or voided.
    Canceled,
    /// The authorization ran out.
    Expired,
    /// A capture was refused, at once or in clearing.
    CaptureFailed,
    /// A refund was made.
    RefundCreated(RefundId),
    /// A refund was accepted.
    RefundSucceeded(RefundId),
    /// A refund was refused, or taken back.
    RefundFailed(RefundId),
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// An event for the merchant.
    Announce(Announcement),
    /// An approval came after its reversal was queued: it changes nothing and is worth a line.
    LateApproval(AttemptId),
    /// The issuer approved another amount than was asked: operations must know.
    AmountAlarm(AttemptId),
    /// A browser brought another result of an authentication than its bank: operations must know.
    Tampered(TransId),
    /// An attempt was approved whose card is to be saved.
    SaveCard(AttemptId),
    /// A reversal was given up: operations must know.
    ReversalParked(ReversalId),
    /// A reversal came after the money had left for clearing: operations must know.
    AlreadyCleared(ReversalId),
}

/// Why an event was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An authorization is on its way, or its outcome is not known yet.
    #[error("the payment is being processed")]
    InProgress,
    /// It is approved or captured.
    #[error("the payment is paid")]
    Paid,
    /// It has ended.
    #[error("the payment is {}", .0.as_str())]
    Ended(State),
    /// The page's time is over.
    #[error("the time for this payment is over")]
    SessionOver,
    /// The networks' rules forbid this card.
    #[error("this card was declined in a way that forbids another try")]
    RetryBlocked,
    /// Nothing is approved that could be captured or voided.
    #[error("nothing is authorized")]
    NotAuthorized,
    /// Nothing is captured that could be refunded.
    #[error("nothing is captured")]
    NotCaptured,
    /// The processor has not taken the capture yet.
    #[error("the capture is being sent")]
    CapturePending,
    /// Zero, or beyond what an amount can be.
    #[error("an amount must be more than zero")]
    InvalidAmount,
    /// More than there is.
    #[error("only {0} minor units are left")]
    AmountTooLarge(MinorUnits),
    /// The authorization cannot be raised.
    #[error("{}", .0.as_str())]
    NotIncrementable(Rigid),
    /// A capture has left for clearing.
    #[error("a capture was submitted for clearing: refund it instead")]
    AlreadySubmitted,
    /// A refund has left for clearing.
    #[error("the refund was submitted for clearing: it cannot be taken back")]
    RefundSubmitted,
    /// Captured money has been refunded and cannot be voided.
    #[error("a refund was made")]
    AlreadyRefunded,
    /// The authorization has run out.
    #[error("the authorization has expired")]
    AuthorizationOver,
    /// Too old to be refunded.
    #[error("the refund window is closed")]
    RefundWindowClosed,
    /// The refund cannot be taken back, or is decided.
    #[error("the refund is {}", .0.as_str())]
    RefundDecided(RefundState),
    /// No such attempt, capture, reversal or refund, or it is decided.
    #[error("nothing is waiting for this")]
    NotWaiting,
}

/// Why an authorization cannot be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rigid {
    /// Its amount is final.
    Final,
    /// Something was captured.
    Captured,
    /// The network takes no increments of this merchant.
    Network,
    /// Several cards paid.
    Split,
    /// A part is being given back.
    Releasing,
}

impl Rigid {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Final => "the authorized amount is final: only an estimate can be raised",
            Self::Captured => "something was captured: the authorization cannot be raised any more",
            Self::Network => "the card's network takes no increments of this merchant",
            Self::Split => "several cards paid: the authorization cannot be raised",
            Self::Releasing => "a part is being given back: try again when that is acknowledged",
        }
    }
}

/// What an accepted event leads to.
pub type Decision = Result<Vec<Effect>, Refusal>;

impl Payment {
    /// A payment that waits for a card.
    pub fn create(new: NewPayment) -> Self {
        Self {
            id: new.id,
            merchant: new.merchant,
            order_reference: new.order_reference,
            currency: new.currency,
            amounts: Amounts {
                requested: new.amount,
                authorized: MinorUnits::ZERO,
                captured: MinorUnits::ZERO,
                reversed: MinorUnits::ZERO,
                refunded: MinorUnits::ZERO,
            },
            capture_mode: new.capture_mode,
            terms: new.terms,
            state: State::RequiresPaymentMethod,
            sequence: 0,
            created_at: new.at,
            expires_at: new.expires_at,
            capture_before: None,
            due_at: Some(new.expires_at),
            network_transaction_id: None,
            caller: None,
            details: Arc::new(new.details),
            attempts: Vec::new(),
            captures: Vec::new(),
            refunds: Vec::new(),
            reversals: Vec::new(),
            authentications: Vec::new(),
        }
    }

    /// Takes in what happened; a refusal changes nothing.
    #[expect(clippy::too_many_lines, reason = "the grid of states and events is one match")]
    pub fn apply(&mut self, event: Event, policy: &Policy) -> Decision {
        use Event as E;
        use Search::{Inquiring, Reversing, Waiting};
        use State as S;
        match (self.state, event) {
            (S::RequiresPaymentMethod, E::CardSubmitted(card)) => self.submit(card, policy),
            (S::Authorized, E::CardSubmitted(card)) if self.lacks_a_part() => {
                self.submit(card, policy)
            }
            (S::RequiresPaymentMethod, E::Canceled(_) | E::SessionExpired(_)) => Ok(self.cancel()),
            (S::Authorized, E::SessionExpired(at)) if self.waits_for_the_rest() => {
                self.drop_the_part(at)
            }
            (_, E::Authentication(step)) => self.on_authentication(*step, policy),
            (S::RequiresAction, E::Canceled(at) | E::SessionExpired(at)) => {
                Ok(self.abandon(at, policy))
            }
            (
                S::Authorized | S::PartiallyCaptured | S::Captured | S::CaptureFailed,
                E::CardSubmitted(_) | E::Canceled(_),
            ) => Err(Refusal::Paid),
            (
                S::Verified | S::Canceled | S::Expired | S::Failed,
                E::CardSubmitted(_)
                | E::Canceled(_)
                | E::Incremented(_)
                | E::Captured(_)
                | E::Voided { .. }
                | E::AuthorizationExpired { .. },
            ) => Err(Refusal::Ended(self.state)),

            (
                S::Processing | S::OutcomeUnknown(Inquiring | Waiting),
                E::Answered { attempt, answer, capture, more },
            ) => self.answered(attempt, &answer, (capture, more), policy),
            (
                S::OutcomeUnknown(Reversing)
                | S::RequiresPaymentMethod
                | S::Authenticating
                | S::RequiresAction
                | S::Authorized
                | S::PartiallyCaptured
                | S::Captured
                | S::CaptureFailed
                | S::Verified
                | S::Canceled
                | S::Expired
                | S::Failed,
                E::Answered { attempt, answer, .. },
            ) => self.answered_late(attempt, &answer),
            (S::Processing, E::Unanswered { attempt, at }) => self.lose(attempt, at, policy),
            (S::Processing, E::NotSent { attempt, at }) => self.not_sent(attempt, at, policy),
            (S::OutcomeUnknown(Inquiring | Waiting), E::NothingFound(at) | E::LimitReached(at)) => {
                Ok(self.reverse_unknown(at, policy))
            }
            (S::OutcomeUnknown(Inquiring | Waiting), E::StillOpen(at)) => Ok(self.wait(at, policy)),
            (S::OutcomeUnknown(Reversing), E::LimitReached(at)) => Ok(self.give_up(at)),

            (_, E::Reversal { id, event, age_max, jitter_permille }) => {
                self.on_reversal(id, event, age_max, jitter_permille)
            }
            (_, E::CaptureAccepted(id)) => self.capture_accepted(id),
            (_, E::CaptureRefused(id)) => self.capture_refused(id),
            (_, E::CaptureUnanswered { id, at, jitter_permille }) => {
                self.capture_unanswered(id, at, jitter_permille)
            }
            (_, E::CaptureRejected(id)) => self.capture_rejected(id),
            (_, E::CapturePresented(id)) => self.capture_presented(id),
            (_, E::CaptureWrittenOff { id, reversal, at }) => self.write_off(id, reversal, at),
            (_, E::Refund { id, event, at }) => self.on_refund(id, &event, at),

            (S::Authorized, E::Incremented(increment)) => self.increment(increment, policy),
            (S::PartiallyCaptured | S::Captured | S::CaptureFailed, E::Incremented(_)) => {
                Err(Refusal::NotIncrementable(Rigid::Captured))
            }
            (S::Authorized | S::PartiallyCaptured | S::CaptureFailed, E::Captured(request)) => {
                self.capture(request)
            }
            (S::Captured, E::Captured(_)) => Err(Refusal::AmountTooLarge(MinorUnits::ZERO)),
            (
                S::Authorized | S::PartiallyCaptured | S::Captured | S::CaptureFailed,
                E::Voided { amount, reversal, at },
            ) => self.void(amount, reversal, at),
            (
                S::Authorized | S::PartiallyCaptured | S::CaptureFailed,
                E::AuthorizationExpired { reversal, at },
            ) => self.expire(reversal, at),
            (S::RequiresPaymentMethod, E::Captured(_) | E::Voided { .. } | E::Incremented(_)) => {
                Err(Refusal::NotAuthorized)
            }
            (
                S::Authenticating | S::Processing | S::OutcomeUnknown(_),
                E::CardSubmitted(_)
                | E::Canceled(_)
                | E::Captured(_)
                | E::Voided { .. }
                | E::Refunded(_)
                | E::Incremented(_),
            )
            | (
                S::RequiresAction,
                E::CardSubmitted(_)
                | E::Captured(_)
                | E::Voided { .. }
                | E::Refunded(_)
                | E::Incremented(_),
            ) => Err(Refusal::InProgress),

            (S::Captured | S::PartiallyCaptured, E::Refunded(refund)) => {
                self.refund(refund, policy)
            }
            (
                S::RequiresPaymentMethod
                | S::Authorized
                | S::CaptureFailed
                | S::Verified
                | S::Canceled
                | S::Expired
                | S::Failed,
                E::Refunded(_),
            ) => Err(Refusal::NotCaptured),
            (
                S::RequiresPaymentMethod
                | S::Authenticating
                | S::RequiresAction
                | S::OutcomeUnknown(_)
                | S::Authorized
                | S::PartiallyCaptured
                | S::Captured
                | S::CaptureFailed
                | S::Verified
                | S::Canceled
                | S::Expired
                | S::Failed,
                E::Unanswered { .. } | E::NotSent { .. },
            )
            | (
                S::RequiresPaymentMethod
                | S::Authenticating
                | S::RequiresAction
                | S::Processing
                | S::Authorized
                | S::PartiallyCaptured
                | S::Captured
                | S::CaptureFailed
                | S::Verified
                | S::Canceled
                | S::Expired
                | S::Failed,
                E::NothingFound(_) | E::StillOpen(_) | E::LimitReached(_),
            )
            | (S::OutcomeUnknown(Reversing), E::NothingFound(_) | E::StillOpen(_))
            | (
                S::RequiresPaymentMethod
                | S::Authenticating
                | S::RequiresAction
                | S::Processing
                | S::OutcomeUnknown(_)
                | S::Captured,
                E::AuthorizationExpired { .. },
            )
            | (
                S::Authenticating
                | S::Processing
                | S::OutcomeUnknown(_)
                | S::Authorized
                | S::PartiallyCaptured
                | S::Captured
                | S::CaptureFailed
                | S::Verified
                | S::Canceled
                | S::Expired
                | S::Failed,
                E::SessionExpired(_),
            ) => Err(Refusal::NotWaiting),
        }
    }
}
