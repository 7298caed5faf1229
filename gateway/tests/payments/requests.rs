//! What the API refuses, and how it lists payments.

use std::fmt::Write;

use crate::scripted::{GOOD_CARD, Says, World, payment_body};
use serde_json::{Value, json};

fn changed(change: impl Fn(&mut Value)) -> String {
    let mut body = payment_body("key-1", "automatic");
    change(&mut body);
    body.to_string()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "the list is long")]
async fn every_wrong_field_has_its_own_code_and_nothing_is_stored() {
    let world = World::start().await;
    let line = |unit_price: i64| json!([{"name": "Tea", "quantity": 2, "unit_price": unit_price}]);
    let cases: Vec<(&str, String)> = vec![
        ("no JSON", "{".to_owned()),
        ("not an object", "[]".to_owned()),
        ("doubled field", r#"{"order_reference":"a","order_reference":"b"}"#.to_owned()),
        ("unknown field", changed(|it| it["tip"] = json!(1))),
        ("server's field", changed(|it| it["status"] = json!("captured"))),
        ("merchant in body", changed(|it| it["merchant_id"] = json!("mer_1"))),
        ("no amount", changed(|it| drop(it.as_object_mut().unwrap().remove("amount")))),
        ("zero", changed(|it| it["amount"]["value"] = json!(0))),
        ("negative", changed(|it| it["amount"]["value"] = json!(-1))),
        ("thirteen digits", changed(|it| it["amount"]["value"] = json!(1_000_000_000_000_i64))),
        ("beyond i64", changed(|it| it["amount"]["value"] = json!(1e30))),
        ("decimal", changed(|it| it["amount"]["value"] = json!(10.5))),
        ("amount as text", changed(|it| it["amount"]["value"] = json!("100"))),
        ("unknown currency", changed(|it| it["amount"]["currency"] = json!("EUX"))),
        ("lower case currency", changed(|it| it["amount"]["currency"] = json!("eur"))),
        ("no minor unit", changed(|it| it["amount"]["currency"] = json!("XAU"))),
        ("empty reference", changed(|it| it["order_reference"] = json!(""))),
        ("long reference", changed(|it| it["order_reference"] = json!("x".repeat(65)))),
        ("control character", changed(|it| it["order_reference"] = json!("a\u{7}"))),
        ("long description", changed(|it| it["description"] = json!("x".repeat(201)))),
        (
            "card in description",
            changed(|it| it["description"] = json!("pay 4242 4242 4242 4242 now")),
        ),
        ("card in metadata", changed(|it| it["metadata"] = json!({"note": "4242424242424242"}))),
        ("card in reference", changed(|it| it["order_reference"] = json!("4242424242424242"))),
        ("wrong capture", changed(|it| it["capture"] = json!("later"))),
        ("foreign return", changed(|it| it["return_url"] = json!("https://evil.example/return"))),
        ("script as return", changed(|it| it["return_url"] = json!("javascript:alert(1)"))),
        ("origin as prefix", changed(|it| it["return_url"] = json!("http://127.0.0.1:70710/"))),
        ("foreign cancel", changed(|it| it["cancel_url"] = json!("http://127.0.0.1:9999/"))),
        ("no mail address", changed(|it| it["customer"] = json!({"email": "ada"}))),
        ("lines too cheap", changed(|it| it["line_items"] = line(1))),
        (
            "no quantity",
            changed(|it| {
                it["line_items"] = json!([{"name": "Tea", "quantity": 0, "unit_price": 1}]);
            }),
        ),
        ("negative price", changed(|it| it["line_items"] = line(-1))),
        ("confirm without token", changed(|it| it["confirm"] = json!(true))),
        ("malformed token", changed(|it| it["card_token"] = json!("tok_1"))),
    ];
    let mut refusals = String::new();
    for (name, body) in cases {
        let answer = world.send("/payments", &body, Some(&world.fresh_key()), &[]).await;
        let param = answer.body["param"].as_str().unwrap_or("-").to_owned();
        let _ = writeln!(refusals, "{name:22} {} {} {param}", answer.status, answer.code());
    }
    insta::assert_snapshot!(refusals, @"
    no JSON                400 json_malformed -
    not an object          400 field_invalid -
    doubled field          400 json_duplicate_key order_reference
    unknown field          400 field_unknown tip
    server's field         400 field_unknown status
    merchant in body       400 field_unknown merchant_id
    no amount              400 field_missing amount
    zero                   400 invalid_amount amount.value
    negative               400 invalid_amount amount.value
    thirteen digits        400 invalid_amount amount.value
    beyond i64             400 invalid_amount amount.value
    decimal                400 invalid_amount amount.value
    amount as text         400 invalid_amount amount.value
    unknown currency       400 invalid_currency amount.currency
    lower case currency    400 invalid_currency amount.currency
    no minor unit          400 invalid_currency amount.currency
    empty reference        400 field_too_short order_reference
    long reference         400 field_too_long order_reference
    control character      400 text_invalid order_reference
    long description       400 field_too_long description
    card in description    400 card_number_not_allowed_here description
    card in metadata       400 card_number_not_allowed_here metadata.note
    card in reference      400 card_number_not_allowed_here order_reference
    wrong capture          400 field_invalid capture
    foreign return         400 return_url_not_allowed return_url
    script as return       400 return_url_not_allowed return_url
    origin as prefix       400 return_url_not_allowed return_url
    foreign cancel         400 cancel_url_not_allowed cancel_url
    no mail address        400 email_invalid customer.email
    lines too cheap        400 line_items_mismatch line_items
    no quantity            400 quantity_invalid line_items.0.quantity
    negative price         400 invalid_amount line_items.0.unit_price
    confirm without token  400 field_missing card_token
    malformed token        400 field_invalid card_token
    ");
    assert_eq!(world.get("/payments").await.body["data"], json!([]));
    world.check_invariants().await;
}

#[tokio::test]
async fn keys_are_mandatory_and_plain() {
    let world = World::start().await;
    let body = payment_body("key-1", "automatic").to_string();
    let long = "k".repeat(256);
    for (key, code) in [
        (None, "idempotency_key_missing"),
        (Some(""), "idempotency_key_invalid"),
        (Some("two words"), "idempotency_key_invalid"),
        (Some(long.as_str()), "idempotency_key_invalid"),
    ] {
        // A call without a key cannot even be signed by the profile, so the key is what is missed.
        let answer = world.send("/payments", &body, key, &[]).await;
        assert!(answer.status == 400 || answer.status == 401, "{}", answer.body);
        if answer.status == 400 {
            assert_eq!(answer.code(), code);
        }
    }
    assert_eq!(world.get("/payments").await.body["data"], json!([]));
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_in_the_same_words() {
    let world = World::start().await;
    for id in ["pay_01kdvdna00em2ra1850m2ga185", "pay_1", "ref_01kdvdna00em2ra1850m2ga185"] {
        let answer = world.get(&format!("/payments/{id}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "payment_not_found"));
        for verb in ["capture", "void", "cancel", "refunds"] {
            let answer = world.post(&format!("/payments/{id}/{verb}"), json!({})).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (404, "payment_not_found"),
                "{verb}"
            );
        }
    }
    let answer = world.get("/refunds/ref_01kdvdna00em2ra1850m2ga185").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "refund_not_found"));
    let answer = world.post("/refunds/ref_01kdvdna00em2ra1850m2ga185/cancel", json!({})).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "refund_not_found"));
}

