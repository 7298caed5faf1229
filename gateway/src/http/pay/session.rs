//! The payer's session: the secret of the link becomes a cookie, and the cookie vouches for forms.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wire::ids::PaymentId;
use zeroize::Zeroizing;

/// Name of the cookie; its path is that of one payment's page.
pub const COOKIE: &str = "payrig_pay";

const NONCE_BYTES: usize = 16;
const MAC_BYTES: usize = 32;

/// Keys of the cookies and forms of payment pages.
pub struct SessionKeys {
    cookie: Zeroizing<[u8; 32]>,
    form: Zeroizing<[u8; 32]>,
}

/// A browser that has opened the link of a payment. The nonce tells browsers apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Session {
    payment: PaymentId,
    nonce: [u8; NONCE_BYTES],
}

impl SessionKeys {
    /// Keys of their own, derived from the session key (base64 of 32 bytes).
    pub fn derive(session_key: &str) -> Self {
        let root = Zeroizing::new(BASE64.decode(session_key.as_bytes()).unwrap_or_default());
        Self {
            cookie: derived(&root, b"payrig/pay-cookie/v1"),
            form: derived(&root, b"payrig/pay-form/v1"),
        }
    }

    /// A new session of a browser.
    pub const fn open(&self, payment: PaymentId, nonce: [u8; NONCE_BYTES]) -> Session {
        Session { payment, nonce }
    }

    /// The cookie's value: the nonce and its code, base64url.
    pub fn cookie(&self, session: &Session) -> String {
        let mut bytes = session.nonce.to_vec();
        bytes.extend_from_slice(&session.code(&self.cookie).finalize().into_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// The session of a cookie, if it is one of this payment.
    pub fn read(&self, payment: PaymentId, cookie: &str) -> Option<Session> {
        let bytes = BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?;
        let (nonce, code) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let session = Session { payment, nonce: *nonce };
        session.code(&self.cookie).verify_slice(code).ok()?;
        (code.len() == MAC_BYTES).then_some(session)
    }

    /// Proof in a form that it was shown to this session.
    pub fn form_proof(&self, session: &Session) -> String {
        BASE64URL_NOPAD.encode(&session.code(&self.form).finalize().into_bytes())
    }

    /// Whether a form was shown to this session.
    pub fn form_is_ours(&self, session: &Session, proof: &str) -> bool {
        let Ok(code) = BASE64URL_NOPAD.decode(proof.as_bytes()) else { return false };
        session.code(&self.form).verify_slice(&code).is_ok()
    }
}

impl Session {
    fn code(&self, key: &[u8; 32]) -> Hmac<Sha256> {
        let mut code = keyed(key);
        code.update(self.payment.bytes());
        code.update(&self.nonce);
        code
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // The key has the length of a hash, so no implementation refuses it.
    <Hmac<Sha256> as KeyInit>::new(key.into())
}

fn derived(root: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // Only lengths over 255 hashes are refused (RFC 5869 section 2.3).
    let _ = Hkdf::<Sha256>::new(None, root).expand(label, key.as_mut_slice());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::time::Timestamp;

    fn keys() -> SessionKeys {
        SessionKeys::derive(&BASE64.encode(&[7; 32]))
    }

    fn payment(seed: u8) -> PaymentId {
        PaymentId::new(Timestamp::from_seconds(1_795_341_600), [seed; 10])
    }

    #[test]
    fn a_cookie_opens_its_own_payment_only() {
        let keys = keys();
        let session = keys.open(payment(1), [9; 16]);
        let cookie = keys.cookie(&session);
        assert!(keys.read(payment(1), &cookie) == Some(session));
        assert!(keys.read(payment(2), &cookie).is_none());
        let other = SessionKeys::derive(&BASE64.encode(&[8; 32]));
        assert!(other.read(payment(1), &cookie).is_none());
    }

    #[test]
    fn a_damaged_cookie_opens_nothing() {
        let keys = keys();
        let cookie = keys.cookie(&keys.open(payment(1), [9; 16]));
        for text in ["", "x", &cookie[1..], &cookie[..cookie.len() - 4], &format!("{cookie}AAAA")] {
            assert!(keys.read(payment(1), text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_form_belongs_to_one_session() {
        let keys = keys();
        let (mine, yours) = (keys.open(payment(1), [1; 16]), keys.open(payment(1), [2; 16]));
        let proof = keys.form_proof(&mine);
        assert!(keys.form_is_ours(&mine, &proof));
        assert!(!keys.form_is_ours(&yours, &proof));
        assert!(!keys.form_is_ours(&mine, ""));
        assert!(!keys.form_is_ours(&mine, &keys.cookie(&mine)));
    }
}
