//! The payment page and the dashboard, as a browser meets them.

use std::time::Duration;

use gateway::settings::{LimitProfile, Limits};

use crate::support::{Browser, Gateway};

const GOOD_CARD: [(&str, &str); 3] =
    [("cc-number", "4242 4242 4242 4242"), ("cc-exp", "12 / 30"), ("cc-csc", "123")];

#[actix_web::test]
async fn the_link_becomes_a_cookie_and_leaves_the_address() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    let answer = browser.get(&payment.checkout_path).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some(payment.path().as_str())));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains(&format!("Path={}", payment.path())));
    let page = browser.get(&payment.path()).await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("cs="), "{}", page.body);
    assert!(page.body.contains("Pay €49.99") && page.body.contains("Payrig Demo Shop"));
    assert!(page.body.contains("<dt>1 × Tea for two</dt>"), "{}", page.body);
}

#[actix_web::test]
async fn without_the_link_nothing_is_told() {
    let gateway = Gateway::start().await;
    let (payment, other) = (gateway.create_payment(4999).await, gateway.create_payment(100).await);
    let mut stranger = Browser::new(&gateway);
    let wrong_key = other.checkout_path.replace(&other.id, &payment.id);
    for path in [payment.path(), format!("{}/status", payment.path()), wrong_key] {
        let page = stranger.get(&path).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(page.body.contains("data-outcome=\"refused\""));
        assert!(!page.body.contains("49.99") && !page.body.contains("ord_"), "{}", page.body);
    }
}

#[actix_web::test]
async fn the_page_carries_the_headers_of_a_card_page() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    let page = browser.open(&payment).await;
    let header = |name: &str| page.header(name).unwrap_or_default().to_owned();
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
         require-trusted-types-for 'script'"
    );
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(header("cross-origin-resource-policy"), "same-origin");
    assert!(header("permissions-policy").contains("payment=()"));
    for token in ["cc-number", "cc-exp", "cc-csc", "cc-name"] {
        assert!(page.body.contains(&format!("autocomplete=\"{token}\"")), "{token}");
    }
    for outside in ["src=\"http", "href=\"http", " style=", "<style", "onclick"] {
        assert!(!page.body.contains(outside), "{outside}");
    }
    assert_eq!(page.body.matches("<script").count(), 1);
    assert!(page.body.contains("Never enter a real card"));
}

#[actix_web::test]
async fn every_wrong_field_is_named_and_the_rest_is_kept() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    browser.open(&payment).await;
    let fields = [
        ("cc-number", "4242 4242 4242 4242"),
        ("cc-exp", "13/30"),
        ("cc-csc", "12"),
        ("cc-name", "Ada"),
    ];
    let page = browser.submit(&payment.path(), &fields).await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("The month goes from 01 to 12."));
    assert!(page.body.contains("The code has 3 digits."));
    assert!(
        page.body.contains("value=\"4242 4242 4242 4242\"") && page.body.contains("value=\"Ada\"")
    );
    assert!(!page.body.contains("value=\"12\""), "the code is never kept");
    assert!(page.body.contains("href=\"#cc-exp\""), "the summary links to the field");
}

#[actix_web::test]
async fn a_real_card_is_refused_and_never_echoed() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    browser.open(&payment).await;
    let fields = [("cc-number", "4539 1488 0343 6467"), ("cc-exp", "12/30"), ("cc-csc", "123")];
    let page = browser.submit(&payment.path(), &fields).await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("Real cards are refused, and this number was not stored."));
    assert!(!page.body.contains("4539") && !page.body.contains("6467"));
}

#[actix_web::test]
async fn a_form_in_which_many_cards_are_tried_asks_to_wait() {
    // Each payment here is created with a token of its own.
    let strict = Limits { token_per_minute: 60, ..Limits::of(LimitProfile::Strict) };
    let gateway = Gateway::start_with(|settings| settings.limits = strict).await;
    let fields = [("cc-number", "4242424242424242"), ("cc-exp", "12/30"), ("cc-csc", "123")];
    for tried in 0..21 {
        let payment = gateway.create_payment(4999 + tried).await;
        let mut browser = Browser::new(&gateway);
        browser.open(&payment).await;
        let page = browser.submit(&payment.path(), &fields).await;
        if tried < 20 {
            assert_eq!(page.status, 303, "{tried}: {}", page.body);
            continue;
        }
        assert_eq!(page.status, 429);
        assert_eq!(page.header("retry-after"), Some("60"));
        assert!(page.body.contains("data-family=\"slow_down\""), "{}", page.body);
        assert!(page.body.contains("You have not been charged. Wait 60 seconds"));
        gateway.advance(Duration::from_mins(1)).await;
        let page = browser.submit(&payment.path(), &fields).await;
        assert_eq!(page.status, 303, "{}", page.body);
    }
}

