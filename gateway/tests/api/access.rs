//! Every refusal of a call, and what a call that is let in gets back.

use std::time::Duration;

use serde_json::json;
use wire::signature::{ReceivedHeaders, RequestBinding, SigningKey, verify_response};

use crate::signed::Signed;
use crate::world::{Answer, Directory, PLAYGROUND_KEY, SHOP_KEY, World};

const BODY: &str = r#"{"amount":{"value":4999,"currency":"EUR"},"order_reference":"ord_1001"}"#;

async fn post(world: &World) -> Signed {
    let token = world.token("shop", "").await;
    Signed::new(world, "POST", "/api/payments", Some(BODY)).bearer(&token)
}

/// Changes a good call and expects a refusal with this status and reason.
async fn refused(
    world: &World,
    call: &Signed,
    status: u16,
    reason: &str,
    change: impl FnOnce(&mut Signed),
) {
    let mut call = call.clone();
    // Another nonce, so that no refusal hides behind a replay.
    let nonce = data_encoding::BASE64URL_NOPAD.encode(&world.plumbing.random.bytes::<16>());
    call.set("nonce", &format!("\"{nonce}\""));
    change(&mut call);
    let answer = world.call(&call).await;
    assert_eq!(answer.reason(), (status, reason.to_owned()), "{}", answer.body);
    let code = match status {
        401 => "signature_invalid",
        409 => "signature_replayed",
        _ => "header_too_large",
    };
    assert_eq!(answer.json()["code"], code);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    if status == 401 {
        assert!(answer.header("www-authenticate").is_some());
    }
}

fn signed_answer(world: &World, call: &Signed, answer: &Answer, key_id: &str, key: [u8; 32]) {
    let header = |name| answer.header(name).unwrap_or_default();
    let headers = ReceivedHeaders {
        signature_input: &[header("signature-input")],
        signature: &[header("signature")],
        content_digest: &[header("content-digest")],
    };
    let binding = RequestBinding {
        method: call.method.clone(),
        path: call.path.clone(),
        label: call.label.clone(),
        signature_value: call.signature(),
    };
    let key = SigningKey::new(key_id, key);
    let content_type = answer.header("content-type");
    let body = answer.body.as_bytes();
    let now = world.now();
    verify_response(&key, answer.status, content_type, body, &headers, &binding, now).unwrap();
}

#[actix_web::test]
async fn a_signed_call_with_a_token_gets_a_signed_answer() {
    let world = World::start().await;
    let call = post(&world).await;
    let answer = world.call(&call).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    signed_answer(&world, &call, &answer, "key_shop", SHOP_KEY);
    let token = world.token("shop", "").await;
    let list = Signed::new(&world, "GET", "/api/payments?limit=10", None).bearer(&token);
    let answer = world.call(&list).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    signed_answer(&world, &list, &answer, "key_shop", SHOP_KEY);
}

#[actix_web::test]
async fn every_missing_or_surplus_part_of_a_signature_is_named() {
    let world = World::start().await;
    let call = post(&world).await;
    let without =
        |name: &'static str| move |call: &mut Signed| call.replaced.push((name.to_owned(), None));
    refused(&world, &call, 401, "signature_missing", |call| {
        without("signature")(call);
        without("signature-input")(call);
    })
    .await;
    refused(&world, &call, 401, "signature_missing", without("signature")).await;
    refused(&world, &call, 401, "signature_missing", without("signature-input")).await;
    refused(&world, &call, 401, "signature_missing", |call| call.set("tag", "\"other\"")).await;
    refused(&world, &call, 401, "signature_duplicate", |call| {
        let mut second = call.clone();
        second.label = "sig2".to_owned();
        let headers = [call.headers(), second.headers()];
        for name in ["signature-input", "signature"] {
            let both: Vec<String> = headers
                .iter()
                .map(|headers| headers.iter().find(|(key, _)| key == name).unwrap().1.clone())
                .collect();
            call.replaced.push((name.to_owned(), Some(both.join(", "))));
        }
    })
    .await;
    for index in 0..call.components.len() {
        // The digest is looked for by its own name.
        let reason = if index == 4 { "digest_missing" } else { "component_missing" };
        let mut changed = call.clone();
        changed.components.remove(index);
        let answer = world.call(&changed).await;
        let (status, found) = answer.reason();
        assert_eq!(status, 401);
        assert!(found == reason || found == "component_missing", "{index}: {found}");
    }
    refused(&world, &call, 401, "component_unexpected", |call| {
        call.components.push("\"date\"".to_owned());
    })
    .await;
    refused(&world, &call, 401, "component_unexpected", |call| {
        call.components[0] = "\"@method\";req".to_owned();
    })
    .await;
    refused(&world, &call, 401, "component_duplicate", |call| {
        call.components.push("\"@path\"".to_owned());
    })
    .await;
    for name in ["created", "expires", "nonce", "keyid"] {
        refused(&world, &call, 401, "parameter_missing", |call| call.remove(name)).await;
    }
    refused(&world, &call, 401, "parameter_unexpected", |call| {
        call.parameters.push(("foo".to_owned(), "1".to_owned()));
    })
    .await;
    refused(&world, &call, 431, "header_too_large", |call| {
        let long = format!("\"{}\"", "x".repeat(2100));
        call.set("keyid", &long);
    })
    .await;
    assert_eq!(world.call(&call).await.status, 201, "the untouched call is good");
}

