//! Deliveries on virtual time: schedule, verdicts, disabling, rotation, fairness, restarts.

use std::time::Duration;

use serde_json::{Value, json};
use wire::webhook::WebhookPublicKey;

use crate::receiver::{Reaction, Receiver};
use crate::world::{Answer, Directory, World};

const PATH: &str = "/api/webhook-endpoints";

struct Endpoint {
    id: String,
    secret: String,
    public_key: WebhookPublicKey,
}

async fn register(world: &World, url: &str) -> Endpoint {
    // Pages expire after half an hour: that would be another event.
    let body = json!({"url": url, "events": ["payment.created"]});
    let answer = world.shop("POST", PATH, Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let created = answer.json();
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    Endpoint {
        id: text("id"),
        secret: text("secret"),
        public_key: WebhookPublicKey::parse(&text("public_key")).unwrap(),
    }
}

async fn status(world: &World, endpoint: &Endpoint) -> Value {
    world.shop("GET", &format!("{PATH}/{}", endpoint.id), None).await.json()
}

/// The delivery of the newest event to the only endpoint.
async fn delivery(world: &World) -> Value {
    let events = world.shop("GET", "/api/events?limit=1&type=payment.created", None).await.json();
    let id = events["data"][0]["id"].as_str().unwrap().to_owned();
    let answer = world.shop("GET", &format!("/api/events/{id}/deliveries"), None).await;
    answer.json()["data"][0].clone()
}

fn outcomes(delivery: &Value) -> Vec<String> {
    let attempts = delivery["attempts"].as_array().unwrap();
    attempts.iter().map(|it| it["outcome"].as_str().unwrap().to_owned()).collect()
}

async fn resend(world: &World, event: &Value) -> Answer {
    let path = format!("/api/events/{}/resend", event.as_str().unwrap());
    world.shop("POST", &path, None).await
}

#[actix_web::test]
async fn an_event_is_signed_by_both_schemes_and_arrives_once() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let endpoint = register(&world, &receiver.url()).await;
    let payment = world.payment().await;
    receiver.until(1).await;
    world.idle().await;
    assert_eq!(receiver.count(), 1);
    let message = &receiver.messages()[0];
    assert_eq!(message.path, "/hook");
    assert_eq!(message.header("content-type"), "application/json");
    assert_eq!(message.json()["data"]["payment"]["id"], payment["id"]);
    let id = message.header("webhook-id");
    assert!(id.starts_with("evt_") && !id.contains('.'));
    let by_secret = message.verify(&endpoint.secret, None, world.now()).unwrap();
    assert_eq!(by_secret.id, id);
    message.verify("", Some(&endpoint.public_key), world.now()).unwrap();
    assert!(
        message
            .verify("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", None, world.now())
            .is_err()
    );
    let delivery = delivery(&world).await;
    assert_eq!(
        (&delivery["status"], outcomes(&delivery)),
        (&"delivered".into(), vec!["delivered".to_owned()])
    );
    let attempt = &delivery["attempts"][0];
    assert_eq!(attempt["signature"], message.header("webhook-signature"));
    assert_eq!(attempt["timestamp"].to_string(), message.header("webhook-timestamp"));
    assert_eq!(attempt["status"], 200);
}

