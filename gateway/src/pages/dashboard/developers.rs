//! Webhooks, events, clients, and what people did at the dashboard.

use askama::Template;
use wire::gateway_api::EndpointView;
use wire::time::Timestamp;

use super::{Frame, Moment, Notice, Pill};
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, instant, shown};
use crate::store::webhooks::views::DeliveryRow;

/// The page for developers.
#[derive(Template)]
#[template(path = "gateway/developers.html")]
pub struct DevelopersPage {
    /// What stands around it.
    pub frame: Frame,
    /// What was just done.
    pub notice: Option<Notice>,
    /// A secret that is shown this once.
    pub new_secret: Option<NewSecret>,
    /// Keys of a client that are shown this once.
    pub new_keys: Option<NewClientKeys>,
    /// Where events go.
    pub endpoints: Vec<EndpointBlock>,
    /// What was typed for a new one, when it was refused.
    pub typed: TypedEndpoint,
    /// Whether the reader may add endpoints.
    pub may_add: bool,
    /// Whether the reader may replace secrets.
    pub may_rotate: bool,
    /// Whether the reader may add clients, change their keys and remove them.
    pub may_change_clients: bool,
    /// What was typed for a new client, when it was refused.
    pub typed_client: TypedClient,
    /// Makes a second press harmless.
    pub form_key: String,
    /// A page of events, newest first.
    pub events: Vec<EventRow>,
    /// Address of the page before.
    pub newer: Option<String>,
    /// Address of the page behind.
    pub older: Option<String>,
    /// API clients.
    pub clients: Vec<ClientBlock>,
    /// What people did.
    pub actions: Vec<ActionLine>,
    /// Whether the log of actions is whole.
    pub chain_unbroken: bool,
}

/// The new secret of an endpoint.
pub struct NewSecret {
    /// Of which endpoint.
    pub url: String,
    /// `whsec_…`
    pub text: String,
    /// Whether there was one before, which goes on signing for a day.
    pub replaces: bool,
}

/// Keys of a client, after it was added or got a new one.
pub struct NewClientKeys {
    /// Its name.
    pub client: String,
    /// What to tell.
    pub head: &'static str,
    /// What happens to the key before, if there was one.
    pub previous: Option<String>,
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret of a client that was added.
    pub client_secret: Option<String>,
    /// Id of the signing key.
    pub key_id: String,
    /// Base64 of 32 bytes.
    pub signing_key: String,
}

/// What was typed for a client that was refused.
#[derive(Default)]
pub struct TypedClient {
    /// Its name.
    pub name: String,
    /// Where it may send payers back to.
    pub origins: String,
}

/// What was typed for an endpoint that was refused.
#[derive(Default)]
pub struct TypedEndpoint {
    /// Where events should go.
    pub url: String,
    /// Which events.
    pub events: String,
}

/// A webhook endpoint.
pub struct EndpointBlock {
    id: String,
    url: String,
    state: Pill,
    events: String,
    description: Option<String>,
    public_key: String,
    created: String,
}

/// An event of the log.
pub struct EventRow {
    /// Its id.
    pub id: String,
    /// What happened.
    pub event_type: String,
    /// To which payment.
    pub payment: String,
    /// When.
    pub at: Moment,
    /// Where each delivery stands.
    pub deliveries: Vec<Pill>,
}

/// An API client.
pub struct ClientBlock {
    /// Its name.
    pub name: String,
    /// OAuth client id.
    pub client_id: String,
    /// Its signing keys: id, and until when one that was replaced is accepted.
    pub keys: Vec<(String, Option<Moment>)>,
    /// Required or Optional.
    pub signatures: &'static str,
    /// What its tokens may allow.
    pub scopes: String,
    /// Origins of return addresses.
    pub origins: String,
    /// Whether it stands in the keys file and is changed there.
    pub from_keys_file: bool,
}

/// What somebody did.
pub struct ActionLine {
    /// When.
    pub at: Moment,
    /// Who.
    pub operator: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// With which words or amounts.
    pub detail: String,
}

/// The page of one event.
#[derive(Template)]
#[template(path = "gateway/event.html")]
pub struct EventPage {
    /// What stands around it.
    pub frame: Frame,
    /// What was just done.
    pub notice: Option<Notice>,
    /// Makes a second press harmless.
    pub form_key: String,
    /// Whether the reader may send it again.
    pub may_resend: bool,
    /// Its id.
    pub id: String,
    /// What happened.
    pub event_type: String,
    /// To which payment.
    pub payment: String,
    /// When.
    pub created: String,
    /// Rises by one per payment.
    pub sequence: u64,
    /// Where it went.
    pub deliveries: Vec<DeliveryBlock>,
    /// What was sent.
    pub body: String,
}

/// One delivery of an event.
pub struct DeliveryBlock {
    url: String,
    state: Pill,
    next: Option<String>,
    attempts: Vec<AttemptLine>,
}

struct AttemptLine {
    n: u32,
    state: Pill,
    status: String,
    duration: String,
    at: Moment,
    timestamp: i64,
    signature: String,
    answer: String,
}

impl From<EndpointView> for EndpointBlock {
    fn from(endpoint: EndpointView) -> Self {
        let state = match (endpoint.status.as_str(), endpoint.disabled_reason.as_deref()) {
            ("enabled", _) => Pill { tone: "good", word: "Enabled" },
            (_, Some("gone")) => Pill { tone: "bad", word: "Disabled: gone" },
            (_, Some("failing")) => Pill { tone: "bad", word: "Disabled: failing" },
            (_, _) => Pill { tone: "", word: "Disabled" },
        };
        Self {
            id: endpoint.id.to_string(),
            url: endpoint.url,
            state,
            events: match endpoint.events.as_slice() {
                [all] if all == "*" => "All".to_owned(),
                some => some.join(", "),
            },
            description: endpoint.description.map(|it| shown(&it, SHOWN_CHARACTERS_MAX)),
            public_key: endpoint.public_key,
            created: instant(endpoint.created_at),
        }
    }
}

impl From<DeliveryRow> for DeliveryBlock {
    fn from(delivery: DeliveryRow) -> Self {
        let attempts = delivery.attempts.into_iter().map(|attempt| AttemptLine {
            n: attempt.n,
            state: Pill::of_delivery_attempt(&attempt.outcome),
            status: attempt.status.map_or_else(|| "–".to_owned(), |status| status.to_string()),
            duration: format!("{} ms", attempt.duration_ms),
            timestamp: attempt.at.seconds(),
            at: attempt.at.into(),
            signature: attempt.signature,
            answer: String::from_utf8_lossy(&attempt.answer).into_owned(),
        });
        Self {
            url: delivery.url,
            state: Pill::of_delivery(delivery.status),
            next: delivery.next_attempt_at.map(instant),
            attempts: attempts.collect(),
        }
    }
}

impl EventRow {
    /// A row of the log.
    pub fn new(
        id: String,
        event_type: String,
        payment: String,
        at: Timestamp,
        delivery_states: &[&str],
    ) -> Self {
        let deliveries = delivery_states.iter().map(|it| Pill::of_delivery(it)).collect();
        Self { id, event_type, payment, at: at.into(), deliveries }
    }
}
