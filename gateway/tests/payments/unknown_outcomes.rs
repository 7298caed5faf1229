//! Answers that never come: inquiry, reversal, and exactly one outcome.

use std::time::Duration;

use crate::scripted::{GOOD_CARD, Says, World};
use serde_json::{Value, json};

/// Confirms in the background and moves the clock past the deadline.
async fn lose(world: &World, id: &str) -> Value {
    let token = world.card_token(GOOD_CARD).await;
    let path = format!("/payments/{id}/confirm");
    let confirm = world.post(&path, json!({ "card_token": token }));
    let wait = async {
        // The call has to be on its way before its deadline can pass.
        while world.payment(id).await["status"] != "processing" {
            tokio::task::yield_now().await;
        }
        world.settle().await;
        world.clock.advance(Duration::from_secs(20)).unwrap();
    };
    let (answer, ()) = tokio::join!(confirm, wait);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn a_lost_answer_is_found_by_inquiry() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.fault(json!([{"on": "gateway->processor", "match": {"type": "authorization"},
        "times": 1, "do": "drop_response"}]));
    let unknown = lose(&world, &id).await;
    assert_eq!(unknown["status"], "processing");
    assert_eq!(unknown["outcome_unknown"], true);
    world.settle().await;
    assert_eq!(world.processor.types(), ["0100"], "the inquiry has its time");
    world.advance_seconds(2).await;
    assert_eq!(world.processor.types(), ["0100", "0600", "0220"]);
    let read = world.payment(&id).await;
    assert_eq!(
        (read["status"].as_str(), read["outcome_unknown"].as_bool()),
        (Some("captured"), Some(false))
    );
    assert_eq!(read["attempts"][0]["auth_code"], "7K2P9A");
    assert_eq!(
        world.events(&id).await,
        ["payment.created", "payment.processing", "payment.processing", "payment.captured"]
    );
    assert_eq!(world.processor.holds(), 1);
    world.check_invariants().await;
}

#[tokio::test]
async fn a_lost_request_is_reversed_and_fails() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.fault(json!([{"on": "gateway->processor", "match": {"type": "authorization"},
        "times": 1, "do": "drop_request"}]));
    lose(&world, &id).await;
    world.advance_seconds(2).await;
    assert_eq!(world.processor.types(), ["0600", "0400"]);
    let [reversal] = world.processor.seen("reversal").try_into().unwrap();
    assert_eq!(reversal.reason_code.as_deref(), Some("4021"));
    let read = world.payment(&id).await;
    assert_eq!(read["status"], "failed");
    assert_eq!(read["failure"]["code"], "timeout_reversed");
    assert_eq!(read["attempts"][0]["state"], "reversed");
    assert_eq!(read["reversal_state"], "acked");
    assert_eq!(
        world.events(&id).await,
        ["payment.created", "payment.processing", "payment.processing", "payment.failed"]
    );
    world.check_invariants().await;
}

