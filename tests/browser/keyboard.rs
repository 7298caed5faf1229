//! Every flow once by keyboard alone: no pointer is used, and every stop on the way can be seen.

use std::time::Duration;

use payrig::program::Program;
use payrig_tests::browser::{Browser, Device, Press};
use payrig_tests::processes::until;

use super::customer::{Customer, PAYS};

/// More stops than any page has.
const STOPS_MAX: usize = 250;
const DECLINED: &str = "4000000000000002";
const CHALLENGED: &str = "4000010030070008";
const DISPUTED: &str = "4000010060010007";

/// Goes to an element with the tabulator; every stop on the way has to be seen.
async fn go(browser: &Browser, testid: &str) {
    browser.see(testid).await;
    for _ in 0..STOPS_MAX {
        let at = browser.focused().await;
        assert_eq!(at.trouble, "", "{} on {}", describe(&at), browser.address().await);
        if at.testid == testid {
            return;
        }
        browser.key(Press::Tab).await;
    }
    panic!("{testid} cannot be reached by keyboard on {}", browser.address().await);
}

fn describe(at: &payrig_tests::browser::Focused) -> String {
    format!("{} {} `{}`", at.tag, at.testid, at.words)
}

/// Goes to a button or a link and presses Enter.
async fn hit(browser: &Browser, testid: &str) {
    go(browser, testid).await;
    browser.key(Press::Enter).await;
}

/// Goes to a field and writes over what stands there.
async fn write(browser: &Browser, testid: &str, text: &str) {
    go(browser, testid).await;
    browser.key(Press::SelectAll).await;
    browser.type_keys(text).await;
}

/// Goes to the chosen entry of a group and on with the arrow keys.
async fn choose(browser: &Browser, chosen: &str, wanted: &str) {
    go(browser, chosen).await;
    until(wanted, Duration::from_secs(5), async || {
        if browser.focused().await.testid == wanted {
            return Some(());
        }
        browser.key(Press::Down).await;
        None
    })
    .await;
}

/// From the shop's front page to the press that places the order.
async fn order(customer: &Customer, way: &str) {
    let browser = &customer.browser;
    browser.open(&customer.shop("/")).await;
    hit(browser, "add-tea-42").await;
    browser.see("added").await;
    hit(browser, "nav-cart").await;
    hit(browser, "checkout-EUR").await;
    write(browser, "name", "Ada Example").await;
    write(browser, "email", "ada@example.com").await;
    if way != "way-hosted" {
        choose(browser, "way-hosted", way).await;
    }
    hit(browser, "place-order").await;
}

/// Types a card and sends the form with Enter, as the last field allows.
async fn type_card(browser: &Browser, number: &str) {
    write(browser, "card-number", number).await;
    write(browser, "card-expiry", "1239").await;
    write(browser, "card-code", "123").await;
}

async fn pay(browser: &Browser, number: &str) {
    type_card(browser, number).await;
    browser.key(Press::Enter).await;
}

