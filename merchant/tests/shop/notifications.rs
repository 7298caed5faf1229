//! The webhook receiver: security.md's rules, one test each, and what is accepted all the same.

use serde_json::Value;
use wire::events::{Event, EventType};
use wire::gateway_api::{PaymentStatus, PaymentView};
use wire::ids::{EventId, MerchantId, OrderId, PaymentId};
use wire::money::{Currency, MinorUnits, Money};
use wire::webhook::{WebhookSecret, sign};

use crate::http::Answer;
use crate::world::{START, World, signing_key};

/// A shop with one order whose payment was captured at the gateway, untold.
async fn untold() -> (World, String, PaymentView) {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    let id = world.gateway.only_payment().id;
    world.gateway.submit_card(id);
    let captured = world.gateway.capture(id);
    (world, order, captured)
}

fn captured_event(world: &World, payment: &PaymentView) -> Event {
    world.gateway.event(EventType::PaymentCaptured, payment)
}

fn body(event: &Event) -> Vec<u8> {
    serde_json::to_vec(event).unwrap()
}

async fn assert_unpaid(world: &World, order: &str, what: &str) {
    let read = world.read(order).await;
    assert_eq!(read["status"], "awaiting_payment", "{what}");
    assert_eq!(read["fulfilments"], 0, "{what}");
}

#[actix_web::test]
async fn a_captured_payment_pays_the_order_once() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let answer = world.deliver(&event).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &"applied".into()));
    let read = world.read(&order).await;
    assert_eq!((&read["status"], &read["fulfilments"]), (&"paid".into(), &1.into()));
    assert_eq!(read["amounts"]["captured"], 4999);
    for _ in 0..4 {
        let again = world.deliver(&event).await;
        assert_eq!((again.status, &again.json()["verdict"]), (200, &"duplicate".into()));
    }
    world.check_invariants().await;
}

/// WI1: every header exactly once, of the right form and size.
#[actix_web::test]
async fn headers_that_are_missing_doubled_empty_or_huge_are_refused() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let (id, body) = (event.id.to_string(), body(&event));
    let good = world.signed(&id, &body);
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let send = async |headers: Vec<(&str, &str)>| world.post_webhook(&headers, &body).await;
    let all: Vec<(&str, &str)> = good.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for name in names {
        let without = all.iter().copied().filter(|(it, _)| *it != name).collect::<Vec<_>>();
        let answer = send(without.clone()).await;
        assert_eq!((answer.status, answer.reason()), (401, "header_missing".into()), "{name}");
        let value = all.iter().find(|(it, _)| *it == name).unwrap().1;
        let doubled = [all.clone(), vec![(name, value)]].concat();
        let answer = send(doubled).await;
        assert_eq!((answer.status, answer.reason()), (400, "header_duplicate".into()), "{name}");
        let empty = [without, vec![(name, "")]].concat();
        assert!((400..500).contains(&send(empty).await.status), "{name}");
    }
    let with = |name, value| {
        let mut headers: Vec<_> = all.iter().copied().filter(|(it, _)| *it != name).collect();
        headers.push((name, value));
        headers
    };
    let (long_id, huge, spaced) = ("x".repeat(129), "v1,".repeat(1400), "v1,x ".repeat(17));
    for (headers, reason) in [
        (with("webhook-id", &long_id), "id_malformed"),
        (with("webhook-id", "evt.1"), "id_malformed"),
        (with("webhook-id", "evt 1"), "id_malformed"),
        (with("webhook-signature", &huge), "signature_too_large"),
        (with("webhook-signature", &spaced), "signature_too_large"),
    ] {
        let answer = send(headers).await;
        assert!((400..500).contains(&answer.status), "{reason}");
        assert_eq!(answer.reason(), reason);
    }
    assert_unpaid(&world, &order, "headers").await;
}

