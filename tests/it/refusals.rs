//! Bad input: each is refused with its own stable code, and nothing changes.

use payrig_tests::api::Change;
use payrig_tests::world::World;
use serde_json::{Value, json};
use wire::signature::SigningKey;

fn body(change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut body =
        json!({"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "ord-1"});
    change(&mut body);
    body.to_string().into_bytes()
}

async fn count(world: &World) -> usize {
    world.api("shop").get("/payments?limit=100").await.json()["data"].as_array().unwrap().len()
}

#[actix_web::test]
async fn every_malformed_payment_has_its_own_code_and_creates_nothing() {
    let world = World::start().await;
    let api = world.api("shop");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("not json", b"{\"amount\":".to_vec()),
        ("empty", b"".to_vec()),
        ("array", b"[]".to_vec()),
        ("missing amount", br#"{"order_reference":"a"}"#.to_vec()),
        ("missing reference", br#"{"amount":{"value":1,"currency":"EUR"}}"#.to_vec()),
        ("unknown field", body(|it| it["amounts"] = json!(1))),
        (
            "duplicate key",
            br#"{"amount":{"value":1,"value":2,"currency":"EUR"},"order_reference":"a"}"#.to_vec(),
        ),
        (
            "duplicate metadata key",
            br#"{"amount":{"value":1,"currency":"EUR"},"order_reference":"a","metadata":{"k":"1","k":"2"}}"#
                .to_vec(),
        ),
        ("zero", body(|it| it["amount"]["value"] = json!(0))),
        ("negative", body(|it| it["amount"]["value"] = json!(-1))),
        ("float", body(|it| it["amount"]["value"] = json!(49.99))),
        ("text", body(|it| it["amount"]["value"] = json!("4999"))),
        ("thirteen digits", body(|it| it["amount"]["value"] = json!(1_000_000_000_000_i64))),
        (
            "overflow",
            br#"{"amount":{"value":9223372036854775808,"currency":"EUR"},"order_reference":"a"}"#.to_vec(),
        ),
        ("exponent number", br#"{"amount":{"value":1e3,"currency":"EUR"},"order_reference":"a"}"#.to_vec()),
        ("lower-case currency", body(|it| it["amount"]["currency"] = json!("eur"))),
        ("unknown currency", body(|it| it["amount"]["currency"] = json!("ZZZ"))),
        ("wrong type", body(|it| it["order_reference"] = json!(7))),
        ("empty reference", body(|it| it["order_reference"] = json!(""))),
        ("long reference", body(|it| it["order_reference"] = json!("x".repeat(65)))),
        ("foreign return url", body(|it| it["return_url"] = json!("https://evil.example/x"))),
        ("script return url", body(|it| it["return_url"] = json!("javascript:alert(1)"))),
        ("card number in text", body(|it| it["description"] = json!("card 4242 4242 4242 4242"))),
        ("server-set field", body(|it| it["status"] = json!("captured"))),
        (
            "line items do not sum",
            body(|it| it["line_items"] = json!([{"name": "Tea", "quantity": 1, "unit_price": 1}])),
        ),
        ("deep", [b"{\"amount\":".to_vec(), b"[".repeat(40)].concat()),
        ("unknown capture", body(|it| it["capture"] = json!("later"))),
    ];
    let mut seen = Vec::new();
    for (name, bytes) in cases {
        let answer = api.call("POST", "/payments", Some(bytes), Change::default()).await;
        assert!((400..500).contains(&answer.status), "{name}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{name}");
        let problem = answer.json();
        for key in ["type", "title", "status", "detail", "code", "request_id"] {
            assert!(problem.get(key).is_some(), "{name}: no {key} in {problem}");
        }
        seen.push(format!("{name}: {}", answer.summary()));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    not json: 400 json_malformed
    empty: 400 json_malformed
    array: 400 field_invalid
    missing amount: 400 field_missing amount
    missing reference: 400 field_missing order_reference
    unknown field: 400 field_unknown amounts
    duplicate key: 400 json_duplicate_key amount.value
    duplicate metadata key: 400 json_duplicate_key metadata
    zero: 400 invalid_amount amount.value
    negative: 400 invalid_amount amount.value
    float: 400 invalid_amount amount.value
    text: 400 invalid_amount amount.value
    thirteen digits: 400 invalid_amount amount.value
    overflow: 400 invalid_amount amount.value
    exponent number: 400 invalid_amount amount.value
    lower-case currency: 400 invalid_currency amount.currency
    unknown currency: 400 invalid_currency amount.currency
    wrong type: 400 field_invalid order_reference
    empty reference: 400 field_too_short order_reference
    long reference: 400 field_too_long order_reference
    foreign return url: 400 return_url_not_allowed return_url
    script return url: 400 return_url_not_allowed return_url
    card number in text: 400 card_number_not_allowed_here description
    server-set field: 400 field_unknown status
    line items do not sum: 400 line_items_mismatch line_items
    deep: 400 json_too_deep
    unknown capture: 400 field_invalid capture
    ");
    assert_eq!(count(&world).await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_signature_that_is_stale_replayed_or_wrongly_keyed_is_refused() {
    let world = World::start().await;
    let api = world.api("shop");
    let good = body(|_| {});
    let other_key = SigningKey::new(api.credentials().key_id.clone(), [7; 32]);
    let unknown_key = SigningKey::new("key_unknown", [7; 32]);
    let with = |change: Change| {
        let (api, good) = (api.clone(), good.clone());
        async move { api.call("POST", "/payments", Some(good), change).await.summary() }
    };
    assert_eq!(
        with(Change { key: Some(other_key), ..Change::default() }).await,
        "401 signature_invalid mac_mismatch"
    );
    assert_eq!(
        with(Change { key: Some(unknown_key), ..Change::default() }).await,
        "401 signature_invalid key_unknown"
    );
    assert_eq!(
        with(Change { skew_s: -600, ..Change::default() }).await,
        "401 signature_invalid expired"
    );
    assert_eq!(
        with(Change { skew_s: 600, ..Change::default() }).await,
        "401 signature_invalid created_in_future"
    );
    assert_eq!(
        with(Change { unsigned: true, ..Change::default() }).await,
        "401 signature_invalid signature_missing"
    );
    let swapped = body(|it| it["amount"]["value"] = json!(1));
    assert_eq!(
        with(Change { sent_body: Some(swapped), ..Change::default() }).await,
        "401 signature_invalid digest_mismatch"
    );
    assert_eq!(count(&world).await, 0);

    let nonce = Some("replayed-nonce-0001".to_owned());
    let first = with(Change { nonce: nonce.clone(), ..Change::default() }).await;
    assert_eq!(first, "201");
    assert_eq!(
        with(Change { nonce, ..Change::default() }).await,
        "409 signature_replayed signature_replayed"
    );
    assert_eq!(count(&world).await, 1);
}

#[actix_web::test]
async fn a_token_that_is_missing_foreign_or_expired_is_refused() {
    let world = World::start().await;
    let (shop, playground) = (world.api("shop"), world.api("playground"));
    let with = |bearer: String| {
        let shop = shop.clone();
        async move {
            let change = Change { bearer: Some(bearer), ..Change::default() };
            shop.call("GET", "/payments", None, change).await
        }
    };
    let missing = with(String::new()).await;
    assert_eq!(missing.status, 401, "{}", missing.text());
    assert!(missing.header("www-authenticate").starts_with("Bearer"));
    assert_eq!(with("pra_nonsense".to_owned()).await.status, 401);
    let foreign = with(playground.token().await).await;
    assert_eq!(foreign.status, 403, "{}", foreign.text());
    let token = shop.token().await;
    world.advance("16m").await;
    let expired = with(token).await;
    assert_eq!(expired.status, 401);
    assert!(expired.header("www-authenticate").contains("invalid_token"));
    shop.forget_token().await;
    assert_eq!(shop.get("/payments").await.status, 200);
}

#[actix_web::test]
async fn idempotency_keys_are_required_and_bind_the_body() {
    let world = World::start().await;
    let api = world.api("shop");
    let none = Change { idempotency_key: Some(String::new()), ..Change::default() };
    let missing = api.call("POST", "/payments", Some(body(|_| {})), none).await;
    assert_eq!(missing.status, 400, "{}", missing.text());
    assert_eq!(missing.json()["code"], "idempotency_key_missing");

    let first: Value = serde_json::from_slice(&body(|_| {})).unwrap();
    let created = api.post_with_key("/payments", first.clone(), "key-1").await;
    let again = api.post_with_key("/payments", first.clone(), "key-1").await;
    assert_eq!(created.status, 201);
    assert_eq!((again.status, &again.body), (created.status, &created.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let mut other = first;
    other["amount"]["value"] = json!(1);
    let reused = api.post_with_key("/payments", other, "key-1").await;
    assert_eq!(reused.status, 422);
    assert_eq!(reused.json()["code"], "idempotency_key_reused");
    assert_eq!(count(&world).await, 1);
}

#[actix_web::test]
async fn sixty_four_concurrent_calls_under_one_key_have_one_effect_and_one_answer() {
    let world = World::start().await;
    let api = world.api("shop");
    api.token().await;
    let calls = (0..64).map(|_| {
        let api = api.clone();
        async move {
            let body = serde_json::from_slice(&body(|_| {})).unwrap();
            api.post_with_key("/payments", body, "one-key").await
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!created.is_empty());
    assert!(created.iter().all(|answer| answer.body == created[0].body));
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)));
    assert_eq!(count(&world).await, 1);
}

#[actix_web::test]
async fn foreign_and_absent_ids_look_the_same() {
    let world = World::start().await;
    let api = world.api("shop");
    let absent = api.get("/payments/pay_01kan2q6x7e5ra9d0c3f8m1t2v").await;
    assert_eq!(absent.status, 404, "{}", absent.text());
    let wrong_kind = api.get("/payments/ref_01kan2q6x7e5ra9d0c3f8m1t2v").await;
    assert_eq!(wrong_kind.status, 404);
    let nonsense = api.get("/payments/1%27%20OR%201=1").await;
    assert_eq!(nonsense.status, 404);
}

#[actix_web::test]
async fn a_token_pays_once_and_only_in_time() {
    let world = World::start().await;
    let api = world.api("shop");
    let token = world.token("4242424242424242").await;
    let pay = |reference: &str, token: &str| {
        json!({"amount": {"value": 100, "currency": "EUR"}, "order_reference": reference,
            "card_token": token, "confirm": true})
    };
    assert_eq!(api.post("/payments", pay("a", &token)).await.status, 201);
    let reused = api.post("/payments", pay("b", &token)).await;
    assert!((400..500).contains(&reused.status), "{}", reused.text());
    let late = world.token("4242424242424242").await;
    world.advance("16m").await;
    api.forget_token().await;
    let expired = api.post("/payments", pay("c", &late)).await;
    assert!((400..500).contains(&expired.status), "{}", expired.text());
    assert_ne!(reused.json()["code"], expired.json()["code"]);
    let payments = api.get("/payments?status=captured").await.json();
    assert_eq!(payments["data"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn captures_voids_and_refunds_respect_what_is_there() {
    let world = World::start().await;
    let api = world.api("shop");
    let token = world.token("4242424242424242").await;
    let payment = api
        .post(
            "/payments",
            json!({"amount": {"value": 1000, "currency": "EUR"}, "order_reference": "manual",
                "capture": "manual", "card_token": token, "confirm": true}),
        )
        .await
        .json();
    assert_eq!(payment["status"], "authorized", "{payment:#}");
    let path = format!("/payments/{}", payment["id"].as_str().unwrap());
    let post = |room: &str, body: Value| {
        let (api, path) = (api.clone(), format!("{path}{room}"));
        async move { api.post(&path, body).await }
    };
    let seen = [
        ("refund before capture", post("/refunds", json!({})).await.summary()),
        ("capture above", post("/capture", json!({"amount": 1001})).await.summary()),
        ("capture zero", post("/capture", json!({"amount": 0})).await.summary()),
        ("capture negative", post("/capture", json!({"amount": -5})).await.summary()),
        ("capture part", post("/capture", json!({"amount": 400})).await.summary()),
        ("capture rest", post("/capture", json!({"amount": 600})).await.summary()),
        ("capture again", post("/capture", json!({"amount": 1})).await.summary()),
        ("refund above", post("/refunds", json!({"amount": 1001})).await.summary()),
        ("refund part", post("/refunds", json!({"amount": 300})).await.summary()),
        ("refund rest", post("/refunds", json!({})).await.summary()),
        ("refund again", post("/refunds", json!({"amount": 1})).await.summary()),
        ("void after refund", post("/void", json!({})).await.summary()),
    ];
    let lines: Vec<String> = seen.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    refund before capture: 409 not_captured
    capture above: 422 amount_too_large amount
    capture zero: 400 invalid_amount amount
    capture negative: 400 invalid_amount amount
    capture part: 200
    capture rest: 200
    capture again: 422 amount_too_large amount
    refund above: 422 amount_too_large amount
    refund part: 201
    refund rest: 201
    refund again: 422 amount_too_large amount
    void after refund: 409 already_refunded
    ");
    world.settle().await;
    let after = api.get(&path).await.json();
    assert_eq!(after["amounts"]["captured"], 1000);
    assert_eq!(after["amounts"]["refunded"], 1000);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_real_card_is_refused_without_an_echo() {
    let world = World::start().await;
    let answer = world.request_token("4929420573595709", "12/30", "123").await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(answer.json()["code"], "not_a_test_card");
    assert!(!answer.text().contains("5709") && !answer.text().contains("492942"));
}