#[actix_web::test]
async fn paying_in_all_three_ways_needs_no_pointer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    // A decline, then another card; back to the shop and to the receipt.
    order(&customer, "way-hosted").await;
    pay(browser, DECLINED).await;
    browser.see("decline").await;
    pay(browser, PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    hit(browser, "return-to-shop").await;
    browser.wait_for("order-state", "data-status", "paid").await;
    hit(browser, "receipt-link").await;
    browser.see("receipt").await;

    // A test card by its chip, which leads to the button.
    order(&customer, "way-hosted").await;
    hit(browser, "test-card-stripe.visa").await;
    assert_eq!(browser.focused().await.testid, "pay");
    browser.key(Press::Enter).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;

    // Somebody changes their mind.
    order(&customer, "way-hosted").await;
    hit(browser, "cancel").await;
    browser.wait_for("outcome", "data-outcome", "canceled").await;

    // The sealed form.
    order(&customer, "way-form").await;
    hit(browser, "send-sealed").await;
    pay(browser, PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;

    // The fields in their frame: the tabulator goes in and out again.
    order(&customer, "way-embedded").await;
    browser.wait_for("card-token-form", "data-ready", "yes").await;
    into_the_frame(browser).await;
    type_card(browser, PAYS).await;
    browser.leave_frame().await;
    hit(browser, "pay-embedded").await;
    browser.wait_for("order-state", "data-status", "paid").await;
}

async fn into_the_frame(browser: &Browser) {
    for _ in 0..STOPS_MAX {
        if browser.focused().await.tag == "IFRAME" {
            browser.enter_frame("iframe").await;
            return;
        }
        browser.key(Press::Tab).await;
    }
    panic!("the frame cannot be reached");
}

#[actix_web::test]
async fn saved_cards_subscriptions_and_ones_own_data_need_no_pointer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    browser.open(&customer.shop("/cards")).await;
    hit(browser, "save-cards").await;
    browser.see("no-cards").await;
    order(&customer, "way-hosted").await;
    go(browser, "save-card").await;
    browser.key(Press::Space).await;
    browser.picture("card-page-consent").await;
    pay(browser, PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    // One click: the saved card is chosen already.
    order(&customer, "way-hosted").await;
    browser.wait_for("order-state", "data-status", "paid").await;
    browser.open(&customer.shop("/cards")).await;
    browser.see("card").await;
    browser.picture("saved-cards").await;
    hit(browser, "delete-card").await;
    browser.see("no-cards").await;

    browser.open(&customer.shop("/subscriptions")).await;
    write(browser, "name", "Ada Example").await;
    write(browser, "email", "ada@example.com").await;
    hit(browser, "subscribe").await;
    go(browser, "save-card").await;
    if browser.evaluate("document.activeElement.checked").await != true {
        browser.key(Press::Space).await;
    }
    pay(browser, PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    until("the subscription is active", Duration::from_secs(20), async || {
        browser.open(&customer.shop("/subscriptions")).await;
        (browser.attribute("subscription", "data-status").await == "active").then_some(())
    })
    .await;
    browser.picture("subscription-active").await;
    hit(browser, "cancel-subscription").await;
    browser.wait_for("subscription", "data-status", "canceled").await;

    ones_own_data(&customer).await;
}

async fn ones_own_data(customer: &Customer) {
    let browser = &customer.browser;
    hit(browser, "nav-privacy").await;
    go(browser, "export").await;
    let export = browser
        .evaluate(
            "(() => { const ask = new XMLHttpRequest(); \
             ask.open('GET', document.activeElement.href, false); ask.send(); \
             return JSON.parse(ask.responseText); })()",
        )
        .await;
    assert_eq!(export["orders"].as_array().unwrap().len(), 3, "{export:#}");
    assert_eq!(export["orders"][0]["email"], "ada@example.com");
    assert_eq!(export["payment_gateway"]["cards"].as_array().unwrap().len(), 2, "{export:#}");
    assert!(!export.to_string().contains(PAYS));
    browser.picture("privacy").await;
    hit(browser, "erase").await;
    browser.says("notice", "Tick the box").await;
    go(browser, "sure").await;
    browser.key(Press::Space).await;
    hit(browser, "erase").await;
    until("the person is erased", Duration::from_secs(20), async || {
        browser.address().await.ends_with("done=erased").then_some(())
    })
    .await;
    assert!(browser.text("notice").await.contains("are erased"));
    customer.open_last_order().await;
    assert!(!browser.source().await.contains("ada@example.com"), "the mail address is kept");
    browser.open(&customer.shop("/cards")).await;
    browser.see("save-cards").await;
    customer.up.payrig(&["invariants"]).await.ok();
}

#[actix_web::test]
async fn the_banks_question_is_answered_without_a_pointer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    order(&customer, "way-hosted").await;
    pay(browser, CHALLENGED).await;
    hit(browser, "challenge-cancel").await;
    browser.see("decline").await;
    pay(browser, CHALLENGED).await;
    hit(browser, "challenge-approve").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
}

async fn sign_in(customer: &Customer, url: &str, name: &str, button: &str) {
    let browser = &customer.browser;
    let keys = customer.up.keys();
    let account = keys.accounts.iter().find(|account| account.name == name).unwrap();
    browser.open(url).await;
    write(browser, "login-name", name).await;
    write(browser, "login-password", &account.password).await;
    hit(browser, button).await;
    browser.see("logout").await;
}

#[actix_web::test]
async fn the_back_office_needs_no_pointer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let office = customer.shop("/office");
    customer.order("tea-42").await;
    customer.type_card(DISPUTED).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    let disputed = customer.open_last_order().await;
    let disputed = customer.shop(&format!("/office/orders/{disputed}"));
    customer.up.payrig(&["clock", "advance", "4d"]).await.ok();
    let dear = customer.buy("table-1").await;
    let page = customer.shop(&format!("/office/orders/{dear}"));

    // A refund that needs a second person.
    sign_in(&customer, &office, "ada", "login-submit").await;
    browser.open(&page).await;
    write(browser, "refund-reason", "Arrived broken").await;
    hit(browser, "refund-submit").await;
    browser.wait_for("refund-state", "data-state", "awaiting_approval").await;
    browser.turn(async || hit(browser, "logout").await).await;
    sign_in(&customer, &office, "grace", "login-submit").await;
    hit(browser, "nav-approvals").await;
    browser.turn(async || hit(browser, "approve").await).await;
    browser.open(&page).await;
    browser.wait_for("refund-state", "data-state", "succeeded").await;

    // A dispute is answered.
    browser.open(&disputed).await;
    assert!(browser.text("dispute").await.contains("disputes this payment"));
    hit(browser, "nav-disputes").await;
    browser.see("disputes").await;
    browser.picture("office-disputes").await;
    hit(browser, "dispute-link").await;
    browser.see("evidence-form").await;
    browser.picture("office-dispute").await;
    write(browser, "evidence", "winning_evidence: signed for by the cardholder").await;
    hit(browser, "submit-evidence").await;
    browser.see("evidence-given").await;
    until("the order tells that the dispute was won", Duration::from_secs(20), async || {
        browser.open(&disputed).await;
        browser.text("dispute").await.contains("is closed").then_some(())
    })
    .await;

    // The books are compared, a list is found by search.
    hit(browser, "nav-reconciliation").await;
    browser.wait_for("differences", "data-count", "0").await;
    hit(browser, "nav-settlements").await;
    hit(browser, "nav-orders").await;
    write(browser, "search", &dear).await;
    browser.key(Press::Enter).await;
    browser.see("order").await;
    assert!(browser.address().await.contains(&dear));
    go(browser, "orders-csv").await;
}