#[tokio::test]
async fn a_reason_of_a_refund_holds_no_card_number() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let body = json!({"reason": "card 4242-4242-4242-4242"});
    let answer = world.post(&format!("/payments/{id}/refunds"), body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "card_number_not_allowed_here"));
}

#[tokio::test]
async fn lists_are_walked_by_key_in_both_directions() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(world.create("automatic").await);
        world.clock.advance(std::time::Duration::from_millis(1)).unwrap();
    }
    ids.reverse();
    let page = |answer: &crate::scripted::Answer| -> (Vec<String>, bool) {
        let data = answer.body["data"].as_array().unwrap();
        let ids = data.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        (ids, answer.body["has_more"].as_bool().unwrap())
    };
    let first = page(&world.get("/payments?limit=3").await);
    assert_eq!(first, (ids[..3].to_vec(), true));
    let second = page(&world.get(&format!("/payments?limit=3&after={}", ids[2])).await);
    assert_eq!(second, (ids[3..6].to_vec(), true));
    let third = page(&world.get(&format!("/payments?limit=3&after={}", ids[5])).await);
    assert_eq!(third, (ids[6..].to_vec(), false));
    let back = page(&world.get(&format!("/payments?limit=3&before={}", ids[6])).await);
    assert_eq!(back, (ids[3..6].to_vec(), true));
}

