//! Webhooks: events with their deliveries and attempts, sending again, and a box that verifies.

use actix_web::web::{Data, Path};
use askama::Template;
use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use kit::http::{Pairs, ReceivedRequest, query_pairs};
use serde::Deserialize;
use serde_json::json;
use wire::gateway_api::{DeliveryView, EndpointView, Page, Resent};
use wire::time::Timestamp;
use wire::webhook::{self, WebhookHeaders, WebhookSecret};

use super::Console;
use super::frame::Frame;
use super::http::{Answer, as_page, back, problem};
use super::inspect::{Cause, cause_of};
use super::pages::{indented, rendered};
use super::shown::{Pill, apology, moment};
use crate::access::refused;
use crate::failure::{Failure, Outcome};

/// Events on the page.
const EVENTS: u32 = 25;

/// What the list needs of an event.
#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created_at: Timestamp,
    sequence: Option<u64>,
    data: serde_json::Value,
}

impl Event {
    fn payment(&self) -> String {
        let id = self.data.get("payment").and_then(|payment| payment.get("id")?.as_str());
        id.unwrap_or("").to_owned()
    }
}

struct EventRow {
    id: String,
    kind: String,
    payment: String,
    sequence: String,
    created: String,
    deliveries: Vec<DeliveryRow>,
}

struct DeliveryRow {
    url: String,
    state: Pill,
    next: Option<String>,
    attempts: Vec<AttemptRow>,
}

struct AttemptRow {
    n: u32,
    at: String,
    outcome: Pill,
    status: String,
    millis: u64,
    answer: String,
    signature: String,
}

fn delivery_row(delivery: DeliveryView) -> DeliveryRow {
    let class = match delivery.status.as_str() {
        "delivered" => "good",
        "dead" => "bad",
        _ => "wait",
    };
    DeliveryRow {
        state: Pill { class, word: delivery.status },
        next: delivery.next_attempt_at.map(moment),
        url: delivery.url,
        attempts: delivery
            .attempts
            .into_iter()
            .map(|attempt| AttemptRow {
                n: attempt.n,
                at: moment(attempt.at),
                outcome: Pill {
                    class: if attempt.outcome == "delivered" { "good" } else { "bad" },
                    word: attempt.outcome.replace('_', " "),
                },
                status: attempt.status.map_or("–".into(), |status| status.to_string()),
                millis: attempt.duration_ms,
                answer: attempt.answer,
                signature: attempt.signature,
            })
            .collect(),
    }
}

async fn deliveries(console: &Console, event: &str) -> Outcome<Vec<DeliveryRow>> {
    let path = format!("/api/events/{event}/deliveries");
    let page: Page<DeliveryView> = console.client.read(&path).await?;
    Ok(page.data.into_iter().map(delivery_row).collect())
}

async fn row(console: &Console, event: Event) -> EventRow {
    EventRow {
        payment: event.payment(),
        deliveries: deliveries(console, &event.id).await.unwrap_or_default(),
        sequence: event.sequence.map_or(String::new(), |number| number.to_string()),
        created: moment(event.created_at),
        kind: event.kind,
        id: event.id,
    }
}

/// What came of the verify box.
#[derive(Default)]
struct Verdict {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
    said: Option<(bool, String)>,
    cause: Option<Cause>,
    expected: Option<String>,
}

#[derive(Template)]
#[template(path = "console/webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    events: Vec<EventRow>,
    endpoints: Vec<EndpointView>,
    apology: Option<String>,
    verdict: Verdict,
}

/// `GET /webhooks`
pub(super) async fn show(console: Data<Console>, received: ReceivedRequest) -> Answer {
    query_pairs(&received.query)?.only(&["said", "refresh"])?;
    page(&console, &received, Verdict::default()).await
}

async fn page(console: &Data<Console>, received: &ReceivedRequest, verdict: Verdict) -> Answer {
    let frame = Frame::of(console, received, "webhooks").await?;
    let asked = verdict.said.is_some();
    let frame = if asked { frame } else { frame.alive(received, "") };
    let read = async {
        let path = format!("/api/events?limit={EVENTS}");
        let events: Page<Event> = console.client.read(&path).await?;
        let endpoints: Page<EndpointView> = console.client.read("/api/webhook-endpoints").await?;
        let rows = join_all(events.data.into_iter().map(|event| row(console, event))).await;
        Ok::<_, Failure>((rows, endpoints.data))
    };
    let (events, endpoints, apology) = match read.await {
        Ok((events, endpoints)) => (events, endpoints, None),
        Err(failure) => (Vec::new(), Vec::new(), Some(apology(&failure))),
    };
    Ok(as_page(rendered(&WebhooksPage { frame, events, endpoints, apology, verdict })))
}

#[derive(Template)]
#[template(path = "console/webhook.html")]
struct WebhookPage {
    frame: Frame,
    id: String,
    kind: String,
    payment: String,
    created: String,
    body: String,
    deliveries: Vec<DeliveryRow>,
}

/// `GET /webhooks/{event}`
pub(super) async fn event(
    console: Data<Console>,
    id: Path<String>,
    received: ReceivedRequest,
) -> Answer {
    let frame = Frame::of(&console, &received, "webhooks").await?.alive(&received, "");
    let path = format!("/api/events/{}", known_id(&id).map_err(problem)?);
    let body: serde_json::Value = console.client.read(&path).await.map_err(problem)?;
    let event: Event = serde_json::from_value(body.clone()).map_err(|error| {
        problem(Failure::could_not_run(format!("the event cannot be read: {error}")))
    })?;
    let deliveries = deliveries(&console, &event.id).await.map_err(problem)?;
    Ok(as_page(rendered(&WebhookPage {
        frame,
        payment: event.payment(),
        created: moment(event.created_at),
        body: indented(&body.to_string()),
        kind: event.kind,
        id: event.id,
        deliveries,
    })))
}

