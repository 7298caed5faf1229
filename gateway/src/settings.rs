//! Settings of the gateway: flags, environment, file, defaults, and the keys file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kit::sqlite::Location;
use serde::{Deserialize, Serialize};
use wire::ids::MerchantId;

/// Everything the gateway needs to start; plain data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database lies.
    pub database: Location,
    /// Secrets and registrations.
    pub keys: Keys,
    /// Base address of the processor.
    pub processor_url: String,
    /// Base address of the shop: its return origin and webhook endpoint are registered at start.
    pub shop_url: Option<String>,
    /// Base address under which browsers and merchants reach the gateway.
    pub public_url: String,
    /// How long things may take.
    pub timers: Timers,
    /// How much is allowed.
    pub limits: Limits,
    /// What happens to a payment whose outcome is not known in time.
    pub timeout_policy: TimeoutPolicy,
}

impl Settings {
    /// Settings of a world in memory.
    pub fn in_memory(keys: Keys, processor_url: &str, public_url: &str) -> Self {
        Self {
            database: Location::Memory,
            keys,
            processor_url: processor_url.to_owned(),
            shop_url: None,
            public_url: public_url.to_owned(),
            timers: Timers::default(),
            limits: Limits::default(),
            timeout_policy: TimeoutPolicy::default(),
        }
    }
}

/// What happens to a payment whose outcome is not known in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeoutPolicy {
    /// It stays unknown until the resolve limit, then fails with the reversal pending.
    #[default]
    Hold,
    /// It fails as soon as its reversal is queued.
    FailFast,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// Deadline of one message to the processor.
    pub processor_deadline: Duration,
    /// Life of a payment page.
    pub checkout_session: Duration,
    /// Wait before the status inquiry of an unknown outcome.
    pub inquiry_after: Duration,
    /// Longest time that an outcome stays unknown under the policy `hold`.
    pub resolve_limit: Duration,
    /// Age at which an unacknowledged reversal is left to a person.
    pub reversal_age_max: Duration,
    /// Age up to which a capture can be refunded.
    pub refund_window: Duration,
    /// Time within which the same order and amount is not paid twice.
    pub duplicate_window: Duration,
    /// How long idempotent answers are kept.
    pub idempotency_kept: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        Self {
            processor_deadline: Duration::from_secs(20),
            checkout_session: Duration::from_secs(30 * MINUTE),
            inquiry_after: Duration::from_secs(2),
            resolve_limit: Duration::from_secs(MINUTE),
            reversal_age_max: Duration::from_secs(DAY),
            refund_window: Duration::from_secs(180 * DAY),
            duplicate_window: Duration::from_secs(10 * MINUTE),
            idempotency_kept: Duration::from_secs(DAY),
        }
    }
}

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Cards that may be tried for one payment.
    pub attempts_max: u32,
    /// Captures sent to the processor at the same time.
    pub captures_in_flight_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attempts_max: 10, captures_in_flight_max: 64 }
    }
}

/// A secret text; never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl SecretText {
    /// The text: the only way to it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretText(***)")
    }
}

/// Secrets and registrations of the gateway (`keys/gateway.json`, mode 0600).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Key of the control plane.
    pub sandbox_key: SecretText,
    /// The merchant account.
    pub merchant: MerchantKeys,
    /// Key that encrypts the keys of the vault.
    pub kek: KeyEncryptionKey,
    /// Base64 of 32 bytes: session cookies, client secrets, checkout links.
    pub session_key: SecretText,
    /// `pk_…`: lets a browser make card tokens. Not a secret.
    pub publishable_key: String,
    /// How notifications are signed.
    pub webhook: WebhookKeys,
    /// API clients.
    pub clients: Vec<ClientKeys>,
    /// How messages to the processor are signed.
    pub processor: SigningKeyText,
    /// People who may sign in to the dashboard.
    pub operators: Vec<OperatorKeys>,
}

/// The merchant account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantKeys {
    /// Its id.
    pub id: MerchantId,
    /// Its name, as payers see it.
    pub name: String,
    /// Base64 of 32 bytes: root of the order code key.
    pub master_secret: SecretText,
    /// Field 32, eleven digits.
    pub acquirer_id: String,
    /// Field 41, eight characters; further terminals count on from its last digits.
    pub terminal_id: String,
    /// Field 42, fifteen characters.
    pub card_acceptor_id: String,
    /// Merchant category code, four digits.
    pub mcc: String,
    /// ISO 3166 country.
    pub country: String,
    /// City.
    pub city: String,
}

/// Key that encrypts the keys of the vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEncryptionKey {
    /// Rises with each rotation.
    pub version: u32,
    /// Base64 of 32 bytes.
    pub key: SecretText,
}

/// How notifications are signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookKeys {
    /// `whsec_…`: secret of the shop's endpoint.
    pub secret: SecretText,
    /// `whsk_…`: ed25519 key of all endpoints.
    pub signing_key: SecretText,
}

/// An API client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientKeys {
    /// Its name: shop, playground, bench.
    pub name: String,
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: SecretText,
    /// Id of the signing key.
    pub key_id: String,
    /// Base64 of 32 bytes.
    pub signing_key: SecretText,
    /// Whether its calls must be signed.
    pub signatures: Signatures,
    /// Origins that return and cancel addresses may have; `loopback` stands for any of them.
    #[serde(default)]
    pub return_origins: Vec<String>,
}

/// Whether calls must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signatures {
    /// Every call.
    Required,
    /// A call without a signature is accepted with a bearer token.
    Optional,
}

/// A signing key as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyText {
    /// Its id.
    pub key_id: String,
    /// Base64 of 32 bytes.
    pub signing_key: SecretText,
}

/// A person who may sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorKeys {
    /// Name to sign in with.
    pub name: String,
    /// viewer, operator, refunder, administrator.
    pub role: String,
    /// argon2id, PHC string.
    pub password_hash: SecretText,
}

/// Flags of the gateway. Environment variables and the file of `--config` take the same names.
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Address to listen at; loopback only
    #[arg(long, env = "PAYRIG_GATEWAY_LISTEN", default_value = "127.0.0.1:7072")]
    pub listen: SocketAddr,
    /// Directory of databases and keys
    #[arg(long, env = "PAYRIG_GATEWAY_STATE", default_value = ".payrig")]
    pub state: PathBuf,
}
