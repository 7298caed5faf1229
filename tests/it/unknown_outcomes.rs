//! A lost, late or unreadable answer ends in exactly one of paid or reversed.

use payrig_tests::world::World;
use serde_json::{Value, json};

/// What a fault on a link does to a payment, after everything has come to rest.
async fn outcome(program: &str, fault: Value) -> (Value, World) {
    let world = World::start().await;
    world.fault(program, fault).await;
    let reference = "ord-unknown";
    let pay = world.begin_payment("4242424242424242", 4999, "EUR", reference).await;
    world.advance("10m").await;
    let _ = pay.await;
    world.settle().await;
    let payment = world.payment_by_reference(reference).await;
    (payment, world)
}

fn is_paid(payment: &Value) -> bool {
    payment["status"] == "captured"
        && payment["amounts"]["captured"] == 4999
        && payment["amounts"]["reversed"] == 0
}

fn is_reversed(payment: &Value) -> bool {
    payment["status"] == "failed"
        && payment["amounts"]["captured"] == 0
        && payment["failure"]["code"] == "timeout_reversed"
        && payment["reversal_state"] == "acked"
}

/// Refused before it was processed: nothing to reverse, another try is safe.
fn was_never_processed(payment: &Value) -> bool {
    payment["status"] == "requires_payment_method"
        && payment["failure"]["code"] == "processing_error"
        && payment["amounts"]["authorized"] == 0
}

async fn ends_in_one_of_paid_or_reversed(program: &str, fault: Value) {
    let (payment, world) = outcome(program, fault.clone()).await;
    let refused_unread = fault["do"] == "corrupt_signature" && was_never_processed(&payment);
    assert!(refused_unread || is_paid(&payment) != is_reversed(&payment), "{fault}: {payment:#}");
    assert_eq!(payment["outcome_unknown"], false, "{fault}");
    let held = world.open_holds().await;
    assert!(is_paid(&payment) || held == 0, "{fault}: {held} held");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn every_damage_to_an_authorization_between_gateway_and_processor_is_resolved() {
    for damage in [
        json!("drop_request"),
        json!("drop_response"),
        json!({"delay_response": "45s"}),
        json!({"delay_request": "45s"}),
        json!({"status": 503}),
        json!({"reset": "response"}),
        json!({"truncate": 40}),
        json!("corrupt_signature"),
        json!({"duplicate": 3}),
    ] {
        let fault = json!({"on": "gateway->processor", "match": {"type": "authorization"},
            "times": 1, "do": damage});
        ends_in_one_of_paid_or_reversed("gateway", fault).await;
    }
}

#[actix_web::test]
async fn every_damage_between_processor_network_and_issuer_is_resolved() {
    for link in ["processor->network", "network->issuer"] {
        for damage in [
            json!("drop_request"),
            json!("drop_response"),
            json!({"delay_response": "30s"}),
            json!("corrupt_signature"),
            json!({"duplicate": 2}),
        ] {
            let world = World::start().await;
            let fault =
                json!({"on": link, "match": {"type": "authorization"}, "times": 1, "do": damage});
            world.fault("processor-sim", fault.clone()).await;
            let pay = world.begin_payment("4242424242424242", 4999, "EUR", "ord-hop").await;
            world.advance("10m").await;
            let _ = pay.await;
            world.settle().await;
            let payment = world.payment_by_reference("ord-hop").await;
            let declined = payment["status"] == "requires_payment_method"
                || (payment["status"] == "failed" && payment["amounts"]["captured"] == 0);
            assert!(is_paid(&payment) || declined, "{fault}: {payment:#}");
            assert_eq!(payment["outcome_unknown"], false, "{fault}");
            world.assert_invariants().await;
        }
    }
}

#[actix_web::test]
async fn a_lost_answer_is_found_out_by_an_inquiry_and_the_payment_is_paid() {
    let fault = json!({"on": "gateway->processor", "match": {"type": "authorization"}, "times": 1,
        "do": "drop_response"});
    let (payment, _world) = outcome("gateway", fault).await;
    assert!(is_paid(&payment), "{payment:#}");
    assert_eq!(payment["attempts"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn when_the_inquiry_is_lost_too_the_payment_is_reversed() {
    let world = World::start().await;
    world
        .faults(
            "gateway",
            json!([
                {"on": "gateway->processor", "match": {"type": "authorization"}, "times": 1,
                 "do": "drop_response"},
                {"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "drop_request"},
                {"on": "gateway->processor", "match": {"type": "reversal"}, "times": 2,
                 "do": "drop_response"}
            ]),
        )
        .await;
    let pay = world.begin_payment("4242424242424242", 4999, "EUR", "ord-reversed").await;
    world.advance("21s").await;
    let payment = world.payment_by_reference("ord-reversed").await;
    assert_eq!(payment["status"], "processing", "{payment:#}");
    assert_eq!(payment["outcome_unknown"], true);
    world.advance("30m").await;
    let _ = pay.await;
    let payment = world.payment_by_reference("ord-reversed").await;
    assert!(is_reversed(&payment), "{payment:#}");
    assert_eq!(world.open_holds().await, 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_lost_answer_of_the_gateway_to_the_shop_creates_one_payment() {
    let world = World::start().await;
    world
        .fault(
            "merchant",
            json!({"on": "merchant->gateway", "match": {"type": "api"}, "times": 1,
                "do": "drop_response"}),
        )
        .await;
    let ordering = world.begin_order("tea-42", 1).await;
    world.advance("2m").await;
    let order = ordering.await.unwrap();
    assert_eq!(order.status, 201, "{}", order.text());
    let reference = order.json()["id"].as_str().unwrap().to_owned();
    let listed = world.api("shop").get(&format!("/payments?order_reference={reference}")).await;
    assert_eq!(listed.json()["data"].as_array().unwrap().len(), 1, "{}", listed.text());
    world.assert_invariants().await;
}

#[actix_web::test]
async fn the_slow_and_lost_cards_end_as_their_rows_say() {
    for (number, status, code) in [
        ("4000010040010002", "captured", None),
        ("4000010040020001", "requires_payment_method", Some("issuer_unavailable")),
        ("4000010040030000", "requires_payment_method", Some("issuer_unavailable")),
        ("4000010040040009", "failed", Some("timeout_reversed")),
        ("4000010040050008", "captured", None),
        ("4000010040060007", "failed", Some("timeout_reversed")),
        ("4000010040070006", "failed", Some("timeout_reversed")),
        ("4000010040080005", "captured", None),
    ] {
        let world = World::start().await;
        let pay = world.begin_payment(number, 4999, "EUR", "ord-slow").await;
        world.advance("20m").await;
        let _ = pay.await;
        let payment = world.payment_by_reference("ord-slow").await;
        assert_eq!(payment["status"], status, "{number}: {payment:#}");
        if let Some(code) = code {
            assert_eq!(payment["failure"]["code"], code, "{number}");
        }
        world.assert_invariants().await;
    }
}
