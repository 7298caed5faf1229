//! Settings of the gateway: flags, environment, file, defaults, and the keys file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use kit::clock::Clock;
use kit::sqlite::Location;
use serde::{Deserialize, Serialize};
use wire::ids::MerchantId;
use wire::time::Timestamp;

use crate::domain::caps::{Caps, OverCap};
use crate::domain::card_attempts::CardAttemptLimits;
use crate::domain::ip_lists::{IpLists, IpRange};
use crate::domain::rates::Rate;
use crate::domain::webhooks::DeliveryPolicy;
use crate::domain::webhooks::target::TargetPolicy;

/// Where the console is unless told otherwise.
pub const CONSOLE_URL: &str = "http://127.0.0.1:7070";

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
    /// A merchant that is not ours, in the place of the shop.
    pub foreign: Option<ForeignMerchant>,
    /// Base address under which browsers and merchants reach the gateway.
    pub public_url: String,
    /// How long things may take.
    pub timers: Timers,
    /// How much is allowed.
    pub limits: Limits,
    /// From where the API may be called.
    pub ip_lists: IpLists,
    /// What happens to a payment whose outcome is not known in time.
    pub timeout_policy: TimeoutPolicy,
    /// Whether an approval for a part of the amount is taken.
    pub accept_partial: bool,
    /// Whether saved cards pay with network tokens.
    pub network_tokens: bool,
    /// How events are delivered, and where they may go.
    pub webhooks: WebhookSettings,
    /// Base address of the console, where problems are explained and traces are drawn.
    pub console_url: String,
}

impl Settings {
    /// Settings of a world in memory.
    pub fn in_memory(keys: Keys, processor_url: &str, public_url: &str) -> Self {
        Self {
            database: Location::Memory,
            keys,
            processor_url: processor_url.to_owned(),
            shop_url: None,
            foreign: None,
            public_url: public_url.to_owned(),
            timers: Timers::default(),
            limits: Limits::default(),
            ip_lists: IpLists::default(),
            timeout_policy: TimeoutPolicy::default(),
            accept_partial: false,
            network_tokens: false,
            webhooks: WebhookSettings::default(),
            console_url: CONSOLE_URL.to_owned(),
        }
    }
}

/// A merchant that is not ours. It knows nothing of the clock of this world, so whatever it signs,
/// and whatever it checks the time of, is dated by the clock on the wall: its signatures, its
/// access tokens, and the notifications to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignMerchant {
    /// The name of its client in the keys.
    pub client: String,
    /// Where its events go.
    pub webhook_url: String,
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

/// How events are delivered, and where they may go.
#[derive(Clone, Debug, Default)]
pub struct WebhookSettings {
    /// Schedule and limits.
    pub delivery: DeliveryPolicy,
    /// Where they may go.
    pub targets: TargetPolicy,
    /// The endpoint of a merchant that is not ours; set at start.
    pub foreign: Option<String>,
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
    /// Cards that may be tried in a minute, over all payments.
    pub card_attempts: CardAttemptLimits,
    /// How much money a payment, a card and the account may move.
    pub caps: Caps,
    /// Calls of the API, of each client and of each address.
    pub api: Option<Rate>,
    /// Times in a minute that a client may ask for a token.
    pub token_per_minute: u32,
    /// Captures sent to the processor at the same time.
    pub captures_in_flight_max: usize,
}

/// A set of limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LimitProfile {
    /// Ten cards per payment, and no more than that.
    #[default]
    None,
    /// As a careful gateway has them.
    Strict,
}

