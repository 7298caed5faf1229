//! HMAC-SHA256 with the key absorbed once, and keys derived by HKDF-SHA256.

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// An HMAC-SHA256 key, prepared so that each message costs only its own length.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        // This constructor of the same state cannot fail: HMAC takes keys of any length.
        Self(<Hmac<Sha256> as hkdf::HmacImpl>::new_from_slice(key))
    }

    /// The authentication code of the parts, one after the other.
    pub(crate) fn code<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
        self.absorb(parts).finalize().into_bytes().into()
    }

    /// Whether `code` is the authentication code of the parts, in constant time.
    pub(crate) fn verifies<'p>(
        &self,
        parts: impl IntoIterator<Item = &'p [u8]>,
        code: &[u8],
    ) -> bool {
        self.absorb(parts).verify_slice(code).is_ok()
    }

    fn absorb<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// HKDF-SHA256 without salt (RFC 5869): 32 bytes for one purpose.
pub(crate) fn derive(secret: &[u8], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "RFC 5869 allows 8,160 bytes, and these are 32")]
    Hkdf::<Sha256>::new(None, secret)
        .expand(purpose.as_bytes(), derived.as_mut())
        .expect("32 bytes can be derived");
    derived
}
