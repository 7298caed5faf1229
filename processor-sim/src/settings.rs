//! Settings of the processor: flags, environment, file, defaults, and the keys file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kit::settings::{SettingsError, duration};
use kit::sqlite::Location;
use serde::{Deserialize, Serialize};

use crate::domain::timers::{NotNested, Timers};

/// Everything the processor needs to start; plain data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database lies.
    pub database: Location,
    /// Secrets.
    pub keys: Keys,
    /// Network deadlines.
    pub timers: Timers,
    /// Base address of the gateway that is told of clearing, settlement and disputes.
    pub gateway_url: Option<String>,
    /// Whether every 3-D Secure challenge is approved without a person.
    pub acs_approves: bool,
}

impl Settings {
    /// Settings of a world in memory.
    pub fn in_memory(keys: Keys) -> Self {
        Self {
            database: Location::Memory,
            keys,
            timers: Timers::default(),
            gateway_url: None,
            acs_approves: false,
        }
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

/// Secrets of the processor (`keys/processor-sim.json`, mode 0600).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Key of the control plane.
    pub sandbox_key: SecretText,
    /// How the gateway signs its messages.
    pub gateway: SigningKeyText,
    /// How the roles inside this program sign theirs, one key per hop.
    pub hops: HopKeys,
    /// Base64 of 32 bytes: keyed digests of card numbers where the number must not stand.
    pub pan_key: SecretText,
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

/// Base64 of 32 bytes for each hop inside the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopKeys {
    /// Authorizations and reversals after routing.
    #[serde(rename = "processor->network")]
    pub processor_to_network: SecretText,
    /// The same, to the bank.
    #[serde(rename = "network->issuer")]
    pub network_to_issuer: SecretText,
    /// Sign-on and late answers.
    #[serde(rename = "issuer->network")]
    pub issuer_to_network: SecretText,
    /// Sign-on.
    #[serde(rename = "network->processor")]
    pub network_to_processor: SecretText,
}

/// Every flag can also be given as an environment variable or in a settings file; flags win over
/// the environment, the environment over the file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Where to listen; loopback only [default: 127.0.0.1:7073]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Base address of the gateway that is told of settlements and disputes
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_GATEWAY_URL", value_name = "URL")]
    pub gateway_url: Option<String>,
    /// Answer 3-D Secure challenges without a person [default: off]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_ACS_AUTO", value_name = "ANSWER")]
    pub acs_auto: Option<AcsAuto>,
    /// State directory: database and keys [default: ./.payrig]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Keep everything in memory and forget it at the end
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_EPHEMERAL")]
    pub ephemeral: bool,
    /// File with the keys [default: STATE/keys/processor-sim.json]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Seed of everything that is left to chance [default: 42]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_SEED", value_name = "N")]
    pub seed: Option<u64>,
    /// Whether time runs or stands until it is moved [default: real]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_CLOCK", value_name = "MODE")]
    pub clock: Option<ClockMode>,
    /// How long an issuer may take [default: 5s]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_ISSUER_DEADLINE", value_parser = duration)]
    pub issuer_deadline: Option<Duration>,
    /// How long a network waits for an issuer before it stands in [default: 7s]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_NETWORK_DEADLINE", value_parser = duration)]
    pub network_deadline: Option<Duration>,
    /// How long the processor waits for a network [default: 12s]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_PROCESSOR_DEADLINE", value_parser = duration)]
    pub processor_deadline: Option<Duration>,
    /// How long the gateway waits for the processor [default: 20s]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_GATEWAY_DEADLINE", value_parser = duration)]
    pub gateway_deadline: Option<Duration>,
    /// End when standard input is closed: no orphan is left when the parent dies
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_EXIT_WITH_STDIN")]
    pub exit_with_stdin: bool,
    /// What is logged: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Write the log as JSON
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_LOG_JSON")]
    pub log_json: bool,
    /// TOML file with these settings, named like the flags
    #[arg(long, env = "PAYRIG_PROCESSOR_SIM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Processor, card networks and issuing banks.
#[derive(Debug, clap::Parser)]
#[command(name = "processor-sim", version, about)]
pub struct CommandLine {
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// How challenges are answered without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AcsAuto {
    /// Not at all.
    Off,
    /// Each is approved.
    Approve,
}

/// Whether time runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ClockMode {
    /// Time runs and may be moved forward.
    Real,
    /// Time stands until it is moved.
    Virtual,
}

/// A settings file, an address or deadlines that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    /// The settings file.
    #[error(transparent)]
    File(#[from] SettingsError),
    /// An address that others could reach.
    #[error("listen is {0}: expected an address of this machine, such as 127.0.0.1:7073")]
    NotLoopback(SocketAddr),
    /// Deadlines that do not nest.
    #[error(transparent)]
    Timers(#[from] NotNested),
}

impl Flags {
    /// Fills what was not given from the settings file.
    pub fn with_file(self) -> Result<Self, FlagsError> {
        let Some(path) = self.config.clone() else { return Ok(self) };
        let read: CommandLine = kit::settings::load(["processor-sim".into()], Some(&path))?;
        let file = read.flags;
        Ok(Self {
            listen: self.listen.or(file.listen),
            gateway_url: self.gateway_url.or(file.gateway_url),
            acs_auto: self.acs_auto.or(file.acs_auto),
            state: self.state.or(file.state),
            ephemeral: self.ephemeral || file.ephemeral,
            keys: self.keys.or(file.keys),
            seed: self.seed.or(file.seed),
            clock: self.clock.or(file.clock),
            issuer_deadline: self.issuer_deadline.or(file.issuer_deadline),
            network_deadline: self.network_deadline.or(file.network_deadline),
            processor_deadline: self.processor_deadline.or(file.processor_deadline),
            gateway_deadline: self.gateway_deadline.or(file.gateway_deadline),
            exit_with_stdin: self.exit_with_stdin || file.exit_with_stdin,
            log_level: self.log_level.or(file.log_level),
            log_json: self.log_json || file.log_json,
            config: Some(path),
        })
    }

    /// Where to listen.
    pub fn listen_address(&self) -> Result<SocketAddr, FlagsError> {
        let address = self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 7073)));
        if address.ip().is_loopback() { Ok(address) } else { Err(FlagsError::NotLoopback(address)) }
    }

    /// The deadlines, where flags say other than the defaults.
    pub fn timers(&self) -> Result<Timers, FlagsError> {
        let default = Timers::default();
        let timers = Timers {
            issuer: self.issuer_deadline.unwrap_or(default.issuer),
            network: self.network_deadline.unwrap_or(default.network),
            processor: self.processor_deadline.unwrap_or(default.processor),
            gateway: self.gateway_deadline.unwrap_or(default.gateway),
        };
        timers.check()?;
        Ok(timers)
    }

    /// The state directory.
    pub fn state_directory(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| PathBuf::from(".payrig"))
    }

    /// The file with the keys.
    pub fn keys_file(&self) -> PathBuf {
        let default = || self.state_directory().join("keys").join("processor-sim.json");
        self.keys.clone().unwrap_or_else(default)
    }

    /// Where the database lies.
    pub fn database(&self) -> Location {
        if self.ephemeral {
            Location::Memory
        } else {
            Location::File(self.state_directory().join("processor-sim.db"))
        }
    }
}
