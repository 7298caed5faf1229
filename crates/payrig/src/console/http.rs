//! The console at a glance: path, method, handler.

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, ServiceConfig, get};
use actix_web::{HttpResponse, web};
use kit::http::{Problem, ReceivedRequest, query_pairs};

use super::Console;
use super::pages::{HomePage, MessagePage, PaymentPage, PaymentsPage};
use super::shown::Filter;
use crate::failure::{Exit, Failure};
use crate::trace::collect;

/// How often a page that may change is loaded again, in seconds.
const REFRESH_SECONDS: &str = "3";

type Answer = Result<HttpResponse, Problem>;

/// Every route of the console.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", get().to(home))
        .route("/payments", get().to(payments))
        .route("/payments/{id}", get().to(payment))
        .route("/payments/{id}/messages/{key}", get().to(message))
        .route("/trace/{id}", get().to(trace))
        .configure(super::worlds::routes)
        .default_service(web::to(nothing_here));
}

async fn home(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let refresh = Refresh::wanted(&received)?;
    let page = HomePage::read(&console, refresh.on).await;
    Ok(refresh.answer(page.text()))
}

async fn payments(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let refresh = Refresh::wanted(&received)?;
    let filter = Filter::read(&received.query)?;
    let page = PaymentsPage::read(&console, filter, refresh.on).await;
    Ok(refresh.answer(page.text()))
}

async fn payment(console: Data<Console>, id: Path<String>, received: ReceivedRequest) -> Answer {
    let refresh = Refresh::wanted(&received)?;
    let trace = collect(&console.access, &console.client, &id).await.map_err(problem)?;
    let page = PaymentPage::new(&console, &trace, refresh.on);
    let changes = page.may_change();
    Ok(if changes { refresh.answer(page.text()) } else { as_page(page.text()) })
}

async fn message(console: Data<Console>, ids: Path<(String, String)>) -> Answer {
    let (id, key) = ids.into_inner();
    let trace = collect(&console.access, &console.client, &id).await.map_err(problem)?;
    let exchange = trace.exchanges.iter().find(|exchange| exchange.is(&key));
    let page = exchange.map(|exchange| MessagePage::new(&trace.id, exchange));
    page.map(|page| as_page(page.text())).ok_or_else(Problem::not_found)
}

/// Where problem details point to.
async fn trace(id: Path<String>) -> Answer {
    let place = HeaderValue::from_str(&format!("/payments/{id}"));
    let place = place.map_err(|_| Problem::not_found())?;
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish())
}

async fn nothing_here() -> Answer {
    Err(Problem::not_found())
}

fn as_page(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(text)
}

/// What is wrong with the world is no fault of the console.
fn problem(failure: Failure) -> Problem {
    match failure.exit {
        Exit::CheckFailed | Exit::Usage => Problem::new(404, "not_found", failure.message),
        Exit::CouldNotRun | Exit::Unreadable | Exit::Interrupted => {
            Problem::new(503, "world_unreachable", failure.message)
        }
    }
}

/// Whether the page is loaded again by itself; `?refresh=off` turns that off (WCAG 2.2.1).
struct Refresh {
    on: bool,
}

impl Refresh {
    fn wanted(received: &ReceivedRequest) -> Result<Self, Problem> {
        let pairs = query_pairs(&received.query)?;
        Ok(Self { on: pairs.get("refresh") != Some("off") })
    }

    fn answer(&self, text: String) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        answer.content_type("text/html; charset=utf-8");
        if self.on {
            answer.insert_header((header::REFRESH, REFRESH_SECONDS));
        }
        answer.body(text)
    }
}
