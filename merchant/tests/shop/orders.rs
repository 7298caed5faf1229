//! A customer's order page: true at every moment.

use wire::events::EventType;
use wire::gateway_api::PaymentStatus;

use crate::browser::{Browser, text_of};
use crate::world::World;

async fn bought() -> (World, Browser, String) {
    let world = World::start().await;
    let mut ada = world.browser();
    let order = ada.buy("tea-42", "EUR").await;
    (world, ada, order)
}

async fn page(ada: &mut Browser, order: &str) -> String {
    ada.get(&format!("/orders/{order}")).await.text()
}

#[actix_web::test]
async fn every_state_is_told_in_words() {
    let (world, mut ada, order) = bought().await;
    let id = world.gateway.only_payment().id;
    let tell = async |event_type, view| {
        let event = world.gateway.event(event_type, &view);
        assert_eq!(world.deliver(&event).await.status, 200);
    };
    let submitted = world.gateway.submit_card(id);
    tell(EventType::PaymentProcessing, submitted).await;
    let checking = page(&mut ada, &order).await;
    assert_eq!(text_of(&checking, "story-head"), "We are checking with your bank");
    assert!(checking.contains("http-equiv=\"refresh\"") && checking.contains("do not pay again"));
    assert!(!checking.contains("data-testid=\"pay\"") && !checking.contains("cancel-order"));
    assert!(!checking.contains("not been charged"), "nobody knows that yet");
    for (code, text, button) in [
        (
            "insufficient_funds",
            "There is not enough money available. Use another card.",
            "Pay with another card",
        ),
        (
            "stolen_card",
            "Your card was declined. Use another card or contact your bank.",
            "Pay with another card",
        ),
        ("expired_card", "Check the card number, date and security code.", "Try again"),
        (
            "call_issuer",
            "Your bank needs to speak to you. Call the number on your card.",
            "Pay with another card",
        ),
        (
            "issuer_unavailable",
            "Your bank did not answer. Try again in a few minutes.",
            "Try again",
        ),
    ] {
        world.gateway.submit_card(id);
        let declined = world.gateway.decline(id, code);
        tell(EventType::PaymentAttemptFailed, declined).await;
        let page = page(&mut ada, &order).await;
        assert_eq!(text_of(&page, "story-head"), "The payment did not work", "{code}");
        assert_eq!(text_of(&page, "story-text"), text, "{code}");
        assert_eq!(text_of(&page, "pay"), button, "{code}");
        assert!(!page.contains("stolen") && !page.contains(code), "{code}");
    }
    let again = ada.submit(&format!("/orders/{order}"), &format!("/orders/{order}/pay"), &[]).await;
    assert_eq!(again.header("location"), world.gateway.only_payment().checkout_url.as_deref());
    world.gateway.submit_card(id);
    let captured = world.gateway.capture(id);
    tell(EventType::PaymentCaptured, captured).await;
    let paid = page(&mut ada, &order).await;
    assert_eq!(text_of(&paid, "story-head"), "Paid. Thank you!");
    assert_eq!(text_of(&paid, "card"), "Visa ending in 4242");
    assert!(!paid.contains("http-equiv=\"refresh\"") && !paid.contains("data-testid=\"pay\""));
}

