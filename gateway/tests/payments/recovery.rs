//! A gateway that dies at a boundary and starts again on the same database.

use crate::scripted::{GOOD_CARD, World};
use kit::crash_points::Boundary;
use serde_json::json;

/// Pays until the crash; gives back the payment, the body and the key of the call.
async fn pay_until_crash(
    world: &World,
    message: &str,
    at: Boundary,
) -> (String, serde_json::Value, String) {
    let id = world.create("automatic").await;
    let body = json!({ "card_token": world.card_token(GOOD_CARD).await });
    let key = world.fresh_key();
    world.crash_at(message, at);
    let path = format!("/payments/{id}/confirm");
    let answer = world.post_with_key(&path, body.clone(), &key).await;
    if message == "authorization" {
        assert_eq!(answer.status, 503, "{}", answer.body);
    }
    (id, body, key)
}

#[tokio::test]
async fn a_crash_before_sending_ends_reversed() {
    let world = World::start_on_disk("prepared").await;
    let (id, body, key) = pay_until_crash(&world, "authorization", Boundary::Prepared).await;
    let world = world.restart().await;
    let read = world.payment(&id).await;
    assert_eq!(
        (read["status"].as_str(), read["outcome_unknown"].as_bool()),
        (Some("processing"), Some(true))
    );
    let path = format!("/payments/{id}/confirm");
    let again = world.post_with_key(&path, body.clone(), &key).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((again.status, again.body["outcome_unknown"].as_bool()), (200, Some(true)));
    world.advance_seconds(30).await;
    assert_eq!(world.processor.types(), ["0600", "0400"], "the authorization was never sent");
    assert_eq!(world.status(&id).await, "failed");
    let same = world.post_with_key(&path, body, &key).await;
    assert_eq!(same.bytes, again.bytes, "the answer of a key never changes");
    world.check_invariants().await;
}

#[tokio::test]
async fn a_crash_with_the_answer_in_hand_is_settled_by_inquiry() {
    let world = World::start_on_disk("received").await;
    let (id, ..) = pay_until_crash(&world, "authorization", Boundary::AnswerReceived).await;
    let world = world.restart().await;
    assert_eq!(world.payment(&id).await["outcome_unknown"], true);
    world.advance_seconds(30).await;
    assert_eq!((world.status(&id).await.as_str(), world.processor.holds()), ("captured", 1));
    world.check_invariants().await;
}

#[tokio::test]
async fn a_crash_after_storing_the_answer_keeps_it_and_sends_the_capture() {
    let world = World::start_on_disk("stored").await;
    let (id, body, key) = pay_until_crash(&world, "authorization", Boundary::AnswerStored).await;
    let world = world.restart().await;
    assert_eq!(world.status(&id).await, "captured");
    let again = world.post_with_key(&format!("/payments/{id}/confirm"), body, &key).await;
    assert_eq!((again.status, again.body["status"].as_str()), (200, Some("captured")));
    world.settle().await;
    assert_eq!(world.processor.types(), ["0100", "0220"]);
    assert_eq!(world.payment(&id).await["captures"][0]["status"], "succeeded");
    world.check_invariants().await;
}

#[tokio::test]
async fn a_crash_around_a_capture_sends_it_again() {
    for at in [Boundary::Prepared, Boundary::AnswerReceived, Boundary::AnswerStored] {
        let world = World::start_on_disk(&format!("capture-{at:?}")).await;
        let (id, ..) = pay_until_crash(&world, "capture", at).await;
        let world = world.restart().await;
        world.settle().await;
        let read = world.payment(&id).await;
        assert_eq!(read["captures"][0]["status"], "succeeded", "{at:?}");
        world.check_invariants().await;
    }
}

#[tokio::test]
async fn a_crash_around_a_reversal_sends_it_again() {
    for at in [Boundary::Prepared, Boundary::AnswerReceived, Boundary::AnswerStored] {
        let world = World::start_on_disk(&format!("reversal-{at:?}")).await;
        let id = world.paid("manual").await;
        world.crash_at("reversal", at);
        let voided = world.post(&format!("/payments/{id}/void"), json!({})).await;
        assert_eq!(voided.body["status"], "canceled");
        world.settle().await;
        let world = world.restart().await;
        world.advance_seconds(5).await;
        assert_eq!(world.payment(&id).await["reversal_state"], "acked", "{at:?}");
        assert_eq!(world.processor.holds(), 0);
        world.check_invariants().await;
    }
}

#[tokio::test]
async fn a_crash_around_a_refund_gives_the_money_back_once() {
    for at in [Boundary::Prepared, Boundary::AnswerReceived, Boundary::AnswerStored] {
        let world = World::start_on_disk(&format!("refund-{at:?}")).await;
        let id = world.paid("automatic").await;
        world.crash_at("refund", at);
        let path = format!("/payments/{id}/refunds");
        let (body, key) = (json!({"amount": 4_000}), world.fresh_key());
        let crashed = world.post_with_key(&path, body.clone(), &key).await;
        assert_eq!(crashed.status, 503, "{}", crashed.body);
        let world = world.restart().await;
        let again = world.post_with_key(&path, body, &key).await;
        assert_eq!(again.status, 201, "{at:?} {}", again.body);
        world.advance_seconds(60).await;
        let read = world.payment(&id).await;
        assert_eq!(read["refunds"][0]["status"], "succeeded", "{at:?}");
        assert_eq!(read["refunds"].as_array().unwrap().len(), 1);
        let refunds = world.processor.seen("refund");
        assert!(refunds.iter().all(|it| it.stan == refunds[0].stan), "one identity");
        world.check_invariants().await;
    }
}

#[tokio::test]
async fn ids_and_trace_numbers_are_not_given_twice_over_restarts() {
    let mut world = World::start_on_disk("numbers").await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        ids.insert(world.paid("automatic").await);
        world = world.restart().await;
    }
    assert_eq!(ids.len(), 3);
    world.check_invariants().await;
}
