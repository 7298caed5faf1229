//! The verification code that seals the fields of an order which travels through a browser.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use crate::signature::mac::{MacKey, derive};

/// Fewest bytes of a merchant's master secret.
pub const MASTER_SECRET_BYTES_MIN: usize = 24;

const LABEL: &[u8] = b"PRIG1";
const PURPOSE: &str = "payrig/order/v1";

/// The key that a merchant seals orders with; wiped from memory when dropped.
#[derive(Clone)]
pub struct OrderCodeKey {
    bytes: Zeroizing<[u8; 32]>,
    mac: MacKey,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderCodeKeyError {
    /// The master secret has fewer than [`MASTER_SECRET_BYTES_MIN`] bytes.
    #[error("the master secret has fewer than {MASTER_SECRET_BYTES_MIN} bytes")]
    ShortSecret,
    /// Not base64 of 32 bytes.
    #[error("an order code key is base64 of 32 bytes")]
    Malformed,
}

impl OrderCodeKey {
    /// A key of 32 bytes, used as it is.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { mac: MacKey::new(&bytes), bytes: Zeroizing::new(bytes) }
    }

    /// The key that belongs to a merchant's master secret, by HKDF-SHA256 (RFC 5869).
    pub fn derive_from_master(secret: &[u8]) -> Result<Self, OrderCodeKeyError> {
        if secret.len() < MASTER_SECRET_BYTES_MIN {
            return Err(OrderCodeKeyError::ShortSecret);
        }
        Ok(Self::new(*derive(secret, PURPOSE)))
    }

    /// Reads the form that a merchant is given.
    pub fn from_base64(text: &str) -> Result<Self, OrderCodeKeyError> {
        let bytes = BASE64
            .decode(text.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| OrderCodeKeyError::Malformed)?;
        bytes.as_slice().try_into().map(Self::new).map_err(|_| OrderCodeKeyError::Malformed)
    }

    /// The form that a merchant is given.
    pub fn base64(&self) -> String {
        BASE64.encode(self.bytes.as_slice())
    }
}

impl fmt::Debug for OrderCodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OrderCodeKey(***)")
    }
}

/// The sealed fields of an order, exactly as they stand in the form: nothing is normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFields<'a> {
    /// The merchant's id, ASCII.
    pub merchant_id: &'a str,
    /// The shop's order reference: 1 to 64 bytes of UTF-8, no control characters.
    pub order_id: &'a str,
    /// Minor units: one to twelve digits, the first not zero.
    pub amount: &'a str,
    /// ISO 4217, three capital letters.
    pub currency: &'a str,
    /// Decimals of the currency, one digit.
    pub exponent: &'a str,
    /// Where the browser returns to, at most 2,048 bytes.
    pub return_url: &'a str,
    /// Unix seconds, decimal.
    pub expires_at: &'a str,
    /// 8 to 64 characters of `A-Z a-z 0-9 _ -`.
    pub nonce: &'a str,
}

/// A field that does not have its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field {field} is malformed")]
pub struct OrderFieldError {
    /// The name of the field.
    pub field: &'static str,
}

impl<'a> OrderFields<'a> {
    /// Whether every field has its form. Says nothing about who sealed them.
    pub fn check(&self) -> Result<(), OrderFieldError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number =
            |text: &str| (1..=12).contains(&text.len()) && digits(text) && !text.starts_with('0');
        let merchant_id = !self.merchant_id.is_empty()
            && self.merchant_id.len() <= 64
            && self.merchant_id.bytes().all(|byte| byte.is_ascii_graphic());
        let order_id =
            (1..=64).contains(&self.order_id.len()) && !self.order_id.chars().any(char::is_control);
        let currency =
            self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let nonce = (8..=64).contains(&self.nonce.len())
            && self.nonce.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
        let checks = [
            ("merchant_id", merchant_id),
            ("order_id", order_id),
            ("amount", number(self.amount)),
            ("currency", currency),
            ("exponent", self.exponent.len() == 1 && digits(self.exponent)),
            ("return_url", (1..=2048).contains(&self.return_url.len())),
            ("expires_at", number(self.expires_at)),
            ("nonce", nonce),
        ];
        match checks.into_iter().find(|(_, well_formed)| !well_formed) {
            Some((field, _)) => Err(OrderFieldError { field }),
            None => Ok(()),
        }
    }

    const fn in_order(&self) -> [&'a str; 8] {
        [
            self.merchant_id,
            self.order_id,
            self.amount,
            self.currency,
            self.exponent,
            self.return_url,
            self.expires_at,
            self.nonce,
        ]
    }

    /// The bytes that are authenticated: a label, then each field after its length.
    ///
    /// The lengths keep a character from moving from one field into the next.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let fields = self.in_order();
        let length: usize = fields.iter().map(|field| field.len() + 4).sum();
        let mut bytes = Vec::with_capacity(LABEL.len() + length);
        bytes.extend_from_slice(LABEL);
        for field in fields {
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes
    }
}

