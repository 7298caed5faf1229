//! Many calls at once: one effect per key, and sums that hold.

use std::collections::BTreeMap;

use crate::scripted::{Answer, GOOD_CARD, World, payment_body};
use futures_util::future::join_all;
use serde_json::json;

fn counted(answers: &[Answer]) -> BTreeMap<(u16, String), usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry((answer.status, answer.code())).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn sixty_four_calls_with_one_key_create_one_payment_and_get_one_answer() {
    let world = World::start().await;
    let body = payment_body("key-1", "automatic");
    let calls = (0..64).map(|_| world.post_with_key("/payments", body.clone(), "storm"));
    let answers = join_all(calls).await;
    assert_eq!(counted(&answers), BTreeMap::from([((201, String::new()), 64)]));
    assert!(answers.iter().all(|answer| answer.bytes == answers[0].bytes));
    let replayed = answers.iter().filter(|it| it.header("idempotency-replayed") == Some("true"));
    assert_eq!(replayed.count(), 63);
    let list = world.get("/payments").await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
    world.check_invariants().await;
}

#[tokio::test]
async fn sixty_four_confirmations_with_one_key_send_one_authorization() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    let body = json!({ "card_token": world.card_token(GOOD_CARD).await });
    let path = format!("/payments/{id}/confirm");
    let calls = (0..64).map(|_| world.post_with_key(&path, body.clone(), "storm"));
    let answers = join_all(calls).await;
    for (status, code) in counted(&answers).keys() {
        assert!(matches!((status, code.as_str()), (200, "") | (409, "idempotency_key_in_use")));
    }
    world.settle().await;
    assert_eq!(world.processor.seen("authorization").len(), 1);
    let last = world.post_with_key(&path, body, "storm").await;
    assert_eq!((last.status, last.body["status"].as_str()), (200, Some("captured")));
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        assert_eq!(answer.bytes, last.bytes);
    }
    world.check_invariants().await;
}

#[tokio::test]
async fn two_cards_at_once_pay_once() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    let calls = (0..8).map(|_| world.confirm(&id, GOOD_CARD));
    let answers = join_all(calls).await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(paid, 1, "{:?}", counted(&answers));
    world.settle().await;
    assert_eq!((world.processor.seen("authorization").len(), world.processor.holds()), (1, 1));
    world.check_invariants().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_body_and_its_refusal_is_repeated_too() {
    let world = World::start().await;
    let id = world.paid("manual").await;
    let path = format!("/payments/{id}/capture");
    let refused = world.post_with_key(&path, json!({"amount": 10_001}), "one").await;
    assert_eq!(refused.status, 422);
    let again = world.post_with_key(&path, json!({"amount": 10_001}), "one").await;
    assert_eq!(again.bytes, refused.bytes, "also its request id");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = world.post_with_key(&path, json!({"amount": 10_000}), "one").await;
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    let elsewhere =
        world.post_with_key(&format!("/payments/{id}/void"), json!({"amount": 1}), "one").await;
    assert_eq!(elsewhere.status, 200, "a key counts for its own path");
    world.check_invariants().await;
}

#[tokio::test]
async fn captures_at_once_never_exceed_the_authorization() {
    let world = World::start().await;
    let id = world.paid("manual").await;
    let path = format!("/payments/{id}/capture");
    let calls = (0..8).map(|_| world.post(&path, json!({"amount": 3_000})));
    let answers = join_all(calls).await;
    let expected =
        BTreeMap::from([((200, String::new()), 3), ((422, "amount_too_large".to_owned()), 5)]);
    assert_eq!(counted(&answers), expected);
    world.settle().await;
    world.check_invariants().await;
}

#[tokio::test]
async fn a_capture_and_a_void_at_once_have_one_winner() {
    for _ in 0..10 {
        let world = World::start().await;
        let id = world.paid("manual").await;
        let (capture_path, void_path) =
            (format!("/payments/{id}/capture"), format!("/payments/{id}/void"));
        let (captured, voided) =
            tokio::join!(world.post(&capture_path, json!({})), world.post(&void_path, json!({})));
        world.settle().await;
        let payment = world.payment(&id).await;
        // A void that comes second takes the queued capture back: then both succeed.
        let both = captured.status == 200 && voided.status == 200;
        let one = captured.status == 409 && voided.status == 200;
        assert!(both || one, "{} {}", captured.body, voided.body);
        assert_eq!(payment["status"], "canceled");
        assert_eq!(world.processor.holds(), 0);
        world.check_invariants().await;
    }
}

#[tokio::test]
async fn refunds_at_once_never_exceed_the_captures() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let path = format!("/payments/{id}/refunds");
    let calls = (0..8).map(|_| world.post(&path, json!({"amount": 4_000})));
    let answers = join_all(calls).await;
    let given = answers.iter().filter(|answer| answer.body["status"] == "succeeded").count();
    assert_eq!(given, 2, "{:?}", counted(&answers));
    world.check_invariants().await;
}
