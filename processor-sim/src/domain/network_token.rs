//! Network tokens: numbers that stand for a card at one merchant, and the code with which they pay.

use data_encoding::BASE64;
use wire::card::Brand;
use wire::codes::ResponseCode;

/// Where a network token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// Asked for; the bank has not agreed yet.
    Initiated,
    /// It pays.
    Active,
    /// It does not pay for now.
    Suspended,
    /// It never pays again.
    Deactivated,
    /// The bank did not agree.
    Failed,
}

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

impl TokenState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Initiated, Self::Active, Self::Suspended, Self::Deactivated, Self::Failed];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Failed => "failed",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state after an event; none where the event does not apply.
    pub const fn apply(self, event: TokenEvent) -> Option<Self> {
        use TokenEvent as E;
        match (self, event) {
            (Self::Initiated, E::Approved) | (Self::Suspended, E::Resumed) => Some(Self::Active),
            (Self::Initiated, E::Refused) => Some(Self::Failed),
            (Self::Active, E::Suspended) => Some(Self::Suspended),
            (Self::Initiated | Self::Active | Self::Suspended, E::Deactivated) => {
                Some(Self::Deactivated)
            }
            (Self::Initiated, E::Suspended | E::Resumed)
            | (Self::Active, E::Approved | E::Refused | E::Resumed)
            | (Self::Suspended, E::Approved | E::Refused | E::Suspended)
            | (Self::Deactivated | Self::Failed, _) => None,
        }
    }

    /// The event that leads to a state that a bank sets by hand.
    pub const fn event_to(next: Self) -> Option<TokenEvent> {
        match next {
            Self::Active => Some(TokenEvent::Resumed),
            Self::Suspended => Some(TokenEvent::Suspended),
            Self::Deactivated => Some(TokenEvent::Deactivated),
            Self::Initiated | Self::Failed => None,
        }
    }

    /// Whether nothing becomes of it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Deactivated | Self::Failed)
    }

    /// How a payment with such a token is refused.
    pub const fn refusal(self) -> Option<ResponseCode> {
        match self {
            Self::Active => None,
            Self::Suspended => Some(ResponseCode::NOT_ACTIVE),
            Self::Deactivated => Some(ResponseCode::CLOSED_ACCOUNT),
            Self::Initiated | Self::Failed => Some(ResponseCode::INVALID_NUMBER),
        }
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
        for state in TokenState::ALL {
            assert_eq!(TokenState::parse(state.as_str()), Some(state));
            for event in events {
                let next = state.apply(event).map_or("-", TokenState::as_str);
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
