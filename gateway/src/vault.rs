//! The card vault: authenticated encryption, versioned keys, keyed fingerprints.
//!
//! A key-encryption key (KEK) wraps one data key (DEK) per merchant and version; a DEK encrypts
//! records. Every ciphertext is bound to the place where it is stored.

mod cipher;
mod codes;
mod record;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use data_encoding::BASE64;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use kit::random::Secrets;
use sha2::Sha256;
use wire::card::{CardNumber, Expiry};
use wire::ids::{MerchantId, TokenId};
use zeroize::Zeroizing;

use crate::domain::card::Fingerprint;

pub use codes::SecurityCodes;

use cipher::{Cipher, associated_data};
use record::CardPlaintext;

/// Bytes of every key.
const KEY_BYTES: usize = 32;
/// Bytes of a card fingerprint.
pub const FINGERPRINT_BYTES: usize = 16;
/// Largest record that is read.
const RECORD_BYTES_MAX: usize = 1024;
/// Largest sealed secret that is read.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Where card records are stored; part of what each record is bound to.
const CARD_TABLE: &str = "vault_cards";

/// Why the vault refused. Says nothing of what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// A key of the keys file is not base64 of 32 bytes.
    #[error("a key-encryption key is not base64 of 32 bytes")]
    KeyText,
    /// The data was wrapped by a key-encryption key that was not given.
    #[error("key-encryption key version {version} is not available")]
    KekMissing {
        /// Its version.
        version: u32,
    },
    /// The merchant has no data key of this version.
    #[error("the merchant has no data key version {version}")]
    DekMissing {
        /// Its version; 0 stands for the current one.
        version: u32,
    },
    /// The ciphertext has a length that no ciphertext of ours has.
    #[error("the ciphertext has an impossible length")]
    Length,
    /// The first byte names no algorithm of ours.
    #[error("the ciphertext names an unknown algorithm")]
    Algorithm,
    /// Altered, moved from its place, or under another key.
    #[error("the ciphertext is not authentic")]
    NotAuthentic,
    /// Authentic, and yet not what was sealed.
    #[error("the plaintext is malformed")]
    Plaintext,
}

/// What is known of a card; wiped from memory when dropped.
#[derive(Clone)]
pub struct CardData {
    /// The card number.
    pub number: CardNumber,
    /// Valid through this month.
    pub expiry: Expiry,
    /// Name on the card.
    pub holder_name: Option<Zeroizing<String>>,
    /// Postal code of the holder's address.
    pub postal_code: Option<Zeroizing<String>>,
}

impl fmt::Debug for CardData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CardData").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A card as it is stored.
#[derive(Clone, Debug)]
pub struct SealedCard {
    /// `algorithm || dek_version || nonce || ciphertext || tag`.
    pub record: Vec<u8>,
    /// The data key's version, as in the record.
    pub dek_version: u32,
    /// Of the card number, for this merchant.
    pub fingerprint: Fingerprint,
}

/// What a stored key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Encrypts the records of one merchant.
    Records(MerchantId),
    /// Root of all fingerprints.
    Fingerprints,
}

/// A key as it is stored: wrapped by a key-encryption key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Rises with each rotation.
    pub version: u32,
    /// The key-encryption key that wraps it.
    pub kek_version: u32,
    /// `algorithm || nonce || ciphertext || tag`.
    pub wrapped: Vec<u8>,
}

/// A place that a secret is sealed for: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct SecretPlace<'a> {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub row: &'a str,
}

/// The vault's keys in memory; clones share them.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keks: Vec<Kek>,
    secrets: Secrets,
    keys: RwLock<Keys>,
}

struct Kek {
    version: u32,
    wraps_keys: Cipher,
    seals_secrets: Cipher,
}

#[derive(Default)]
struct Keys {
    merchants: HashMap<MerchantId, MerchantKeys>,
    fingerprint_root: Option<Zeroizing<[u8; KEY_BYTES]>>,
}

