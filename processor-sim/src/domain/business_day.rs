//! Which business day a message belongs to.

use std::time::Duration;

use wire::calendar::CUT_OFF_HOUR;
use wire::time::Timestamp;

const DAY: Duration = Duration::from_hours(24);

/// The settlement date (field 15): today until the cut-off, then tomorrow. `2026-11-22`.
pub fn settlement_date(now: Timestamp) -> String {
    let day = if now.utc().hour < CUT_OFF_HOUR { now } else { now.plus(DAY) };
    let fields = day.utc();
    format!("{:04}-{:02}-{:02}", fields.year, fields.month, fields.day)
}

/// Now as a calendar at an offset from UTC in minutes shows it.
pub fn local_time(now: Timestamp, offset_minutes: i64) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_add(offset_minutes.saturating_mul(60_000)))
}

/// Number of the calendar day at an offset from UTC in minutes: counts per day belong to it.
pub fn local_day(now: Timestamp, offset_minutes: i64) -> i64 {
    now.millis().saturating_add(offset_minutes.saturating_mul(60_000)).div_euclid(86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_business_day_changes_at_the_cut_off() {
        let before: Timestamp = "2026-12-31T21:59:59.999Z".parse().unwrap();
        let after: Timestamp = "2026-12-31T22:00:00Z".parse().unwrap();
        assert_eq!(settlement_date(before), "2026-12-31");
        assert_eq!(settlement_date(after), "2027-01-01");
    }

    #[test]
    fn a_local_day_begins_at_local_midnight() {
        let evening: Timestamp = "2026-11-22T23:30:00Z".parse().unwrap();
        assert_eq!(local_day(evening, 60), local_day(evening, 0) + 1);
        assert_eq!(local_day(evening, -300), local_day(evening, 0));
    }
}
