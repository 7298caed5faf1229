//! Phones of 320 pixels, dark pages, and browsers without scripts.

use payrig::program::Program;
use payrig_tests::browser::Device;

use super::customer::{Customer, PAYS};

/// Looks at a page on the narrowest phone, light and dark.
async fn look(customer: &Customer, url: &str, name: &str) {
    let browser = &customer.browser;
    for (dark, suffix) in [(false, ""), (true, "-dark")] {
        browser.become_device(Device { dark, ..Device::PHONE }).await;
        browser.open(url).await;
        browser.assert_fits().await;
        browser.picture(&format!("phone-{name}{suffix}")).await;
    }
    browser.become_device(Device::PHONE).await;
}

#[actix_web::test]
async fn every_page_of_a_purchase_fits_a_phone() {
    let Some(customer) = Customer::enter(Device::PHONE).await else { return };
    let browser = &customer.browser;
    look(&customer, &customer.shop("/"), "shop").await;
    look(&customer, &customer.shop("/products/tea-42"), "product").await;
    look(&customer, &customer.shop("/orders"), "no-orders").await;
    browser.open(&customer.shop("/products/tea-42")).await;
    browser.press("add-to-cart").await;
    look(&customer, &customer.shop("/cart"), "cart").await;
    look(&customer, &customer.shop("/checkout?currency=EUR"), "checkout").await;
    browser.fill("name", "Ada Example").await;
    browser.fill("email", "ada@example.com").await;
    browser.press("place-order").await;
    browser.see("card-form").await;
    let payment_page = browser.address().await;
    look(&customer, &payment_page, "card-page").await;
    browser.press("pay").await;
    browser.see("error-summary").await;
    browser.assert_fits().await;
    browser.picture("phone-card-page-mistakes").await;
    customer.type_card("4000000000009995").await;
    browser.see("decline").await;
    browser.assert_fits().await;
    browser.picture("phone-declined").await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    browser.assert_fits().await;
    browser.picture("phone-outcome-paid").await;
    let order = customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "paid").await;
    look(&customer, &customer.shop(&format!("/orders/{order}")), "order").await;
    look(&customer, &customer.shop(&format!("/orders/{order}/receipt")), "receipt").await;
    look(&customer, &customer.shop("/orders"), "orders").await;
    look(&customer, &customer.shop("/nothing-here"), "not-found").await;
}

#[actix_web::test]
async fn the_pages_of_those_who_work_fit_a_phone() {
    let Some(customer) = Customer::enter(Device::PHONE).await else { return };
    let browser = &customer.browser;
    let order = customer.buy("table-1").await;
    look(&customer, &customer.shop("/office/login"), "office-login").await;
    let processor = customer.up.url(Program::ProcessorSim);
    look(&customer, &format!("{processor}/issuers/everyday"), "bank").await;
    let account =
        browser.evaluate("document.querySelector('[data-testid=account] a').pathname").await;
    let account = format!("{processor}{}", account.as_str().unwrap());
    look(&customer, &account, "bank-account").await;
    customer.log_in("grace").await;
    for (path, name) in [
        ("/office".to_owned(), "office-orders"),
        (format!("/office/orders/{order}"), "office-order"),
        ("/office/approvals".to_owned(), "office-approvals"),
        ("/office/payments".to_owned(), "office-payments"),
        ("/office/webhooks".to_owned(), "office-inbox"),
        ("/office/reconciliation".to_owned(), "office-reconciliation"),
        ("/office/settlements".to_owned(), "office-settlements"),
        ("/office/disputes".to_owned(), "office-disputes"),
        ("/office/audit".to_owned(), "office-audit"),
    ] {
        look(&customer, &customer.shop(&path), name).await;
    }

    let keys = customer.up.keys();
    let admin = keys.accounts.iter().find(|account| account.name == "admin").unwrap();
    let gateway = customer.up.url(Program::Gateway);
    look(&customer, &format!("{gateway}/dashboard"), "dashboard-login").await;
    browser.fill("login-name", "admin").await;
    browser.fill("login-password", &admin.password).await;
    browser.press("login").await;
    browser.see("payments").await;
    let payment =
        browser.evaluate("document.querySelector('[data-testid=payment-row] a').pathname").await;
    for (path, name) in [
        ("/dashboard", "dashboard-payments"),
        (payment.as_str().unwrap(), "dashboard-payment"),
        ("/dashboard/developers", "dashboard-developers"),
        ("/api/docs", "api-docs"),
    ] {
        look(&customer, &format!("{gateway}{path}"), name).await;
    }

    let console = customer.up.addresses.console();
    look(&customer, &console, "console").await;
    look(&customer, &format!("{console}/payments"), "console-payments").await;
    let payment =
        browser.evaluate("document.querySelector('[data-testid=payment-row] a').pathname").await;
    let payment = format!("{console}{}", payment.as_str().unwrap());
    look(&customer, &payment, "console-payment").await;
    let message = browser
        .evaluate("document.querySelector('[data-testid=arrow]').getAttribute('href')")
        .await;
    look(&customer, &format!("{console}{}", message.as_str().unwrap()), "console-message").await;
}

#[actix_web::test]
async fn everything_works_without_scripts() {
    let device = Device { scripts: false, ..Device::DESKTOP };
    let Some(customer) = Customer::enter(device).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    // What a script would do while typing, the server does afterwards.
    browser.press("pay").await;
    assert_eq!(browser.text("cc-number-error").await, "Enter the card number.");
    browser.picture("without-scripts-mistakes").await;
    customer.type_card("4000000000000002").await;
    assert_eq!(browser.attribute("decline", "data-family").await, "generic");
    browser.press("test-card-stripe.visa").await;
    assert_eq!(browser.value("card-number").await, "4242 4242 4242 4242");
    browser.picture("without-scripts-filled").await;
    browser.press("pay").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    browser.picture("without-scripts-paid").await;
    // The outcome page leads back to the shop by itself.
    browser.wait_for("order-state", "data-status", "paid").await;
    browser.press("receipt-link").await;
    browser.see("receipt").await;
}

#[actix_web::test]
async fn dark_pages_are_dark() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    let payment_page = browser.address().await;
    let gateway = customer.up.url(Program::Gateway);
    let console = customer.up.addresses.console();
    for (url, name) in [
        (customer.shop("/"), "shop"),
        (customer.shop("/cart"), "cart"),
        (payment_page, "card-page"),
        (format!("{gateway}/api/docs"), "api-docs"),
        (console, "console"),
    ] {
        let mut brightness = Vec::new();
        for dark in [false, true] {
            browser.become_device(Device { dark, ..Device::DESKTOP }).await;
            browser.open(&url).await;
            let colours = browser
                .evaluate(
                    "getComputedStyle(document.documentElement).backgroundColor\
                     .match(/\\d+/g).slice(0, 3).map(Number)",
                )
                .await;
            let sum: u64 =
                colours.as_array().unwrap().iter().map(|part| part.as_u64().unwrap()).sum();
            brightness.push(sum);
            if dark {
                browser.picture(&format!("dark-{name}")).await;
            }
        }
        assert!(brightness[0] > 600 && brightness[1] < 200, "{name}: {brightness:?}");
    }
}
