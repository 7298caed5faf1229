//! A customer buys: shop, hosted card page, authorization, capture, webhook, receipt.

use payrig_tests::payer::{CardTyped, PageSeen, Payer};
use payrig_tests::world::World;

#[actix_web::test]
async fn a_customer_pays_by_card_and_sees_the_receipt() {
    let world = World::start().await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    let page = payer.open(&order.checkout_url).await;
    assert_eq!(page.status, 200, "{}", page.html);
    assert!(!page.url.contains("cs="), "the secret leaves the address: {}", page.url);

    let paid = payer.pay(&page, CardTyped::new("4242 4242 4242 4242")).await;
    assert_eq!(paid.attribute("outcome", "data-outcome").as_deref(), Some("paid"), "{}", paid.html);

    world.settle().await;
    let payment = world.payment_of(&order.id).await;
    assert_eq!(payment["status"], "captured");
    assert_eq!(payment["amounts"]["captured"], payment["amount"]["value"]);
    assert_eq!(world.order_status(&order.id).await, "paid");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn after_a_decline_the_payer_reads_guidance_and_pays_with_another_card() {
    let world = World::start().await;
    let declines = [
        ("4000 0000 0000 0002", "generic"),
        ("4000 0000 0000 9995", "funds"),
        ("4000 0000 0000 9987", "generic"),
        ("4000 0000 0000 0069", "check_details"),
        ("4000 0000 0000 0127", "check_details"),
    ];
    for (number, family) in declines {
        let (mut payer, order) = world.order("tea-42", 1).await;
        let page = payer.open(&order.checkout_url).await;
        let declined = payer.pay(&page, CardTyped::new(number)).await;
        assert_eq!(
            declined.attribute("decline", "data-family").as_deref(),
            Some(family),
            "{number}: {}",
            declined.html
        );
        let shown = declined.text("decline").to_lowercase();
        for word in ["lost", "stolen", "fraud", "do not honor", "risk"] {
            assert!(!shown.contains(word), "{number}: {shown}");
        }
        let paid = payer.pay(&declined, CardTyped::new("4242424242424242")).await;
        assert_eq!(paid.attribute("outcome", "data-outcome").as_deref(), Some("paid"), "{number}");
        world.settle().await;
        assert_eq!(world.order_status(&order.id).await, "paid");
        let payment = world.payment_of(&order.id).await;
        assert_eq!(payment["attempts"].as_array().unwrap().len(), 2);
    }
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_lost_card_is_named_to_the_merchant_only() {
    let world = World::start().await;
    let payment = world.pay("4000000000009987", 4999, "EUR").await;
    assert_eq!(payment["failure"]["code"], "lost_card");
    assert_eq!(payment["failure"]["response_code"], "41");
    assert_eq!(payment["failure"]["advice"], "do_not_retry");
    let message = payment["failure"]["message"].as_str().unwrap();
    assert_eq!(message, "Your card was declined. Use another card or contact your bank.");
}

#[actix_web::test]
async fn a_canceled_payment_page_takes_no_card() {
    let world = World::start().await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    let page = payer.open(&order.checkout_url).await;
    let canceled = payer.fill(&page, "/cancel\"", &[]).await;
    assert_eq!(
        canceled.attribute("outcome", "data-outcome").as_deref(),
        Some("canceled"),
        "{}",
        canceled.html
    );
    // A second tab still shows the form; sending it pays nothing.
    let late = payer.pay(&page, CardTyped::new("4242424242424242")).await;
    assert_ne!(late.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.settle().await;
    let payment = world.payment_of(&order.id).await;
    assert_eq!(payment["status"], "canceled");
    assert_eq!(payment["amounts"]["authorized"], 0);
    assert_eq!(world.order_status(&order.id).await, "canceled");
}

#[actix_web::test]
async fn the_payment_page_expires() {
    let world = World::start().await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    let page = payer.open(&order.checkout_url).await;
    world.advance("31m").await;
    let late = payer.pay(&page, CardTyped::new("4242424242424242")).await;
    assert_ne!(late.attribute("outcome", "data-outcome").as_deref(), Some("paid"), "{}", late.html);
    let payment = world.payment_of(&order.id).await;
    assert!(["canceled", "expired"].contains(&payment["status"].as_str().unwrap()), "{payment}");
    assert_eq!(payment["amounts"]["authorized"], 0);
}

#[actix_web::test]
async fn two_tabs_and_a_double_click_pay_once() {
    let world = World::start().await;
    let (mut payer, order) = world.order("tea-42", 2).await;
    let first = payer.open(&order.checkout_url).await;
    let second = payer.open(&order.checkout_url).await;
    let card = CardTyped::new("4242424242424242");
    let (mut left, mut right, mut again) = (payer.clone(), payer.clone(), payer.clone());
    let _ = tokio::join!(left.pay(&first, card), right.pay(&second, card), again.pay(&first, card));
    world.settle().await;
    let payment = world.payment_of(&order.id).await;
    assert_eq!(payment["status"], "captured");
    assert_eq!(payment["amounts"]["captured"], payment["amount"]["value"]);
    let approved = payment["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|attempt| attempt["state"] == "approved")
        .count();
    assert_eq!(approved, 1, "{payment}");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn the_return_address_proves_nothing() {
    let world = World::start().await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    let url = format!("{}/orders/{}/return?status=success&paid=true", world.shop, order.id);
    let _ = payer.open(&url).await;
    world.settle().await;
    assert_eq!(world.order_status(&order.id).await, "awaiting_payment");
}

#[actix_web::test]
async fn a_lost_webhook_still_ends_in_paid() {
    let world = World::start().await;
    world
        .fault("gateway", serde_json::json!({"on": "gateway->merchant", "do": "drop_request"}))
        .await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    let page = payer.open(&order.checkout_url).await;
    let paid = payer.pay(&page, CardTyped::new("4242424242424242")).await;
    assert_eq!(paid.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.advance("15m").await;
    assert_eq!(world.order_status(&order.id).await, "paid");
    world.assert_invariants().await;
}

/// Fills a cart and chooses the classic form; gives the page with the sealed order.
async fn seal_an_order(world: &World, payer: &mut Payer) -> (String, PageSeen) {
    let product = payer.open(&format!("{}/products/tea-42", world.shop)).await;
    let added = payer.fill(&product, "class=\"row buy-form\"", &[("quantity", "1")]).await;
    assert!(added.has("added"), "{}", added.html);
    let checkout = payer.open(&format!("{}/checkout?currency=EUR", world.shop)).await;
    let typed = [("name", "Ada Example"), ("email", "ada@example.com"), ("way", "form")];
    let sealed = payer.fill(&checkout, "data-testid=\"checkout-form\"", &typed).await;
    assert!(sealed.has("sealed-form"), "{}", sealed.html);
    let (_, fields) = sealed.form("data-testid=\"sealed-form\"");
    let order = fields.into_iter().find(|(name, _)| name == "order_id").unwrap().1;
    (order, sealed)
}

#[actix_web::test]
async fn a_sealed_form_is_learnt_of_without_a_webhook_and_without_a_return() {
    let world = World::start().await;
    world
        .fault("gateway", serde_json::json!({"on": "gateway->merchant", "do": "drop_request"}))
        .await;
    let mut payer = world.payer();
    let (order, sealed) = seal_an_order(&world, &mut payer).await;
    world.advance("20m").await;
    world.assert_invariants().await;
    let page = payer.fill(&sealed, "data-testid=\"sealed-form\"", &[]).await;
    let paid = payer.pay(&page, CardTyped::new("4242424242424242")).await;
    assert_eq!(paid.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.advance("15m").await;
    assert_eq!(world.order_status(&order).await, "paid");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_sealed_form_that_nobody_sends_ends_and_the_order_is_paid_another_way() {
    let world = World::start().await;
    let mut payer = world.payer();
    let (order, sealed) = seal_an_order(&world, &mut payer).await;
    world.advance("29m").await;
    let again = payer.open(&sealed.url).await;
    assert!(again.has("sealed-form"), "the form can still be sent: {}", again.html);
    world.advance("1h").await;
    world.assert_invariants().await;
    let late = payer.fill(&sealed, "data-testid=\"sealed-form\"", &[]).await;
    assert_eq!(late.status, 410, "{}", late.html);
    assert_eq!(world.order_status(&order).await, "awaiting_payment");

    let fresh = payer.open(&sealed.url).await;
    let page = payer.fill(&fresh, "data-testid=\"sealed-form\"", &[]).await;
    let paid = payer.pay(&page, CardTyped::new("4242424242424242")).await;
    assert_eq!(paid.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.settle().await;
    assert_eq!(world.order_status(&order).await, "paid");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_sealed_form_for_another_amount_is_not_asked_about_for_ever() {
    let world = World::start().await;
    let switch = serde_json::json!({"id": "order_code_unchecked", "on": true});
    world.sandbox("gateway", "POST", "/vulnerabilities", switch).await;
    let mut payer = world.payer();
    let (order, sealed) = seal_an_order(&world, &mut payer).await;
    let page = payer.fill(&sealed, "data-testid=\"sealed-form\"", &[("amount", "1")]).await;
    let paid = payer.pay(&page, CardTyped::new("4242424242424242")).await;
    assert_eq!(paid.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.advance("1h").await;
    assert_eq!(world.order_status(&order).await, "awaiting_payment");
    world.assert_invariants().await;
    let kind = serde_json::Value::Null;
    let timers = world.sandbox("merchant", "GET", "/clock", kind).await.json();
    assert!(timers["next_work_due_at"].is_null(), "{timers:#}");
}

#[actix_web::test]
async fn yen_and_dinar_are_charged_to_the_unit() {
    let world = World::start().await;
    for (value, currency) in [(1000, "JPY"), (1234, "KWD"), (1, "EUR"), (999_999_999, "USD")] {
        let payment = world.pay("4242424242424242", value, currency).await;
        let expected = if value == 999_999_999 { 0 } else { value };
        assert_eq!(payment["amounts"]["captured"], expected, "{payment}");
        assert_eq!(payment["amount"]["currency"], currency);
    }
}
