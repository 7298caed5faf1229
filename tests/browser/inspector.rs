//! Looking closely: why a message was refused, webhooks sent again, search, figures, the bundle.

use payrig::program::Program;
use payrig_tests::browser::Device;
use payrig_tests::http::Http;

use super::customer::Customer;

#[actix_web::test]
async fn a_refused_signature_is_explained_with_what_was_expected() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&format!("{console}/faults")).await;
    browser.press("arm-wrong-key").await;
    browser.see("armed-row").await;
    // The shop's next call is signed with a wrong key; the order stays open.
    browser.open(&customer.shop("/products/tea-42")).await;
    browser.press("add-to-cart").await;
    browser.see("added").await;
    browser.press("nav-cart").await;
    browser.press("checkout-EUR").await;
    browser.fill("name", "Ada Example").await;
    browser.fill("email", "ada@example.com").await;
    browser.press("place-order").await;
    browser.see("order-state").await;
    browser.open(&format!("{console}/messages?only=failed&refresh=off")).await;
    browser.picture("console-messages").await;
    let place = browser
        .evaluate(
            "[...document.querySelectorAll('[data-testid=message-row]')]\
             .find(row => row.textContent.includes('mac mismatch')).querySelector('a').pathname",
        )
        .await;
    browser.open(&format!("{console}{}", place.as_str().unwrap())).await;
    assert!(browser.text("cause").await.contains("Wrong secret"));
    assert!(browser.text("checks").await.contains("does not fit"));
    browser.picture("console-refused").await;
    // The same again, signed well, is taken.
    let curl = browser.text("curl").await;
    assert!(curl.starts_with("curl ") && curl.contains("Signature-Input"), "{curl}");
    let shell = payrig_tests::processes::run(
        std::path::Path::new("/bin/sh"),
        &["-c", &format!("{curl} -o /dev/null -w '%{{http_code}}'")],
        "",
    )
    .await;
    assert_eq!(shell.output, "201", "{curl}");
}

#[actix_web::test]
async fn events_are_sent_again_and_pasted_webhooks_verified() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    customer.buy("tea-42").await;
    browser.open(&format!("{console}/webhooks?refresh=off")).await;
    browser.see("event-row").await;
    assert!(browser.text("delivery-state").await.contains("delivered"));
    browser.picture("console-webhooks").await;
    browser.press("resend").await;
    browser.says("said", "Sent again to 1").await;
    browser.press("resend-failed").await;
    browser.says("said", "0 failed").await;
    browser.fill("verify-id", "evt_1").await;
    browser.fill("verify-timestamp", "1000").await;
    browser.fill("verify-signature", "v1,AAAA").await;
    browser.fill("verify-body", "{}").await;
    browser.fill("verify-secret", &customer.up.keys().webhook_secret).await;
    browser.press("verify-go").await;
    browser.says("verdict", "Too old").await;
    assert!(!browser.source().await.contains(&customer.up.keys().webhook_secret));
    browser.open(&format!("{console}/webhooks?refresh=off")).await;
    browser.evaluate("document.querySelector('[data-testid=event-row] a').click()").await;
    browser.see("delivery-state").await;
    browser.picture("console-webhook").await;
}

#[actix_web::test]
async fn payments_are_found_counted_and_told_without_secrets() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    customer.buy("tea-42").await;
    customer.order("tea-42").await;
    customer.type_card("4000000000000002").await;
    browser.see("decline").await;

    let count = async |query: &str| {
        browser.open(&format!("{console}/payments?refresh=off&q={query}")).await;
        browser
            .evaluate("document.querySelectorAll('[data-testid=payment-row]').length")
            .await
            .as_u64()
            .unwrap()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("status:captured").await, 1);
    assert_eq!(count("card:4242").await, 1);
    assert_eq!(count("code:generic_decline").await + count("code:05").await, 1);
    assert_eq!(count("amount%3E99999999").await, 0);
    browser.open(&format!("{console}/payments?refresh=off")).await;
    browser.fill("search", "status:captured card:4242").await;
    browser.press("search-go").await;
    browser.see("payment-row").await;
    assert!(browser.address().await.contains("q=status%3Acaptured"), "kept in the address");
    browser.fill("search", "colour:red").await;
    browser.press("search-go").await;
    browser.says("search-mistake", "status:failed").await;

    browser.open(&format!("{console}/kpis?refresh=off")).await;
    assert_eq!(browser.text("kpi-authorization").await, "50.0 %");
    assert_eq!(browser.text("kpi-reversals").await, "0.0 %");
    assert!(
        browser.text("declines").await.contains("Do not honor") || browser.has("declines").await
    );
    assert!(browser.text("latency").await.contains("gateway->processor"));
    browser.see("no-alerts").await;
    browser.picture("console-kpis").await;

    let bundle = Http::default().get(&format!("{console}/support-bundle")).await;
    assert_eq!(bundle.status, 200, "{}", bundle.text());
    assert_eq!(bundle.json()["payments"].as_array().unwrap().len(), 2);
    let text = bundle.text();
    let keys = customer.up.keys();
    let mut secrets = vec![keys.sandbox_key, keys.order_code_key, keys.webhook_secret];
    secrets.extend(
        keys.clients
            .values()
            .flat_map(|client| [client.client_secret.clone(), client.signing_key.clone()]),
    );
    secrets.extend(keys.accounts.into_iter().map(|account| account.password));
    secrets.extend(["4242424242424242".to_owned(), "4000000000000002".to_owned()]);
    for secret in secrets {
        assert!(!text.contains(&secret), "the bundle holds a secret");
    }
}

#[actix_web::test]
async fn refused_signatures_raise_an_alert_that_names_the_fault() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&format!("{console}/kpis?refresh=off")).await;
    browser.see("no-alerts").await;
    let fault = r#"{"faults":[{"on":"merchant->gateway","match":{"path":"/api/payments*"},
        "do":"wrong_key","times":5}]}"#;
    let armed = customer.up.sandbox(Program::Merchant, "POST", "faults", fault).await;
    assert_eq!(armed.status, 201, "{}", armed.text());
    let order = format!("{}/api/orders", customer.up.url(Program::Merchant));
    let json = [("content-type", "application/json")];
    for _ in 0..5 {
        let body = r#"{"sku":"tea-42","quantity":1}"#.to_owned();
        Http::default().send("POST", &order, &json, body).await;
    }
    browser.open(&format!("{console}/kpis?refresh=off")).await;
    let alert = browser.text("alert").await;
    assert!(alert.contains("Signatures refused") && alert.contains("fault"), "{alert}");
    browser.open(&format!("{console}/?refresh=off")).await;
    assert!(browser.text("alert-bar").await.contains("Signatures refused"));
    browser.picture("console-alert").await;
}
