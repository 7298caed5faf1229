//! One try to pay with one card.

use std::sync::Arc;

use wire::codes::{DeclineCode, ResponseCode};
use wire::ids::{AttemptId, ReversalId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::answer::{Answer, Decline};
use super::card::Card;
use super::conversion::Conversion;
use super::identity::Identity;
use super::network_profile::OverCapture;
use super::retry;
use super::stored_card::Saving;

/// What an attempt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptKind {
    /// Money of a card: an authorization of its own.
    Payment,
    /// More money on an authorization that is open.
    Increment,
}

impl AttemptKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Payment, Self::Increment];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Increment => "increment",
        }
    }
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptState {
    /// Sent, or about to be.
    Processing,
    /// The issuer approved.
    Approved,
    /// The issuer refused.
    Declined,
    /// Sent, and no answer came.
    Unknown,
    /// Taken back: no answer came, or one that could not be used.
    Reversed,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Processing, Self::Approved, Self::Declined, Self::Unknown, Self::Reversed];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Unknown => "unknown",
            Self::Reversed => "reversed",
        }
    }

    /// Whether the outcome is still open.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Processing | Self::Unknown => true,
            Self::Approved | Self::Declined | Self::Reversed => false,
        }
    }
}

/// One try to pay with one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// 1 first.
    pub n: u32,
    /// What it asks for.
    pub kind: AttemptKind,
    /// How much it asks for.
    pub asked: MinorUnits,
    /// The card.
    pub card: Card,
    /// Which message it was sent as.
    pub identity: Identity,
    /// The name of its reversal, should it need one.
    pub reversal_id: ReversalId,
    /// Where it stands.
    pub state: AttemptState,
    /// When it began.
    pub created_at: Timestamp,
    /// When its outcome was known.
    pub decided_at: Option<Timestamp>,
    /// What was answered.
    pub response_code: Option<ResponseCode>,
    /// Approval code.
    pub auth_code: Option<String>,
    /// What the issuer approved, with every increment since.
    pub approved: MinorUnits,
    /// What of that was given back before it was captured.
    pub released: MinorUnits,
    /// How far captures may exceed what is left.
    pub over_capture: OverCapture,
    /// The network's id of this authorization, where it is not the payment's.
    pub network_transaction_id: Option<String>,
    /// Why it did not work.
    pub decline: Option<Decline>,
    /// Merchant advice code.
    pub advice_code: Option<String>,
    /// Not before this moment may the card be tried again.
    pub retry_after: Option<Timestamp>,
    /// Security code result.
    pub cvv_result: Option<String>,
    /// Address verification result.
    pub avs_result: Option<String>,
    /// What the issuer's check of the authentication came to.
    pub cavv_result: Option<String>,
    /// The electronic commerce indicator of the approval.
    pub indicator: Option<String>,
    /// Which rule of the world decided.
    pub outcome_source: Option<String>,
    /// The card is saved when it is approved.
    pub saving: Option<Saving>,
    /// Payment account reference, as the network told it.
    pub par: Option<String>,
    /// Last four digits of the network token that paid in the place of the card.
    pub network_token: Option<String>,
    /// The payer pays in the currency of the card.
    pub conversion: Option<Arc<Conversion>>,
    /// It went over a cap: nothing is captured before a person has looked.
    pub over_cap: bool,
}

impl Attempt {
    /// An attempt about to be sent.
    pub fn new(
        id: AttemptId,
        n: u32,
        (kind, asked): (AttemptKind, MinorUnits),
        card: Card,
        identity: Identity,
        reversal_id: ReversalId,
    ) -> Self {
        Self {
            id,
            n,
            kind,
            asked,
            card,
            identity,
            reversal_id,
            state: AttemptState::Processing,
            created_at: identity.transmission_at,
            decided_at: None,
            response_code: None,
            auth_code: None,
            approved: MinorUnits::ZERO,
            released: MinorUnits::ZERO,
            over_capture: OverCapture::default(),
            network_transaction_id: None,
            decline: None,
            advice_code: None,
            retry_after: None,
            cvv_result: None,
            avs_result: None,
            cavv_result: None,
            indicator: None,
            outcome_source: None,
            saving: None,
            par: None,
            network_token: None,
            conversion: None,
            over_cap: false,
        }
    }

    fn take(&mut self, answer: &Answer) {
        self.response_code = Some(answer.response_code);
        self.auth_code.clone_from(&answer.auth_code);
        self.advice_code.clone_from(&answer.advice_code);
        self.cvv_result.clone_from(&answer.cvv_result);
        self.avs_result.clone_from(&answer.avs_result);
        self.cavv_result.clone_from(&answer.cavv_result);
        self.indicator.clone_from(&answer.indicator);
        self.outcome_source.clone_from(&answer.outcome_source);
        self.par.clone_from(&answer.par);
        self.decided_at = Some(answer.at);
    }

    pub(super) fn approve(&mut self, answer: &Answer, amount: MinorUnits) {
        self.take(answer);
        self.approved = amount;
        self.over_capture = answer.over_capture;
        self.state = AttemptState::Approved;
    }

    /// Whether this is an authorization that captures and reversals can speak of.
    pub fn is_authorization(&self) -> bool {
        self.kind == AttemptKind::Payment && self.state == AttemptState::Approved
    }

    /// What is authorized and was not given back.
    pub fn kept(&self) -> MinorUnits {
        self.approved.checked_sub(self.released).unwrap_or_default()
    }

    pub(super) fn decline(&mut self, answer: &Answer) {
        self.take(answer);
        let decline = answer.decline();
        self.retry_after = retry::retry_after(answer, &decline);
        self.decline = Some(decline);
        self.state = AttemptState::Declined;
    }

    /// An approval that cannot be used: it is taken back, and this says why.
    pub(super) fn reject(&mut self, answer: &Answer, code: DeclineCode, state: AttemptState) {
        self.take(answer);
        self.approved = answer.amount.unwrap_or_default();
        let advice = code.advice();
        self.decline = Some(Decline { code, response_code: Some(answer.response_code), advice });
        self.state = state;
    }

    pub(super) fn lose(&mut self, response_code: Option<ResponseCode>) {
        self.response_code = response_code;
        self.state = AttemptState::Unknown;
    }

    /// It is not sent: the cardholder was not authenticated.
    pub(super) fn stop(&mut self, code: DeclineCode, at: Timestamp) {
        self.decline = Some(Decline::without_answer(code));
        self.decided_at = Some(at);
        self.state = AttemptState::Declined;
    }

    pub(super) fn fail_unsent(&mut self, at: Timestamp) {
        self.decline = Some(Decline::without_answer(DeclineCode::PROCESSING_ERROR));
        self.decided_at = Some(at);
        self.state = AttemptState::Declined;
    }

    pub(super) fn give_up(&mut self, at: Timestamp) {
        let mut decline = Decline::without_answer(DeclineCode::TIMEOUT_REVERSED);
        decline.response_code = self.response_code;
        self.decline = Some(decline);
        self.decided_at = Some(at);
    }
}