fn known_id(id: &str) -> Outcome<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !id.is_empty() && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(Failure::usage(format!("`{id}` is not the id of an event")))
}

/// `POST /webhooks/resend`: one event, or all that failed within the last three days.
pub(super) async fn resend(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let (place, sent) = match form.get("event").filter(|event| !event.is_empty()) {
        Some(event) => {
            let place = if form.get("place") == Some("event") {
                format!("/webhooks/{}", known_id(event).map_err(problem)?)
            } else {
                "/webhooks".to_owned()
            };
            (place, resend_one(&console, event).await)
        }
        None => ("/webhooks".to_owned(), resend_failed(&console, &form).await),
    };
    Ok(back(&console, &place, sent))
}

async fn resend_one(console: &Console, event: &str) -> Outcome<String> {
    let path = format!("/api/events/{}/resend", known_id(event)?);
    let count = order(console, &path, &json!({})).await?;
    Ok(format!("Sent again to {count} endpoints: {event}"))
}

async fn resend_failed(console: &Console, form: &Pairs) -> Outcome<String> {
    let hours = form.get("hours").and_then(|hours| hours.parse().ok()).unwrap_or(72_u64);
    let now = console.client.now().await?;
    let since = now.minus(std::time::Duration::from_hours(hours.min(24 * 365)));
    let endpoints: Page<EndpointView> = console.client.read("/api/webhook-endpoints").await?;
    let mut count = 0_u64;
    for endpoint in endpoints.data {
        let path = format!("/api/webhook-endpoints/{}/resend", endpoint.id);
        count = count.saturating_add(order(console, &path, &json!({ "since": since })).await?);
    }
    Ok(format!("{count} failed deliveries are sent again"))
}

async fn order(console: &Console, path: &str, body: &serde_json::Value) -> Outcome<u64> {
    let key = data_encoding::HEXLOWER.encode(&console.access.plumbing.secrets.bytes::<12>());
    let body = Some(Bytes::from(body.to_string()));
    let reply = console.client.call(Method::POST, path, body, Some(key)).await?;
    if !reply.is_success() {
        return Err(refused(&reply));
    }
    let resent: Resent = serde_json::from_slice(&reply.body)
        .map_err(|error| Failure::could_not_run(error.to_string()))?;
    Ok(resent.count)
}

/// `POST /webhooks/verify`: pasted headers, body and secret; says why they do not fit.
pub(super) async fn verify(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let form = console.desk.form(&received)?;
    let now = console.client.now().await.map_err(problem)?;
    let verdict = judged(&form, now.seconds());
    page(&console, &received, verdict).await
}

fn judged(form: &Pairs, now: i64) -> Verdict {
    let text = |name: &str| form.get(name).unwrap_or("").trim().to_owned();
    // The body as it was pasted; browsers send line ends as CR LF.
    let body = form.get("body").unwrap_or("").replace("\r\n", "\n");
    let mut verdict = Verdict {
        id: text("id"),
        timestamp: text("timestamp"),
        signature: text("signature"),
        body,
        ..Verdict::default()
    };
    let secret = match WebhookSecret::parse(&text("secret")) {
        Ok(secret) => secret,
        Err(error) => {
            verdict.said = Some((false, format!("The secret cannot be read: {error}")));
            return verdict;
        }
    };
    let (id, timestamp) = ([verdict.id.as_str()], [verdict.timestamp.as_str()]);
    let signature = [verdict.signature.as_str()];
    let headers = WebhookHeaders { id: &id, timestamp: &timestamp, signature: &signature };
    let bytes = verdict.body.as_bytes();
    match webhook::verify(std::slice::from_ref(&secret), [], headers, bytes, now) {
        Ok(_) => verdict.said = Some((true, "The signature is valid".into())),
        Err(refusal) => {
            verdict.cause = cause_of(refusal.as_str());
            verdict.said = Some((false, format!("Refused: {refusal}")));
            verdict.expected = verdict
                .timestamp
                .parse()
                .ok()
                .map(|timestamp| webhook::sign(&[&secret], [], &verdict.id, timestamp, bytes));
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::shown::encoded;
    use super::*;

    #[test]
    fn the_box_names_the_cause() {
        let body = r#"{"test": 2432232314}"#;
        let secret = WebhookSecret::new(&[7; 24]).unwrap();
        let signature = webhook::sign(&[&secret], [], "evt_1", 1000, body.as_bytes());
        let form = |body: &str, secret: &str| {
            let [plain, body, secret] = [&*signature, body, secret].map(encoded);
            let query =
                format!("id=evt_1&timestamp=1000&signature={plain}&body={body}&secret={secret}");
            query_pairs(&query).unwrap()
        };
        let ok = judged(&form(body, &secret.encode()), 1000);
        assert!(ok.said.unwrap().0);
        let written_anew = judged(&form(r#"{"test":2432232314}"#, &secret.encode()), 1000);
        assert!(!written_anew.said.unwrap().0);
        assert!(written_anew.cause.unwrap().text.contains("parsed and written again"));
        let late = judged(&form(body, &secret.encode()), 2000);
        assert!(late.cause.unwrap().title.starts_with("Too old"));
        let other = WebhookSecret::new(&[8; 24]).unwrap().encode();
        assert!(!judged(&form(body, &other), 1000).said.unwrap().0);
        assert!(judged(&form(body, "whsec_"), 1000).said.unwrap().1.contains("secret"));
    }
}
