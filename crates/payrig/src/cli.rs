//! The command line: what can be asked, and how a wrong question is answered.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use gateway::settings::LimitProfile;

use crate::failure::Failure;
use crate::terminal::ColorChoice;

/// Port of the console unless said otherwise; the three programs take the next ones.
pub const PORT_BASE_DEFAULT: u16 = 7070;

const OVERVIEW: &str = "\
A complete card-payment world on your laptop

Usage: payrig [COMMAND] [OPTIONS]

Run
  up          Start shop, gateway, processor and console (this is what plain `payrig` does)
  serve       Run one program alone
  keys        Make the keys of a state directory
  world       Start, list and end further worlds beside a running `payrig up`

Connect
  env         What another program needs to connect
  call        One signed, authorized call of the gateway's API
  client      Register, list and remove API clients
  cards       The test cards and what each does

Look
  trace       The ladder of one payment: every message, signature and state
  invariants  Check the books of all programs

Break
  fault       Lose, delay, repeat and damage messages
  clock       Show the clock, or move it forward in all programs

Prove
  run         Play scenarios: files that break a payment world and say what must be true
  replay      Repeat a run that was written down, and find the first difference
  trigger     Play a situation into the running sandbox and leave it there
  list        The scenarios there are, with their tags
  record      Turn what was done by hand into a scenario
  check       Look for mistakes in scenario files, without starting anything
  schema      The JSON Schema of scenario files, for editors

Measure
  bench       Payments per second, latency, memory and start-up of a world of its own

Options
  --color <WHEN>  auto, always or never [default: auto]
  -h, --help      Print help; `payrig COMMAND --help` explains a command
  -V, --version   Print version

Examples
  payrig up --open
  payrig call POST /payments '{\"amount\":{\"value\":4999,\"currency\":\"EUR\"},\"order_reference\":\"a-1\"}'
";

/// A complete card-payment world on your laptop.
#[derive(Debug, Parser)]
#[command(name = "payrig", bin_name = "payrig", version, override_help = OVERVIEW)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// When to use colour.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t, hide = true)]
    pub color: ColorChoice,
}

/// What `payrig` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start shop, gateway, processor and console
    #[command(
        after_help = "Examples:\n  payrig up --open\n  payrig up --ephemeral --port-base 8070"
    )]
    Up(Box<UpFlags>),
    /// What another program needs to connect
    #[command(after_help = "Examples:\n  eval \"$(payrig env)\"\n  payrig env --json | jq .api")]
    Env(EnvFlags),
    /// One signed, authorized call of the gateway's API
    #[command(after_help = "Examples:\n  payrig call GET /payments\n  \
        payrig call POST /payments/pay_…/refunds '{\"amount\":500}' --as shop")]
    Call(CallFlags),
    /// The test cards and what each does
    #[command(after_help = "Examples:\n  payrig cards insufficient\n  payrig cards --json")]
    Cards(CardsFlags),
    /// The ladder of one payment: every message, signature and state
    #[command(after_help = "Examples:\n  payrig trace pay_…\n  payrig trace pay_… --signatures")]
    Trace(TraceFlags),
    /// Show the clock, or move it forward in all programs
    #[command(after_help = "Examples:\n  payrig clock advance 31s\n  payrig clock until-idle")]
    Clock(ClockFlags),
    /// Lose, delay, repeat and damage messages
    #[command(after_help = "Examples:\n  \
        payrig fault add 'gateway->processor' drop_response --type authorization\n  \
        payrig fault clear")]
    Fault(FaultFlags),
    /// Check the books of all programs
    #[command(after_help = "Examples:\n  payrig invariants\n  payrig invariants --json")]
    Invariants(InvariantsFlags),
    /// Register, list and remove API clients
    #[command(after_help = "Examples:\n  \
        payrig client add --name my-shop --return-origin http://localhost:3000\n  \
        payrig client list")]
    Client(ClientFlags),
    /// Start, list and end further worlds beside a running `payrig up`
    #[command(after_help = "Examples:\n  payrig world new --ttl 10m | jq -r .api\n  \
        payrig world rm w_…\n\nEach world has its own ports, keys, clock, faults, cards and \
        ledgers, and lives in memory.")]
    World(WorldFlags),
    /// Play scenarios, each case in a world of its own
    #[command(after_help = "Examples:\n  \
        payrig run scenarios/timeouts --jobs 2 --report junit=target/scenario/junit.xml\n  \
        payrig run scenarios --merchant payrig.merchant.yaml\n\n\
        Exit: 0 all passed or skipped, 1 wrong command line, 2 a file is wrong, 3 a world could not run, \
        4 an expectation failed")]
    Run(RunFlags),
    /// Turn what was done by hand into a scenario
    #[command(after_help = "Examples:\n  payrig record --from-payment pay_…\n  \
        payrig record --from-payment pay_… --out mine.scenario.yaml")]
    Record(RecordFlags),
    /// Repeat a run that `payrig run --capsule` wrote down, and find the first difference
    #[command(after_help = "Examples:\n  payrig run scenarios/races --capsule run.capsule\n  \
        payrig replay run.capsule")]
    Replay(ReplayFlags),
    /// Play a situation into the running sandbox and leave it there
    #[command(after_help = "Examples:\n  payrig trigger answer-lost-and-reversed\n  \
        payrig trigger wording --case \"stolen\"\n\n`payrig list` shows the names.")]
    Trigger(TriggerFlags),
    /// The scenarios there are, with their tags
    #[command(after_help = "Examples:\n  payrig list --tag reversal\n  payrig list --json")]
    List(ListFlags),
    /// Look for mistakes in scenario files, without starting anything
    #[command(after_help = "Examples:\n  payrig check\n  payrig check my.scenario.yaml")]
    Check(CheckFlags),
    /// The JSON Schema of scenario files, for editors
    #[command(after_help = "Examples:\n  payrig schema > scenario.schema.json\n  \
        payrig schema --merchant > merchant.schema.json")]
    Schema(SchemaFlags),
    /// Payments per second, latency, memory and start-up of a world of its own
    #[command(after_help = "Examples:\n  payrig bench --connections 64 --seconds 10\n  \
        payrig bench --connections 1 --seconds 5 --json")]
    Bench(BenchFlags),
    /// Run one program alone
    Serve(Box<ServeFlags>),
    /// Make the keys of a state directory
    #[command(after_help = "Examples:\n  payrig keys\n  payrig keys --state /tmp/world")]
    Keys(KeysFlags),
}

