//! How long an authorization can be captured, by network.

use std::time::Duration;

use wire::card::Brand;

const DAY: Duration = Duration::from_hours(24);

/// The authorization window of a card-absent payment by the customer.
pub fn authorization_window(brand: Brand) -> Duration {
    let days = match brand {
        Brand::Visa | Brand::Discover | Brand::Diners => 10,
        Brand::Mastercard | Brand::Amex | Brand::Maestro | Brand::Mir | Brand::Private => 7,
        Brand::Jcb | Brand::Unionpay => 30,
    };
    DAY.saturating_mul(days)
}
