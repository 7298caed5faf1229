//! The shop, and an order in every state.

use payrig::program::Program;
use payrig_tests::browser::Device;

use super::{Look, axe};
use crate::customer::{Customer, PAYS};
use crate::ways;

pub const PAGES: [&str; 15] = [
    "merchant/card",
    "merchant/cards",
    "merchant/cart",
    "merchant/checkout",
    "merchant/home",
    "merchant/office/login",
    "merchant/order",
    "merchant/orders",
    "merchant/privacy",
    "merchant/problem",
    "merchant/product",
    "merchant/receipt",
    "merchant/sealed",
    "merchant/subscriptions",
    "processor-sim/challenge",
];
const CHALLENGED: &str = "4000010030070008";

#[actix_web::test]
async fn the_shop_has_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let browser = &customer.browser;
    let mut look = Look::new(&customer, axe);
    for path in ["/cart", "/orders", "/cards", "/subscriptions", "/privacy"] {
        look.at(&customer.shop(path)).await;
    }
    unpaid(&mut look).await;
    asked_by_the_bank(&mut look).await;
    paid(&mut look).await;
    browser.open(&customer.shop("/cards")).await;
    browser.follow("save-cards").await;
    customer.order("tea-42").await;
    browser.press("save-card").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    browser.open(&customer.shop("/products/tea-42")).await;
    browser.press("add-to-cart").await;
    browser.see("added").await;
    look.here("put into the cart").await;
    for path in [
        "/",
        "/products/tea-42",
        "/cart",
        "/checkout?currency=EUR",
        "/orders",
        "/cards",
        "/subscriptions",
        "/privacy",
        "/office/login",
        "/nothing-here",
    ] {
        look.at(&customer.shop(path)).await;
    }
    browser.open(&customer.shop("/checkout?currency=EUR")).await;
    browser.evaluate("[...document.forms].map(each => (each.noValidate = true)).length").await;
    // The shop remembers who ordered.
    let forget =
        "[...document.querySelectorAll('#name, #email')].map(each => (each.value = '')).length";
    browser.evaluate(forget).await;
    browser.press("place-order").await;
    browser.see("name-error").await;
    look.here("a checkout with mistakes").await;
    look.finish(&PAGES);
}

/// Waiting, declined, canceled, expired, being checked; and the other two ways to pay.
async fn unpaid(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    // Its page runs out while no other order makes the shop ask again and again.
    customer.order("tea-42").await;
    customer.up.payrig(&["clock", "advance", "31m"]).await.ok();
    customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "canceled").await;
    look.at(&browser.address().await).await;
    customer.order("tea-42").await;
    let page = browser.address().await;
    customer.open_last_order().await;
    look.at(&browser.address().await).await;
    browser.open(&page).await;
    customer.type_card("4000010010510007").await;
    browser.see("decline").await;
    customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "declined").await;
    look.at(&browser.address().await).await;
    browser.press("cancel-order").await;
    browser.wait_for("order-state", "data-status", "canceled").await;
    look.at(&browser.address().await).await;
    for (way, shown) in [("way-embedded", "card-token-form"), ("way-form", "sealed-form")] {
        ways::place(customer, way).await;
        browser.see(shown).await;
        look.at(&browser.address().await).await;
        browser.open(&customer.shop("/cart")).await;
    }
    let lose = ["fault", "add", "gateway->processor", "drop_response", "--times", "1"];
    customer.up.payrig(&lose).await.ok();
    customer.order("tea-42").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "processing").await;
    customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "checking").await;
    look.here("an order that is being checked").await;
    customer.up.payrig(&["clock", "until-idle"]).await.ok();
}

/// A card in the fields of the shop's page that its bank asks about: the order says so, and leads
/// to the bank and back.
async fn asked_by_the_bank(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    ways::place(customer, "way-embedded").await;
    browser.wait_for("card-token-form", "data-ready", "yes").await;
    browser.press("pay-embedded").await;
    browser.wait_for("card-token-form", "data-ready", "yes").await;
    assert!(!browser.text("card-said").await.is_empty());
    look.here("card fields with mistakes").await;
    ways::type_into_frame(customer, CHALLENGED).await;
    browser.press("pay-embedded").await;
    browser.see("order-state").await;
    // The browser is looked at first; then the bank has something to ask.
    browser.press("pay").await;
    browser.see("challenge").await;
    let bank = browser.address().await;
    look.here("the bank asks").await;
    customer.open_last_order().await;
    let head = browser.text("story-head").await;
    assert_eq!(head, "Your bank asks you to confirm the payment", "{bank}");
    look.at(&browser.address().await).await;
    browser.press("pay").await;
    browser.press("challenge-approve").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "paid").await;
}

/// Paid, partially refunded, refunded; with the receipt.
async fn paid(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    let order = customer.buy("tea-42").await;
    let page = customer.shop(&format!("/orders/{order}"));
    look.at(&page).await;
    let refund = async |body: &str| {
        let url = format!("{}/api/orders/{order}/refunds", customer.up.url(Program::Merchant));
        let key = customer.up.keys().sandbox_key;
        let headers = [("sandbox-key", key.as_str()), ("content-type", "application/json")];
        let http = payrig_tests::http::Http::default();
        let answer = http.send("POST", &url, &headers, body.to_owned()).await;
        assert!(answer.status < 300, "{}", answer.text());
    };
    for (body, status) in [
        (r#"{"amount": 1000, "reason": "A dent in the tin"}"#, "partially_refunded"),
        (r#"{"reason": "Came back"}"#, "refunded"),
    ] {
        refund(body).await;
        browser.open(&page).await;
        browser.wait_for("order-state", "data-status", status).await;
        look.at(&page).await;
        look.at(&format!("{page}/receipt")).await;
    }
}
