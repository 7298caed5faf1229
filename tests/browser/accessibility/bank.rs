//! The way to the bank and back, and what the bank asks: each step held open.

use payrig::program::Program;
use payrig_tests::browser::Device;

use super::{Look, axe};
use crate::customer::Customer;

pub const PAGES: [&str; 6] = [
    "gateway/bank_step",
    "gateway/card_page",
    "gateway/outcome",
    "processor-sim/challenge",
    "processor-sim/challenge_return",
    "processor-sim/challenge_stray",
];
const ASKS: &str = "4000010030070008";
/// A card range without a 3DS Method.
const NO_METHOD: &str = "5200010030070003";
const SENDS_ITSELF: &str = "*auto-submit.js";

#[actix_web::test]
async fn confirming_at_the_bank_has_no_serious_barrier() {
    let (Some(axe), Some(customer)) = (axe(), Customer::enter(Device::DESKTOP).await) else {
        return;
    };
    let browser = &customer.browser;
    let mut look = Look::new(&customer, axe);
    customer.order("tea-42").await;
    let page = browser.address().await;
    browser.block(&[SENDS_ITSELF]).await;
    customer.type_card(ASKS).await;
    payrig_tests::processes::until(
        "the first step",
        std::time::Duration::from_secs(10),
        async || browser.has("method-form").await.then_some(()),
    )
    .await;
    look.here("the browser is looked at").await;
    browser.block(&[]).await;
    browser.open(&page).await;
    browser.see("challenge").await;
    look.here("the bank asks").await;
    browser.press("challenge-submit").await;
    browser.see("challenge-error").await;
    look.here("no code").await;
    browser.fill("challenge-code", "0000").await;
    browser.press("challenge-submit").await;
    browser.wait_for("challenge-code", "aria-invalid", "true").await;
    look.here("a wrong code").await;
    browser.press("challenge-cancel").await;
    browser.wait_for("decline", "data-family", "authenticate").await;
    look.here("declined: authenticate").await;

    browser.block(&[SENDS_ITSELF]).await;
    customer.type_card(NO_METHOD).await;
    browser.see("challenge-continue").await;
    look.here("on to the bank").await;
    browser.press("challenge-continue").await;
    browser.see("challenge").await;
    browser.press("challenge-approve").await;
    browser.see("return-submit").await;
    look.here("back to the payment").await;
    browser.press("return-submit").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    look.here("paid").await;
    browser.block(&[]).await;

    customer.order("tea-42").await;
    customer.type_card(ASKS).await;
    browser.press("challenge-leave").await;
    browser.see("challenge-waits").await;
    look.here("left alone").await;
    stray(&mut look).await;
    look.finish(&PAGES);
}

/// A link to the bank that is too old.
async fn stray(look: &mut Look<'_>) {
    let browser = &look.customer.browser;
    let bank = look.customer.up.url(Program::ProcessorSim);
    browser.open(&format!("{bank}/")).await;
    browser
        .evaluate(
            "(() => { const form = document.createElement('form'); form.method = 'post'; \
             form.action = '/acs/everyday/challenge'; document.body.append(form); form.submit(); \
             })()",
        )
        .await;
    browser.see("challenge-unknown").await;
    look.here("nothing to confirm").await;
}
