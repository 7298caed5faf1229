//! A card as far as the gateway may know it outside the vault.

use std::fmt;

use wire::card::{Brand, Expiry, MaskedPan};
use wire::ids::TokenId;

/// Keyed fingerprint of a card number, one per merchant: equal numbers have equal fingerprints.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// From sixteen stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes, as stored.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The card of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The token under which the vault keeps the number.
    pub token: TokenId,
    /// Its network.
    pub brand: Brand,
    /// First six and last four digits.
    pub masked: MaskedPan,
    /// Until when it is good.
    pub expiry: Expiry,
    /// Keyed fingerprint of the number.
    pub fingerprint: Fingerprint,
}
