//! 3-D Secure in a real browser: to the bank and back, by keyboard, on small screens, without
//! scripts.

use payrig_tests::browser::Device;

use super::customer::Customer;

const CHALLENGE: &str = "4000010030070008";
/// A card range without a 3DS Method.
const NO_METHOD: &str = "5200010030070003";

#[actix_web::test]
async fn a_challenge_is_answered_by_keyboard() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    customer.type_card(CHALLENGE).await;
    browser.see("challenge").await;
    browser.picture("bank-challenge").await;
    assert_eq!(browser.text("amount").await, "€49.99");
    // The skip link, then the code.
    for _ in 0..8 {
        if browser.focus().await == "challenge-code" {
            break;
        }
        browser.tab().await;
    }
    assert_eq!(browser.focus().await, "challenge-code", "the code is reached by Tab");
    browser.keys("0000").await;
    browser.enter().await;
    assert_eq!(
        browser.text("challenge-error").await,
        "That code is wrong. You can try 2 more times."
    );
    assert_eq!(browser.focus().await, "challenge-code", "the wrong code can be corrected at once");
    browser.picture("bank-challenge-wrong-code").await;
    browser.keys("1234").await;
    browser.enter().await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
}

#[actix_web::test]
async fn the_bank_fits_a_small_frame_and_a_phone() {
    let Some(customer) = Customer::enter(Device::PHONE).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    customer.type_card(CHALLENGE).await;
    browser.see("challenge").await;
    browser.assert_fits().await;
    browser.picture("phone-bank-challenge").await;
    browser.become_device(Device { dark: true, ..Device::PHONE }).await;
    browser.picture("phone-bank-challenge-dark").await;
    browser.become_device(Device { width: 250, height: 400, ..Device::PHONE }).await;
    browser.assert_fits().await;
    browser.picture("frame-bank-challenge").await;
    browser.press("challenge-approve").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
}

#[actix_web::test]
async fn without_scripts_buttons_lead_to_the_bank_and_back() {
    let device = Device { scripts: false, ..Device::PHONE };
    let Some(customer) = Customer::enter(device).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    customer.type_card(NO_METHOD).await;
    browser.see("challenge-form").await;
    browser.assert_fits().await;
    browser.press("challenge-continue").await;
    browser.press("challenge-cancel").await;
    browser.press("return-submit").await;
    browser.see("decline").await;
    customer.type_card(NO_METHOD).await;
    browser.press("challenge-continue").await;
    browser.press("challenge-approve").await;
    browser.press("return-submit").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
}
