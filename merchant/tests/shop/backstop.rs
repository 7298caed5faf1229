//! When notifications are lost: the gateway is read on a schedule, on return, and after gaps.

use std::time::Duration;

use wire::events::EventType;
use wire::gateway_api::{PaymentStatus, RefundStatus};

use crate::gateway::Trick;
use crate::world::World;

const POLL: Duration = Duration::from_secs(31);

#[actix_web::test]
async fn an_order_is_paid_although_every_notification_was_lost() {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    let id = world.gateway.only_payment().id;
    world.advance(POLL).await;
    assert_eq!(world.status(&order).await, "awaiting_payment");
    world.gateway.submit_card(id);
    world.advance(POLL).await;
    assert_eq!(world.status(&order).await, "checking");
    world.gateway.capture(id);
    world.advance(POLL).await;
    let read = world.read(&order).await;
    assert_eq!((&read["status"], &read["fulfilments"]), (&"paid".into(), &1.into()));
    let reads = world.gateway.calls(&id.to_string()).len();
    world.advance(Duration::from_hours(24)).await;
    assert_eq!(world.gateway.calls(&id.to_string()).len(), reads, "a paid order is left alone");
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_unknown_outcome_is_watched_until_it_is_resolved() {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    let id = world.gateway.only_payment().id;
    world.gateway.submit_card(id);
    world.gateway.outcome_unknown(id);
    world.advance(POLL).await;
    assert_eq!(world.status(&order).await, "checking");
    let refused = world.api("POST", &format!("/api/orders/{order}/payments"), None).await;
    assert_eq!((refused.status, refused.code()), (409, "order_being_checked".into()));
    world.gateway.end(id, PaymentStatus::Failed, Some("timeout_reversed"));
    world.advance(Duration::from_secs(11)).await;
    assert_eq!(world.status(&order).await, "declined");
    let again = world.api("POST", &format!("/api/orders/{order}/payments"), None).await;
    assert_eq!(again.status, 201, "now it can be paid again");
    assert_eq!(world.gateway.kept().payments.len(), 2);
}

#[actix_web::test]
async fn the_return_address_is_never_believed() {
    let world = World::start().await;
    let mut ada = world.browser();
    let order = ada.buy("tea-42", "EUR").await;
    let back = format!("/orders/{order}/return?status=success&payment=pay_1&hint=paid&paid=true");
    let answer = ada.get(&back).await;
    assert_eq!(answer.header("location"), Some(format!("/orders/{order}").as_str()));
    assert_eq!(world.status(&order).await, "awaiting_payment");
    let id = world.gateway.only_payment().id;
    world.gateway.submit_card(id);
    world.gateway.capture(id);
    ada.get(&format!("/orders/{order}/return?status=failed")).await;
    assert_eq!(world.status(&order).await, "paid", "what the gateway says counts");
}

#[actix_web::test]
async fn a_gap_in_the_sequence_leads_to_a_read() {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    let id = world.gateway.only_payment().id;
    let submitted = world.gateway.submit_card(id);
    let processing = world.gateway.event_numbered(EventType::PaymentProcessing, &submitted, 5);
    let declined = world.gateway.decline(id, "insufficient_funds");
    assert_eq!(world.deliver(&processing).await.json()["verdict"], "applied");
    assert_eq!(world.status(&order).await, "checking");
    world.advance(Duration::from_secs(3)).await;
    assert_eq!(world.status(&order).await, "declined", "read two seconds after the gap");
    let event = world.gateway.event_numbered(EventType::PaymentAttemptFailed, &declined, 6);
    assert_eq!(world.deliver(&event).await.status, 200);
    assert_eq!(world.status(&order).await, "declined");
}

#[actix_web::test]
async fn redirect_and_notification_at_once_fulfil_once() {
    let world = World::start().await;
    let mut ada = world.browser();
    let order = ada.buy("tea-42", "EUR").await;
    let id = world.gateway.only_payment().id;
    world.gateway.submit_card(id);
    let captured = world.gateway.capture(id);
    let event = world.gateway.event(EventType::PaymentCaptured, &captured);
    let back = format!("/orders/{order}/return");
    let (mut one, mut two) = (ada.clone(), ada.clone());
    let (first, second, told, told_again) =
        tokio::join!(one.get(&back), two.get(&back), world.deliver(&event), world.deliver(&event));
    assert_eq!((first.status, second.status), (303, 303));
    assert_eq!((told.status, told_again.status), (200, 200));
    let read = world.read(&order).await;
    assert_eq!((&read["status"], &read["fulfilments"]), (&"paid".into(), &1.into()));
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_payment_whose_answer_was_lost_is_made_in_the_background() {
    let world = World::start().await;
    for _ in 0..5 {
        world.gateway.trick("/api/payments", Trick::Refuse(503, "unavailable"));
    }
    let mut placing =
        std::pin::pin!(world.api("POST", "/api/orders", Some(serde_json::json!({"sku": "tea-7"}))));
    let placed = loop {
        tokio::select! {
            answer = &mut placing => break answer.json(),
            () = world.tick() => {}
        }
    };
    assert_eq!(world.gateway.kept().payments.len(), 0);
    world.advance(Duration::from_secs(11)).await;
    let payment = world.gateway.only_payment();
    let read = world.read(placed["id"].as_str().unwrap()).await;
    assert_eq!(read["payments"][0]["id"], payment.id.to_string());
    assert_eq!(read["payments"][0]["status"], "open");
}

#[actix_web::test]
async fn a_pending_refund_is_watched_until_it_is_decided() {
    let world = World::start().await;
    world.gateway.kept().refunds_pend = true;
    let order = world.paid_order("tea-42").await;
    let body = serde_json::json!({"amount": 1000, "reason": "cracked tin"});
    let asked = world.api("POST", &format!("/api/orders/{order}/refunds"), Some(body)).await;
    assert_eq!((asked.status, &asked.json()["status"]), (201, &"pending".into()));
    assert_eq!(world.status(&order).await, "paid");
    let id = world.gateway.only_payment().id;
    world.gateway.settle_refunds(id, RefundStatus::Succeeded);
    world.advance(POLL).await;
    let read = world.read(&order).await;
    assert_eq!(
        (&read["status"], &read["refunds"][0]["status"]),
        (&"partially_refunded".into(), &"succeeded".into())
    );
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refund_without_an_answer_is_sent_again_under_the_same_key() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    for _ in 0..5 {
        world.gateway.trick("/refunds", Trick::DoAndFail);
    }
    let body = serde_json::json!({"amount": 1000, "reason": "cracked tin"});
    let path = format!("/api/orders/{order}/refunds");
    let mut asking = std::pin::pin!(world.api("POST", &path, Some(body)));
    let asked = loop {
        tokio::select! {
            answer = &mut asking => break answer.json(),
            () = world.tick() => {}
        }
    };
    assert_eq!(asked["status"], "sending");
    world.advance(POLL).await;
    let read = world.read(&order).await;
    assert_eq!(read["refunds"][0]["status"], "succeeded");
    assert_eq!(read["amounts"]["refunded"], 1000, "once");
    let calls = world.gateway.calls("/refunds");
    assert!(calls.len() > 5 && calls.iter().all(|call| *call == calls[0]));
    world.check_invariants().await;
}
