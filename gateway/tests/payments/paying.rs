//! Paying with a card: approved, declined, and by another card.

use crate::scripted::{GOOD_CARD, OTHER_CARD, Says, World, payment_body};
use serde_json::json;

#[tokio::test]
async fn an_approved_payment_is_captured_and_the_capture_is_sent_at_once() {
    let world = World::start().await;
    let created = world.post("/payments", payment_body("key-1", "automatic")).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.body["status"], "requires_payment_method");
    assert!(created.body["checkout_url"].as_str().unwrap().contains("/pay/pay_"));
    let id = created.id();
    let paid = world.confirm(&id, GOOD_CARD).await;
    assert_eq!((paid.status, paid.body["status"].as_str()), (200, Some("captured")));
    assert_eq!(paid.body["amounts"]["captured"], 10_000);
    assert_eq!(paid.body["card"]["last4"], "4242");
    assert_eq!(paid.body["attempts"][0]["auth_code"], "7K2P9A");
    assert_eq!(paid.header("payrig-outcome-source"), Some("default"));
    world.settle().await;
    assert_eq!(world.processor.types(), ["0100", "0220"]);
    let [authorization] = world.processor.seen("authorization").try_into().unwrap();
    assert!(authorization.pan.is_some() && authorization.cvv.is_some());
    assert!(authorization.blind.is_some() && authorization.reversal_id.is_some());
    let [capture] = world.processor.seen("capture").try_into().unwrap();
    assert!(capture.pan.is_none(), "what does not need the number does not carry it");
    assert_eq!(capture.original, Some(authorization.as_original()));
    assert_ne!(capture.stan, authorization.stan);
    let read = world.payment(&id).await;
    assert_eq!(read["captures"][0]["status"], "succeeded");
    assert_eq!(
        world.events(&id).await,
        ["payment.created", "payment.processing", "payment.captured"]
    );
    world.check_invariants().await;
}

#[tokio::test]
async fn one_call_creates_and_pays() {
    let world = World::start().await;
    let mut body = payment_body("key-1", "automatic");
    body["card_token"] = json!(world.card_token(GOOD_CARD).await);
    body["confirm"] = json!(true);
    let paid = world.post("/payments", body).await;
    assert_eq!((paid.status, paid.body["status"].as_str()), (201, Some("captured")));
    world.settle().await;
    world.check_invariants().await;
}

#[tokio::test]
async fn a_declined_payment_says_why_and_can_be_paid_with_another_card() {
    let world = World::start().await;
    world.processor.script("authorization", Says::Code("51"));
    let id = world.create("automatic").await;
    let declined = world.confirm(&id, OTHER_CARD).await;
    assert_eq!(declined.status, 200);
    insta::assert_json_snapshot!(
        json!([declined.body["status"], declined.body["failure"]]),
        @r#"
    [
      "requires_payment_method",
      {
        "advice": "retry_later",
        "code": "insufficient_funds",
        "decided_by": "default",
        "message": "There is not enough money available. Use another card.",
        "response_code": "51",
        "retry_after": "2026-11-23T10:00:00.000Z"
      }
    ]
    "#
    );
    let paid = world.confirm(&id, GOOD_CARD).await;
    assert_eq!(paid.body["status"], "captured");
    assert_eq!(paid.body["failure"], json!(null));
    assert_eq!(paid.body["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(
        world.events(&id).await,
        [
            "payment.created",
            "payment.processing",
            "payment.attempt_failed",
            "payment.processing",
            "payment.captured"
        ]
    );
    world.settle().await;
    world.check_invariants().await;
}

#[tokio::test]
async fn a_test_card_may_have_its_own_decline_code() {
    let world = World::start().await;
    world.processor.script("authorization", Says::Code("05"));
    let id = world.create("automatic").await;
    let declined = world.confirm(&id, "4000000000000002").await;
    assert_eq!(declined.body["failure"]["code"], "generic_decline");
}

#[tokio::test]
async fn a_stolen_card_is_not_sent_twice_and_nothing_changes() {
    let world = World::start().await;
    world.processor.script("authorization", Says::Code("43"));
    let id = world.create("automatic").await;
    world.confirm(&id, GOOD_CARD).await;
    let before = world.payment(&id).await;
    let token = world.card_token(GOOD_CARD).await;
    let path = format!("/payments/{id}/confirm");
    for _ in 0..2 {
        let again = world.post(&path, json!({ "card_token": token })).await;
        assert_eq!((again.status, again.code().as_str()), (422, "retry_blocked"));
    }
    assert_eq!(world.payment(&id).await, before);
    assert_eq!(world.processor.seen("authorization").len(), 1);
}

#[tokio::test]
async fn the_advice_of_a_network_forbids_another_try() {
    for advice in ["03", "24"] {
        let world = World::start().await;
        world.processor.script("authorization", Says::Advice("51", advice));
        let id = world.create("automatic").await;
        world.confirm(&id, GOOD_CARD).await;
        assert_eq!(world.confirm(&id, GOOD_CARD).await.code(), "retry_blocked", "{advice}");
    }
}

#[tokio::test]
async fn a_wrong_security_code_can_be_corrected_twice() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    for _ in 0..3 {
        world.processor.script("authorization", Says::Code("N7"));
        let declined = world.confirm(&id, GOOD_CARD).await;
        assert_eq!(declined.body["failure"]["code"], "incorrect_cvc");
    }
    assert_eq!(world.confirm(&id, GOOD_CARD).await.code(), "retry_blocked");
}

