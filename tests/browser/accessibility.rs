//! Every page is looked at by axe-core: light and dark, on a desk and on the narrowest phone.

use std::fs;
use std::path::PathBuf;

use payrig::program::Program;
use payrig_tests::browser::Device;

use super::customer::Customer;

/// The script of axe-core, a test asset that `tests/run` installs. None on a machine without it,
/// which continuous integration must not be.
fn axe() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a setting of the test run")]
    let modules = std::env::var("PAYRIG_TEST_NODE_MODULES").ok().map(PathBuf::from);
    let found = modules.and_then(|it| fs::read_to_string(it.join("axe-core/axe.min.js")).ok());
    if found.is_none() {
        #[expect(clippy::disallowed_methods, reason = "a setting of the test run")]
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "axe-core is missing; tests/run installs it");
        eprintln!("SKIPPED: axe-core is missing; ./tests/run installs it");
    }
    found
}

/// Looks at a page in every light and size, and collects what is serious or critical.
async fn look(customer: &Customer, axe: &str, url: &str, found: &mut Vec<String>) {
    let browser = &customer.browser;
    for size in [Device::DESKTOP, Device::PHONE] {
        for dark in [false, true] {
            browser.become_device(Device { dark, ..size }).await;
            browser.open(url).await;
            let problems = browser.look_with_axe(axe).await;
            let place = format!("{url} {} px{}", size.width, if dark { " dark" } else { "" });
            found.extend(problems.into_iter().map(|problem| format!("{place}: {problem}")));
            browser.assert_fits().await;
        }
    }
    browser.become_device(Device::DESKTOP).await;
}

/// Where the first row of a list in the back office leads.
async fn first_link(customer: &Customer, list: &str) -> String {
    let browser = &customer.browser;
    browser.open(&customer.shop(list)).await;
    let path = browser.evaluate("document.querySelector('tbody a').pathname").await;
    path.as_str().unwrap().to_owned()
}

fn assert_nothing(found: &[String]) {
    assert!(found.is_empty(), "{} problems:\n{}", found.len(), found.join("\n"));
}

#[actix_web::test]
async fn the_console_has_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let browser = &customer.browser;
    let console = customer.up.addresses.console();
    customer.buy("tea-42").await;
    browser.open(&format!("{console}/faults?refresh=off")).await;
    browser.press("arm-webhooks-thrice").await;
    let mut found = Vec::new();
    browser.open(&format!("{console}/payments?refresh=off")).await;
    browser.see("payment-row").await;
    let payment =
        browser.evaluate("document.querySelector('[data-testid=payment-row] a').pathname").await;
    let payment = payment.as_str().unwrap().to_owned();
    browser.open(&format!("{console}{payment}?refresh=off")).await;
    browser.see("ladder").await;
    let message = browser
        .evaluate("document.querySelector('[data-testid=arrow]').getAttribute('href')")
        .await;
    browser.open(&format!("{console}/webhooks?refresh=off")).await;
    browser.see("event-row").await;
    let event =
        browser.evaluate("document.querySelector('[data-testid=event-row] a').pathname").await;
    browser.open(&format!("{console}/lessons/flow?refresh=off")).await;
    browser.press("begin").await;
    for path in [
        "/",
        "/payments",
        &payment,
        message.as_str().unwrap(),
        "/webhooks",
        event.as_str().unwrap(),
        "/messages",
        "/kpis",
        "/faults",
        "/clock",
        "/cards",
        "/codes",
        "/codes/51",
        "/lessons",
        "/lessons/flow",
        "/nothing-here",
    ] {
        look(&customer, &axe, &format!("{console}{path}?refresh=off"), &mut found).await;
        browser.picture(&format!("axe-console{}", path.replace('/', "-"))).await;
    }
    assert_nothing(&found);
}

