//! Captures, voids, refunds and expiry of what was authorized.

use std::time::Duration;

use crate::scripted::{GOOD_CARD, Says, World};
use serde_json::{Value, json};

fn amounts(payment: &Value) -> String {
    let of = |name: &str| payment["amounts"][name].as_i64().unwrap();
    format!(
        "{} authorized {} captured {} reversed {} refunded {}",
        payment["status"].as_str().unwrap(),
        of("authorized"),
        of("captured"),
        of("reversed"),
        of("refunded")
    )
}

#[tokio::test]
async fn a_payment_is_captured_in_parts_and_the_last_one_releases_the_rest() {
    let world = World::start().await;
    let id = world.paid("manual").await;
    let path = format!("/payments/{id}/capture");
    let first = world.post(&path, json!({"amount": 3_000})).await;
    assert_eq!(
        amounts(&first.body),
        "partially_captured authorized 10000 captured 3000 reversed 0 refunded 0"
    );
    let above = world.post(&path, json!({"amount": 7_001})).await;
    assert_eq!(
        (above.status, above.code().as_str(), above.body["left"].as_i64()),
        (422, "amount_too_large", Some(7_000))
    );
    let last = world.post(&path, json!({"amount": 4_000, "final": true})).await;
    assert_eq!(
        amounts(&last.body),
        "captured authorized 10000 captured 7000 reversed 3000 refunded 0"
    );
    world.settle().await;
    let captures = world.processor.seen("capture");
    assert!(captures.iter().all(|it| it.function_code.as_deref() == Some("202")));
    let [reversal] = world.processor.seen("reversal").try_into().unwrap();
    assert_eq!(reversal.function_code.as_deref(), Some("401"));
    assert_eq!(reversal.reason_code.as_deref(), Some("4004"));
    assert_eq!(reversal.replacement_amount.unwrap().get(), 7_000);
    assert_eq!(world.post(&path, json!({})).await.code(), "amount_too_large");
    assert_eq!(world.post(&path, json!({"amount": 0})).await.code(), "amount_too_large");
    world.check_invariants().await;
}

#[tokio::test]
async fn an_authorization_is_voided_in_parts_or_in_full() {
    let world = World::start().await;
    let id = world.paid("manual").await;
    let path = format!("/payments/{id}/void");
    let part = world.post(&path, json!({"amount": 4_000})).await;
    assert_eq!(
        amounts(&part.body),
        "authorized authorized 10000 captured 0 reversed 4000 refunded 0"
    );
    let rest = world.post(&path, json!({})).await;
    assert_eq!(
        amounts(&rest.body),
        "canceled authorized 10000 captured 0 reversed 10000 refunded 0"
    );
    world.settle().await;
    let remains: Vec<_> = world
        .processor
        .seen("reversal")
        .iter()
        .map(|it| (it.reason_code.clone().unwrap(), it.replacement_amount.unwrap().get()))
        .collect();
    assert_eq!(remains, [("4000".to_owned(), 6_000), ("4000".to_owned(), 0)]);
    assert_eq!(world.post(&path, json!({})).await.code(), "payment_canceled");
    assert_eq!(world.payment(&id).await["reversal_state"], "acked");
    world.check_invariants().await;
}

#[tokio::test]
async fn captured_money_that_is_still_queued_can_be_voided_and_refunded_money_cannot() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let voided = world.post(&format!("/payments/{id}/void"), json!({})).await;
    assert_eq!(
        amounts(&voided.body),
        "canceled authorized 10000 captured 0 reversed 10000 refunded 0"
    );
    assert_eq!(voided.body["captures"][0]["status"], "withdrawn");
    world.settle().await;
    assert_eq!(world.processor.holds(), 0);
    let id = world.paid("automatic").await;
    world.post(&format!("/payments/{id}/refunds"), json!({"amount": 1})).await;
    let refused = world.post(&format!("/payments/{id}/void"), json!({})).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "already_refunded"));
    world.check_invariants().await;
}