#[actix_web::test]
async fn a_failing_endpoint_gets_ten_attempts_with_one_id_and_fresh_times() {
    let world = World::start_with(|settings| {
        settings.webhooks.delivery.jitter_percent_max = 0;
    })
    .await;
    let receiver = Receiver::start().await;
    receiver.usually(Reaction::Answer(500, String::new(), "<b>no</b>".to_owned()));
    let endpoint = register(&world, &receiver.url()).await;
    world.payment().await;
    receiver.until(1).await;
    world.idle().await;
    let waits = world.settings.webhooks.delivery.waits;
    for (index, wait) in waits.iter().enumerate().skip(1) {
        world.advance(wait.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(receiver.count(), index, "not before its time");
        world.advance(Duration::from_millis(1)).await;
        assert_eq!(receiver.count(), index + 1);
    }
    world.advance(Duration::from_hours(48)).await;
    assert_eq!(receiver.count(), 10, "then it is dead");
    let messages = receiver.messages();
    let mut ids: Vec<&str> = messages.iter().map(|it| it.header("webhook-id")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "one id");
    let mut times: Vec<&str> = messages.iter().map(|it| it.header("webhook-timestamp")).collect();
    times.dedup();
    assert_eq!(times.len(), 10, "ten times");
    for message in &messages {
        let at = message.header("webhook-timestamp").parse().unwrap();
        message.verify(&endpoint.secret, None, at).unwrap();
    }
    let found = delivery(&world).await;
    assert_eq!((&found["status"], outcomes(&found).len()), (&"dead".into(), 10));
    assert_eq!(found["attempts"][9]["answer"], "<b>no</b>");
    assert_eq!(found["attempts"][9]["status"], 500);
    receiver.usually(Reaction::status(204));
    let resent = resend(&world, &found["event"]).await;
    assert_eq!((resent.status, &resent.json()["count"]), (202, &1.into()), "{}", resent.body);
    world.idle().await;
    assert_eq!(receiver.count(), 11);
    assert_eq!(receiver.messages()[10].header("webhook-id"), ids[0], "the same id again");
    assert_eq!(delivery(&world).await["status"], "delivered");
}

#[actix_web::test]
async fn only_a_2xx_counts_and_a_redirect_is_not_followed() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let elsewhere = Receiver::start().await;
    register(&world, &receiver.url()).await;
    let location = format!("location: {}\r\n", elsewhere.url());
    for (reaction, outcome, status) in [
        (Reaction::status(204), "delivered", "delivered"),
        (Reaction::status(299), "delivered", "delivered"),
        (Reaction::Answer(302, location.clone(), String::new()), "refused", "pending"),
        (Reaction::Answer(307, location, String::new()), "refused", "pending"),
        (Reaction::status(400), "refused", "pending"),
        (Reaction::status(503), "refused", "pending"),
    ] {
        receiver.next([reaction]);
        let count = receiver.count();
        world.payment().await;
        receiver.until(count + 1).await;
        world.idle().await;
        let found = delivery(&world).await;
        assert_eq!(
            (found["status"].as_str(), outcomes(&found)),
            (Some(status), vec![outcome.to_owned()])
        );
    }
    assert_eq!(elsewhere.count(), 0);
}

#[actix_web::test]
async fn an_overloaded_endpoint_is_left_alone_for_as_long_as_it_asks() {
    let world = World::start_with(|settings| {
        settings.webhooks.delivery.jitter_percent_max = 0;
    })
    .await;
    let receiver = Receiver::start().await;
    register(&world, &receiver.url()).await;
    for (status, retry_after, wait) in
        [(503, None, 60), (429, Some("90"), 90), (502, Some("9999"), 120), (504, Some("1"), 60)]
    {
        let header = retry_after.map(|it| format!("retry-after: {it}\r\n")).unwrap_or_default();
        receiver.next([Reaction::Answer(status, header, String::new())]);
        let count = receiver.count();
        world.payment().await;
        receiver.until(count + 1).await;
        world.idle().await;
        world.advance(Duration::from_secs(wait - 1)).await;
        assert_eq!(receiver.count(), count + 1, "{status}: not before {wait} s");
        world.advance(Duration::from_secs(1)).await;
        assert_eq!(receiver.count(), count + 2, "{status}: after {wait} s");
    }
}

#[actix_web::test]
async fn silence_ends_at_the_deadline_and_endless_answers_at_the_cap() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    register(&world, &receiver.url()).await;
    receiver.next([Reaction::Silence]);
    world.payment().await;
    receiver.until(1).await;
    world.idle_but(1).await;
    assert_eq!(outcomes(&delivery(&world).await), Vec::<String>::new());
    world.advance(Duration::from_secs(15)).await;
    assert_eq!(outcomes(&delivery(&world).await), ["timeout"]);
    receiver.next([Reaction::Endless]);
    world.payment().await;
    receiver.until(2).await;
    world.idle().await;
    let found = delivery(&world).await;
    assert_eq!(outcomes(&found), ["delivered"]);
    assert!(found["attempts"][0]["answer"].as_str().unwrap().len() <= 64 * 1024);
}

