//! Buying: one order and one payment, however often a button is pressed.

use serde_json::Value;

use crate::browser::text_of;
use crate::gateway::Trick;
use crate::world::World;

#[actix_web::test]
async fn a_customer_fills_a_cart_and_is_taken_to_the_payment_page() {
    let world = World::start().await;
    let mut ada = world.browser();
    ada.add_to_cart("tea-42", "2").await;
    ada.add_to_cart("mug-3", "1").await;
    let cart = ada.get("/cart").await.text();
    assert_eq!(text_of(&cart, "total-EUR"), "€123.98");
    assert_eq!(text_of(&cart, "cart-count"), "3");
    let form = ada.checkout_form("EUR").await;
    let placed = ada.send_checkout(&form).await;
    let payment = world.gateway.only_payment();
    assert_eq!(placed.status, 303);
    assert_eq!(placed.header("location"), payment.checkout_url.as_deref());
    assert_eq!(payment.amount.to_string(), "€123.98");
    let order = ada.newest_order().await;
    assert_eq!(payment.order_reference, order);
    let page = ada.get(&format!("/orders/{order}")).await.text();
    assert_eq!(text_of(&page, "story-head"), "Waiting for your payment");
    assert_eq!(text_of(&ada.get("/cart").await.text(), "cart-empty"), "");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_double_click_places_one_order_with_one_payment() {
    let world = World::start().await;
    let mut ada = world.browser();
    ada.add_to_cart("tea-42", "1").await;
    let form = ada.checkout_form("EUR").await;
    let (mut one, mut two) = (ada.clone(), ada.clone());
    let (first, second) = tokio::join!(one.send_checkout(&form), two.send_checkout(&form));
    assert_eq!((first.status, second.status), (303, 303));
    let url = world.gateway.only_payment().checkout_url;
    assert_eq!(first.header("location"), url.as_deref());
    assert_eq!(second.header("location"), url.as_deref());
    let again = ada.send_checkout(&form).await;
    assert_eq!(again.header("location"), url.as_deref(), "the back button shows the same order");
    assert_eq!(world.gateway.kept().payments.len(), 1);
}

#[actix_web::test]
async fn a_cart_that_changed_in_another_tab_is_shown_again_before_it_is_ordered() {
    let world = World::start().await;
    let mut ada = world.browser();
    ada.add_to_cart("tea-42", "1").await;
    let form = ada.checkout_form("EUR").await;
    ada.add_to_cart("table-1", "1").await;
    let placed = ada.send_checkout(&form).await;
    assert_eq!(placed.header("location"), Some("/checkout?currency=EUR&changed=1"));
    assert_eq!(world.gateway.kept().payments.len(), 0, "nothing was ordered");
    let page = ada.get("/checkout?currency=EUR&changed=1").await.text();
    assert!(page.contains("data-testid=\"cart-changed\""));
    assert_eq!(text_of(&page, "total"), "€738.99");
}

#[actix_web::test]
async fn the_total_is_frozen_when_the_order_is_placed() {
    let world = World::start().await;
    let mut ada = world.browser();
    let order = ada.buy("tea-42", "EUR").await;
    ada.add_to_cart("table-1", "1").await;
    let paid = ada.submit(&format!("/orders/{order}"), &format!("/orders/{order}/pay"), &[]).await;
    assert_eq!(paid.header("location"), world.gateway.only_payment().checkout_url.as_deref());
    assert_eq!(world.read(&order).await["amount"]["value"], 4999);
}

#[actix_web::test]
async fn prices_come_from_the_catalogue_and_never_from_the_form() {
    let world = World::start().await;
    let mut ada = world.browser();
    ada.add_to_cart("tea-42", "1").await;
    let mut form = ada.checkout_form("EUR").await;
    for (name, value) in [("total", "1"), ("amount", "1"), ("unit_price", "1"), ("status", "paid")]
    {
        form.push((name.into(), value.into()));
    }
    ada.send_checkout(&form).await;
    assert_eq!(world.gateway.only_payment().amount.value.get(), 4999);
}

#[actix_web::test]
async fn each_currency_is_its_own_order_with_its_own_decimals() {
    let world = World::start().await;
    let mut ada = world.browser();
    for (sku, quantity) in [("tea-42", "1"), ("matcha-1", "3"), ("saffron-1", "2"), ("tea-11", "1")]
    {
        ada.add_to_cart(sku, quantity).await;
    }
    let cart = ada.get("/cart").await.text();
    assert!(cart.contains("data-testid=\"currencies-notice\""));
    for (currency, value) in [("EUR", 4999), ("JPY", 11_400), ("KWD", 2468), ("USD", 1850)] {
        let form = ada.checkout_form(currency).await;
        assert_eq!(ada.send_checkout(&form).await.status, 303);
        let order = ada.newest_order().await;
        let amount = world.read(&order).await["amount"].clone();
        assert_eq!(
            (amount["value"].as_i64(), amount["currency"].as_str()),
            (Some(value), Some(currency))
        );
    }
    assert_eq!(world.gateway.kept().payments.len(), 4);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_form_that_is_filled_wrongly_says_what_to_do_and_keeps_what_was_typed() {
    let world = World::start().await;
    let mut ada = world.browser();
    ada.add_to_cart("tea-7", "1").await;
    let mut form = ada.checkout_form("EUR").await;
    form[3].1 = "4242 4242 4242 4242".into();
    form[4].1 = "<b>nobody".into();
    let answer = ada.send_checkout(&form).await;
    assert_eq!(answer.status, 422);
    let page = answer.text();
    assert_eq!(text_of(&page, "name-error"), "This looks like a card number. Enter your name.");
    assert_eq!(text_of(&page, "email-error"), "Enter a mail address such as ada@example.com.");
    assert!(page.contains("&#60;b&#62;nobody") && !page.contains("<b>nobody"));
    assert_eq!(world.gateway.kept().payments.len(), 0);
}

#[actix_web::test]
async fn quantities_outside_the_range_are_refused() {
    let world = World::start().await;
    let mut ada = world.browser();
    for quantity in ["0", "-1", "21", "1e3", "1.5", "", "99999999999999999999"] {
        let pairs = [("sku", "tea-42"), ("quantity", quantity)];
        let answer = ada.submit("/", "/cart/add", &pairs).await;
        assert_eq!(answer.status, 422, "{quantity}");
    }
    let pairs = [("sku", "tea-43"), ("quantity", "1")];
    assert_eq!(ada.submit("/", "/cart/add", &pairs).await.status, 422);
    assert!(ada.get("/cart").await.text().contains("data-testid=\"cart-empty\""));
}

#[actix_web::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_key_with_the_same_bytes() {
    let world = World::start().await;
    world.gateway.trick("/api/payments", Trick::DoAndFail);
    let order = order_while_time_passes(&world).await;
    let calls = world.gateway.calls("/api/payments");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], calls[1]);
    assert_eq!(calls[0].0, format!("{}-payment-1", order["id"].as_str().unwrap()));
    assert_eq!(
        order["checkout_url"].as_str(),
        world.gateway.only_payment().checkout_url.as_deref()
    );
}