/// Why a code was refused. Both are one and the same to the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderCodeRefusal {
    /// Not 64 lower-case hexadecimal digits.
    #[error("the order code is not 64 lower-case hexadecimal digits")]
    Malformed,
    /// No key gives this code for these fields.
    #[error("the order code does not fit the fields")]
    Mismatch,
}

/// The code that seals the fields: 64 lower-case hexadecimal digits.
pub fn code(key: &OrderCodeKey, fields: &OrderFields<'_>) -> String {
    HEXLOWER.encode(&key.mac.code([fields.sealed_bytes().as_slice()]))
}

/// Checks a code against each key that is in force, in constant time.
pub fn verify(
    keys: &[&OrderCodeKey],
    fields: &OrderFields<'_>,
    code: &str,
) -> Result<(), OrderCodeRefusal> {
    let code = HEXLOWER.decode(code.as_bytes()).map_err(|_| OrderCodeRefusal::Malformed)?;
    if code.len() != 32 {
        return Err(OrderCodeRefusal::Malformed);
    }
    let sealed = fields.sealed_bytes();
    // Every key is tried, so that the time does not tell which of them fits.
    let fits =
        keys.iter().fold(false, |fits, key| fits | key.mac.verifies([sealed.as_slice()], &code));
    if fits { Ok(()) } else { Err(OrderCodeRefusal::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: OrderFields<'static> = OrderFields {
        merchant_id: "mer_demo",
        order_id: "ord_1001",
        amount: "2200",
        currency: "GBP",
        exponent: "2",
        return_url: "https://shop.localhost/return",
        expires_at: "1767225600",
        nonce: "nonce-0001",
    };
    const CODE: &str = "98c9a01b563b2f2e53c3897c043e4108cee3c5f460c434d06bdef0a8367dd2fc";

    fn ascending(first: u8) -> [u8; 32] {
        std::array::from_fn(|index| first + u8::try_from(index).unwrap())
    }

    #[test]
    fn the_golden_vector_gives_its_code() {
        let key = OrderCodeKey::new(ascending(0));
        assert_eq!(code(&key, &FIELDS), CODE);
        assert_eq!(verify(&[&key], &FIELDS, CODE), Ok(()));
    }

    #[test]
    fn the_authenticated_bytes_are_those_of_the_golden_vector() {
        let expected = "5052494731000000086d65725f64656d6f000000086f72645f3130303100000004\
            323230300000000347425000000001320000001d68747470733a2f2f73686f702e6c6f63616c686f73742f\
            72657475726e0000000a313736373232353630300000000a6e6f6e63652d30303031";
        let bytes = FIELDS.sealed_bytes();
        assert_eq!(bytes.len(), 110);
        assert_eq!(HEXLOWER.encode(&bytes), expected);
    }

    #[test]
    fn a_shifted_boundary_gives_another_code() {
        let key = OrderCodeKey::new(ascending(0));
        let shifted = OrderFields { order_id: "ord_100", amount: "12200", ..FIELDS };
        assert_eq!(
            code(&key, &shifted),
            "449a070bc5371969e87b1b6215f061da86bbf34fcbe13bdfee0ab53bd7fd412e"
        );
        assert_eq!(verify(&[&key], &shifted, CODE), Err(OrderCodeRefusal::Mismatch));
    }

    #[test]
    fn the_key_is_derived_from_the_master_secret() {
        let key = OrderCodeKey::derive_from_master(&ascending(0x20)).unwrap();
        assert_eq!(
            HEXLOWER.encode(key.bytes.as_slice()),
            "3bd040df4628aa2aacd31e6ba16a239e36d738221e21df8ee8231b9640bbaf9a"
        );
        assert_eq!(
            code(&key, &FIELDS),
            "03393e5b59311e5b71aad88c1d3f7a0fb84147e7a5002d7579925a0e992017d5"
        );
    }

    #[test]
    fn the_intermediate_key_of_the_derivation_is_that_of_the_golden_vector() {
        let (intermediate, _) = hkdf::Hkdf::<sha2::Sha256>::extract(None, &ascending(0x20));
        assert_eq!(
            HEXLOWER.encode(&intermediate),
            "9724f70a32773a1840904e49bb789f73e0023efea2db9f987f43fc932319b1cb"
        );
    }

    #[test]
    fn a_short_master_secret_gives_no_key() {
        for length in [0, 1, 23] {
            let refused = OrderCodeKey::derive_from_master(&vec![7; length]).err();
            assert_eq!(refused, Some(OrderCodeKeyError::ShortSecret));
        }
        assert!(OrderCodeKey::derive_from_master(&[7; 24]).is_ok());
    }

    #[test]
    fn a_key_round_trips_as_base64_and_hides_in_debug_output() {
        let key = OrderCodeKey::new(ascending(0));
        let text = key.base64();
        assert_eq!(code(&OrderCodeKey::from_base64(&text).unwrap(), &FIELDS), CODE);
        assert!(!format!("{key:?}").contains(&text));
        for text in ["", "AAAA", &text.replace('=', ""), "not base64"] {
            let refused = OrderCodeKey::from_base64(text).err();
            assert_eq!(refused, Some(OrderCodeKeyError::Malformed), "{text}");
        }
    }

    #[test]
    fn the_previous_key_is_accepted_beside_the_new_one() {
        let (previous, current) = (OrderCodeKey::new(ascending(0)), OrderCodeKey::new([9; 32]));
        assert_eq!(verify(&[&current, &previous], &FIELDS, CODE), Ok(()));
        assert_eq!(verify(&[&previous, &current], &FIELDS, CODE), Ok(()));
        assert_eq!(verify(&[&current], &FIELDS, CODE), Err(OrderCodeRefusal::Mismatch));
        assert_eq!(verify(&[], &FIELDS, CODE), Err(OrderCodeRefusal::Mismatch));
    }

    #[test]
    fn a_malformed_code_is_refused() {
        let key = OrderCodeKey::new(ascending(0));
        let long = format!("{CODE}00");
        for text in
            ["", "98c9", &CODE.to_uppercase(), &long, &CODE[..62], "zz", &format!(" {CODE}")]
        {
            assert_eq!(verify(&[&key], &FIELDS, text), Err(OrderCodeRefusal::Malformed), "{text}");
        }
    }

    #[test]
    fn every_field_is_sealed() {
        let key = OrderCodeKey::new(ascending(0));
        let changed = [
            OrderFields { merchant_id: "mer_other", ..FIELDS },
            OrderFields { order_id: "ord_1002", ..FIELDS },
            OrderFields { amount: "2201", ..FIELDS },
            OrderFields { currency: "EUR", ..FIELDS },
            OrderFields { exponent: "0", ..FIELDS },
            OrderFields { return_url: "https://shop.localhost/other", ..FIELDS },
            OrderFields { expires_at: "1767225601", ..FIELDS },
            OrderFields { nonce: "nonce-0002", ..FIELDS },
        ];
        for fields in changed {
            assert_eq!(verify(&[&key], &fields, CODE), Err(OrderCodeRefusal::Mismatch));
        }
    }

    #[test]
    fn fields_without_their_form_are_named() {
        assert_eq!(FIELDS.check(), Ok(()));
        let long = "x".repeat(2049);
        let malformed = [
            ("merchant_id", OrderFields { merchant_id: "", ..FIELDS }),
            ("merchant_id", OrderFields { merchant_id: "mer é", ..FIELDS }),
            ("order_id", OrderFields { order_id: "", ..FIELDS }),
            ("order_id", OrderFields { order_id: "a\nb", ..FIELDS }),
            ("order_id", OrderFields { order_id: &long[..65], ..FIELDS }),
            ("amount", OrderFields { amount: "0", ..FIELDS }),
            ("amount", OrderFields { amount: "022", ..FIELDS }),
            ("amount", OrderFields { amount: "-1", ..FIELDS }),
            ("amount", OrderFields { amount: "22.00", ..FIELDS }),
            ("amount", OrderFields { amount: "1234567890123", ..FIELDS }),
            ("currency", OrderFields { currency: "gbp", ..FIELDS }),
            ("exponent", OrderFields { exponent: "22", ..FIELDS }),
            ("return_url", OrderFields { return_url: &long, ..FIELDS }),
            ("expires_at", OrderFields { expires_at: "soon", ..FIELDS }),
            ("nonce", OrderFields { nonce: "short", ..FIELDS }),
            ("nonce", OrderFields { nonce: "with a space", ..FIELDS }),
        ];
        for (field, fields) in malformed {
            assert_eq!(fields.check(), Err(OrderFieldError { field }));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_sealed_order_verifies_and_a_changed_one_never_does(
            secret: [u8; 32],
            texts in proptest::array::uniform8("\\PC{0,20}"),
            index in 0_usize..8,
            other in "\\PC{0,20}",
        ) {
            let key = OrderCodeKey::new(secret);
            let seal = |texts: &[String; 8]| {
                let [f1, f2, f3, f4, f5, f6, f7, f8] = texts.each_ref().map(String::as_str);
                let fields = OrderFields {
                    merchant_id: f1,
                    order_id: f2,
                    amount: f3,
                    currency: f4,
                    exponent: f5,
                    return_url: f6,
                    expires_at: f7,
                    nonce: f8,
                };
                code(&key, &fields)
            };
            let sealed = seal(&texts);
            proptest::prop_assert_eq!(&sealed, &seal(&texts));
            let mut changed = texts.clone();
            changed[index].clone_from(&other);
            proptest::prop_assert_eq!(sealed == seal(&changed), changed == texts);
        }
    }
}