#[actix_web::test]
async fn an_unreachable_endpoint_is_said_to_be_so() {
    let world = World::start().await;
    register(&world, "http://127.0.0.1:9/hook").await;
    world.payment().await;
    world.idle().await;
    assert_eq!(outcomes(&delivery(&world).await), ["unreachable"]);
}

#[actix_web::test]
async fn a_name_is_judged_by_what_it_is_resolved_to() {
    let world = World::start_with(|settings| settings.webhooks.targets.strict = false).await;
    let receiver = Receiver::start().await;
    let url = format!("http://localhost:{}/hook", receiver.address.port());
    register(&world, &url).await;
    world.payment().await;
    receiver.until(1).await;
    assert_eq!(
        receiver.messages()[0].header("host"),
        format!("localhost:{}", receiver.address.port())
    );
    let strict = World::start_with(|settings| settings.webhooks.targets.strict = true).await;
    register(&strict, &url).await;
    strict.payment().await;
    strict.idle().await;
    assert_eq!(outcomes(&delivery(&strict).await), ["blocked"]);
    assert_eq!(receiver.count(), 1, "nothing was sent");
}

#[actix_web::test]
async fn gone_disables_an_endpoint_and_its_events_wait() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let endpoint = register(&world, &receiver.url()).await;
    receiver.next([Reaction::status(410)]);
    world.payment().await;
    receiver.until(1).await;
    world.idle().await;
    let shown = status(&world, &endpoint).await;
    assert_eq!(
        (&shown["status"], &shown["disabled_reason"]),
        (&"disabled".into(), &"the endpoint answered 410 Gone".into())
    );
    world.payment().await;
    world.advance(Duration::from_hours(1)).await;
    assert_eq!(receiver.count(), 1, "nothing is sent while it is disabled");
    let path = format!("{PATH}/{}", endpoint.id);
    world.shop("PATCH", &path, Some(json!({"status": "enabled"}))).await;
    world.idle().await;
    assert_eq!(receiver.count(), 3, "the failed one and the one that waited");
}

#[actix_web::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.usually(Reaction::status(500));
    let endpoint = register(&world, &receiver.url()).await;
    world.payment().await;
    receiver.until(1).await;
    world.idle().await;
    world.advance(Duration::from_hours(119)).await;
    assert_eq!(status(&world, &endpoint).await["status"], "enabled");
    world.advance(Duration::from_hours(1)).await;
    world.payment().await;
    world.idle().await;
    let shown = status(&world, &endpoint).await;
    assert_eq!(
        (&shown["status"], &shown["disabled_reason"]),
        (&"disabled".into(), &"every attempt failed for 120 hours".into())
    );
}

#[actix_web::test]
async fn old_and_new_secret_sign_for_a_day() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let endpoint = register(&world, &receiver.url()).await;
    let path = format!("{PATH}/{}/rotate-secret", endpoint.id);
    let rotated = world.shop("POST", &path, None).await.json();
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, endpoint.secret);
    world.payment().await;
    receiver.until(1).await;
    let message = receiver.messages()[0].clone();
    assert_eq!(message.header("webhook-signature").matches("v1,").count(), 2);
    message.verify(new, None, world.now()).unwrap();
    message.verify(&endpoint.secret, None, world.now()).unwrap();
    world.idle().await;
    world.advance(Duration::from_hours(24)).await;
    world.payment().await;
    receiver.until(2).await;
    let message = receiver.messages()[1].clone();
    message.verify(new, None, world.now()).unwrap();
    assert!(message.verify(&endpoint.secret, None, world.now()).is_err());
}