#[actix_web::test]
async fn signatures_of_others_of_other_versions_or_over_other_bytes_are_refused() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let (id, body) = (event.id.to_string(), body(&event));
    let now = world.plumbing.clock.now().seconds();
    let good = sign(&[&world.secret()], None, &id, now, &body);
    let other = WebhookSecret::new(&[8; 32]).unwrap();
    let public_as_secret = WebhookSecret::new(&[9; 32]).unwrap();
    let v1 = good.strip_prefix("v1,").unwrap();
    let cases = [
        sign(&[&other], None, &id, now, &body),
        sign(&[&public_as_secret], None, &id, now, &body),
        sign(&[&world.secret()], None, &id, now, b"{}"),
        sign(&[&world.secret()], None, &id, now + 1, &body),
        sign(&[&world.secret()], None, "evt_other", now, &body),
        format!("v0,{v1}"),
        format!("v1a,{v1}"),
        format!("none,{v1}"),
        "v1,".into(),
        format!("v1,{}", &v1[..8]),
        v1.to_owned(),
    ];
    for signature in cases {
        let timestamp = now.to_string();
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        let answer = world.post_webhook(&headers, &body).await;
        assert_eq!(
            (answer.status, answer.reason()),
            (401, "signature_mismatch".into()),
            "{signature}"
        );
    }
    // The source address proves nothing.
    let headers = [("x-forwarded-for", "127.0.0.1"), ("content-type", "application/json")];
    assert_eq!(world.post_webhook(&headers, &body).await.status, 401);
    assert_unpaid(&world, &order, "signatures").await;
}

#[actix_web::test]
async fn one_good_signature_among_others_is_enough_and_either_kind_will_do() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let (id, body) = (event.id.to_string(), body(&event));
    let now = world.plumbing.clock.now().seconds();
    let other = WebhookSecret::new(&[8; 32]).unwrap();
    let nobody: [&WebhookSecret; 0] = [];
    for signature in [
        sign(&[&other, &world.secret()], None, &id, now, &body),
        sign(&[&world.secret(), &other], None, &id, now, &body),
        sign(&nobody, [&signing_key()], &id, now, &body),
        format!("v9,zzz {}", sign(&[&world.secret()], None, &id, now, &body)),
    ] {
        let timestamp = now.to_string();
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        assert_eq!(world.post_webhook(&headers, &body).await.status, 200, "{signature}");
    }
    assert_eq!(world.status(&order).await, "paid");
}

/// WI2: timestamps that are no plain number, or far away.
#[actix_web::test]
async fn odd_and_distant_timestamps_are_refused() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let (id, body) = (event.id.to_string(), body(&event));
    let now = world.plumbing.clock.now().seconds();
    let millis = (now * 1000).to_string();
    for timestamp in [
        "-9223372036854775808",
        "-1",
        "+5",
        "5.0",
        "1e9",
        "0x5",
        "",
        "soon",
        "123456789012345678901234567890",
        millis.as_str(),
    ] {
        let answer = deliver_at(&world, &id, &body, timestamp).await;
        assert!((400..500).contains(&answer.status), "{timestamp}: {}", answer.status);
    }
    for (moved, reason) in [
        (-301, "timestamp_too_old"),
        (-86_400, "timestamp_too_old"),
        (301, "timestamp_too_new"),
        (86_400 * 365, "timestamp_too_new"),
    ] {
        let headers = world.signed_at(&id, &body, now + moved);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = world.post_webhook(&headers, &body).await;
        assert_eq!((answer.status, answer.reason()), (401, reason.into()), "{moved}");
    }
    assert_unpaid(&world, &order, "timestamps").await;
    let headers = world.signed_at(&id, &body, now - 300);
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(world.post_webhook(&headers, &body).await.status, 200, "the edge is inside");
}

/// Signs over the very text of the timestamp, as an attacker with the secret could.
async fn deliver_at(world: &World, id: &str, body: &[u8], timestamp: &str) -> Answer {
    let signature = sign(&[&world.secret()], None, id, 0, body);
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature.as_str()),
    ];
    world.post_webhook(&headers, body).await
}

/// WI3
#[actix_web::test]
async fn thirty_parallel_copies_lead_to_one_fulfilment() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let copies = (0..30).map(|_| world.deliver(&event));
    let answers = futures_util::future::join_all(copies).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let applied = answers.iter().filter(|it| it.json()["verdict"] == "applied").count();
    assert_eq!(applied, 1);
    assert_eq!(world.read(&order).await["fulfilments"], 1);
    world.check_invariants().await;
}

type Spoil<'a> = Box<dyn Fn(&mut Event) + 'a>;

