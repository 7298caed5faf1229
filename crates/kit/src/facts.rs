//! What is known about a message: the words that faults match and that the wire log is searched by.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::random::Random;

/// Names one payment operation over all hops: the trace id of W3C `traceparent`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId([u8; 16]);

/// The text is not a trace id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a trace id of 32 lower-case hexadecimal digits")]
pub struct TraceIdError;

impl TraceId {
    /// A new id from the caller's generator; never all zero.
    pub fn new(random: &Random) -> Self {
        let mut bytes = random.bytes::<16>();
        if let Some(first) = bytes.first_mut() {
            *first |= 1;
        }
        Self(bytes)
    }

    /// From sixteen stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes, as stored.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From a `traceparent` (`00-…-…-01`) or a `Payrig-Trace-Id` (32 hexadecimal digits).
    pub fn from_header(value: &str) -> Option<Self> {
        let mut parts = value.split('-');
        let first = parts.next()?;
        let Some(trace) = parts.next() else { return first.parse().ok() };
        let (span, flags) = (parts.next()?, parts.next()?);
        let hexadecimal = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let well_formed = hexadecimal(first, 2)
            && first != "ff"
            && hexadecimal(span, 16)
            && hexadecimal(flags, 2);
        if well_formed { trace.parse().ok() } else { None }
    }

    /// The value of a `traceparent` header with this trace id and a span id.
    pub fn traceparent(&self, span: [u8; 8]) -> String {
        let mut value = String::with_capacity(55);
        value.push_str("00-");
        HEXLOWER.encode_append(&self.0, &mut value);
        value.push('-');
        HEXLOWER.encode_append(&span, &mut value);
        value.push_str("-01");
        value
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for TraceId {
    type Err = TraceIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| TraceIdError)?;
        let bytes: [u8; 16] = bytes.try_into().map_err(|_| TraceIdError)?;
        if bytes == [0; 16] { Err(TraceIdError) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What is known about one message. Card data never stands here: `card` is an alias of the
/// card catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The kind of message, in the words of the fault key `type`: `authorization`, `webhook`, …
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The operation this message belongs to.
    pub trace: TraceId,
    /// Payment id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// The merchant's order reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Alias of the test card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The card network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Number of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Event type of a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Message type indicator of a processor message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mti: Option<String>,
}

impl Facts {
    /// A kind and the operation it belongs to; the rest unknown.
    pub fn new(kind: &'static str, trace: TraceId) -> Self {
        Self { kind, trace, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_id_is_read_from_both_headers() {
        let expected: TraceId = TRACE.parse().unwrap();
        assert_eq!(TraceId::from_header(TRACE), Some(expected));
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(TraceId::from_header(&parent), Some(expected));
        let span = [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
        assert_eq!(expected.traceparent(span), parent);
    }

    #[test]
    fn malformed_trace_headers_are_ignored() {
        for header in [
            "",
            "00",
            "00-4bf9",
            &format!("00-{TRACE}"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b-01"),
            "00000000000000000000000000000000",
        ] {
            assert_eq!(TraceId::from_header(header), None, "{header}");
        }
        assert_ne!(TraceId::new(&Random::seeded(1)), TraceId::default());
    }
}