#[actix_web::test]
async fn a_slow_endpoint_has_ten_attempts_under_way_and_delays_no_other() {
    let world = World::start().await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.usually(Reaction::Silence);
    register(&world, &slow.url()).await;
    register(&world, &quick.url()).await;
    for _ in 0..15 {
        world.payment().await;
    }
    quick.until(15).await;
    slow.until(10).await;
    world.idle_but(10).await;
    assert_eq!((slow.count(), slow.at_once_max()), (10, 10));
    world.plumbing.clock.advance(Duration::from_secs(15)).unwrap();
    slow.until(15).await;
}

#[actix_web::test]
async fn everything_that_failed_since_a_time_can_be_sent_again() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.usually(Reaction::status(500));
    let endpoint = register(&world, &receiver.url()).await;
    for number in 1..=3 {
        world.payment().await;
        receiver.until(number).await;
    }
    world.idle().await;
    let since = world.plumbing.clock.now().to_string();
    world.advance(Duration::from_secs(1)).await;
    receiver.usually(Reaction::status(200));
    let path = format!("{PATH}/{}/resend", endpoint.id);
    let resent = world.shop("POST", &path, Some(json!({ "since": since }))).await;
    assert_eq!((resent.status, &resent.json()["count"]), (202, &3.into()), "{}", resent.body);
    world.idle().await;
    assert_eq!(receiver.count(), 6);
    let later = world.plumbing.clock.now().to_string();
    let resent = world.shop("POST", &path, Some(json!({ "since": later }))).await;
    assert_eq!(resent.json()["count"], 0);
}

#[actix_web::test]
async fn events_survive_a_restart_and_each_arrives() {
    let directory = Directory::new("restart");
    let world = World::start_in(&directory.0).await;
    let receiver = Receiver::start().await;
    receiver.usually(Reaction::Silence);
    register(&world, &receiver.url()).await;
    for _ in 0..3 {
        world.payment().await;
    }
    receiver.until(3).await;
    // The attempts are under way: nobody knows their outcome.
    let world = world.restart().await;
    receiver.usually(Reaction::status(200));
    receiver.until(6).await;
    world.idle().await;
    let mut ids: Vec<String> =
        receiver.messages().iter().map(|it| it.header("webhook-id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((receiver.count(), ids.len()), (6, 3), "each again, under its own id");
    let world = world.restart().await;
    world.idle().await;
    assert_eq!(receiver.count(), 6, "what arrived is not sent again");
    world.stop().await;
}

#[actix_web::test]
async fn an_endpoint_gets_only_the_types_it_asked_for() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let body = json!({"url": receiver.url(), "events": ["payment.canceled"]});
    world.shop("POST", PATH, Some(body)).await;
    let payment = world.payment().await;
    let path = format!("/api/payments/{}/cancel", payment["id"].as_str().unwrap());
    let canceled = world.shop("POST", &path, Some(json!({}))).await;
    assert_eq!(canceled.status, 200, "{}", canceled.body);
    receiver.until(1).await;
    world.idle().await;
    assert_eq!(receiver.count(), 1);
    let message = &receiver.messages()[0];
    assert_eq!(
        (&message.json()["type"], &message.json()["sequence"]),
        (&"payment.canceled".into(), &2.into())
    );
}

#[actix_web::test]
async fn hundreds_of_events_flow_in_order_of_their_making_and_none_twice() {
    let world = World::start_with(|settings| settings.webhooks.delivery.in_flight_max = 1).await;
    let receiver = Receiver::start().await;
    register(&world, &receiver.url()).await;
    let token = world.token("playground", "").await;
    for number in 0..300 {
        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", format!("many-{number}")),
        ];
        let body = json!({"amount": {"value": 100, "currency": "EUR"}, "order_reference": format!("many_{number}")});
        let answer = world.send("POST", "/api/payments", &headers, &body.to_string()).await;
        assert_eq!(answer.status, 201);
    }
    receiver.until(300).await;
    world.idle().await;
    let orders: Vec<String> = receiver
        .messages()
        .iter()
        .map(|it| it.json()["data"]["payment"]["order_reference"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = (0..300).map(|number| format!("many_{number}")).collect();
    assert_eq!(orders, expected);
}