#[derive(Default)]
struct MerchantKeys {
    /// Newest last; the last one seals.
    deks: Vec<(u32, Cipher)>,
    fingerprints: Option<Hmac<Sha256>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault(..)")
    }
}

impl Vault {
    /// A vault without data keys. `keks` are version and base64; the first one seals, the others
    /// only open.
    pub fn new<'k>(
        keks: impl IntoIterator<Item = (u32, &'k str)>,
        secrets: Secrets,
    ) -> Result<Self, VaultError> {
        let keks: Result<Vec<Kek>, VaultError> =
            keks.into_iter().map(|(version, text)| Kek::from_base64(version, text)).collect();
        let keks = keks?;
        if keks.is_empty() {
            return Err(VaultError::KeyText);
        }
        Ok(Self(Arc::new(Inner { keks, secrets, keys: RwLock::default() })))
    }

    /// Version of the key-encryption key that wraps now.
    pub fn kek_version(&self) -> u32 {
        self.0.keks.first().map_or(0, |kek| kek.version)
    }

    fn kek(&self, version: u32) -> Result<&Kek, VaultError> {
        let found = self.0.keks.iter().find(|kek| kek.version == version);
        found.ok_or(VaultError::KekMissing { version })
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.0.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a new key for storage. It is not used before [`Vault::load`].
    pub fn make_key(&self, purpose: KeyPurpose, version: u32) -> Result<StoredKey, VaultError> {
        let key = Zeroizing::new(self.0.secrets.bytes::<KEY_BYTES>());
        self.wrap(purpose, version, &*key)
    }

    fn wrap(&self, purpose: KeyPurpose, version: u32, key: &[u8]) -> Result<StoredKey, VaultError> {
        let kek_version = self.kek_version();
        let bound_to = key_associated_data(purpose, version, kek_version);
        let nonce = self.0.secrets.bytes();
        let wrapped = self.kek(kek_version)?.wraps_keys.seal(&[], nonce, &bound_to, key)?;
        Ok(StoredKey { purpose, version, kek_version, wrapped })
    }

    fn unwrap(&self, stored: &StoredKey) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
        let bound_to = key_associated_data(stored.purpose, stored.version, stored.kek_version);
        let cipher = &self.kek(stored.kek_version)?.wraps_keys;
        let opened = cipher.open(0, &stored.wrapped, &bound_to)?;
        opened.as_slice().try_into().map(Zeroizing::new).map_err(|_| VaultError::Plaintext)
    }

    /// The same key wrapped by the present key-encryption key; none when it already is.
    pub fn rewrap(&self, stored: &StoredKey) -> Result<Option<StoredKey>, VaultError> {
        if stored.kek_version == self.kek_version() {
            return Ok(None);
        }
        let key = self.unwrap(stored)?;
        self.wrap(stored.purpose, stored.version, &*key).map(Some)
    }

    /// Takes a stored key into use. The newest version of a merchant's data keys seals.
    pub fn load(&self, stored: &StoredKey) -> Result<(), VaultError> {
        let key = self.unwrap(stored)?;
        let mut keys = self.write();
        match stored.purpose {
            KeyPurpose::Fingerprints => {
                keys.fingerprint_root = Some(key);
                for merchant in keys.merchants.values_mut() {
                    merchant.fingerprints = None;
                }
            }
            KeyPurpose::Records(merchant) => {
                let deks = &mut keys.merchants.entry(merchant).or_default().deks;
                deks.retain(|(version, _)| *version != stored.version);
                deks.push((stored.version, Cipher::new(&key)));
                deks.sort_by_key(|(version, _)| *version);
            }
        }
        keys.derive_fingerprint_keys()
    }

    /// Whether a data key is in use.
    pub fn has_dek(&self, merchant: MerchantId, version: u32) -> bool {
        let keys = self.read();
        let deks = keys.merchants.get(&merchant).map(|keys| keys.deks.as_slice());
        deks.unwrap_or_default().iter().any(|(other, _)| *other == version)
    }

