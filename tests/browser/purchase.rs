//! A customer buys, is declined and tries again, changes their mind, waits for the bank.

use payrig_tests::browser::Device;
use serde_json::Value;

use super::customer::{Customer, PAYS};

#[actix_web::test]
async fn a_customer_buys_with_the_keyboard_and_gets_a_receipt() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    browser.open(&customer.shop("/")).await;
    assert!(browser.has("test-badge").await);
    browser.picture("shop").await;
    browser.press("add-tea-42").await;
    browser.see("added").await;
    assert_eq!(browser.text("cart-count").await, "1");
    browser.follow("nav-cart").await;
    browser.picture("cart").await;
    let total = browser.text("total-EUR").await;
    browser.press("checkout-EUR").await;
    browser.fill("name", "Ada Example").await;
    browser.fill("email", "ada@example.com").await;
    browser.picture("checkout").await;
    browser.press("place-order").await;

    browser.see("card-form").await;
    assert_eq!(browser.text("amount").await, total);
    assert!(!browser.address().await.contains("cs="), "the secret stays in the address");
    browser.press("card-number").await;
    browser.keys(PAYS).await;
    assert_eq!(browser.value("card-number").await, "4242 4242 4242 4242");
    assert_eq!(browser.text("network").await, "Visa");
    browser.tab().await;
    assert_eq!(browser.focus().await, "card-expiry");
    browser.keys("1239").await;
    assert_eq!(browser.value("card-expiry").await, "12 / 39");
    browser.tab().await;
    assert_eq!(browser.focus().await, "card-code");
    browser.keys("123").await;
    browser.picture("card-page").await;
    browser.enter().await;

    browser.wait_for("outcome", "data-outcome", "paid").await;
    browser.picture("outcome-paid").await;
    let back = browser.attribute("return-to-shop", "href").await;
    assert!(back.starts_with(&customer.shop("/orders/")), "{back}");
    browser.open(&back).await;
    browser.wait_for("order-state", "data-status", "paid").await;
    browser.picture("order-paid").await;
    browser.press("receipt-link").await;
    assert_eq!(browser.text("total").await, total);
    assert_eq!(browser.text("paid").await, total);
    assert!(browser.text("payment-id").await.starts_with("pay_"));
    browser.picture("receipt").await;
    customer.up.payrig(&["invariants"]).await.ok();
}

#[actix_web::test]
async fn a_declined_payer_reads_advice_and_pays_with_another_card() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let declines = [
        ("4000000000000002", "generic", "another card"),
        ("4000000000009995", "funds", "not enough money"),
        ("4000000000009987", "generic", "another card"),
        ("4000000000000069", "check_details", "check the card number, date and security code"),
        ("4000000000000127", "check_details", "check the card number, date and security code"),
    ];
    for (number, family, advice) in declines {
        customer.order("tea-7").await;
        customer.type_card(number).await;
        assert_eq!(browser.attribute("decline", "data-family").await, family, "{number}");
        let said = browser.text("decline").await.to_lowercase();
        assert!(said.contains(advice), "{number}: {said}");
        for word in ["lost", "stolen", "fraud", "honor", "risk", "rule", "05", "41", "51", "54"] {
            assert!(!said.contains(word), "{number}: {said}");
        }
        assert_eq!(browser.value("card-code").await, "", "{number}: the code is kept");
        browser.picture(&format!("declined-{}", &number[12..])).await;
        customer.type_card("5555555555554444").await;
        browser.wait_for("outcome", "data-outcome", "paid").await;
        customer.open_last_order().await;
        browser.wait_for("order-state", "data-status", "paid").await;
    }
}

#[actix_web::test]
async fn a_payer_who_cancels_is_not_charged_and_may_order_again() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    browser.press("cancel").await;
    browser.wait_for("outcome", "data-outcome", "canceled").await;
    browser.picture("outcome-canceled").await;
    let order = customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "canceled").await;
    browser.picture("order-canceled").await;
    browser.follow("order-again").await;
    browser.open(&customer.shop("/cart")).await;
    browser.see("basket-EUR").await;
    let path = format!("/payments?order_reference={order}");
    let payments = customer.up.payrig(&["call", "GET", &path]).await.json();
    assert_eq!(payments["data"][0]["status"], "canceled", "{payments:#}");
}

#[actix_web::test]
async fn the_order_tells_the_truth_while_the_bank_is_asked() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let lost = ["fault", "add", "gateway->processor", "reset:response", "--type"];
    let fault = |kind| [&lost[..], &[kind]].concat();
    customer.up.payrig(&fault("authorization")).await.ok();
    customer.up.payrig(&fault("inquiry")).await.ok();
    customer.up.payrig(&fault("reversal")).await.ok();
    customer.order("tea-42").await;
    let payment_page = browser.address().await;
    customer.type_card(PAYS).await;
    browser.see("outcome").await;
    browser.picture("outcome-unknown").await;
    let said = browser.text("outcome").await;
    assert!(said.contains("checking with your bank") || said.contains("Contacting"), "{said}");
    assert!(!said.contains("not been charged"), "{said}");
    assert!(!browser.has("card-form").await, "nobody is asked to pay again");
    customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "checking").await;
    assert!(!browser.has("pay").await, "nobody is asked to pay again");
    browser.picture("order-checking").await;

    // The inquiry finds nobody, so the payment is given back as soon as that can be said.
    customer.up.payrig(&["clock", "advance", "30s"]).await.ok();
    customer.up.payrig(&["fault", "clear"]).await.ok();
    customer.up.payrig(&["clock", "until-idle"]).await.ok();
    browser.open(&payment_page).await;
    browser.wait_for("outcome", "data-outcome", "failed").await;
    browser.picture("outcome-failed").await;
    customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "declined").await;
    browser.picture("order-declined").await;
    browser.press("pay").await;
    browser.see("card-form").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    let order = customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "paid").await;
    let path = format!("/payments?order_reference={order}");
    let payments = customer.up.payrig(&["call", "GET", &path]).await.json();
    let captured = |payment: &&Value| payment["status"] == "captured";
    assert_eq!(payments["data"].as_array().unwrap().iter().filter(captured).count(), 1);
    customer.up.payrig(&["invariants"]).await.ok();
}

#[actix_web::test]
async fn going_back_after_paying_does_not_pay_twice() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    let payment_page = browser.address().await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    browser.open(&payment_page).await;
    browser.see("outcome").await;
    assert!(!browser.has("card-form").await);
    let order = customer.open_last_order().await;
    let path = format!("/payments?order_reference={order}");
    let payments = customer.up.payrig(&["call", "GET", &path]).await.json();
    assert_eq!(payments["data"].as_array().unwrap().len(), 1, "{payments:#}");
    assert_eq!(payments["data"][0]["attempts"].as_array().unwrap().len(), 1, "{payments:#}");
}
