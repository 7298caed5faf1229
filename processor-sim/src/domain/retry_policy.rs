//! When the networks forbid another try with a declined card: numbers with a date, not code.

use std::time::Duration;

use wire::card::Brand;
use wire::codes::{CodeClass, ResponseCode};
use wire::time::Timestamp;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(30 * 24);

/// So many declines within this time, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Declines of one card, merchant and amount.
    pub declines: usize,
    /// Within this time.
    pub within: Duration,
}

/// The rules of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// From which day they hold.
    pub effective_from: &'static str,
    /// Declines of category 1 (hard) are never tried again.
    pub hard_is_final: bool,
    /// How often others are tried.
    pub limits: &'static [Limit],
    /// Wrong security codes of one card and merchant, after which nothing more is sent.
    pub wrong_codes: Limit,
}

const WRONG_CODES: Limit = Limit { declines: 3, within: DAY };

const fn policy(limits: &'static [Limit]) -> RetryPolicy {
    RetryPolicy {
        effective_from: "2026-01-01",
        hard_is_final: true,
        limits,
        wrong_codes: WRONG_CODES,
    }
}

/// The first attempt and fifteen retries in thirty days.
const VISA: RetryPolicy = policy(&[Limit { declines: 16, within: MONTH }]);
const MASTERCARD: RetryPolicy =
    policy(&[Limit { declines: 10, within: DAY }, Limit { declines: 35, within: MONTH }]);
const OTHERS: RetryPolicy = policy(&[]);

impl RetryPolicy {
    /// The rules of a brand's network.
    pub const fn of(brand: Brand) -> Self {
        match brand {
            Brand::Visa => VISA,
            Brand::Mastercard | Brand::Maestro => MASTERCARD,
            Brand::Amex
            | Brand::Discover
            | Brand::Diners
            | Brand::Jcb
            | Brand::Unionpay
            | Brand::Mir
            | Brand::Private => OTHERS,
        }
    }
}

/// A decline that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDecline {
    /// What was answered.
    pub code: ResponseCode,
    /// Merchant advice code.
    pub advice: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why another try is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// A hard decline.
    Category1,
    /// The network said: never.
    Never,
    /// Tried too often.
    Excessive,
    /// The network said when, and that is not yet.
    TooSoon(Timestamp),
    /// Wrong security codes.
    SecurityCode,
}

impl Block {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Category1 => "category_1",
            Self::Never => "never",
            Self::Excessive => "excessive",
            Self::TooSoon(_) => "too_soon",
            Self::SecurityCode => "security_code",
        }
    }

    /// When it ends, where it does and that is known.
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::TooSoon(until) => Some(until),
            Self::Category1 | Self::Never | Self::Excessive | Self::SecurityCode => None,
        }
    }
}

/// Whether a card that was declined for this merchant and amount may be tried now. `declines` come
/// newest first.
pub fn judge(policy: &RetryPolicy, declines: &[PastDecline], now: Timestamp) -> Option<Block> {
    if policy.hard_is_final && declines.iter().any(|it| is_hard(it.code)) {
        return Some(Block::Category1);
    }
    let advised = declines.iter().filter_map(|it| Some((it.advice.as_deref()?, it.at)));
    for (advice, at) in advised {
        match advice {
            "03" | "04" | "21" | "22" => return Some(Block::Never),
            advice => {
                let until = wait_of(advice).map(|wait| at.plus(wait));
                if let Some(until) = until.filter(|until| now < *until) {
                    return Some(Block::TooSoon(until));
                }
            }
        }
    }
    let reached = |limit: &Limit| {
        let since = now.minus(limit.within);
        declines.iter().filter(|it| it.at > since).count() >= limit.declines
    };
    policy.limits.iter().any(reached).then_some(Block::Excessive)
}

/// Whether a card has had so many wrong security codes that nothing more is sent.
pub fn judge_codes(policy: &RetryPolicy, wrong: &[Timestamp], now: Timestamp) -> Option<Block> {
    let since = now.minus(policy.wrong_codes.within);
    let recent = wrong.iter().filter(|at| **at > since).count();
    (recent >= policy.wrong_codes.declines).then_some(Block::SecurityCode)
}

