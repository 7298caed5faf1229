//! How often the API may be called, and from where.

use std::time::Duration;

use clap::Parser;
use gateway::domain::caps::{Caps, OverCap};
use gateway::domain::rates::Rate;
use gateway::settings::{LimitProfile, Limits};
use gateway::{CommandLine, Settings};
use serde_json::json;

use crate::signed::Signed;
use crate::world::{Answer, World, basic};

/// A call of the playground, which need not sign, through a proxy that names its caller.
async fn call_for(world: &World, token: &str, caller: &str) -> Answer {
    let headers =
        [("authorization", format!("Bearer {token}")), ("x-forwarded-for", caller.to_owned())];
    world.send("GET", "/api/payments", &headers, "").await
}

async fn call(world: &World, token: &str) -> Answer {
    call_for(world, token, "").await
}

fn said(answer: &Answer) -> (u16, String, Option<&str>) {
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, code, answer.header("retry-after"))
}

fn slow_down(wait: &str) -> (u16, String, Option<&str>) {
    (429, "rate_exceeded".to_owned(), Some(wait))
}

#[actix_web::test]
async fn a_client_that_calls_too_often_waits_and_goes_on() {
    let rate = Rate { per_second: 2, burst: 4 };
    let world = World::start_with(|it| it.limits.api = Some(rate)).await;
    let token = world.token("playground", "").await;
    for _ in 0..4 {
        assert_eq!(call(&world, &token).await.status, 200);
    }
    let answer = call(&world, &token).await;
    assert_eq!(said(&answer), slow_down("1"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("wait"), "{}", answer.body);
    world.advance(Duration::from_millis(500)).await;
    assert_eq!(call(&world, &token).await.status, 200);
    assert_eq!(said(&call(&world, &token).await), slow_down("1"));
    // Who has no token at all is counted by address, too.
    world.advance(Duration::from_millis(500)).await;
    assert_eq!(call(&world, "pra_nobody").await.status, 401);
    assert_eq!(said(&call(&world, "pra_nobody").await), slow_down("1"));
}

#[actix_web::test]
async fn clients_and_addresses_are_counted_by_themselves() {
    let change = |it: &mut Settings| {
        it.limits.api = Some(Rate { per_second: 1, burst: 2 });
        it.ip_lists.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    };
    let world = World::start_with(change).await;
    let token = world.token("playground", "").await;
    for caller in ["203.0.113.1", "203.0.113.2"] {
        assert_eq!(call_for(&world, &token, caller).await.status, 200, "{caller}");
    }
    let answer = call_for(&world, &token, "203.0.113.3").await;
    assert_eq!(said(&answer), slow_down("1"), "the client has used up its burst");
    let shop = world.shop("GET", "/api/payments", None).await;
    assert_eq!(shop.status, 200, "another client has its own: {}", shop.body);
}

#[actix_web::test]
async fn a_refused_call_that_is_signed_gets_a_signed_answer_and_changes_nothing() {
    let rate = Rate { per_second: 1, burst: 1 };
    let world = World::start_with(|it| it.limits.api = Some(rate)).await;
    let token = world.token("shop", "").await;
    let body = json!({"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "ord_1"});
    let order = |key: &str| {
        let signed = Signed::new(&world, "POST", "/api/payments", Some(&body.to_string()));
        signed.bearer(&token).idempotent(key)
    };
    assert_eq!(world.call(&order("key-1")).await.status, 201);
    let answer = world.call(&order("key-2")).await;
    assert_eq!(said(&answer), slow_down("1"));
    assert!(answer.header("signature").is_some());
    world.advance(Duration::from_secs(1)).await;
    assert_eq!(world.call(&order("key-2")).await.status, 201, "the key was not used up");
}

#[actix_web::test]
async fn the_strict_profile_holds_the_token_endpoint_to_ten_a_minute() {
    let world = World::start_with(|it| it.limits = Limits::of(LimitProfile::Strict)).await;
    let grant = "grant_type=client_credentials";
    let basic = basic("cli_shop", "secret-of-the-shop");
    for _ in 0..10 {
        assert_eq!(world.form("/api/oauth/token", &basic, grant).await.status, 200);
    }
    assert_eq!(world.form("/api/oauth/token", &basic, grant).await.status, 429);
    world.advance(Duration::from_mins(1)).await;
    assert_eq!(world.form("/api/oauth/token", &basic, grant).await.status, 200);
}

#[actix_web::test]
async fn only_addresses_that_are_allowed_and_not_denied_are_let_in() {
    let change = |it: &mut Settings| {
        let lists = &mut it.ip_lists;
        lists.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        lists.allow = vec!["127.0.0.1".parse().unwrap(), "203.0.113.0/24".parse().unwrap()];
        lists.deny = vec!["203.0.113.7".parse().unwrap()];
    };
    let world = World::start_with(change).await;
    let token = world.token("playground", "").await;
    for (caller, admitted) in [
        ("203.0.113.1", true),
        ("::ffff:203.0.113.1", true),
        ("203.0.113.7", false),
        ("::ffff:203.0.113.7", false),
        ("198.51.100.1", false),
        // What a caller says of itself before the proxy is not believed.
        ("203.0.113.1, 198.51.100.1", false),
    ] {
        let answer = call_for(&world, &token, caller).await;
        let refused = (403, "ip_not_allowed".to_owned(), None);
        let good = (200, String::new(), None);
        assert_eq!(said(&answer), if admitted { good } else { refused }, "{caller}");
    }
    let headers = [
        ("authorization", basic("cli_shop", "secret-of-the-shop")),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("x-forwarded-for", "198.51.100.1".to_owned()),
    ];
    let grant = "grant_type=client_credentials";
    let answer = world.send("POST", "/api/oauth/token", &headers, grant).await;
    assert_eq!(said(&answer), (403, "ip_not_allowed".to_owned(), None));
    // Payers come from anywhere: their pages are not behind the lists.
    let forwarded = [("x-forwarded-for", "198.51.100.1".to_owned())];
    assert_eq!(world.send("GET", "/dashboard/login", &forwarded, "").await.status, 200);
}

#[actix_web::test]
async fn without_trusted_proxies_nobody_names_another_address() {
    let deny = vec!["203.0.113.7".parse().unwrap()];
    let world = World::start_with(|it| it.ip_lists.deny = deny).await;
    let token = world.token("playground", "").await;
    assert_eq!(call_for(&world, &token, "203.0.113.7").await.status, 200);
    let deny = vec!["127.0.0.0/8".parse().unwrap()];
    let world = world.restart_with(|it| it.ip_lists.deny = deny).await;
    let answer = call_for(&world, &token, "203.0.113.1").await;
    assert_eq!(said(&answer), (403, "ip_not_allowed".to_owned(), None));
}

/// The settings of a command line, or what is said about it.
fn flags(line: &str) -> Result<Settings, String> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    let read = CommandLine::try_parse_from(std::iter::once("gateway").chain(words));
    let mut settings = Settings::in_memory(crate::world::keys(), "http://127.0.0.1:2", "");
    let read = read.map_err(|error| error.to_string())?;
    read.flags.rules(&mut settings).map_err(|error| error.to_string())?;
    Ok(settings)
}

#[test]
fn flags_set_each_limit_and_the_strict_profile_all_of_them() {
    let limits = flags("").unwrap().limits;
    assert_eq!((limits.caps, limits.api, limits.token_per_minute), (Caps::default(), None, 60));
    let limits = flags("--limits strict --cap-card-day 7 --over-cap review").unwrap().limits;
    let caps = Caps {
        payment: Some(1_000_000),
        card_day: Some(7),
        merchant_day: Some(100_000_000),
        over: OverCap::Review,
    };
    let api = Some(Rate { per_second: 100, burst: 200 });
    assert_eq!((limits.caps, limits.api, limits.token_per_minute), (caps, api, 10));
    let api = flags("--api-rate 5").unwrap().limits.api;
    assert_eq!(api, Some(Rate { per_second: 5, burst: 10 }));
    let lists = flags("--ip-deny 10.0.0.0/8,::1 --ip-allow 0.0.0.0/0").unwrap().ip_lists;
    assert_eq!((lists.deny.len(), lists.allow.len(), lists.trusted_proxies.len()), (2, 1, 0));
    assert_eq!(lists.deny[1].to_string(), "::1/128");
}

#[test]
fn what_cannot_be_a_limit_is_named_with_what_to_write() {
    for (line, parts) in [
        ("--ip-deny 10.0.0.1/8", ["10.0.0.1/8", "--ip-deny", "write 10.0.0.0/8"]),
        ("--ip-allow 10.0.0.0/33", ["10.0.0.0/33", "--ip-allow", "at most 32 bits"]),
        ("--trusted-proxies proxy", ["proxy", "--trusted-proxies", "expected an address"]),
        ("--over-cap ask", ["ask", "--over-cap", "`refuse` or `review`"]),
        ("--cap-payment 0", ["cap_payment", "= 0", "expected 1 or more"]),
        ("--api-burst 9", ["api_burst", "= 9", "set `api_rate` too"]),
    ] {
        let said = flags(line).unwrap_err();
        for part in parts {
            assert!(said.contains(part), "{line}: {said}");
        }
    }
}
