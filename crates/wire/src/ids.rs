//! Typed identifiers: a prefix and a UUIDv7 in Crockford base32. Names, never secrets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ followed by 26 characters")]
pub struct IdError {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

/// What a letter of the alphabet stands for.
fn digit(letter: u8) -> Option<u8> {
    let (first, value) = match letter {
        b'0'..=b'9' => (b'0', 0),
        b'a'..=b'h' => (b'a', 10),
        b'j' | b'k' => (b'j', 18),
        b'm' | b'n' => (b'm', 20),
        b'p'..=b't' => (b'p', 22),
        b'v'..=b'z' => (b'v', 27),
        _ => return None,
    };
    Some(letter.saturating_sub(first).saturating_add(value))
}

fn encode(bytes: [u8; 16]) -> [u8; LENGTH] {
    let mut value = u128::from_be_bytes(bytes);
    let mut text = [b'0'; LENGTH];
    for slot in text.iter_mut().rev() {
        let index = usize::try_from(value & 31).unwrap_or(0);
        *slot = ALPHABET.get(index).copied().unwrap_or(b'0');
        value >>= 5;
    }
    text
}

fn decode(text: &str) -> Option<[u8; 16]> {
    if text.len() != LENGTH || !matches!(text.as_bytes().first(), Some(b'0'..=b'7')) {
        return None;
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        value = (value << 5) | u128::from(digit(byte)?);
    }
    Some(value.to_be_bytes())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The prefix of this kind, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id: UUIDv7 from the time and ten random bytes of the caller's generator.
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(at.millis()).unwrap_or(0);
                let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
                Self(*id.as_bytes())
            }

            /// The sixteen bytes, as stored.
            pub const fn bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// From sixteen stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [b'0'; $prefix.len() + 1 + LENGTH];
                let (head, tail) = text.split_at_mut($prefix.len() + 1);
                head.copy_from_slice(concat!($prefix, "_").as_bytes());
                tail.copy_from_slice(&encode(self.0));
                formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(IdError { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A merchant account at the gateway.
    MerchantId = "mer";
    /// A payment.
    PaymentId = "pay";
    /// One try to pay with one card.
    AttemptId = "att";
    /// A single-use card token.
    TokenId = "tok";
    /// A stored card.
    CardId = "card";
    /// A customer of a merchant.
    CustomerId = "cus";
    /// A capture of an authorization.
    CaptureId = "cap";
    /// A refund.
    RefundId = "ref";
    /// A dispute.
    DisputeId = "dsp";
    /// An event about a payment.
    EventId = "evt";
    /// One delivery attempt of an event.
    DeliveryId = "dlv";
    /// A webhook endpoint.
    EndpointId = "whe";
    /// A request at an API, for support.
    RequestId = "req";
    /// A reversal, named by its sender before anything is sent.
    ReversalId = "rvs";
    /// An order of the shop.
    OrderId = "ord";
    /// A subscription of the shop.
    SubscriptionId = "sub";
    /// A cart of the shop.
    CartId = "crt";
    /// An account at an issuer.
    AccountId = "acc";
    /// A hold on an account.
    HoldId = "hld";
    /// A clearing record.
    ClearingId = "clr";
    /// A ledger transaction.
    LedgerId = "ldg";
    /// A settlement batch.
    SettlementId = "set";
    /// An offer to convert an amount into the currency of a card.
    QuoteId = "fxq";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_stands_for_its_place() {
        for byte in 0..=u8::MAX {
            let place = ALPHABET.iter().position(|&letter| letter == byte);
            assert_eq!(digit(byte).map(usize::from), place, "{byte}");
        }
    }

    #[test]
    fn an_id_round_trips_and_sorts_by_time() {
        let early = PaymentId::new(Timestamp::from_millis(1_767_225_600_000), [0xff; 10]);
        let late = PaymentId::new(Timestamp::from_millis(1_767_225_600_001), [0; 10]);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.to_string().len(), 30);
    }

    #[test]
    fn a_foreign_or_damaged_id_is_refused() {
        let id = PaymentId::new(Timestamp::from_millis(1), [7; 10]).to_string();
        assert!(id.parse::<RefundId>().is_err());
        for text in [
            "",
            "pay_",
            "pay_01",
            &id.to_uppercase(),
            &format!("{id}0"),
            "pay_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert!(text.parse::<PaymentId>().is_err(), "{text}");
        }
    }
}
