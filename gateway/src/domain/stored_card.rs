//! Saved cards: what their holders agreed to, who may pay with them, and what becomes of them.

use std::time::Duration;

use wire::codes::ResponseCode;
use wire::ids::{CardId, CustomerId, PaymentId, TokenId};
use wire::processor_api::TokenStatus;
use wire::stored_credential::{Initiator, MitReason};
use wire::time::Timestamp;

use super::card::Card;

/// Where a customer agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenOn {
    /// On the hosted page.
    PaymentPage,
    /// In the merchant's own pages; the merchant says so.
    Api,
}

impl GivenOn {
    /// Every place.
    pub const ALL: [Self; 2] = [Self::PaymentPage, Self::Api];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentPage => "payment_page",
            Self::Api => "api",
        }
    }
}

/// What a customer agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// What the card is for.
    pub reason: MitReason,
    /// The words that were shown.
    pub text: String,
    /// Where.
    pub given_on: GivenOn,
    /// When.
    pub at: Timestamp,
}

/// The card that an attempt saves when it is approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    /// The id it gets, or has.
    pub card: CardId,
    /// What the payer agreed to.
    pub consent: Consent,
}

/// A saved card that pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseOfCard {
    /// The card.
    pub card: CardId,
    /// Who starts the payment.
    pub initiator: Initiator,
    /// Why, when the merchant does.
    pub reason: Option<MitReason>,
    /// The payment in which the customer agreed.
    pub agreement: Option<PaymentId>,
    /// The network's id of that payment.
    pub original: Option<String>,
    /// The agreement is older than such ids.
    pub grandfathered: bool,
}

/// Where a saved card stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CardState {
    /// It can pay.
    Active,
    /// Its account is closed.
    Closed,
    /// Its bank asks to speak to the cardholder first.
    ContactIssuer,
    /// Forgotten; nothing of it can be read any more.
    Deleted,
}

impl CardState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::Closed, Self::ContactIssuer, Self::Deleted];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Closed => "closed",
            Self::ContactIssuer => "contact_issuer",
            Self::Deleted => "deleted",
        }
    }

    /// The state after an event; none where the event does not apply.
    pub const fn apply(self, event: CardEvent) -> Option<Self> {
        use CardEvent as E;
        match (self, event) {
            (Self::Deleted, _) => None,
            (_, E::Deleted) => Some(Self::Deleted),
            // Entered anew, renewed or replaced: whatever was wrong is over.
            (_, E::Saved | E::NumberUpdated | E::ExpiryUpdated) => Some(Self::Active),
            (_, E::AccountClosed) | (Self::Closed, E::ContactCardholder) => Some(Self::Closed),
            (Self::Active | Self::ContactIssuer, E::ContactCardholder) => Some(Self::ContactIssuer),
        }
    }
}

/// What can happen to a saved card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardEvent {
    /// Its holder entered it once more and agreed again.
    Saved,
    /// The account updater has a new number.
    NumberUpdated,
    /// The account updater has a new date.
    ExpiryUpdated,
    /// The account updater says that the account is closed.
    AccountClosed,
    /// The account updater asks to contact the cardholder.
    ContactCardholder,
    /// The customer or the merchant has it forgotten.
    Deleted,
}

impl CardEvent {
    /// Every event.
    pub const ALL: [Self; 6] = [
        Self::Saved,
        Self::NumberUpdated,
        Self::ExpiryUpdated,
        Self::AccountClosed,
        Self::ContactCardholder,
        Self::Deleted,
    ];
}

/// What the account updater tells of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardUpdate {
    /// Another number took its place.
    NewNumber,
    /// It has a new date.
    NewExpiry,
    /// Its account is closed.
    Closed,
    /// Its bank asks to contact the cardholder.
    ContactCardholder,
    /// The cardholder does not want merchants to hear of changes.
    OptedOut,
    /// Nothing has changed.
    NoChange,
    /// The network knows no such card.
    NoMatch,
    /// The network has no account updater.
    NotParticipating,
}

impl CardUpdate {
    /// Every finding.
    pub const ALL: [Self; 8] = [
        Self::NewNumber,
        Self::NewExpiry,
        Self::Closed,
        Self::ContactCardholder,
        Self::OptedOut,
        Self::NoChange,
        Self::NoMatch,
        Self::NotParticipating,
    ];

