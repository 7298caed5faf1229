//! The keys of the shop, as they stand in its keys file.

use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wire::ids::{MerchantId, OrderId};
use wire::order_code::OrderCodeKey;
use wire::signature::SigningKey;
use wire::webhook::{WebhookPublicKey, WebhookSecret};

use crate::domain::operator::Role;

/// Shortest secret that is accepted, in bytes.
const SECRET_BYTES_MIN: usize = 24;
/// Bytes of an order key and of a form token.
const TAG_BYTES: usize = 20;

/// What stands in the keys file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Opens the control plane.
    pub sandbox_key: String,
    /// The shop's account at the gateway.
    pub merchant_id: MerchantId,
    /// Credentials of the shop at the gateway's API.
    pub client: ClientKeys,
    /// Keys of the notifications it receives.
    pub webhook: WebhookKeys,
    /// Key of cookies and forms, base64.
    pub session_key: String,
    /// `pk_…`: for card fields on the shop's own page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishable_key: Option<String>,
    /// Seals orders that travel through a browser, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_code_key: Option<String>,
    /// People of the back office.
    pub operators: Vec<Operator>,
}

/// Credentials at the gateway's API.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientKeys {
    /// OAuth client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Name of the signing key.
    pub key_id: String,
    /// The signing key, base64.
    pub signing_key: String,
}

/// Keys of notifications.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookKeys {
    /// `whsec_…`
    pub secret: String,
    /// `whpk_…`
    pub public_key: String,
}

/// A person of the back office.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Login name.
    pub name: String,
    /// viewer, refunder, operator, administrator.
    pub role: String,
    /// argon2id, in PHC form.
    pub password_hash: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({}, ***)", self.merchant_id)
    }
}

impl fmt::Debug for ClientKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClientKeys({}, ***)", self.client_id)
    }
}

impl fmt::Debug for WebhookKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookKeys(***)")
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Operator({}, {})", self.name, self.role)
    }
}

/// A key that cannot be used: the program does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key `{name}` cannot be used: {expected}")]
pub struct KeyError {
    /// Its place in the keys file.
    pub name: &'static str,
    /// What is expected there.
    pub expected: &'static str,
}

/// The keys, ready for use.
pub struct KeyRing {
    /// Signs calls to the gateway.
    pub signing: SigningKey,
    /// Verifies notifications (`v1`).
    pub webhook_secrets: Vec<WebhookSecret>,
    /// Verifies notifications (`v1a`).
    pub webhook_public: WebhookPublicKey,
    /// For card fields on the shop's own page.
    pub publishable_key: Option<String>,
    /// Seals orders that travel through a browser.
    pub order_code: Option<OrderCodeKey>,
    sandbox: [u8; 32],
    orders: [u8; 32],
    forms: [u8; 32],
    operators: Vec<KnownOperator>,
}

/// A person of the back office, checked.
#[derive(Clone)]
pub struct KnownOperator {
    /// Login name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// argon2id, in PHC form.
    pub password_hash: String,
}

impl KeyRing {
    /// Checks every key; one that is missing, short or malformed is refused by name.
    pub fn new(keys: &Keys) -> Result<Self, KeyError> {
        let refuse = |name, expected| KeyError { name, expected };
        let client = &keys.client;
        if keys.sandbox_key.len() < SECRET_BYTES_MIN {
            return Err(refuse("sandbox_key", "at least 24 characters"));
        }
        if client.client_secret.len() < SECRET_BYTES_MIN {
            return Err(refuse("client.client_secret", "at least 24 characters"));
        }
        let signing = SigningKey::from_base64(&client.key_id, &client.signing_key)
            .map_err(|_| refuse("client.signing_key", "32 bytes in base64"))?;
        let secret = WebhookSecret::parse(&keys.webhook.secret)
            .map_err(|_| refuse("webhook.secret", "whsec_ and 24 to 64 bytes in base64"))?;
        let webhook_public = WebhookPublicKey::parse(&keys.webhook.public_key)
            .map_err(|_| refuse("webhook.public_key", "whpk_ and 32 bytes in base64"))?;
        let session = BASE64.decode(keys.session_key.as_bytes()).unwrap_or_default();
        if session.len() < SECRET_BYTES_MIN {
            return Err(refuse("session_key", "at least 24 bytes in base64"));
        }
        let order_code = keys.order_code_key.as_deref().map(OrderCodeKey::from_base64).transpose();
        let order_code = order_code.map_err(|_| refuse("order_code_key", "32 bytes in base64"))?;
        Ok(Self {
            publishable_key: keys.publishable_key.clone(),
            order_code,
            signing,
            webhook_secrets: vec![secret],
            webhook_public,
            sandbox: sha256(keys.sandbox_key.as_bytes()),
            orders: derive(&session, "payrig/shop/orders/v1"),
            forms: derive(&session, "payrig/shop/forms/v1"),
            operators: keys.operators.iter().map(known).collect::<Result<_, _>>()?,
        })
    }

    /// The person with this login name.
    pub fn operator(&self, name: &str) -> Option<&KnownOperator> {
        self.operators.iter().find(|operator| operator.name == name)
    }

    /// Some person, so that an unknown name takes as long as a known one.
    pub fn any_operator(&self) -> Option<&KnownOperator> {
        self.operators.first()
    }

    /// Whether this is the key of the control plane.
    pub fn opens_sandbox(&self, key: &str) -> bool {
        sha256(key.as_bytes()).ct_eq(&self.sandbox).into()
    }

    /// The key that opens one order to whoever holds it: for clients without cookies. Letters
    /// mostly: a long run of digits could be taken for a card number on the way.
    pub fn order_key(&self, order: OrderId) -> String {
        format!("ok_{}", BASE64URL_NOPAD.encode(&tag(&self.orders, order.bytes())))
    }

    /// Whether a key opens this order.
    pub fn opens_order(&self, order: OrderId, key: &str) -> bool {
        self.order_key(order).as_bytes().ct_eq(key.as_bytes()).into()
    }

    /// The token that forms carry, bound to a cookie: other sites cannot know it.
    pub fn form_token(&self, cookie: &str) -> String {
        BASE64URL_NOPAD.encode(&tag(&self.forms, cookie.as_bytes()))
    }

    /// Whether a form's token fits the cookie.
    pub fn form_fits(&self, cookie: &str, token: &str) -> bool {
        self.form_token(cookie).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyRing(***)")
    }
}

fn known(operator: &Operator) -> Result<KnownOperator, KeyError> {
    let role = Role::parse(&operator.role).ok_or(KeyError {
        name: "operators.role",
        expected: "viewer, refunder, operator or administrator",
    })?;
    if !operator.password_hash.starts_with("$argon2id$") {
        return Err(KeyError { name: "operators.password_hash", expected: "argon2id in PHC form" });
    }
    Ok(KnownOperator {
        name: operator.name.clone(),
        role,
        password_hash: operator.password_hash.clone(),
    })
}

/// SHA-256, as the hash of tokens at rest.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A key of its own for each purpose.
fn derive(key: &[u8], label: &str) -> [u8; 32] {
    let mut derived = [0; 32];
    // 32 bytes are far below what HKDF can give, so this cannot fail.
    let _fits = Hkdf::<Sha256>::new(None, key).expand(label.as_bytes(), &mut derived);
    derived
}

fn tag(key: &[u8; 32], message: &[u8]) -> [u8; TAG_BYTES] {
    let mut tag = [0; TAG_BYTES];
    // HMAC takes keys of every length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(message);
        let code = mac.finalize().into_bytes();
        for (to, from) in tag.iter_mut().zip(code) {
            *to = from;
        }
    }
    tag
}