#[actix_web::test]
async fn a_form_from_elsewhere_is_refused() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    browser.open(&payment).await;
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
    ] {
        browser.headers = vec![(name.to_owned(), value.to_owned())];
        let page = browser.submit(&payment.path(), &GOOD_CARD).await;
        assert_eq!(page.status, 403, "{name}: {value}");
        assert!(page.body.contains("data-outcome=\"forged\""));
    }
    browser.headers =
        vec![("Sec-Fetch-Site".into(), "same-origin".into()), ("Origin".into(), "null".into())];
    let mut thief = Browser::new(&gateway);
    thief.open(&payment).await;
    thief.csrf.clone_from(&browser.csrf);
    assert_eq!(thief.submit(&payment.path(), &GOOD_CARD).await.status, 403, "another's proof");
    assert_eq!(browser.submit(&payment.path(), &GOOD_CARD).await.status, 303);
}

#[actix_web::test]
async fn a_payer_can_give_up_and_then_pays_no_more() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    browser.open(&payment).await;
    let answer = browser.submit(&format!("{}/cancel", payment.path()), &[]).await;
    assert_eq!(answer.status, 303);
    let page = browser.get(answer.header("location").unwrap()).await;
    assert!(page.body.contains("data-outcome=\"canceled\""));
    assert!(page.body.contains("You have not been charged."));
    assert!(page.header("refresh").unwrap().contains("/cart?payment=pay_"), "to the shop's cart");
    let answer = browser.submit(&payment.path(), &GOOD_CARD).await;
    assert_eq!(answer.header("location"), Some(format!("{}/status", payment.path()).as_str()));
    assert!(gateway.status_of(&payment).await.contains("canceled"));
}

#[actix_web::test]
async fn a_page_that_ran_out_takes_no_card_unless_more_time_was_asked_for() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    assert!(browser.open(&payment).await.body.contains("You have 30 minutes to pay."));
    gateway.advance(Duration::from_mins(29)).await;
    assert!(browser.get(&payment.path()).await.body.contains("You have 1 minute to pay."));
    browser.headers = vec![("Accept".into(), "application/json".into())];
    let extended = browser.submit(&format!("{}/extend", payment.path()), &[]).await;
    assert_eq!((extended.status, extended.body.as_str()), (200, r#"{"seconds_left":1800}"#));
    browser.headers.clear();
    gateway.advance(Duration::from_mins(29)).await;
    assert_eq!(browser.get(&payment.path()).await.status, 200);
    gateway.advance(Duration::from_secs(61)).await;
    let late = browser.get(&payment.path()).await;
    assert_eq!(late.status, 303);
    let page = browser.get(late.header("location").unwrap()).await;
    assert!(page.body.contains("This payment page has expired."), "{}", page.body);
    let answer = browser.submit(&payment.path(), &GOOD_CARD).await;
    assert_eq!(answer.status, 303, "the card is not even looked at");
}

#[actix_web::test]
async fn a_card_that_cannot_be_sent_leaves_the_payment_open_for_another() {
    // The processor of this world does not exist: nothing is ever sent.
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    browser.open(&payment).await;
    let key = browser.key().to_owned();
    let first = browser.submit(&payment.path(), &GOOD_CARD).await;
    assert_eq!(first.status, 303);
    let page = browser.follow(first).await;
    assert!(page.body.contains("data-testid=\"decline\""), "{}", page.body);
    assert!(page.body.contains("data-testid=\"card-form\""));
    // The same form again: the back button and a second press change nothing.
    browser.use_key(&key);
    let again = browser.submit(&payment.path(), &GOOD_CARD).await;
    assert_eq!(again.status, 303);
    assert_eq!(gateway.payment(&payment).await["attempts"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_test_card_can_be_chosen_without_a_script() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::new(&gateway);
    browser.open(&payment).await;
    let page = browser.get(&format!("{}?card=stripe.amex", payment.path())).await;
    assert!(
        page.body.contains("value=\"3782 822463 10005\"") && page.body.contains("value=\"1234\"")
    );
    let page = browser.get(&format!("{}?card=4242424242424242", payment.path())).await;
    assert!(page.body.contains("name=\"cc-number\"") && !page.body.contains("value=\"4242"));
}

#[actix_web::test]
async fn the_dashboard_asks_who_is_there() {
    let gateway = Gateway::start().await;
    let mut browser = Browser::new(&gateway);
    let answer = browser.get("/dashboard/developers").await;
    assert_eq!(answer.header("location"), Some("/dashboard/login?next=/dashboard/developers"));
    let page = browser.follow(answer).await;
    assert!(page.body.contains("data-testid=\"login-form\""));
    let wrong = browser.submit("/dashboard/login", &[("name", "admin"), ("password", "x")]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("Name or password is wrong"));
    let fields =
        [("name", "admin"), ("password", "correct horse"), ("next", "/dashboard/developers")];
    let answer = browser.submit("/dashboard/login", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard/developers")));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let page = browser.follow(answer).await;
    assert!(page.body.contains("data-testid=\"operator\">admin"), "{}", page.body);
    browser.submit("/dashboard/logout", &[]).await;
    assert_eq!(browser.get("/dashboard").await.status, 303, "signed out");
}

#[actix_web::test]
async fn signing_in_is_slowed_down_after_five_failures() {
    let gateway = Gateway::start().await;
    let mut browser = Browser::new(&gateway);
    browser.get("/dashboard/login").await;
    for _ in 0..5 {
        let answer =
            browser.submit("/dashboard/login", &[("name", "admin"), ("password", "x")]).await;
        assert_eq!(answer.status, 401);
    }
    let right = [("name", "admin"), ("password", "correct horse")];
    let answer = browser.submit("/dashboard/login", &right).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("900")));
    gateway.advance(Duration::from_secs(15 * 60 + 1)).await;
    assert_eq!(browser.submit("/dashboard/login", &right).await.status, 303);
}

#[actix_web::test]
async fn every_unsafe_route_of_the_dashboard_needs_its_proof() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut browser = Browser::signed_in(&gateway, "admin").await;
    for path in [
        "/dashboard/login".to_owned(),
        "/dashboard/logout".to_owned(),
        format!("/dashboard/payments/{}/capture", payment.id),
        format!("/dashboard/payments/{}/void", payment.id),
        format!("/dashboard/payments/{}/refund", payment.id),
        "/dashboard/disputes/dsp_00000000000000000000000000/evidence".to_owned(),
        "/dashboard/disputes/dsp_00000000000000000000000000/accept".to_owned(),
        "/dashboard/clients".to_owned(),
        "/dashboard/clients/cli_playground/remove".to_owned(),
        "/dashboard/clients/cli_playground/rotate-key".to_owned(),
        "/dashboard/clients/cli_playground/keys/key_playground/revoke".to_owned(),
    ] {
        browser.csrf = "forged".to_owned();
        let answer = browser.submit(&path, &[("name", "a"), ("password", "b")]).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("form_forged"), "{path}");
    }
}

