//! Settings of the shop: flags before environment before file before defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use kit::sqlite::Location;
use wire::money::MinorUnits;

use crate::keys::Keys;

/// Where the gateway is unless told otherwise.
pub const GATEWAY_URL: &str = "http://127.0.0.1:7072";
/// Where everything is kept unless told otherwise.
pub const STATE: &str = "./.payrig";
/// Seed of ids and jitter unless told otherwise.
pub const SEED: u64 = 42;
/// Largest sum that one person refunds on an order, in minor units.
pub const REFUND_ALONE_MAX: i64 = 50_000;
/// How long one call to the gateway may take, with its repeats (T_merchant).
pub const GATEWAY_DEADLINE: Duration = Duration::from_secs(30);
/// How long a login to the back office lasts.
pub const SESSION_LIVES: Duration = Duration::from_hours(12);
/// How long notifications are remembered; longer than the gateway repeats them.
pub const INBOX_LIVES: Duration = Duration::from_hours(30 * 24);

/// Everything the shop needs to start; plain data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database lies.
    pub database: Location,
    /// Secrets and people.
    pub keys: Keys,
    /// Base address of the gateway, for calls and for customers.
    pub gateway_url: String,
    /// Base address under which customers reach the shop; from the listener when missing.
    pub public_url: Option<String>,
    /// Largest sum that one person refunds on an order; above it a second person approves.
    pub refund_alone_max: MinorUnits,
    /// How long one call to the gateway may take, with its repeats.
    pub gateway_deadline: Duration,
    /// How long a login to the back office lasts.
    pub session_lives: Duration,
    /// How long notifications are remembered.
    pub inbox_lives: Duration,
}

impl Settings {
    /// Settings of a shop in memory.
    pub fn in_memory(keys: Keys, gateway_url: &str) -> Self {
        Self {
            database: Location::Memory,
            keys,
            gateway_url: gateway_url.to_owned(),
            public_url: None,
            refund_alone_max: MinorUnits::new(REFUND_ALONE_MAX).unwrap_or(MinorUnits::ZERO),
            gateway_deadline: GATEWAY_DEADLINE,
            session_lives: SESSION_LIVES,
            inbox_lives: INBOX_LIVES,
        }
    }
}

