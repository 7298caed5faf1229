//! The list of payments, one payment, and moving its money.

use std::fmt::Write;

use actix_web::HttpResponse;
use kit::facts::Facts;
use kit::http::{Pairs, Problem, ReceivedRequest, annotate, query_pairs};
use wire::ids::PaymentId;
use wire::money::{MinorUnits, Money};

use super::access::{SignedIn, Visit, form_key, id_of};
use crate::domain::operator::Task;
use crate::domain::payment::Payment;
use crate::http::browser::{page, see};
use crate::operations::Context;
use crate::operations::capture_payment::{self, Capturing};
use crate::operations::dashboard;
use crate::operations::failure::Failure;
use crate::operations::idempotency::Call;
use crate::operations::read_payment::{self, Listing};
use crate::operations::refund_payment::{self, Refunding};
use crate::operations::{disputes, timeline, view, void_payment};
use crate::pages::dashboard::Notice;
use crate::pages::dashboard::developers::EventRow;
use crate::pages::dashboard::payment::{PaymentPage, PaymentPageParts};
use crate::pages::dashboard::payments::{Filters, PaymentRow, PaymentsPage, status_choices};
use crate::store::payments::{Filter, Position};
use crate::store::webhooks::views::EventFilter;

/// Payments on a page.
const ROWS: u32 = 25;
/// Events of one payment that are shown.
const EVENTS_SHOWN: usize = 50;

/// `GET /dashboard`
pub async fn list(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let query = query_pairs(&received.query)?;
    let (listing, problem) = match listing(&query) {
        Ok(listing) => (listing, None),
        Err(failure) => (all(), Some(failure.to_string())),
    };
    let position = listing.position;
    let found = read_payment::list(context, dashboard::merchant(context), listing).await;
    let found = found.map_err(Problem::internal)?;
    let ids: Vec<PaymentId> = found.data.iter().map(|it| it.id).collect();
    let (newer, older) = neighbours(&query, position, &ids, found.has_more);
    let status = if problem.is_some() { 400 } else { 200 };
    let shown = PaymentsPage {
        frame: signed_in.frame(context, "payments"),
        filters: filters(&query),
        statuses: status_choices(),
        rows: found.data.iter().map(PaymentRow::from).collect(),
        newer,
        older,
        problem,
    };
    page(status, &shown)
}

fn all() -> Listing {
    Listing { filter: Filter::default(), position: Position::First, limit: ROWS }
}

/// The list that an address names; an empty field of the form filters nothing.
fn listing(query: &Pairs) -> Result<Listing, Failure> {
    let pairs = query.iter().filter(|(_, value)| !value.is_empty());
    Ok(Listing { limit: ROWS, ..Listing::parse(pairs)? })
}

/// Filters of the form, and those that an address may have besides.
const FILTERS: [&str; 8] = [
    "status",
    "order_reference",
    "card_last4",
    "decline_code",
    "amount_min",
    "amount_max",
    "created_after",
    "created_before",
];

fn filters(query: &Pairs) -> Filters {
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    Filters {
        status: text("status"),
        order_reference: text("order_reference"),
        card_last4: text("card_last4"),
        decline_code: text("decline_code"),
        any: FILTERS.iter().any(|name| !text(name).is_empty()),
    }
}

/// Addresses of the pages before and behind this one, with the same filters.
fn neighbours(
    query: &Pairs,
    position: Position,
    ids: &[PaymentId],
    more: bool,
) -> (Option<String>, Option<String>) {
    let kept: Vec<String> = FILTERS
        .iter()
        .filter_map(|name| Some((name, query.get(name).filter(|it| !it.is_empty())?)))
        .map(|(name, value)| format!("{name}={}&", encoded(value)))
        .collect();
    let address = |word: &str, id: Option<&PaymentId>| {
        id.map(|id| format!("/dashboard?{}{word}={id}", kept.concat()))
    };
    let backwards = matches!(position, Position::Before(_));
    let has_newer = if backwards { more } else { !matches!(position, Position::First) };
    let has_older = backwards || more;
    (
        has_newer.then(|| address("before", ids.first())).flatten(),
        has_older.then(|| address("after", ids.last())).flatten(),
    )
}

/// A value as it stands in an address.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            other => drop(write!(text, "%{other:02X}")),
        }
    }
    text
}

/// `GET /dashboard/payments/{id}`
pub async fn detail(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let payment = payment_of(context, received).await?;
    let done = query_pairs(&received.query)?.get("done").and_then(done_notice);
    show(context, signed_in, &payment, 200, done).await
}

fn done_notice(word: &str) -> Option<Notice> {
    let text = match word {
        "capture" => "The capture is on its way.",
        "void" => "The money is being given back.",
        "refund" => "The refund is on its way; its state stands below.",
        "again" => "This form was sent already; nothing was done twice.",
        _ => return None,
    };
    Some(Notice { tone: "good", text: text.to_owned() })
}

/// A person is to look before anything is captured.
fn review_notice(payment: &Payment) -> Option<Notice> {
    let why = match payment.review()? {
        "cap_exceeded" => "It goes over a cap of the day",
        _ => "A check of the card did not match",
    };
    let text = format!("{why}: look at it, then capture it or give the money back.");
    Some(Notice { tone: "soft", text })
}

