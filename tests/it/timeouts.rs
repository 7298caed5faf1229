//! Timeouts and duplicates: each row of the catalogue's group C, looked at from all three sides.

use crate::ladder::messages;
use payrig_tests::world::World;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";
const STAND_IN: &str = "4000010040010002";
const NO_STAND_IN: &str = "4000010040020001";
const LATE: &str = "4000010040030000";
const LOST: &str = "4000010040040009";
const JUST_IN_TIME: &str = "4000010040050008";
const REVERSAL_LOST: &str = "4000010040060007";
const TWICE: &str = "4000010040080005";
const CAPTURE_LOST: &str = "4000010050020008";
const REFUND_LOST: &str = "4000010050040006";

/// One payment of 49.99, with faults in place, after `time` has passed.
async fn after(number: &str, faults: Value, time: &str) -> (World, Value) {
    let world = World::start().await;
    for (program, faults) in faults.as_object().unwrap() {
        world.faults(program, faults.clone()).await;
    }
    let pay = world.begin_payment(number, 4999, "EUR", "row").await;
    world.advance(time).await;
    let _ = pay.await;
    world.settle().await;
    let payment = world.payment_by_reference("row").await;
    (world, payment)
}

fn said(payment: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    (text(&payment["status"]), text(&payment["failure"]["code"]))
}

fn is(status: &str, code: &str) -> (String, String) {
    (status.to_owned(), code.to_owned())
}

async fn at_the_bank(world: &World, kind: &str) -> Vec<String> {
    messages(world, "network->issuer", kind).await
}