#[actix_web::test]
async fn the_list_of_payments_is_filtered_by_its_address() {
    let gateway = Gateway::start().await;
    for amount in 1..=30 {
        gateway.create_payment(amount).await;
    }
    let mut browser = Browser::signed_in(&gateway, "admin").await;
    let page = browser.get("/dashboard").await;
    assert_eq!(page.body.matches("data-testid=\"payment-row\"").count(), 25);
    let older = page.link("older").unwrap();
    let page = browser.get(&older).await;
    assert_eq!(page.body.matches("data-testid=\"payment-row\"").count(), 5);
    let newer = page.link("newer").unwrap();
    assert_eq!(browser.get(&newer).await.body.matches("data-testid=\"payment-row\"").count(), 25);
    let page = browser.get("/dashboard?status=captured&order_reference=").await;
    assert!(page.body.contains("No payment fits these filters."));
    assert!(page.body.contains("<option value=\"captured\" selected>"));
    let page = browser.get("/dashboard?status=nonsense").await;
    assert_eq!(page.status, 400);
    assert!(page.body.contains("data-testid=\"problem\""));
}

#[actix_web::test]
async fn a_payment_shows_what_the_reader_may_do() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let path = format!("/dashboard/payments/{}", payment.id);
    let mut viewer = Browser::signed_in(&gateway, "vera").await;
    let page = viewer.get(&path).await;
    assert!(page.body.contains("€49.99") && page.body.contains("payment.created"), "{}", page.body);
    assert!(!page.body.contains("data-testid=\"capture-form\""));
    let fields = [("amount", "49.99"), ("key", "0123456789abcdef")];
    let answer = viewer.submit(&format!("{path}/capture"), &fields).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("role_insufficient"));
    let mut admin = Browser::signed_in(&gateway, "admin").await;
    admin.get(&path).await;
    let answer = admin.submit(&format!("{path}/capture"), &fields).await;
    assert_eq!(answer.status, 409, "nothing is authorized: {}", answer.body);
    let fields = [("amount", "1.005"), ("key", "0123456789abcdeg")];
    assert_eq!(admin.submit(&format!("{path}/capture"), &fields).await.status, 422);
    assert_eq!(viewer.get("/dashboard/payments/pay_00000000000000000000000000").await.status, 404);
}