    /// Forgets a data key.
    pub fn unload(&self, merchant: MerchantId, version: u32) {
        if let Some(keys) = self.write().merchants.get_mut(&merchant) {
            keys.deks.retain(|(other, _)| *other != version);
        }
    }

    /// Forgets every key of a merchant: nothing of it can be read any more.
    pub fn unload_merchant(&self, merchant: MerchantId) {
        self.write().merchants.remove(&merchant);
    }

    /// The version of the data key that seals for a merchant.
    pub fn current_dek(&self, merchant: MerchantId) -> Result<u32, VaultError> {
        let keys = self.read();
        let deks = keys.merchants.get(&merchant).map(|keys| &keys.deks);
        let newest = deks.and_then(|deks| deks.last()).map(|(version, _)| *version);
        newest.ok_or(VaultError::DekMissing { version: 0 })
    }

    /// Encrypts a card for one token of one merchant.
    pub fn seal_card(
        &self,
        token: TokenId,
        merchant: MerchantId,
        card: &CardData,
    ) -> Result<SealedCard, VaultError> {
        let plaintext = CardPlaintext::encode(card)?;
        let nonce = self.0.secrets.bytes();
        let keys = self.read();
        let of_merchant =
            keys.merchants.get(&merchant).ok_or(VaultError::DekMissing { version: 0 })?;
        let (dek_version, cipher) =
            of_merchant.deks.last().ok_or(VaultError::DekMissing { version: 0 })?;
        let bound_to = card_associated_data(token, merchant, *dek_version);
        let header = dek_version.to_be_bytes();
        let record = cipher.seal(&header, nonce, &bound_to, plaintext.bytes())?;
        let fingerprint = of_merchant.fingerprint(&card.number)?;
        Ok(SealedCard { record, dek_version: *dek_version, fingerprint })
    }

    /// Decrypts the card of one token of one merchant. A failure is an alert.
    pub fn open_card(
        &self,
        token: TokenId,
        merchant: MerchantId,
        record: &[u8],
    ) -> Result<CardData, VaultError> {
        let opened = self.open_record(token, merchant, record);
        if let Err(error) = opened {
            tracing::error!(token.id = %token, %error, "a vault record was refused");
        }
        opened
    }

    fn open_record(
        &self,
        token: TokenId,
        merchant: MerchantId,
        record: &[u8],
    ) -> Result<CardData, VaultError> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(VaultError::Length);
        }
        let version = cipher::header_number(record)?;
        let keys = self.read();
        let deks = keys.merchants.get(&merchant).map(|keys| keys.deks.as_slice());
        let found = deks.unwrap_or_default().iter().find(|(other, _)| *other == version);
        let (_, cipher) = found.ok_or(VaultError::DekMissing { version })?;
        let bound_to = card_associated_data(token, merchant, version);
        let plaintext = cipher.open(cipher::NUMBER_BYTES, record, &bound_to)?;
        CardPlaintext::decode(&plaintext)
    }

    /// The fingerprint of a card number for a merchant.
    pub fn fingerprint(
        &self,
        merchant: MerchantId,
        number: &CardNumber,
    ) -> Result<Fingerprint, VaultError> {
        let keys = self.read();
        let of_merchant = keys.merchants.get(&merchant);
        of_merchant.ok_or(VaultError::DekMissing { version: 0 })?.fingerprint(number)
    }

    /// Seals a secret of ours (a signing key, a webhook secret) for the place it is stored at.
    pub fn seal_secret(
        &self,
        place: SecretPlace<'_>,
        secret: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let kek = self.kek(self.kek_version())?;
        let header = kek.version.to_be_bytes();
        let bound_to = secret_associated_data(place, kek.version);
        kek.seals_secrets.seal(&header, self.0.secrets.bytes(), &bound_to, secret)
    }

    /// Opens a sealed secret.
    pub fn open_secret(
        &self,
        place: SecretPlace<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        if sealed.len() > SECRET_BYTES_MAX {
            return Err(VaultError::Length);
        }
        let version = cipher::header_number(sealed)?;
        let bound_to = secret_associated_data(place, version);
        self.kek(version)?.seals_secrets.open(cipher::NUMBER_BYTES, sealed, &bound_to)
    }

    /// The same secret under the present key-encryption key; none when it already is.
    pub fn reseal_secret(
        &self,
        place: SecretPlace<'_>,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, VaultError> {
        if cipher::header_number(sealed)? == self.kek_version() {
            return Ok(None);
        }
        let secret = self.open_secret(place, sealed)?;
        self.seal_secret(place, &secret).map(Some)
    }
}

