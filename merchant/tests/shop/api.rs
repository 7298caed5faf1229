//! The shop's own API: strict, idempotent, closed to strangers.

use serde_json::{Value, json};
use wire::ids::OrderId;

use crate::http::send;
use crate::world::{SANDBOX_KEY, START, World};

#[actix_web::test]
async fn an_order_is_placed_once_per_key() {
    let world = World::start().await;
    let body = json!({"sku": "tea-42", "quantity": 2});
    let place = async |key: &str, body: Value| {
        let headers = [("idempotency-key", key)];
        world.api_with("POST", "/api/orders", Some(body), &headers).await
    };
    let first = place("basket-1", body.clone()).await;
    assert_eq!(first.status, 201);
    let view = first.json();
    assert_eq!(view["status"], "awaiting_payment");
    assert_eq!(view["amount"], json!({"value": 9998, "currency": "EUR"}));
    assert!(view["checkout_url"].as_str().unwrap().contains("/pay/"));
    let again = place("basket-1", body.clone()).await;
    assert_eq!(again.json()["id"], view["id"]);
    assert_eq!(again.json()["checkout_url"], view["checkout_url"]);
    let other = place("basket-1", json!({"sku": "tea-7"})).await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused".into()));
    assert_ne!(place("basket-2", body).await.json()["id"], view["id"]);
    assert_eq!(world.gateway.kept().payments.len(), 2);
}