/// Settings of the shop. Flags win over environment variables, these over the file, and the file
/// over the defaults.
///
/// The shop's own API, beside its pages (JSON; errors are problem details):
///
/// POST /api/orders {"sku":"tea-42","quantity":1} or {"items":[{"sku":…,"quantity":…}]} places an
/// order and answers {"id","status","amount","checkout_url","order_key"}; an Idempotency-Key makes
/// it once. GET /api/orders/{id}, POST /api/orders/{id}/payments (pay again) and /cancel need the
/// order's key (Authorization: Bearer ok_…), the cookie that ordered, a login to the back office,
/// or the Sandbox-Key. POST /api/orders/{id}/refunds {"amount"?,"reason"} needs a login to the
/// back office or the Sandbox-Key.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Address to listen on, loopback only [default: 127.0.0.1:7071]
    #[arg(long, env = "PAYRIG_MERCHANT_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Directory of the database and the keys [default: ./.payrig]
    #[arg(long, env = "PAYRIG_MERCHANT_STATE", value_name = "DIRECTORY")]
    pub state: Option<PathBuf>,
    /// Keep the database in memory: everything is gone at the end
    #[arg(long, env = "PAYRIG_MERCHANT_EPHEMERAL")]
    pub ephemeral: bool,
    /// Keys file, mode 0600 [default: STATE/keys/merchant.json]
    #[arg(long, env = "PAYRIG_MERCHANT_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Base address of the gateway [default: http://127.0.0.1:7072]
    #[arg(long, env = "PAYRIG_MERCHANT_GATEWAY_URL", value_name = "URL")]
    pub gateway_url: Option<String>,
    /// Base address under which customers reach the shop [default: http://LISTEN]
    #[arg(long, env = "PAYRIG_MERCHANT_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Largest sum, in minor units, that one person may refund on an order; above it a second
    /// person has to approve [default: 50000]
    #[arg(long, env = "PAYRIG_MERCHANT_REFUND_ALONE_MAX", value_name = "MINOR_UNITS",
          value_parser = minor_units)]
    pub refund_alone_max: Option<MinorUnits>,
    /// How long one call to the gateway may take, with its repeats [default: 30s]
    #[arg(long, env = "PAYRIG_MERCHANT_GATEWAY_DEADLINE", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub gateway_deadline: Option<Duration>,
    /// How long a login to the back office lasts [default: 12h]
    #[arg(long, env = "PAYRIG_MERCHANT_SESSION_LIVES", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub session_lives: Option<Duration>,
    /// How long notifications are remembered [default: 30d]
    #[arg(long, env = "PAYRIG_MERCHANT_INBOX_LIVES", value_name = "DURATION",
          value_parser = kit::settings::duration)]
    pub inbox_lives: Option<Duration>,
    /// Seed of ids and jitter [default: 42]
    #[arg(long, env = "PAYRIG_MERCHANT_SEED", value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Time that runs, or time that moves only by command [default: real]
    #[arg(long, env = "PAYRIG_MERCHANT_CLOCK", value_name = "MODE")]
    pub clock: Option<ClockMode>,
    /// End when standard input is closed: nothing is left behind when the parent dies
    #[arg(long, env = "PAYRIG_MERCHANT_EXIT_WITH_STDIN")]
    pub exit_with_stdin: bool,
    /// error, warn, info, debug, trace, or filters by module [default: info]
    #[arg(long, env = "PAYRIG_MERCHANT_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Write the log as JSON
    #[arg(long, env = "PAYRIG_MERCHANT_LOG_JSON")]
    pub log_json: bool,
    /// TOML file with these settings, named like the flags
    #[arg(long, env = "PAYRIG_MERCHANT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ClockMode {
    /// Runs; may be moved forward.
    Real,
    /// Stands until it is moved.
    Virtual,
}

/// The shop of the Payrig sandbox: storefront, checkout, orders, webhook receiver, back office.
#[derive(Debug, Parser)]
#[command(name = "merchant", version)]
pub struct CommandLine {
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
}

