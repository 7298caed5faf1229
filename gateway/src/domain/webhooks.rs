//! Delivering events: when to try again, when to give up, and where events may go.

pub mod target;

use std::time::Duration;

use wire::time::Timestamp;

/// Attempts of one series.
pub const ATTEMPTS_MAX: usize = 10;

/// How deliveries behave; every figure is a setting.
#[derive(Clone, Debug)]
pub struct DeliveryPolicy {
    /// Wait before each attempt of a series, from the end of the one before.
    pub waits: [Duration; ATTEMPTS_MAX],
    /// A wait is lengthened by up to this share of itself, in percent.
    pub jitter_percent_max: u32,
    /// Shortest wait after 429, 502, 503, 504 and a missed deadline.
    pub overload_wait_min: Duration,
    /// An endpoint that has failed for so long without a success is disabled.
    pub disable_after: Duration,
    /// Failed attempts of one delivery after which an alert is raised.
    pub alert_after: u32,
    /// Attempts in flight per endpoint.
    pub in_flight_max: usize,
    /// Deadline for the connection.
    pub connect_deadline: Duration,
    /// Deadline for the whole attempt, including the answer's body.
    pub deadline: Duration,
    /// Bytes of the answer that are read.
    pub answer_bytes_max: usize,
    /// How long the old secret signs beside the new one.
    pub secret_overlap: Duration,
    /// How long delivered events and their attempts are kept.
    pub retention: Duration,
}

impl Default for DeliveryPolicy {
    fn default() -> Self {
        let hours = Duration::from_hours;
        Self {
            waits: [
                Duration::ZERO,
                Duration::from_secs(5),
                Duration::from_mins(5),
                Duration::from_mins(30),
                hours(2),
                hours(5),
                hours(10),
                hours(14),
                hours(20),
                hours(24),
            ],
            jitter_percent_max: 20,
            overload_wait_min: Duration::from_mins(1),
            disable_after: hours(120),
            alert_after: 4,
            in_flight_max: 10,
            connect_deadline: Duration::from_secs(5),
            deadline: Duration::from_secs(15),
            answer_bytes_max: 64 * 1024,
            secret_overlap: hours(24),
            retention: hours(30 * 24),
        }
    }
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Status 200 to 299.
    Delivered,
    /// Any other status; a redirect is never followed.
    Refused,
    /// 429, 502, 503, 504, with the wait that the receiver asked for.
    Overloaded {
        /// From `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// 410: the receiver wants no more events.
    Gone,
    /// The deadline passed.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The target's address is not allowed.
    Blocked,
}

impl Verdict {
    /// The verdict on a status that was received.
    pub const fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            429 | 502 | 503 | 504 => Self::Overloaded { retry_after },
            _ => Self::Refused,
        }
    }

    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused | Self::Overloaded { .. } | Self::Gone => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Blocked => "blocked",
        }
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// To be tried.
    Pending {
        /// Attempts of this series so far.
        tried: u32,
        /// When the next one is due.
        due_at: Timestamp,
    },
    /// Answered with 2xx.
    Delivered,
    /// The last attempt failed; only a person resends it.
    Dead,
}

/// What happens to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// An attempt ended.
    Attempted {
        /// How.
        verdict: Verdict,
        /// When.
        at: Timestamp,
        /// A random number; its remainder chooses the jitter.
        random: u64,
    },
    /// Somebody asked for it again.
    ResendRequested {
        /// When.
        at: Timestamp,
    },
}

/// The event does not fit the state; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery has ended")]
pub struct DeliveryEnded;

impl Delivery {
    /// A delivery that is due at once.
    pub const fn new(at: Timestamp) -> Self {
        Self::Pending { tried: 0, due_at: at }
    }

    /// Moves the delivery on; a refusal changes nothing.
    pub fn apply(
        &mut self,
        policy: &DeliveryPolicy,
        event: DeliveryEvent,
    ) -> Result<(), DeliveryEnded> {
        *self = match (*self, event) {
            (Self::Pending { tried, .. }, DeliveryEvent::Attempted { verdict, at, random }) => {
                policy.after_attempt(tried.saturating_add(1), verdict, at, random)
            }
            (Self::Pending { tried, .. }, DeliveryEvent::ResendRequested { at }) => {
                Self::Pending { tried, due_at: at }
            }
            (Self::Delivered | Self::Dead, DeliveryEvent::ResendRequested { at }) => Self::new(at),
            (Self::Delivered | Self::Dead, DeliveryEvent::Attempted { .. }) => {
                return Err(DeliveryEnded);
            }
        };
        Ok(())
    }

