//! The hosted card page: the link, the form, the status page, giving up, more time.

pub mod form;
pub mod language;
mod sealed;
pub mod session;
mod view;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use kit::facts::Facts;
use kit::http::{
    PagePolicy, Problem, ReceivedRequest, annotate, form_pairs, page_headers, query_pairs,
};
use serde_json::json;
use std::time::Duration;
use wire::ids::PaymentId;

use self::form::CardForm;
use self::session::{COOKIE, Session, SessionKeys};
use super::access::caller;
use super::browser::{NewCookie, cookie, is_same_origin, see};
use crate::domain::payer::Standing;
use crate::domain::payment::Payment;
use crate::operations::hosted_page::{self, EnteredCard, Payer, Submission};
use crate::operations::stored_cards::Agreed;
use crate::operations::{Context, cancel_payment, card_attempts, idempotency, void_payment};
use crate::pages::texts::Texts;

/// How long the answer to a submitted card is waited for before the status page is shown.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    let page = web::scope("/pay/{id}")
        .wrap(page_headers(&PagePolicy::card_form()))
        .route("", web::get().to(show))
        .route("", web::post().to(submit))
        .route("/status", web::get().to(status))
        .route("/cancel", web::post().to(cancel))
        .route("/extend", web::post().to(extend));
    config.route("/pay/form", web::post().to(sealed::receive)).service(page);
}

/// The page for a browser that nobody knows.
pub fn refused(context: &Context, received: &ReceivedRequest) -> Result<HttpResponse, Problem> {
    view::refused(context, language::of(received))
}

/// A payment and the browser that may see it.
struct Visit {
    payment: Payment,
    session: Session,
    /// Proof in the page's forms.
    proof: String,
    /// The payer's language.
    texts: &'static Texts,
}

impl Visit {
    fn path(&self) -> String {
        path(&self.payment.id)
    }

    fn standing(&self, context: &Context) -> Standing {
        Standing::of(&self.payment, context.plumbing.clock.now())
    }
}

fn path(id: &PaymentId) -> String {
    format!("/pay/{id}")
}

/// `GET /pay/{id}`: with `cs` the link of the shop, without it the form.
async fn show(context: Data<Context>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let query = query_pairs(&received.query)?;
    if let Some(key) = query.get("cs") {
        return open(&context, &received, key, query.get("lang"));
    }
    if let Some(tag) = query.get("lang") {
        let mut response = see(received.path.as_str());
        language::remember(&context, tag, &mut response)?;
        return Ok(response);
    }
    let Some(visit) = visit(&context, &received, "page").await? else {
        return view::refused(&context, language::of(&received));
    };
    match visit.standing(&context) {
        Standing::MayPay(family) => match query.get("notice") {
            Some("order_paid") => view::order_paid(&context, &visit),
            notice => view::form(&context, &visit, family, notice, query.get("card")),
        },
        Standing::Paid => Ok(see(&format!("{}/status?again=1", visit.path()))),
        _ => Ok(see(&format!("{}/status", visit.path()))),
    }
}

/// Exchanges the key of the link for a cookie, so that it stays out of history and referrers.
fn open(
    context: &Context,
    received: &ReceivedRequest,
    key: &str,
    language: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let id = payment_id(received.http());
    let Some(id) = id.filter(|id| context.client_secrets.is_page_key(id, key)) else {
        return view::refused(context, language::of(received));
    };
    let mut response = see(&path(&id));
    if session_of(context, received, id).is_none() {
        let session = SessionKeys::open(id, context.plumbing.secrets.bytes());
        let value = session_keys(context).cookie(&session);
        let cookie = NewCookie {
            name: COOKIE,
            value: &value,
            path: &path(&id),
            same_site: "Lax",
            seconds: None,
            secure: context.settings.public_url.starts_with("https"),
        };
        let value = cookie.header().parse().map_err(Problem::internal)?;
        response.headers_mut().append(actix_web::http::header::SET_COOKIE, value);
    }
    if let Some(tag) = language {
        language::remember(context, tag, &mut response)?;
    }
    Ok(response)
}

/// `POST /pay/{id}`: the card. Sent on; the status page tells the outcome.
async fn submit(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let Some(visit) = visit(&context, &received, "card_form").await? else {
        return view::refused(&context, language::of(&received));
    };
    let form = CardForm::read(form_pairs(&received)?.iter());
    if !is_ours(&context, &visit, &received, &form.csrf) {
        return view::forged(&context, visit.texts);
    }
    if !matches!(visit.standing(&context), Standing::MayPay(_)) {
        return Ok(see(&format!("{}/status", visit.path())));
    }
    let checked = form.check(context.plumbing.clock.now());
    match form.check_consent(visit.payment.terms.saving.as_ref(), checked) {
        Err(problems) => view::form_with_problems(&context, &visit, &form, &problems),
        Ok(card) => {
            let peer = caller(&context, &received);
            if let Err(wait) = card_attempts::enter(&context, &card.data.number, peer) {
                return view::too_many(&context, &visit, &form, wait);
            }
            let consent = form.save.then(|| view::agreed(&context, &visit)).flatten();
            Ok(see(&pay(&context, &visit, &received, (form.key, consent), card).await))
        }
    }
}