#[actix_web::test]
async fn c1_the_network_stands_in_and_its_advice_makes_the_hold() {
    let (world, payment) = after(STAND_IN, json!({}), "5m").await;
    assert_eq!(said(&payment), is("captured", "none"));
    assert_eq!(at_the_bank(&world, "authorization_advice").await, ["0120 1002 4999 00"]);
    assert_eq!(world.open_holds().await, 4999);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c2_without_stand_in_the_network_declines_and_takes_back() {
    let (world, payment) = after(NO_STAND_IN, json!({}), "5m").await;
    assert_eq!(said(&payment), is("requires_payment_method", "issuer_unavailable"));
    assert_eq!(payment["failure"]["response_code"], "91");
    assert_eq!(at_the_bank(&world, "reversal").await, ["0420 4021 0 25"]);
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c3_a_bank_that_approves_late_is_linked_with_the_stand_in() {
    let late = json!({"processor-sim": [{"on": "network->issuer",
        "match": {"type": "authorization"}, "times": 1, "do": {"delay_response": "9s"}}]});
    let (world, payment) = after(VISA, late, "5m").await;
    assert_eq!(said(&payment), is("captured", "none"));
    assert_eq!(at_the_bank(&world, "authorization_advice").await, ["0120 1002 4999 00"]);
    assert_eq!(world.open_holds().await, 4999, "one hold");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c4_a_bank_that_approves_after_the_decline_is_reversed() {
    let (world, payment) = after(LATE, json!({}), "5m").await;
    assert_eq!(said(&payment), is("requires_payment_method", "issuer_unavailable"));
    assert_eq!(at_the_bank(&world, "reversal").await, ["0420 4021 0 00"]);
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c5_an_approval_that_nobody_can_find_out_is_reversed() {
    let (world, payment) = after(LOST, json!({}), "20m").await;
    assert_eq!(said(&payment), is("failed", "timeout_reversed"));
    assert_eq!(payment["reversal_state"], "acked");
    let inquiries = messages(&world, "gateway->processor", "inquiry").await;
    assert_eq!(inquiries, ["0600 603 4999 --"]);
    let reversals = messages(&world, "gateway->processor", "reversal").await;
    assert_eq!(reversals, ["0400 4021 0 00"]);
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c6_an_approval_that_an_inquiry_finds_is_kept() {
    let lost = json!({"gateway": [{"on": "gateway->processor",
        "match": {"type": "authorization"}, "times": 1, "do": "drop_response"}]});
    let (world, payment) = after(VISA, lost, "5m").await;
    assert_eq!(said(&payment), is("captured", "none"));
    assert!(messages(&world, "gateway->processor", "reversal").await.is_empty());
    assert_eq!(world.open_holds().await, 4999);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c7_a_silent_network_is_reversed_by_the_processor() {
    for (lost, code) in [("drop_request", "25"), ("drop_response", "00")] {
        let silent = json!({"processor-sim": [{"on": "processor->network",
            "match": {"type": "authorization"}, "times": 1, "do": lost}]});
        let (world, payment) = after(VISA, silent, "20m").await;
        assert_eq!(said(&payment), is("failed", "timeout_reversed"), "{lost}");
        let asked = messages(&world, "gateway->processor", "authorization").await;
        assert_eq!(asked, ["0100 100 4999 68"], "{lost}");
        let owed = messages(&world, "processor->network", "reversal").await;
        assert!(owed.first().is_some_and(|it| it.ends_with(code)), "{lost}: {owed:?}");
        assert_eq!(world.open_holds().await, 0, "{lost}");
        world.assert_invariants().await;
    }
}

#[actix_web::test]
async fn c8_a_reversal_that_overtakes_its_request_buries_it() {
    let slow = json!({"gateway": [{"on": "gateway->processor",
        "match": {"type": "authorization"}, "times": 1, "do": {"delay_request": "45s"}}]});
    let (world, payment) = after(VISA, slow, "20m").await;
    assert_eq!(said(&payment), is("failed", "timeout_reversed"));
    let reversals = messages(&world, "gateway->processor", "reversal").await;
    assert_eq!(reversals, ["0400 4021 0 25"]);
    assert!(at_the_bank(&world, "authorization").await.is_empty(), "it never got through");
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c9_a_reversal_is_repeated_until_it_is_answered_and_moves_money_once() {
    let (world, payment) = after(REVERSAL_LOST, json!({}), "30m").await;
    assert_eq!(said(&payment), is("failed", "timeout_reversed"));
    let sent = messages(&world, "gateway->processor", "reversal").await;
    let types: Vec<&str> = sent.iter().map(|it| it.get(..4).unwrap()).collect();
    assert_eq!(types, ["0400", "0401", "0420", "0421"]);
    assert_eq!(sent.last().unwrap(), "0421 4021 0 00");
    assert_eq!(at_the_bank(&world, "reversal").await.len(), 1, "reversed once");
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c10_a_target_that_is_down_for_two_hours_is_reversed_when_it_is_back() {
    let world = World::start().await;
    let down = json!([
        {"on": "gateway->processor", "match": {"type": "authorization"}, "times": 1,
         "do": "drop_response"},
        {"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "drop_request"},
        {"on": "gateway->processor", "match": {"type": "reversal"}, "do": "drop_request"}
    ]);
    world.faults("gateway", down).await;
    let pay = world.begin_payment(VISA, 4999, "EUR", "row").await;
    world.advance("5m").await;
    let _ = pay.await;
    let waiting = world.payment_by_reference("row").await;
    assert_eq!(said(&waiting), is("failed", "timeout_reversed"));
    assert_eq!(waiting["reversal_state"], "pending");
    let told = waiting["failure"]["message"].as_str().unwrap().to_lowercase();
    assert!(!told.contains("not charged") && !told.contains("no money"), "{told}");
    world.advance("2h").await;
    assert_eq!(world.open_holds().await, 4999, "until it is acknowledged");
    world.sandbox("gateway", "DELETE", "/faults", Value::Null).await;
    world.advance("90m").await;
    assert_eq!(world.payment_by_reference("row").await["reversal_state"], "acked");
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c10_a_reversal_that_nobody_takes_is_left_to_a_person_who_tries_again() {
    let world = World::start().await;
    let down = json!([
        {"on": "gateway->processor", "match": {"type": "authorization"}, "times": 1,
         "do": "drop_response"},
        {"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "drop_request"},
        {"on": "gateway->processor", "match": {"type": "reversal"}, "do": "drop_request"}
    ]);
    world.faults("gateway", down).await;
    let pay = world.begin_payment(VISA, 4999, "EUR", "row").await;
    world.advance("26h").await;
    let _ = pay.await;
    world.api("shop").forget_token().await;
    assert_eq!(world.payment_by_reference("row").await["reversal_state"], "parked");
    let listed = world.sandbox("gateway", "GET", "/exceptions", Value::Null).await.json();
    let parked = &listed["data"][0];
    assert_eq!(parked["kind"], "reversal_parked", "{listed:#}");
    assert_eq!(parked["amount"], json!({"value": 4999, "currency": "EUR"}));
    world.sandbox("gateway", "DELETE", "/faults", Value::Null).await;
    let path = format!("/reversals/{}/requeue", parked["reversal"].as_str().unwrap());
    let again = world.sandbox("gateway", "POST", &path, json!({})).await;
    assert_eq!(again.status, 204, "{}", again.text());
    world.advance("1m").await;
    assert_eq!(world.payment_by_reference("row").await["reversal_state"], "acked");
    assert_eq!(world.open_holds().await, 0);
    let twice = world.sandbox("gateway", "POST", &path, json!({})).await;
    assert_eq!((twice.status, &twice.json()["code"]), (409, &json!("not_parked")));
    let listed = world.sandbox("gateway", "GET", "/exceptions", Value::Null).await.json();
    assert_eq!(listed["data"], json!([]));
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c11_c12_a_double_click_pays_once() {
    let world = World::start().await;
    let (first, second) = (world.token(VISA).await, world.token(VISA).await);
    let body = |token: &str| {
        json!({"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "row",
            "card_token": token, "confirm": true})
    };
    let api = world.api("shop");
    let one = api.post_with_key("/payments", body(&first), "key-double").await;
    let same = api.post_with_key("/payments", body(&first), "key-double").await;
    assert_eq!((one.status, one.json()["id"].clone()), (same.status, same.json()["id"].clone()));
    let other = api.post("/payments", body(&second)).await;
    assert_eq!((other.status, &other.json()["code"]), (409, &json!("order_already_paid")));
    assert_eq!(at_the_bank(&world, "authorization").await, ["0100 100 4999 00"]);
    assert_eq!(world.open_holds().await, 4999);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c13_c21_copies_of_a_request_and_of_its_answer_change_nothing() {
    let copies = json!({"gateway": [{"on": "gateway->processor",
        "match": {"type": "authorization"}, "times": 1, "do": {"duplicate": 3}}]});
    for (number, faults) in [(VISA, copies), (TWICE, json!({}))] {
        let (world, payment) = after(number, faults, "5m").await;
        assert_eq!(said(&payment), is("captured", "none"), "{number}");
        assert_eq!(at_the_bank(&world, "authorization").await, ["0100 100 4999 00"], "{number}");
        assert_eq!(world.open_holds().await, 4999, "{number}");
        world.assert_invariants().await;
    }
}

#[actix_web::test]
async fn c17_a_capture_without_an_answer_is_sent_again_and_counts_once() {
    let (world, payment) = after(CAPTURE_LOST, json!({}), "10m").await;
    assert_eq!(said(&payment), is("captured", "none"));
    assert_eq!(payment["captures"][0]["status"], "succeeded");
    let sent = messages(&world, "gateway->processor", "capture").await;
    assert_eq!(sent, ["0220 201 4999 --", "0221 201 4999 00"]);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c18_a_refund_without_an_answer_is_given_once() {
    let (world, payment) = after(REFUND_LOST, json!({}), "1m").await;
    let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    let api = world.api("shop");
    let refund = tokio::task::spawn(async move { api.post(&path, json!({})).await });
    tokio::task::yield_now().await;
    world.advance("10m").await;
    assert_eq!(refund.await.unwrap().json()["status"], "pending");
    let payment = world.payment_by_reference("row").await;
    assert_eq!(payment["refunds"][0]["status"], "succeeded", "{payment:#}");
    assert_eq!(payment["amounts"]["refunded"], 4999);
    assert_eq!(at_the_bank(&world, "refund").await.len(), 1, "one credit");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c19_an_answer_just_before_the_deadline_counts() {
    let (world, payment) = after(JUST_IN_TIME, json!({}), "1m").await;
    assert_eq!(said(&payment), is("captured", "none"));
    assert!(at_the_bank(&world, "authorization_advice").await.is_empty());
    assert_eq!(world.open_holds().await, 4999);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn c20_what_cannot_be_read_or_believed_is_no_answer() {
    for damage in [json!({"truncate": 40}), json!({"reset": "response"}), json!({"status": 503})] {
        let damaged = json!({"gateway": [
            {"on": "gateway->processor", "match": {"type": "authorization"}, "times": 1,
             "do": damage},
            {"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "drop_request"}
        ]});
        let (world, payment) = after(VISA, damaged, "20m").await;
        assert_eq!(said(&payment), is("failed", "timeout_reversed"), "{damage}");
        assert_eq!(payment["reversal_state"], "acked", "{damage}");
        assert_eq!(world.open_holds().await, 0, "{damage}");
        world.assert_invariants().await;
    }
}

#[actix_web::test]
async fn c22_an_approval_of_another_amount_is_a_mismatch_and_taken_back() {
    let other = json!({"gateway": [{"on": "gateway->processor",
        "match": {"type": "authorization"}, "times": 1, "do": {"answer": {"amount": 4998, "auth_code": "7K2P9A"}}}]});
    let (world, payment) = after(VISA, other, "5m").await;
    assert_eq!(said(&payment), is("failed", "amount_mismatch"));
    let reversals = messages(&world, "gateway->processor", "reversal").await;
    assert!(reversals.first().is_some_and(|it| it.starts_with("0400 4005 0")), "{reversals:?}");
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}
