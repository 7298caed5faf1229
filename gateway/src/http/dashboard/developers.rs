//! Webhook endpoints, the event log, one event, clients, and the log of what people did.

use actix_web::HttpResponse;
use kit::http::{Pairs, Problem, query_pairs};
use wire::events::Event;
use wire::gateway_api::{CreateEndpoint, EndpointView};
use wire::ids::{EndpointId, EventId};
use wire::time::Timestamp;

use super::access::{SignedIn, Visit, form_key, id_of};
use super::payments::event_row;
use crate::domain::operator::Task;
use crate::http::browser::{page, see};
use crate::operations::dashboard::{self, EventDetail};
use crate::operations::idempotency::Call;
use crate::operations::{Context, webhooks};
use crate::pages::dashboard::Notice;
use crate::pages::dashboard::developers::{
    ActionLine, ClientBlock, DevelopersPage, EndpointBlock, EventPage, NewClientKeys, NewSecret,
    TypedClient, TypedEndpoint,
};
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, shown};
use crate::store::dashboard::ActionRow;
use crate::store::webhooks::views::EventFilter;

/// Events on a page.
const EVENTS: usize = 25;

/// `GET /dashboard/developers`
pub async fn show(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let query = query_pairs(&received.query)?;
    developers_page(context, signed_in, &query, Shown::default()).await
}

/// What a page says about the press before it.
#[derive(Default)]
pub struct Shown {
    /// What was done, or why not.
    pub notice: Option<Notice>,
    /// The secret of an endpoint.
    pub new_secret: Option<NewSecret>,
    /// The keys of a client.
    pub new_keys: Option<NewClientKeys>,
    /// What was typed for an endpoint that was refused.
    pub typed: TypedEndpoint,
    /// What was typed for a client that was refused.
    pub typed_client: TypedClient,
}

/// The page, with what is to be said about the press before it.
pub async fn developers_page(
    context: &Context,
    signed_in: &SignedIn,
    query: &Pairs,
    said: Shown,
) -> Result<HttpResponse, Problem> {
    let merchant = dashboard::merchant(context);
    let endpoints = webhooks::list_endpoints(context, merchant).await.map_err(Problem::internal)?;
    let id = |name: &str| query.get(name).and_then(|it| it.parse::<EventId>().ok());
    let (after, before) = (id("after"), id("before"));
    let filter = EventFilter { after, before, ..EventFilter::default() };
    let events = dashboard::events(context, filter, EVENTS).await;
    let (events, more) = events.map_err(Problem::internal)?;
    let known = dashboard::registrations(context).await.map_err(Problem::internal)?;
    let address = |word: &str, event: Option<&EventDetail>| {
        event.map(|it| format!("/dashboard/developers?{word}={}", it.event.event.id))
    };
    let has_newer = if before.is_some() { more } else { after.is_some() };
    let has_older = before.is_some() || more;
    let role = signed_in.operator.role;
    let status = if said.notice.as_ref().is_some_and(|it| it.tone == "bad") { 422 } else { 200 };
    page(
        status,
        &DevelopersPage {
            frame: signed_in.frame(context, "developers"),
            notice: said.notice,
            new_secret: said.new_secret,
            new_keys: said.new_keys,
            typed: said.typed,
            typed_client: said.typed_client,
            may_add: role.may(Task::AddEndpoint),
            may_change_clients: role.may(Task::RotateKey),
            endpoints: endpoints.into_iter().map(EndpointBlock::from).collect(),
            may_rotate: role.may(Task::RotateSecret),
            form_key: form_key(context),
            newer: has_newer.then(|| address("before", events.first())).flatten(),
            older: has_older.then(|| address("after", events.last())).flatten(),
            events: events.iter().map(event_row).collect(),
            clients: known.clients.into_iter().map(client_block).collect(),
            actions: known.actions.into_iter().map(action_line).collect(),
            chain_unbroken: known.chain_unbroken,
        },
    )
}

fn client_block(client: dashboard::Client) -> ClientBlock {
    let registered = client.client;
    let key = |(id, end): (String, Option<Timestamp>)| (id, end.map(Into::into));
    ClientBlock {
        name: registered.name,
        client_id: registered.client_id,
        keys: client.keys.into_iter().map(key).collect(),
        signatures: if registered.signatures_required { "Required" } else { "Optional" },
        scopes: registered.scopes.replace(' ', ", "),
        origins: registered.return_origins.lines().collect::<Vec<_>>().join(", "),
        from_keys_file: registered.from_keys_file,
    }
}

fn action_line(action: ActionRow) -> ActionLine {
    ActionLine {
        at: action.at.into(),
        operator: action.operator,
        action: action.action.replace('_', " "),
        subject: action.subject,
        detail: action.detail,
    }
}

