//! Amount caps: of one payment, of a card and a day, of the account and a day.

use std::time::Duration;

use crate::scripted::{Answer, GOOD_CARD, OTHER_CARD, Says, World, payment_body};
use futures_util::future::join_all;
use gateway::Settings;
use gateway::domain::caps::OverCap;
use kit::sqlite::Location;
use serde_json::{Value, json};

const THIRD_CARD: &str = "4000010000000001";

/// One payment is 100.00: a card pays two and a half on a day, the account takes four.
fn capped(settings: &mut Settings) {
    settings.limits.caps.payment = Some(20_000);
    settings.limits.caps.card_day = Some(25_000);
    settings.limits.caps.merchant_day = Some(40_000);
}

fn reviewed(settings: &mut Settings) {
    capped(settings);
    settings.limits.caps.over = OverCap::Review;
}

async fn capped_world() -> World {
    World::start_with(Location::Memory, capped).await
}

/// Pays 100.00 with a card.
async fn pay(world: &World, number: &str) -> Answer {
    let id = world.create("automatic").await;
    let answer = world.confirm(&id, number).await;
    world.settle().await;
    answer
}

fn said(answer: &Answer) -> (u16, String, Value, Value) {
    let part = |name: &str| answer.body[name].clone();
    (answer.status, answer.code(), part("reason"), part("left"))
}

fn refused(reason: &str, left: i64) -> (u16, String, Value, Value) {
    (422, "cap_exceeded".to_owned(), json!(reason), json!(left))
}

#[tokio::test]
async fn a_payment_above_the_cap_is_not_created() {
    let world = capped_world().await;
    let body = |value: i64| {
        let mut body = payment_body(&world.fresh_key(), "manual");
        body["amount"]["value"] = json!(value);
        body
    };
    assert_eq!(world.post("/payments", body(20_000)).await.status, 201);
    let answer = world.post("/payments", body(20_001)).await;
    assert_eq!(said(&answer), refused("payment", 20_000));
    assert_eq!((&answer.body["param"], &answer.body["asked"]), (&json!("amount"), &json!(20_001)));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("at most 20000") && detail.contains("ask for less"), "{detail}");
    assert_eq!(world.get("/payments").await.body["data"].as_array().unwrap().len(), 1);
    world.check_invariants().await;
}

#[tokio::test]
async fn a_card_pays_no_more_than_its_day_leaves_and_a_refusal_uses_nothing_up() {
    let world = capped_world().await;
    let first = pay(&world, GOOD_CARD).await;
    assert_eq!((first.status, pay(&world, GOOD_CARD).await.status), (200, 200));
    let id = world.create("automatic").await;
    let token = world.card_token(GOOD_CARD).await;
    let path = format!("/payments/{id}/confirm");
    let body = json!({ "card_token": token });
    let answer = world.post_with_key(&path, body.clone(), "once").await;
    assert_eq!(said(&answer), refused("card_day", 5_000));
    assert_eq!(world.post_with_key(&path, body.clone(), "once").await.bytes, answer.bytes);
    assert_eq!(world.events(&id).await, ["payment.created"]);
    assert_eq!(world.processor.seen("authorization").len(), 2, "nothing was sent");
    let other = world.create("automatic").await;
    assert_eq!(world.confirm(&other, OTHER_CARD).await.status, 200, "another card pays");
    world.settle().await;
    // What is given back no longer counts, and the token was not used up.
    let void = world.post(&format!("/payments/{}/void", first.id()), json!({})).await;
    assert_eq!(void.status, 200, "{}", void.body);
    let again = world.post(&path, body).await;
    assert_eq!((again.status, again.body["status"].as_str()), (200, Some("captured")));
    world.settle().await;
    world.check_invariants().await;
}

#[tokio::test]
async fn what_was_declined_does_not_count_and_what_is_unknown_does() {
    let world = capped_world().await;
    for _ in 0..3 {
        world.processor.script("authorization", Says::Code("51"));
        let id = world.create("automatic").await;
        assert_eq!(world.confirm(&id, GOOD_CARD).await.status, 200);
    }
    assert_eq!(pay(&world, GOOD_CARD).await.body["status"], json!("captured"));
    world.fault(json!([{"on": "gateway->processor", "match": {"type": "authorization"},
        "times": 1, "do": "drop_request"}]));
    let id = world.create("automatic").await;
    let token = json!({ "card_token": world.card_token(GOOD_CARD).await });
    let path = format!("/payments/{id}/confirm");
    let lost = async {
        while world.payment(&id).await["status"] != "processing" {
            tokio::task::yield_now().await;
        }
        world.settle().await;
        world.clock.advance(Duration::from_secs(20)).unwrap();
    };
    let (unknown, ()) = tokio::join!(world.post(&path, token), lost);
    assert_eq!(unknown.body["outcome_unknown"], json!(true));
    assert_eq!(said(&pay(&world, GOOD_CARD).await), refused("card_day", 5_000));
    world.advance_seconds(2).await;
    assert_eq!(world.status(&id).await, "failed");
    assert_eq!(pay(&world, GOOD_CARD).await.status, 200, "it was reversed");
    world.check_invariants().await;
}

