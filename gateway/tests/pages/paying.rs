//! A payer, the payment page and a bank: every outcome as the payer sees it.

use std::time::Duration;

use crate::scripted::{GOOD_CARD, OTHER_CARD, Says, World};
use crate::support::{Answer, Browser, NewPayment};
use kit::wirelog::WireFilter;
use serde_json::json;

fn card(number: &str) -> [(&str, &str); 3] {
    [("cc-number", number), ("cc-exp", "12 / 30"), ("cc-csc", "987")]
}

async fn checkout(world: &World) -> (NewPayment, Browser) {
    let id = world.create("automatic").await;
    let view = world.payment(&id).await;
    let (_, rest) = view["checkout_url"].as_str().unwrap().split_once("//").unwrap();
    let address = rest.split_once('/').unwrap().0.parse().unwrap();
    let payment = NewPayment::of(&view);
    let mut browser = Browser::at(address);
    let page = browser.open(&payment).await;
    assert_eq!(page.status, 200, "{}", page.body);
    (payment, browser)
}

fn outcome(page: &Answer) -> String {
    page.between("data-outcome=\"", "\"").unwrap_or_default()
}

#[tokio::test]
async fn a_good_card_pays_and_the_browser_returns_to_the_shop() {
    let world = World::start().await;
    let (payment, mut browser) = checkout(&world).await;
    let answer = browser.submit(&payment.path(), &card(GOOD_CARD)).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some(format!("{}/status", payment.path()).as_str()))
    );
    let page = browser.follow(answer).await;
    assert_eq!(outcome(&page), "paid");
    assert!(page.body.contains("€100.00") && page.body.contains("Visa ending in 4242"));
    let refresh = page.header("refresh").unwrap();
    assert!(
        refresh.starts_with("5; url=http://127.0.0.1:7071/orders/1/return?payment=pay_"),
        "{refresh}"
    );
    assert!(page.body.contains("data-testid=\"return-to-shop\""));
    assert_eq!(world.status(&payment.id).await, "captured");
    // The back button, the link of the shop, a second tab: the same final page.
    for path in [payment.path(), payment.checkout_path.clone()] {
        let answer = browser.get(&path).await;
        let page = browser.follow(answer).await;
        assert_eq!(outcome(&page), "already_paid", "{path}");
        assert_eq!(page.header("refresh"), None);
    }
}

#[tokio::test]
async fn a_declined_card_is_told_by_its_family_and_another_one_pays() {
    for (code, family, text) in [
        ("51", "funds", "There is not enough money available."),
        ("41", "generic", "Your card was declined."),
        ("43", "generic", "Your card was declined."),
        ("54", "check_details", "Check the card number, date and security code."),
        ("78", "contact_bank", "Your bank needs to speak to you."),
        ("91", "try_later", "You have not been charged."),
    ] {
        let world = World::start().await;
        world.processor.script("authorization", Says::Code(code));
        let (payment, mut browser) = checkout(&world).await;
        let answer = browser.submit(&payment.path(), &card(GOOD_CARD)).await;
        let page = browser.follow(answer).await;
        assert_eq!(page.between("data-family=\"", "\"").as_deref(), Some(family), "{code}");
        assert!(page.body.contains(text), "{code}");
        for secret in ["lost", "stolen", "fraud", "risk"] {
            let told = page.between("data-testid=\"decline-text\">", "<").unwrap();
            assert!(!told.to_lowercase().contains(secret), "{code}: {told}");
        }
        let answer = browser.submit(&payment.path(), &card(OTHER_CARD)).await;
        assert_eq!(outcome(&browser.follow(answer).await), "paid", "{code}");
    }
}

