//! The OAuth server: tokens for clients, and every way not to get one.

use std::time::Duration;

use serde_json::Value;

use crate::signed::Signed;
use crate::world::{Answer, SHOP_SECRET, World, basic};

const GRANT: &str = "grant_type=client_credentials";

fn shop() -> String {
    basic("cli_shop", SHOP_SECRET)
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

#[actix_web::test]
async fn a_client_gets_a_token_for_a_quarter_of_an_hour() {
    let world = World::start().await;
    let answer = world.form("/api/oauth/token", &shop(), GRANT).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let token = answer.json();
    assert!(token["access_token"].as_str().unwrap().starts_with("pra_"));
    assert_eq!(token["access_token"].as_str().unwrap().len(), 4 + 43);
    assert_eq!((&token["token_type"], &token["expires_in"]), (&"Bearer".into(), &900.into()));
    assert_eq!(token["scope"].as_str().unwrap().split(' ').count(), 8);
    let narrow = format!("{GRANT}&scope=refunds%3Awrite+payments%3Aread");
    let answer = world.form("/api/oauth/token", &shop(), &narrow).await;
    assert_eq!(answer.json()["scope"], "payments:read refunds:write");
    let resource = format!("{GRANT}&resource=http%3A%2F%2F127.0.0.1%3A1%2Fapi");
    assert_eq!(world.form("/api/oauth/token", &shop(), &resource).await.status, 200);
}

#[actix_web::test]
async fn what_is_wrong_with_a_token_request_has_its_registered_word() {
    let world = World::start().await;
    for (body, word) in [
        ("", "invalid_request"),
        ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("grant_type=authorization_code", "unsupported_grant_type"),
        ("grant_type=client_credentials&scope=payments%3Aall", "invalid_scope"),
        ("grant_type=client_credentials&scope=payments%3Aread++", "invalid_scope"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&client_secret=secret-of-the-shop", "invalid_request"),
        ("grant_type=client_credentials&client_id=cli_other", "invalid_request"),
        ("grant_type=client_credentials&resource=http%3A%2F%2Felsewhere", "invalid_target"),
        ("grant_type=client_credentials&audience=other", "invalid_target"),
    ] {
        let answer = world.form("/api/oauth/token", &shop(), body).await;
        assert_eq!(error(&answer), (400, word.to_owned()), "{body}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let in_url = format!("/api/oauth/token?{GRANT}");
    assert_eq!(error(&world.form(&in_url, &shop(), GRANT).await).0, 400);
    let json = [("authorization", shop()), ("content-type", "application/json".to_owned())];
    let answer = world.send("POST", "/api/oauth/token", &json, "{}").await;
    assert_eq!(error(&answer), (400, "invalid_request".to_owned()));
    assert_eq!(world.send("GET", "/api/oauth/token", &[], "").await.status, 404);
}

#[actix_web::test]
async fn a_known_and_an_unknown_client_are_refused_alike() {
    let world = World::start().await;
    let mut bodies = Vec::new();
    for authorization in [
        basic("cli_shop", "wrong"),
        basic("cli_nobody", "wrong"),
        basic("cli_shop", ""),
        basic("cli_shop", "%00"),
        "Basic !!!".to_owned(),
        "Bearer x".to_owned(),
        String::new(),
    ] {
        let answer = world.form("/api/oauth/token", &authorization, GRANT).await;
        assert_eq!(error(&answer), (401, "invalid_client".to_owned()));
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"payrig\""));
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

#[actix_web::test]
async fn wrong_secrets_and_too_many_calls_have_to_wait() {
    let world = World::start().await;
    for client in ["cli_shop", "cli_nobody"] {
        let wrong = basic(client, "wrong");
        for _ in 0..5 {
            let answer = world.form("/api/oauth/token", &wrong, GRANT).await;
            assert_eq!(answer.status, 401);
        }
        let answer = world.form("/api/oauth/token", &wrong, GRANT).await;
        assert_eq!(answer.status, 429, "{client}");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(world.form("/api/oauth/token", &shop(), GRANT).await.status, 429);
    world.advance(Duration::from_mins(1)).await;
    for _ in 0..60 {
        assert_eq!(world.form("/api/oauth/token", &shop(), GRANT).await.status, 200);
    }
    assert_eq!(world.form("/api/oauth/token", &shop(), GRANT).await.status, 429);
    world.advance(Duration::from_mins(1)).await;
    assert_eq!(world.form("/api/oauth/token", &shop(), GRANT).await.status, 200);
}

async fn introspected(world: &World, authorization: &str, token: &str) -> Value {
    let body = format!("token={token}");
    let answer = world.form("/api/oauth/introspect", authorization, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[actix_web::test]
async fn a_token_can_be_looked_into_and_taken_back() {
    let world = World::start().await;
    let token = world.token("shop", "payments:read").await;
    let found = introspected(&world, &shop(), &token).await;
    assert_eq!((&found["active"], &found["scope"]), (&true.into(), &"payments:read".into()));
    assert_eq!(
        (&found["client_id"], &found["aud"]),
        (&"cli_shop".into(), &"http://127.0.0.1:1/api".into())
    );
    assert_eq!(found["exp"].as_i64().unwrap() - found["iat"].as_i64().unwrap(), 900);
    assert_eq!(
        introspected(&world, &shop(), "pra_unknown").await,
        serde_json::json!({"active": false})
    );
    let anonymous = world.form("/api/oauth/introspect", "", &format!("token={token}")).await;
    assert_eq!(error(&anonymous), (401, "invalid_client".to_owned()));
    let list = |world: &World| Signed::new(world, "GET", "/api/payments", None).bearer(&token);
    // Another client cannot take it back, and learns nothing.
    let other = basic("cli_playground", "secret-of-the-playground");
    let body = format!("token={token}&token_type_hint=access_token");
    assert_eq!(world.form("/api/oauth/revoke", &other, &body).await.status, 200);
    assert_eq!(world.call(&list(&world)).await.status, 200);
    assert_eq!(world.form("/api/oauth/revoke", &shop(), &body).await.status, 200);
    assert_eq!(world.call(&list(&world)).await.refusal(), (401, "token_invalid".to_owned()));
    assert_eq!(introspected(&world, &shop(), &token).await["active"], false);
    assert_eq!(world.form("/api/oauth/revoke", &shop(), &body).await.status, 200, "again");
    assert_eq!(error(&world.form("/api/oauth/revoke", &shop(), "").await).0, 400);
    let wire = world.sandbox("GET", "/_sandbox/wire", None).await;
    assert!(!wire.body.contains(&token), "no token in the wire log");
    assert!(!wire.body.contains(SHOP_SECRET));
}

#[actix_web::test]
async fn the_server_describes_itself() {
    let world = World::start().await;
    let answer = world.send("GET", "/.well-known/oauth-authorization-server", &[], "").await;
    let found = answer.json();
    assert_eq!(found["issuer"], "http://127.0.0.1:1");
    assert_eq!(found["token_endpoint"], "http://127.0.0.1:1/api/oauth/token");
    assert_eq!(found["grant_types_supported"], serde_json::json!(["client_credentials"]));
    assert_eq!(
        found["token_endpoint_auth_methods_supported"],
        serde_json::json!(["client_secret_basic"])
    );
}