async fn payment_of(context: &Context, received: &ReceivedRequest) -> Result<Payment, Problem> {
    let id: PaymentId = id_of(received)?;
    let found = read_payment::payment(context, dashboard::merchant(context), id).await;
    let payment = found.map_err(|failure| match failure {
        Failure::PaymentNotFound => Problem::not_found(),
        other => Problem::internal(other),
    })?;
    let mut facts = Facts::new("page", received.trace);
    facts.payment = Some(payment.id.to_string());
    facts.order = Some(payment.order_reference.clone());
    annotate(received.http(), facts);
    Ok(payment)
}

async fn show(
    context: &Context,
    signed_in: &SignedIn,
    payment: &Payment,
    status: u16,
    notice: Option<Notice>,
) -> Result<HttpResponse, Problem> {
    let merchant = payment.merchant;
    let timeline = timeline::timeline(context, merchant, payment.id).await;
    let timeline = timeline.map_err(Problem::internal)?;
    let filter = EventFilter { payment: Some(payment.id), ..EventFilter::default() };
    let events = dashboard::events(context, filter, EVENTS_SHOWN).await;
    let (events, _) = events.map_err(Problem::internal)?;
    let disputed = disputes::list(context, merchant, Some(payment.id)).await;
    let disputed = disputed.map_err(Problem::internal)?;
    let shown = PaymentPage::new(PaymentPageParts {
        frame: signed_in.frame(context, "payments"),
        payment,
        view: &view::payment(payment),
        timeline: &timeline.entries,
        disputes: &disputed.data,
        events: events.iter().map(event_row).collect(),
        notice: notice.or_else(|| review_notice(payment)),
        form_key: form_key(context),
        role: signed_in.operator.role,
    });
    page(status, &shown)
}

/// An event and where its deliveries stand.
pub fn event_row(detail: &dashboard::EventDetail) -> EventRow {
    let event = &detail.event.event;
    let states: Vec<&str> = detail.deliveries.iter().map(|it| it.status).collect();
    EventRow::new(
        event.id.to_string(),
        event.event_type.clone(),
        event.payment.to_string(),
        event.created_at,
        &states,
    )
}

/// `POST /dashboard/payments/{id}/capture`
pub async fn capture(visit: Visit) -> Result<HttpResponse, Problem> {
    change(&visit, Task::Capture).await
}

/// `POST /dashboard/payments/{id}/void`
pub async fn void(visit: Visit) -> Result<HttpResponse, Problem> {
    change(&visit, Task::Void).await
}

/// `POST /dashboard/payments/{id}/refund`
pub async fn refund(visit: Visit) -> Result<HttpResponse, Problem> {
    change(&visit, Task::Refund).await
}

/// Moves money: the role, the form, the log, then the operation of the API.
async fn change(visit: &Visit, task: Task) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = visit;
    let form = signed_in.form(context, received)?;
    let payment = payment_of(context, received).await?;
    let refused = |text: String| Some(Notice { tone: "bad", text });
    let wish = match wish(&form, &payment, task) {
        Ok(wish) => wish,
        Err(text) => return show(context, signed_in, &payment, 422, refused(text)).await,
    };
    let path = format!("/dashboard/payments/{}", payment.id);
    let (subject, detail) = (payment.id.to_string(), wish.words(&payment));
    if !signed_in.begin(context, &form, task, subject, detail).await? {
        return Ok(see(&format!("{path}?done=again")));
    }
    let call = Call::own(payment.merchant, received.trace);
    match carry_out(context, call, &payment, task, wish).await {
        Ok(()) => Ok(see(&format!("{path}?done={}", task.as_str()))),
        Err(failure) => {
            let text = format!("Not done: {failure}");
            show(context, signed_in, &payment, 409, refused(text)).await
        }
    }
}

/// What a form asks for.
struct Wish {
    amount: MinorUnits,
    reason: Option<String>,
}

impl Wish {
    fn words(&self, payment: &Payment) -> String {
        let amount = Money::new(self.amount, payment.currency).to_string();
        match &self.reason {
            Some(reason) => format!("{amount}: {reason}"),
            None => amount,
        }
    }
}

fn wish(form: &Pairs, payment: &Payment, task: Task) -> Result<Wish, String> {
    let text = form.get("amount").unwrap_or_default();
    let amount = Money::parse_decimal(text, payment.currency).map_err(|it| it.to_string())?;
    let reason = form.get("reason").map(str::trim).filter(|it| !it.is_empty());
    if task == Task::Refund && reason.is_none() {
        return Err("A refund needs a reason".to_owned());
    }
    Ok(Wish { amount: amount.value, reason: reason.map(str::to_owned) })
}

async fn carry_out(
    context: &Context,
    call: Call,
    payment: &Payment,
    task: Task,
    wish: Wish,
) -> Result<(), Failure> {
    let (id, amount) = (payment.id, Some(wish.amount));
    match task {
        Task::Capture => {
            let capturing = Capturing { amount, is_final: None };
            capture_payment::capture(context, call, id, capturing).await?;
        }
        Task::Void => {
            // All that is left is a whole void, which also takes back what is queued.
            let amount = amount.filter(|amount| *amount != payment.amounts.open());
            void_payment::void(context, call, id, amount).await?;
        }
        Task::Refund => {
            let refunding = Refunding { amount, reason: wish.reason };
            refund_payment::refund(context, call, id, refunding).await?;
        }
        Task::View
        | Task::AnswerDispute
        | Task::AcceptDispute
        | Task::Resend
        | Task::RotateSecret
        | Task::AddEndpoint
        | Task::AddClient
        | Task::RotateKey
        | Task::RevokeKey
        | Task::RemoveClient => {}
    }
    Ok(())
}