#[actix_web::test]
async fn a_new_secret_is_shown_once_and_the_deed_is_noted() {
    let gateway = Gateway::start().await;
    let mut browser = Browser::signed_in(&gateway, "admin").await;
    let page = browser.get("/dashboard/developers").await;
    let endpoint = page.between("/dashboard/webhook-endpoints/", "/rotate-secret").unwrap();
    let path = format!("/dashboard/webhook-endpoints/{endpoint}/rotate-secret");
    let key = [("key", "0123456789abcdef")];
    let page = browser.submit(&path, &key).await;
    assert_eq!(page.body.matches("whsec_").count(), 1, "{}", page.body);
    assert_eq!(browser.submit(&path, &key).await.status, 303, "the same form again does nothing");
    let page = browser.get("/dashboard/developers").await;
    assert!(!page.body.contains("whsec_"));
    assert!(page.body.contains("rotate secret") && page.body.contains("Unbroken"));
}

#[actix_web::test]
async fn what_cannot_be_done_to_a_client_is_told() {
    let gateway = Gateway::start().await;
    let mut viewer = Browser::signed_in(&gateway, "vera").await;
    let page = viewer.get("/dashboard/developers").await;
    assert!(page.body.contains("key_playground") && !page.body.contains("add-client"));
    let mut admin = Browser::signed_in(&gateway, "admin").await;
    let page = admin.get("/dashboard/developers").await;
    assert!(page.body.contains("stands in the keys file"), "{}", page.body);
    assert!(!page.body.contains("rotate-key"));
    let mut presses = 0;
    let mut press = async |browser: &mut Browser, path: &str, typed: &[(&str, &str)]| {
        presses += 1;
        let key = format!("0123456789abcde{presses}");
        let fields = [typed, &[("key", key.as_str())]].concat();
        browser.submit(&format!("/dashboard/clients{path}"), &fields).await
    };
    for path in ["", "/cli_playground/rotate-key", "/cli_playground/keys/key_playground/revoke"] {
        let answer = press(&mut viewer, path, &[("name", "mine")]).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("role_insufficient"), "{path}");
    }
    for (path, status, code) in [
        ("/cli_playground/rotate-key", 409, "client_from_keys_file"),
        ("/cli_playground/remove", 409, "client_from_keys_file"),
        ("/cli_playground/keys/key_playground/revoke", 409, "key_in_use"),
        ("/cli_playground/keys/key_nothing/revoke", 404, "not_found"),
        ("/cli_nobody/rotate-key", 404, "not_found"),
    ] {
        let answer = press(&mut admin, path, &[]).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(code), "{path}: {}", answer.body);
    }
    for (name, origins, why) in [
        ("playground", "", "no other client has it"),
        ("", "", "1 to 60 letters"),
        ("4242 4242 4242 4242", "", "1 to 60 letters"),
        ("mine", "http://shop.example", "https"),
    ] {
        let typed = [("name", name), ("origins", origins)];
        let answer = press(&mut admin, "", &typed).await;
        assert_eq!(answer.status, 422, "{name} {origins}: {}", answer.body);
        assert!(answer.body.contains("The client was not added") && answer.body.contains(why));
        let kept = answer.body.contains(&format!("name=\"name\" value=\"{name}\""));
        assert_eq!(kept, !name.starts_with("4242"), "{}", answer.body);
    }
    let page = admin.get("/dashboard/developers").await;
    assert!(!page.body.contains("4242 4242"), "nor is it in the log");
    assert_eq!(page.body.matches("data-testid=\"client\"").count(), 1);
}

#[actix_web::test]
async fn foreign_names_are_inert_wherever_they_stand() {
    let gateway = Gateway::start().await;
    let name = "<svg onload=alert(1)>";
    let payment = gateway.create_described_payment(name).await;
    let mut browser = Browser::new(&gateway);
    let page = browser.open(&payment).await;
    assert!(page.body.contains("&#60;svg onload") && !page.body.contains("<svg onload"));
    let mut admin = Browser::signed_in(&gateway, "admin").await;
    let page = admin.get(&format!("/dashboard/payments/{}", payment.id)).await;
    assert!(page.body.contains("&#60;svg onload") && !page.body.contains("<svg onload"));
}

#[actix_web::test]
async fn the_document_and_its_page_are_served_to_anybody() {
    let gateway = Gateway::start().await;
    let mut browser = Browser::new(&gateway);
    let answer = browser.get("/api/openapi.json").await;
    let document: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let served: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|it| it.as_object().unwrap().len())
        .sum();
    let page = browser.get("/api/docs").await;
    assert_eq!(page.body.matches("data-testid=\"operation\"").count(), served);
    assert!(page.body.contains("signature_invalid"));
}
