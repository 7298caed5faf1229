//! Starting and running the gateway.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::web;
use data_encoding::BASE64;
use kit::http::{ProblemLinks, Running, ServeOptions};
use kit::link::{Link, LinkError, LinkName, Signing};
use kit::plumbing::Plumbing;
use kit::random::{IdGenerator, Secrets};
use kit::sqlite::{Database, DatabaseError, DatabaseOptions, OpenError};
use kit::worker::{self, Wake};
use rusqlite::Connection;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::ids::EndpointId;
use wire::signature::{SigningKey, Wire};
use wire::webhook::WebhookKeyError;

use crate::directory::DirectoryServers;
use crate::domain::webhooks::target::TargetUrl;
use crate::http::browser::problem_page;
use crate::http::{notices, sandbox, three_ds};
use crate::operations::access::{self, AccessError, Registry};
use crate::operations::card_attempts::Tried;
use crate::operations::failure::Failure;
use crate::operations::fence::Calls;
use crate::operations::identities::Identities;
use crate::operations::metrics::Metrics;
use crate::operations::timers::{RunningWork, Timers};
use crate::operations::vault::{rewrap_all, run_upkeep};
use crate::operations::view::ClientSecrets;
use crate::operations::webhooks::{Courier, EndpointError, ShopEndpoint, put_shop_endpoint};
use crate::operations::{
    Context, Parts, authenticate, expire, housekeeping, policy, recover, resolve_refund, reverse,
    sealed_order, send_capture,
};
use crate::processor::Processor;
use crate::settings::{Flags, Settings, SigningKeyText};
use crate::store::vault::{TokenError, open_vault, replay_erasures};
use crate::store::{MIGRATIONS, counters};
use crate::vault::{SecurityCodes, Vault, VaultError};

