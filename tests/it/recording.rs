//! What is done by hand becomes a scenario that passes, and that fails when something else is expected.

use payrig::recording::{Recorded, scenario};
use payrig_tests::payer::CardTyped;
use payrig_tests::world::World;
use serde_json::{Value, json};

/// What `payrig record` would read of a world in which one order was paid.
async fn recorded(world: &World, order: &str) -> Recorded {
    world.settle().await;
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    for program in ["gateway", "merchant", "processor-sim"] {
        let wire = world.sandbox(program, "GET", "/wire?limit=1000", Value::Null).await.json();
        let all = wire["entries"].as_array().unwrap().iter();
        entries.extend(all.map(|entry| serde_json::from_value(entry.clone()).unwrap()));
        let armed = world.sandbox(program, "GET", "/faults", Value::Null).await.json();
        let all = armed["faults"].as_array().unwrap().iter();
        faults.extend(all.map(|it| serde_json::from_value(it["fault"].clone()).unwrap()));
    }
    let api = world.api("shop");
    let listed = api.get(&format!("/payments?order_reference={order}")).await.json();
    let mut payments = listed["data"].as_array().unwrap().clone();
    payments.sort_by_key(|payment| payment["created_at"].to_string());
    let key = world.keys.world.sandbox_key.clone();
    let url = format!("{}/api/orders/{order}", world.shop);
    let answer = world.http.send("GET", &url, &[("sandbox-key", key.as_str())], "").await;
    let order = (answer.status == 200).then(|| answer.json());
    Recorded { order, payments, entries, faults }
}

/// Plays a file; what is said when it fails.
async fn play(source: &str) -> String {
    let path = "recorded.scenario.yaml";
    let read = scenario::model::parse(path, source).unwrap_or_else(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(|it| it.render(path, source)).collect();
        panic!("{}\n{source}", told.join("\n"))
    });
    let clock = kit::clock::Clock::virtual_at(read.start);
    let world = payrig::world::World::start(clock, 99).await.unwrap();
    let options = scenario::runner::Options { seed: 99, ..Default::default() };
    let report = scenario::runner::play(&world, &read, &read.cases[0], options, &|_| {}).await;
    world.stop();
    scenario::report::failure(&report, &read)
}

/// Somebody buys tea by hand: an answer is lost, the inquiry too, the payment is taken back, and a
/// second try goes well.
async fn purchase_with_a_lost_answer_and_a_retry(world: &World) -> String {
    let lost = json!({
        "on": "gateway->processor", "match": {"type": "authorization"}, "times": 1,
        "do": "drop_response",
    });
    let silent =
        json!({"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "drop_request"});
    world.faults("gateway", json!([lost, silent])).await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    world.advance("4s").await;
    let card = CardTyped::new("4000010000000001");
    let page = payer.open(&order.checkout_url).await;
    payer.pay(&page, card).await;
    world.advance("5m").await;
    assert_eq!(world.payment_of(&order.id).await["status"], "failed");
    let url = format!("{}/api/orders/{}/payments", world.shop, order.id);
    let key = world.keys.world.sandbox_key.clone();
    let headers = [("sandbox-key", key.as_str()), ("content-type", "application/json")];
    let again = world.http.send("POST", &url, &headers, "{}").await.json();
    world.advance("12s").await;
    let page = payer.open(again["checkout_url"].as_str().unwrap()).await;
    payer.pay(&page, card).await;
    world.settle().await;
    assert_eq!(world.order_status(&order.id).await, "paid");
    order.id
}

#[actix_web::test]
async fn a_purchase_by_hand_with_a_lost_answer_and_a_retry_runs_green_at_once() {
    let world = World::start().await;
    let order = purchase_with_a_lost_answer_and_a_retry(&world).await;
    let source = scenario(&recorded(&world, &order).await).unwrap();
    for words in [
        "do: drop_response",
        "type: inquiry",
        "advance: 4s",
        "card: visa.ok",
        "outcome: pending",
        "${again_1.checkout_url}",
        "body.failure.code: timeout_reversed",
        "body.status: paid",
    ] {
        assert!(source.contains(words), "{words} is missing:\n{source}");
    }
    let failure = play(&source).await;
    assert!(failure.is_empty(), "{failure}\n{source}");
}

#[actix_web::test]
async fn a_recording_fails_with_a_clear_message_when_one_expectation_is_changed() {
    let world = World::start().await;
    let order = purchase_with_a_lost_answer_and_a_retry(&world).await;
    let source = scenario(&recorded(&world, &order).await).unwrap();
    let changed = source.replace("body.status: paid", "body.status: canceled");
    assert_ne!(source, changed);
    let failure = play(&changed).await;
    for words in [
        "\"The order is as it was left\"",
        "expected \"canceled\", got \"paid\"",
        "body.status: canceled",
        "gateway → processor",
        "payrig run recorded.scenario.yaml",
    ] {
        assert!(failure.contains(words), "{words} is missing:\n{failure}");
    }
}

#[actix_web::test]
async fn a_payment_over_the_api_with_a_capture_and_a_refund_is_recorded_too() {
    let world = World::start().await;
    let paid = world.pay("4000010000000001", 2500, "EUR").await;
    let (id, order) = (paid["id"].as_str().unwrap(), paid["order_reference"].as_str().unwrap());
    world.advance("1h").await;
    let path = format!("/payments/{id}/refunds");
    let refund = world.api("shop").post(&path, json!({"amount": 500})).await;
    assert_eq!(refund.status, 201, "{}", refund.text());
    world.settle().await;
    let source = scenario(&recorded(&world, order).await).unwrap();
    assert!(source.contains("body.amounts.refunded: 500"), "{source}");
    let failure = play(&source).await;
    assert!(failure.is_empty(), "{failure}\n{source}");
}
