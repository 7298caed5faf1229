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

/// Pretends that the page is written from right to left.
async fn mirror(customer: &Customer) {
    customer.browser.evaluate("(document.documentElement.dir = 'rtl')").await;
}

/// Where an element begins and ends, from the left.
async fn sides(customer: &Customer, selector: &str) -> (f64, f64) {
    let script = format!(
        "(() => {{ const box = document.querySelector('{selector}').getBoundingClientRect(); \
         return [box.left, box.right]; }})()"
    );
    let sides = customer.browser.evaluate(&script).await;
    (sides[0].as_f64().unwrap(), sides[1].as_f64().unwrap())
}

#[actix_web::test]
async fn a_language_from_right_to_left_mirrors_the_page_without_overflow() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    let page = browser.address().await;
    for device in [Device::DESKTOP, Device::PHONE] {
        browser.become_device(device).await;
        browser.open(&page).await;
        let (before, _) = sides(&customer, "#network").await;
        let (brand, _) = sides(&customer, ".brand").await;
        mirror(&customer).await;
        browser.assert_fits().await;
        let (network, _) = sides(&customer, "#network").await;
        let (_, field) = sides(&customer, "#cc-number").await;
        assert!(network < before && network < field / 2.0, "the network stands at the end");
        assert!(sides(&customer, ".brand").await.0 > brand, "the name of the shop begins right");
        browser.press("pay").await;
        browser.see("error-summary").await;
        browser.assert_fits().await;
        browser.picture(&format!("rtl-card-page-{}", device.width)).await;
    }
    customer.type_card(super::customer::PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    mirror(&customer).await;
    browser.assert_fits().await;
    browser.picture("rtl-outcome").await;
}

#[actix_web::test]
async fn the_page_speaks_the_language_of_the_payer() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    customer.order("tea-42").await;
    let page = browser.address().await;
    for (code, tag, pay, empty) in [
        ("de", "de", "49,99\u{a0}€ bezahlen", "Geben Sie die Kartennummer ein."),
        ("es", "es", "Pagar 49,99\u{a0}€", "Introduzca el número de tarjeta."),
        ("zh", "zh-Hans", "支付 €49.99", "请输入卡号。"),
        ("en", "en", "Pay €49.99", "Enter the card number."),
    ] {
        browser.press(&format!("language-{code}")).await;
        browser.wait_for(&format!("language-{code}"), "aria-current", "true").await;
        assert_eq!(browser.address().await, page, "the choice is kept, not the address");
        assert_eq!(browser.evaluate("document.documentElement.lang").await, tag);
        let label = browser.evaluate("document.querySelector('#pay').textContent").await;
        assert_eq!(label, pay);
        browser.picture(&format!("card-page-{code}")).await;
        browser.press("pay").await;
        assert_eq!(browser.text("cc-number-error").await, empty);
    }
    browser.press("language-de").await;
    browser.wait_for("language-de", "aria-current", "true").await;
    customer.type_card("4000000000009995").await;
    assert!(browser.text("decline-text").await.contains("Der verfügbare Betrag"));
    customer.type_card(super::customer::PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    assert!(browser.source().await.contains("Zahlung erfolgreich"));
}
