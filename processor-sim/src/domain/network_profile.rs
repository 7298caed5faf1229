//! The numbers that belong to a card network: data with a date, not code.

use wire::card::Brand;
use wire::codes::ResponseCode;

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
    /// The network answers for a silent issuer, up to this many minor units; 0: never.
    pub stand_in_minor_units: i64,
    /// First digit of its transaction ids.
    pub id_digit: char,
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
    tolerance(7512, 7512, 15),
];

const N7: ResponseCode = ResponseCode::CVV_FAILED_VISA;

const BASE: NetworkProfile = NetworkProfile {
    brand: Brand::Visa,
    effective_from: "2026-01-01",
    windows: windows(7, 7, 7),
    security_code_failure: N7,
    authenticated: Some("05"),
    tolerances: &[],
    stand_in_minor_units: 50_000,
    id_digit: '3',
};

/// Every network.
pub const NETWORKS: [NetworkProfile; 10] = [
    NetworkProfile { windows: windows(10, 5, 30), tolerances: VISA_TOLERANCES, ..BASE },
    NetworkProfile {
        brand: Brand::Mastercard,
        windows: windows(7, 7, 30),
        security_code_failure: ResponseCode::CVV_FAILED,
        authenticated: Some("02"),
        id_digit: '5',
        ..BASE
    },
    NetworkProfile { brand: Brand::Amex, windows: windows(7, 7, 30), id_digit: '1', ..BASE },
    NetworkProfile { brand: Brand::Discover, windows: windows(10, 10, 10), id_digit: '6', ..BASE },
    NetworkProfile { brand: Brand::Diners, windows: windows(10, 10, 10), id_digit: '4', ..BASE },
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
    NetworkProfile { brand: Brand::Private, stand_in_minor_units: 0, id_digit: '0', ..BASE },
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
}