/// WI4: everything that does not fit what was ordered.
#[actix_web::test]
async fn whatever_differs_from_the_order_is_refused_and_changes_nothing() {
    let (world, order, captured) = untold().await;
    let other_order = world.order("tea-42").await;
    let other_payment = world.gateway.newest().id;
    let amount = |value| MinorUnits::new(value).unwrap();
    let money = |value, code| Money::new(amount(value), Currency::parse(code).unwrap());
    let cases: Vec<(&str, Spoil<'_>)> = vec![
        (
            "merchant_mismatch",
            Box::new(|event| event.merchant_id = MerchantId::new(START, [4; 10])),
        ),
        ("mode_mismatch", Box::new(|event| event.livemode = true)),
        ("amount_mismatch", Box::new(|event| event.data.payment.amount = money(4998, "EUR"))),
        ("amount_mismatch", Box::new(|event| event.data.payment.amount = money(49, "EUR"))),
        ("amount_mismatch", Box::new(|event| event.data.payment.amount = money(0, "EUR"))),
        ("currency_mismatch", Box::new(|event| event.data.payment.amount = money(4999, "JPY"))),
        (
            "captured_amount_mismatch",
            Box::new(|event| event.data.payment.amounts.captured = amount(4998)),
        ),
        (
            "captured_amount_mismatch",
            Box::new(|event| event.data.payment.amounts.captured = amount(0)),
        ),
        (
            "refunded_amount_mismatch",
            Box::new(|event| event.data.payment.amounts.refunded = amount(5000)),
        ),
        (
            "payment_mismatch",
            Box::new(|event| event.data.payment.id = PaymentId::new(START, [99; 10])),
        ),
        ("payment_mismatch", Box::new(|event| event.data.payment.id = other_payment)),
        (
            "status_mismatch",
            Box::new(|event| event.data.payment.status = PaymentStatus::Processing),
        ),
        (
            "status_mismatch",
            Box::new(|event| event.data.payment.status = PaymentStatus::Authorized),
        ),
        (
            "status_mismatch",
            Box::new(|event| event.data.payment.status = PaymentStatus::RequiresPaymentMethod),
        ),
        ("object_mismatch", Box::new(|event| event.data.payment.object = "transfer".into())),
    ];
    for (reason, spoil) in cases {
        let mut event = captured_event(&world, &captured);
        spoil(&mut event);
        let answer = world.deliver(&event).await;
        assert_eq!((answer.status, answer.reason()), (422, reason.into()));
        assert_unpaid(&world, &order, reason).await;
        // Told again, it is refused again: it never becomes a duplicate that was "taken".
        assert_eq!(world.deliver(&event).await.reason(), reason);
    }
    // One payment for two orders (B19).
    let mut event = captured_event(&world, &captured);
    event.data.payment.order_reference.clone_from(&other_order);
    assert_eq!(world.deliver(&event).await.reason(), "payment_mismatch");
    assert_unpaid(&world, &other_order, "another order's payment").await;
    // After all of that the honest event still works.
    assert_eq!(world.deliver(&captured_event(&world, &captured)).await.status, 200);
    assert_eq!(world.status(&order).await, "paid");
    world.check_invariants().await;
}

#[actix_web::test]
async fn no_status_but_captured_fulfils_an_order() {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    let payment = world.gateway.only_payment();
    let types = [
        (EventType::PaymentCreated, PaymentStatus::RequiresPaymentMethod, "awaiting_payment"),
        (EventType::PaymentRequiresAction, PaymentStatus::RequiresAction, "awaiting_payment"),
        (EventType::PaymentProcessing, PaymentStatus::Processing, "checking"),
        (EventType::PaymentAuthorized, PaymentStatus::Authorized, "checking"),
        (EventType::PaymentPartiallyCaptured, PaymentStatus::PartiallyCaptured, "checking"),
    ];
    for (event_type, status, expected) in types {
        let view = PaymentView { status, ..payment.clone() };
        assert_eq!(world.deliver(&world.gateway.event(event_type, &view)).await.status, 200);
        let read = world.read(&order).await;
        assert_eq!((&read["status"], &read["fulfilments"]), (&expected.into(), &0.into()));
    }
}

