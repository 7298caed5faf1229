//! The payer's session: the secret of the link becomes a cookie, and the cookie vouches for forms.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use wire::ids::PaymentId;

use crate::http::browser::{code_text, is_code, keyed};

/// Name of the cookie; its path is that of one payment's page.
pub const COOKIE: &str = "payrig_pay";

const NONCE_BYTES: usize = 16;

/// Keys of the cookies and forms of payment pages, derived from the session key (base64).
#[derive(Clone, Copy)]
pub struct SessionKeys<'k>(pub &'k str);

/// A browser that has opened the link of a payment. The nonce tells browsers apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Session {
    payment: PaymentId,
    nonce: [u8; NONCE_BYTES],
}

impl SessionKeys<'_> {
    /// A new session of a browser.
    pub const fn open(payment: PaymentId, nonce: [u8; NONCE_BYTES]) -> Session {
        Session { payment, nonce }
    }

    /// The cookie's value: the nonce and its code.
    pub fn cookie(self, session: &Session) -> String {
        let nonce = BASE64URL_NOPAD.encode(&session.nonce);
        format!("{nonce}.{}", code_text(self.code(session, "payrig/pay-cookie/v1")))
    }

    /// The session of a cookie, if it is one of this payment.
    pub fn read(self, payment: PaymentId, cookie: &str) -> Option<Session> {
        let (nonce, code) = cookie.split_once('.')?;
        let nonce = BASE64URL_NOPAD.decode(nonce.as_bytes()).ok()?.try_into().ok()?;
        let session = Session { payment, nonce };
        is_code(self.code(&session, "payrig/pay-cookie/v1"), code).then_some(session)
    }

    /// Proof in a form that it was shown to this session.
    pub fn form_proof(self, session: &Session) -> String {
        code_text(self.code(session, "payrig/pay-form/v1"))
    }

    /// Whether a form was shown to this session.
    pub fn form_is_ours(self, session: &Session, proof: &str) -> bool {
        is_code(self.code(session, "payrig/pay-form/v1"), proof)
    }

    fn code(self, session: &Session, label: &str) -> Hmac<Sha256> {
        let mut code = keyed(self.0, label);
        code.update(session.payment.bytes());
        code.update(&session.nonce);
        code
    }
}

/// Lets the shop tell an outcome that this gateway gave from one that was typed in. It is for
/// display only: state comes from an event or the API.
pub fn return_code(master_secret: &str, payment: PaymentId, outcome: &str) -> String {
    let mut code = keyed(master_secret, "payrig/return/v1");
    code.update(payment.bytes());
    code.update(outcome.as_bytes());
    code_text(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::time::Timestamp;

    const KEYS: SessionKeys<'_> = SessionKeys("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");

    fn payment(seed: u8) -> PaymentId {
        PaymentId::new(Timestamp::from_seconds(1_795_341_600), [seed; 10])
    }

    #[test]
    fn a_cookie_opens_its_own_payment_only() {
        let session = SessionKeys::open(payment(1), [9; 16]);
        let cookie = KEYS.cookie(&session);
        assert!(KEYS.read(payment(1), &cookie) == Some(session));
        assert!(KEYS.read(payment(2), &cookie).is_none());
        let other = SessionKeys("CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=");
        assert!(other.read(payment(1), &cookie).is_none());
    }

    #[test]
    fn a_damaged_cookie_opens_nothing() {
        let cookie = KEYS.cookie(&SessionKeys::open(payment(1), [9; 16]));
        for text in ["", "x", &cookie[1..], &cookie[..cookie.len() - 4], &format!("{cookie}AAAA")] {
            assert!(KEYS.read(payment(1), text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_form_belongs_to_one_session() {
        let (mine, yours) =
            (SessionKeys::open(payment(1), [1; 16]), SessionKeys::open(payment(1), [2; 16]));
        let proof = KEYS.form_proof(&mine);
        assert!(KEYS.form_is_ours(&mine, &proof));
        assert!(!KEYS.form_is_ours(&yours, &proof));
        assert!(!KEYS.form_is_ours(&mine, ""));
        assert!(!KEYS.form_is_ours(&mine, &KEYS.cookie(&mine)));
    }
}