#[tokio::test]
async fn a_capture_that_has_left_for_clearing_is_not_voided() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let path = format!("/payments/{id}/void");
    world.processor.script("inquiry", Says::Code("21"));
    assert_eq!(world.post(&path, json!({})).await.code(), "already_submitted");
    assert_eq!(world.payment(&id).await["status"], "captured");
    assert!(world.processor.seen("reversal").is_empty());
    // Whoever cannot be asked decides nothing.
    world.processor.script("inquiry", Says::Status(503));
    let unknown = world.post(&path, json!({})).await;
    assert_eq!((unknown.status, unknown.code()), (503, "unavailable".to_owned()));
    assert_eq!(world.payment(&id).await["status"], "captured");
    assert_eq!(world.post(&path, json!({})).await.body["status"], "canceled");
    world.settle().await;
    world.check_invariants().await;
}

#[tokio::test]
async fn a_capture_on_its_way_is_not_overtaken_by_its_reversal() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.processor.script("capture", Says::Silence);
    world.confirm(&id, GOOD_CARD).await;
    world.settle().await;
    let voided = world.post(&format!("/payments/{id}/void"), json!({})).await;
    assert_eq!(voided.body["status"], "canceled");
    world.settle().await;
    assert_eq!(world.processor.types(), ["0100", "0220", "0600"]);
    world.advance_seconds(25).await;
    assert_eq!(world.processor.types(), ["0100", "0220", "0600", "0400"]);
    assert_eq!(world.payment(&id).await["reversal_state"], "acked");
    world.check_invariants().await;
}

#[tokio::test]
async fn an_authorization_expires_at_the_end_of_its_window() {
    let world = World::start().await;
    let id = world.paid("manual").await;
    let before = world.payment(&id).await["capture_before"].as_str().unwrap().to_owned();
    assert_eq!(before, "2026-12-02T10:00:00.000Z", "ten days for Visa");
    world.jump(Duration::from_hours(10 * 24)).await;
    assert_eq!(world.status(&id).await, "expired");
    let [advice] = world.processor.seen("reversal").try_into().unwrap();
    assert_eq!((advice.mti.as_str(), advice.reason_code.as_deref()), ("0420", Some("4351")));
    let late = world.post(&format!("/payments/{id}/capture"), json!({})).await;
    assert_eq!((late.status, late.code().as_str()), (409, "payment_expired"));
    assert_eq!(world.events(&id).await.last().unwrap(), "payment.expired");
    world.check_invariants().await;
}

#[tokio::test]
async fn a_page_that_is_not_used_is_canceled_and_so_is_a_payment_that_is_given_up() {
    let world = World::start().await;
    let (unused, given_up) = (world.create("automatic").await, world.create("automatic").await);
    let canceled = world.post(&format!("/payments/{given_up}/cancel"), json!({})).await;
    assert_eq!((canceled.status, canceled.body["status"].as_str()), (200, Some("canceled")));
    world.advance_seconds(30 * 60).await;
    assert_eq!(world.status(&unused).await, "canceled");
    assert_eq!(world.confirm(&unused, GOOD_CARD).await.code(), "payment_canceled");
    let paid = world.paid("automatic").await;
    let refused = world.post(&format!("/payments/{paid}/cancel"), json!({})).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "payment_already_paid"));
    world.check_invariants().await;
}

#[tokio::test]
async fn captured_money_is_refunded_in_parts_and_never_more_than_that() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let path = format!("/payments/{id}/refunds");
    let part = world.post(&path, json!({"amount": 4_000, "reason": "One cup was broken"})).await;
    assert_eq!((part.status, part.body["status"].as_str()), (201, Some("succeeded")));
    assert_eq!(part.body["payment"], json!(id));
    let above = world.post(&path, json!({"amount": 6_001})).await;
    assert_eq!((above.status, above.code().as_str()), (422, "amount_too_large"));
    let rest = world.post(&path, json!({})).await;
    assert_eq!(rest.body["amount"]["value"], 6_000);
    assert_eq!(
        amounts(&world.payment(&id).await),
        "captured authorized 10000 captured 10000 reversed 0 refunded 10000"
    );
    let read = world.get(&format!("/refunds/{}", part.id())).await;
    assert_eq!(read.body, part.body);
    let refunds = world.processor.seen("refund");
    assert!(refunds.iter().all(|it| it.pan.is_some() && it.cvv.is_none() && it.original.is_some()));
    assert_eq!(
        world.events(&id).await[3..],
        ["refund.created", "refund.succeeded", "refund.created", "refund.succeeded"]
    );
    world.check_invariants().await;
}