#[tokio::test]
async fn lists_are_filtered() {
    let world = World::start().await;
    let open = world.create("automatic").await;
    let paid = world.paid("automatic").await;
    world.processor.script("authorization", Says::Code("51"));
    let declined = world.create("automatic").await;
    world.confirm(&declined, crate::scripted::OTHER_CARD).await;
    world.advance_seconds(60).await;
    let mut large = payment_body("key-large", "manual");
    large["amount"]["value"] = json!(20_000);
    let large = world.post("/payments", large).await.id();
    let reference = world.payment(&paid).await["order_reference"].as_str().unwrap().to_owned();
    for (query, expected) in [
        ("status=captured".to_owned(), vec![&paid]),
        (format!("order_reference={reference}"), vec![&paid]),
        ("card_last4=4444".to_owned(), vec![&declined]),
        ("decline_code=insufficient_funds".to_owned(), vec![&declined]),
        ("amount_min=10001".to_owned(), vec![&large]),
        ("amount_max=10000&status=requires_payment_method".to_owned(), vec![&declined, &open]),
        ("created_after=2026-11-22T10:00:30Z".to_owned(), vec![&large]),
        ("created_before=2026-11-22T10:00:30Z".to_owned(), vec![&declined, &paid, &open]),
    ] {
        let answer = world.get(&format!("/payments?{query}")).await;
        let found = answer.body["data"].as_array().unwrap();
        let mut found: Vec<_> = found.iter().map(|it| it["id"].as_str().unwrap()).collect();
        let mut expected: Vec<_> = expected.iter().map(|id| id.as_str()).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
    for (query, code) in [
        ("status=paid", "parameter_invalid"),
        ("limit=0", "parameter_invalid"),
        ("limit=101", "parameter_invalid"),
        ("after=ref_1", "parameter_invalid"),
        ("amount_min=-1", "parameter_invalid"),
        ("amount_min=1.5", "parameter_invalid"),
        ("card_last4=42", "parameter_invalid"),
        ("decline_code=sad", "parameter_invalid"),
        ("created_after=yesterday", "parameter_invalid"),
        ("offset=10", "parameter_unknown"),
        ("limit=1&limit=2", "parameter_duplicate"),
    ] {
        let answer = world.get(&format!("/payments?{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{query}");
    }
}

#[tokio::test]
async fn a_timeline_tells_everything_in_order_and_no_card_number() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let timeline = world.get(&format!("/payments/{id}/timeline")).await;
    let text = String::from_utf8(timeline.bytes).unwrap();
    assert!(!text.contains(GOOD_CARD));
    let kinds: Vec<_> = timeline.body["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    for kind in ["attempt", "message", "state", "event"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let states: Vec<_> = timeline.body["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["kind"] == "state")
        .map(|it| it["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        states,
        [
            "requires_payment_method",
            "requires_payment_method → processing",
            "processing → captured"
        ]
    );
}

#[tokio::test]
async fn the_figures_count_events_and_tell_nothing_about_a_payment() {
    let world = World::start().await;
    let id = world.paid("automatic").await;
    let figures = world.open("/metrics").await;
    let text = String::from_utf8(figures.bytes).unwrap();
    assert!(text.contains("payrig_events_total{type=\"payment.captured\"} 1"), "{text}");
    assert!(!text.contains(&id) && !text.contains("pay_"));
    assert_eq!(world.open("/healthz").await.status, 200);
}