/// Where the world keeps its keys, databases and addresses.
#[derive(Debug, Clone, Args)]
pub struct StateFlag {
    /// State directory of the world
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".payrig",
        env = "PAYRIG_STATE"
    )]
    pub state: PathBuf,
}

/// Which clock the programs run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockMode {
    /// Runs, and may be moved forward.
    Real,
    /// Stands until it is moved.
    Virtual,
}

impl ClockMode {
    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Virtual => "virtual",
        }
    }
}

/// `payrig up`
#[derive(Debug, Clone, Args)]
pub struct UpFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// Keep databases in memory: nothing but the keys outlives the run
    #[arg(long)]
    pub ephemeral: bool,
    /// Port of the console; shop, gateway and processor take the next three
    #[arg(long, value_name = "PORT", default_value_t = PORT_BASE_DEFAULT,
        value_parser = clap::value_parser!(u16).range(1..=65_532))]
    pub port_base: u16,
    /// Seed of everything that is left to chance
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Clock of the programs: real runs, virtual stands until it is moved
    #[arg(long, value_enum, value_name = "CLOCK", default_value_t = ClockMode::Real)]
    pub clock: ClockMode,
    /// Limits of the gateway: those of a sandbox, or as a careful gateway has them
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub limits: Option<LimitProfile>,
    /// Open the shop and the console in the browser
    #[arg(long)]
    pub open: bool,
    /// Faults to arm once the world is up: a JSON list as `payrig fault list --json` prints it
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Write each program's log to a file of its own in this directory
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
    /// Which log lines to show: error, warn, info, debug, trace, or a filter per module
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log_level: String,
    /// Print what `payrig env --json` prints, on one line, once the world is up
    #[arg(long)]
    pub json: bool,
}

/// `payrig env`
#[derive(Debug, Clone, Args)]
pub struct EnvFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// The same as JSON, with both demo clients
    #[arg(long)]
    pub json: bool,
}

/// `payrig call`
#[derive(Debug, Clone, Args)]
pub struct CallFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// GET, POST or DELETE
    pub method: String,
    /// Path below /api, with its query: /payments?limit=5
    pub path: String,
    /// Body; `-` reads it from standard input
    pub json: Option<String>,
    /// API client to call as
    #[arg(long = "as", value_name = "CLIENT", default_value = "playground")]
    pub client: String,
    /// Show the call as a curl command, valid for five minutes, instead of making it
    #[arg(long)]
    pub print_curl: bool,
    /// Key that makes a repeated call harmless; a random one when absent
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// `payrig cards`
#[derive(Debug, Clone, Args)]
pub struct CardsFlags {
    /// Only cards with these words in alias, number, brand or outcome
    pub words: Vec<String>,
    /// The same as JSON
    #[arg(long)]
    pub json: bool,
}

