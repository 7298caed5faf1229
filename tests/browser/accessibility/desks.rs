//! The gateway's dashboard and the desks of networks and banks.

use payrig::program::Program;
use payrig_tests::browser::Device;

use super::{Look, axe};
use crate::customer::Customer;

pub const PAGES: [&str; 18] = [
    "gateway/api_docs",
    "gateway/developers",
    "gateway/dispute",
    "gateway/disputes",
    "gateway/event",
    "gateway/go_live",
    "gateway/login",
    "gateway/payment",
    "gateway/payments",
    "gateway/payout",
    "gateway/payouts",
    "gateway/problem",
    "gateway/refunds",
    "gateway/settings",
    "processor-sim/account",
    "processor-sim/bank",
    "processor-sim/problem",
    "processor-sim/status",
];

const DISPUTED: &str = "4000010060010007";

#[actix_web::test]
async fn the_desks_have_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let mut look = Look::new(&customer, axe);
    banks(&mut look, "before").await;
    // A payment that is settled and disputed before anybody looks.
    customer.order("tea-42").await;
    customer.type_card(DISPUTED).await;
    customer.browser.wait_for("outcome", "data-outcome", "paid").await;
    customer.up.payrig(&["clock", "advance", "4d"]).await.ok();
    customer.buy("tea-42").await;
    customer.order("tea-42").await;
    customer.type_card("4000010010510007").await;
    customer.browser.see("decline").await;
    banks(&mut look, "after").await;
    dashboard(&mut look).await;
    look.finish(&PAGES);
}

async fn banks(look: &mut Look<'_>, when: &str) {
    let browser = &look.customer.browser;
    let processor = look.customer.up.url(Program::ProcessorSim);
    for path in ["/", "/issuers/everyday", "/issuers/nobody", "/nothing-here"] {
        look.at(&format!("{processor}{path}")).await;
    }
    if when == "before" {
        return;
    }
    browser.open(&format!("{processor}/issuers/everyday")).await;
    browser.see("account").await;
    let account =
        browser.evaluate("document.querySelector('[data-testid=account] a').pathname").await;
    let account = format!("{processor}{}", account.as_str().unwrap());
    look.at(&account).await;
    browser.open(&account).await;
    let date = "(document.querySelector('[data-testid=renew-form] [name=expiry]').value = '13/99')";
    browser.evaluate(date).await;
    browser.press("renew").await;
    browser.see("notice").await;
    look.here("a date that is none").await;
    browser.press("contact").await;
    browser.see("contact-wanted").await;
    browser.press("stop").await;
    browser.see("stop-order").await;
    look.here("a card with a stop order").await;
    browser.open(&format!("{processor}/issuers/everyday")).await;
    browser.press("sign-off").await;
    browser.see("sign-on").await;
    look.here("a bank that is signed off").await;
}

async fn dashboard(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    let gateway = customer.up.url(Program::Gateway);
    let keys = customer.up.keys();
    let admin = keys.accounts.iter().find(|account| account.name == "admin").unwrap();
    browser.open(&format!("{gateway}/dashboard")).await;
    look.here("the sign-in").await;
    for password in ["wrong", &admin.password] {
        browser.fill("login-name", "admin").await;
        browser.fill("login-password", password).await;
        browser.press("login").await;
        if password == "wrong" {
            browser.see("login-problem").await;
            look.here("a wrong password").await;
        }
    }
    browser.see("payments").await;
    let declined = browser.attribute("payment-link", "href").await;
    browser.open(&format!("{gateway}/dashboard?status=captured")).await;
    let paid = browser.attribute("payment-link", "href").await;
    browser.press("nav-disputes").await;
    let dispute = browser.attribute("dispute-link", "href").await;
    browser.press("nav-payouts").await;
    let payout = browser.attribute("payout-link", "href").await;
    browser.press("nav-developers").await;
    let event = browser.attribute("event-link", "href").await;
    for path in [
        "/dashboard",
        "/dashboard?card_last4=none",
        "/dashboard?status=expired",
        &declined,
        &paid,
        "/dashboard/disputes",
        &dispute,
        "/dashboard/refunds",
        "/dashboard/refunds?status=nonsense",
        "/dashboard/payouts",
        &payout,
        "/dashboard/developers",
        &event,
        "/dashboard/settings",
        "/dashboard/go-live",
        "/dashboard/payments/pay_nothing",
        "/api/docs",
    ] {
        look.at(&format!("{gateway}{path}")).await;
    }
    presses(look, &format!("{gateway}{paid}")).await;
    answers(look, &format!("{gateway}{dispute}")).await;
}

/// What a dispute says to its two forms.
async fn answers(look: &mut Look<'_>, dispute: &str) {
    let browser = &look.customer.browser;
    browser.open(dispute).await;
    browser.fill("evidence", "Paid with 4242 4242 4242 4242").await;
    browser.press("submit-evidence").await;
    browser.see("notice").await;
    look.here("evidence that is refused").await;
    browser.press("accept").await;
    browser.see("nothing-to-do").await;
    look.here("a dispute that was accepted").await;
}

/// What the dashboard says to a press.
async fn presses(look: &mut Look<'_>, paid: &str) {
    let browser = &look.customer.browser;
    browser.open(paid).await;
    browser.fill("refund-amount", "1.005").await;
    browser.fill("refund-reason", "A dent in the tin").await;
    browser.press("refund").await;
    browser.see("notice").await;
    look.here("a refund that is no amount").await;
    browser.open(paid).await;
    browser.fill("refund-amount", "10.00").await;
    browser.fill("refund-reason", "A dent in the tin").await;
    browser.press("refund").await;
    browser.see("notice").await;
    look.here("a refund").await;
    browser.press("nav-refunds").await;
    browser.see("refunds").await;
    look.here("a list of refunds").await;
    browser.press("nav-developers").await;
    browser.press("rotate-secret").await;
    browser.see("new-secret").await;
    look.here("a new secret").await;
    browser.fill("client-name", "shop").await;
    browser.press("add-client").await;
    browser.see("notice").await;
    look.here("a client whose name is taken").await;
    browser.fill("client-name", "second-server").await;
    browser.press("add-client").await;
    browser.see("new-keys").await;
    look.here("a client with its keys").await;
    browser.press("rotate-key").await;
    browser.see("revoke-key").await;
    look.here("a client with a new key").await;
    browser.press("revoke-key").await;
    browser.see("notice").await;
    look.here("a revoked key").await;
}
