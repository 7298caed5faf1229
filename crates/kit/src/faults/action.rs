//! The words after `do`: what a fault does to a message.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{DUPLICATES_MAX, FaultError, FaultPlan};
use crate::durations;
use crate::random::Random;

/// Messages that one reordering holds together.
const WINDOW_MAX: u32 = 64;

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The peer never sees the request; the sender waits for its deadline.
    DropRequest,
    /// The peer acts, the sender hears nothing.
    DropResponse,
    /// The request arrives late.
    DelayRequest(Delay),
    /// The answer arrives late.
    DelayResponse(Delay),
    /// The request is delivered this often.
    Duplicate(u32),
    /// Held in groups and released in another order.
    Reorder {
        /// Messages in a group.
        window: u32,
        /// How the group is released.
        order: Order,
    },
    /// A fabricated answer; the peer does not act.
    Status {
        /// The HTTP status.
        code: u16,
        /// Value of `Retry-After`.
        #[serde(with = "optional_duration", skip_serializing_if = "Option::is_none")]
        retry_after: Option<Duration>,
    },
    /// A fabricated business answer; the peer does not act.
    Answer(Map<String, Value>),
    /// The connection is reset.
    Reset(ResetSide),
    /// The answer is cut after this many bytes.
    Truncate(u32),
    /// The answer is no HTTP at all.
    Garbage,
    /// The signature of the request is damaged.
    CorruptSignature,
    /// The request is signed with a time that far in the past.
    #[serde(with = "durations")]
    StaleTimestamp(Duration),
    /// The request is signed with another key.
    WrongKey,
    /// The request is changed after it was signed; dotted places in its JSON body.
    Alter(Map<String, Value>),
    /// The request is changed before it is signed.
    AlterSigned(Map<String, Value>),
    /// The link refuses connections.
    Down,
    /// The request is parked until the label is released.
    Hold(String),
    /// The same bytes are delivered once more, that much later.
    Replay {
        /// How much later.
        #[serde(with = "durations")]
        after: Duration,
    },
}

/// Which half of an exchange a reset destroys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetSide {
    /// The peer never sees the request.
    Request,
    /// The peer acts, the answer is lost.
    Response,
}

/// How a held group is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Last in, first out.
    Reverse,
    /// In a random order.
    Shuffle,
}

/// A fixed delay, or one drawn from a log-normal distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// Always as long.
    Fixed(Duration),
    /// As networks delay: mostly near the median, sometimes much longer.
    Drawn(DrawnDelay),
}

/// A log-normal distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnDelay {
    /// Half of all delays are shorter.
    #[serde(with = "durations")]
    pub median: Duration,
    /// Spread: standard deviation of the logarithm.
    pub sigma: f64,
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(duration) => durations::serialize(duration, serializer),
            Self::Drawn(drawn) => drawn.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DelayVisitor;
        impl<'de> Visitor<'de> for DelayVisitor {
            type Value = Delay;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration such as 45s, or a median with a sigma")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Delay, E> {
                durations::deserialize(text.into_deserializer()).map(Delay::Fixed)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Delay, A::Error> {
                DrawnDelay::deserialize(MapAccessDeserializer::new(map)).map(Delay::Drawn)
            }
        }
        deserializer.deserialize_any(DelayVisitor)
    }
}

impl Delay {
    #[expect(clippy::float_arithmetic, reason = "a delay, not money")]
    fn draw(self, random: &Random) -> Duration {
        match self {
            Self::Fixed(duration) => duration,
            Self::Drawn(DrawnDelay { median, sigma }) => {
                // Twelve uniform draws, less six, are close enough to a standard normal.
                let unit = || f64::from(u32::try_from(random.below(1 << 30)).unwrap_or(0));
                let sum: f64 = (0..12).map(|_| unit() / f64::from(1_u32 << 30)).sum();
                let factor = (sigma * (sum - 6.0)).exp();
                Duration::try_from_secs_f64(median.as_secs_f64() * factor).unwrap_or(median)
            }
        }
    }
}

mod optional_duration {
    use std::time::Duration;

    use serde::Serializer;

    #[expect(clippy::ref_option, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => crate::durations::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }
}

impl Action {
    pub(super) fn check(&self) -> Result<(), FaultError> {
        let refuse = |reason| Err(FaultError::OutOfRange(reason));
        match self {
            Self::Duplicate(count) if !(2..=DUPLICATES_MAX).contains(count) => {
                refuse("`duplicate` lies between 2 and 32")
            }
            Self::Reorder { window, .. } if !(2..=WINDOW_MAX).contains(window) => {
                refuse("`reorder.window` lies between 2 and 64")
            }
            Self::Status { code, .. } if !(200..=599).contains(code) => {
                refuse("`status` lies between 200 and 599")
            }
            Self::DelayRequest(Delay::Drawn(drawn)) | Self::DelayResponse(Delay::Drawn(drawn))
                if !(0.0..=3.0).contains(&drawn.sigma) =>
            {
                refuse("`sigma` lies between 0 and 3")
            }
            _ => Ok(()),
        }
    }

    /// Whether this can still happen to a message that is ready to leave.
    pub(super) const fn comes_after_signing(&self) -> bool {
        !matches!(
            self,
            Self::CorruptSignature
                | Self::StaleTimestamp(_)
                | Self::WrongKey
                | Self::Alter(_)
                | Self::AlterSigned(_)
                | Self::Hold(_)
                | Self::Reorder { .. }
        )
    }