/// `payrig trace`
#[derive(Debug, Clone, Args)]
pub struct TraceFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// A payment (pay_…), an order reference or a trace id
    pub id: String,
    /// The same as JSON
    #[arg(long)]
    pub json: bool,
    /// Show the bytes that were signed
    #[arg(long)]
    pub signatures: bool,
}

/// `payrig clock`
#[derive(Debug, Clone, Args)]
pub struct ClockFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// How to move it; the time is shown when absent
    #[command(subcommand)]
    pub step: Option<ClockStep>,
    /// The same as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// How the clock is moved.
#[derive(Debug, Clone, Subcommand)]
pub enum ClockStep {
    /// Move forward, stopping at every timer on the way until its work is done
    Advance {
        /// How far: 500ms, 31s, 5m, 2h or 3d
        duration: String,
    },
    /// Move from timer to timer until no work is left
    UntilIdle,
}

/// `payrig fault`
#[derive(Debug, Clone, Args)]
pub struct FaultFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// What to do; the armed faults are listed when absent
    #[command(subcommand)]
    pub action: Option<FaultAction>,
    /// The same as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is done about faults.
#[derive(Debug, Clone, Subcommand)]
pub enum FaultAction {
    /// List the armed faults and how often each was hit
    List,
    /// Arm a fault
    Add(Box<FaultAdd>),
    /// Disarm one fault, or all
    Clear {
        /// Its id
        id: Option<String>,
    },
}

/// `payrig fault add`
#[derive(Debug, Clone, Args)]
pub struct FaultAdd {
    /// Link, such as gateway->processor, or a whole fault as JSON
    pub on: String,
    /// drop_request, drop_response, delay_request:45s, duplicate:2, status:503, reset:response …
    #[arg(value_name = "DO")]
    pub action: Option<String>,
    /// Only messages of this type: authorization, capture, webhook, api …
    #[arg(long = "type", value_name = "TYPE")]
    pub message_type: Option<String>,
    /// Only messages of this payment
    #[arg(long, value_name = "ID")]
    pub payment: Option<String>,
    /// Only messages of this order
    #[arg(long, value_name = "REFERENCE")]
    pub order: Option<String>,
    /// Only messages of this test card
    #[arg(long, value_name = "ALIAS")]
    pub card: Option<String>,
    /// Only this event type
    #[arg(long, value_name = "TYPE")]
    pub event: Option<String>,
    /// Only this path
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// How often; for ever when absent
    #[arg(long, value_name = "N")]
    pub times: Option<u32>,
    /// Let the first ones pass
    #[arg(long, value_name = "N")]
    pub skip: Option<u32>,
    /// Chance per message, from 0 to 1
    #[arg(long, value_name = "P")]
    pub probability: Option<f64>,
}

/// `payrig invariants`
#[derive(Debug, Clone, Args)]
pub struct InvariantsFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// The same as JSON
    #[arg(long)]
    pub json: bool,
}

/// `payrig client`
#[derive(Debug, Clone, Args)]
pub struct ClientFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// What to do
    #[command(subcommand)]
    pub action: ClientAction,
    /// The same as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is done about API clients.
#[derive(Debug, Clone, Subcommand)]
pub enum ClientAction {
    /// Register a client and print its environment
    Add(ClientAdd),
    /// List the clients
    List,
    /// Remove a client; its credentials end at once
    Remove {
        /// Its name
        name: String,
    },
}

/// `payrig client add`
#[derive(Debug, Clone, Args)]
pub struct ClientAdd {
    /// Name of the client
    #[arg(long)]
    pub name: String,
    /// Origin that return and cancel addresses must lie under; may be repeated
    #[arg(long = "return-origin", value_name = "ORIGIN")]
    pub return_origins: Vec<String>,
    /// Where to send its events
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// Whether its calls must be signed: required or optional
    #[arg(long, value_name = "RULE", default_value = "required",
        value_parser = ["required", "optional"])]
    pub signatures: String,
}

/// `payrig world`
#[derive(Debug, Clone, Args)]
pub struct WorldFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// What to do; the worlds are listed when absent
    #[command(subcommand)]
    pub action: Option<WorldAction>,
    /// The same as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is done about further worlds.
#[derive(Debug, Clone, Subcommand)]
pub enum WorldAction {
    /// Start a world and print what `payrig env --json` prints
    New(WorldNew),
    /// List the worlds
    Ls,
    /// End a world
    Rm {
        /// Its id
        id: String,
    },
}

