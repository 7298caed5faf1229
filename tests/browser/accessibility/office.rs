//! The back office of the shop.

use payrig_tests::browser::Device;

use super::{Look, axe};
use crate::customer::Customer;

pub const PAGES: [&str; 14] = [
    "merchant/office/approvals",
    "merchant/office/audit",
    "merchant/office/dispute",
    "merchant/office/disputes",
    "merchant/office/login",
    "merchant/office/order",
    "merchant/office/orders",
    "merchant/office/payments",
    "merchant/office/reconciliation",
    "merchant/office/settlement",
    "merchant/office/settlements",
    "merchant/office/subscriptions",
    "merchant/office/webhooks",
    "merchant/problem",
];
const DISPUTED: &str = "4000010060010007";
const LISTS: [&str; 10] = [
    "",
    "/approvals",
    "/payments",
    "/webhooks",
    "/reconciliation",
    "/settlements",
    "/disputes",
    "/subscriptions",
    "/audit",
    "/orders/ord_nothing",
];

/// Where the first row of a list leads.
async fn first_link(customer: &Customer, list: &str) -> String {
    let browser = &customer.browser;
    browser.open(&customer.shop(list)).await;
    let path = browser.evaluate("document.querySelector('tbody a').pathname").await;
    path.as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn the_back_office_has_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let browser = &customer.browser;
    let mut look = Look::new(&customer, axe);
    browser.open(&customer.shop("/office")).await;
    browser.fill("login-name", "grace").await;
    browser.fill("login-password", "wrong").await;
    browser.press("login-submit").await;
    browser.see("login-error").await;
    look.here("a wrong password").await;
    customer.log_in("grace").await;
    for path in LISTS {
        look.at(&customer.shop(&format!("/office{path}"))).await;
    }
    // A payment that is cleared, settled and disputed before anybody looks.
    customer.order("tea-42").await;
    customer.type_card(DISPUTED).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    customer.up.payrig(&["clock", "advance", "4d"]).await.ok();
    let small = customer.buy("tea-42").await;
    let dear = customer.buy("table-1").await;
    customer.order("tea-42").await;
    customer.type_card("4000010010510007").await;
    browser.see("decline").await;
    let declined = customer.open_last_order().await;
    customer.log_in("grace").await;
    let dispute = first_link(&customer, "/office/disputes").await;
    let settlement = first_link(&customer, "/office/settlements").await;
    refunds(&mut look, &small, &dear).await;
    for path in LISTS.into_iter().map(|path| format!("/office{path}")).chain([
        format!("/office/orders/{small}"),
        format!("/office/orders/{dear}"),
        format!("/office/orders/{declined}"),
        dispute.clone(),
        settlement,
        "/office?q=nothing".to_owned(),
    ]) {
        look.at(&customer.shop(&path)).await;
    }
    browser.open(&customer.shop(&dispute)).await;
    browser.fill("evidence", "losing_evidence: no signature").await;
    browser.press("submit-evidence").await;
    browser.see("evidence-given").await;
    look.here("a dispute that was answered").await;
    look.finish(&PAGES);
}

/// Refused, made, and waiting for a second person.
async fn refunds(look: &mut Look<'_>, small: &str, dear: &str) {
    let browser = &look.customer.browser;
    browser.open(&look.customer.shop(&format!("/office/orders/{small}"))).await;
    browser.fill("refund-amount", "1000000").await;
    browser.fill("refund-reason", "Too much").await;
    browser.press("refund-submit").await;
    browser.see("notice").await;
    look.here("a refund that is too much").await;
    for (order, state) in [(small, "succeeded"), (dear, "awaiting_approval")] {
        browser.open(&look.customer.shop(&format!("/office/orders/{order}"))).await;
        browser.fill("refund-reason", "A dent in the tin").await;
        browser.press("refund-submit").await;
        browser.wait_for("refund-state", "data-state", state).await;
        look.here(&format!("a refund: {state}")).await;
    }
}