#[actix_web::test]
async fn keys_times_nonces_and_digests_are_checked() {
    let world = World::start().await;
    let call = post(&world).await;
    let now = world.now();
    refused(&world, &call, 401, "key_unknown", |call| call.set("keyid", "\"key_nobody\"")).await;
    refused(&world, &call, 401, "algorithm_mismatch", |call| {
        call.parameters.push(("alg".to_owned(), "\"ed25519\"".to_owned()));
    })
    .await;
    refused(&world, &call, 401, "created_in_future", |call| {
        call.set("created", &(now + 61).to_string());
        call.set("expires", &(now + 100).to_string());
    })
    .await;
    for (created, expires) in [(now - 100, now - 1), (now, now), (now, now - 10), (now, now + 301)]
    {
        refused(&world, &call, 401, "expired", |call| {
            call.set("created", &created.to_string());
            call.set("expires", &expires.to_string());
        })
        .await;
    }
    for time in ["-1", "1.5", "9007199254740992", "99999999999999999999", "\"1\"", "?1"] {
        refused(&world, &call, 401, "time_malformed", |call| call.set("created", time)).await;
    }
    for nonce in ["\"short\"", "\"\"", "\"with space in it!!\"", "123"] {
        refused(&world, &call, 401, "nonce_malformed", |call| call.set("nonce", nonce)).await;
    }
    let long = format!("\"{}\"", "n".repeat(129));
    refused(&world, &call, 401, "nonce_malformed", |call| call.set("nonce", &long)).await;
    refused(&world, &call, 401, "digest_mismatch", |call| {
        call.digest = Some(format!("sha-256=:{}:", data_encoding::BASE64.encode(&[0; 32])));
    })
    .await;
    refused(&world, &call, 401, "mac_mismatch", |call| call.key = [9; 32]).await;
    refused(&world, &call, 401, "mac_mismatch", |call| {
        let other = ("idempotency-key".to_owned(), Some("another".to_owned()));
        call.replaced.push(other);
    })
    .await;
}

#[actix_web::test]
async fn the_body_counts_as_it_was_sent() {
    let world = World::start().await;
    let call = post(&world).await;
    // The same digest header and MAC, another body.
    let signature = call.signature();
    let mut changed = call.clone();
    changed.body = Some(BODY.replace("4999", "1"));
    changed.digest =
        Some(call.headers().iter().find(|(name, _)| name == "content-digest").unwrap().1.clone());
    assert_eq!(changed.signature(), signature);
    assert_eq!(world.call(&changed).await.reason(), (401, "digest_mismatch".to_owned()));
    let mut gone = call.clone();
    gone.replaced.push(("content-digest".to_owned(), None));
    assert_eq!(world.call(&gone).await.reason(), (401, "digest_missing".to_owned()));
}

#[actix_web::test]
async fn a_replayed_call_is_refused_and_a_retry_is_signed_anew() {
    let world = World::start().await;
    let call = post(&world).await;
    assert_eq!(world.call(&call).await.status, 201);
    let answer = world.call(&call).await;
    assert_eq!(answer.refusal(), (409, "signature_replayed".to_owned()));
    signed_answer(&world, &call, &answer, "key_shop", SHOP_KEY);
    let mut retry = call.clone();
    retry.set("nonce", "\"another-nonce-of-22-xx\"");
    let answer = world.call(&retry).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
}

