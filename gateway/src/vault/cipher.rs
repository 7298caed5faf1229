//! AES-256-GCM over `algorithm || header || nonce || ciphertext || tag`, bound to a place.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce, Tag};
use zeroize::Zeroizing;

use super::VaultError;

/// AES-256-GCM, the only algorithm so far.
const ALGORITHM: u8 = 1;
const ALGORITHM_BYTES: usize = 1;
/// Bytes of a key version in a header.
pub(super) const NUMBER_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// A key, expanded once.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)))
    }

    /// Encrypts. The nonce must never have been used with this key.
    pub(super) fn seal(
        &self,
        header: &[u8],
        nonce: [u8; NONCE_BYTES],
        bound_to: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let start = ALGORITHM_BYTES.saturating_add(header.len()).saturating_add(NONCE_BYTES);
        let length = start.saturating_add(plaintext.len()).saturating_add(TAG_BYTES);
        let mut sealed = Vec::with_capacity(length);
        sealed.push(ALGORITHM);
        sealed.extend_from_slice(header);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let text = sealed.get_mut(start..).ok_or(VaultError::Length)?;
        let tag = self
            .0
            .encrypt_inout_detached(&Nonce::from(nonce), bound_to, text.into())
            .map_err(|_| VaultError::Length)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Decrypts. Lengths are checked before anything is sliced.
    pub(super) fn open(
        &self,
        header_bytes: usize,
        sealed: &[u8],
        bound_to: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (algorithm, rest) = sealed.split_first().ok_or(VaultError::Length)?;
        if *algorithm != ALGORITHM {
            return Err(VaultError::Algorithm);
        }
        let (_, rest) = rest.split_at_checked(header_bytes).ok_or(VaultError::Length)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Length)?;
        let (text, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(VaultError::Length)?;
        let mut plaintext = Zeroizing::new(text.to_vec());
        self.0
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                bound_to,
                plaintext.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| VaultError::NotAuthentic)?;
        Ok(plaintext)
    }
}

/// The key version in a four-byte header.
pub(super) fn header_number(sealed: &[u8]) -> Result<u32, VaultError> {
    let (algorithm, rest) = sealed.split_first().ok_or(VaultError::Length)?;
    if *algorithm != ALGORITHM {
        return Err(VaultError::Algorithm);
    }
    let number = rest.first_chunk::<NUMBER_BYTES>().ok_or(VaultError::Length)?;
    Ok(u32::from_be_bytes(*number))
}

/// A label and parts, each part with its length in front: no two lists give the same bytes.
pub(super) fn associated_data(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::with_capacity(128);
    data.extend_from_slice(label.as_bytes());
    for part in parts {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}
