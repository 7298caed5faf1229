//! Starting and running: database, recovery, workers, server, and the end of all of them.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::web::Data;
use kit::clock::Clock;
use kit::http::{Running, ServeOptions};
use kit::link::LinkError;
use kit::plumbing::Plumbing;
use kit::random::{IdGenerator, Secrets};
use kit::sqlite::{Location, OpenError};
use wire::time::Timestamp;

use crate::gateway::Gateway;
use crate::http;
use crate::keys::{KeyError, KeyRing};
use crate::operations::{Context, Rules, believe, work_due};
use crate::settings::{ClockMode, Flags, Settings};
use crate::store::{Store, StoreError};

/// Name of the program in logs, links and seeds.
const NAME: &str = "merchant";
/// The name it answers to besides the loopback addresses.
const HOST_NAME: &str = "shop.localhost";
/// Where a virtual clock stands at the start.
const VIRTUAL_START: Timestamp = Timestamp::from_seconds(1_768_471_200);

/// The shop did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was stored cannot be recovered.
    #[error("the recovery step failed")]
    Recovery(#[from] StoreError),
    /// What was stored contradicts itself.
    #[error("the audit log was changed: entry {0} does not fit")]
    Audit(i64),
    /// The gateway's address is none.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The server cannot be started.
    #[error("cannot serve")]
    Serve(#[source] std::io::Error),
}

/// The shop ended with a fault.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server broke.
    #[error("the server broke")]
    Serve(#[source] std::io::Error),
    /// A part of the program ended that must not.
    #[error("{0}")]
    Failed(String),
}

/// A running shop.
pub struct Program {
    running: Running,
    context: Context,
    plumbing: Plumbing,
}

impl Program {
    /// Opens the database, recovers, starts workers and the server.
    pub async fn start(
        settings: Settings,
        listener: TcpListener,
        plumbing: Plumbing,
    ) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Serve)?;
        let keys = Arc::new(KeyRing::new(&settings.keys)?);
        let store = Store::open(&settings.database, settings.keys.merchant_id)?;
        let plumbing = after_boot(&store, &settings.database, plumbing).await?;
        believe::register(&plumbing.vulnerabilities);
        if let Some(entry) = store.broken_audit_entry().await? {
            return Err(StartError::Audit(entry));
        }
        let gateway = Gateway::new(
            &settings.gateway_url,
            &keys.signing,
            &settings.keys.client,
            settings.gateway_deadline,
            &plumbing,
        )?;
        let sandbox_key = settings.keys.sandbox_key.clone();
        let context = Context::new(store, gateway, keys, rules(settings, address), &plumbing);
        let running = serve_http(listener, &context, &plumbing, sandbox_key)?;
        start_workers(&context, &plumbing);
        Ok(Self { running, context, plumbing })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Serves until shutdown is requested, finishes what is running, and closes the database.
    pub async fn run(self) -> Result<(), RunError> {
        let Self { running, context, plumbing } = self;
        let database = context.store.database().clone();
        let ended = database.ended();
        let shutdown = plumbing.shutdown.clone();
        let watch = async {
            tokio::select! {
                () = ended => shutdown.fail("the database ended"),
                () = shutdown.requested() => {}
            }
        };
        let (served, ()) = tokio::join!(running.run(), watch);
        database.close().await;
        served.map_err(RunError::Serve)?;
        match plumbing.shutdown.failure() {
            Some(failure) => Err(RunError::Failed(failure)),
            None => Ok(()),
        }
    }
}

/// Every start of a stored shop continues its ids and jitter on a stream of its own.
async fn after_boot(
    store: &Store,
    database: &Location,
    mut plumbing: Plumbing,
) -> Result<Plumbing, StartError> {
    let boot = store.count_boot().await?;
    if *database == Location::Memory {
        return Ok(plumbing);
    }
    plumbing.random = plumbing.random.child(&format!("boot {boot}"));
    plumbing.ids = IdGenerator::new(&plumbing.clock, &plumbing.random);
    Ok(plumbing)
}

fn rules(settings: Settings, address: SocketAddr) -> Rules {
    Rules {
        merchant: settings.keys.merchant_id,
        public_url: settings.public_url.unwrap_or_else(|| format!("http://{address}")),
        gateway_url: settings.gateway_url,
        refund_alone_max: settings.refund_alone_max,
        session_lives: settings.session_lives,
        inbox_lives: settings.inbox_lives,
    }
}

fn serve_http(
    listener: TcpListener,
    context: &Context,
    plumbing: &Plumbing,
    sandbox_key: String,
) -> Result<Running, StartError> {
    let options = ServeOptions {
        names: vec![HOST_NAME.to_owned()],
        problem_page: Some(http::problem_page()),
        ..ServeOptions::default()
    };
    let (shared, surroundings) = (context.clone(), plumbing.clone());
    let configure = move |config: &mut actix_web::web::ServiceConfig| {
        config.app_data(Data::new(shared.clone()));
        http::sandbox(config, &surroundings, &sandbox_key, &shared);
        http::routes(config);
    };
    kit::http::serve_with(listener, options, configure, plumbing).map_err(StartError::Serve)
}

fn start_workers(context: &Context, plumbing: &Plumbing) {
    let (worker, surroundings) = (context.clone(), plumbing.clone());
    actix_web::rt::spawn(async move {
        let wake = worker.due.clone();
        Box::pin(kit::worker::run(&surroundings, "due", wake, || work_due::work_due(&worker)))
            .await;
    });
    let (worker, surroundings) = (context.clone(), plumbing.clone());
    actix_web::rt::spawn(async move {
        let wake = kit::worker::Wake::new();
        kit::worker::run(&surroundings, "forget", wake, || work_due::forget_old(&worker)).await;
    });
}

/// Runs the shop as a program: settings, keys, listener, `{"ready":true,…}`, until it is told to
/// end.
pub async fn serve(flags: Flags) -> anyhow::Result<()> {
    let flags = flags.with_file()?;
    kit::telemetry::init(NAME, flags.log_json, flags.log_level.as_deref().unwrap_or("info"))?;
    let (settings, address) = (flags.settings()?, flags.listen_address()?);
    let seed = flags.seed.unwrap_or(crate::settings::SEED);
    let clock = match flags.clock {
        Some(ClockMode::Virtual) => Clock::virtual_at(VIRTUAL_START),
        Some(ClockMode::Real) | None => Clock::real(),
    };
    let plumbing = Plumbing::new(NAME, clock, seed, Secrets::system());
    plumbing.shutdown.on_signals()?;
    if flags.exit_with_stdin {
        plumbing.shutdown.on_stdin_closed()?;
    }
    let listener = kit::http::listen(address)?;
    let program = Program::start(settings, listener, plumbing).await?;
    announce(program.address())?;
    program.run().await?;
    Ok(())
}

/// Tells the parent where the shop listens: one line on standard output.
fn announce(address: SocketAddr) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, r#"{{"ready":true,"addr":"{address}"}}"#)?;
    out.flush()
}