impl Limits {
    /// The limits of a profile.
    pub const fn of(profile: LimitProfile) -> Self {
        let captures_in_flight_max = 1024;
        match profile {
            LimitProfile::None => Self {
                attempts_max: 10,
                card_attempts: CardAttemptLimits { per_address: None, per_range: None },
                caps: Caps {
                    payment: None,
                    card_day: None,
                    merchant_day: None,
                    over: OverCap::Refuse,
                },
                api: None,
                token_per_minute: 60,
                captures_in_flight_max,
            },
            LimitProfile::Strict => Self {
                attempts_max: 5,
                card_attempts: CardAttemptLimits { per_address: Some(20), per_range: Some(100) },
                caps: Caps {
                    payment: Some(1_000_000),
                    card_day: Some(2_500_000),
                    merchant_day: Some(100_000_000),
                    over: OverCap::Refuse,
                },
                api: Some(Rate { per_second: 100, burst: 200 }),
                token_per_minute: 10,
                captures_in_flight_max,
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(LimitProfile::None)
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
    /// The one before, until everything is encrypted with the new one: one start is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kek_previous: Option<KeyEncryptionKey>,
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

/// Where the gateway listens unless told otherwise.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7072);
/// Where the processor is unless told otherwise.
pub const PROCESSOR_URL: &str = "http://127.0.0.1:7073";
/// Where everything is kept unless told otherwise.
pub const STATE: &str = "./.payrig";
/// Seed of ids and jitter unless told otherwise.
pub const SEED: u64 = 42;
/// Where a clock of the mode `virtual` begins.
pub const VIRTUAL_BEGIN: Timestamp = Timestamp::from_seconds(1_768_471_200);

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ClockMode {
    /// Runs; may be moved forward.
    Real,
    /// Stands until it is moved.
    Virtual,
}

/// Settings of the gateway. Flags win over environment variables, these over the file, and the
/// file over the defaults.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Address to listen on, loopback only [default: 127.0.0.1:7072]
    #[arg(long, env = "PAYRIG_GATEWAY_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Directory of the database and the keys [default: ./.payrig]
    #[arg(long, env = "PAYRIG_GATEWAY_STATE", value_name = "DIRECTORY")]
    pub state: Option<PathBuf>,
    /// Keep the database in memory: everything is gone at the end
    #[arg(long, env = "PAYRIG_GATEWAY_EPHEMERAL")]
    pub ephemeral: bool,
    /// Keys file, mode 0600 [default: STATE/keys/gateway.json]
    #[arg(long, env = "PAYRIG_GATEWAY_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Base address of the processor [default: http://127.0.0.1:7073]
    #[arg(long, env = "PAYRIG_GATEWAY_PROCESSOR_URL", value_name = "URL")]
    pub processor_url: Option<String>,
    /// Base address of the shop: registers its return origin and its webhook endpoint
    #[arg(long, env = "PAYRIG_GATEWAY_SHOP_URL", value_name = "URL")]
    pub shop_url: Option<String>,
    /// Base address under which browsers and merchants reach the gateway [default: http://LISTEN]
    #[arg(long, env = "PAYRIG_GATEWAY_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Base address of the console, where problems are explained and traces are drawn
    /// [default: http://127.0.0.1:7070]
    #[arg(long, env = "PAYRIG_GATEWAY_CONSOLE_URL", value_name = "URL")]
    pub console_url: Option<String>,
    /// Longest wait for the processor's answer; then the outcome is unknown [default: 20s]
    #[arg(long, env = "PAYRIG_GATEWAY_PROCESSOR_DEADLINE", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub processor_deadline: Option<Duration>,
    /// Life of a payment page [default: 30m]
    #[arg(long, env = "PAYRIG_GATEWAY_CHECKOUT_SESSION", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub checkout_session: Option<Duration>,
    /// Wait before the status inquiry of an unknown outcome [default: 2s]
    #[arg(long, env = "PAYRIG_GATEWAY_INQUIRY_AFTER", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub inquiry_after: Option<Duration>,
    /// Longest time that an outcome stays unknown under the policy `hold` [default: 60s]
    #[arg(long, env = "PAYRIG_GATEWAY_RESOLVE_LIMIT", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub resolve_limit: Option<Duration>,
    /// Age at which an unacknowledged reversal is left to a person [default: 24h]
    #[arg(long, env = "PAYRIG_GATEWAY_REVERSAL_AGE_MAX", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub reversal_age_max: Option<Duration>,
    /// Age up to which a payment can be refunded [default: 180d]
    #[arg(long, env = "PAYRIG_GATEWAY_REFUND_WINDOW", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub refund_window: Option<Duration>,
    /// Time within which the same order and amount is not paid by a second payment [default: 10m]
    #[arg(long, env = "PAYRIG_GATEWAY_DUPLICATE_WINDOW", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub duplicate_window: Option<Duration>,
    /// Limits of a sandbox, or as a careful gateway has them: 5 cards per payment, 20 a minute from
    /// one address, 100 a minute of one range; 1000000 minor units per payment, 2500000 per card
    /// and day, 100000000 per day; 100 calls a second, 200 at once, 10 tokens a minute
    /// [default: none]
    #[arg(long, env = "PAYRIG_GATEWAY_LIMITS", value_name = "PROFILE")]
    pub limits: Option<LimitProfile>,
    /// Cards that may be tried for one payment [default: 10]
    #[arg(long, env = "PAYRIG_GATEWAY_ATTEMPTS_MAX", value_name = "NUMBER")]
    pub attempts_max: Option<u32>,
    /// Cards that may be tried in a minute from one address [default: any number]
    #[arg(long, env = "PAYRIG_GATEWAY_CARDS_PER_ADDRESS", value_name = "NUMBER")]
    pub cards_per_address: Option<u32>,
    /// Cards of one range (first six digits) that may be tried in a minute [default: any number]
    #[arg(long, env = "PAYRIG_GATEWAY_CARDS_PER_RANGE", value_name = "NUMBER")]
    pub cards_per_range: Option<u32>,
    /// Minor units that one payment may ask for [default: any amount]
    #[arg(long, env = "PAYRIG_GATEWAY_CAP_PAYMENT", value_name = "AMOUNT")]
    pub cap_payment: Option<u64>,
    /// Minor units that one card may pay on a day (UTC), in each currency [default: any amount]
    #[arg(long, env = "PAYRIG_GATEWAY_CAP_CARD_DAY", value_name = "AMOUNT")]
    pub cap_card_day: Option<u64>,
    /// Minor units that the account may take on a day (UTC), in each currency
    /// [default: any amount]
    #[arg(long, env = "PAYRIG_GATEWAY_CAP_MERCHANT_DAY", value_name = "AMOUNT")]
    pub cap_merchant_day: Option<u64>,
    /// What happens to a payment over the cap of a day: `refuse` it, or authorize it and let a
    /// person `review` it before anything is captured [default: refuse]
    #[arg(long, env = "PAYRIG_GATEWAY_OVER_CAP", value_name = "POLICY", value_parser = over_cap)]
    pub over_cap: Option<OverCap>,
    /// Calls of the API a second, of each client and of each address [default: any number]
    #[arg(long, env = "PAYRIG_GATEWAY_API_RATE", value_name = "NUMBER")]
    pub api_rate: Option<u32>,
    /// Calls of the API that may come at once, where their rate is limited
    /// [default: twice the rate]
    #[arg(long, env = "PAYRIG_GATEWAY_API_BURST", value_name = "NUMBER")]
    pub api_burst: Option<u32>,
    /// Times in a minute that a client may ask for a token from one address [default: 60]
    #[arg(long, env = "PAYRIG_GATEWAY_TOKEN_RATE", value_name = "NUMBER")]
    pub token_rate: Option<u32>,
    /// Addresses from which the API may not be called, such as 203.0.113.0/24; repeat for more
    #[arg(long, env = "PAYRIG_GATEWAY_IP_DENY", value_name = "RANGE", value_delimiter = ',')]
    pub ip_deny: Vec<IpRange>,
    /// The only addresses from which the API may be called; repeat for more [default: all]
    #[arg(long, env = "PAYRIG_GATEWAY_IP_ALLOW", value_name = "RANGE", value_delimiter = ',')]
    pub ip_allow: Vec<IpRange>,
    /// Proxies whose `X-Forwarded-For` is believed; repeat for more [default: none]
    #[arg(
        long,
        env = "PAYRIG_GATEWAY_TRUSTED_PROXIES",
        value_name = "RANGE",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<IpRange>,
    /// What happens to a payment whose outcome is not known in time [default: hold]
    #[arg(long, env = "PAYRIG_GATEWAY_TIMEOUT_POLICY", value_name = "POLICY")]
    pub timeout_policy: Option<TimeoutPolicy>,
    /// Take an approval for a part of the amount instead of giving it back
    #[arg(long, env = "PAYRIG_GATEWAY_ACCEPT_PARTIAL")]
    pub accept_partial: bool,
    /// Let saved cards pay with network tokens instead of their numbers
    #[arg(long, env = "PAYRIG_GATEWAY_NETWORK_TOKENS")]
    pub network_tokens: bool,
    /// Attempts in flight per webhook endpoint [default: 10]
    #[arg(long, env = "PAYRIG_GATEWAY_WEBHOOK_IN_FLIGHT", value_name = "NUMBER")]
    pub webhook_in_flight: Option<usize>,
    /// Send events to public https addresses only, as in production
    #[arg(long, env = "PAYRIG_GATEWAY_STRICT_SSRF")]
    pub strict_ssrf: bool,
    /// Host with a private address that events may be sent to; repeat for more
    #[arg(long, env = "PAYRIG_GATEWAY_ALLOW_PRIVATE", value_name = "HOST", value_delimiter = ',')]
    pub allow_private: Vec<String>,
    /// Host with a public address that events may be sent to; repeat for more
    #[arg(long, env = "PAYRIG_GATEWAY_ALLOW_PUBLIC", value_name = "HOST", value_delimiter = ',')]
    pub allow_public: Vec<String>,
    /// Seed of ids and jitter [default: 42]
    #[arg(long, env = "PAYRIG_GATEWAY_SEED", value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Time that runs, or time that moves only by command [default: real]
    #[arg(long, env = "PAYRIG_GATEWAY_CLOCK", value_name = "MODE")]
    pub clock: Option<ClockMode>,
    /// End when standard input is closed: nothing is left behind when the parent dies
    #[arg(long, env = "PAYRIG_GATEWAY_EXIT_WITH_STDIN")]
    pub exit_with_stdin: bool,
    /// error, warn, info, debug, trace, or filters by module [default: info]
    #[arg(long, env = "PAYRIG_GATEWAY_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Write the log as JSON
    #[arg(long, env = "PAYRIG_GATEWAY_LOG_JSON")]
    pub log_json: bool,
    /// TOML file with these settings, named like the flags
    #[arg(long, env = "PAYRIG_GATEWAY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The payment gateway of the Payrig sandbox: API, hosted card page, vault, webhooks, dashboard.
#[derive(Debug, clap::Parser)]
#[command(name = "gateway", version)]
pub struct CommandLine {
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file or a value in it.
    #[error(transparent)]
    File(#[from] kit::settings::SettingsError),
    /// The keys file.
    #[error("{0}; help: run `payrig keys --state {dir}`", dir = .1.display())]
    Keys(kit::secret_file::SecretFileError, PathBuf),
    /// Only this machine may reach the gateway.
    #[error("listen = {0}: expected a loopback address such as 127.0.0.1:7072")]
    NotLoopback(SocketAddr),
    /// A burst without a rate.
    #[error("api_burst = {0}: expected a rate beside it; help: set `api_rate` too")]
    BurstWithoutRate(u32),
    /// A number that makes no sense.
    #[error("{0} = 0: expected 1 or more")]
    NoAttempts(&'static str),
}

fn over_cap(word: &str) -> Result<OverCap, String> {
    match word {
        "refuse" => Ok(OverCap::Refuse),
        "review" => Ok(OverCap::Review),
        _ => Err("expected `refuse` or `review`".to_owned()),
    }
}

fn given_or<T>(given: Vec<T>, file: Vec<T>) -> Vec<T> {
    if given.is_empty() { file } else { given }
}

impl Flags {
    /// Fills what was not given from the settings file.
    pub fn with_file(self) -> Result<Self, SettingsError> {
        let Some(path) = self.config.clone() else { return Ok(self) };
        let read: CommandLine = kit::settings::load(["gateway".into()], Some(&path))?;
        let file = read.flags;
        Ok(Self {
            listen: self.listen.or(file.listen),
            state: self.state.or(file.state),
            ephemeral: self.ephemeral || file.ephemeral,
            keys: self.keys.or(file.keys),
            processor_url: self.processor_url.or(file.processor_url),
            shop_url: self.shop_url.or(file.shop_url),
            public_url: self.public_url.or(file.public_url),
            console_url: self.console_url.or(file.console_url),
            processor_deadline: self.processor_deadline.or(file.processor_deadline),
            checkout_session: self.checkout_session.or(file.checkout_session),
            inquiry_after: self.inquiry_after.or(file.inquiry_after),
            resolve_limit: self.resolve_limit.or(file.resolve_limit),
            reversal_age_max: self.reversal_age_max.or(file.reversal_age_max),
            refund_window: self.refund_window.or(file.refund_window),
            duplicate_window: self.duplicate_window.or(file.duplicate_window),
            limits: self.limits.or(file.limits),
            attempts_max: self.attempts_max.or(file.attempts_max),
            cards_per_address: self.cards_per_address.or(file.cards_per_address),
            cards_per_range: self.cards_per_range.or(file.cards_per_range),
            cap_payment: self.cap_payment.or(file.cap_payment),
            cap_card_day: self.cap_card_day.or(file.cap_card_day),
            cap_merchant_day: self.cap_merchant_day.or(file.cap_merchant_day),
            over_cap: self.over_cap.or(file.over_cap),
            api_rate: self.api_rate.or(file.api_rate),
            api_burst: self.api_burst.or(file.api_burst),
            token_rate: self.token_rate.or(file.token_rate),
            ip_deny: given_or(self.ip_deny, file.ip_deny),
            ip_allow: given_or(self.ip_allow, file.ip_allow),
            trusted_proxies: given_or(self.trusted_proxies, file.trusted_proxies),
            timeout_policy: self.timeout_policy.or(file.timeout_policy),
            accept_partial: self.accept_partial || file.accept_partial,
            network_tokens: self.network_tokens || file.network_tokens,
            webhook_in_flight: self.webhook_in_flight.or(file.webhook_in_flight),
            strict_ssrf: self.strict_ssrf || file.strict_ssrf,
            allow_private: given_or(self.allow_private, file.allow_private),
            allow_public: given_or(self.allow_public, file.allow_public),
            seed: self.seed.or(file.seed),
            clock: self.clock.or(file.clock),
            exit_with_stdin: self.exit_with_stdin || file.exit_with_stdin,
            log_level: self.log_level.or(file.log_level),
            log_json: self.log_json || file.log_json,
            config: self.config,
        })
    }

    /// Where to listen; loopback only.
    pub fn address(&self) -> Result<SocketAddr, SettingsError> {
        let address = self.listen.unwrap_or(LISTEN);
        if address.ip().is_loopback() {
            Ok(address)
        } else {
            Err(SettingsError::NotLoopback(address))
        }
    }

    /// The settings, with keys from their file; `address` is where the gateway listens.
    pub fn settings(&self, address: SocketAddr) -> Result<Settings, SettingsError> {
        let state = self.state.clone().unwrap_or_else(|| PathBuf::from(STATE));
        let keys_path =
            self.keys.clone().unwrap_or_else(|| state.join("keys").join("gateway.json"));
        let keys = kit::secret_file::read(&keys_path)
            .map_err(|error| SettingsError::Keys(error, state.clone()))?;
        let given = |given: &Option<String>, or: &str| {
            given.as_deref().unwrap_or(or).trim_end_matches('/').to_owned()
        };
        let own = format!("http://{address}");
        let mut settings = Settings::in_memory(
            keys,
            &given(&self.processor_url, PROCESSOR_URL),
            &given(&self.public_url, &own),
        );
        if !self.ephemeral {
            settings.database = Location::File(state.join("gateway.db"));
        }
        settings.shop_url = self.shop_url.as_deref().map(|url| url.trim_end_matches('/').into());
        settings.console_url = given(&self.console_url, CONSOLE_URL);
        self.rules(&mut settings)?;
        Ok(settings)
    }

    /// Puts timers, limits and policies into settings.
    pub fn rules(&self, settings: &mut Settings) -> Result<(), SettingsError> {
        settings.timers = self.timers();
        settings.limits = self.limits()?;
        settings.ip_lists = IpLists {
            deny: self.ip_deny.clone(),
            allow: self.ip_allow.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
        };
        settings.timeout_policy = self.timeout_policy.unwrap_or_default();
        settings.accept_partial = self.accept_partial;
        settings.network_tokens = self.network_tokens;
        let in_flight = self.webhook_in_flight.unwrap_or(settings.webhooks.delivery.in_flight_max);
        settings.webhooks.delivery.in_flight_max = in_flight.max(1);
        settings.webhooks.targets = TargetPolicy {
            strict: self.strict_ssrf,
            allow_private: self.allow_private.clone(),
            allow_public: self.allow_public.clone(),
            own_ports: Vec::new(),
        };
        Ok(())
    }

    fn limits(&self) -> Result<Limits, SettingsError> {
        let usual = Limits::of(self.limits.unwrap_or_default());
        let attempts_max = self.attempts_max.unwrap_or(usual.attempts_max);
        let card_attempts = CardAttemptLimits {
            per_address: self.cards_per_address.or(usual.card_attempts.per_address),
            per_range: self.cards_per_range.or(usual.card_attempts.per_range),
        };
        let caps = Caps {
            payment: self.cap_payment.or(usual.caps.payment),
            card_day: self.cap_card_day.or(usual.caps.card_day),
            merchant_day: self.cap_merchant_day.or(usual.caps.merchant_day),
            over: self.over_cap.unwrap_or(usual.caps.over),
        };
        let api = self.api(usual.api)?;
        let token_per_minute = self.token_rate.unwrap_or(usual.token_per_minute);
        let least = [
            ("attempts_max", Some(attempts_max.into())),
            ("cards_per_address", card_attempts.per_address.map(u64::from)),
            ("cards_per_range", card_attempts.per_range.map(u64::from)),
            ("api_rate", api.map(|rate| rate.per_second.into())),
            ("api_burst", api.map(|rate| rate.burst.into())),
            ("token_rate", Some(token_per_minute.into())),
            ("cap_payment", caps.payment),
            ("cap_card_day", caps.card_day),
            ("cap_merchant_day", caps.merchant_day),
        ];
        if let Some((name, _)) = least.into_iter().find(|(_, limit)| *limit == Some(0)) {
            return Err(SettingsError::NoAttempts(name));
        }
        Ok(Limits { attempts_max, card_attempts, caps, api, token_per_minute, ..usual })
    }

    /// A burst alone limits nothing: it belongs to a rate.
    fn api(&self, usual: Option<Rate>) -> Result<Option<Rate>, SettingsError> {
        match (self.api_rate, self.api_burst) {
            (Some(per_second), burst) => {
                let burst = burst.unwrap_or(per_second.saturating_mul(2));
                Ok(Some(Rate { per_second, burst }))
            }
            (None, None) => Ok(usual),
            (None, Some(burst)) => match usual {
                Some(rate) => Ok(Some(Rate { burst, ..rate })),
                None => Err(SettingsError::BurstWithoutRate(burst)),
            },
        }
    }

    fn timers(&self) -> Timers {
        let usual = Timers::default();
        Timers {
            processor_deadline: self.processor_deadline.unwrap_or(usual.processor_deadline),
            checkout_session: self.checkout_session.unwrap_or(usual.checkout_session),
            inquiry_after: self.inquiry_after.unwrap_or(usual.inquiry_after),
            resolve_limit: self.resolve_limit.unwrap_or(usual.resolve_limit),
            reversal_age_max: self.reversal_age_max.unwrap_or(usual.reversal_age_max),
            refund_window: self.refund_window.unwrap_or(usual.refund_window),
            duplicate_window: self.duplicate_window.unwrap_or(usual.duplicate_window),
            idempotency_kept: usual.idempotency_kept,
        }
    }

    /// The clock that these settings ask for.
    pub fn clock(&self) -> Clock {
        match self.clock.unwrap_or(ClockMode::Real) {
            ClockMode::Real => Clock::real(),
            ClockMode::Virtual => Clock::virtual_at(VIRTUAL_BEGIN),
        }
    }
}