#[actix_web::test]
async fn a_restart_forgets_no_nonce_and_keeps_tokens() {
    let directory = Directory::new("nonces");
    let world = World::start_in(&directory.0).await;
    let call = post(&world).await;
    assert_eq!(world.call(&call).await.status, 201);
    let world = world.restart().await;
    let mut replayed = call.clone();
    replayed.authority = call.authority.clone();
    let headers = replayed.headers();
    let headers: Vec<(&str, String)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let answer = world.send("POST", "/api/payments", &headers, BODY).await;
    assert_eq!(answer.refusal(), (409, "signature_replayed".to_owned()), "{}", answer.body);
    let token = call.bearer.clone().unwrap();
    let list = Signed::new(&world, "GET", "/api/payments", None).bearer(&token);
    assert_eq!(world.call(&list).await.status, 200);
    assert!(!directory.holds(&token), "tokens are kept as hashes");
    assert!(!directory.holds("secret-of-the-shop"));
    world.stop().await;
}

#[actix_web::test]
async fn only_clients_that_may_can_leave_the_signature_out() {
    let world = World::start().await;
    let token = world.token("playground", "").await;
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.clone())];
    let answer = world.send("GET", "/api/payments", &headers, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("signature"), None);
    let shop = format!("Bearer {}", world.token("shop", "").await);
    let answer = world.send("GET", "/api/payments", &[("authorization", shop)], "").await;
    assert_eq!(answer.reason(), (401, "signature_missing".to_owned()));
    // A signature that is there must fit, also when it need not be there.
    let call = Signed::new(&world, "GET", "/api/payments", None)
        .bearer(&token)
        .by("key_playground", [9; 32]);
    assert_eq!(world.call(&call).await.reason(), (401, "mac_mismatch".to_owned()));
    let call = call.by("key_playground", PLAYGROUND_KEY);
    let answer = world.call(&call).await;
    assert_eq!(answer.status, 200);
    signed_answer(&world, &call, &answer, "key_playground", PLAYGROUND_KEY);
}

#[actix_web::test]
async fn token_and_signature_must_be_one_clients() {
    let world = World::start().await;
    let token = world.token("playground", "").await;
    let call = Signed::new(&world, "GET", "/api/payments", None).bearer(&token);
    let answer = world.call(&call).await;
    assert_eq!(answer.refusal(), (403, "token_key_mismatch".to_owned()));
    signed_answer(&world, &call, &answer, "key_shop", SHOP_KEY);
}

#[actix_web::test]
async fn bearer_tokens_are_refused_with_the_right_challenge() {
    let world = World::start().await;
    let bearer = |token: &str| [("authorization", format!("Bearer {token}"))];
    let path = "/api/payments";
    let missing = world.send("GET", path, &[], "").await;
    assert_eq!(missing.refusal(), (401, "token_missing".to_owned()));
    assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"payrig\""));
    let basic = [("authorization", crate::world::basic("cli_shop", "secret-of-the-shop"))];
    assert_eq!(world.send("GET", path, &basic, "").await.refusal().1, "token_missing");
    for token in ["pra_unknown", "x y", "pk_0123456789abcdef"] {
        let answer = world.send("GET", path, &bearer(token), "").await;
        assert_eq!(answer.refusal(), (401, "token_invalid".to_owned()), "{token}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    let token = world.token("playground", "payments:read").await;
    assert_eq!(world.send("GET", path, &bearer(&token), "").await.status, 200);
    let in_query = format!("{path}?access_token={token}");
    let answer = world.send("GET", &in_query, &[], "").await;
    assert_eq!(answer.refusal(), (400, "token_in_url".to_owned()));
    assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_request\""));
    let form = format!("access_token={token}");
    let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let answer = world.send("POST", path, &headers, &form).await;
    assert_eq!(answer.refusal(), (400, "token_in_url".to_owned()));
    let answer = world.send("GET", "/api/webhook-endpoints", &bearer(&token), "").await;
    assert_eq!(answer.refusal(), (403, "scope_missing".to_owned()));
    assert_eq!(answer.json()["reason"], "webhooks:write");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_scope") && challenge.contains("webhooks:write"));
    world.advance(Duration::from_secs(899)).await;
    assert_eq!(world.send("GET", path, &bearer(&token), "").await.status, 200);
    world.advance(Duration::from_secs(1)).await;
    let answer = world.send("GET", path, &bearer(&token), "").await;
    assert_eq!(answer.refusal(), (401, "token_expired".to_owned()));
    assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
}