fn minor_units(text: &str) -> Result<MinorUnits, String> {
    let value: i64 = text.parse().map_err(|_| "expected a whole number".to_owned())?;
    MinorUnits::new(value).map_err(|error| error.to_string())
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
    /// Only this machine may reach the shop.
    #[error("listen = {0}: expected a loopback address such as 127.0.0.1:7071")]
    NotLoopback(SocketAddr),
    /// No web address.
    #[error("{name} = {value}: expected an address such as http://127.0.0.1:7072")]
    Url {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

impl Flags {
    /// Fills what was not given from the settings file.
    pub fn with_file(self) -> Result<Self, SettingsError> {
        let Some(path) = self.config.clone() else { return Ok(self) };
        let read: CommandLine = kit::settings::load(["merchant".into()], Some(&path))?;
        let file = read.flags;
        Ok(Self {
            listen: self.listen.or(file.listen),
            state: self.state.or(file.state),
            ephemeral: self.ephemeral || file.ephemeral,
            keys: self.keys.or(file.keys),
            gateway_url: self.gateway_url.or(file.gateway_url),
            public_url: self.public_url.or(file.public_url),
            refund_alone_max: self.refund_alone_max.or(file.refund_alone_max),
            gateway_deadline: self.gateway_deadline.or(file.gateway_deadline),
            session_lives: self.session_lives.or(file.session_lives),
            inbox_lives: self.inbox_lives.or(file.inbox_lives),
            seed: self.seed.or(file.seed),
            clock: self.clock.or(file.clock),
            exit_with_stdin: self.exit_with_stdin || file.exit_with_stdin,
            log_level: self.log_level.or(file.log_level),
            log_json: self.log_json || file.log_json,
            config: Some(path),
        })
    }

    /// The address to listen on.
    pub fn listen_address(&self) -> Result<SocketAddr, SettingsError> {
        let fixed = || SocketAddr::from(([127, 0, 0, 1], 7071));
        let address = self.listen.unwrap_or_else(fixed);
        if address.ip().is_loopback() {
            Ok(address)
        } else {
            Err(SettingsError::NotLoopback(address))
        }
    }

    /// The state directory.
    pub fn state_directory(&self) -> &Path {
        self.state.as_deref().unwrap_or(Path::new(STATE))
    }

    /// Reads the keys file and checks the rest.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let state = self.state_directory();
        let file = self.keys.clone().unwrap_or_else(|| state.join("keys/merchant.json"));
        let keys = kit::secret_file::read(&file)
            .map_err(|error| SettingsError::Keys(error, state.to_owned()))?;
        let database = if self.ephemeral {
            Location::Memory
        } else {
            Location::File(state.join("merchant.db"))
        };
        let gateway_url = self.gateway_url.clone().unwrap_or_else(|| GATEWAY_URL.to_owned());
        let defaults = Settings::in_memory(keys, &base_url("gateway_url", gateway_url)?);
        let public_url = self.public_url.clone();
        let mut settings = Settings {
            database,
            public_url: public_url.map(|url| base_url("public_url", url)).transpose()?,
            ..defaults
        };
        self.rules(&mut settings);
        Ok(settings)
    }

    /// Puts limits and deadlines into settings.
    pub fn rules(&self, settings: &mut Settings) {
        let given = self;
        settings.refund_alone_max = given.refund_alone_max.unwrap_or(settings.refund_alone_max);
        settings.gateway_deadline = given.gateway_deadline.unwrap_or(settings.gateway_deadline);
        settings.session_lives = given.session_lives.unwrap_or(settings.session_lives);
        settings.inbox_lives = given.inbox_lives.unwrap_or(settings.inbox_lives);
    }
}

/// Scheme, host and port, without a slash at the end.
fn base_url(name: &'static str, value: String) -> Result<String, SettingsError> {
    let trimmed = value.trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '@', '?', '#', '\\', ' ']) => {
            Ok(trimmed.to_owned())
        }
        Some(_) | None => Err(SettingsError::Url { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_is_refused_by_name() {
        let flags = Flags { listen: Some(([0, 0, 0, 0], 7071).into()), ..Flags::default() };
        let refused = flags.listen_address().unwrap_err().to_string();
        assert_eq!(
            refused,
            "listen = 0.0.0.0:7071: expected a loopback address such as 127.0.0.1:7071"
        );
        for url in ["127.0.0.1:7072", "ftp://x", "http://", "http://a/b", "http://user@host"] {
            assert!(base_url("gateway_url", url.to_owned()).is_err(), "{url}");
        }
        assert_eq!(base_url("gateway_url", "http://a:1/".to_owned()).unwrap(), "http://a:1");
    }

    #[test]
    fn a_missing_keys_file_says_what_to_do() {
        let flags = Flags { state: Some("/nowhere/payrig".into()), ..Flags::default() };
        let refused = flags.settings().unwrap_err().to_string();
        assert_eq!(
            refused,
            "/nowhere/payrig/keys/merchant.json does not exist; \
             help: run `payrig keys --state /nowhere/payrig`"
        );
    }

    #[test]
    fn every_flag_can_stand_in_the_file_and_flags_win() {
        let path = std::env::temp_dir().join(format!("merchant-{}.toml", std::process::id()));
        std::fs::write(&path, "listen = \"127.0.0.1:9001\"\nseed = 7\nrefund_alone_max = 100\n")
            .unwrap();
        let flags = Flags { seed: Some(8), config: Some(path.clone()), ..Flags::default() };
        let merged = flags.with_file().unwrap();
        assert_eq!((merged.listen, merged.seed), (Some(([127, 0, 0, 1], 9001).into()), Some(8)));
        assert_eq!(merged.refund_alone_max.map(MinorUnits::get), Some(100));
        std::fs::remove_file(path).unwrap();
    }
}
