//! The account updater: what a network tells of a card that a merchant has saved.

use wire::card::{Brand, Expiry};

use super::checks::CardStatus;

/// What became of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Another number took its place.
    NewNumber,
    /// It has a new date.
    NewExpiry,
    /// Its account is closed.
    Closed,
    /// The bank asks to contact the cardholder.
    Contact,
    /// The cardholder does not want merchants to hear of changes.
    OptedOut,
    /// Nothing has changed.
    NoChange,
    /// There is no such card.
    NoMatch,
    /// The network has no account updater.
    NotParticipating,
}

impl Finding {
    /// Every finding.
    pub const ALL: [Self; 8] = [
        Self::NewNumber,
        Self::NewExpiry,
        Self::Closed,
        Self::Contact,
        Self::OptedOut,
        Self::NoChange,
        Self::NoMatch,
        Self::NotParticipating,
    ];

    /// In the words of the network: letters of Visa's updater, words of Mastercard's.
    pub const fn word(self, brand: Brand) -> &'static str {
        match (brand, self) {
            (Brand::Mastercard | Brand::Maestro, Self::NewNumber) => "UPDATE",
            (Brand::Mastercard | Brand::Maestro, Self::NewExpiry) => "EXPIRY",
            // Mastercard does not tell the two apart.
            (Brand::Mastercard | Brand::Maestro, Self::Closed | Self::Contact) => "CONTAC",
            (_, Self::NewNumber) => "A",
            (_, Self::NewExpiry) => "E",
            (_, Self::Closed) => "C",
            (_, Self::Contact) => "Q",
            (_, Self::OptedOut) => "O",
            (_, Self::NoChange) => "V",
            (_, Self::NoMatch) => "P",
            (_, Self::NotParticipating) => "N",
        }
    }
}

/// Whether a network has an account updater.
pub const fn participates(brand: Brand) -> bool {
    matches!(
        brand,
        Brand::Visa | Brand::Mastercard | Brand::Maestro | Brand::Amex | Brand::Discover
    )
}

/// A card as its bank knows it now.
#[derive(Clone, Copy, Debug)]
pub struct KnownCard {
    /// Its state; that of the last card where others took its place.
    pub status: CardStatus,
    /// Whether another one took its place.
    pub replaced: bool,
    /// Its date; none: any.
    pub expiry: Option<Expiry>,
    /// The bank wants to speak to the cardholder.
    pub contact_wanted: bool,
    /// The cardholder has opted out.
    pub opted_out: bool,
}

/// What is told of a card that a merchant has saved with this date.
pub fn find(card: Option<&KnownCard>, saved_with: Option<Expiry>) -> Finding {
    let Some(card) = card else { return Finding::NoMatch };
    if card.opted_out {
        return Finding::OptedOut;
    }
    match card.status {
        CardStatus::Closed
        | CardStatus::Lost
        | CardStatus::Stolen
        | CardStatus::Replaced
        | CardStatus::Expired => Finding::Closed,
        CardStatus::Inactive | CardStatus::Active | CardStatus::BlockedTemp => {
            if card.contact_wanted {
                Finding::Contact
            } else if card.replaced {
                Finding::NewNumber
            } else if card.expiry.is_some() && card.expiry != saved_with {
                Finding::NewExpiry
            } else {
                Finding::NoChange
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_state_of_a_card_and_what_is_told_of_it() {
        let saved = Expiry::new(12, 2030).ok();
        let mut grid = String::new();
        for status in CardStatus::ALL {
            for (name, replaced, contact_wanted, expiry) in [
                ("as it was", false, false, None),
                ("same date", false, false, saved),
                ("new date", false, false, Expiry::new(12, 2033).ok()),
                ("contact", false, true, None),
                ("new number", true, false, None),
            ] {
                let card = KnownCard { status, replaced, expiry, contact_wanted, opted_out: false };
                let told = find(Some(&card), saved).word(Brand::Visa);
                let silent = find(Some(&KnownCard { opted_out: true, ..card }), saved);
                assert_eq!(silent, Finding::OptedOut);
                let _ = writeln!(grid, "{:12} {name:10} {told}", status.as_str());
            }
        }
        assert_eq!(find(None, saved), Finding::NoMatch);
        insta::assert_snapshot!(grid, @"
        inactive     as it was  V
        inactive     same date  V
        inactive     new date   E
        inactive     contact    Q
        inactive     new number A
        active       as it was  V
        active       same date  V
        active       new date   E
        active       contact    Q
        active       new number A
        blocked_temp as it was  V
        blocked_temp same date  V
        blocked_temp new date   E
        blocked_temp contact    Q
        blocked_temp new number A
        lost         as it was  C
        lost         same date  C
        lost         new date   C
        lost         contact    C
        lost         new number C
        stolen       as it was  C
        stolen       same date  C
        stolen       new date   C
        stolen       contact    C
        stolen       new number C
        closed       as it was  C
        closed       same date  C
        closed       new date   C
        closed       contact    C
        closed       new number C
        expired      as it was  C
        expired      same date  C
        expired      new date   C
        expired      contact    C
        expired      new number C
        replaced     as it was  C
        replaced     same date  C
        replaced     new date   C
        replaced     contact    C
        replaced     new number C
        ");
    }

    #[test]
    fn each_network_has_words_of_its_own() {
        let told = |brand| Finding::ALL.map(|finding| finding.word(brand)).join(" ");
        assert_eq!(told(Brand::Visa), "A E C Q O V P N");
        assert_eq!(told(Brand::Mastercard), "UPDATE EXPIRY CONTAC CONTAC O V P N");
        assert!(participates(Brand::Visa) && !participates(Brand::Mir));
    }
}