#[actix_web::test]
async fn unknown_types_fields_and_orders_are_recorded_without_effect() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let mut raw: Value = serde_json::to_value(&event).unwrap();
    raw["type"] = "payment.teleported".into();
    let answer = world.deliver_body(&event.id.to_string(), raw.to_string().as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &"unknown_type".into()));
    for reference in ["bench-17", &OrderId::new(START, [77; 10]).to_string()] {
        let mut event = captured_event(&world, &captured);
        event.data.payment.order_reference = reference.to_owned();
        let answer = world.deliver(&event).await;
        assert_eq!((answer.status, &answer.json()["verdict"]), (200, &"unknown_order".into()));
    }
    assert_unpaid(&world, &order, "unknown").await;
    // An unknown field is no fault, and neither are odd but valid bytes (B05).
    let event = captured_event(&world, &captured);
    let mut raw: Value = serde_json::to_value(&event).unwrap();
    raw["colour"] = "é \u{1F375}".into();
    raw["data"]["payment"]["new_thing"] = serde_json::json!({"nested": [1, 2, {"x": null}]});
    let odd = format!("\r\n  {}  \n", serde_json::to_string_pretty(&raw).unwrap());
    let odd = odd.replace("é", "\\u00e9");
    let answer = world.deliver_body(&event.id.to_string(), odd.as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &"applied".into()));
    assert_eq!(world.status(&order).await, "paid");
}

#[actix_web::test]
async fn bodies_that_are_no_notification_are_refused_and_the_shop_lives_on() {
    let (world, order, captured) = untold().await;
    let event = captured_event(&world, &captured);
    let id = event.id.to_string();
    let text = String::from_utf8(body(&event)).unwrap();
    let deep =
        format!("{{\"id\":\"{id}\",\"type\":\"payment.captured\",\"x\":{}", "[".repeat(30_000));
    let two_amounts = text.replacen(
        "\"amount\":",
        "\"amount\":{\"value\":1,\"currency\":\"EUR\"},\"amount\":",
        1,
    );
    for odd in [
        "",
        "null",
        "[]",
        "{}",
        "not json",
        &text[..text.len() / 2],
        &deep,
        &two_amounts,
        &text.replace("4999", "4999.0"),
        &text.replace("4999", "-4999"),
        &text.replace("4999", "\"4999\""),
        &text.replace("4999", "9223372036854775808"),
        &text.replace("4999", "4.999e3"),
    ] {
        let answer = world.deliver_body(&id, odd.as_bytes()).await;
        assert_eq!(answer.status, 400, "{}", &odd[..odd.len().min(60)]);
    }
    let huge = vec![b' '; 70_000];
    assert_eq!(world.deliver_body(&id, &huge).await.status, 413);
    let headers = [("content-encoding", "gzip")];
    assert_eq!(world.post_webhook(&headers, text.as_bytes()).await.status, 415);
    let other = EventId::new(START, [50; 10]).to_string();
    let shifted = world.deliver_body(&other, text.as_bytes()).await;
    assert_eq!((shifted.status, shifted.reason()), (400, "event_id_mismatch".into()));
    assert_unpaid(&world, &order, "odd bodies").await;
    assert_eq!(world.deliver(&event).await.status, 200);
}

/// B13: all permutations of a life end in the same state.
#[actix_web::test]
async fn events_in_every_order_end_in_the_same_state() {
    let orders: Vec<[usize; 4]> = (0..4_usize.pow(4))
        .map(|n| [n % 4, n / 4 % 4, n / 16 % 4, n / 64])
        .filter(|it| (0..4).all(|step| it.contains(&step)))
        .collect();
    assert_eq!(orders.len(), 24);
    let world = World::start().await;
    for permutation in orders {
        let order = world.order("tea-42").await;
        let id = world.gateway.newest().id;
        let created = world.gateway.event(EventType::PaymentCreated, &world.gateway.newest());
        let submitted = world.gateway.submit_card(id);
        let processing = world.gateway.event(EventType::PaymentProcessing, &submitted);
        let taken = world.gateway.capture(id);
        let captured = captured_event(&world, &taken);
        let mut back = taken.clone();
        back.amounts.refunded = MinorUnits::new(1000).unwrap();
        let refunded = world.gateway.event(EventType::RefundSucceeded, &back);
        let life = [created, processing, captured, refunded];
        for step in permutation {
            assert_eq!(world.deliver(&life[step]).await.status, 200);
        }
        let read = world.read(&order).await;
        assert_eq!(read["status"], "partially_refunded", "{permutation:?}");
        assert_eq!(read["fulfilments"], 1);
        assert_eq!(read["attention"], Value::Null);
    }
    world.check_invariants().await;
}

