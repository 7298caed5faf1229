//! Managing webhook endpoints, and looking at events.

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::signed::Signed;
use crate::world::{Directory, World};

const PATH: &str = "/api/webhook-endpoints";

fn endpoint(url: &str) -> Value {
    json!({"url": url, "events": ["*"], "description": "orders"})
}

#[actix_web::test]
async fn a_secret_is_unique_shown_once_and_sealed() {
    let directory = Directory::new("endpoints");
    let world = World::start_in(&directory.0).await;
    let url = "http://127.0.0.1:9/hook";
    let token = world.token("shop", "").await;
    let body = endpoint(url).to_string();
    let call =
        |key: &str| Signed::new(&world, "POST", PATH, Some(&body)).bearer(&token).idempotent(key);
    let answer = world.call(&call("create-1")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let created = answer.json();
    let secret = created["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    assert!(created["public_key"].as_str().unwrap().starts_with("whpk_"));
    assert_eq!((&created["status"], &created["url"]), (&"enabled".into(), &url.into()));
    let again = world.call(&call("create-1")).await;
    assert_eq!(again.body, answer.body, "the same key gets the same answer");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = world.call(&call("create-2")).await.json();
    assert_ne!(other["secret"], created["secret"]);
    let path = format!("{PATH}/{}", created["id"].as_str().unwrap());
    for path in [PATH, path.as_str()] {
        let answer = world.shop("GET", path, None).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains("whsec_"), "{}", answer.body);
    }
    let wire = world.sandbox("GET", "/_sandbox/wire", None).await;
    assert!(!wire.body.contains(&secret));
    world.stop().await;
    let bare = secret.trim_start_matches("whsec_");
    assert!(!directory.holds(bare), "neither in the row nor in the kept answer");
}

#[actix_web::test]
async fn what_is_wrong_with_an_endpoint_is_said() {
    let world = World::start().await;
    let create = |body: Value| {
        let world = &world;
        async move { world.shop("POST", PATH, Some(body)).await }
    };
    for (url, reason) in [
        ("http://169.254.169.254/latest/meta-data", "special_address"),
        ("http://10.0.0.1/", "private_address"),
        ("http://8.8.8.8/", "public_address"),
        ("http://[::ffff:169.254.169.254]/", "special_address"),
        ("http://0.0.0.0/", "special_address"),
        ("http://2130706433/", "host"),
        ("https://127.0.0.1/", "scheme"),
        ("ftp://127.0.0.1/", "scheme"),
        ("http://user@127.0.0.1/", "userinfo"),
        ("http://127.0.0.1/#x", "fragment"),
        ("http://127.0.0.1\\@evil.test/", "malformed"),
        ("http://127.0.0.1:9/_sandbox/clock", "path_reserved"),
        ("http://127.0.0.1:9/metrics", "path_reserved"),
    ] {
        let answer = create(endpoint(url)).await;
        assert_eq!(answer.refusal(), (422, "endpoint_url_not_allowed".to_owned()), "{url}");
        assert_eq!(answer.json()["reason"], reason, "{url}");
    }
    let own = format!("http://{}/api/payments", world.address);
    assert_eq!(create(endpoint(&own)).await.json()["reason"], "port_reserved");
    let good = "http://127.0.0.1:9/hook";
    for events in [
        json!([]),
        json!(["payment.foo"]),
        json!(["*", "payment.captured"]),
        json!(["payment.captured", "payment.captured"]),
    ] {
        let answer = create(json!({"url": good, "events": events})).await;
        assert_eq!(answer.refusal(), (422, "event_types_invalid".to_owned()));
    }
    let card = json!({"url": good, "events": ["*"], "description": "4242 4242 4242 4242"});
    assert_eq!(create(card).await.refusal(), (422, "description_invalid".to_owned()));
    for _ in 0..16 {
        assert_eq!(create(endpoint(good)).await.status, 201);
    }
    assert_eq!(create(endpoint(good)).await.refusal(), (422, "endpoints_too_many".to_owned()));
}

#[actix_web::test]
async fn an_endpoint_can_be_changed_disabled_and_removed() {
    let world = World::start().await;
    let created = world.shop("POST", PATH, Some(endpoint("http://127.0.0.1:9/a"))).await.json();
    let path = format!("{PATH}/{}", created["id"].as_str().unwrap());
    let change = json!({"url": "http://127.0.0.1:9/b", "events": ["payment.captured"],
        "status": "disabled"});
    let changed = world.shop("PATCH", &path, Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let changed = changed.json();
    assert_eq!(
        (&changed["url"], &changed["status"]),
        (&"http://127.0.0.1:9/b".into(), &"disabled".into())
    );
    assert_eq!(changed["disabled_reason"], "disabled by its owner");
    assert_eq!(changed["description"], "orders");
    let enabled = world.shop("PATCH", &path, Some(json!({"status": "enabled"}))).await.json();
    assert_eq!(
        (&enabled["status"], &enabled["disabled_reason"]),
        (&"enabled".into(), &Value::Null)
    );
    let odd = world.shop("PATCH", &path, Some(json!({"status": "paused"}))).await;
    assert_eq!(odd.refusal(), (422, "status_invalid".to_owned()));
    let removed = world.shop("DELETE", &path, None).await;
    assert_eq!((removed.status, &removed.json()["deleted"]), (200, &true.into()));
    assert_eq!(world.shop("GET", &path, None).await.refusal(), (404, "not_found".to_owned()));
    assert_eq!(world.shop("GET", PATH, None).await.json()["data"], json!([]));
}

#[actix_web::test]
async fn foreign_absent_and_malformed_ids_get_the_same_answer() {
    let world = World::start().await;
    let mut bodies = Vec::new();
    for path in [
        format!("{PATH}/whe_01kdztqvg0e9jt4v5mqxkf0b2c"),
        format!("{PATH}/nonsense"),
        "/api/events/evt_01kdztqvg0e9jt4v5mqxkf0b2c".to_owned(),
        "/api/events/pay_01kdztqvg0e9jt4v5mqxkf0b2c".to_owned(),
        "/api/events/evt_01kdztqvg0e9jt4v5mqxkf0b2c/deliveries".to_owned(),
    ] {
        let answer = world.shop("GET", &path, None).await;
        let mut problem = answer.json();
        problem["request_id"] = Value::Null;
        bodies.push((answer.status, problem));
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies[0].0, 404);
}

#[actix_web::test]
async fn unsafe_calls_need_an_idempotency_key_and_other_bodies_another_one() {
    let world = World::start().await;
    let token = world.token("shop", "").await;
    let body = endpoint("http://127.0.0.1:9/hook").to_string();
    let mut call = Signed::new(&world, "POST", PATH, Some(&body)).bearer(&token);
    call.idempotency_key = None;
    call.components.pop();
    let answer = world.call(&call).await;
    // The signature does not cover what is not there; the key is missed after it.
    assert!(
        ["idempotency_key_missing", "signature_invalid"].contains(&answer.refusal().1.as_str())
    );
    let one = Signed::new(&world, "POST", PATH, Some(&body)).bearer(&token).idempotent("k");
    assert_eq!(world.call(&one).await.status, 201);
    let other = endpoint("http://127.0.0.1:9/other").to_string();
    let two = Signed::new(&world, "POST", PATH, Some(&other)).bearer(&token).idempotent("k");
    assert_eq!(world.call(&two).await.refusal(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(world.shop("GET", PATH, None).await.json()["data"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn events_are_listed_and_read_as_they_were_sent() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    world.shop("POST", PATH, Some(endpoint(&receiver.url()))).await;
    let mut payments = Vec::new();
    for _ in 0..3 {
        payments.push(world.payment().await);
    }
    receiver.until(3).await;
    world.idle().await;
    let page = world.shop("GET", "/api/events?limit=2", None).await.json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["has_more"]), (2, &true.into()));
    assert_eq!(page["data"][0]["data"]["payment"]["id"], payments[2]["id"]);
    let last = page["data"][1]["id"].as_str().unwrap();
    let rest = world.shop("GET", &format!("/api/events?after={last}"), None).await.json();
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    assert_eq!(rest["has_more"], false);
    let of_payment = format!("/api/events?payment={}", payments[1]["id"].as_str().unwrap());
    let found = world.shop("GET", &of_payment, None).await.json();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    let event = &found["data"][0];
    assert_eq!((&event["type"], &event["sequence"]), (&"payment.created".into(), &1.into()));
    assert_eq!(event["livemode"], false);
    assert!(event["data"]["payment"].get("client_secret").is_none());
    assert!(event["data"]["payment"].get("checkout_url").is_none());
    let read =
        world.shop("GET", &format!("/api/events/{}", event["id"].as_str().unwrap()), None).await;
    let sent = receiver.messages();
    let sent = sent.iter().find(|message| message.header("webhook-id") == event["id"]).unwrap();
    assert_eq!(read.body.as_bytes(), sent.body, "the very bytes");
    for bad in
        ["limit=0", "limit=101", "limit=x", "after=x", "payment=x", "foo=1", "limit=1&limit=2"]
    {
        let answer = world.shop("GET", &format!("/api/events?{bad}"), None).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.body);
    }
}
