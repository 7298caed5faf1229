//! The first five minutes with Payrig, row by row, as the design promises them.

use std::fs;
use std::time::Duration;

use payrig::program::Program;
use payrig_tests::browser::Device;
use payrig_tests::http::Http;
use payrig_tests::processes::{Scratch, payrig, until};

use super::customer::Customer;

/// The address of the arrow on the ladder whose text contains these words.
async fn arrow(customer: &Customer, words: &str) -> String {
    let script = format!(
        "[...document.querySelectorAll('[data-testid=arrow]')]\
         .find(arrow => arrow.textContent.includes('{words}')).getAttribute('href')"
    );
    let console = customer.up.addresses.console();
    format!("{console}{}", customer.browser.evaluate(&script).await.as_str().unwrap())
}

/// The ladder of the newest payment.
async fn newest(customer: &Customer) -> String {
    let console = customer.up.addresses.console();
    customer.browser.open(&format!("{console}/payments?refresh=off")).await;
    let path = customer
        .browser
        .evaluate("document.querySelector('[data-testid=payment-row] a').pathname")
        .await;
    format!("{console}{}", path.as_str().unwrap())
}

fn gateway_docs(customer: &Customer) -> String {
    format!("{}/api/docs", customer.up.url(Program::Gateway))
}

#[actix_web::test]
async fn the_first_five_minutes_go_as_promised() {
    let clock = kit::clock::Clock::real();
    let begun = clock.stopwatch();
    // 0:40 up, with a banner; Customer::enter waits for it.
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    println!("up, with a browser, after {:?}", begun.elapsed());

    // 1:00 buys a tin of tea, clicks a test card, presses Pay.
    customer.order("tea-42").await;
    browser.press("test-card-stripe.visa").await;
    browser.press("pay").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    println!("time to first payment: {:?}", begun.elapsed());
    browser.open(&format!("{console}/payments?refresh=off")).await;
    browser.see("payment-row").await;

    // 1:40 the arrow "authorization": JSON, signed string, signature valid; the shop's call as curl.
    let ladder = newest(&customer).await;
    browser.open(&format!("{ladder}?refresh=off")).await;
    let authorization = arrow(&customer, "0100").await;
    let created = arrow(&customer, "POST /api/payments").await;
    browser.open(&authorization).await;
    assert!(browser.text("request-verdict").await.contains("signature valid"));
    browser.see("signature-base").await;
    browser.open(&created).await;
    assert!(browser.source().await.contains("HTTP/1.1"));
    assert!(browser.text("curl").await.starts_with("curl "));

    // 2:10 the next answer gets lost; every page of the console shows that a fault is armed.
    browser.open(&format!("{console}/faults?refresh=off")).await;
    browser.press("arm-lose-answer").await;
    for page in
        [format!("{console}/clock?refresh=off"), customer.shop("/"), gateway_docs(&customer)]
    {
        browser.open(&page).await;
        assert!(browser.text("armed-bar").await.contains("armed"), "{page}");
    }
    customer.order("tea-42").await;
    browser.press("test-card-stripe.visa").await;
    browser.press("pay").await;
    browser.wait_for("outcome", "data-outcome", "processing").await;
    let waiting = browser.text("outcome").await;
    assert!(
        waiting.contains("Contacting your bank") || waiting.contains("checking with your bank")
    );

    // 2:40 Next timer, until the reversal is out; the order is not paid and can be paid again.
    let ladder = newest(&customer).await;
    until("a reversal on the ladder", Duration::from_secs(60), async || {
        browser.open(&format!("{console}/clock?refresh=off")).await;
        browser.press("clock-next").await;
        browser.see("said").await;
        browser.open(&format!("{ladder}?refresh=off")).await;
        browser.source().await.contains("0410").then_some(())
    })
    .await;
    assert!(browser.source().await.contains(">lost</text>"));
    browser.picture("five-minutes-reversal").await;
    customer.open_last_order().await;
    until("the order can be paid again", Duration::from_secs(20), async || {
        customer.open_last_order().await;
        browser.has("pay").await.then_some(())
    })
    .await;

    // 3:10 pays again: one paid order, and the figures count one reversal.
    browser.press("pay").await;
    browser.press("test-card-stripe.visa").await;
    browser.press("pay").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    let order = customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "paid").await;
    let path = format!("/payments?order_reference={order}");
    let payments = customer.up.payrig(&["call", "GET", &path]).await.json();
    let captured = |it: &&serde_json::Value| it["status"] == "captured";
    assert_eq!(payments["data"].as_array().unwrap().iter().filter(captured).count(), 1);
    browser.open(&format!("{console}/kpis?window=all&refresh=off")).await;
    let reversals = browser.evaluate(
        "document.querySelector('[data-testid=kpi-reversals]').parentElement.textContent",
    );
    assert!(reversals.await.as_str().unwrap().contains("1 of"), "one reversal is counted");

    // 3:30 Save as scenario; 4:00 it is green; 4:30 a changed expectation is red, with exit code 4.
    let file = format!("{ladder}/scenario");
    browser.open(&format!("{ladder}?refresh=off")).await;
    browser.see("save-scenario").await;
    let saved = Http::default().get(&file).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    let place = Scratch::new("five-minutes");
    fs::create_dir_all(place.path()).unwrap();
    let path = place.path().join("that.scenario.yaml");
    fs::write(&path, saved.text()).unwrap();
    let name = path.to_str().unwrap();
    payrig(&["check", name]).await.ok();
    let running = clock.stopwatch();
    payrig(&["run", name]).await.ok();
    println!("the saved scenario is green after {:?}", running.elapsed());
    let changed = saved.text().replacen("status: 201", "status: 299", 1);
    assert_ne!(changed, saved.text(), "{changed}");
    fs::write(&path, changed).unwrap();
    let red = payrig(&["run", name]).await;
    assert_eq!(red.code, Some(4), "{}{}", red.output, red.notes);
    let said = format!("{}{}", red.output, red.notes);
    assert!(said.contains("expected 299, got 201"), "{said}");
    for part in ["╰── expected 299", "status: 299", "that.scenario.yaml:", "again   payrig run"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    println!("all rows after {:?}", begun.elapsed());
}