    /// The word as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewNumber => "number_updated",
            Self::NewExpiry => "expiry_updated",
            Self::Closed => "closed",
            Self::ContactCardholder => "contact_cardholder",
            Self::OptedOut => "opted_out",
            Self::NoChange => "no_change",
            Self::NoMatch => "no_match",
            Self::NotParticipating => "not_participating",
        }
    }

    /// What a network means by a word: letters of Visa's updater, words of Mastercard's.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "A" | "UPDATE" => Self::NewNumber,
            "E" | "EXPIRY" => Self::NewExpiry,
            "C" => Self::Closed,
            "Q" | "CONTAC" => Self::ContactCardholder,
            "O" => Self::OptedOut,
            "V" => Self::NoChange,
            "P" => Self::NoMatch,
            "N" => Self::NotParticipating,
            _ => return None,
        })
    }

    /// What it is to a saved card; none where nothing follows.
    pub const fn event(self) -> Option<CardEvent> {
        match self {
            Self::NewNumber => Some(CardEvent::NumberUpdated),
            Self::NewExpiry => Some(CardEvent::ExpiryUpdated),
            Self::Closed => Some(CardEvent::AccountClosed),
            Self::ContactCardholder => Some(CardEvent::ContactCardholder),
            Self::OptedOut | Self::NoChange | Self::NoMatch | Self::NotParticipating => None,
        }
    }
}

/// How long an answer of the account updater holds, before a merchant charges the card again.
const UPDATE_HOLDS: Duration = Duration::from_hours(7 * 24);
/// The same, after a decline that the account updater may explain.
const UPDATE_HOLDS_AFTER_DECLINE: Duration = Duration::from_hours(1);

/// Whether a decline may mean that the card has changed: unknown, lost, stolen or closed, another
/// date, another token, or the network says so (merchant advice code 01).
pub fn may_have_changed(code: Option<ResponseCode>, advice_code: Option<&str>) -> bool {
    const CODES: [ResponseCode; 6] = [
        ResponseCode::INVALID_NUMBER,
        ResponseCode::LOST_CARD,
        ResponseCode::STOLEN_CARD,
        ResponseCode::CLOSED_ACCOUNT,
        ResponseCode::EXPIRED_CARD,
        ResponseCode::LIFE_CYCLE,
    ];
    code.is_some_and(|code| CODES.contains(&code)) || advice_code == Some("01")
}

/// A saved card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCard {
    /// Its id.
    pub id: CardId,
    /// Whose it is.
    pub customer: CustomerId,
    /// Where it stands.
    pub state: CardState,
    /// The card, under the record that the vault keeps for it.
    pub card: Card,
    /// Payment account reference.
    pub par: String,
    /// What the customer agreed to.
    pub consent: Consent,
    /// The payment in which the customer agreed.
    pub agreement: Option<PaymentId>,
    /// The network's id of that payment.
    pub network_transaction_id: Option<String>,
    /// The agreement is older than such ids.
    pub grandfathered: bool,
    /// Merchant advice code of the first approval: what kind of card it is.
    pub advice_code: Option<String>,
    /// What the account updater said last.
    pub last_update: Option<String>,
    /// When it said so.
    pub updated_at: Option<Timestamp>,
    /// The network token that pays in its place.
    pub network_token: Option<NetworkToken>,
    /// When it was saved.
    pub created_at: Timestamp,
}

/// Whether payments are sent with a network token. One that is suspended stays in use, so that the
/// bank can say so: paying by the number instead would go around what it has decided.
pub const fn may_pay(token: TokenStatus) -> bool {
    matches!(token, TokenStatus::Active | TokenStatus::Suspended)
}

/// A number of the network that stands for a saved card at this merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkToken {
    /// The record that the vault keeps for it.
    pub record: TokenId,
    /// Its last four digits.
    pub last4: String,
    /// Where it stands.
    pub state: TokenStatus,
}