#[tokio::test]
async fn answers_that_cannot_be_believed_are_no_answers() {
    for says in [Says::Status(503), Says::Garbage] {
        let world = World::start().await;
        let id = world.create("automatic").await;
        world.processor.script("authorization", says.clone());
        let unknown = world.confirm(&id, GOOD_CARD).await;
        assert_eq!(unknown.body["outcome_unknown"], true, "{says:?}");
        world.advance_seconds(2).await;
        let expected = if matches!(says, Says::Garbage) { "captured" } else { "failed" };
        assert_eq!(world.status(&id).await, expected, "{says:?}");
        world.check_invariants().await;
    }
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.fault(json!([{"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "corrupt_signature"}]));
    world.fault(json!([{"on": "gateway->processor", "match": {"type": "authorization"}, "do": {"reset": "response"}}]));
    let unknown = world.confirm(&id, GOOD_CARD).await;
    assert_eq!(unknown.body["outcome_unknown"], true);
    world.advance_seconds(30).await;
    assert_eq!(world.status(&id).await, "failed");
    assert_eq!(world.processor.holds(), 0);
    world.check_invariants().await;
}

#[tokio::test]
async fn what_was_refused_unread_or_never_sent_is_no_unknown_outcome() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.processor.script("authorization", Says::Status(401));
    let declined = world.confirm(&id, GOOD_CARD).await;
    assert_eq!(declined.body["status"], "requires_payment_method");
    assert_eq!(declined.body["failure"]["code"], "processing_error");
    assert_eq!(world.confirm(&id, GOOD_CARD).await.body["status"], "captured");
}

#[tokio::test]
async fn a_reversal_is_repeated_until_it_is_acknowledged() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.fault(json!([
        {"on": "gateway->processor", "match": {"type": "authorization"}, "do": "drop_response"},
        {"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "drop_response"},
        {"on": "gateway->processor", "match": {"type": "reversal"}, "times": 3, "do": "drop_response"},
    ]));
    lose(&world, &id).await;
    world.advance_seconds(2 + 20 + 20).await;
    assert_eq!(world.payment(&id).await["outcome_unknown"], true);
    world.advance_seconds(200).await;
    let types: Vec<_> = world.processor.seen("reversal").iter().map(|it| it.mti.as_str()).collect();
    assert_eq!(types, ["0400", "0401", "0420", "0421"]);
    let repeats: Vec<_> = world.processor.seen("reversal").iter().map(|it| it.repeat_no).collect();
    assert_eq!(repeats, [0, 1, 2, 3]);
    let times: std::collections::BTreeSet<_> =
        world.processor.seen("reversal").iter().map(|it| it.transmission_at).collect();
    assert_eq!(times.len(), 1, "one identity over all repeats");
    let read = world.payment(&id).await;
    assert_eq!(
        (read["status"].as_str(), read["reversal_state"].as_str()),
        (Some("failed"), Some("acked"))
    );
    assert_eq!(world.processor.holds(), 0);
    world.check_invariants().await;
}

#[tokio::test]
async fn after_the_resolve_limit_the_payment_fails_with_its_reversal_pending() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.fault(json!([
        {"on": "gateway->processor", "match": {"type": "authorization"}, "do": "drop_request"},
        {"on": "gateway->processor", "match": {"type": "inquiry"}, "do": "drop_request"},
        {"on": "gateway->processor", "match": {"type": "reversal"}, "do": "drop_request"},
    ]));
    lose(&world, &id).await;
    world.advance_seconds(2 + 20 + 60).await;
    let read = world.payment(&id).await;
    assert_eq!(
        (read["status"].as_str(), read["reversal_state"].as_str()),
        (Some("failed"), Some("pending"))
    );
    assert_eq!(
        read["failure"]["message"], "We are checking with your bank. Please do not pay again.",
        "that nothing was charged is not certain yet"
    );
    world.check_invariants().await;
    world.plumbing.faults.clear_all();
    world.advance_seconds(3 * 3600).await;
    assert_eq!(world.payment(&id).await["reversal_state"], "acked");
    assert_eq!(world.events(&id).await.iter().filter(|it| *it == "payment.failed").count(), 1);
    world.check_invariants().await;
}

#[tokio::test]
async fn a_reversal_that_is_never_acknowledged_is_left_to_a_person_after_a_day() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.fault(json!([{"on": "gateway->processor", "do": "drop_request"}]));
    lose(&world, &id).await;
    world.advance(Duration::from_hours(26)).await;
    assert_eq!(world.payment(&id).await["reversal_state"], "parked");
    world.check_invariants().await;
}

#[tokio::test]
async fn a_processor_that_does_not_know_either_is_asked_until_it_does() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.processor.script("authorization", Says::Code("68"));
    let unknown = world.confirm(&id, GOOD_CARD).await;
    assert_eq!(unknown.body["outcome_unknown"], true);
    world.advance_seconds(60).await;
    let asked = world.processor.seen("inquiry").len();
    assert!((5..=8).contains(&asked), "{asked}");
    assert_eq!(world.payment(&id).await["outcome_unknown"], true);
    world.advance_seconds(120).await;
    let read = world.payment(&id).await;
    assert_eq!(
        (read["status"].as_str(), read["failure"]["code"].as_str()),
        (Some("failed"), Some("timeout_reversed"))
    );
    world.check_invariants().await;
}

#[tokio::test]
async fn a_capture_that_is_not_answered_is_sent_again_under_the_same_identity() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    world.processor.script("capture", Says::Status(503));
    world.processor.script("capture", Says::Code("96"));
    let paid = world.confirm(&id, GOOD_CARD).await;
    assert_eq!(paid.body["captures"][0]["status"], "pending");
    world.advance_seconds(120).await;
    let captures = world.processor.seen("capture");
    let types: Vec<_> = captures.iter().map(|it| it.mti.as_str()).collect();
    assert_eq!(types, ["0220", "0221", "0221"]);
    assert!(captures.iter().all(|it| it.stan == captures[0].stan));
    assert_eq!(world.payment(&id).await["captures"][0]["status"], "succeeded");
    world.check_invariants().await;
}

#[tokio::test]
async fn a_capture_that_is_refused_fails_and_can_be_made_again() {
    let world = World::start().await;
    let id = world.create("manual").await;
    world.confirm(&id, GOOD_CARD).await;
    world.processor.script("capture", Says::Code("30"));
    world.post(&format!("/payments/{id}/capture"), json!({})).await;
    world.settle().await;
    let read = world.payment(&id).await;
    assert_eq!(
        (read["status"].as_str(), read["amounts"]["captured"].as_i64()),
        (Some("capture_failed"), Some(0))
    );
    let again = world.post(&format!("/payments/{id}/capture"), json!({})).await;
    assert_eq!(again.body["status"], "captured");
    world.settle().await;
    world.check_invariants().await;
}