#[actix_web::test]
async fn a_client_can_be_registered_used_and_removed_while_the_gateway_runs() {
    let world = World::start().await;
    let new = json!({"name": "my-shop", "return_origins": ["http://localhost:3000"],
        "webhook_url": "http://localhost:3000/hook"});
    let registered = world.sandbox("POST", "/_sandbox/clients", Some(new.clone())).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let client = registered.json();
    assert!(client["webhook_secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(client["publishable_key"], crate::world::PUBLISHABLE_KEY);
    let again = world.sandbox("POST", "/_sandbox/clients", Some(new)).await;
    assert_eq!(again.refusal(), (422, "client_name_invalid".to_owned()));
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    let listed = world.sandbox("GET", "/_sandbox/clients", None).await;
    assert!(listed.body.contains(&text("client_id")));
    assert!(!listed.body.contains(&text("client_secret")));
    let basic = crate::world::basic(&text("client_id"), &text("client_secret"));
    let answer = world.form("/api/oauth/token", &basic, "grant_type=client_credentials").await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let key = data_encoding::BASE64.decode(text("signing_key").as_bytes()).unwrap();
    let key: [u8; 32] = key.try_into().unwrap();
    let list = |key_id: &str, key| {
        Signed::new(&world, "GET", "/api/payments", None).bearer(&token).by(key_id, key)
    };
    assert_eq!(world.call(&list(&text("key_id"), key)).await.status, 200);
    let path = format!("/_sandbox/clients/{}/rotate-key", text("client_id"));
    let rotated = world.sandbox("POST", &path, None).await.json();
    let new_key = rotated["signing_key"].as_str().unwrap();
    let new_key: [u8; 32] =
        data_encoding::BASE64.decode(new_key.as_bytes()).unwrap().try_into().unwrap();
    let new_id = rotated["key_id"].as_str().unwrap();
    assert_eq!(world.call(&list(new_id, new_key)).await.status, 200);
    assert_eq!(world.call(&list(&text("key_id"), key)).await.status, 200, "overlap of a day");
    world.advance(Duration::from_hours(24)).await;
    let answer = world.call(&list(&text("key_id"), key)).await;
    assert_eq!(answer.reason(), (401, "key_revoked".to_owned()));
    let answer = world.form("/api/oauth/token", &basic, "grant_type=client_credentials").await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let path = format!("/_sandbox/clients/{}", text("client_id"));
    assert_eq!(world.sandbox("DELETE", &path, None).await.status, 204);
    assert_eq!(world.sandbox("DELETE", &path, None).await.status, 404);
    let call = Signed::new(&world, "GET", "/api/payments", None).bearer(&token).by(new_id, new_key);
    assert_eq!(world.call(&call).await.reason(), (401, "key_revoked".to_owned()));
    let headers = [("authorization", format!("Bearer {token}"))];
    let answer = world.send("GET", "/api/payments", &headers, "").await;
    assert_eq!(answer.refusal(), (401, "token_invalid".to_owned()));
    let kept = world.sandbox("DELETE", "/_sandbox/clients/cli_shop", None).await;
    assert_eq!(kept.refusal(), (409, "client_from_keys_file".to_owned()));
}

#[actix_web::test]
async fn clients_cannot_be_registered_without_the_sandbox_key() {
    let world = World::start().await;
    let headers = [("content-type", "application/json".to_owned())];
    let answer = world.send("POST", "/_sandbox/clients", &headers, r#"{"name":"x"}"#).await;
    assert_eq!(answer.refusal(), (401, "sandbox_key_invalid".to_owned()));
    for (body, code) in [
        (json!({"name": ""}), "client_name_invalid"),
        (json!({"name": "4242 4242 4242 4242"}), "client_name_invalid"),
        (json!({"name": "a", "return_origins": ["http://shop.example"]}), "return_origin_invalid"),
        (
            json!({"name": "a", "webhook_url": "http://169.254.169.254/"}),
            "endpoint_url_not_allowed",
        ),
    ] {
        let answer = world.sandbox("POST", "/_sandbox/clients", Some(body)).await;
        assert_eq!(answer.refusal(), (422, code.to_owned()));
    }
}