/// Why a saved card does not pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardRefusal {
    /// It was deleted.
    #[error("the card was deleted")]
    Deleted,
    /// Its account is closed.
    #[error("the card's account is closed: ask the customer for another card")]
    Closed,
    /// Its bank asks to speak to the cardholder.
    #[error("the card's bank asks to contact the customer first")]
    ContactIssuer,
    /// Nobody has agreed that the merchant starts payments.
    #[error(
        "there is no agreement for payments that the merchant starts: the customer's own first \
         payment with this card was not approved"
    )]
    NoAgreement,
}

impl StoredCard {
    /// How a payment uses the card.
    pub fn used_by(
        &self,
        initiator: Initiator,
        reason: Option<MitReason>,
    ) -> Result<UseOfCard, CardRefusal> {
        match self.state {
            CardState::Active => {}
            CardState::Closed => return Err(CardRefusal::Closed),
            CardState::ContactIssuer => return Err(CardRefusal::ContactIssuer),
            CardState::Deleted => return Err(CardRefusal::Deleted),
        }
        let chained = self.agreement.is_some() && self.network_transaction_id.is_some();
        if initiator == Initiator::Merchant && !chained && !self.grandfathered {
            return Err(CardRefusal::NoAgreement);
        }
        Ok(UseOfCard {
            card: self.id,
            initiator,
            reason,
            agreement: self.agreement,
            original: self.network_transaction_id.clone(),
            grandfathered: initiator == Initiator::Merchant && !chained,
        })
    }

    /// Whether the account updater is asked before the merchant charges the card.
    pub fn is_update_due(&self, now: Timestamp) -> bool {
        self.state != CardState::Deleted && self.asked_before(now, UPDATE_HOLDS)
    }

    /// Whether the account updater is asked about a decline.
    pub fn is_decline_asked_about(&self, now: Timestamp) -> bool {
        self.state != CardState::Deleted && self.asked_before(now, UPDATE_HOLDS_AFTER_DECLINE)
    }

    fn asked_before(&self, now: Timestamp, holds: Duration) -> bool {
        self.updated_at.is_none_or(|at| now >= at.plus(holds))
    }

    /// Takes in what the account updater told; whether anything about the card has changed.
    pub fn take_update(&mut self, update: CardUpdate, par: Option<String>, at: Timestamp) -> bool {
        self.last_update = Some(update.as_str().to_owned());
        self.updated_at = Some(at);
        self.par = par.unwrap_or_else(|| self.par.clone());
        let Some(state) = update.event().and_then(|event| self.state.apply(event)) else {
            return false;
        };
        let renewed = matches!(update, CardUpdate::NewNumber | CardUpdate::NewExpiry);
        let changed = renewed || state != self.state;
        self.state = state;
        changed
    }

    /// What a network said of the card when it was saved.
    pub fn warning(&self) -> Option<&'static str> {
        match self.advice_code.as_deref() {
            Some("40") => Some("non_reloadable_prepaid"),
            Some("41") => Some("single_use_virtual_card"),
            Some("43") => Some("multi_use_virtual_card"),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_state_and_event_of_a_saved_card() {
        let mut grid = String::new();
        for state in CardState::ALL {
            for event in CardEvent::ALL {
                let next = state.apply(event).map_or("-", CardState::as_str);
                let _ = writeln!(grid, "{:14} {event:?} -> {next}", state.as_str());
            }
        }
        insta::assert_snapshot!(grid, @"
        active         Saved -> active
        active         NumberUpdated -> active
        active         ExpiryUpdated -> active
        active         AccountClosed -> closed
        active         ContactCardholder -> contact_issuer
        active         Deleted -> deleted
        closed         Saved -> active
        closed         NumberUpdated -> active
        closed         ExpiryUpdated -> active
        closed         AccountClosed -> closed
        closed         ContactCardholder -> closed
        closed         Deleted -> deleted
        contact_issuer Saved -> active
        contact_issuer NumberUpdated -> active
        contact_issuer ExpiryUpdated -> active
        contact_issuer AccountClosed -> closed
        contact_issuer ContactCardholder -> contact_issuer
        contact_issuer Deleted -> deleted
        deleted        Saved -> -
        deleted        NumberUpdated -> -
        deleted        ExpiryUpdated -> -
        deleted        AccountClosed -> -
        deleted        ContactCardholder -> -
        deleted        Deleted -> -
        ");
    }
}