#[actix_web::test]
async fn many_callers_with_one_key_place_one_order() {
    let world = World::start().await;
    let headers = [("idempotency-key", "same")];
    let place = || world.api_with("POST", "/api/orders", Some(json!({"sku": "tea-7"})), &headers);
    let answers = futures_util::future::join_all((0..16).map(|_| place())).await;
    let ids: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.json()["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.gateway.kept().payments.len(), 1);
}

#[actix_web::test]
async fn bodies_that_are_not_as_documented_are_refused_by_name() {
    let world = World::start().await;
    let cases = [
        (json!({"sku": "tea-43"}), 422, "sku_unknown"),
        (json!({"sku": "tea-42", "quantity": 0}), 422, "quantity_invalid"),
        (json!({"sku": "tea-42", "quantity": -1}), 422, "quantity_invalid"),
        (json!({"sku": "tea-42", "quantity": 21}), 422, "quantity_invalid"),
        (json!({"sku": "tea-42", "quantity": 1.5}), 400, "field_invalid"),
        (json!({"sku": "tea-42", "quantity": "1"}), 400, "field_invalid"),
        (json!({"sku": "tea-42", "amount": 1}), 400, "field_unknown"),
        (json!({"sku": "tea-42", "status": "paid"}), 400, "field_unknown"),
        (json!({"items": [{"sku": "tea-42", "unit_price": 1}]}), 400, "field_unknown"),
        (json!({"items": []}), 422, "items_empty"),
        (json!({}), 422, "items_unclear"),
        (json!({"sku": "tea-7", "items": [{"sku": "tea-42"}]}), 422, "items_unclear"),
        (json!({"items": [{"sku": "tea-42"}, {"sku": "matcha-1"}]}), 422, "currencies_mixed"),
        (json!({"items": [{"sku": "tea-42"}, {"sku": "tea-42"}]}), 422, "item_repeated"),
        (
            json!({"items": [{"sku": "tea-42", "quantity": 5}, {"sku": "tea-7", "quantity": -4}]}),
            422,
            "quantity_invalid",
        ),
        (
            json!({"sku": "tea-42", "customer": {"name": "4242424242424242", "email": "a@b.cd"}}),
            422,
            "customer_invalid",
        ),
    ];
    for (body, status, code) in cases {
        let answer = world.api("POST", "/api/orders", Some(body.clone())).await;
        assert_eq!((answer.status, answer.code()), (status, code.into()), "{body}");
    }
    for (bytes, code) in [
        (&b"{"[..], "json_malformed"),
        (&br#"{"sku":"tea-42","sku":"tea-7"}"#[..], "json_duplicate_key"),
    ] {
        let headers = [("content-type", "application/json")];
        let answer = send(world.shop, "POST", "/api/orders", &headers, bytes).await;
        assert_eq!((answer.status, answer.code()), (400, code.into()));
    }
    assert_eq!(world.gateway.kept().payments.len(), 0);
}

/// C11: an order is closed to whoever has nothing to show, and looks like one that is not there.
#[actix_web::test]
async fn a_foreign_order_looks_like_an_absent_one() {
    let world = World::start().await;
    let placed = world.api("POST", "/api/orders", Some(json!({"sku": "tea-42"}))).await.json();
    let (id, key) = (placed["id"].as_str().unwrap(), placed["order_key"].as_str().unwrap());
    let absent = OrderId::new(START, [250; 10]).to_string();
    let stranger = |path: String, method: &'static str| {
        let world = &world;
        async move { world.api_with(method, &path, None, &[]).await }
    };
    for order in [id, &absent, "ord_1", "1"] {
        assert_eq!(stranger(format!("/api/orders/{order}"), "GET").await.status, 404, "{order}");
        for action in ["payments", "cancel"] {
            let answer = stranger(format!("/api/orders/{order}/{action}"), "POST").await;
            assert_eq!(answer.status, 404, "{order} {action}");
        }
        let mut ada = world.browser();
        for page in ["", "/return", "/receipt"] {
            assert_eq!(ada.get(&format!("/orders/{order}{page}")).await.status, 404);
        }
    }
    let bearer = format!("Bearer {key}");
    let read = |order: String, bearer: String| {
        let world = &world;
        async move {
            let headers = [("authorization", bearer.as_str())];
            world.api_with("GET", &format!("/api/orders/{order}"), None, &headers).await.status
        }
    };
    assert_eq!(read(id.to_owned(), bearer.clone()).await, 200);
    let other = world.order("tea-7").await;
    assert_eq!(read(other, bearer).await, 404, "a key opens one order");
    let wrong = [("sandbox-key", "sandbox-key-for-tests-0123456780")];
    let answer = world.api_with("GET", &format!("/api/orders/{id}"), None, &wrong).await;
    assert_eq!(answer.status, 404);
}

#[actix_web::test]
async fn a_payer_who_comes_back_with_the_orders_key_sees_the_order() {
    let world = World::start().await;
    let placed = world.api("POST", "/api/orders", Some(json!({"sku": "tea-42"}))).await.json();
    let (id, key) = (placed["id"].as_str().unwrap(), placed["order_key"].as_str().unwrap());
    let payment = world.gateway.only_payment();
    world.gateway.submit_card(payment.id);
    world.gateway.capture(payment.id);
    let mut payer = world.browser();
    let back = payer.get(&format!("/orders/{id}/return?cs={key}&payment={}", payment.id)).await;
    assert_eq!(back.header("location"), Some(format!("/orders/{id}").as_str()));
    assert!(payer.get(&format!("/orders/{id}")).await.text().contains("Paid. Thank you!"));
    assert_eq!(payer.newest_order().await, id);
}

#[actix_web::test]
async fn canceling_closes_the_payment_first() {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    let cancel = async || world.api("POST", &format!("/api/orders/{order}/cancel"), None).await;
    let canceled = cancel().await;
    assert_eq!((canceled.status, &canceled.json()["status"]), (200, &"canceled".into()));
    let payment = world.gateway.only_payment();
    assert_eq!(payment.status.as_str(), "canceled");
    assert_eq!(cancel().await.status, 200, "twice is the same");
    let again = world.api("POST", &format!("/api/orders/{order}/payments"), None).await;
    assert_eq!(again.status, 201, "a canceled order can be paid after all");
    let second = world.gateway.newest();
    world.gateway.submit_card(second.id);
    let refused = cancel().await;
    assert_eq!((refused.status, refused.code()), (409, "order_being_checked".into()));
    world.gateway.capture(second.id);
    let refused = cancel().await;
    assert_eq!((refused.status, refused.code()), (409, "order_already_paid".into()));
    assert_eq!(world.status(&order).await, "paid");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refund_needs_a_person_or_the_sandbox_key() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    let path = format!("/api/orders/{order}/refunds");
    let body = json!({"amount": 999, "reason": "late"});
    let refused = world.api_with("POST", &path, Some(body.clone()), &[]).await;
    assert_eq!((refused.status, refused.code()), (401, "login_needed".into()));
    let keyed = [("sandbox-key", SANDBOX_KEY), ("idempotency-key", "refund-1")];
    for _ in 0..2 {
        let asked = world.api_with("POST", &path, Some(body.clone()), &keyed).await;
        assert_eq!((asked.status, &asked.json()["status"]), (201, &"succeeded".into()));
    }
    assert_eq!(world.gateway.only_payment().refunds.len(), 1, "one key, one refund");
    for (body, status, code) in [
        (json!({"amount": 4001, "reason": "x"}), 422, "amount_too_large"),
        (json!({"amount": 0, "reason": "x"}), 422, "amount_invalid"),
        (json!({"amount": -5, "reason": "x"}), 422, "amount_invalid"),
        (json!({"amount": 1, "reason": " "}), 422, "reason_invalid"),
        (
            json!({"amount": 1, "reason": "card 4242-4242-4242-4242"}),
            422,
            "card_number_not_allowed_here",
        ),
        (json!({"amount": 1}), 400, "field_missing"),
        (json!({"amount": 1.5, "reason": "x"}), 400, "field_invalid"),
    ] {
        let answer = world.api("POST", &path, Some(body.clone())).await;
        assert_eq!((answer.status, answer.code()), (status, code.into()), "{body}");
    }
    let rest = world.api("POST", &path, Some(json!({"reason": "all of it"}))).await;
    assert_eq!(rest.json()["amount"]["value"], 4000);
    assert_eq!(world.status(&order).await, "refunded");
    let unpaid = world.order("tea-7").await;
    let path = format!("/api/orders/{unpaid}/refunds");
    let answer = world.api("POST", &path, Some(json!({"reason": "x"}))).await;
    assert_eq!((answer.status, answer.code()), (409, "order_not_paid".into()));
    world.check_invariants().await;
}

/// C07: however many ask at once, no more than was taken goes back.
#[actix_web::test]
async fn parallel_refunds_never_exceed_what_was_taken() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    let path = format!("/api/orders/{order}/refunds");
    let ask = || world.api("POST", &path, Some(json!({"amount": 1000, "reason": "x"})));
    let answers = futures_util::future::join_all((0..20).map(|_| ask())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 4);
    assert_eq!(world.gateway.only_payment().amounts.refunded.get(), 4000);
    world.check_invariants().await;
}

#[actix_web::test]
async fn names_that_are_not_the_shops_are_not_answered() {
    let world = World::start().await;
    for host in ["evil.example", "127.0.0.1.evil.example:7071", ""] {
        let answer = send(world.shop, "GET", "/", &[("host", host)], b"").await;
        assert!((400..500).contains(&answer.status), "{host}");
    }
    let answer = send(world.shop, "GET", "/", &[("host", "shop.localhost:7071")], b"").await;
    assert_eq!(answer.status, 200);
}