#[actix_web::test]
async fn money_for_a_canceled_order_is_flagged_and_not_shipped() {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    assert_eq!(world.api("POST", &format!("/api/orders/{order}/cancel"), None).await.status, 200);
    let captured = world.gateway.capture(world.gateway.only_payment().id);
    let answer = world.deliver(&captured_event(&world, &captured)).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &"flagged".into()));
    let read = world.read(&order).await;
    assert_eq!((&read["status"], &read["fulfilments"]), (&"canceled".into(), &0.into()));
    assert_eq!(read["attention"], "paid_after_cancel");
    world.check_invariants().await;
}

/// B21: nothing that the gateway can say leads into a loop of 5xx.
#[actix_web::test]
async fn a_payment_that_ended_does_not_open_again() {
    let world = World::start().await;
    let order = world.order("tea-42").await;
    let first = world.gateway.only_payment().id;
    world.gateway.submit_card(first);
    let failed = world.gateway.end(first, PaymentStatus::Failed, Some("generic_decline"));
    let event = world.gateway.event(EventType::PaymentFailed, &failed);
    assert_eq!(world.deliver(&event).await.status, 200);
    let again = world.api("POST", &format!("/api/orders/{order}/payments"), None).await;
    assert_eq!(again.status, 201);
    let reopened = PaymentView { status: PaymentStatus::Processing, ..failed };
    let event = world.gateway.event(EventType::PaymentProcessing, &reopened);
    let answer = world.deliver(&event).await;
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &"stale".into()));
    assert_eq!(world.status(&order).await, "awaiting_payment");
    let captured = world.gateway.capture(first);
    let answer = world.deliver(&captured_event(&world, &captured)).await;
    assert_eq!(answer.json()["verdict"], "flagged", "money by a replaced payment");
    assert_eq!(world.read(&order).await["fulfilments"], 0);
    world.check_invariants().await;
}

/// WI5: what was committed before the answer was lost is not done again after a restart.
#[actix_web::test]
async fn after_a_crash_a_repeated_event_is_a_duplicate() {
    let directory = std::env::temp_dir().join(format!("shop-crash-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let change = crate::world::Change {
        database: kit::sqlite::Location::File(directory.join("merchant.db")),
        refund_alone_max: None,
    };
    let mut world = World::start_with(change).await;
    let change = crate::world::Change {
        database: kit::sqlite::Location::File(directory.join("merchant.db")),
        refund_alone_max: None,
    };
    let order = world.order("tea-42").await;
    let captured = world.gateway.capture(world.gateway.only_payment().id);
    let event = captured_event(&world, &captured);
    assert_eq!(world.deliver(&event).await.json()["verdict"], "applied");
    world.restart(&change).await;
    assert_eq!(world.deliver(&event).await.json()["verdict"], "duplicate");
    assert_eq!(world.read(&order).await["fulfilments"], 1);
    world.check_invariants().await;
    std::fs::remove_dir_all(directory).unwrap();
}

/// B14: the event is there before the API's answer that names the payment.
#[actix_web::test]
async fn an_event_before_the_answer_of_the_api_pays_the_order() {
    let world = World::start().await;
    // Done at the gateway, while the shop hears only errors.
    for _ in 0..5 {
        world.gateway.trick("/api/payments", crate::gateway::Trick::DoAndFail);
    }
    let mut placing = std::pin::pin!(world.api(
        "POST",
        "/api/orders",
        Some(serde_json::json!({"sku": "tea-42"}))
    ));
    let placed = loop {
        tokio::select! {
            answer = &mut placing => break answer.json(),
            () = world.tick() => {}
        }
    };
    assert_eq!(placed["payments"][0]["id"], Value::Null);
    let captured = world.gateway.capture(world.gateway.only_payment().id);
    assert_eq!(world.deliver(&captured_event(&world, &captured)).await.status, 200);
    assert_eq!(world.status(placed["id"].as_str().unwrap()).await, "paid");
    world.check_invariants().await;
}