/// Retries wait on the virtual clock: it is moved while the order is being placed.
async fn order_while_time_passes(world: &World) -> Value {
    let body = serde_json::json!({"sku": "tea-42"});
    let mut placing = std::pin::pin!(world.api("POST", "/api/orders", Some(body)));
    loop {
        tokio::select! {
            answer = &mut placing => return answer.json(),
            () = world.tick() => {}
        }
    }
}

#[actix_web::test]
async fn a_gateway_that_stays_silent_leaves_an_order_that_is_paid_later() {
    let world = World::start().await;
    for _ in 0..5 {
        world.gateway.trick("/api/payments", Trick::Refuse(503, "unavailable"));
    }
    let order = order_while_time_passes(&world).await;
    assert_eq!(
        (order["status"].as_str(), &order["checkout_url"]),
        (Some("awaiting_payment"), &Value::Null)
    );
    assert_eq!(world.gateway.kept().payments.len(), 0);
    let id = order["id"].as_str().unwrap();
    let again = world.api("POST", &format!("/api/orders/{id}/payments"), None).await;
    assert_eq!(again.status, 201, "{}", again.text());
    let keys: Vec<String> =
        world.gateway.calls("/api/payments").into_iter().map(|(key, _)| key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refused_payment_is_begun_anew_under_another_key() {
    let world = World::start().await;
    world.gateway.trick("/api/payments", Trick::Refuse(422, "return_url_not_allowed"));
    let mut ada = world.browser();
    let order = ada.buy("tea-42", "EUR").await;
    let page = ada.get(&format!("/orders/{order}")).await.text();
    assert_eq!(text_of(&page, "story-head"), "The payment could not be started");
    let paid = ada.submit(&format!("/orders/{order}"), &format!("/orders/{order}/pay"), &[]).await;
    assert_eq!(paid.header("location"), world.gateway.only_payment().checkout_url.as_deref());
    let keys: Vec<String> =
        world.gateway.calls("/api/payments").into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [format!("{order}-payment-1"), format!("{order}-payment-2")]);
}

#[actix_web::test]
async fn an_expired_token_is_renewed_by_the_clock_and_a_refused_one_at_once() {
    let world = World::start().await;
    world.order("tea-7").await;
    world.order("tea-7").await;
    assert_eq!(world.gateway.kept().tokens_given, 1);
    world.plumbing.clock.advance(std::time::Duration::from_secs(841)).unwrap();
    world.order("tea-7").await;
    assert_eq!(world.gateway.kept().tokens_given, 2);
    world.gateway.forget_token();
    world.order("tea-7").await;
    assert_eq!(world.gateway.kept().tokens_given, 3);
}
