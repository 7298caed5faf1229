//! The numbers that belong to a card network: data with a date, not code.

use std::time::Duration;

use wire::card::Brand;
use wire::money::MinorUnits;

const DAY: Duration = Duration::from_hours(24);

/// Which increments of an authorization a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Increments {
    /// None.
    Never,
    /// Any.
    Always,
    /// Those of merchants in the United States.
    UnitedStates,
    /// Those of merchants whose amounts are estimates by their trade.
    ByCategory,
}

/// What a network prescribes for the amounts of an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkProfile {
    /// From which day these numbers hold.
    pub effective_from: &'static str,
    /// Days in which a final amount of the cardholder can be captured.
    pub customer_days: u32,
    /// The same, where the merchant started the payment.
    pub merchant_days: u32,
    /// The same, where the amount is an estimate.
    pub estimated_days: u32,
    /// Which increments it takes.
    pub increments: Increments,
    /// Whether the window begins anew with each increment.
    pub increment_extends: bool,
}

const fn profile(days: [u32; 3], increments: Increments) -> NetworkProfile {
    let [customer_days, merchant_days, estimated_days] = days;
    NetworkProfile {
        effective_from: "2026-01-01",
        customer_days,
        merchant_days,
        estimated_days,
        increments,
        increment_extends: false,
    }
}

/// Merchant categories whose amounts are estimates: restaurants, lodging, cruises, vehicle rental.
const ESTIMATING: [(u16, u16); 7] = [
    (3351, 3441),
    (3501, 3999),
    (4411, 4411),
    (5812, 5814),
    (7011, 7011),
    (7512, 7513),
    (4121, 4121),
];

impl NetworkProfile {
    /// The profile of a brand's network.
    pub const fn of(brand: Brand) -> Self {
        use Increments::{Always, ByCategory, Never, UnitedStates};
        match brand {
            Brand::Visa => profile([10, 5, 30], Always),
            Brand::Mastercard => Self { increment_extends: true, ..profile([7, 7, 30], Always) },
            Brand::Amex => profile([7, 7, 30], UnitedStates),
            Brand::Discover | Brand::Diners => profile([10, 10, 10], ByCategory),
            Brand::Jcb | Brand::Unionpay => profile([30, 30, 30], Never),
            Brand::Maestro | Brand::Mir => profile([7, 7, 7], Never),
            Brand::Private => profile([7, 7, 7], Always),
        }
    }

    /// How long an authorization can be captured.
    pub fn window(&self, estimated: bool, by_merchant: bool) -> Duration {
        let days = match (estimated, by_merchant) {
            (true, _) => self.estimated_days,
            (false, true) => self.merchant_days,
            (false, false) => self.customer_days,
        };
        DAY.saturating_mul(days)
    }

    /// Whether a merchant of this category and country may raise an authorization.
    pub fn takes_increments(&self, category: &str, country: &str) -> bool {
        let category: u16 = category.parse().unwrap_or(0);
        match self.increments {
            Increments::Never => false,
            Increments::Always => true,
            Increments::UnitedStates => country == "US",
            Increments::ByCategory => {
                ESTIMATING.iter().any(|(from, to)| (*from..=*to).contains(&category))
            }
        }
    }
}

/// How far captures may exceed an authorization, as the processor said with the approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverCapture {
    /// Percent of the authorized amount.
    pub percent: u8,
    /// At least this much.
    pub amount: MinorUnits,
}

impl OverCapture {
    /// The most that captures of an authorization of `authorized` may come to.
    pub fn cap(&self, authorized: MinorUnits) -> MinorUnits {
        if authorized.is_zero() {
            return authorized;
        }
        let percent = i64::from(self.percent).saturating_add(100);
        let by_percent = authorized.checked_share(percent, 100).unwrap_or(authorized);
        let by_amount = authorized.checked_add(self.amount).unwrap_or(authorized);
        by_percent.max(by_amount)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn minor(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    #[test]
    fn windows_and_increments_of_every_network_are_as_written_here() {
        let mut table = String::new();
        for brand in Brand::ALL {
            let it = NetworkProfile::of(brand);
            let days =
                [(false, false), (false, true), (true, false)].map(|(estimated, by_merchant)| {
                    it.window(estimated, by_merchant).as_secs() / 86400
                });
            let shop = it.takes_increments("5732", "FR");
            let hotel = it.takes_increments("7011", "FR");
            let american = it.takes_increments("5732", "US");
            let _ = writeln!(
                table,
                "{:10} {days:?} shop {shop} hotel {hotel} us {american} extends {}",
                brand.as_str(),
                it.increment_extends
            );
        }
        insta::assert_snapshot!(table, @"
        visa       [10, 5, 30] shop true hotel true us true extends false
        mastercard [7, 7, 30] shop true hotel true us true extends true
        amex       [7, 7, 30] shop false hotel false us true extends false
        discover   [10, 10, 10] shop false hotel true us false extends false
        diners     [10, 10, 10] shop false hotel true us false extends false
        jcb        [30, 30, 30] shop false hotel false us false extends false
        unionpay   [30, 30, 30] shop false hotel false us false extends false
        maestro    [7, 7, 7] shop false hotel false us false extends false
        mir        [7, 7, 7] shop false hotel false us false extends false
        private    [7, 7, 7] shop true hotel true us true extends false
        ");
    }

    #[test]
    fn the_cap_is_the_larger_of_percent_and_amount() {
        let tip = OverCapture { percent: 20, amount: MinorUnits::ZERO };
        assert_eq!(tip.cap(minor(10_000)), minor(12_000));
        let rental = OverCapture { percent: 15, amount: minor(7_500) };
        assert_eq!(rental.cap(minor(10_000)), minor(17_500));
        assert_eq!(rental.cap(minor(100_000)), minor(115_000));
        assert_eq!(rental.cap(MinorUnits::ZERO), MinorUnits::ZERO);
        assert_eq!(OverCapture::default().cap(minor(10_000)), minor(10_000));
    }
}