impl Kek {
    fn from_base64(version: u32, text: &str) -> Result<Self, VaultError> {
        let bytes = BASE64.decode(text.as_bytes()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| VaultError::KeyText)?;
        let key: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| VaultError::KeyText)?;
        let seals_secrets = derive(key, "payrig/sealed-secret/v1");
        Ok(Self {
            version,
            wraps_keys: Cipher::new(key),
            seals_secrets: Cipher::new(&seals_secrets),
        })
    }
}

impl Keys {
    fn derive_fingerprint_keys(&mut self) -> Result<(), VaultError> {
        let Some(root) = &self.fingerprint_root else { return Ok(()) };
        for (merchant, keys) in &mut self.merchants {
            if keys.fingerprints.is_none() {
                let key = derive(root, &format!("payrig/fingerprint/v1/{merchant}"));
                let mac = Hmac::<Sha256>::new_from_slice(&*key);
                keys.fingerprints = Some(mac.map_err(|_| VaultError::KeyText)?);
            }
        }
        Ok(())
    }
}

impl MerchantKeys {
    fn fingerprint(&self, number: &CardNumber) -> Result<Fingerprint, VaultError> {
        let mac = self.fingerprints.clone().ok_or(VaultError::DekMissing { version: 0 })?;
        let code = mac.chain_update(number.expose().as_bytes()).finalize().into_bytes();
        let first = code.first_chunk::<FINGERPRINT_BYTES>();
        first.copied().map(Fingerprint::from_bytes).ok_or(VaultError::Length)
    }
}

/// HKDF-SHA256 without salt (RFC 5869): one key for one purpose.
fn derive(root: &[u8; KEY_BYTES], purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut derived = Zeroizing::new([0; KEY_BYTES]);
    #[expect(clippy::expect_used, reason = "RFC 5869 allows 8,160 bytes, and these are 32")]
    Hkdf::<Sha256>::new(None, root)
        .expand(purpose.as_bytes(), derived.as_mut())
        .expect("32 bytes can be derived");
    derived
}

fn key_associated_data(purpose: KeyPurpose, version: u32, kek_version: u32) -> Vec<u8> {
    let (version, kek_version) = (version.to_be_bytes(), kek_version.to_be_bytes());
    match purpose {
        KeyPurpose::Records(merchant) => {
            let merchant = merchant.to_string();
            associated_data("PRDK1", &[merchant.as_bytes(), &version, &kek_version])
        }
        KeyPurpose::Fingerprints => associated_data("PRFR1", &[&version, &kek_version]),
    }
}

fn card_associated_data(token: TokenId, merchant: MerchantId, dek_version: u32) -> Vec<u8> {
    let (token, merchant) = (token.to_string(), merchant.to_string());
    let dek_version = dek_version.to_be_bytes();
    let parts: [&[u8]; 5] = [
        CARD_TABLE.as_bytes(),
        token.as_bytes(),
        merchant.as_bytes(),
        &dek_version,
        &[record::SCHEMA],
    ];
    associated_data("PRVA1", &parts)
}

fn secret_associated_data(place: SecretPlace<'_>, kek_version: u32) -> Vec<u8> {
    let kek_version = kek_version.to_be_bytes();
    associated_data("PRSS1", &[place.table.as_bytes(), place.row.as_bytes(), &kek_version])
}

#[cfg(test)]
mod tests;
