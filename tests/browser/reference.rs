//! What can be looked up: codes, cards, settings, and the checklist before going live.

use std::time::Duration;

use payrig::program::Program;
use payrig_tests::browser::Device;
use payrig_tests::processes::{seen, until};

use super::customer::{Customer, PAYS};

const FUNDS: &str = "4000000000009995";

#[actix_web::test]
async fn codes_and_cards_are_found_and_linked_from_a_payment() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&format!("{console}/codes")).await;
    let all = count(&customer, "code-row").await;
    browser.fill("search", "insufficient").await;
    browser.press("search-go").await;
    // The press may come back before the next page is there.
    let fewer = async || Some(count(&customer, "code-row").await).filter(|found| *found != all);
    let found = seen(Duration::from_secs(10), fewer).await.unwrap_or(all);
    assert!(all > 40 && (1..5).contains(&found), "{found} of {all}");
    browser.picture("console-codes").await;
    browser.open(&format!("{console}/cards?q=51")).await;
    assert!(browser.text("cards").await.contains("4000 0000 0000 9995"));
    browser.picture("console-cards").await;

    // A payment that failed leads to its code, and the code back to the card that shows it.
    customer.order("tea-42").await;
    customer.type_card(FUNDS).await;
    browser.see("decline").await;
    browser.open(&format!("{console}/payments?refresh=off")).await;
    let path = browser.evaluate("document.querySelector('[data-testid=payment-row] a').pathname");
    let payment = format!("{console}{}", path.await.as_str().unwrap());
    browser.open(&format!("{payment}?refresh=off")).await;
    browser.press("code-link").await;
    browser.says("told", "insufficient_funds").await;
    assert!(browser.text("told").await.contains("not enough money"));
    assert!(browser.text("cards").await.contains("4000 0000 0000 9995"));
    browser.picture("console-code").await;
    browser.open(&format!("{console}/codes/do_not_honor")).await;
    assert!(browser.address().await.ends_with("/codes/do_not_honor"));
    browser.see("advice").await;
    browser.open(&format!("{console}/codes/ZZ")).await;
    browser.see("problem-code").await;
}

async fn count(customer: &Customer, testid: &str) -> u64 {
    let script = format!("document.querySelectorAll('[data-testid={testid}]').length");
    customer.browser.evaluate(&script).await.as_u64().unwrap()
}

/// Signs in to the dashboard and looks which lines of the checklist are done.
async fn done(customer: &Customer) -> Vec<String> {
    let gateway = customer.up.url(Program::Gateway);
    customer.browser.open(&format!("{gateway}/dashboard/go-live")).await;
    let found = customer
        .browser
        .evaluate(
            "[...document.querySelectorAll('[data-done=yes]')] \
             .map(each => each.dataset.testid.replace('item-', ''))",
        )
        .await;
    found.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn the_checklist_is_ticked_by_what_really_happened() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let keys = customer.up.keys();
    let admin = keys.accounts.iter().find(|account| account.name == "admin").unwrap();
    browser.open(&format!("{}/dashboard", customer.up.url(Program::Gateway))).await;
    browser.fill("login-name", "admin").await;
    browser.fill("login-password", &admin.password).await;
    browser.press("login").await;
    browser.see("no-payments").await;
    assert_eq!(done(&customer).await, ["endpoint"], "the shop's endpoint is all there is");

    // A decline, then a card that pays; its webhook arrives forged first.
    let forged = r#"{"faults":[{"on":"gateway->merchant","match":{"event":"payment.captured"},
        "times":1,"do":"corrupt_signature"}]}"#;
    let armed = customer.up.sandbox(Program::Gateway, "POST", "faults", forged).await;
    assert_eq!(armed.status, 201, "{}", armed.text());
    customer.order("tea-42").await;
    customer.type_card(FUNDS).await;
    browser.see("decline").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    customer.up.payrig(&["clock", "until-idle"]).await.ok();
    let seen = done(&customer).await;
    assert_eq!(seen, ["endpoint", "answering", "forged", "signed", "captured", "decline"]);

    // A refund, a new secret, an event sent again.
    browser.press("nav-payments").await;
    browser.press("payment-link").await;
    browser.fill("refund-reason", "A dent in the tin").await;
    browser.press("refund").await;
    browser.see("notice").await;
    browser.press("nav-developers").await;
    browser.press("rotate-secret").await;
    browser.see("new-secret").await;
    browser.press("event-link").await;
    browser.press("resend").await;
    browser.see("notice").await;
    customer.up.payrig(&["clock", "until-idle"]).await.ok();
    let seen = done(&customer).await;
    for line in ["twice", "secret", "refund"] {
        assert!(seen.iter().any(|it| it == line), "{line}: {seen:?}");
    }
    assert!(!seen.contains(&"settlement".to_owned()), "{seen:?}");
    assert_eq!(browser.text("progress").await, format!("{} of 13", seen.len()));
    browser.picture("dashboard-go-live").await;
    browser.press("nav-settings").await;
    browser.says("roles", "administrator").await;
    browser.picture("dashboard-settings").await;
}

#[actix_web::test]
async fn shop_and_gateway_tell_that_faults_are_armed_anywhere() {
    let Some(customer) = Customer::enter(Device::PHONE).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    customer.order("tea-42").await;
    let payment_page = browser.address().await;
    let pages = [
        customer.shop("/"),
        customer.shop("/office/login"),
        payment_page,
        format!("{}/dashboard", customer.up.url(Program::Gateway)),
        format!("{}/", customer.up.url(Program::ProcessorSim)),
    ];
    for page in &pages {
        browser.open(page).await;
        assert!(!browser.has("armed-bar").await, "{page}");
    }
    let lose = ["fault", "add", "gateway->processor", "drop_response"];
    customer.up.payrig(&lose).await.ok();
    for page in &pages {
        browser.open(page).await;
        assert!(browser.text("armed-bar").await.contains("1 fault is armed"), "{page}");
        browser.assert_fits().await;
    }
    let id = customer.up.payrig(&lose).await.ok().trim().to_owned();
    let listed = customer.up.payrig(&["fault", "list"]).await.ok();
    assert!(listed.contains(&id) && listed.contains("drop_response"), "{listed}");
    browser.open(&pages[0]).await;
    assert!(browser.text("armed-bar").await.contains("2 faults are armed"));
    customer.up.payrig(&["fault", "clear", &id]).await.ok();
    browser.open(&pages[0]).await;
    assert!(browser.text("armed-bar").await.contains("1 fault is armed"));
    browser.picture("phone-armed-bar").await;
    browser.open(&format!("{console}/faults?refresh=off")).await;
    browser.press("clear-all").await;
    browser.see("nothing-armed").await;
    for page in &pages {
        browser.open(page).await;
        assert!(!browser.has("armed-bar").await, "{page}");
    }
    // One that is used up is told of no longer, whether or not a console is open.
    customer.up.payrig(&[lose.as_slice(), &["--times", "1"]].concat()).await.ok();
    browser.open(&pages[0]).await;
    assert!(browser.text("armed-bar").await.contains("1 fault is armed"));
    customer.order("tea-42").await;
    customer.type_card(PAYS).await;
    until("the bar is gone", Duration::from_secs(20), async || {
        browser.open(&pages[0]).await;
        (!browser.has("armed-bar").await).then_some(())
    })
    .await;
}