#[tokio::test]
async fn a_refund_that_is_declined_leaves_its_money_refundable() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    world.processor.script("refund", Says::Code("46"));
    let path = format!("/payments/{id}/refunds");
    let failed = world.post(&path, json!({})).await;
    assert_eq!((failed.status, failed.body["status"].as_str()), (201, Some("failed")));
    assert_eq!(failed.body["failure"]["code"], "account_closed");
    assert_eq!(world.post(&path, json!({})).await.body["status"], "succeeded");
    world.check_invariants().await;
}

#[tokio::test]
async fn a_refund_without_an_answer_is_asked_after_and_given_once() {
    for (lost, expected) in [
        ("drop_response", vec!["0100", "0220", "0100", "0600"]),
        ("drop_request", vec!["0100", "0220", "0600", "0101"]),
    ] {
        let world = World::start().await;
        let id = world.paid("automatic").await;
        world.fault(json!([{"on": "gateway->processor", "match": {"type": "refund"},
            "times": 1, "do": lost}]));
        let path = format!("/payments/{id}/refunds");
        let refund = world.post(&path, json!({"amount": 2_500}));
        let wait = async {
            while world.payment(&id).await["refunds"] == json!([]) {
                tokio::task::yield_now().await;
            }
            world.settle().await;
            world.clock.advance(Duration::from_secs(20)).unwrap();
        };
        let (pending, ()) = tokio::join!(refund, wait);
        assert_eq!(pending.body["status"], "pending");
        let above = world.post(&path, json!({"amount": 7_501})).await;
        assert_eq!(above.code(), "amount_too_large", "what may be given counts as given");
        world.advance_seconds(5).await;
        let types: Vec<_> = world.processor.types();
        assert_eq!(types, expected, "{lost}");
        let read = world.get(&format!("/refunds/{}", pending.id())).await;
        assert_eq!(read.body["status"], "succeeded");
        world.check_invariants().await;
    }
}

#[tokio::test]
async fn a_refund_is_taken_back_before_the_cut_off() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let refund = world.post(&format!("/payments/{id}/refunds"), json!({})).await.id();
    let reversed = world.post(&format!("/refunds/{refund}/cancel"), json!({})).await;
    assert_eq!((reversed.status, reversed.body["status"].as_str()), (200, Some("reversed")));
    world.settle().await;
    let [message] = world.processor.seen("reversal").try_into().unwrap();
    assert_eq!(message.processing_code.as_deref(), Some("200000"));
    assert_eq!(
        amounts(&world.payment(&id).await),
        "captured authorized 10000 captured 10000 reversed 0 refunded 0"
    );
    let again = world.post(&format!("/refunds/{refund}/cancel"), json!({})).await;
    assert_eq!((again.status, again.code().as_str()), (409, "refund_not_cancelable"));
    world.check_invariants().await;
}

#[tokio::test]
async fn what_is_not_captured_or_too_old_is_not_refunded() {
    let world = World::start().await;
    let id = world.paid("manual").await;
    let path = format!("/payments/{id}/refunds");
    assert_eq!(world.post(&path, json!({})).await.code(), "not_captured");
    world.post(&format!("/payments/{id}/capture"), json!({})).await;
    world.settle().await;
    world.jump(Duration::from_hours(181 * 24)).await;
    let late = world.post(&path, json!({})).await;
    assert_eq!((late.status, late.code().as_str()), (422, "refund_window_closed"));
    world.check_invariants().await;
}

#[tokio::test]
async fn a_refund_waits_for_the_capture_that_is_on_its_way() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.fault(json!([{"on": "gateway->processor", "match": {"type": "capture"},
        "times": 1, "do": {"delay_response": "3s"}}]));
    world.confirm(&id, GOOD_CARD).await;
    let path = format!("/payments/{id}/refunds");
    let refund = world.post(&path, json!({}));
    let wait = async {
        world.settle().await;
        world.clock.advance(Duration::from_secs(3)).unwrap();
    };
    let (refund, ()) = tokio::join!(refund, wait);
    assert_eq!((refund.status, refund.body["status"].as_str()), (201, Some("succeeded")));
    world.check_invariants().await;
}
