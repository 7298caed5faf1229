//! The console's controls: faults with their bar, the clock, and pages that follow by themselves.

use payrig::program::Program;
use payrig_tests::browser::Device;

use super::customer::{Customer, PAYS};

/// Buys with a card whose authorization gets no answer, and comes back to the console.
async fn lose_an_answer(customer: &Customer) -> String {
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&format!("{console}/faults")).await;
    browser.see("nothing-armed").await;
    browser.press("arm-lose-answer").await;
    browser.says("said", "Lose the next authorization's answer").await;
    browser.see("armed-row").await;
    browser.picture("console-faults").await;
    customer.order("tea-42").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "processing").await;
    console
}

#[actix_web::test]
async fn a_fault_armed_by_one_press_is_seen_on_every_page_and_ends_in_a_reversal() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = lose_an_answer(&customer).await;
    for path in ["/", "/payments", "/faults", "/clock", "/nothing-here"] {
        browser.open(&format!("{console}{path}")).await;
        let bar = browser.text("armed-bar").await;
        assert!(bar.contains("fault"), "{path}: {bar}");
    }
    browser.open(&format!("{console}/clock")).await;
    browser.see("timer").await;
    browser.picture("console-clock").await;
    // Deadline, inquiry, reversal: a press for each, until the payment is reversed.
    browser.press("clock-idle").await;
    browser.says("said", "fired").await;
    browser.open(&format!("{console}/payments")).await;
    let path = browser.evaluate("document.querySelector('[data-testid=payment-row] a').pathname");
    let path = path.await.as_str().unwrap().to_owned();
    browser.open(&format!("{console}{path}")).await;
    let page = browser.source().await;
    assert!(page.contains("0400") && page.contains(">lost</text>"), "no reversal on the ladder");
    browser.press("clear-all").await;
    browser.see("nothing-armed").await;
    assert!(!browser.has("armed-bar").await);
    let order = customer.open_last_order().await;
    assert_ne!(browser.attribute("order-state", "data-status").await, "paid", "{order}");
}

#[actix_web::test]
async fn an_open_page_follows_without_being_loaded_again() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&format!("{console}/payments")).await;
    browser.see("no-payments").await;
    browser.evaluate("(window.stayed = true)").await;
    let api = customer.up.api("playground").await;
    let body = serde_json::json!({
        "amount": {"value": 4200, "currency": "EUR"}, "order_reference": "ord_live",
    });
    let made = api.post("/payments", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    browser.see("payment-row").await;
    assert_eq!(browser.evaluate("window.stayed").await, true, "the page was loaded again");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    browser.open(&format!("{console}/payments/{id}")).await;
    browser.evaluate("(window.stayed = true)").await;
    let before = arrows(&customer).await;
    let read = api.get(&format!("/payments/{id}")).await;
    assert_eq!(read.status, 200);
    payrig_tests::processes::until(
        "an arrow is added",
        std::time::Duration::from_secs(10),
        async || (arrows(&customer).await > before).then_some(()),
    )
    .await;
    assert_eq!(browser.evaluate("window.stayed").await, true, "the page was loaded again");
}

async fn arrows(customer: &Customer) -> u64 {
    let count =
        customer.browser.evaluate("document.querySelectorAll('[data-testid=arrow]').length").await;
    count.as_u64().unwrap()
}

#[actix_web::test]
async fn the_controls_work_without_scripts_and_refuse_foreign_forms() {
    let device = Device { scripts: false, ..Device::DESKTOP };
    let Some(customer) = Customer::enter(device).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&format!("{console}/faults?refresh=off")).await;
    browser.press("arm-webhooks-thrice").await;
    browser.see("armed-bar").await;
    let faults = customer.up.sandbox(Program::Gateway, "GET", "faults", "").await.json();
    assert_eq!(faults["faults"].as_array().unwrap().len(), 1, "{faults}");
    browser.open(&format!("{console}/faults?refresh=off")).await;
    browser.press("clear-all").await;
    browser.see("nothing-armed").await;
    browser.open(&format!("{console}/clock?refresh=off")).await;
    browser.press("clock-minute").await;
    browser.see("said").await;

    let http = payrig_tests::http::Http::default();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let refused = http
        .send("POST", &format!("{console}/faults"), &form, "preset=lose-answer".to_owned())
        .await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(refused.json()["code"], "form_not_ours");
}

#[actix_web::test]
async fn a_held_message_waits_until_it_is_released() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&format!("{console}/faults")).await;
    browser.choose("hold-on", "gateway->processor").await;
    browser.press("hold").await;
    browser.see("armed-row").await;
    customer.order("tea-42").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "processing").await;
    let payment_page = browser.address().await;
    browser.open(&format!("{console}/faults")).await;
    browser.press("release").await;
    browser.see("said").await;
    browser.press("clear-all").await;
    browser.see("nothing-armed").await;
    browser.open(&payment_page).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
}
