//! The picture of the README: a lost answer, its reversal, a forged webhook, a doubled one.

use std::time::Duration;

use payrig::program::Program;
use payrig_tests::browser::Device;
use payrig_tests::processes::until;

use super::customer::{Customer, PAYS};

/// Authorization and inquiry lose their answers; the first webhook arrives forged, the next twice.
const FAULTS: &str = r#"{"faults":[
    {"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":"drop_response"},
    {"on":"gateway->processor","match":{"type":"inquiry"},"times":1,"do":"drop_response"},
    {"on":"gateway->merchant","times":1,"do":"corrupt_signature"},
    {"on":"gateway->merchant","skip":1,"times":1,"do":{"duplicate":2}}]}"#;

#[actix_web::test]
async fn a_ladder_explains_a_lost_answer_its_reversal_and_bad_webhooks() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    let armed = customer.up.sandbox(Program::Gateway, "POST", "faults", FAULTS).await;
    assert_eq!(armed.status, 201, "{}", armed.text());
    customer.order("tea-42").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "processing").await;
    let path = until("a payment in the console", Duration::from_secs(20), async || {
        browser.open(&format!("{console}/payments?refresh=off")).await;
        let found = browser
            .evaluate("document.querySelector('[data-testid=payment-row] a')?.pathname ?? ''")
            .await;
        Some(found.as_str().unwrap().to_owned()).filter(|path| !path.is_empty())
    })
    .await;
    let told = ["lost", "0400", "0410", "refused", "duplicate"];
    customer.up.payrig(&["clock", "until-idle"]).await.ok();
    browser.open(&format!("{console}{path}?refresh=off")).await;
    let said = browser.text("ladder").await;
    for word in told {
        assert!(said.contains(word), "{word}: {said}");
    }
    browser.picture("console-ladder-trouble").await;
    browser.picture_of("ladder", "ladder").await;
    browser.become_device(Device { dark: true, ..Device::DESKTOP }).await;
    browser.open(&format!("{console}{path}?refresh=off")).await;
    browser.picture_of("ladder", "ladder-dark").await;
    // A phone shows it as it is drawn, and scrolls it sideways in its own region.
    browser.become_device(Device::PHONE).await;
    browser.open(&format!("{console}{path}?refresh=off")).await;
    browser.assert_fits().await;
    let drawn = "(() => { const it = document.querySelector('[data-testid=ladder]'); \
        return it.getBoundingClientRect().width / it.viewBox.baseVal.width; })()";
    assert_eq!(browser.evaluate(drawn).await, 1.0, "the ladder is shrunk");
    // The table beside it says the same, for those who do not see the drawing.
    let table = browser
        .evaluate("document.querySelector('[data-testid=steps]').textContent")
        .await
        .as_str()
        .unwrap()
        .to_owned();
    for word in ["lost", "reversal", "refused", "arrival 2", "duplicate"] {
        assert!(table.contains(word), "{word}: {table}");
    }
    customer.up.payrig(&["invariants"]).await.ok();
}