/// `payrig world new`
#[derive(Debug, Clone, Args)]
pub struct WorldNew {
    /// How long it lives unless it is ended before: 30s, 10m, 2h [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub ttl: Option<String>,
    /// Seed of everything that is left to chance [default: 42]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Clock of its programs: virtual stands until it is moved [default: real]
    #[arg(long, value_enum, value_name = "CLOCK")]
    pub clock: Option<ClockMode>,
    /// A setting such as gateway.processor_deadline=5s; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

/// `payrig bench`
#[derive(Debug, Clone, Args)]
pub struct BenchFlags {
    /// Payments in flight at a time, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub connections: u32,
    /// How long to measure
    #[arg(long, value_name = "S", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,
    /// Create and confirm in two calls instead of one
    #[arg(long)]
    pub two_step: bool,
    /// The events that the shop is told of: types with commas between them, or `*`
    #[arg(long, value_name = "TYPES", value_delimiter = ',', default_value = "payment.captured")]
    pub events: Vec<String>,
    /// Where to put the four ports; free ones are looked for when absent
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65_532))]
    pub port_base: Option<u16>,
    /// The same as JSON
    #[arg(long)]
    pub json: bool,
    /// Keep the state directory for a look at the databases
    #[arg(long)]
    pub keep: bool,
}

/// `payrig run`
#[derive(Debug, Clone, Args)]
pub struct RunFlags {
    /// Scenario files and directories
    #[arg(default_value = "scenarios")]
    pub paths: Vec<PathBuf>,
    /// Only scenarios with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Only the case with this name
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Seed of everything that is left to chance, instead of the seeds in the files
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Cases that are played at a time
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub jobs: usize,
    /// Stop before the step with this number, id or name
    #[arg(long, value_name = "STEP")]
    pub until: Option<String>,
    /// Play each case so often, each time with the next seed
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::builder::RangedU64ValueParser::<u64>::new().range(1..=10_000))]
    pub repeat: u64,
    /// Leave the world of the first failure running, print its addresses and wait for Ctrl-C
    #[arg(long)]
    pub hold: bool,
    /// Run the programs as processes of their own, as scenarios with `process` always do
    #[arg(long)]
    pub processes: bool,
    /// Play into a world that runs: the state directory of `payrig up`, the address of its console,
    /// or of one of its further worlds (CONSOLE/worlds/ID)
    #[arg(long, value_name = "DIR|URL", conflicts_with_all = ["processes", "jobs"])]
    pub attach: Option<Place>,
    /// Key of the sandbox, where a world is named by an address: `sandbox_key` of `payrig env --json`
    #[arg(long, value_name = "KEY", env = "PAYRIG_SANDBOX_KEY", hide_env_values = true)]
    pub sandbox_key: Option<String>,
    /// Play against your own merchant, which runs already: a merchant file, or an address that takes
    /// the place of `url` in ./payrig.merchant.yaml. What needs our own shop is skipped, and why is
    /// said
    #[arg(long, value_name = "URL|FILE", conflicts_with_all = ["attach", "processes", "capsule"])]
    pub merchant: Option<String>,
    /// Write down everything needed to repeat the run: `payrig replay FILE`
    #[arg(long, value_name = "FILE")]
    pub capsule: Option<PathBuf>,
    /// Begin no further case after one has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// Write a report: junit=FILE, tap=FILE, jsonl=FILE or html=FILE; may be repeated
    #[arg(long, value_name = "KIND=FILE", value_delimiter = ',')]
    pub report: Vec<ReportFlag>,
    /// Show only what failed
    #[arg(long)]
    pub quiet: bool,
    /// Every event as one line of JSON, as it happens
    #[arg(long)]
    pub json: bool,
}

/// Where a running world is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// By its state directory.
    Directory(PathBuf),
    /// By an address of its console.
    Console(String),
}

impl std::str::FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address = text.starts_with("http://") || text.starts_with("https://");
        Ok(if is_address { Self::Console(text.to_owned()) } else { Self::Directory(text.into()) })
    }
}

/// `payrig schema`
#[derive(Debug, Clone, Args)]
pub struct SchemaFlags {
    /// Of the file about your own merchant, for `payrig run --merchant`
    #[arg(long)]
    pub merchant: bool,
}

/// A report to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFlag {
    /// junit, tap, jsonl or html.
    pub kind: String,
    /// Where.
    pub path: PathBuf,
}

impl std::str::FromStr for ReportFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((kind @ ("junit" | "tap" | "jsonl" | "html"), path)) if !path.is_empty() => {
                Ok(Self { kind: kind.to_owned(), path: path.into() })
            }
            _ => Err("expected junit=FILE, tap=FILE, jsonl=FILE or html=FILE".to_owned()),
        }
    }
}