/// Path of the shop's webhook receiver.
const SHOP_WEBHOOKS: &str = "/webhooks/payments";

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The vault's keys do not fit.
    #[error("the card vault cannot be opened: {0}")]
    Vault(#[from] VaultError),
    /// The vault's records do not fit.
    #[error("the card vault cannot be opened: {0}")]
    Cards(TokenError),
    /// The clients of the keys file do not fit.
    #[error("the clients of the keys file cannot be used: {0}")]
    Access(#[from] AccessError),
    /// The shop's webhook endpoint does not fit.
    #[error("the shop's webhook endpoint cannot be used: {0}")]
    Endpoint(#[from] EndpointError),
    /// The webhook key does not fit.
    #[error("the webhook signing key cannot be used: {0}")]
    WebhookKey(#[from] WebhookKeyError),
    /// The processor's key is not base64 of 32 bytes.
    #[error("the key `{0}` is not base64 of 32 bytes")]
    KeyText(&'static str),
    /// The processor's address cannot be used.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// What a crash left half done cannot be taken up.
    #[error("the recovery step failed: {0}")]
    Recovery(Failure),
    /// The server did not start.
    #[error("the server did not start")]
    Serve(#[source] std::io::Error),
}

impl From<rusqlite::Error> for StartError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<TokenError> for StartError {
    fn from(error: TokenError) -> Self {
        Self::Cards(error)
    }
}

/// Why the gateway ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server failed.
    #[error("the server failed")]
    Serve(#[source] std::io::Error),
    /// A part that it cannot do without has ended.
    #[error("{0}")]
    Failed(String),
}

/// A gateway that is running.
pub struct Program {
    context: Context,
    server: Running,
    workers: Vec<JoinHandle<()>>,
}

impl Program {
    /// Opens the database, takes up what a crash left, and begins to listen.
    pub async fn start(
        settings: Settings,
        listener: TcpListener,
        plumbing: Plumbing,
    ) -> Result<Self, StartError> {
        let mut settings = settings;
        settings.webhooks.targets.own_ports = own_ports(&settings, &listener);
        let foreign = settings.foreign.as_ref();
        settings.webhooks.foreign = foreign.map(|foreign| foreign.webhook_url.clone());
        let context = prepare(settings, plumbing).await?;
        recover::recover(&context).await.map_err(StartError::Recovery)?;
        let options = ServeOptions {
            names: vec!["gateway.localhost".to_owned()],
            links: context.links.clone(),
            problem_page: Some(problem_page(context.settings.keys.merchant.name.clone())),
            ..ServeOptions::default()
        };
        let shared = context.clone();
        let hop = notices::Hop::new(signing_key(&context.settings.keys.processor)?);
        let configure = move |config: &mut web::ServiceConfig| {
            config.app_data(web::Data::new(shared.clone()));
            sandbox::routes(config, &shared);
            notices::routes(config, &hop);
            three_ds::routes(config);
            crate::http::routes(config);
        };
        let server = kit::http::serve_with(listener, options, configure, &context.plumbing)
            .map_err(StartError::Serve)?;
        let workers = start_workers(&context);
        Ok(Self { context, server, workers })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Serves until shutdown is requested, then lets running work finish.
    pub async fn run(self) -> Result<(), RunError> {
        let Self { context, server, workers } = self;
        let shutdown = context.plumbing.shutdown.clone();
        let database = context.database.clone();
        let watched = shutdown.clone();
        let watcher = tokio::spawn(async move {
            tokio::select! {
                () = database.ended() => watched.fail("the database ended"),
                () = watched.requested() => {}
            }
        });
        let served = server.run().await;
        shutdown.trigger();
        for worker in workers {
            // A worker that panicked has said so already.
            let _ = worker.await;
        }
        let _ = watcher.await;
        served.map_err(RunError::Serve)?;
        shutdown.failure().map_or(Ok(()), |failure| Err(RunError::Failed(failure)))
    }
}

/// Ports of our own programs, to which no event is sent. The shop's is where events belong.
fn own_ports(settings: &Settings, listener: &TcpListener) -> Vec<u16> {
    let own = [&settings.public_url, &settings.processor_url, &settings.console_url];
    let port_of = |url: &String| TargetUrl::parse(url).ok().map(|url| url.port);
    let listens_on = listener.local_addr().ok().map(|address| address.port());
    own.into_iter().filter_map(port_of).chain(listens_on).collect()
}

async fn prepare(settings: Settings, plumbing: Plumbing) -> Result<Context, StartError> {
    let options = DatabaseOptions { secure_delete: true, ..DatabaseOptions::default() };
    let database = Database::open(&settings.database, MIGRATIONS, options)?;
    let boots = database.write(counters::count_boot).await?;
    let plumbing = of_this_boot(plumbing, boots);
    plumbing.vulnerabilities.register(
        sealed_order::UNCHECKED,
        "The gateway takes orders of the classic form without looking at their code.",
    );
    let keks = std::iter::once(&settings.keys.kek).chain(&settings.keys.kek_previous);
    let keks = keks.map(|kek| (kek.version, kek.key.expose()));
    let vault = Vault::new(keks, plumbing.secrets.clone())?;
    let access = open_stores(&database, &vault, &settings, &plumbing).await?;
    let notifier = Wake::new();
    let courier = Courier::new(
        &plumbing,
        &database,
        &vault,
        &settings.webhooks,
        settings.keys.webhook.signing_key.expose(),
        &notifier,
    )?;
    let session_key = settings.keys.session_key.expose();
    Ok(Context::new(Parts {
        policy: policy(&settings),
        processor: processor(&settings, &plumbing)?,
        directory: directory(&settings, &plumbing)?,
        security_codes: SecurityCodes::default(),
        client_secrets: ClientSecrets::derive(session_key, &settings.public_url),
        identities: Identities::new(&plumbing.clock, &database),
        timers: Timers::default(),
        running: RunningWork::default(),
        captures_settled: watch::Sender::new(0),
        tried: Tried::default(),
        calls: Calls::default(),
        jitter: plumbing.random.child("repeats"),
        metrics: Metrics::default(),
        links: ProblemLinks {
            docs: format!("{}/docs/reference/errors", settings.console_url),
            traces: format!("{}/trace", settings.console_url),
        },
        database,
        plumbing,
        settings,
        vault,
        access,
        courier,
        notifier,
    }))
}

/// Each start of a stored world draws other ids, so that none is given twice.
fn of_this_boot(mut plumbing: Plumbing, boots: u64) -> Plumbing {
    if boots > 1 {
        plumbing.random = plumbing.random.child(&format!("boot {boots}"));
        plumbing.ids = IdGenerator::new(&plumbing.clock, &plumbing.random);
    }
    plumbing
}

async fn open_stores(
    database: &Database,
    vault: &Vault,
    settings: &Settings,
    plumbing: &Plumbing,
) -> Result<Registry, StartError> {
    let (vault, settings, clock) = (vault.clone(), settings.clone(), plumbing.clock.clone());
    let endpoint = plumbing.ids.with(EndpointId::new);
    let open = move |connection: &Connection| -> Result<Registry, StartError> {
        let (merchant, now) = (settings.keys.merchant.id, clock.now());
        replay_erasures(connection)?;
        open_vault(connection, &vault, merchant, now)?;
        let registry = access::open(connection, &vault, &settings, &clock)?;
        rewrap_all(connection, &vault)?;
        let foreign = settings.foreign.as_ref().map(|foreign| foreign.webhook_url.clone());
        let shop = settings.shop_url.as_ref();
        let shop = shop.map(|shop| format!("{}{SHOP_WEBHOOKS}", shop.trim_end_matches('/')));
        if let Some(url) = foreign.or(shop) {
            let secret = settings.keys.webhook.secret.expose();
            let overlap = settings.webhooks.delivery.secret_overlap;
            let shop = ShopEndpoint { id: endpoint, merchant, url: &url, secret, overlap, now };
            put_shop_endpoint(connection, &vault, &shop)?;
        }
        Ok(registry)
    };
    database.write(open).await
}

fn processor(settings: &Settings, plumbing: &Plumbing) -> Result<Processor, StartError> {
    let key = signing_key(&settings.keys.processor)?;
    let signing = Signing::HttpSignature { key, wire: Wire::MessageHop };
    let name = LinkName("gateway->processor");
    let link = Link::new(name, &settings.processor_url, signing, plumbing)?;
    Ok(Processor::new(
        link,
        settings.keys.merchant.clone(),
        plumbing.secrets.clone(),
        settings.timers.processor_deadline,
    ))
}

fn directory(settings: &Settings, plumbing: &Plumbing) -> Result<DirectoryServers, StartError> {
    let key = signing_key(&settings.keys.processor)?;
    let signing = Signing::HttpSignature { key, wire: Wire::MessageHop };
    let name = LinkName("gateway->directory");
    let link = Link::new(name, &settings.processor_url, signing, plumbing)?;
    Ok(DirectoryServers::new(
        link,
        settings.keys.merchant.clone(),
        plumbing.secrets.clone(),
        (&settings.processor_url, &settings.public_url),
        policy(settings).three_ds.directory,
    ))
}

fn signing_key(text: &SigningKeyText) -> Result<Arc<SigningKey>, StartError> {
    let bytes = BASE64.decode(text.signing_key.expose().as_bytes()).ok();
    let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or(StartError::KeyText("processor"))?;
    Ok(Arc::new(SigningKey::new(text.key_id.clone(), bytes)))
}

/// The background loops; they end with the program.
fn start_workers(context: &Context) -> Vec<JoinHandle<()>> {
    let timers = &context.timers;
    let courier = context.courier.clone();
    let upkeep = context.clone();
    vec![
        start(context, "captures", timers.captures.wake(), |it| async move {
            send_capture::step(&it).await
        }),
        start(context, "reversals", timers.reversals.wake(), |it| async move {
            reverse::step(&it).await
        }),
        start(
            context,
            "payments",
            timers.payments.wake(),
            |it| async move { expire::step(&it).await },
        ),
        start(context, "authentications", timers.authentications.wake(), |it| async move {
            authenticate::step(&it).await
        }),
        start(context, "refunds", timers.refunds.wake(), |it| async move {
            resolve_refund::step(&it).await
        }),
        start(
            context,
            "housekeeping",
            Wake::new(),
            |it| async move { housekeeping::step(&it).await },
        ),
        tokio::spawn(async move { courier.run().await }),
        tokio::spawn(async move { run_upkeep(&upkeep).await }),
    ]
}

fn start<S, F, D>(context: &Context, name: &'static str, wake: Wake, step: S) -> JoinHandle<()>
where
    S: Fn(Context) -> F + Send + Sync + 'static,
    F: Future<Output = D> + Send,
    D: Into<kit::activity::NextDue> + Send,
{
    let context = context.clone();
    tokio::spawn(async move {
        let plumbing = context.plumbing.clone();
        worker::run(&plumbing, name, wake, || step(context.clone())).await;
    })
}

/// Runs the gateway as a program: settings, log, keys, listener, and one line when it is ready.
pub async fn serve(flags: Flags) -> anyhow::Result<()> {
    let flags = flags.with_file()?;
    let level = flags.log_level.clone().unwrap_or_else(|| "info".to_owned());
    kit::telemetry::init("gateway", flags.log_json, &level)?;
    let listener = kit::http::listen(flags.address()?)?;
    let address = listener.local_addr()?;
    let settings = flags.settings(address)?;
    let seed = flags.seed.unwrap_or(crate::settings::SEED);
    // Never seeded here: a restart beside a processor that lives on would repeat its nonces.
    let plumbing = Plumbing::new("gateway", flags.clock(), seed, Secrets::system());
    plumbing.shutdown.on_signals()?;
    if flags.exit_with_stdin {
        plumbing.shutdown.on_stdin_closed()?;
    }
    let program = Program::start(settings, listener, plumbing).await?;
    announce(program.address());
    Ok(program.run().await?)
}

/// The line that a supervisor waits for.
#[expect(clippy::print_stdout, reason = "this line is the program's interface")]
fn announce(address: SocketAddr) {
    println!("{{\"ready\":true,\"addr\":\"{address}\"}}");
}
