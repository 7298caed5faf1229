//! The life of the program: open, recover, listen, run, close.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use kit::clock::Clock;
use kit::http::{NonceCache, Running, ServeOptions, listen, serve_with};
use kit::link::{Link, LinkName, Signing};
use kit::plumbing::Plumbing;
use kit::random::{IdGenerator, Secrets};
use kit::sqlite::{DatabaseError, Location, OpenError};
use kit::worker;
use wire::signature::{SigningKey, Wire};
use wire::time::Timestamp;

use crate::domain::timers::NotNested;
use crate::http::{Served, problem_page, routes};
use crate::operations::three_ds::acs;
use crate::operations::{
    Acs, Context, ContextError, GatewayLinks, KeysError, clearing, fulfil_obligations, recover,
    release_holds, sign_on,
};
use crate::settings::{AcsAuto, ClockMode, Flags, Keys, Settings};
use crate::store::Store;

/// Start of a virtual clock.
const VIRTUAL_START: Timestamp = Timestamp::from_millis(1_768_471_200_000); // 2026-01-15T10:00Z

/// Processor, networks and banks, listening.
pub struct Program {
    context: Context,
    running: Running,
}

/// Why the program did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Deadlines that do not nest.
    #[error(transparent)]
    Timers(#[from] NotNested),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read.
    #[error("cannot bring the database up to date")]
    Database(#[from] DatabaseError),
    /// Keys, or what is stored, cannot be used.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The server cannot be set up.
    #[error("cannot serve")]
    Serve(#[from] std::io::Error),
}

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server failed.
    #[error("the server failed")]
    Serve(#[from] std::io::Error),
    /// Something inside failed.
    #[error("{0}")]
    Failed(String),
}

impl Program {
    /// Opens the database, brings what was under way to its end, signs everybody on, listens.
    pub async fn start(
        settings: Settings,
        listener: TcpListener,
        plumbing: Plumbing,
    ) -> Result<Self, StartError> {
        settings.timers.check()?;
        let store = Store::open(&settings.database)?;
        let plumbing = after_boot(&store, &settings.database, plumbing).await?;
        let keys = &settings.keys;
        let gateway_key =
            SigningKey::from_base64(&keys.gateway.key_id, keys.gateway.signing_key.expose())
                .map_err(|_| ContextError::Keys(KeysError::Signing("gateway->processor")))?;
        let nonces = NonceCache::new();
        nonces.load(store.nonces(plumbing.clock.now()).await?);
        let gateway = gateway_links(settings.gateway_url.as_deref(), &gateway_key, &plumbing)?;
        let public_url = format!("http://{}", listener.local_addr()?);
        let acs = Acs::new(public_url, settings.acs_approves);
        let context = Context::new(store, keys, settings.timers, gateway, acs, &plumbing).await?;
        let recovered = recover::recover(&context).await?;
        if recovered != recover::Recovered::default() {
            tracing::info!(?recovered, "brought to an end what was under way");
        }
        sign_on::sign_on_all(&context).await;
        let served = Served {
            context: context.clone(),
            gateway_key: Arc::new(gateway_key),
            nonces: Arc::new(nonces),
            sandbox_key: keys.sandbox_key.expose().into(),
        };
        let options = ServeOptions {
            names: vec!["processor.localhost".to_owned()],
            problem_page: Some(problem_page()),
            ..Default::default()
        };
        let configure = move |config: &mut actix_web::web::ServiceConfig| routes(config, &served);
        let running = serve_with(listener, options, configure, &plumbing)?;
        Ok(Self { context, running })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Serves until the end is requested, then closes the database.
    pub async fn run(self) -> Result<(), RunError> {
        let Self { context, running } = self;
        let plumbing = context.plumbing.clone();
        let (owed, holds, cleared) = (context.clone(), context.clone(), context.clone());
        let asked = context.clone();
        let ended = context.store.ended();
        let watch = {
            let shutdown = plumbing.shutdown.clone();
            async move {
                ended.await;
                shutdown.fail("the database ended");
            }
        };
        let serving = async {
            tokio::join!(
                running.run(),
                worker::run(&plumbing, "obligations", context.obligations.clone(), || {
                    fulfil_obligations::step(owed.clone())
                }),
                worker::run(&plumbing, "releases", context.releases.wake(), || {
                    release_holds::step(holds.clone())
                }),
                Box::pin(worker::run(&plumbing, "clearing", context.clearing.wake(), || {
                    clearing::step(cleared.clone())
                })),
                Box::pin(worker::run(&plumbing, "challenges", context.acs.timer.wake(), || {
                    acs::step(asked.clone())
                })),
            )
        };
        let served = {
            let mut watch = std::pin::pin!(watch);
            let mut serving = std::pin::pin!(serving);
            tokio::select! {
                (served, (), (), (), ()) = &mut serving => served,
                () = &mut watch => serving.await.0,
            }
        };
        let failure = plumbing.shutdown.failure();
        context.store.close().await;
        served?;
        match failure {
            Some(reason) => Err(RunError::Failed(reason)),
            None => Ok(()),
        }
    }
}

/// The ways to the gateway: what the processor tells it by itself, and results of challenges.
fn gateway_links(
    url: Option<&str>,
    key: &SigningKey,
    plumbing: &Plumbing,
) -> Result<GatewayLinks, ContextError> {
    let Some(url) = url else { return Ok(GatewayLinks::default()) };
    let link = |name| {
        let signing = Signing::HttpSignature { key: Arc::new(key.clone()), wire: Wire::MessageHop };
        Link::new(LinkName(name), url, signing, plumbing).map(Some)
    };
    Ok(GatewayLinks { notices: link("processor->gateway")?, results: link("directory->gateway")? })
}

/// Every start of a stored world goes on with ids and chance on a stream of its own.
async fn after_boot(
    store: &Store,
    database: &Location,
    mut plumbing: Plumbing,
) -> Result<Plumbing, DatabaseError> {
    let boot = store.count_boot().await?;
    if *database == Location::Memory || boot == 1 {
        return Ok(plumbing);
    }
    plumbing.random = plumbing.random.child(&format!("boot {boot}"));
    plumbing.ids = IdGenerator::new(&plumbing.clock, &plumbing.random);
    Ok(plumbing)
}

/// Runs the program by its flags until it is asked to end.
pub async fn serve(flags: Flags) -> anyhow::Result<()> {
    let flags = flags.with_file()?;
    let level = flags.log_level.as_deref().unwrap_or("info");
    kit::telemetry::init("processor-sim", flags.log_json, level)?;
    let address = flags.listen_address()?;
    let timers = flags.timers()?;
    let keys: Keys = kit::secret_file::read(&flags.keys_file())
        .context("help: run `payrig keys --state DIR` to create the keys of a state directory")?;
    let seed = flags.seed.unwrap_or(42);
    let clock = match flags.clock.unwrap_or(ClockMode::Real) {
        ClockMode::Real => Clock::real(),
        ClockMode::Virtual => Clock::virtual_at(VIRTUAL_START),
    };
    let plumbing = Plumbing::new("processor", clock, seed, Secrets::system());
    plumbing.shutdown.on_signals()?;
    if flags.exit_with_stdin {
        plumbing.shutdown.on_stdin_closed()?;
    }
    if !flags.ephemeral {
        std::fs::create_dir_all(flags.state_directory()).context("cannot create the state")?;
    }
    let settings = Settings {
        database: flags.database(),
        keys,
        timers,
        gateway_url: flags.gateway_url.clone(),
        acs_approves: flags.acs_auto == Some(AcsAuto::Approve),
    };
    let program = Program::start(settings, listen(address)?, plumbing).await?;
    announce(program.address());
    program.run().await?;
    Ok(())
}

/// Tells whoever started the program that it is ready, and where.
#[expect(
    clippy::print_stdout,
    reason = "one line on standard output is the contract with `payrig up`"
)]
fn announce(address: SocketAddr) {
    println!("{{\"ready\":true,\"addr\":\"{address}\"}}");
}