fn is_hard(code: ResponseCode) -> bool {
    code.info().is_some_and(|info| info.class == CodeClass::Hard || info.visa_category == Some(1))
}

/// The wait that merchant advice codes 24 to 30 tell.
fn wait_of(advice: &str) -> Option<Duration> {
    let hours = match advice {
        "24" => 1,
        "25" => 24,
        "26" => 2 * 24,
        "27" => 4 * 24,
        "28" => 6 * 24,
        "29" => 8 * 24,
        "30" => 10 * 24,
        _ => return None,
    };
    Some(HOUR.saturating_mul(hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn past(code: &str, advice: Option<&str>, ago: Duration) -> PastDecline {
        PastDecline {
            code: ResponseCode::parse(code).unwrap(),
            advice: advice.map(str::to_owned),
            at: NOW.minus(ago),
        }
    }

    fn soft(count: usize, ago: Duration) -> Vec<PastDecline> {
        vec![past("51", None, ago); count]
    }

    #[test]
    fn a_hard_decline_is_final_on_every_network() {
        for brand in Brand::ALL {
            let policy = RetryPolicy::of(brand);
            for code in ["04", "07", "14", "41", "43", "46", "57", "R0", "R1", "R3"] {
                let declines = [past(code, None, MONTH.saturating_mul(12))];
                assert_eq!(judge(&policy, &declines, NOW), Some(Block::Category1), "{code}");
            }
            assert_eq!(judge(&policy, &[past("51", None, HOUR)], NOW), None);
            assert_eq!(judge(&policy, &[], NOW), None);
        }
    }

    #[test]
    fn each_network_counts_in_its_own_way() {
        let judged = |brand, declines: &[PastDecline]| {
            judge(&RetryPolicy::of(brand), declines, NOW).map(Block::as_str)
        };
        let visa = |declines: &[PastDecline]| judged(Brand::Visa, declines);
        assert_eq!(visa(&soft(15, DAY)), None, "fifteen declines: the fifteenth retry is free");
        assert_eq!(visa(&soft(16, DAY)), Some("excessive"));
        assert_eq!(visa(&soft(16, MONTH)), None, "thirty days are over");
        let mastercard = |declines: &[PastDecline]| judged(Brand::Mastercard, declines);
        assert_eq!(mastercard(&soft(9, HOUR)), None);
        assert_eq!(mastercard(&soft(10, HOUR)), Some("excessive"));
        assert_eq!(mastercard(&soft(10, DAY)), None);
        assert_eq!(mastercard(&soft(35, DAY)), Some("excessive"));
        assert_eq!(judged(Brand::Amex, &soft(100, HOUR)), None);
    }

    #[test]
    fn advice_codes_name_the_time_or_end_it() {
        let policy = RetryPolicy::of(Brand::Mastercard);
        let half = Duration::from_mins(30);
        let early = judge(&policy, &[past("51", Some("24"), half)], NOW);
        assert_eq!(early, Some(Block::TooSoon(NOW.plus(half))));
        assert_eq!(early.and_then(Block::until), Some(NOW.plus(half)));
        assert_eq!(judge(&policy, &[past("51", Some("24"), HOUR)], NOW), None);
        for advice in ["03", "04", "21", "22"] {
            let declines = [past("05", Some(advice), DAY)];
            assert_eq!(judge(&policy, &declines, NOW), Some(Block::Never), "{advice}");
        }
        assert_eq!(judge(&policy, &[past("51", Some("02"), half)], NOW), None);
        let tenth = judge(&policy, &[past("51", Some("30"), DAY.saturating_mul(9))], NOW);
        assert_eq!(tenth, Some(Block::TooSoon(NOW.plus(DAY))));
    }

    #[test]
    fn the_fourth_wrong_security_code_in_a_day_is_not_sent() {
        let policy = RetryPolicy::of(Brand::Visa);
        let at = |ago: Duration| NOW.minus(ago);
        assert_eq!(judge_codes(&policy, &[at(HOUR), at(HOUR)], NOW), None);
        let three = [at(HOUR), at(HOUR), at(HOUR)];
        assert_eq!(judge_codes(&policy, &three, NOW), Some(Block::SecurityCode));
        assert_eq!(judge_codes(&policy, &[at(HOUR), at(HOUR), at(DAY)], NOW), None);
    }
}
