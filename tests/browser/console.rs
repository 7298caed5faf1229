//! The console: the world at a glance, and the ladder of a payment.

use payrig_tests::browser::Device;

use super::customer::Customer;

#[actix_web::test]
async fn the_console_shows_the_programs_and_the_ladder_of_a_payment() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&console).await;
    browser.see("no-payments").await;
    customer.buy("tea-42").await;

    browser.open(&console).await;
    for program in ["merchant", "gateway", "processor-sim"] {
        let said = browser.text(&format!("program-{program}")).await;
        assert!(said.to_lowercase().contains("ready"), "{program}: {said}");
    }
    browser.see("payment-row").await;
    browser.picture("console").await;
    let path = browser.evaluate("document.querySelector('[data-testid=payment-row] a').pathname");
    let path = path.await.as_str().unwrap().to_owned();
    browser.open(&format!("{console}{path}?refresh=off")).await;
    let arrows = browser.evaluate("document.querySelectorAll('[data-testid=arrow]').length").await;
    assert!(arrows.as_u64().unwrap() >= 12, "{arrows} arrows");
    let heads = browser
        .evaluate("[...document.querySelectorAll('svg .head')].map(head => head.textContent)")
        .await;
    assert_eq!(
        heads.to_string(),
        r#"["browser","merchant","gateway","processor","network","issuer"]"#
    );
    browser.picture("console-ladder").await;
    let message = browser
        .evaluate(
            "[...document.querySelectorAll('[data-testid=arrow]')]\
             .find(arrow => arrow.textContent.includes('0100')).getAttribute('href')",
        )
        .await;
    browser.open(&format!("{console}{}", message.as_str().unwrap())).await;
    assert!(browser.text("request-verdict").await.contains("signature valid"));
    assert!(browser.text("answer-verdict").await.contains("signature valid"));
    browser.see("signature-base").await;
    browser.picture("console-message").await;
    assert!(!browser.source().await.contains("4242424242424242"));
}