#[actix_web::test]
async fn a_payment_that_the_bank_asks_about_leads_back_to_the_payment_page() {
    let (world, mut ada, order) = bought().await;
    let id = world.gateway.only_payment().id;
    let tell = async |event_type, view| {
        let event = world.gateway.event(event_type, &view);
        assert_eq!(world.deliver(&event).await.status, 200);
    };
    world.gateway.submit_card(id);
    let declined = world.gateway.decline(id, "insufficient_funds");
    tell(EventType::PaymentAttemptFailed, declined).await;
    world.gateway.submit_card(id);
    let asked = world.gateway.ask_payer(id);
    tell(EventType::PaymentRequiresAction, asked).await;
    assert_eq!(world.status(&order).await, "awaiting_payment");
    let waiting = page(&mut ada, &order).await;
    assert_eq!(text_of(&waiting, "story-head"), "Your bank asks you to confirm the payment");
    assert!(text_of(&waiting, "story-text").contains("You have not been charged."));
    assert_eq!(text_of(&waiting, "pay"), "Confirm the payment");
    let payment = world.gateway.only_payment();
    let on = ada.submit(&format!("/orders/{order}"), &format!("/orders/{order}/pay"), &[]).await;
    assert_eq!(on.header("location"), payment.checkout_url.as_deref());
    assert_eq!(world.gateway.kept().payments.len(), 1, "it is the same payment");
    // Once they have confirmed, the card goes to the bank, and nothing is asked any more.
    let submitted = world.gateway.submit_card(id);
    tell(EventType::PaymentProcessing, submitted).await;
    let checking = page(&mut ada, &order).await;
    assert_eq!(text_of(&checking, "story-head"), "We are checking with your bank");
    assert!(!checking.contains("data-testid=\"pay\""), "nobody is asked to pay again");
}

#[actix_web::test]
async fn a_reversed_payment_says_that_nothing_was_charged_and_can_be_paid_again() {
    let (world, mut ada, order) = bought().await;
    let id = world.gateway.only_payment().id;
    world.gateway.submit_card(id);
    world.gateway.end(id, PaymentStatus::Failed, Some("timeout_reversed"));
    ada.get(&format!("/orders/{order}/return")).await;
    let declined = page(&mut ada, &order).await;
    assert!(text_of(&declined, "story-text").contains("You have not been charged."));
    let again = ada.submit(&format!("/orders/{order}"), &format!("/orders/{order}/pay"), &[]).await;
    let second = world.gateway.newest();
    assert_ne!(second.id, id);
    assert_eq!(again.header("location"), second.checkout_url.as_deref());
    assert_eq!(second.order_reference, order);
}

#[actix_web::test]
async fn canceling_on_the_payment_page_cancels_the_order_and_the_goods_can_be_taken_back() {
    let (world, mut ada, order) = bought().await;
    world.gateway.end(world.gateway.only_payment().id, PaymentStatus::Canceled, None);
    ada.get(&format!("/orders/{order}/return")).await;
    let canceled = page(&mut ada, &order).await;
    assert_eq!(text_of(&canceled, "story-head"), "This order is canceled");
    assert!(canceled.contains("You have not been charged."));
    let again =
        ada.submit(&format!("/orders/{order}"), &format!("/orders/{order}/again"), &[]).await;
    assert_eq!(again.header("location"), Some("/cart"));
    assert!(ada.get("/cart").await.text().contains("data-testid=\"line-tea-42\""));
}

#[actix_web::test]
async fn an_expired_payment_page_leaves_an_order_that_can_still_be_paid() {
    let (world, mut ada, order) = bought().await;
    world.gateway.end(world.gateway.only_payment().id, PaymentStatus::Expired, None);
    ada.get(&format!("/orders/{order}/return")).await;
    let waiting = page(&mut ada, &order).await;
    assert!(text_of(&waiting, "story-text").contains("expired"));
    ada.submit(&format!("/orders/{order}"), &format!("/orders/{order}/pay"), &[]).await;
    assert_eq!(world.gateway.kept().payments.len(), 2);
}

#[actix_web::test]
async fn the_customer_can_cancel_an_unpaid_order() {
    let (world, mut ada, order) = bought().await;
    let here = format!("/orders/{order}");
    let answer = ada.submit(&here, &format!("{here}/cancel"), &[]).await;
    assert_eq!(answer.header("location"), Some(here.as_str()));
    assert_eq!(world.status(&order).await, "canceled");
    assert_eq!(world.gateway.only_payment().status.as_str(), "canceled");
}

