//! The console, while a fault is armed, an alert fires and a protection is off.

use payrig::program::Program;
use payrig_tests::browser::Device;
use payrig_tests::http::Http;

use super::{Look, axe};
use crate::customer::Customer;

pub const PAGES: [&str; 16] = [
    "console/cards",
    "console/clock",
    "console/code",
    "console/codes",
    "console/faults",
    "console/home",
    "console/kpis",
    "console/lesson",
    "console/lessons",
    "console/message",
    "console/messages",
    "console/payment",
    "console/payments",
    "console/problem",
    "console/webhook",
    "console/webhooks",
];

/// The path of the first link in the rows with this `data-testid`.
async fn first_link(customer: &Customer, rows: &str) -> String {
    let browser = &customer.browser;
    browser.see(rows).await;
    let link = format!("document.querySelector('[data-testid={rows}] a').pathname");
    browser.evaluate(&link).await.as_str().unwrap().to_owned()
}

/// Five calls of the shop with a wrong key: an alert fires, a message was refused.
async fn raise_an_alert(customer: &Customer) {
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
}

#[actix_web::test]
async fn the_console_has_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    let quiet = |path: &str| format!("{console}{path}?refresh=off");
    let mut look = Look::new(&customer, axe);
    look.at(&quiet("/")).await;
    look.at(&quiet("/payments")).await;
    customer.buy("tea-42").await;
    raise_an_alert(&customer).await;
    browser.open(&quiet("/faults")).await;
    browser.press("arm-webhooks-thrice").await;
    browser.see("armed-row").await;
    browser.open(&quiet("/lessons/return")).await;
    browser.press("begin").await;
    browser.press("do").await;
    browser.see("weakness-bar").await;
    browser.open(&quiet("/payments")).await;
    let payment = first_link(&customer, "payment-row").await;
    browser.open(&quiet(&payment)).await;
    browser.see("ladder").await;
    let message = browser.attribute("arrow", "href").await;
    browser.open(&format!("{console}/messages?only=failed&refresh=off")).await;
    let refused = first_link(&customer, "message-row").await;
    browser.open(&quiet("/webhooks")).await;
    let event = first_link(&customer, "event-row").await;
    for path in [
        "/",
        "/payments",
        &payment,
        &message,
        &refused,
        "/webhooks",
        &event,
        "/messages",
        "/kpis",
        "/faults",
        "/clock",
        "/cards",
        "/codes",
        "/codes/51",
        "/codes/ZZ",
        "/lessons",
        "/lessons/flow",
        "/lessons/return",
        "/nothing-here",
    ] {
        look.at(&quiet(path)).await;
        browser.picture(&format!("axe-console{}", path.replace('/', "-"))).await;
    }
    answers(&mut look, &quiet).await;
    look.finish(&PAGES);
}

/// What the console says to a press, a search and a webhook that was pasted.
async fn answers(look: &mut Look<'_>, quiet: &impl Fn(&str) -> String) {
    let browser = &look.customer.browser;
    browser.open(&quiet("/lessons/flow")).await;
    browser.press("begin").await;
    browser.press("do").await;
    browser.see("completed").await;
    look.here("a completed lesson").await;
    browser.open(&quiet("/payments")).await;
    browser.fill("search", "colour:red").await;
    browser.press("search-go").await;
    browser.see("search-mistake").await;
    look.here("a search that cannot be read").await;
    browser.open(&quiet("/webhooks")).await;
    browser.fill("verify-id", "evt_1").await;
    browser.fill("verify-timestamp", "1000").await;
    browser.fill("verify-signature", "v1,AAAA").await;
    browser.fill("verify-body", "{}").await;
    browser.fill("verify-secret", &look.customer.up.keys().webhook_secret).await;
    browser.press("verify-go").await;
    browser.see("verdict").await;
    look.here("a webhook that does not verify").await;
    browser.open(&quiet("/faults")).await;
    browser.fill("build-value", "never").await;
    browser.press("build-arm").await;
    browser.see("said").await;
    look.here("a fault that cannot be read").await;
}
