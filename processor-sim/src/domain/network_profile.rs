//! The numbers that belong to a card network: data with a date, not code.

use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};

/// When an authorization is void unless it was captured, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Started by the cardholder, final amount.
    pub customer: u16,
    /// Started by the merchant on a stored card.
    pub merchant: u16,
    /// The amount is an estimate (hotels, cars, cruises; pre-authorizations).
    pub estimated: u16,
}

/// How far captures may exceed the authorization for a merchant category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// First merchant category code of the range.
    pub from: u16,
    /// Last merchant category code of the range.
    pub to: u16,
    /// Percent of the authorized amount.
    pub percent: u8,
}

/// How far captures may exceed an authorization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverCapture {
    /// Percent of the authorized amount.
    pub percent: u8,
    /// At least this much.
    pub amount: MinorUnits,
}

impl OverCapture {
    /// The most that captures may come to.
    pub fn cap(&self, authorized: MinorUnits) -> MinorUnits {
        let percent = i64::from(self.percent).saturating_add(100);
        let by_percent = authorized.checked_share(percent, 100).unwrap_or(authorized);
        by_percent.max(authorized.checked_add(self.amount).unwrap_or(authorized))
    }
}

/// Which increments of an authorization a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Increments {
    /// None.
    Never,
    /// Any; with each one the window begins anew, or stays.
    Always {
        /// Whether the window begins anew.
        extends: bool,
    },
    /// Those of merchants in the United States.
    UnitedStates,
    /// Those of merchants whose amounts are estimates by their trade.
    ByCategory,
}

/// Restaurants, lodging, cruises, vehicle rental, taxis: their amounts are estimates.
const ESTIMATING: &[(u16, u16)] = &[
    (3351, 3441),
    (3501, 3999),
    (4121, 4121),
    (4411, 4411),
    (5812, 5814),
    (7011, 7011),
    (7512, 7513),
];

/// Vehicle rental: at least USD 75 on top.
const VEHICLE_RENTAL: &[(u16, u16)] = &[(3351, 3441), (7512, 7513)];
const VEHICLE_RENTAL_MINOR_UNITS: i64 = 7500;

fn lies_in(ranges: &[(u16, u16)], category: u16) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&category))
}

/// What a network prescribes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkProfile {
    /// The brand of the network.
    pub brand: Brand,
    /// From which day these numbers hold.
    pub effective_from: &'static str,
    /// Authorization windows.
    pub windows: Windows,
    /// How an issuer refuses a wrong security code.
    pub security_code_failure: ResponseCode,
    /// Electronic commerce indicator of a full authentication; none without 3-D Secure.
    pub authenticated: Option<&'static str>,
    /// Capture tolerances; zero where no range matches.
    pub tolerances: &'static [Tolerance],
    /// Which increments it takes.
    pub increments: Increments,
    /// The network answers for a silent issuer, up to this many minor units; 0: never.
    pub stand_in_minor_units: i64,
    /// First digit of its transaction ids.
    pub id_digit: char,
    /// How it answers a payment that a merchant starts without naming the first one; none: it
    /// lets it pass, with a warning.
    pub without_original: Option<ResponseCode>,
}

const fn windows(customer: u16, merchant: u16, estimated: u16) -> Windows {
    Windows { customer, merchant, estimated }
}

const fn tolerance(from: u16, to: u16, percent: u8) -> Tolerance {
    Tolerance { from, to, percent }
}

/// Taxis, restaurants, beauty; then lodging, cruises; then vehicle rental.
const VISA_TOLERANCES: &[Tolerance] = &[
    tolerance(4121, 4121, 20),
    tolerance(5812, 5814, 20),
    tolerance(7230, 7230, 20),
    tolerance(7298, 7298, 20),
    tolerance(3501, 3999, 15),
    tolerance(7011, 7011, 15),
    tolerance(4411, 4411, 15),
    tolerance(3351, 3441, 15),
    tolerance(7512, 7513, 15),
];

const N7: ResponseCode = ResponseCode::CVV_FAILED_VISA;

const BASE: NetworkProfile = NetworkProfile {
    brand: Brand::Visa,
    effective_from: "2026-01-01",
    windows: windows(7, 7, 7),
    security_code_failure: N7,
    authenticated: Some("05"),
    tolerances: &[],
    increments: Increments::Never,
    stand_in_minor_units: 50_000,
    id_digit: '3',
    without_original: None,
};

/// Every network.
pub const NETWORKS: [NetworkProfile; 10] = [
    NetworkProfile {
        windows: windows(10, 5, 30),
        tolerances: VISA_TOLERANCES,
        increments: Increments::Always { extends: false },
        ..BASE
    },
    NetworkProfile {
        brand: Brand::Mastercard,
        windows: windows(7, 7, 30),
        security_code_failure: ResponseCode::CVV_FAILED,
        authenticated: Some("02"),
        increments: Increments::Always { extends: true },
        id_digit: '5',
        without_original: Some(ResponseCode::DO_NOT_HONOR),
        ..BASE
    },
    NetworkProfile {
        brand: Brand::Amex,
        windows: windows(7, 7, 30),
        increments: Increments::UnitedStates,
        id_digit: '1',
        ..BASE
    },
    NetworkProfile {
        brand: Brand::Discover,
        windows: windows(10, 10, 10),
        increments: Increments::ByCategory,
        id_digit: '6',
        ..BASE
    },
    NetworkProfile {
        brand: Brand::Diners,
        windows: windows(10, 10, 10),
        increments: Increments::ByCategory,
        id_digit: '4',
        ..BASE
    },
    NetworkProfile { brand: Brand::Jcb, windows: windows(30, 30, 30), id_digit: '8', ..BASE },
    NetworkProfile { brand: Brand::Unionpay, windows: windows(30, 30, 30), id_digit: '7', ..BASE },
    NetworkProfile {
        brand: Brand::Maestro,
        security_code_failure: ResponseCode::CVV_FAILED,
        authenticated: Some("02"),
        id_digit: '2',
        ..BASE
    },
    NetworkProfile { brand: Brand::Mir, authenticated: None, id_digit: '9', ..BASE },
    NetworkProfile {
        brand: Brand::Private,
        increments: Increments::Always { extends: false },
        stand_in_minor_units: 0,
        id_digit: '0',
        ..BASE
    },
];