#[actix_web::test]
async fn buying_has_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let browser = &customer.browser;
    let mut found = Vec::new();
    customer.order("tea-42").await;
    let page = browser.address().await;
    look(&customer, &axe, &page, &mut found).await;
    browser.press("pay").await;
    browser.see("error-summary").await;
    found.extend(browser.look_with_axe(&axe).await);
    customer.type_card("4000000000009995").await;
    browser.see("decline").await;
    found.extend(browser.look_with_axe(&axe).await);
    // The bank's own page, which other pages frame or lead to.
    customer.type_card("4000010030070008").await;
    browser.see("challenge").await;
    let bank = browser.address().await;
    found.extend(browser.look_with_axe(&axe).await.iter().map(|it| format!("{bank}: {it}")));
    browser.press("challenge-cancel").await;
    browser.see("decline").await;
    customer.type_card(super::customer::PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    look(&customer, &axe, &format!("{page}/status?again=1"), &mut found).await;
    let order = customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "paid").await;
    other_states(&customer, &axe, &mut found).await;
    browser.open(&customer.shop("/products/tea-42")).await;
    browser.press("add-to-cart").await;
    for path in [
        "/cards",
        "/subscriptions",
        "/privacy",
        "/",
        "/products/tea-42",
        "/cart",
        "/checkout?currency=EUR",
        "/orders",
        &format!("/orders/{order}"),
        &format!("/orders/{order}/receipt"),
        "/office/login",
        "/nothing-here",
    ] {
        look(&customer, &axe, &customer.shop(path), &mut found).await;
    }
    let keys = customer.up.keys();
    let fields = format!(
        "{}/fields?key={}&origin={}&nonce=0123456789abcdef",
        customer.up.url(Program::Gateway),
        keys.publishable_key,
        customer.up.url(Program::Merchant)
    );
    look(&customer, &axe, &fields, &mut found).await;
    assert_nothing(&found);
}

/// Orders that wait, were declined or canceled, and the other two ways to pay.
async fn other_states(customer: &Customer, axe: &str, found: &mut Vec<String>) {
    let browser = &customer.browser;
    customer.order("tea-42").await;
    customer.open_last_order().await;
    look(customer, axe, &browser.address().await, found).await;
    browser.press("cancel-order").await;
    browser.wait_for("order-state", "data-status", "canceled").await;
    look(customer, axe, &browser.address().await, found).await;
    for (way, shown) in [("way-embedded", "card-token-form"), ("way-form", "sealed-form")] {
        super::ways::place(customer, way).await;
        browser.see(shown).await;
        look(customer, axe, &browser.address().await, found).await;
        browser.open(&customer.shop("/cart")).await;
    }
}

#[actix_web::test]
async fn the_desks_have_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let browser = &customer.browser;
    let mut found = Vec::new();
    // A payment that is cleared, settled and disputed before anybody looks.
    customer.order("tea-42").await;
    customer.type_card("4000010060010007").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    customer.up.payrig(&["clock", "advance", "4d"]).await.ok();
    let order = customer.buy("tea-42").await;
    customer.log_in("grace").await;
    let order = format!("/office/orders/{order}");
    let (dispute, settlement) = (
        first_link(&customer, "/office/disputes").await,
        first_link(&customer, "/office/settlements").await,
    );
    for path in [
        "/office",
        &order,
        "/office/approvals",
        "/office/payments",
        "/office/webhooks",
        "/office/reconciliation",
        "/office/settlements",
        &settlement,
        "/office/disputes",
        &dispute,
        "/office/subscriptions",
        "/office/audit",
    ] {
        look(&customer, &axe, &customer.shop(path), &mut found).await;
    }
    let processor = customer.up.url(Program::ProcessorSim);
    browser.open(&format!("{processor}/issuers/everyday")).await;
    browser.see("account").await;
    let account =
        browser.evaluate("document.querySelector('[data-testid=account] a').pathname").await;
    for path in ["/", "/issuers/everyday", account.as_str().unwrap()] {
        look(&customer, &axe, &format!("{processor}{path}"), &mut found).await;
    }
    let gateway = customer.up.url(Program::Gateway);
    let keys = customer.up.keys();
    let admin = keys.accounts.iter().find(|account| account.name == "admin").unwrap();
    browser.open(&format!("{gateway}/dashboard")).await;
    found.extend(browser.look_with_axe(&axe).await);
    browser.fill("login-name", "admin").await;
    browser.fill("login-password", &admin.password).await;
    browser.press("login").await;
    browser.see("payments").await;
    let payment = browser.attribute("payment-link", "href").await;
    browser.press("nav-developers").await;
    let event = browser.attribute("event-link", "href").await;
    for path in [
        "/dashboard",
        &payment,
        "/dashboard/developers",
        &event,
        "/dashboard/settings",
        "/dashboard/go-live",
        "/api/docs",
    ] {
        look(&customer, &axe, &format!("{gateway}{path}"), &mut found).await;
    }
    assert_nothing(&found);
}
