//! Further worlds in one process: apart from each other, limited, and gone when their time is over.

use kit::clock::Clock;
use payrig::worlds::{Refusal, WORLDS_MAX, Wish, Worlds};
use payrig_tests::http::Http;
use serde_json::{Value, json};
use wire::time::Timestamp;

fn wish(wish: Value) -> Wish {
    serde_json::from_value(wish).unwrap()
}

fn worlds() -> (Worlds, Clock) {
    let clock = Clock::virtual_at(Timestamp::from_seconds(1_768_471_200));
    (Worlds::new(clock.clone(), 7070), clock)
}

/// Asks the control plane of the gateway of a world.
async fn gateway(world: &Value, method: &str, path: &str, key: &str, body: Value) -> (u16, Value) {
    let base = world["api"].as_str().unwrap().trim_end_matches("/api");
    let headers = [("sandbox-key", key), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let url = format!("{base}/_sandbox/{path}");
    let answer = Http::default().send(method, &url, &headers, body).await;
    (answer.status, answer.json())
}

#[actix_web::test]
async fn two_worlds_share_nothing() {
    let (worlds, _) = worlds();
    let clock = json!({"clock": "virtual"});
    let one = worlds.start(wish(clock.clone())).await.unwrap();
    let other = worlds.start(wish(json!({"clock": "virtual", "seed": 7}))).await.unwrap();
    for key in ["shop", "api", "processor", "sandbox_key", "merchant_id"] {
        assert_ne!(one[key], other[key], "{key}");
    }
    let (key, other_key) =
        (one["sandbox_key"].as_str().unwrap(), other["sandbox_key"].as_str().unwrap());
    let fault = json!({"faults": [{"on": "gateway->processor", "do": "drop_request"}]});
    assert_eq!(gateway(&one, "POST", "faults", key, fault.clone()).await.0, 201);
    assert_eq!(gateway(&other, "POST", "faults", key, fault).await.0, 401);
    let (_, armed) = gateway(&other, "GET", "faults", other_key, Value::Null).await;
    assert_eq!(armed["faults"], json!([]), "faults stay in their world");
    let advance = json!({"advance": "1d"});
    assert_eq!(gateway(&one, "POST", "clock", key, advance).await.0, 200);
    let (_, still) = gateway(&other, "GET", "clock", other_key, Value::Null).await;
    assert_eq!(still["now"], "2026-01-15T10:00:00.000Z", "time stays in its world");
    let ids: Vec<String> = worlds.list().into_iter().map(|world| world.id).collect();
    assert_eq!(ids.len(), 2);
    for id in ids {
        worlds.end(&id).await.unwrap();
    }
    assert!(worlds.list().is_empty());
    let http = Http::default();
    let gone = http.try_send("GET", one["shop"].as_str().unwrap(), &[], String::new()).await;
    assert!(gone.is_err(), "a world that has ended still answers");
}

#[actix_web::test]
async fn a_world_ends_when_its_time_is_over() {
    let (worlds, clock) = worlds();
    let world = worlds.start(wish(json!({"ttl": "10m"}))).await.unwrap();
    let id = world["world"]["id"].as_str().unwrap().to_owned();
    assert_eq!(worlds.environment(&id).unwrap(), world);
    clock.advance(std::time::Duration::from_mins(10)).unwrap();
    worlds.ended(&id).await;
    assert!(worlds.list().is_empty());
    assert_eq!(worlds.end(&id).await, Err(Refusal::Unknown(id)));
}

#[actix_web::test]
async fn one_world_too_many_is_refused_with_what_to_do() {
    let (worlds, _) = worlds();
    for seed in 0..WORLDS_MAX {
        worlds.start(wish(json!({"seed": seed, "ttl": "30m"}))).await.unwrap();
    }
    let refused = worlds.start(Wish::default()).await.unwrap_err().to_string();
    assert!(refused.contains("16 worlds are up"), "{refused}");
    assert!(refused.contains("ends at 2026-01-15T10:30:00.000Z"), "{refused}");
    assert!(refused.contains("payrig world rm"), "{refused}");
    let first = worlds.list().remove(0).id;
    worlds.end(&first).await.unwrap();
    worlds.start(Wish::default()).await.unwrap();
}

#[actix_web::test]
async fn a_world_has_the_settings_it_was_given() {
    let (worlds, _) = worlds();
    let settings = json!({"gateway.attempts_max": 1, "processor-sim.issuer_deadline": "3s"});
    worlds.start(wish(json!({"settings": settings}))).await.unwrap();
    for (settings, words) in [
        (json!({"gateway.atempts_max": 1}), "--atempts-max"),
        (json!({"gateway.attempts_max": "many"}), "many"),
        (json!({"bank.deadline": "1s"}), "names no program"),
    ] {
        let refused = worlds.start(wish(json!({"settings": settings}))).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
    assert_eq!(worlds.list().len(), 1, "what did not start takes no place");
}
