//! How values read on pages: times, states, tones.

use wire::time::Timestamp;

use crate::domain::order::Status;
use crate::domain::payment::Status as PaymentStatus;

/// A state as a pill: a tone of the shared style, and a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pill {
    /// good, bad, wait, info, or empty.
    pub tone: &'static str,
    /// The word.
    pub word: &'static str,
}

/// A time for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// RFC 3339.
    pub machine: String,
    /// `22 Nov 2026, 07:45 UTC`.
    pub people: String,
    /// The same with seconds, for those who compare.
    pub exact: String,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl From<Timestamp> for When {
    fn from(at: Timestamp) -> Self {
        let utc = at.utc();
        let month = usize::try_from(utc.month.saturating_sub(1)).ok();
        let month = month.and_then(|index| MONTHS.get(index)).unwrap_or(&"");
        let minute = format!("{} {month} {}, {:02}:{:02}", utc.day, utc.year, utc.hour, utc.minute);
        Self {
            machine: at.to_string(),
            people: format!("{minute} UTC"),
            exact: format!("{minute}:{:02} UTC", utc.second),
        }
    }
}

/// An order's status.
pub const fn order_pill(status: Status) -> Pill {
    let (tone, word) = match status {
        Status::AwaitingPayment => ("wait", "Awaiting payment"),
        Status::Checking => ("wait", "Being checked"),
        Status::Paid => ("good", "Paid"),
        Status::Declined => ("bad", "Declined"),
        Status::Canceled => ("", "Canceled"),
        Status::PartiallyRefunded => ("info", "Partially refunded"),
        Status::Refunded => ("info", "Refunded"),
    };
    Pill { tone, word }
}

/// A payment's status.
pub const fn payment_pill(status: PaymentStatus) -> Pill {
    let (tone, word) = match status {
        PaymentStatus::Creating => ("wait", "Being made"),
        PaymentStatus::Open => ("wait", "Open"),
        PaymentStatus::Checking => ("wait", "Being checked"),
        PaymentStatus::Authorized => ("info", "Authorized"),
        PaymentStatus::Captured => ("good", "Captured"),
        PaymentStatus::CaptureFailed => ("bad", "Capture failed"),
        PaymentStatus::Canceled => ("", "Canceled"),
        PaymentStatus::Expired => ("", "Expired"),
        PaymentStatus::Failed => ("bad", "Failed"),
        PaymentStatus::Refused => ("bad", "Refused"),
    };
    Pill { tone, word }
}

/// A refund's state, as stored.
pub fn refund_pill(state: &str) -> Pill {
    let (tone, word) = match state {
        "awaiting_approval" => ("wait", "Awaiting approval"),
        "sending" => ("wait", "Being sent"),
        "pending" => ("wait", "Pending"),
        "succeeded" => ("good", "Refunded"),
        "failed" => ("bad", "Failed"),
        "rejected" => ("", "Rejected"),
        _ => ("", "Unknown"),
    };
    Pill { tone, word }
}

/// The verdict on a notification, as stored.
pub fn verdict_tone(verdict: &str) -> &'static str {
    match verdict {
        "applied" => "good",
        "flagged" => "wait",
        refused if refused.starts_with("refused:") => "bad",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let when = When::from(Timestamp::from_millis(1_767_225_600_123));
        assert_eq!(when.people, "1 Jan 2026, 00:00 UTC");
        assert_eq!(when.exact, "1 Jan 2026, 00:00:00 UTC");
        assert_eq!(when.machine, "2026-01-01T00:00:00.123Z");
    }
}