/// `POST /dashboard/webhook-endpoints/{id}/rotate-secret`: the only answer that shows it.
pub async fn rotate_secret(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let form = signed_in.form(context, received)?;
    let id: EndpointId = id_of(received)?;
    let (subject, detail) = (id.to_string(), String::new());
    if !signed_in.begin(context, &form, Task::RotateSecret, subject, detail).await? {
        return Ok(see("/dashboard/developers"));
    }
    let call = Call::own(dashboard::merchant(context), received.trace);
    let rotated = webhooks::rotate_secret(context, call, id).await;
    let answer = rotated.map_err(|failure| Problem::new(409, "not_done", failure.to_string()))?;
    let endpoint: EndpointView = serde_json::from_slice(&answer.body).map_err(Problem::internal)?;
    let text = endpoint.secret.unwrap_or_default();
    let new_secret = Some(NewSecret { url: endpoint.url, text, replaces: true });
    let said = Shown { new_secret, ..Shown::default() };
    developers_page(context, signed_in, &Pairs::default(), said).await
}

/// `POST /dashboard/webhook-endpoints`: the only answer that shows the new endpoint's secret.
pub async fn add_endpoint(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let form = signed_in.form(context, received)?;
    let text = |name: &str| form.get(name).map(str::trim).unwrap_or_default().to_owned();
    let typed = TypedEndpoint { url: text("url"), events: text("events") };
    let (subject, detail) = (shown(&typed.url, SHOWN_CHARACTERS_MAX), String::new());
    if !signed_in.begin(context, &form, Task::AddEndpoint, subject, detail).await? {
        return Ok(see("/dashboard/developers"));
    }
    let events = typed.events.split([',', ' ']).filter(|it| !it.is_empty());
    let request = CreateEndpoint {
        url: typed.url.clone(),
        events: events.map(str::to_owned).collect(),
        description: None,
    };
    let call = Call::own(dashboard::merchant(context), received.trace);
    let said = match webhooks::create_endpoint(context, call, request).await {
        Ok(answer) => {
            let made: EndpointView =
                serde_json::from_slice(&answer.body).map_err(Problem::internal)?;
            let text = made.secret.unwrap_or_default();
            let new_secret = Some(NewSecret { url: made.url, text, replaces: false });
            Shown { new_secret, ..Shown::default() }
        }
        Err(failure) => {
            let text = format!("The endpoint was not added: {failure}.");
            Shown { notice: Some(Notice { tone: "bad", text }), typed, ..Shown::default() }
        }
    };
    developers_page(context, signed_in, &Pairs::default(), said).await
}

/// `GET /dashboard/events/{id}`
pub async fn event(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let found = dashboard::event(context, id_of(received)?).await.map_err(Problem::internal)?;
    let detail = found.ok_or_else(Problem::not_found)?;
    let sent = query_pairs(&received.query)?.get("done") == Some("resend");
    let notice = sent.then(|| Notice { tone: "good", text: "It is being sent again.".to_owned() });
    page(200, &event_page(context, signed_in, detail, notice))
}

fn event_page(
    context: &Context,
    signed_in: &SignedIn,
    detail: EventDetail,
    notice: Option<Notice>,
) -> EventPage {
    let row = event_row(&detail);
    let event = detail.event.event;
    // Read as an event, so that its fields stand in the order in which they are sent.
    let body: Option<Event> = serde_json::from_slice(&detail.event.body).ok();
    let body = body.and_then(|body| serde_json::to_string_pretty(&body).ok());
    EventPage {
        frame: signed_in.frame(context, "developers"),
        notice,
        form_key: form_key(context),
        may_resend: signed_in.operator.role.may(Task::Resend),
        id: row.id,
        event_type: row.event_type,
        payment: row.payment,
        created: row.at.people,
        sequence: event.sequence,
        deliveries: detail.deliveries.into_iter().map(Into::into).collect(),
        body: body.unwrap_or_default(),
    }
}

/// `POST /dashboard/events/{id}/resend`
pub async fn resend(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let form = signed_in.form(context, received)?;
    let id: EventId = id_of(received)?;
    let path = format!("/dashboard/events/{id}?done=resend");
    if !signed_in.begin(context, &form, Task::Resend, id.to_string(), String::new()).await? {
        return Ok(see(&path));
    }
    let call = Call::own(dashboard::merchant(context), received.trace);
    let resent = webhooks::resend_event(context, call, id, None).await;
    resent.map_err(|failure| Problem::new(409, "not_done", failure.to_string()))?;
    Ok(see(&path))
}