    /// Whether a message that suffers `plan` already can suffer this too.
    pub(super) fn fits(&self, plan: &FaultPlan) -> bool {
        match self {
            Self::DelayRequest(_) => plan.delay_request.is_none(),
            Self::DelayResponse(_) => plan.delay_response.is_none(),
            Self::Duplicate(_) => plan.copies == 0,
            Self::Hold(_) => plan.hold.is_none(),
            Self::Reorder { .. } => plan.reorder.is_none(),
            Self::Replay { .. } => plan.replay_after.is_none(),
            _ => plan.damage.is_none(),
        }
    }

    pub(super) fn apply(&self, plan: &mut FaultPlan, id: &str, random: &Random) {
        match self {
            Self::DelayRequest(delay) => plan.delay_request = Some(delay.draw(random)),
            Self::DelayResponse(delay) => plan.delay_response = Some(delay.draw(random)),
            Self::Duplicate(count) => plan.copies = *count,
            Self::Hold(label) => plan.hold = Some(label.clone()),
            Self::Reorder { window, order } => {
                plan.reorder = Some((id.to_owned(), *window, *order));
            }
            Self::Replay { after } => plan.replay_after = Some(*after),
            damage => plan.damage = Some(damage.clone()),
        }
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ActionVisitor)
    }
}

const WORDS: &[&str] = &[
    "drop_request",
    "drop_response",
    "delay_request",
    "delay_response",
    "duplicate",
    "reorder",
    "status",
    "answer",
    "reset",
    "truncate",
    "garbage",
    "corrupt_signature",
    "stale_timestamp",
    "wrong_key",
    "down",
    "hold",
    "replay",
    "alter",
    "alter_signed",
];

struct ActionVisitor;

impl<'de> Visitor<'de> for ActionVisitor {
    type Value = Action;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a word such as `drop_response`, or one word with its value")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Action, E> {
        match word {
            "drop_request" => Ok(Action::DropRequest),
            "drop_response" => Ok(Action::DropResponse),
            "garbage" => Ok(Action::Garbage),
            "corrupt_signature" => Ok(Action::CorruptSignature),
            "wrong_key" => Ok(Action::WrongKey),
            "down" => Ok(Action::Down),
            _ if WORDS.contains(&word) => Err(E::custom(format!("`{word}` needs a value"))),
            _ => Err(E::unknown_variant(word, WORDS)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Action, A::Error> {
        let Some(word) = map.next_key::<String>()? else {
            return Err(de::Error::custom("`do` is empty"));
        };
        let action = match word.as_str() {
            "delay_request" => Action::DelayRequest(map.next_value()?),
            "delay_response" => Action::DelayResponse(map.next_value()?),
            "duplicate" => Action::Duplicate(map.next_value()?),
            "reorder" => {
                let Reordering { window, order } = map.next_value()?;
                Action::Reorder { window, order }
            }
            "status" => map.next_value::<Status>()?.into(),
            "answer" => Action::Answer(map.next_value()?),
            "reset" => Action::Reset(map.next_value()?),
            "truncate" => Action::Truncate(map.next_value()?),
            "stale_timestamp" => Action::StaleTimestamp(map.next_value::<Text>()?.0),
            "hold" => Action::Hold(map.next_value()?),
            "replay" => Action::Replay { after: map.next_value::<Replay>()?.after },
            "alter" => Action::Alter(map.next_value()?),
            "alter_signed" => Action::AlterSigned(map.next_value()?),
            _ if WORDS.contains(&word.as_str()) => {
                return Err(de::Error::custom(format!("`{word}` stands alone, without a value")));
            }
            _ => return Err(de::Error::unknown_variant(&word, WORDS)),
        };
        match map.next_key::<String>()? {
            Some(second) => Err(de::Error::custom(format!(
                "one fault does one thing, but `{word}` and `{second}` are given"
            ))),
            None => Ok(action),
        }
    }
}

#[derive(Deserialize)]
struct Text(#[serde(with = "durations")] Duration);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    #[serde(with = "durations")]
    after: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reordering {
    window: u32,
    order: Order,
}

/// `503`, or `{ code: 429, retry_after: 2s }`.
struct Status(StatusWithHeaders);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusWithHeaders {
    code: u16,
    retry_after: Option<Text>,
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StatusVisitor;
        impl<'de> Visitor<'de> for StatusVisitor {
            type Value = Status;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a status such as 503, or a code with `retry_after`")
            }

            fn visit_u64<E: de::Error>(self, code: u64) -> Result<Status, E> {
                let code = u16::try_from(code).map_err(|_| {
                    E::invalid_value(de::Unexpected::Unsigned(code), &"a status of three digits")
                })?;
                Ok(Status(StatusWithHeaders { code, retry_after: None }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Status, A::Error> {
                StatusWithHeaders::deserialize(MapAccessDeserializer::new(map)).map(Status)
            }
        }
        deserializer.deserialize_any(StatusVisitor)
    }
}

impl From<Status> for Action {
    fn from(Status(status): Status) -> Self {
        Self::Status { code: status.code, retry_after: status.retry_after.map(|text| text.0) }
    }
}