#[tokio::test]
async fn at_midnight_utc_the_day_begins_anew() {
    let world = capped_world().await;
    for card in [GOOD_CARD, GOOD_CARD, OTHER_CARD, OTHER_CARD] {
        assert_eq!(pay(&world, card).await.status, 200);
    }
    assert_eq!(said(&pay(&world, THIRD_CARD).await), refused("merchant_day", 0));
    // The world begins at ten in the morning.
    world.jump(Duration::from_secs(14 * 3600 - 10)).await;
    assert_eq!(said(&pay(&world, THIRD_CARD).await), refused("merchant_day", 0));
    world.jump(Duration::from_secs(10)).await;
    assert_eq!(pay(&world, GOOD_CARD).await.status, 200);
    world.check_invariants().await;
}

#[tokio::test]
async fn of_many_at_once_only_those_pass_that_fit() {
    let world = capped_world().await;
    assert_eq!(pay(&world, GOOD_CARD).await.status, 200);
    let mut tokens = Vec::new();
    for _ in 0..8 {
        tokens.push((world.create("automatic").await, world.card_token(GOOD_CARD).await));
    }
    let calls = tokens.iter().map(|(id, token)| {
        let path = format!("/payments/{id}/confirm");
        let world = &world;
        async move { world.post(&path, json!({ "card_token": token })).await }
    });
    let answers = join_all(calls).await;
    world.settle().await;
    let paid = answers.iter().filter(|it| it.status == 200).count();
    let capped = answers.iter().filter(|it| said(it) == refused("card_day", 5_000)).count();
    assert_eq!((paid, capped), (1, 7));
    assert_eq!(world.processor.seen("authorization").len(), 2);
    world.check_invariants().await;
}

#[tokio::test]
async fn an_increment_counts_and_is_refused_like_a_payment() {
    let world = capped_world().await;
    let mut body = payment_body(&world.fresh_key(), "manual");
    body["estimated"] = json!(true);
    body["mcc"] = json!("7011");
    body["card_token"] = json!(world.card_token(GOOD_CARD).await);
    body["confirm"] = json!(true);
    let id = world.post("/payments", body).await.id();
    let path = format!("/payments/{id}/increment");
    let over = world.post(&path, json!({"amount": 10_001})).await;
    assert_eq!(said(&over), refused("payment", 20_000));
    let raised = world.post(&path, json!({"amount": 9_000})).await;
    assert_eq!((raised.status, &raised.body["amounts"]["authorized"]), (200, &json!(19_000)));
    assert_eq!(said(&pay(&world, GOOD_CARD).await), refused("card_day", 6_000));
    let void = world.post(&format!("/payments/{id}/void"), json!({"amount": 15_000})).await;
    assert_eq!(void.status, 200, "{}", void.body);
    world.settle().await;
    assert_eq!(pay(&world, GOOD_CARD).await.status, 200);
    world.check_invariants().await;
}

#[tokio::test]
async fn each_currency_is_counted_by_itself() {
    let world = capped_world().await;
    for _ in 0..2 {
        assert_eq!(pay(&world, GOOD_CARD).await.status, 200);
    }
    let mut body = payment_body(&world.fresh_key(), "automatic");
    body["amount"]["currency"] = json!("USD");
    let id = world.post("/payments", body).await.id();
    assert_eq!(world.confirm(&id, GOOD_CARD).await.status, 200);
}

#[tokio::test]
async fn the_day_is_counted_anew_at_every_start() {
    let directory = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gateway-caps");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let world = World::start_with(Location::File(directory.join("gateway.db")), capped).await;
    for _ in 0..2 {
        assert_eq!(pay(&world, GOOD_CARD).await.status, 200);
    }
    let world = world.restart().await;
    assert_eq!(said(&pay(&world, GOOD_CARD).await), refused("card_day", 5_000));
}

#[tokio::test]
async fn over_a_cap_of_the_day_a_person_decides_where_that_is_set() {
    let world = World::start_with(Location::Memory, reviewed).await;
    for _ in 0..2 {
        let view = pay(&world, GOOD_CARD).await.body;
        assert_eq!((&view["status"], &view["review"]), (&json!("captured"), &Value::Null));
    }
    let held = pay(&world, GOOD_CARD).await;
    assert_eq!((held.status, held.body["status"].as_str()), (200, Some("authorized")));
    assert_eq!(held.body["review"], json!("cap_exceeded"));
    assert_eq!(world.processor.seen("capture").len(), 2, "nothing is captured");
    let events = world.get(&format!("/events?payment={}", held.id())).await.body.to_string();
    assert!(events.contains("\"review\":\"cap_exceeded\""), "{events}");
    let taken = world.post(&format!("/payments/{}/capture", held.id()), json!({})).await;
    assert_eq!((taken.status, taken.body["status"].as_str()), (200, Some("captured")));
    assert_eq!(taken.body["review"], Value::Null);
    let held = pay(&world, GOOD_CARD).await;
    let void = world.post(&format!("/payments/{}/void", held.id()), json!({})).await;
    assert_eq!((void.status, void.body["status"].as_str()), (200, Some("canceled")));
    world.settle().await;
    let mut large = payment_body(&world.fresh_key(), "automatic");
    large["amount"]["value"] = json!(20_001);
    let large = world.post("/payments", large).await;
    assert_eq!(said(&large), refused("payment", 20_000), "the cap of a payment is never reviewed");
    world.check_invariants().await;
}