#[tokio::test]
async fn a_partial_approval_is_given_back_and_counts_as_declined() {
    let world = World::start().await;
    world.processor.script("authorization", Says::Amount("10", 6_000));
    let id = world.create("automatic").await;
    let declined = world.confirm(&id, GOOD_CARD).await;
    assert_eq!(declined.body["status"], "requires_payment_method");
    assert_eq!(declined.body["failure"]["code"], "partial_approval");
    world.settle().await;
    let [reversal] = world.processor.seen("reversal").try_into().unwrap();
    assert_eq!(reversal.amount.unwrap().get(), 6_000);
    assert_eq!(world.processor.holds(), 0);
    world.check_invariants().await;
}

#[tokio::test]
async fn an_approval_of_another_amount_fails_and_is_given_back() {
    let world = World::start().await;
    world.processor.script("authorization", Says::Amount("00", 9_999));
    let id = world.create("automatic").await;
    let failed = world.confirm(&id, GOOD_CARD).await;
    assert_eq!(failed.body["status"], "failed");
    assert_eq!(failed.body["failure"]["code"], "amount_mismatch");
    assert_eq!(
        failed.body["failure"]["message"],
        "We are checking with your bank. Please do not pay again."
    );
    world.settle().await;
    let [reversal] = world.processor.seen("reversal").try_into().unwrap();
    assert_eq!(
        (reversal.amount.unwrap().get(), reversal.reason_code.as_deref()),
        (9_999, Some("4005"))
    );
    let read = world.payment(&id).await;
    assert_eq!(read["reversal_state"], "acked");
    world.check_invariants().await;
}

#[tokio::test]
async fn the_tenth_decline_ends_the_payment() {
    let world = World::start().await;
    let id = world.create("automatic").await;
    for _ in 0..10 {
        world.processor.script("authorization", Says::Code("51"));
        world.confirm(&id, GOOD_CARD).await;
    }
    assert_eq!(world.status(&id).await, "failed");
    assert_eq!(world.events(&id).await.last().unwrap(), "payment.failed");
    assert_eq!(world.confirm(&id, GOOD_CARD).await.code(), "payment_failed");
    world.check_invariants().await;
}

#[tokio::test]
async fn an_outcome_can_be_asked_for_with_the_sandbox_key_only() {
    let world = World::start().await;
    for (key, expected) in
        [(Some(crate::scripted::SANDBOX_KEY), "requires_payment_method"), (None, "captured")]
    {
        let id = world.create("automatic").await;
        let body = json!({ "card_token": world.card_token(GOOD_CARD).await }).to_string();
        let mut headers = vec![("payrig-outcome", "rc:51")];
        headers.extend(key.map(|key| ("sandbox-key", key)));
        let path = format!("/payments/{id}/confirm");
        let answer = world.send(&path, &body, Some(&world.fresh_key()), &headers).await;
        assert_eq!(answer.body["status"], expected);
        let source = if key.is_some() { "header" } else { "default" };
        assert_eq!(answer.header("payrig-outcome-source"), Some(source));
    }
}

#[tokio::test]
async fn the_same_order_is_not_paid_by_a_second_payment() {
    let world = World::start().await;
    let first = world.post("/payments", payment_body("key-1", "automatic")).await.id();
    let second = world.post("/payments", payment_body("key-1", "automatic")).await.id();
    world.confirm(&first, GOOD_CARD).await;
    let refused = world.confirm(&second, GOOD_CARD).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "order_already_paid"));
    world.settle().await;
    let voided = world.post(&format!("/payments/{first}/void"), json!({})).await;
    assert_eq!(voided.status, 200, "{}", voided.body);
    assert_eq!(world.confirm(&second, GOOD_CARD).await.body["status"], "captured");
}

#[tokio::test]
async fn a_token_pays_once_and_only_its_own_merchants_payments() {
    let world = World::start().await;
    let (first, second) = (world.create("automatic").await, world.create("automatic").await);
    let token = json!({ "card_token": world.card_token(GOOD_CARD).await });
    let paid = world.post(&format!("/payments/{first}/confirm"), token.clone()).await;
    assert_eq!(paid.status, 200);
    let again = world.post(&format!("/payments/{second}/confirm"), token).await;
    assert_eq!((again.status, again.code().as_str()), (409, "token_used"));
    let unknown = json!({ "card_token": "tok_01kdvdna00em2ra1850m2ga185" });
    let absent = world.post(&format!("/payments/{second}/confirm"), unknown).await;
    assert_eq!((absent.status, absent.code().as_str()), (404, "token_not_found"));
    let late = json!({ "card_token": world.card_token(GOOD_CARD).await });
    world.advance_seconds(16 * 60).await;
    let expired = world.post(&format!("/payments/{second}/confirm"), late).await;
    assert_eq!((expired.status, expired.code().as_str()), (422, "token_expired"));
}