#[tokio::test]
async fn two_presses_and_two_tabs_make_one_attempt() {
    let world = World::start().await;
    let (payment, mut one) = checkout(&world).await;
    let (mut pressed_twice, mut other_tab) = (one.twin(), one.twin());
    other_tab.get(&payment.path()).await;
    let (path, fields) = (payment.path(), card(GOOD_CARD));
    let (first, second, third) = tokio::join!(
        one.submit(&path, &fields),
        pressed_twice.submit(&path, &fields),
        other_tab.submit(&path, &fields),
    );
    for (browser, answer) in
        [(&mut one, first), (&mut pressed_twice, second), (&mut other_tab, third)]
    {
        assert_eq!(answer.status, 303);
        world.settle().await;
        let page = browser.follow(answer).await;
        assert!(["paid", "already_paid"].contains(&outcome(&page).as_str()), "{}", page.body);
    }
    assert_eq!(world.payment(&payment.id).await["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(world.processor.seen("authorization").len(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_never_called_uncharged_and_never_paid_again() {
    let world = World::start().await;
    let (payment, mut browser) = checkout(&world).await;
    world.fault(json!([{"on": "gateway->processor", "match": {"type": "authorization"},
        "times": 1, "do": "drop_request"}]));
    let answer = browser.submit(&payment.path(), &card(GOOD_CARD)).await;
    let status = format!("{}/status", payment.path());
    let page = browser.follow(answer).await;
    assert_eq!(outcome(&page), "processing");
    assert_eq!(page.header("refresh"), Some(format!("1; url={status}").as_str()));
    world.clock.advance(Duration::from_secs(20)).unwrap();
    world.settle().await;
    let page = browser.get(&status).await;
    assert_eq!(outcome(&page), "unknown");
    assert!(page.body.contains("Please do not pay again."));
    assert!(!page.body.contains("not been charged") && !page.body.contains("<form"));
    assert!(page.header("refresh").is_some());
    let again = browser.submit(&payment.path(), &card(OTHER_CARD)).await;
    assert_eq!(again.header("location"), Some(status.as_str()), "no second card while it is open");
    world.advance_seconds(120).await;
    let page = browser.get(&status).await;
    assert_eq!(outcome(&page), "failed");
    assert!(page.body.contains("Your bank did not answer. You have not been charged."));
    assert_eq!(world.processor.holds(), 0);
    world.check_invariants().await;
}

#[tokio::test]
async fn after_ten_declines_the_page_offers_no_card_any_more() {
    let world = World::start().await;
    let (payment, mut browser) = checkout(&world).await;
    for number in 1..=10 {
        world.processor.script("authorization", Says::Code("51"));
        let answer = browser.submit(&payment.path(), &card(GOOD_CARD)).await;
        let page = browser.follow(answer).await;
        let ended = outcome(&page) == "failed";
        assert_eq!(ended, number == 10, "{number}: {}", page.body);
        assert_eq!(page.body.contains("data-testid=\"card-form\""), !ended);
    }
    let answer = browser.submit(&payment.path(), &card(OTHER_CARD)).await;
    assert_eq!(outcome(&browser.follow(answer).await), "failed");
    assert_eq!(world.processor.seen("authorization").len(), 10);
}

#[tokio::test]
async fn card_data_stands_in_no_log_of_the_wire() {
    let world = World::start().await;
    let (payment, mut browser) = checkout(&world).await;
    browser
        .submit(
            &payment.path(),
            &[("cc-number", "4242 4242 4242 4242"), ("cc-exp", "13/30"), ("cc-csc", "987")],
        )
        .await;
    let answer = browser.submit(&payment.path(), &card(GOOD_CARD)).await;
    browser.follow(answer).await;
    let entries = world.plumbing.wire_log.since(&WireFilter::default(), 1000);
    let kinds: Vec<&str> = entries.iter().map(|it| it.facts.kind.as_str()).collect();
    assert!(kinds.contains(&"card_form"), "{kinds:?}");
    let log = serde_json::to_string(&entries).unwrap();
    for secret in
        ["4242424242424242", "4242 4242 4242 4242", "4242+4242+4242+4242", "cc-csc=987", "\"987\""]
    {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn over_a_cap_the_payer_is_told_to_use_another_card_and_nothing_is_sent() {
    let of_card = |it: &mut gateway::Settings| it.limits.caps.card_day = Some(15_000);
    let of_account = |it: &mut gateway::Settings| it.limits.caps.merchant_day = Some(15_000);
    let memory = kit::sqlite::Location::Memory;
    for (world, family) in [
        (World::start_with(memory.clone(), of_card).await, "generic"),
        (World::start_with(memory, of_account).await, "our_side"),
    ] {
        world.paid("automatic").await;
        let (payment, mut browser) = checkout(&world).await;
        let answer = browser.submit(&payment.path(), &card(GOOD_CARD)).await;
        let page = browser.follow(answer).await;
        assert_eq!(page.between("data-family=\"", "\"").as_deref(), Some(family));
        assert!(!page.body.contains("15000") && !page.body.contains("150.00"));
        assert_eq!(world.status(&payment.id).await, "requires_payment_method");
        assert_eq!(world.processor.seen("authorization").len(), 1);
    }
}
