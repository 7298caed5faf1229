//! Things that happen at the same instant have exactly one winner.

use futures_util::future::join_all;
use payrig_tests::world::World;
use serde_json::{Value, json};

async fn authorized(world: &World) -> String {
    let token = world.token("4242424242424242").await;
    let body = json!({"amount": {"value": 10_000, "currency": "EUR"},
        "order_reference": format!("ref-{token}"), "card_token": token, "confirm": true,
        "capture": "manual"});
    let answer = world.api("shop").post("/payments", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn read(world: &World, id: &str) -> Value {
    world.api("shop").get(&format!("/payments/{id}")).await.json()
}

fn amounts(payment: &Value) -> [i64; 2] {
    ["captured", "reversed"].map(|name| payment["amounts"][name].as_i64().unwrap())
}

#[actix_web::test]
async fn j10_capture_void_and_expiry_at_the_same_instant_have_one_winner() {
    for round in 0..5_u64 {
        let world = World::start().await;
        let id = authorized(&world).await;
        let api = world.api("shop");
        // Tokens end long before the window does.
        let before: wire::time::Timestamp =
            read(&world, &id).await["capture_before"].as_str().unwrap().parse().unwrap();
        let margin = std::time::Duration::from_millis(1 + round % 3);
        let wait = before.minus(margin).since(world.clock.now());
        world.advance(&format!("{}ms", wait.as_millis())).await;
        api.forget_token().await;
        api.token().await;
        let call = |verb: &'static str| {
            let (api, path) = (api.clone(), format!("/payments/{id}/{verb}"));
            async move { api.post(&path, json!({})).await }
        };
        let clock = world.clock.clone();
        let expiry = async move {
            for _ in 0..round * 60 {
                tokio::task::yield_now().await;
            }
            clock.advance_to(before).unwrap();
        };
        let (capture, void, ()) = if round % 2 == 0 {
            let (capture, void, expiry) = tokio::join!(call("capture"), call("void"), expiry);
            (capture, void, expiry)
        } else {
            let (void, capture, expiry) = tokio::join!(call("void"), call("capture"), expiry);
            (capture, void, expiry)
        };
        world.advance("1h").await;
        let payment = read(&world, &id).await;
        let status = payment["status"].as_str().unwrap().to_owned();
        let won = [capture.status == 200, void.status == 200, status == "expired"];
        // A void of what was just captured takes the capture along: then both were done, in turn.
        let in_turn = won == [true, true, false] && status == "canceled";
        let one = won.iter().filter(|won| **won).count() == 1;
        assert!(one || in_turn, "round {round}: {won:?} {payment:#}");
        let expected = match status.as_str() {
            "captured" => [10_000, 0],
            "canceled" | "expired" => [0, 10_000],
            other => panic!("round {round}: {other}"),
        };
        assert_eq!(amounts(&payment), expected, "round {round}: {payment:#}");
        let held = world.open_holds().await;
        assert!(status == "captured" || held == 0, "round {round}: {held} held");
        world.assert_invariants().await;
    }
}

#[actix_web::test]
async fn j9_a_thousand_authorizations_at_once_on_funds_for_ten() {
    let world = World::start().await;
    let card = json!({"kind": "debit", "whole_units": 10, "expiry": "12/30"});
    let issued = world.sandbox("processor-sim", "POST", "/cards", card).await;
    assert!(issued.status < 300, "{}", issued.text());
    let number = issued.json()["number"].as_str().unwrap().to_owned();
    let api = world.api("shop");
    api.token().await;
    let (mut authorized, mut declined) = (0, 0);
    // In waves: a test has as many files open as it may.
    for wave in 0..10 {
        let tokens = join_all((0..100).map(|_| world.token(&number))).await;
        let calls = tokens.into_iter().enumerate().map(|(n, token)| {
            let api = api.clone();
            let body = json!({"amount": {"value": 100, "currency": "EUR"},
                "order_reference": format!("crowd-{wave}-{n}"), "card_token": token,
                "confirm": true, "capture": "manual"});
            async move { api.post("/payments", body).await.json() }
        });
        for payment in join_all(calls).await {
            match payment["status"].as_str() {
                Some("authorized") => authorized += 1,
                Some("requires_payment_method") => {
                    assert_eq!(payment["failure"]["code"], "insufficient_funds", "{payment:#}");
                    declined += 1;
                }
                _ => panic!("{payment:#}"),
            }
        }
    }
    assert_eq!((authorized, declined), (10, 990));
    assert_eq!(world.open_holds().await, 1_000);
    world.assert_invariants().await;
}