#[actix_web::test]
async fn the_dashboard_needs_no_pointer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    customer.type_card(DISPUTED).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    customer.up.payrig(&["clock", "advance", "4d"]).await.ok();
    customer.buy("tea-42").await;
    let dashboard = format!("{}/dashboard", customer.up.url(Program::Gateway));
    sign_in(&customer, &dashboard, "admin", "login").await;
    hit(browser, "payment-link").await;
    write(browser, "refund-amount", "10.00").await;
    write(browser, "refund-reason", "A dent in the tin").await;
    browser.key(Press::Enter).await;
    browser.see("notice").await;
    money(browser).await;

    hit(browser, "nav-developers").await;
    write(browser, "endpoint-url", "ftp://nowhere").await;
    hit(browser, "add-endpoint").await;
    browser.says("notice", "only http and https addresses are called").await;
    browser.picture("dashboard-endpoint-refused").await;
    // The browser itself may hold an address back that is none; the server refuses the rest.
    write(browser, "endpoint-url", &customer.shop("/webhooks/more")).await;
    write(browser, "endpoint-events", "payment.captured, refund.succeeded").await;
    hit(browser, "add-endpoint").await;
    assert!(browser.text("secret").await.starts_with("whsec_"));
    browser.picture("dashboard-endpoint-added").await;
    hit(browser, "rotate-secret").await;
    browser.says("new-secret", "24 hours").await;
    keys_of_a_client(browser).await;
    hit(browser, "event-link").await;
    hit(browser, "resend").await;
    browser.says("notice", "sent again").await;
    hit(browser, "logout").await;
    browser.see("login").await;
}

/// A dispute is answered; payouts and refunds are looked at.
async fn money(browser: &Browser) {
    hit(browser, "nav-disputes").await;
    browser.see("disputes").await;
    pictures(browser, "dashboard-disputes").await;
    hit(browser, "dispute-link").await;
    browser.see("evidence-form").await;
    pictures(browser, "dashboard-dispute").await;
    write(browser, "evidence", "winning_evidence: signed for by the cardholder").await;
    hit(browser, "submit-evidence").await;
    browser.see("evidence-given").await;
    assert!(browser.text("notice").await.contains("The evidence was sent"));
    hit(browser, "payment-link").await;
    browser.see("payment-disputes").await;
    pictures(browser, "dashboard-disputed-payment").await;

    hit(browser, "nav-payouts").await;
    browser.see("payouts").await;
    pictures(browser, "dashboard-payouts").await;
    hit(browser, "payout-link").await;
    browser.see("sums").await;
    pictures(browser, "dashboard-payout").await;
    go(browser, "lines-csv").await;

    hit(browser, "nav-refunds").await;
    browser.see("refunds").await;
    pictures(browser, "dashboard-refunds").await;
    go(browser, "filter-status").await;
    browser.type_keys("Failed").await;
    hit(browser, "filter").await;
    browser.see("no-refunds").await;
    assert!(browser.address().await.contains("status=failed"));
}

/// The page as it stands, on a desk and on the narrowest phone.
async fn pictures(browser: &Browser, name: &str) {
    browser.assert_fits().await;
    browser.picture(name).await;
    browser.become_device(Device::PHONE).await;
    browser.assert_fits().await;
    browser.picture(&format!("{name}-phone")).await;
    browser.become_device(Device::DESKTOP).await;
}