impl NetworkProfile {
    /// The profile of a brand's network.
    pub fn of(brand: Brand) -> &'static Self {
        NETWORKS.iter().find(|profile| profile.brand == brand).unwrap_or(const { &BASE })
    }

    /// The authorization window in days.
    pub const fn window_days(&self, estimated: bool, by_merchant: bool) -> u16 {
        if estimated {
            self.windows.estimated
        } else if by_merchant {
            self.windows.merchant
        } else {
            self.windows.customer
        }
    }

    /// How far captures of a merchant category may exceed the authorization, in percent.
    pub fn tolerance_percent(&self, category: u16) -> u8 {
        let matching = |range: &&Tolerance| (range.from..=range.to).contains(&category);
        self.tolerances.iter().find(matching).map_or(0, |range| range.percent)
    }

    /// The same in full, for a currency.
    pub fn over_capture(&self, category: u16, currency: Currency) -> OverCapture {
        let percent = self.tolerance_percent(category);
        let rental = percent > 0 && lies_in(VEHICLE_RENTAL, category) && currency.code() == "USD";
        let amount = MinorUnits::new(VEHICLE_RENTAL_MINOR_UNITS).unwrap_or_default();
        OverCapture { percent, amount: if rental { amount } else { MinorUnits::ZERO } }
    }

    /// Whether a merchant of this category and country may raise an authorization.
    pub fn takes_increments(&self, category: &str, country: Option<&str>) -> bool {
        match self.increments {
            Increments::Never => false,
            Increments::Always { .. } => true,
            Increments::UnitedStates => country == Some("US"),
            Increments::ByCategory => lies_in(ESTIMATING, category.parse().unwrap_or(0)),
        }
    }

    /// Whether the window of an authorization begins anew with each increment.
    pub fn increment_extends(&self) -> bool {
        self.increments == Increments::Always { extends: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_brand_has_a_profile_of_its_own() {
        for brand in Brand::ALL {
            assert_eq!(NetworkProfile::of(brand).brand, brand);
        }
        let mut digits: Vec<char> = NETWORKS.iter().map(|profile| profile.id_digit).collect();
        digits.sort_unstable();
        digits.dedup();
        assert_eq!(digits.len(), NETWORKS.len());
    }

    #[test]
    fn windows_follow_who_asked_and_whether_the_amount_is_final() {
        let visa = NetworkProfile::of(Brand::Visa);
        assert_eq!(visa.window_days(false, false), 10);
        assert_eq!(visa.window_days(false, true), 5);
        assert_eq!(visa.window_days(true, false), 30);
        assert_eq!(NetworkProfile::of(Brand::Mastercard).window_days(false, false), 7);
        assert_eq!(NetworkProfile::of(Brand::Jcb).window_days(false, true), 30);
    }

    #[test]
    fn restaurants_may_add_a_tip_on_visa_only() {
        assert_eq!(NetworkProfile::of(Brand::Visa).tolerance_percent(5812), 20);
        assert_eq!(NetworkProfile::of(Brand::Visa).tolerance_percent(7011), 15);
        assert_eq!(NetworkProfile::of(Brand::Visa).tolerance_percent(5732), 0);
        assert_eq!(NetworkProfile::of(Brand::Mastercard).tolerance_percent(5812), 0);
    }

    #[test]
    fn a_rented_car_may_cost_seventy_five_dollars_more() {
        let minor = |value| MinorUnits::new(value).unwrap();
        let visa = NetworkProfile::of(Brand::Visa);
        let in_currency = |code| visa.over_capture(7512, Currency::parse(code).unwrap());
        assert_eq!(in_currency("USD").cap(minor(10_000)), minor(17_500));
        assert_eq!(in_currency("USD").cap(minor(100_000)), minor(115_000));
        assert_eq!(in_currency("EUR").cap(minor(10_000)), minor(11_500));
    }

    #[test]
    fn increments_depend_on_network_trade_and_country() {
        let takes = |brand, category, country| {
            NetworkProfile::of(brand).takes_increments(category, Some(country))
        };
        assert!(takes(Brand::Visa, "5732", "FR") && takes(Brand::Mastercard, "5732", "FR"));
        assert!(takes(Brand::Amex, "7011", "US") && !takes(Brand::Amex, "7011", "FR"));
        assert!(takes(Brand::Discover, "7011", "FR") && !takes(Brand::Discover, "5732", "FR"));
        assert!(!takes(Brand::Jcb, "7011", "US"));
        assert!(NetworkProfile::of(Brand::Mastercard).increment_extends());
        assert!(!NetworkProfile::of(Brand::Visa).increment_extends());
    }
}