#[actix_web::test]
async fn two_tabs_that_pay_again_share_one_payment() {
    let (world, ada, order) = bought().await;
    world.gateway.end(world.gateway.only_payment().id, PaymentStatus::Expired, None);
    let mut first = ada.clone();
    first.get(&format!("/orders/{order}/return")).await;
    let here = format!("/orders/{order}");
    let token = first.form_token(&here).await;
    let (mut one, mut two) = (ada.clone(), ada);
    let action = format!("{here}/pay");
    let pairs = [("csrf", token.as_str())];
    let (left, right) = tokio::join!(one.post(&action, &pairs), two.post(&action, &pairs));
    assert_eq!(world.gateway.kept().payments.len(), 2);
    let url = world.gateway.newest().checkout_url;
    assert_eq!(left.header("location"), url.as_deref());
    assert_eq!(right.header("location"), url.as_deref());
}

#[actix_web::test]
async fn the_receipt_names_everything_and_nothing_more() {
    let (world, mut ada, order) = bought().await;
    let id = world.gateway.only_payment().id;
    let before = ada.get(&format!("/orders/{order}/receipt")).await;
    assert_eq!(before.header("location"), Some(format!("/orders/{order}").as_str()));
    world.gateway.submit_card(id);
    world.gateway.capture(id);
    ada.get(&format!("/orders/{order}/return")).await;
    let refund = serde_json::json!({"amount": 999, "reason": "internal: customer complained"});
    world.api("POST", &format!("/api/orders/{order}/refunds"), Some(refund)).await;
    let receipt = ada.get(&format!("/orders/{order}/receipt")).await.text();
    assert_eq!(text_of(&receipt, "order-id"), order);
    assert_eq!(text_of(&receipt, "payment-id"), id.to_string());
    assert_eq!(text_of(&receipt, "authorization"), "A1B2C3");
    assert_eq!(
        (text_of(&receipt, "total"), text_of(&receipt, "refund")),
        ("€49.99".into(), "−€9.99".into())
    );
    assert_eq!(text_of(&receipt, "kept"), "€40.00");
    assert!(receipt.contains("Visa ending in 4242") && !receipt.contains("complained"));
}

#[actix_web::test]
async fn forms_of_other_sites_are_refused() {
    let (world, mut ada, order) = bought().await;
    let action = format!("/orders/{order}/cancel");
    let token = ada.form_token(&format!("/orders/{order}")).await;
    let good = [("csrf", token.as_str())];
    for (pairs, headers) in [
        (&[][..], &[][..]),
        (&[("csrf", "x")][..], &[][..]),
        (&good[..], &[("origin", "http://evil.example")][..]),
        (&good[..], &[("origin", "null")][..]),
        (&good[..], &[("sec-fetch-site", "cross-site")][..]),
        (&good[..], &[("sec-fetch-site", "same-site")][..]),
    ] {
        let answer = ada.post_with(&action, pairs, headers).await;
        assert_eq!(answer.status, 403, "{pairs:?} {headers:?}");
        assert!(answer.text().contains("form_foreign"), "a page, not JSON");
    }
    let mut eve = world.browser();
    eve.get("/").await;
    assert_eq!(eve.post(&action, &good).await.status, 403, "the token of another browser");
    assert_eq!(world.status(&order).await, "awaiting_payment");
    let origin = format!("http://{}", world.shop);
    let headers = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
    assert_eq!(ada.post_with(&action, &good, &headers).await.status, 303);
}

#[actix_web::test]
async fn pages_carry_the_headers_that_keep_them_safe() {
    let (_world, mut ada, order) = bought().await;
    for path in ["/", "/cart", &format!("/orders/{order}"), "/office/login"] {
        let answer = ada.get(path).await;
        let csp = answer.header("content-security-policy").unwrap();
        assert!(
            csp.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{csp}"
        );
        assert!(csp.contains("frame-ancestors 'none'") && csp.contains("base-uri 'none'"));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        let page = answer.text();
        assert!(
            !page.contains("<script") && !page.contains(" style=") && !page.contains("onclick")
        );
        assert!(page.contains("data-testid=\"test-badge\""));
        assert!(!page.contains("src=\"http"), "nothing from elsewhere");
    }
}