/// A client is added, gets a new key, loses the old one, and is removed.
async fn keys_of_a_client(browser: &Browser) {
    write(browser, "client-name", "second-server").await;
    hit(browser, "add-client").await;
    let first = browser.text("new-key-id").await;
    assert!(!browser.text("new-client-secret").await.is_empty());
    hit(browser, "rotate-key").await;
    browser.see("revoke-key").await;
    let second = browser.text("new-key-id").await;
    assert!(second.starts_with("key_") && second != first, "{first} {second}");
    assert!(browser.text("new-keys").await.contains("accepted until"));
    browser.picture("dashboard-new-key").await;
    hit(browser, "revoke-key").await;
    browser.says("notice", &first).await;
    hit(browser, "remove-open").await;
    hit(browser, "remove-client").await;
    browser.says("notice", "second-server is removed").await;
}

/// Goes to the button of a step of a lesson, presses Enter and waits for the answer.
async fn do_step(browser: &Browser, step: usize) {
    let here = format!(
        "[...document.querySelectorAll('[data-testid=do]')].indexOf(document.activeElement) === {step}"
    );
    browser.see("do").await;
    for _ in 0..STOPS_MAX {
        let at = browser.focused().await;
        assert_eq!(at.trouble, "", "{}", describe(&at));
        if browser.evaluate(&here).await == true {
            browser.evaluate("(window.before = true)").await;
            browser.key(Press::Enter).await;
            return until("the press is answered", Duration::from_secs(20), async || {
                let fresh = browser.evaluate("window.before !== true").await == true;
                (fresh && browser.has("said").await).then_some(())
            })
            .await;
        }
        browser.key(Press::Tab).await;
    }
    panic!("step {step} cannot be reached by keyboard");
}

#[actix_web::test]
async fn a_lesson_is_done_without_a_pointer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    browser.open(&console).await;
    hit(browser, "nav-lessons").await;
    hit(browser, "open-return").await;
    hit(browser, "begin").await;
    for step in 0..4 {
        assert!(!browser.has("completed").await, "completed before step {step}");
        do_step(browser, step).await;
    }
    assert!(browser.text("completed").await.contains("State comes from a signed event"));
    browser.picture("lesson-by-keyboard").await;
    hit(browser, "nav-lessons").await;
    assert_eq!(browser.attribute("lesson-return", "data-state").await, "completed");
}

#[actix_web::test]
async fn the_console_needs_no_pointer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    customer.buy("tea-42").await;
    browser.open(&format!("{console}/payments?refresh=off")).await;
    browser.see("payment-row").await;
    browser.key(Press::Letter('/')).await;
    assert_eq!(browser.focused().await.testid, "search");
    browser.type_keys("card:4242").await;
    browser.key(Press::Enter).await;
    browser.see("payment-row").await;
    assert!(browser.address().await.contains("card%3A4242"));
    browser.key(Press::Letter('j')).await;
    browser.key(Press::Enter).await;
    browser.see("payment-id").await;
    // An arrow of the ladder opens its message.
    hit(browser, "arrow").await;
    browser.see("end").await;

    browser.open(&format!("{console}/faults?refresh=off")).await;
    hit(browser, "arm-webhooks-thrice").await;
    browser.see("armed-bar").await;
    hit(browser, "clear-all").await;
    browser.see("nothing-armed").await;
    // A message is held, and released.
    go(browser, "hold-on").await;
    until("the link is chosen", Duration::from_secs(5), async || {
        let chosen = browser.evaluate("document.activeElement.value").await;
        if chosen == "gateway->merchant" {
            return Some(());
        }
        browser.key(Press::Down).await;
        None
    })
    .await;
    hit(browser, "hold").await;
    browser.see("armed-row").await;
    let body = serde_json::json!({
        "amount": {"value": 4200, "currency": "EUR"}, "order_reference": "ord_held",
        "card_token": customer.token(PAYS).await, "confirm": true,
    });
    let made = customer.up.api("shop").await.post("/payments", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    until("a message is held", Duration::from_secs(10), async || {
        browser.open(&format!("{console}/faults?refresh=off")).await;
        browser.has("release").await.then_some(())
    })
    .await;
    hit(browser, "release").await;
    browser.see("said").await;
    hit(browser, "clear-all").await;
    browser.see("nothing-armed").await;

    browser.open(&format!("{console}/clock?refresh=off")).await;
    hit(browser, "clock-minute").await;
    browser.see("said").await;
    browser.open(&format!("{console}/lessons/flow?refresh=off")).await;
    hit(browser, "begin").await;
    hit(browser, "do").await;
    browser.see("said").await;
}
