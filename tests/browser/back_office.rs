//! Refunds in the back office and at the gateway's dashboard.

use payrig::program::Program;
use payrig_tests::browser::Device;

use super::customer::Customer;

#[actix_web::test]
async fn an_operator_refunds_a_part_and_the_customer_sees_it() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let order = customer.buy("tea-42").await;
    customer.log_in("ada").await;
    browser.picture("office-orders").await;
    browser.open(&customer.shop(&format!("/office/orders/{order}"))).await;
    browser.picture("office-order").await;
    browser.fill("refund-amount", "10.00").await;
    browser.fill("refund-reason", "A dent in the tin").await;
    browser.press("refund-submit").await;
    browser.wait_for("refund-state", "data-state", "succeeded").await;
    browser.wait_for("status", "data-status", "partially_refunded").await;
    browser.picture("office-order-refunded").await;

    browser.open(&customer.shop(&format!("/orders/{order}"))).await;
    browser.wait_for("order-state", "data-status", "partially_refunded").await;
    assert!(browser.text("refund").await.contains("10.00"));
    assert!(browser.text("kept").await.contains("39.99"));
    browser.picture("order-partially-refunded").await;
    browser.press("receipt-link").await;
    browser.says("refund", "10.00").await;
    customer.up.payrig(&["invariants"]).await.ok();
}

#[actix_web::test]
async fn a_large_refund_needs_a_second_person() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let order = customer.buy("table-1").await;
    let page = customer.shop(&format!("/office/orders/{order}"));
    customer.log_in("ada").await;
    browser.open(&page).await;
    browser.fill("refund-reason", "Arrived broken").await;
    browser.press("refund-submit").await;
    browser.wait_for("refund-state", "data-state", "awaiting_approval").await;
    browser.follow("nav-approvals").await;
    assert!(browser.has("not-yours").await, "who asked cannot approve");
    assert!(!browser.has("approve").await);
    browser.picture("office-approvals-own").await;
    browser.follow("logout").await;

    customer.log_in("grace").await;
    browser.follow("nav-approvals").await;
    browser.picture("office-approvals").await;
    browser.follow("approve").await;
    browser.open(&page).await;
    browser.wait_for("refund-state", "data-state", "succeeded").await;
    browser.wait_for("status", "data-status", "refunded").await;
    browser.follow("nav-audit").await;
    browser.picture("office-audit").await;
    browser.follow("logout").await;

    browser.open(&customer.shop(&format!("/orders/{order}"))).await;
    browser.wait_for("order-state", "data-status", "refunded").await;
    customer.up.payrig(&["invariants"]).await.ok();
}

#[actix_web::test]
async fn the_dashboard_shows_the_payment_and_its_events() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.buy("tea-42").await;
    let keys = customer.up.keys();
    let admin = keys.accounts.iter().find(|account| account.name == "admin").unwrap();
    let dashboard = format!("{}/dashboard", customer.up.url(Program::Gateway));
    browser.open(&dashboard).await;
    browser.picture("dashboard-login").await;
    browser.fill("login-name", "admin").await;
    browser.fill("login-password", &admin.password).await;
    browser.press("login").await;
    browser.see("payments").await;
    browser.picture("dashboard-payments").await;
    let path = browser.evaluate("document.querySelector('[data-testid=payment-row] a').pathname");
    let path = path.await.as_str().unwrap().to_owned();
    browser.open(&format!("{}{path}", customer.up.url(Program::Gateway))).await;
    assert!(browser.text("payment-id").await.starts_with("pay_"));
    browser.see("timeline").await;
    browser.picture("dashboard-payment").await;
    browser.press("nav-developers").await;
    browser.see("endpoint").await;
    browser.see("event-row").await;
    browser.picture("dashboard-developers").await;
}