/// Pays in the background, waits a little, and says which page comes next.
async fn pay(
    context: &Context,
    visit: &Visit,
    received: &ReceivedRequest,
    (form_key, consent): (String, Option<Agreed>),
    card: EnteredCard,
) -> String {
    let payer = Payer {
        payment: visit.payment.id,
        merchant: visit.payment.merchant,
        trace: received.trace,
    };
    let work = context.clone();
    let paying = async move { hosted_page::pay(&work, payer, form_key, card, consent).await };
    let running = actix_web::rt::spawn(context.plumbing.activity.track(paying));
    // The work counts as activity; this only waits for it.
    let _waiting = context.plumbing.activity.waiting();
    let decided = tokio::select! {
        biased;
        done = running => done.ok(),
        () = context.plumbing.clock.patience(PATIENCE) => None,
    };
    let notice = match decided {
        Some(Submission::Declined | Submission::OverCardCap) => "?notice=declined",
        Some(Submission::OrderPaid) => "?notice=order_paid",
        Some(Submission::Unavailable | Submission::OverAccountCap) => "?notice=unavailable",
        // Decided, on its way, sent before, or a panic that is logged: the status page knows.
        Some(Submission::Taken) | None => "/status",
    };
    format!("{}{notice}", visit.path())
}

/// `GET /pay/{id}/status`: what became of it; comes back by itself while that is open.
async fn status(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let Some(visit) = visit(&context, &received, "page").await? else {
        return view::refused(&context, language::of(&received));
    };
    let again = query_pairs(&received.query)?.get("again").is_some();
    view::outcome(&context, &visit, again)
}

/// `POST /pay/{id}/cancel`: the payer gives up.
async fn cancel(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let Some(visit) = visit(&context, &received, "page").await? else {
        return view::refused(&context, language::of(&received));
    };
    let form = CardForm::read(form_pairs(&received)?.iter());
    if !is_ours(&context, &visit, &received, &form.csrf) {
        return view::forged(&context, visit.texts);
    }
    let call = idempotency::Call::own(visit.payment.merchant, received.trace);
    // What is being paid, or has ended, cannot be canceled: the status page tells which. A part
    // that a card has paid is given back.
    let id = visit.payment.id;
    let canceled = if visit.payment.lacks_a_part() {
        void_payment::void(&context, call, id, None).await
    } else {
        cancel_payment::cancel(&context, call, id).await
    };
    if let Err(failure) = canceled {
        tracing::info!(payment.id = %visit.payment.id, %failure, "not canceled by the payer");
    }
    Ok(see(&format!("{}/status", visit.path())))
}

/// `POST /pay/{id}/extend`: more time; as JSON for the page's script.
async fn extend(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let Some(visit) = visit(&context, &received, "page").await? else {
        return view::refused(&context, language::of(&received));
    };
    let form = CardForm::read(form_pairs(&received)?.iter());
    if !is_ours(&context, &visit, &received, &form.csrf) {
        return view::forged(&context, visit.texts);
    }
    let until = hosted_page::extend(&context, &visit.payment).await.map_err(Problem::internal)?;
    if received.header("accept") == Some("application/json") {
        let left = until.since(context.plumbing.clock.now()).as_secs();
        return Ok(HttpResponse::Ok().json(json!({ "seconds_left": left })));
    }
    Ok(see(&visit.path()))
}

/// The payment of a page, for a browser that has opened its link; noted for the wire log.
async fn visit(
    context: &Context,
    received: &ReceivedRequest,
    kind: &'static str,
) -> Result<Option<Visit>, Problem> {
    let Some(id) = payment_id(received.http()) else { return Ok(None) };
    let Some(session) = session_of(context, received, id) else { return Ok(None) };
    let found = hosted_page::look(context, id).await.map_err(Problem::internal)?;
    let Some(payment) = found else { return Ok(None) };
    let mut facts = Facts::new(kind, received.trace);
    facts.payment = Some(id.to_string());
    facts.order = Some(payment.order_reference.clone());
    annotate(received.http(), facts);
    let proof = session_keys(context).form_proof(&session);
    Ok(Some(Visit { payment, session, proof, texts: language::of(received) }))
}

fn payment_id(request: &HttpRequest) -> Option<PaymentId> {
    request.match_info().get("id")?.parse().ok()
}

fn session_keys(context: &Context) -> SessionKeys<'_> {
    SessionKeys(context.settings.keys.session_key.expose())
}

fn session_of(context: &Context, received: &ReceivedRequest, id: PaymentId) -> Option<Session> {
    session_keys(context).read(id, cookie(received, COOKIE)?)
}

/// Whether a form was sent from this page, by this browser.
fn is_ours(context: &Context, visit: &Visit, received: &ReceivedRequest, proof: &str) -> bool {
    is_same_origin(received) && session_keys(context).form_is_ours(&visit.session, proof)
}