/// `payrig record`
#[derive(Debug, Clone, Args)]
pub struct RecordFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// A payment (pay_…) or an order; all payments of its order are recorded
    #[arg(long, value_name = "ID")]
    pub from_payment: String,
    /// Where to write the scenario; standard output when absent
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write it without playing it once
    #[arg(long)]
    pub unproven: bool,
}

/// `payrig replay`
#[derive(Debug, Clone, Args)]
pub struct ReplayFlags {
    /// A file that `payrig run --capsule` wrote
    pub capsule: PathBuf,
}

/// `payrig trigger`
#[derive(Debug, Clone, Args)]
pub struct TriggerFlags {
    #[command(flatten)]
    pub state: StateFlag,
    /// The name of a scenario: its file without directory and ending
    pub name: String,
    /// Only the case with this name
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Where scenarios are looked for
    #[arg(long, value_name = "DIR", default_value = "scenarios")]
    pub from: PathBuf,
}

/// `payrig list`
#[derive(Debug, Clone, Args)]
pub struct ListFlags {
    /// Scenario files and directories
    #[arg(default_value = "scenarios")]
    pub paths: Vec<PathBuf>,
    /// Only scenarios with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// The same as JSON
    #[arg(long)]
    pub json: bool,
}

/// `payrig check`
#[derive(Debug, Clone, Args)]
pub struct CheckFlags {
    /// Scenario files and directories
    #[arg(default_value = "scenarios")]
    pub paths: Vec<PathBuf>,
}

/// `payrig keys`
#[derive(Debug, Clone, Args)]
pub struct KeysFlags {
    #[command(flatten)]
    pub state: StateFlag,
}

/// `payrig serve`
#[derive(Debug, Args)]
pub struct ServeFlags {
    /// Which program
    #[command(subcommand)]
    pub program: ServeProgram,
}

/// The programs that can run alone, each with its own settings.
#[derive(Debug, Subcommand)]
pub enum ServeProgram {
    /// The payment gateway: API, hosted card form, vault, webhooks, dashboard
    Gateway(Box<gateway::Flags>),
    /// The shop: storefront, orders, webhook receiver, back office
    Merchant(Box<merchant::Flags>),
    /// Processor, card networks and issuing banks
    ProcessorSim(Box<processor_sim::Flags>),
}

/// What came out of reading the command line.
#[derive(Debug)]
pub enum Parsed {
    /// Something to do.
    Run(Box<CommandLine>),
    /// Help or version, to be printed.
    Text(String),
}

/// Reads the arguments; the first is the name of the program.
pub fn parse(arguments: Vec<OsString>) -> Result<Parsed, Failure> {
    let matches = CommandLine::command().try_get_matches_from(with_default_command(arguments));
    let read = matches.and_then(|matches| CommandLine::from_arg_matches(&matches));
    match read {
        Ok(line) => Ok(Parsed::Run(Box::new(line))),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Ok(Parsed::Text(error.render().to_string()))
            }
            _ => Err(in_our_words(&error.render().to_string())),
        },
    }
}

/// Plain `payrig` and `payrig --port-base 8070` mean `payrig up`.
fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let word = |index: usize| arguments.get(index).and_then(|word| word.to_str()).unwrap_or("");
    let first = match word(1) {
        "--color" => 3,
        colour if colour.starts_with("--color=") => 2,
        _ => 1,
    };
    let up = match word(first) {
        "-h" | "--help" | "-V" | "--version" => false,
        "" => arguments.len() <= first,
        other => other.starts_with('-'),
    };
    if up {
        arguments.insert(first.min(arguments.len()), "up".into());
    }
    arguments
}

/// Turns clap's text into our two kinds of line.
fn in_our_words(text: &str) -> Failure {
    let mut message = String::new();
    let mut help = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("error: ") {
            rest.clone_into(&mut message);
        } else if let Some(tip) = line.strip_prefix("tip: ") {
            let similar =
                tip.split_once(" exists: ").map(|(_, name)| format!("did you mean {name}?"));
            help.push(in_backticks(similar.as_deref().unwrap_or(tip)));
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            help.push(format!("usage: {usage}"));
        } else if !line.starts_with("For more information") {
            message.push(' ');
            message.push_str(line);
        }
    }
    let mut failure = Failure::usage(in_backticks(&message));
    if help.is_empty() {
        help.push("`payrig --help` lists the commands".into());
    }
    failure.help = help;
    failure
}

fn in_backticks(text: &str) -> String {
    text.replace('\'', "`")
}

/// Where a program of the world listens: always on the loopback interface.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[cfg(test)]
mod tests;
