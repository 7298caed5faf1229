//! The issuing banks, and which of them issued which range of numbers.

use wire::card::Brand;

use super::ledger::Party;

/// An issuing bank.
#[derive(Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The stable word, in paths and facts.
    pub id: &'static str,
    /// As people know it.
    pub name: &'static str,
    /// ISO 3166 country.
    pub country: &'static str,
    /// Local time in minutes east of UTC: expiry and daily counts follow it.
    pub offset_minutes: i64,
    /// Countries of merchants it must refuse by law (93).
    pub embargoed: &'static [&'static str],
}

/// Every bank.
pub const ISSUERS: [Issuer; 6] = [
    issuer("aurora", "Aurora Bank", "FR", 60),
    issuer("borealis", "Borealis Savings Bank", "DE", 60),
    issuer("cobalt", "Cobalt Card Company", "US", -300),
    issuer("dahlia", "Dahlia Bank", "JP", 540),
    issuer("everyday", "Everyday Bank", "US", -300),
    issuer("fennel", "Fennel Store Credit", "GB", 0),
];

const fn issuer(
    id: &'static str,
    name: &'static str,
    country: &'static str,
    offset_minutes: i64,
) -> Issuer {
    Issuer { id, name, country, offset_minutes, embargoed: &["KP"] }
}

impl Issuer {
    /// The bank of this id.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        ISSUERS.iter().find(|issuer| issuer.id == id)
    }

    /// Its books.
    pub fn party(&self) -> Party {
        Party::Issuer(self.place())
    }

    /// Its place in the table of banks.
    pub fn place(&self) -> u8 {
        let place = ISSUERS.iter().position(|issuer| issuer.id == self.id);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
    }

    /// The networks it issues cards of, each once.
    pub fn networks(&self) -> Vec<Brand> {
        let of_this = |brand: &Brand| {
            ROUTES.iter().any(|route| route.brand == *brand && route.issuer == self.id)
        };
        Brand::ALL.into_iter().filter(of_this).collect()
    }
}

/// A range of numbers and its bank, as a network's routing table holds it.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// First digits of the numbers.
    pub prefix: &'static str,
    /// The network that routes them.
    pub brand: Brand,
    /// The bank.
    pub issuer: &'static str,
    /// Where the cards were issued, ISO 3166.
    pub country: &'static str,
}

const fn route(
    prefix: &'static str,
    brand: Brand,
    issuer: &'static str,
    country: &'static str,
) -> Route {
    Route { prefix, brand, issuer, country }
}

/// The sandbox's own ranges by eight digits, then the famous numbers by network.
///
/// No two routes of a network differ only after the sixth digit, so that a reversal finds its
/// way by the masked number alone.
pub const ROUTES: [Route; 17] = [
    route("40000100", Brand::Visa, "aurora", "FR"),
    route("52000100", Brand::Mastercard, "borealis", "DE"),
    route("37000100", Brand::Amex, "cobalt", "US"),
    route("60110100", Brand::Discover, "cobalt", "US"),
    route("36000100", Brand::Diners, "cobalt", "US"),
    route("35280100", Brand::Jcb, "dahlia", "JP"),
    route("62000100", Brand::Unionpay, "dahlia", "JP"),
    route("67000100", Brand::Maestro, "borealis", "DE"),
    route("22000100", Brand::Mir, "fennel", "GB"),
    route("90000100", Brand::Private, "fennel", "GB"),
    route("4", Brand::Visa, "everyday", "US"),
    route("", Brand::Mastercard, "everyday", "US"),
    route("3", Brand::Amex, "everyday", "US"),
    route("6", Brand::Discover, "everyday", "US"),
    route("3", Brand::Diners, "everyday", "US"),
    route("3", Brand::Jcb, "everyday", "US"),
    route("6", Brand::Unionpay, "everyday", "US"),
];

/// The route of a number (or of as many first digits as are known) within a network: the longest
/// prefix wins. A prefix longer than what is known matches when it begins with what is known.
pub fn route_of(brand: Brand, digits: &str) -> Option<&'static Route> {
    let matches = |route: &&Route| {
        route.brand == brand
            && (digits.starts_with(route.prefix)
                || (digits.len() >= 6 && route.prefix.starts_with(digits)))
    };
    ROUTES.iter().filter(matches).max_by_key(|route| route.prefix.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let issuer = |brand, digits| route_of(brand, digits).map(|route| route.issuer);
        assert_eq!(issuer(Brand::Visa, "4000010000000001"), Some("aurora"));
        assert_eq!(issuer(Brand::Visa, "4242424242424242"), Some("everyday"));
        assert_eq!(issuer(Brand::Mastercard, "2223003122003222"), Some("everyday"));
        assert_eq!(issuer(Brand::Mastercard, "5200010000000006"), Some("borealis"));
        assert_eq!(issuer(Brand::Mir, "2201000000000000"), None);
    }

    #[test]
    fn six_digits_are_enough_to_find_the_bank() {
        for route in &ROUTES {
            if route.prefix.len() < 6 {
                continue;
            }
            let known = &route.prefix[..6];
            assert_eq!(route_of(route.brand, known), Some(route), "{known}");
            let twins = ROUTES
                .iter()
                .filter(|other| other.brand == route.brand && other.prefix.starts_with(known));
            assert_eq!(twins.count(), 1, "{known}");
        }
    }

    #[test]
    fn every_route_leads_to_a_bank_and_every_bank_is_reached() {
        for route in &ROUTES {
            assert!(Issuer::by_id(route.issuer).is_some(), "{}", route.issuer);
        }
        for issuer in &ISSUERS {
            assert!(!issuer.networks().is_empty(), "{}", issuer.id);
        }
    }
}
