//! The HTTP server of a program: one worker, bounded, with the same surroundings everywhere.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};

use super::exchange::exchange;
use super::{Problem, ProblemLinks, ProblemPage};
use crate::assets;
use crate::plumbing::Plumbing;
use crate::random::{IdGenerator, Random};

/// How long an unused connection is kept; longer than our clients keep theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take to send its headers.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long requests may still run when the end is requested, in seconds.
const SHUTDOWN_SECONDS: u64 = 3;

/// Connections served at a time.
const CONNECTIONS_MAX: usize = 2048;

/// Threads for blocking work; nothing of ours blocks.
const BLOCKING_THREADS_MAX: usize = 2;

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody has the port.
    #[error("port {} is in use", .0.port())]
    InUse(SocketAddr),
    /// Ports below 1024 need rights.
    #[error("port {} may not be used by this user", .0.port())]
    Forbidden(SocketAddr),
    /// The system refused otherwise.
    #[error("cannot listen on {address}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Opens a listener; port 0 takes any free port.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let refused = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AddrInUse => ListenError::InUse(address),
        std::io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
        _ => ListenError::Io { address, source },
    };
    TcpListener::bind(address).map_err(refused)
}

/// What a program's server needs to know.
#[derive(Clone, Default)]
pub struct ServeOptions {
    /// Names it answers to besides `127.0.0.1`, `[::1]` and `localhost`, without a port:
    /// `gateway.localhost`.
    pub names: Vec<String>,
    /// Whether any name is accepted: behind a container's port, never on a laptop.
    pub any_name: bool,
    /// Where problems point to.
    pub links: ProblemLinks,
    /// How problems look in a browser; as problem details when missing.
    pub problem_page: Option<ProblemPage>,
    /// The link on which browsers come; `browser-><program>` when missing.
    pub browser_link: Option<&'static str>,
}

/// What the middleware shares.
pub(super) struct Served {
    pub(super) plumbing: Plumbing,
    pub(super) links: ProblemLinks,
    pub(super) problem_page: Option<ProblemPage>,
    pub(super) browser_link: &'static str,
    /// New trace and span ids.
    pub(super) traces: Random,
    /// Request ids: on a stream of their own, because looks from outside draw them too.
    pub(super) request_ids: IdGenerator,
    names: Vec<String>,
    any_name: bool,
}

impl Served {
    fn new(plumbing: &Plumbing, options: ServeOptions) -> Self {
        let known = match plumbing.program {
            "gateway" => "browser->gateway",
            "merchant" => "browser->merchant",
            "console" => "browser->console",
            _ => "browser->acs",
        };
        let browser_link = options.browser_link.unwrap_or(known);
        plumbing.faults.register(browser_link);
        let mut names = options.names;
        names.extend(["127.0.0.1", "[::1]", "localhost"].map(str::to_owned));
        Self {
            plumbing: plumbing.clone(),
            links: options.links,
            problem_page: options.problem_page,
            browser_link,
            traces: plumbing.random.child("traces"),
            request_ids: IdGenerator::new(&plumbing.clock, &plumbing.random.child("requests")),
            names,
            any_name: options.any_name,
        }
    }

    /// Refuses names that are not ours: a page of somebody else's that resolves to us.
    pub(super) fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default();
        let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
        let name = if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host };
        let known = self.names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if self.any_name || known {
            return Ok(());
        }
        let detail = "this server does not answer to the name in `Host`";
        Err(Problem::new(421, "host_unknown", detail).param("host"))
    }
}

/// A running server.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// To stop it.
    pub handle: ServerHandle,
    server: Server,
    plumbing: Plumbing,
}

impl Running {
    /// `http://address`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until shutdown is requested, then lets running requests finish for a moment.
    pub async fn run(self) -> std::io::Result<()> {
        let (handle, plumbing) = (self.handle, self.plumbing);
        let mut server = std::pin::pin!(self.server);
        tokio::select! {
            ended = &mut server => return ended,
            () = plumbing.shutdown.requested() => {}
        }
        let stopping = handle.stop(true);
        let (ended, ()) = tokio::join!(server, stopping);
        ended
    }
}

/// Starts a server with default options. `configure` adds the routes.
pub fn serve<F>(
    listener: TcpListener,
    configure: F,
    plumbing: &Plumbing,
) -> std::io::Result<Running>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    serve_with(listener, ServeOptions::default(), configure, plumbing)
}

/// Starts a server. Must run inside a runtime; requests are served on a thread of their own.
///
/// Around `configure`'s routes: the `Host` check, request and trace ids, problem details, signed
/// answers, the wire log, `/healthz` and `/assets`.
pub fn serve_with<F>(
    listener: TcpListener,
    options: ServeOptions,
    configure: F,
    plumbing: &Plumbing,
) -> std::io::Result<Running>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let address = listener.local_addr()?;
    let served = Arc::new(Served::new(plumbing, options));
    let app = move || {
        let around = served.clone();
        App::new()
            .app_data(served.clone())
            .app_data(web::Data::new(served.plumbing.clone()))
            .configure(configure.clone())
            .route("/healthz", web::get().to(healthz))
            .route("/assets/{hash}/{path:.*}", web::get().to(assets::serve))
            .wrap(from_fn(move |request, next| exchange(around.clone(), request, next)))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .worker_max_blocking_threads(BLOCKING_THREADS_MAX)
        .max_connections(CONNECTIONS_MAX)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .tcp_nodelay(true)
        // What may not be left half done runs on a task of its own; the rest ends with its client.
        .h1_allow_half_closed(false)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(Running { address, handle: server.handle(), server, plumbing: plumbing.clone() })
}

/// Ready: the server only listens after the program has recovered. Tells nothing else.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}
