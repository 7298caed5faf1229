//! The console: what runs, what was paid, and the ladder of every payment.

mod alerts;
mod faults;
mod figures;
mod frame;
mod http;
mod inspect;
mod kpis;
mod lessons;
mod live;
mod messages;
mod pages;
mod reference;
mod shown;
mod support;
mod time;
mod webhooks;
mod worlds;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use kit::clock::Stopwatch;
use kit::http::{
    Problem, ProblemContext, ProblemLinks, ProblemPage, Running, ServeOptions, serve_with,
};
use tokio::sync::Mutex;

pub(crate) use shown::megabytes;

use crate::access::{Access, ApiClient};
use crate::commands::{Findings, READER, check_invariants};
use crate::failure::Outcome;
use crate::supervisor::board::Board;
use crate::worlds::Worlds;

/// How long a look at the invariants is good for: reading the books costs the programs time.
const INVARIANTS_KEPT: Duration = Duration::from_secs(5);

/// What the pages read from.
pub struct Console {
    access: Access,
    client: ApiClient,
    board: Board,
    worlds: Worlds,
    desk: frame::Desk,
    live: live::Live,
    samples: figures::Samples,
    alerts: alerts::Alerts,
    progress: lessons::Progress,
    invariants: Mutex<Option<(Stopwatch, Arc<Findings>)>>,
}

impl Console {
    fn new(access: Access, board: Board) -> Outcome<Self> {
        let client = access.client(READER)?;
        let worlds = Worlds::new(access.plumbing.clock.clone(), access.addresses.console_port());
        let desk = frame::Desk::new(&access.plumbing.secrets);
        let live = live::Live::default();
        let (samples, alerts) = (figures::Samples::default(), alerts::Alerts::default());
        let (invariants, progress) = (Mutex::new(None), lessons::Progress::default());
        Ok(Self {
            access,
            client,
            board,
            worlds,
            desk,
            live,
            samples,
            alerts,
            progress,
            invariants,
        })
    }

    /// What the programs say about their books, at most a few seconds old.
    async fn invariants(&self) -> Outcome<Arc<Findings>> {
        let mut kept = self.invariants.lock().await;
        if let Some((age, findings)) = &*kept
            && age.elapsed() < INVARIANTS_KEPT
        {
            return Ok(findings.clone());
        }
        let findings = Arc::new(check_invariants(&self.access).await?);
        *kept = Some((self.access.plumbing.clock.stopwatch(), findings.clone()));
        Ok(findings)
    }
}

/// Serves the console on its listener, on a thread of its own, until shutdown is requested.
pub fn start(listener: TcpListener, access: Access, board: Board) -> Outcome<Running> {
    let plumbing = access.plumbing.clone();
    let base = access.addresses.console();
    let console = web::Data::new(Console::new(access, board)?);
    let options = ServeOptions {
        names: vec!["console.localhost".into()],
        links: ProblemLinks {
            docs: format!("{base}/docs/reference/errors"),
            traces: format!("{base}/payments"),
        },
        problem_page: Some(problem_page(console.clone())),
        ..ServeOptions::default()
    };
    let configure = move |config: &mut web::ServiceConfig| {
        config.app_data(console.clone()).configure(http::routes);
    };
    serve_with(listener, options, configure, &plumbing).map_err(|error| {
        crate::failure::Failure::could_not_run(format!("the console cannot start: {error}"))
    })
}

/// The page of a problem, in the frame of the page before.
fn problem_page(console: web::Data<Console>) -> ProblemPage {
    Arc::new(move |problem: &Problem, context: &ProblemContext<'_>| {
        let frame = frame::Frame { place: "", ..console.desk.last_frame() };
        pages::ProblemPage::new(frame, problem, context.request_id).text()
    })
}
