//! Business days: cut-offs, weekends, holidays, and when money moves.

use std::fmt;
use std::time::Duration;

use crate::money::Currency;
use crate::time::Timestamp;

/// The daily cut-off of every network, in hours after midnight UTC.
pub const CUT_OFF_HOUR: i64 = 22;

const DAY_MILLIS: i64 = 86_400_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// When money moves on a business day, in hours after midnight UTC.
pub const SETTLEMENT_HOUR: i64 = 8;

/// The currency that the acquirer keeps its books in: others settle a day later.
const HOME_CURRENCY: &str = "EUR";

/// A business day: days since 1970-01-01. It ends with its cut-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessDay(pub i64);

impl BusinessDay {
    /// The day to which a moment belongs: today until the cut-off, then tomorrow.
    pub fn of(now: Timestamp) -> Self {
        let shift = (24_i64.saturating_sub(CUT_OFF_HOUR)).saturating_mul(HOUR_MILLIS);
        Self(now.millis().saturating_add(shift).div_euclid(DAY_MILLIS))
    }

    fn midnight(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(DAY_MILLIS))
    }

    fn at_hour(self, hour: i64) -> Timestamp {
        Timestamp::from_millis(self.midnight().millis().saturating_add(hour * HOUR_MILLIS))
    }

    /// The moment at which it ends.
    pub fn cut_off(self) -> Timestamp {
        self.at_hour(CUT_OFF_HOUR)
    }

    /// The calendar day this many days later.
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Whether banks settle on it: Monday to Friday, and no holiday.
    pub fn is_open(self) -> bool {
        // 1970-01-01 was a Thursday.
        let weekday = self.0.saturating_add(3).rem_euclid(7);
        weekday < 5 && !self.is_holiday()
    }

    /// New Year, Good Friday, Easter Monday, 1 May, 25 and 26 December.
    fn is_holiday(self) -> bool {
        let fields = self.midnight().utc();
        let fixed = [(1, 1), (5, 1), (12, 25), (12, 26)];
        let easter = easter_sunday(fields.year);
        let from_easter = fields.day_of_year().saturating_sub(easter);
        fixed.contains(&(fields.month, fields.day)) || from_easter == -2 || from_easter == 1
    }

    /// The n-th open day after this one.
    pub fn plus_open_days(self, count: u8) -> Self {
        let mut day = self;
        for _ in 0..count {
            day = day.plus_days(1);
            while !day.is_open() {
                day = day.plus_days(1);
            }
        }
        day
    }

    /// When a batch of this day is paid: one open day later, two for a foreign currency.
    pub fn settles_at(self, currency: Currency) -> Timestamp {
        let days = if currency.code() == HOME_CURRENCY { 1 } else { 2 };
        self.plus_open_days(days).at_hour(SETTLEMENT_HOUR)
    }
}

impl fmt::Display for BusinessDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.midnight().utc();
        write!(formatter, "{:04}-{:02}-{:02}", fields.year, fields.month, fields.day)
    }
}

/// Day of the year of Easter Sunday (Gregorian calendar, after Meeus).
fn easter_sunday(year: i64) -> i64 {
    let (century, of_century) = (year / 100, year % 100);
    let golden = year % 19;
    let lunar = century - century / 4 - (8 * century + 13) / 25;
    let moon = (19 * golden + lunar + 15) % 30;
    let weekday = 32 + 2 * (century % 4) + 2 * (of_century / 4) - of_century % 4;
    let to_sunday = (weekday - moon).rem_euclid(7);
    let correction = (golden + 11 * moon + 22 * to_sunday) / 451;
    let march = moon + to_sunday - 7 * correction + 114;
    let (month, day) = (march / 31, march % 31 + 1);
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    // March begins after 59 days, April after 90.
    leap + day + if month == 3 { 59 } else { 90 }
}

/// This many simulated days.
pub const fn days(count: u32) -> Duration {
    Duration::from_hours(24).saturating_mul(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> BusinessDay {
        BusinessDay::of(format!("{text}T00:00:00Z").parse().unwrap())
    }

    fn euro() -> Currency {
        Currency::parse("EUR").unwrap()
    }

    #[test]
    fn a_day_ends_with_its_cut_off() {
        let before: Timestamp = "2026-11-22T21:59:59.999Z".parse().unwrap();
        let after: Timestamp = "2026-11-22T22:00:00Z".parse().unwrap();
        assert_eq!(BusinessDay::of(before).to_string(), "2026-11-22");
        assert_eq!(BusinessDay::of(after).to_string(), "2026-11-23");
        assert_eq!(BusinessDay::of(before).cut_off(), after);
    }

    #[test]
    fn weekends_and_holidays_are_closed() {
        for closed in [
            "2026-11-21",
            "2026-11-22",
            "2026-12-25",
            "2027-01-01",
            "2026-04-03",
            "2026-04-06",
            "2025-04-18",
            "2025-04-21",
            "2027-03-26",
            "2027-03-29",
            "2028-04-17",
            "2024-04-01",
        ] {
            assert!(!day(closed).is_open(), "{closed}");
        }
        for open in ["2026-11-23", "2026-11-27", "2026-04-07", "2026-12-24", "2026-04-02"] {
            assert!(day(open).is_open(), "{open}");
        }
    }

    #[test]
    fn a_cut_off_before_a_long_weekend_is_paid_on_tuesday() {
        let thursday = day("2026-04-02");
        assert_eq!(thursday.settles_at(euro()).to_string(), "2026-04-07T08:00:00.000Z");
        let friday = day("2026-11-20");
        assert_eq!(friday.settles_at(euro()).to_string(), "2026-11-23T08:00:00.000Z");
        let dollar = Currency::parse("USD").unwrap();
        assert_eq!(friday.settles_at(dollar).to_string(), "2026-11-24T08:00:00.000Z");
        assert_eq!(day("2026-11-21").settles_at(euro()), friday.settles_at(euro()));
    }
}
