//! What stands inside a card record: number, expiry, name, postal code.

use wire::card::{CardNumber, Expiry};
use zeroize::Zeroizing;

use super::{CardData, VaultError};

/// Version of this layout.
pub(super) const SCHEMA: u8 = 1;

const EXPIRY_BYTES: usize = 4;
/// Longest number, name and postal code together, with their lengths.
const PLAINTEXT_BYTES_MAX: usize = 512;

/// A card as bytes: each text with one byte of length in front, the expiry as `YYMM`.
pub(super) struct CardPlaintext(Zeroizing<Vec<u8>>);

impl CardPlaintext {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn encode(card: &CardData) -> Result<Self, VaultError> {
        // Filled to capacity at once: growing would leave copies of the digits behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(PLAINTEXT_BYTES_MAX));
        bytes.push(SCHEMA);
        push_text(&mut bytes, card.number.expose())?;
        bytes.extend_from_slice(card.expiry.yymm().as_bytes());
        let text = |text: &Option<Zeroizing<String>>| text.as_ref().map(|text| text.to_string());
        push_text(&mut bytes, &Zeroizing::new(text(&card.holder_name).unwrap_or_default()))?;
        push_text(&mut bytes, &Zeroizing::new(text(&card.postal_code).unwrap_or_default()))?;
        Ok(Self(bytes))
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<CardData, VaultError> {
        let (schema, rest) = bytes.split_first().ok_or(VaultError::Plaintext)?;
        if *schema != SCHEMA {
            return Err(VaultError::Plaintext);
        }
        let (number, rest) = take_text(rest)?;
        let (expiry, rest) = rest.split_at_checked(EXPIRY_BYTES).ok_or(VaultError::Plaintext)?;
        let (holder_name, rest) = take_text(rest)?;
        let (postal_code, rest) = take_text(rest)?;
        if !rest.is_empty() {
            return Err(VaultError::Plaintext);
        }
        let expiry = std::str::from_utf8(expiry).map_err(|_| VaultError::Plaintext)?;
        let filled = |text: &str| (!text.is_empty()).then(|| Zeroizing::new(text.to_owned()));
        Ok(CardData {
            number: CardNumber::parse(number).map_err(|_| VaultError::Plaintext)?,
            expiry: Expiry::from_yymm(expiry).map_err(|_| VaultError::Plaintext)?,
            holder_name: filled(holder_name),
            postal_code: filled(postal_code),
        })
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) -> Result<(), VaultError> {
    let length = u8::try_from(text.len()).map_err(|_| VaultError::Plaintext)?;
    if bytes.len().saturating_add(text.len()).saturating_add(1) > PLAINTEXT_BYTES_MAX {
        return Err(VaultError::Plaintext);
    }
    bytes.push(length);
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

fn take_text(bytes: &[u8]) -> Result<(&str, &[u8]), VaultError> {
    let (length, rest) = bytes.split_first().ok_or(VaultError::Plaintext)?;
    let (text, rest) = rest.split_at_checked(usize::from(*length)).ok_or(VaultError::Plaintext)?;
    let text = std::str::from_utf8(text).map_err(|_| VaultError::Plaintext)?;
    Ok((text, rest))
}
