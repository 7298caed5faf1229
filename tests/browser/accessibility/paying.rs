//! The payment page with every kind of mistake and decline, and every way in which paying ends.

use payrig::program::Program;
use payrig_tests::browser::Device;
use serde_json::{Value, json};

use super::{Look, axe};
use crate::customer::{Customer, PAYS};
use crate::ways;

pub const PAGES: [&str; 4] =
    ["gateway/card_page", "gateway/fields", "gateway/outcome", "gateway/problem"];

/// A card for each kind of advice that a payer can get, and the word of that kind.
const ADVICE: [(&str, &str); 6] = [
    ("4000010010050004", "generic"),
    ("4000010010510007", "funds"),
    ("4000010010540004", "check_details"),
    ("4000010010780006", "contact_bank"),
    ("4000010010910009", "try_later"),
    ("4000010010130004", "our_side"),
];
const REAL_CARD: &str = "4539148803436467";

/// A new payment: its id and the address of its page.
async fn payment(customer: &Customer, more: Value) -> (String, String) {
    let api = customer.up.api("shop").await;
    let reference = format!("ord-{}", kit::random::Secrets::system().token("", 8));
    let mut body = json!({
        "amount": {"value": 4999, "currency": "EUR"}, "order_reference": reference,
        "description": "Tea for two", "return_url": customer.shop("/orders"),
        "line_items": [{"name": "Tea for two", "quantity": 1, "unit_price": 4999}],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = api.post("/payments", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("checkout_url"))
}

async fn begin(customer: &Customer) -> String {
    let (id, page) = payment(customer, json!({})).await;
    customer.browser.open(&page).await;
    customer.browser.see("card-form").await;
    id
}

#[actix_web::test]
async fn the_payment_page_has_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let mut look = Look::new(&customer, axe);
    mistakes(&mut look).await;
    for (card, family) in ADVICE {
        begin(&customer).await;
        customer.type_card(card).await;
        customer.browser.wait_for("decline", "data-family", family).await;
        look.here(&format!("declined: {family}")).await;
    }
    // Before there are orders of the shop, which asks for them again and again as time goes by.
    endings(&mut look).await;
    consent(&mut look).await;
    problems(&mut look).await;
    unknown(&mut look).await;
    look.finish(&PAGES);
}

async fn mistakes(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    begin(customer).await;
    look.here("a fresh payment page").await;
    browser.press("pay").await;
    browser.see("error-summary").await;
    look.here("mistakes that the page names").await;
    let submit = "document.getElementById('card-form').submit()";
    browser.turn(async || drop(browser.evaluate(submit).await)).await;
    browser.wait_for("card-number", "aria-invalid", "true").await;
    look.here("mistakes that the server names").await;
    customer.type_card(REAL_CARD).await;
    browser.see("error-summary").await;
    look.here("a real card").await;
    browser.press("language-zh").await;
    browser.wait_for("language-zh", "aria-current", "true").await;
    look.here("in Chinese").await;
    browser.press("language-en").await;
    browser.wait_for("language-en", "aria-current", "true").await;
    browser.press("cancel").await;
    browser.wait_for("outcome", "data-outcome", "canceled").await;
    look.here("canceled by the payer").await;
    let keys = customer.up.keys();
    let fields = format!(
        "{}/fields?key={}&origin={}&nonce=0123456789abcdef",
        customer.up.url(Program::Gateway),
        keys.publishable_key,
        customer.up.url(Program::Merchant)
    );
    look.at(&fields).await;
}

/// The box that asks whether the card may be kept, and that has to be ticked for a subscription.
async fn consent(look: &mut Look<'_>) {
    let browser = &look.customer.browser;
    browser.open(&look.customer.shop("/cards")).await;
    browser.follow("save-cards").await;
    look.customer.order("tea-42").await;
    browser.see("save-card").await;
    look.here("a payment page that asks to keep the card").await;
    browser.open(&look.customer.shop("/subscriptions")).await;
    browser.fill("name", "Ada Example").await;
    browser.fill("email", "ada@example.com").await;
    browser.press("subscribe").await;
    browser.see("save-card").await;
    browser.evaluate("(document.getElementById('save-card').checked = false)").await;
    look.customer.type_card(PAYS).await;
    browser.wait_for("save-card", "aria-invalid", "true").await;
    look.here("a subscription without consent").await;
}

/// Pages for those who are refused.
async fn problems(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    ways::place(customer, "way-form").await;
    browser.see("sealed-form").await;
    browser.evaluate("(document.querySelector('[name=amount]').value = '1')").await;
    browser.press("send-sealed").await;
    browser.see("problem-code").await;
    look.here("a form with another amount").await;
    look.at(&format!("{}/nothing-here", customer.up.url(Program::Gateway))).await;
    let id = begin(customer).await;
    browser.evaluate("(document.querySelector('[name=csrf]').value = 'forged')").await;
    browser.evaluate("document.getElementById('card-form').submit()").await;
    browser.wait_for("outcome", "data-outcome", "forged").await;
    look.here("a forged form").await;
    browser.forget_me().await;
    browser.open(&format!("{}/pay/{id}", customer.up.url(Program::Gateway))).await;
    browser.wait_for("outcome", "data-outcome", "refused").await;
    look.here("a page without its link").await;
}

/// Every way in which a payment ends for good.
async fn endings(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    let api = customer.up.api("shop").await;
    begin(customer).await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    look.here("paid").await;
    let paying = async |more: Value| {
        let card = json!({"card_token": customer.token(PAYS).await, "confirm": true});
        let mut whole = more;
        for (name, value) in card.as_object().unwrap() {
            whole[name] = value.clone();
        }
        payment(customer, whole).await
    };
    let (id, paid) = paying(json!({})).await;
    look.at(&paid).await;
    let refund = json!({"amount": 1000, "reason": "A dent in the tin"});
    let refunded = api.post(&format!("/payments/{id}/refunds"), refund).await;
    assert_eq!(refunded.status, 201, "{}", refunded.text());
    look.at(&paid).await;
    let (_, expires) = payment(customer, json!({})).await;
    let (_, held) = paying(json!({"capture": "manual"})).await;
    let (id, voided) = paying(json!({"capture": "manual"})).await;
    let answer = api.post(&format!("/payments/{id}/void"), json!({})).await;
    assert!(answer.status < 300, "{}", answer.text());
    let (_, verified) = paying(json!({"purpose": "verification", "line_items": [],
        "amount": {"value": 0, "currency": "EUR"}}))
    .await;
    customer.up.payrig(&["clock", "advance", "31m"]).await.ok();
    for (page, outcome) in [
        (&voided, "canceled"),
        (&verified, "verified"),
        (&expires, "expired"),
        (&held, "already_paid"),
    ] {
        browser.open(page).await;
        browser.wait_for("outcome", "data-outcome", outcome).await;
        look.at(page).await;
    }
    // So many cards, and the payment is over.
    begin(customer).await;
    for _ in 0..20 {
        browser.turn(async || customer.type_card("4000010010050004").await).await;
        let told = "document.querySelector('[data-testid=decline]') ? 'declined' \
            : document.querySelector('[data-outcome=failed]') ? 'over' : ''";
        let told = async || browser.glance(told).await.filter(|it| it != "");
        let within = std::time::Duration::from_secs(10);
        if payrig_tests::processes::until("the card is declined", within, told).await == "over" {
            break;
        }
    }
    browser.wait_for("outcome", "data-outcome", "failed").await;
    look.here("too many cards").await;
}

/// The bank does not answer: on the way, unknown, taken back.
async fn unknown(look: &mut Look<'_>) {
    let customer = look.customer;
    let browser = &customer.browser;
    let lose = ["fault", "add", "gateway->processor", "drop_response"];
    let fault = customer.up.payrig(&lose).await.ok();
    begin(customer).await;
    let page = browser.address().await;
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "processing").await;
    look.here("with the bank").await;
    customer.up.payrig(&["clock", "advance", "30s"]).await.ok();
    browser.open(&page).await;
    browser.wait_for("outcome", "data-outcome", "unknown").await;
    look.here("nobody knows").await;
    customer.up.payrig(&["fault", "clear", fault.trim()]).await.ok();
    customer.up.payrig(&["clock", "until-idle"]).await.ok();
    browser.open(&page).await;
    browser.wait_for("outcome", "data-outcome", "failed").await;
    look.here("taken back").await;
}
