//! Interchange, scheme fees and merchant discount: percentages as data, rounded over the whole.

use wire::card::Brand;

use super::account::AccountKind;

/// What the acquirer pays the issuer, by program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterchangeProgram {
    /// Its name, as reports show it.
    pub name: &'static str,
    /// Hundredths of a percent.
    pub basis_points: i64,
    /// From which day it holds.
    pub effective_from: &'static str,
}

/// Cards of every kind that no other program fits.
pub const STANDARD: InterchangeProgram =
    InterchangeProgram { name: "STANDARD", basis_points: 150, effective_from: "2026-01-01" };
/// Consumer credit cards of the European Economic Area, cardholder authenticated.
pub const CREDIT_SECURE: InterchangeProgram = InterchangeProgram {
    name: "EEA_CONS_CREDIT_SECURE",
    basis_points: 30,
    effective_from: "2026-01-01",
};
/// The same for debit and prepaid cards.
pub const DEBIT_SECURE: InterchangeProgram = InterchangeProgram {
    name: "EEA_CONS_DEBIT_SECURE",
    basis_points: 20,
    effective_from: "2026-01-01",
};

/// Every program.
pub const PROGRAMS: [InterchangeProgram; 3] = [STANDARD, CREDIT_SECURE, DEBIT_SECURE];

/// What the acquirer pays the network, in basis points.
pub const ACQUIRER_SCHEME_FEE: i64 = 13;
/// What the issuer pays the network, in basis points.
pub const ISSUER_SCHEME_FEE: i64 = 5;
/// What the merchant pays the acquirer unless agreed otherwise, in basis points.
pub const MERCHANT_DISCOUNT: i64 = 290;
/// What a chargeback costs the merchant, in hundredths of a whole unit.
pub const DISPUTE_FEE: i64 = 1500;
/// What the loser of an arbitration pays, in hundredths of a whole unit.
pub const FILING_FEE: i64 = 50_000;

/// What a try costs that the networks do not allow, in hundredths of a whole unit: in the country of
/// the card, and elsewhere.
pub const EXCESSIVE_REATTEMPT: (i64, i64) = (10, 15);

const EEA: [&str; 2] = ["FR", "DE"];

/// What decides on the program of a presentment.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'p> {
    /// Country of the issuer.
    pub country: &'p str,
    /// Kind of account that pays.
    pub kind: AccountKind,
    /// The issuer answers for fraud.
    pub secure: bool,
}

/// The program of a presentment.
pub fn program(priced: &Priced<'_>) -> &'static InterchangeProgram {
    if !priced.secure || !EEA.contains(&priced.country) {
        return &STANDARD;
    }
    match priced.kind {
        AccountKind::Credit => &CREDIT_SECURE,
        AccountKind::Debit | AccountKind::Prepaid => &DEBIT_SECURE,
    }
}

/// A share of an amount in basis points, rounded half up.
pub fn share(amount: i64, basis_points: i64) -> i64 {
    amount.saturating_mul(basis_points).saturating_add(5000).div_euclid(10_000)
}

/// The fee of one part of a payment: fees of all parts sum to the fee of the total.
pub fn fee_of_part(before: i64, part: i64, basis_points: i64) -> i64 {
    let after = before.saturating_add(part);
    share(after, basis_points).saturating_sub(share(before, basis_points))
}

/// A fee that is agreed in hundredths of a whole unit, in minor units of a currency.
pub fn fixed(hundredths: i64, exponent: u32) -> i64 {
    hundredths.saturating_mul(10_i64.saturating_pow(exponent)).saturating_add(50).div_euclid(100)
}

/// Whether an electronic commerce indicator shifts liability for fraud to the issuer.
pub fn shifts_liability(brand: Brand, indicator: Option<&str>) -> bool {
    wire::three_ds::shifts_liability(brand, indicator)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secure_payments_within_the_area_are_cheaper() {
        let name = |country, kind, secure| program(&Priced { country, kind, secure }).name;
        assert_eq!(name("FR", AccountKind::Credit, true), "EEA_CONS_CREDIT_SECURE");
        assert_eq!(name("DE", AccountKind::Prepaid, true), "EEA_CONS_DEBIT_SECURE");
        assert_eq!(name("DE", AccountKind::Debit, false), "STANDARD");
        assert_eq!(name("US", AccountKind::Credit, true), "STANDARD");
    }

    #[test]
    fn fees_are_rounded_half_up() {
        assert_eq!(share(10_000, 150), 150);
        assert_eq!(share(33, 150), 0);
        assert_eq!(share(34, 150), 1);
        assert_eq!(fixed(1500, 2), 1500);
        assert_eq!(fixed(1500, 0), 15);
        assert_eq!(fixed(1500, 3), 15_000);
    }

    #[test]
    fn liability_shifts_by_brand() {
        assert!(shifts_liability(Brand::Visa, Some("06")));
        assert!(!shifts_liability(Brand::Visa, Some("02")));
        assert!(shifts_liability(Brand::Mastercard, Some("02")));
        assert!(!shifts_liability(Brand::Mir, Some("05")));
        assert!(!shifts_liability(Brand::Visa, None));
    }

    proptest! {
        #[test]
        fn the_fees_of_the_parts_are_the_fee_of_the_whole(
            parts in proptest::collection::vec(1_i64..1_000_000, 1..8), points in 0_i64..500
        ) {
            let mut before = 0;
            let mut fees = 0;
            for part in &parts {
                fees += fee_of_part(before, *part, points);
                before += part;
            }
            prop_assert_eq!(fees, share(before, points));
        }
    }
}
