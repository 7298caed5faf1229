//! Card tokens from a browser.

use data_encoding::BASE64;
use gateway::settings::{KeyEncryptionKey, Settings};
use serde_json::{Value, json};

use crate::world::{Answer, Directory, PUBLISHABLE_KEY, World};

fn card() -> Value {
    json!({"number": "4242 4242 4242 4242", "expiry": "12/30", "security_code": "987",
        "name": "Ada Lovelace", "postal_code": "SW1A 1AA"})
}

async fn tokenize(world: &World, key: &str, body: &Value) -> Answer {
    let headers = [
        ("authorization", format!("Bearer {key}")),
        ("content-type", "application/json".to_owned()),
        ("origin", "https://shop.example".to_owned()),
    ];
    world.send("POST", "/api/tokens", &headers, &body.to_string()).await
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut card = card();
    card[field] = value.into();
    card
}

#[actix_web::test]
async fn a_test_card_becomes_a_token_that_shows_no_more_than_it_may() {
    let world = World::start().await;
    let answer = tokenize(&world, PUBLISHABLE_KEY, &card()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let token = answer.json();
    assert!(token["id"].as_str().unwrap().starts_with("tok_"));
    assert_eq!(token["object"], "token");
    let shown = &token["card"];
    assert_eq!((&shown["brand"], &shown["bin"]), (&"visa".into(), &"424242".into()));
    assert_eq!((&shown["last4"], &shown["expiry_year"]), (&"4242".into(), &2030.into()));
    assert_eq!(shown["fingerprint"].as_str().unwrap().len(), 32);
    assert!(!answer.body.contains("987") && !answer.body.contains("Lovelace"));
    // CORS is off: no page of another origin can read the answer.
    assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
    let again = tokenize(&world, PUBLISHABLE_KEY, &card()).await.json();
    assert_ne!(again["id"], token["id"]);
    assert_eq!(again["card"]["fingerprint"], shown["fingerprint"]);
}

#[actix_web::test]
async fn only_the_publishable_key_makes_tokens_and_it_does_nothing_else() {
    let world = World::start().await;
    let api_token = world.token("shop", "").await;
    for key in ["", "pk_wrong", &api_token] {
        let answer = tokenize(&world, key, &card()).await;
        assert_eq!(answer.refusal(), (401, "publishable_key_invalid".to_owned()));
        assert!(answer.header("www-authenticate").is_some());
    }
    let headers = [("authorization", format!("Bearer {PUBLISHABLE_KEY}"))];
    let answer = world.send("GET", "/api/payments", &headers, "").await;
    assert_eq!(answer.refusal(), (401, "token_invalid".to_owned()));
}

#[actix_web::test]
async fn every_refused_field_is_reported() {
    let world = World::start().await;
    let body = json!({"number": "", "expiry": "13/30", "security_code": "12", "name": " ",
        "postal_code": "4242424242424242"});
    let answer = tokenize(&world, PUBLISHABLE_KEY, &body).await;
    assert_eq!(answer.refusal(), (422, "number_empty".to_owned()));
    assert_eq!(answer.json()["param"], "number");
    let errors = answer.json()["errors"].clone();
    let codes: Vec<(&str, &str)> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["param"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        codes,
        [
            ("number", "number_empty"),
            ("expiry", "expiry_invalid"),
            ("security_code", "cvv_incomplete"),
            ("name", "name_empty"),
            ("postal_code", "card_number_not_allowed_here"),
        ]
    );
    let unknown = tokenize(&world, PUBLISHABLE_KEY, &with("pin", "1234")).await;
    assert_eq!(unknown.refusal(), (400, "field_unknown".to_owned()));
}

#[actix_web::test]
async fn a_card_that_was_not_issued_for_tests_leaves_no_trace() {
    let directory = Directory::new("real-card");
    let world = World::start_in(&directory.0).await;
    let real = "4716108999716531";
    let answer = tokenize(&world, PUBLISHABLE_KEY, &with("number", real)).await;
    assert_eq!(answer.refusal(), (422, "not_a_test_card".to_owned()));
    assert!(!answer.body.contains("4716") && !answer.body.contains("6531"), "{}", answer.body);
    let wire = world.sandbox("GET", "/_sandbox/wire", None).await;
    assert!(!wire.body.contains(real));
    world.stop().await;
    assert!(!directory.holds(real));
}

#[actix_web::test]
async fn neither_number_nor_code_reaches_the_disk_or_the_wire_log() {
    let directory = Directory::new("canary");
    let world = World::start_in(&directory.0).await;
    // The log names the port, whose digits are a matter of chance.
    let port = world.address.port().to_string();
    let code = ["987", "986"].into_iter().find(|code| !port.contains(code)).unwrap();
    let token = tokenize(&world, PUBLISHABLE_KEY, &with("security_code", code)).await.json();
    assert!(token["id"].is_string());
    let wire = world.sandbox("GET", "/_sandbox/wire", None).await;
    assert!(wire.body.contains("/api/tokens"));
    assert!(!wire.body.contains("4242424242424242") && !wire.body.contains("4242 4242"));
    assert!(!wire.body.contains(code), "{}", wire.body);
    world.stop().await;
    for canary in ["4242424242424242", "4242 4242 4242 4242", "Ada Lovelace", "SW1A 1AA"] {
        assert!(!directory.holds(canary), "{canary}");
    }
}

#[actix_web::test]
async fn a_token_is_bound_to_a_payment_by_that_payments_secret() {
    let world = World::start().await;
    let (one, two) = (world.payment().await, world.payment().await);
    let bound = |payment: &Value, secret: &Value| {
        let mut card = card();
        card["payment"] = payment.clone();
        card["client_secret"] = secret.clone();
        card
    };
    let good = bound(&one["id"], &one["client_secret"]);
    assert_eq!(tokenize(&world, PUBLISHABLE_KEY, &good).await.status, 201);
    for bad in [
        bound(&one["id"], &two["client_secret"]),
        bound(&one["id"], &"pay_x_secret_y".into()),
        with("payment", one["id"].clone()),
        with("client_secret", one["client_secret"].clone()),
    ] {
        let answer = tokenize(&world, PUBLISHABLE_KEY, &bad).await;
        assert_eq!(answer.refusal(), (403, "client_secret_invalid".to_owned()), "{}", answer.body);
    }
}

#[actix_web::test]
async fn tokens_of_others_and_of_other_payments_do_not_pay() {
    let world = World::start().await;
    let (one, two) = (world.payment().await, world.payment().await);
    let mut body = card();
    body["payment"] = one["id"].clone();
    body["client_secret"] = one["client_secret"].clone();
    let token = tokenize(&world, PUBLISHABLE_KEY, &body).await.json()["id"].clone();
    let confirm = |payment: &Value, token: &Value| {
        let path = format!("/api/payments/{}/confirm", payment["id"].as_str().unwrap());
        let body = json!({ "card_token": token });
        let world = &world;
        async move { world.shop("POST", &path, Some(body)).await }
    };
    let answer = confirm(&two, &token).await;
    assert_eq!(answer.refusal(), (409, "token_for_other_payment".to_owned()));
    let unknown = json!("tok_01kdztqvg0e9jt4v5mqxkf0b2c");
    assert_eq!(confirm(&two, &unknown).await.refusal(), (404, "token_not_found".to_owned()));
    let late = tokenize(&world, PUBLISHABLE_KEY, &card()).await.json()["id"].clone();
    world.advance(std::time::Duration::from_mins(15)).await;
    assert_eq!(confirm(&two, &late).await.refusal(), (422, "token_expired".to_owned()));
}

#[actix_web::test]
async fn a_restart_forgets_security_codes_and_the_card_must_be_entered_again() {
    let directory = Directory::new("codes");
    let world = World::start_in(&directory.0).await;
    let payment = world.payment().await;
    let token = tokenize(&world, PUBLISHABLE_KEY, &card()).await.json()["id"].clone();
    let world = world.restart().await;
    let path = format!("/api/payments/{}/confirm", payment["id"].as_str().unwrap());
    let answer = world.shop("POST", &path, Some(json!({ "card_token": token }))).await;
    assert_eq!(answer.refusal(), (422, "card_data_expired".to_owned()), "{}", answer.body);
    world.stop().await;
}

/// Whether a token is accepted; there is no processor to ask further.
async fn is_readable(world: &World, token: &Value) -> bool {
    let payment = world.payment().await;
    let path = format!("/api/payments/{}/confirm", payment["id"].as_str().unwrap());
    let answer = world.shop("POST", &path, Some(json!({ "card_token": token }))).await;
    answer.status == 200
}

fn without_code() -> Value {
    let mut card = card();
    card.as_object_mut().unwrap().remove("security_code");
    card
}

#[actix_web::test]
async fn the_data_key_can_be_replaced_while_tokens_are_made() {
    let directory = Directory::new("data-key");
    let world = World::start_in(&directory.0).await;
    let mut tokens = Vec::new();
    for _ in 0..5 {
        tokens.push(tokenize(&world, PUBLISHABLE_KEY, &without_code()).await.json());
    }
    let body = without_code();
    let making = async {
        let mut made = Vec::new();
        for _ in 0..20 {
            made.push(tokenize(&world, PUBLISHABLE_KEY, &body).await.json());
        }
        made
    };
    let rotating = world.sandbox("POST", "/_sandbox/vault/rotate-data-key", None);
    let (made, rotated) = tokio::join!(making, rotating);
    assert_eq!((rotated.status, &rotated.json()["version"]), (200, &2.into()), "{}", rotated.body);
    tokens.extend(made);
    let world = world.restart().await;
    for token in &tokens {
        assert!(is_readable(&world, &token["id"]).await, "{token}");
    }
    let rotated = world.sandbox("POST", "/_sandbox/vault/rotate-data-key", None).await;
    assert_eq!(rotated.json()["version"], 3);
    world.stop().await;
}

#[actix_web::test]
async fn the_key_encryption_key_can_be_replaced() {
    let kek = |version: u8| KeyEncryptionKey {
        version: version.into(),
        key: BASE64.encode(&[100 + version; 32]).as_str().into(),
    };
    let directory = Directory::new("kek");
    let world = World::start_in(&directory.0).await;
    let token = tokenize(&world, PUBLISHABLE_KEY, &without_code()).await.json();
    let hook = json!({"url": "http://127.0.0.1:9/hook", "events": ["*"]});
    assert_eq!(world.shop("POST", "/api/webhook-endpoints", Some(hook)).await.status, 201);
    let first = world.settings.keys.kek.clone();
    let both = |settings: &mut Settings| {
        settings.keys.kek_previous = Some(first);
        settings.keys.kek = kek(2);
    };
    let world = world.restart_with(both).await;
    let world = world.restart_with(|settings| settings.keys.kek_previous = None).await;
    assert!(is_readable(&world, &token["id"]).await);
    world.idle().await;
    let events = world.shop("GET", "/api/events?limit=1", None).await.json();
    let path = format!("/api/events/{}/deliveries", events["data"][0]["id"].as_str().unwrap());
    let deliveries = world.shop("GET", &path, None).await.json();
    assert_eq!(deliveries["data"][0]["attempts"][0]["outcome"], "unreachable", "its secret signs");
    let refusal = world.refuses_to_start(|settings| settings.keys.kek = kek(3)).await;
    assert!(refusal.contains("version 2 is not available"), "{refusal}");
}
