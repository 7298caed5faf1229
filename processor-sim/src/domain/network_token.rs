//! Network tokens: numbers that stand for a card at one merchant, and the code with which they pay.

use data_encoding::BASE64;
use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::processor_api::TokenStatus;

/// What can happen to a network token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEvent {
    /// The bank agrees.
    Approved,
    /// The bank does not agree.
    Refused,
    /// The bank suspends it.
    Suspended,
    /// The bank lets it pay again.
    Resumed,
    /// Merchant or bank end it.
    Deactivated,
}

/// The state after an event; none where the event does not apply.
pub const fn apply(status: TokenStatus, event: TokenEvent) -> Option<TokenStatus> {
    use {TokenEvent as E, TokenStatus as S};
    match (status, event) {
        (S::Initiated, E::Approved) | (S::Suspended, E::Resumed) => Some(S::Active),
        (S::Initiated, E::Refused) => Some(S::Failed),
        (S::Active, E::Suspended) => Some(S::Suspended),
        (S::Initiated | S::Active | S::Suspended, E::Deactivated) => Some(S::Deactivated),
        (S::Initiated, E::Suspended | E::Resumed)
        | (S::Active, E::Approved | E::Refused | E::Resumed)
        | (S::Suspended, E::Approved | E::Refused | E::Suspended)
        | (S::Deactivated | S::Failed, _) => None,
    }
}

/// The event that leads to a state that a bank sets by hand.
pub const fn event_to(next: TokenStatus) -> Option<TokenEvent> {
    match next {
        TokenStatus::Active => Some(TokenEvent::Resumed),
        TokenStatus::Suspended => Some(TokenEvent::Suspended),
        TokenStatus::Deactivated => Some(TokenEvent::Deactivated),
        TokenStatus::Initiated | TokenStatus::Failed => None,
    }
}

/// Whether nothing becomes of it any more.
pub const fn is_final(status: TokenStatus) -> bool {
    matches!(status, TokenStatus::Deactivated | TokenStatus::Failed)
}

/// How a payment with such a token is refused.
pub const fn refusal(status: TokenStatus) -> Option<ResponseCode> {
    match status {
        TokenStatus::Active => None,
        TokenStatus::Suspended => Some(ResponseCode::NOT_ACTIVE),
        TokenStatus::Deactivated => Some(ResponseCode::CLOSED_ACCOUNT),
        TokenStatus::Initiated | TokenStatus::Failed => Some(ResponseCode::INVALID_NUMBER),
    }
}

/// Whether a network has tokens.
pub const fn has_tokens(brand: Brand) -> bool {
    matches!(brand, Brand::Visa | Brand::Mastercard | Brand::Amex | Brand::Discover)
}

const MAC_BYTES: usize = 14;
const CRYPTOGRAM_BYTES: usize = 20;

/// The code with which a token pays once: its count, something that nobody can foresee, and a keyed
/// digest over both, the token and its merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cryptogram {
    /// How many codes the token has had, this one included.
    pub count: u16,
    /// Drawn by chance.
    pub unpredictable: u32,
    /// The keyed digest.
    pub mac: [u8; MAC_BYTES],
}

impl Cryptogram {
    /// With the first bytes of a keyed digest.
    pub fn new(count: u16, unpredictable: u32, digest: [u8; 16]) -> Self {
        let mac = digest.first_chunk().copied().unwrap_or_default();
        Self { count, unpredictable, mac }
    }

    /// Twenty bytes in base64.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(CRYPTOGRAM_BYTES);
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.unpredictable.to_be_bytes());
        bytes.extend_from_slice(&self.mac);
        BASE64.encode(&bytes)
    }

    /// Reads such a text.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        let (count, rest) = bytes.split_first_chunk::<2>()?;
        let (unpredictable, mac) = rest.split_first_chunk::<4>()?;
        Some(Self {
            count: u16::from_be_bytes(*count),
            unpredictable: u32::from_be_bytes(*unpredictable),
            mac: mac.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_state_and_event_of_a_network_token() {
        let events = [
            TokenEvent::Approved,
            TokenEvent::Refused,
            TokenEvent::Suspended,
            TokenEvent::Resumed,
            TokenEvent::Deactivated,
        ];
        let mut grid = String::new();
        for state in TokenStatus::ALL {
            assert_eq!(TokenStatus::parse(state.as_str()), Some(state));
            for event in events {
                let next = apply(state, event).map_or("-", TokenStatus::as_str);
                let _ = writeln!(grid, "{:11} {event:?} -> {next}", state.as_str());
            }
        }
        insta::assert_snapshot!(grid, @"
        initiated   Approved -> active
        initiated   Refused -> failed
        initiated   Suspended -> -
        initiated   Resumed -> -
        initiated   Deactivated -> deactivated
        active      Approved -> -
        active      Refused -> -
        active      Suspended -> suspended
        active      Resumed -> -
        active      Deactivated -> deactivated
        suspended   Approved -> -
        suspended   Refused -> -
        suspended   Suspended -> -
        suspended   Resumed -> active
        suspended   Deactivated -> deactivated
        deactivated Approved -> -
        deactivated Refused -> -
        deactivated Suspended -> -
        deactivated Resumed -> -
        deactivated Deactivated -> -
        failed      Approved -> -
        failed      Refused -> -
        failed      Suspended -> -
        failed      Resumed -> -
        failed      Deactivated -> -
        ");
    }

    #[test]
    fn a_cryptogram_is_twenty_bytes() {
        let code = Cryptogram::new(258, 7, [9; 16]);
        assert_eq!(code.encode(), "AQIAAAAHCQkJCQkJCQkJCQkJCQk=");
        assert_eq!(Cryptogram::decode(&code.encode()), Some(code));
        assert_eq!(Cryptogram::decode("AQIAAAAHCQkJ"), None);
        assert_eq!(Cryptogram::decode("?"), None);
    }
}