    /// The word that is shown.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl DeliveryPolicy {
    fn after_attempt(&self, tried: u32, verdict: Verdict, at: Timestamp, random: u64) -> Delivery {
        if verdict == Verdict::Delivered {
            return Delivery::Delivered;
        }
        let scheduled = usize::try_from(tried).ok().and_then(|index| self.waits.get(index));
        let Some(scheduled) = scheduled else { return Delivery::Dead };
        let wait = self.wait(*scheduled, verdict, random);
        Delivery::Pending { tried, due_at: at.plus(wait) }
    }

    fn wait(&self, scheduled: Duration, verdict: Verdict, random: u64) -> Duration {
        // In thousandths, so that an hour spreads over more than twenty instants.
        let limit = u64::from(self.jitter_percent_max).saturating_mul(10).saturating_add(1);
        let permille = u32::try_from(random % limit).unwrap_or(0);
        let jitter = scheduled.saturating_mul(permille) / 1000;
        let wait = scheduled.saturating_add(jitter);
        match verdict {
            Verdict::Overloaded { retry_after } => {
                let wait = wait.max(self.overload_wait_min);
                let asked = retry_after.unwrap_or(wait);
                asked.clamp(wait, wait.saturating_mul(2))
            }
            Verdict::Timeout => wait.max(self.overload_wait_min),
            Verdict::Delivered
            | Verdict::Refused
            | Verdict::Gone
            | Verdict::Unreachable
            | Verdict::Blocked => wait,
        }
    }
}

/// Whether an endpoint takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Enabled {
        /// The first failed attempt since the last success.
        failing_since: Option<Timestamp>,
    },
    /// It does not; events wait.
    Disabled(DisabledReason),
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledReason {
    /// Its owner said so.
    ByOwner,
    /// It answered 410.
    Gone,
    /// It failed for too long.
    Failing,
}

impl DisabledReason {
    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByOwner => "by_owner",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// The reason of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::ByOwner, Self::Gone, Self::Failing].into_iter().find(|it| it.as_str() == word)
    }
}

/// What happens to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthEvent {
    /// An attempt ended.
    Attempted {
        /// How.
        verdict: Verdict,
        /// When.
        at: Timestamp,
    },
    /// Its owner disabled it.
    Disable,
    /// Its owner enabled it.
    Enable,
}

impl Health {
    /// The state after an event. An attempt that was in flight changes nothing once disabled.
    pub fn after(self, policy: &DeliveryPolicy, event: HealthEvent) -> Self {
        match (self, event) {
            (Self::Enabled { failing_since }, HealthEvent::Attempted { verdict, at }) => {
                policy.health_after(failing_since, verdict, at)
            }
            (Self::Enabled { .. } | Self::Disabled(_), HealthEvent::Disable) => {
                Self::Disabled(DisabledReason::ByOwner)
            }
            (Self::Disabled(_), HealthEvent::Enable) => Self::Enabled { failing_since: None },
            (Self::Disabled(reason), HealthEvent::Attempted { .. }) => Self::Disabled(reason),
            (Self::Enabled { failing_since }, HealthEvent::Enable) => {
                Self::Enabled { failing_since }
            }
        }
    }

    /// Whether it takes events.
    pub const fn is_enabled(self) -> bool {
        matches!(self, Self::Enabled { .. })
    }
}

impl DeliveryPolicy {
    fn health_after(
        &self,
        failing_since: Option<Timestamp>,
        verdict: Verdict,
        at: Timestamp,
    ) -> Health {
        let since = failing_since.unwrap_or(at);
        match verdict {
            Verdict::Delivered => Health::Enabled { failing_since: None },
            Verdict::Gone => Health::Disabled(DisabledReason::Gone),
            Verdict::Refused
            | Verdict::Overloaded { .. }
            | Verdict::Timeout
            | Verdict::Unreachable
            | Verdict::Blocked => {
                if at.since(since) >= self.disable_after {
                    Health::Disabled(DisabledReason::Failing)
                } else {
                    Health::Enabled { failing_since: Some(since) }
                }
            }
        }
    }
}

/// Which events an endpoint gets: some types, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription(Vec<String>);

/// The word for all types.
pub const ALL_TYPES: &str = "*";

impl Subscription {
    /// The given types; `*` stands for all.
    pub const fn new(types: Vec<String>) -> Self {
        Self(types)
    }

    /// The types as they were given.
    pub fn types(&self) -> &[String] {
        &self.0
    }

    /// Whether an event of this type is wanted.
    pub fn wants(&self, event_type: &str) -> bool {
        self.0.iter().any(|wanted| wanted == ALL_TYPES || wanted == event_type)
    }
}

#[cfg(test)]
mod tests;
