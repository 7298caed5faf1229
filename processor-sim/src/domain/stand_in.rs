//! When a network answers in the place of an issuer that does not.

use wire::money::MinorUnits;

/// Why the issuer did not answer (field 25 of the advice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandInReason {
    /// The issuer asked for it (N0).
    IssuersOption,
    /// The issuer has signed off.
    SignedOff,
    /// The issuer did not answer in time.
    TimedOut,
    /// The issuer cannot be reached, or its answer cannot be trusted.
    Unavailable,
}

impl StandInReason {
    /// The reason code of the advice.
    pub const fn code(self) -> &'static str {
        match self {
            Self::IssuersOption => "1000",
            Self::SignedOff => "1001",
            Self::TimedOut => "1002",
            Self::Unavailable => "1003",
        }
    }

    /// Whether the issuer may have acted on the request all the same.
    pub const fn leaves_doubt(self) -> bool {
        match self {
            Self::TimedOut | Self::Unavailable => true,
            Self::IssuersOption | Self::SignedOff => false,
        }
    }
}

/// What the network's rules know of a request.
#[derive(Clone, Copy, Debug)]
pub struct StandInCase {
    /// Minor units.
    pub amount: MinorUnits,
    /// Whether the number is in the issuer's card file and its card is good.
    pub card_is_good: bool,
    /// Whether stand-in is switched on for the card.
    pub switched_on: bool,
    /// Whether money of the cardholder is asked for.
    pub is_purchase: bool,
    /// The network's limit in minor units of any currency; 0: never.
    pub minor_units_max: i64,
}

/// Whether the network approves in the issuer's place.
pub fn approves(case: &StandInCase) -> bool {
    let within = case.amount.get() <= case.minor_units_max;
    case.switched_on && case.card_is_good && case.is_purchase && within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_stands_in_up_to_its_limit_for_good_cards_only() {
        let case = StandInCase {
            amount: MinorUnits::new(50_000).unwrap(),
            card_is_good: true,
            switched_on: true,
            is_purchase: true,
            minor_units_max: 50_000,
        };
        assert!(approves(&case));
        assert!(!approves(&StandInCase { amount: MinorUnits::new(50_001).unwrap(), ..case }));
        assert!(!approves(&StandInCase { card_is_good: false, ..case }));
        assert!(!approves(&StandInCase { switched_on: false, ..case }));
        assert!(!approves(&StandInCase { is_purchase: false, ..case }));
        assert!(!approves(&StandInCase { minor_units_max: 0, ..case }));
    }
}
