//! The card form: what it says about mistakes, and what its test cards do.

use payrig_tests::browser::Device;

use super::customer::Customer;

#[actix_web::test]
async fn mistakes_are_named_next_to_their_fields_and_in_a_summary() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    browser.press("pay").await;
    assert_eq!(browser.focus().await, "error-summary", "the summary takes the focus");
    browser.picture("card-form-empty").await;
    for (field, text) in [
        ("cc-number-error", "Enter the card number."),
        ("cc-exp-error", "Enter the date as MM / YY."),
        ("cc-csc-error", "Enter the security code."),
    ] {
        assert_eq!(browser.text(field).await, text);
    }
    assert_eq!(browser.attribute("card-number", "aria-invalid").await, "true");

    browser.fill("card-number", "4242 4242 4242 4241").await;
    browser.fill("card-expiry", "13 / 30").await;
    browser.fill("card-code", "12").await;
    browser.press("pay").await;
    for (field, text) in [
        ("cc-number-error", "Check the card number: a digit seems wrong."),
        ("cc-exp-error", "The month goes from 01 to 12."),
        ("cc-csc-error", "The code has 3 digits."),
    ] {
        assert_eq!(browser.text(field).await, text);
    }
    browser.picture("card-form-mistakes").await;
}

#[actix_web::test]
async fn a_real_card_is_refused_and_not_shown_again() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    customer.type_card("4539148803436467").await;
    let said = browser.text("cc-number-error").await;
    assert!(said.contains("Real cards are refused"), "{said}");
    browser.picture("card-form-real-card").await;
    assert!(!browser.source().await.contains("4539148803436467"));
    assert_eq!(browser.value("card-code").await, "");
}

#[actix_web::test]
async fn a_test_card_fills_the_form() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    browser.press("test-card-stripe.amex").await;
    assert_eq!(browser.value("card-number").await, "3782 822463 10005");
    assert_eq!(browser.value("card-code").await.len(), 4);
    assert_eq!(browser.text("network").await, "American Express");
    browser.press("pay").await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
}
