//! Messages that are not taken as they are, each refused with its own code and without effect.

use serde_json::json;
use wire::card::{CardNumber, SecurityCode};
use wire::processor_api::Mti;

use crate::world::{World, amount, code, note, source};

#[actix_web::test]
async fn format_errors_are_answered_30_and_amounts_13() {
    let world = World::start().await;
    let body = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = serde_json::to_value(world.purchase("visa.ok")).unwrap();
        change(&mut value);
        serde_json::to_vec(&value).unwrap()
    };
    for (expected, bytes) in [
        ("30", body(&|it| it["surprise"] = json!(1))),
        ("30", body(&|it| it["currency"] = json!("ZZZ"))),
        ("30", body(&|it| it["pan"] = json!("4242424242424241"))),
        ("30", body(&|it| it["rrn"] = json!("12"))),
        ("30", body(&|it| it["stan"] = json!("12"))),
        ("30", body(&|it| it["mcc"] = json!("57"))),
        ("30", body(&|it| it["expiry"] = json!("1330"))),
        ("30", body(&|it| drop(it.as_object_mut().unwrap().remove("amount")))),
        ("30", body(&|it| drop(it.as_object_mut().unwrap().remove("pan")))),
        ("30", body(&|it| drop(it.as_object_mut().unwrap().remove("card_acceptor_id")))),
        ("30", body(&|it| it["sandbox"] = json!({ "outcome": "rc:25" }))),
        ("30", body(&|it| it["sandbox"] = json!({ "outcome": "card:nobody" }))),
        ("12", body(&|it| it["processing_code"] = json!("010000"))),
        ("13", body(&|it| it["amount"] = json!(0))),
        ("13", body(&|it| it["amount"] = json!(-5))),
    ] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let reply = world.try_send_bytes(bytes).await.unwrap();
        assert_eq!(reply.status, 200, "{text}");
        let answer = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(code(&answer), expected, "{text}");
        assert_ne!(note(&answer), "", "{text}");
    }
    assert_eq!(world.ladder("processor->network").await, Vec::<String>::new());
    for bytes in ["{", "[]", "{\"mti\":\"0100\"}", "{\"mti\":\"0110\",\"stan\":\"000001\"}"] {
        let reply = world.try_send_bytes(bytes.as_bytes().to_vec()).await.unwrap();
        assert_eq!(reply.status, 400, "{bytes}");
    }
}

#[actix_web::test]
async fn a_blocked_merchant_gets_03_and_a_category_that_is_not_enabled_58() {
    let world = World::start().await;
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "00");
    let change = async |body| {
        let (status, answer) =
            world.control("PATCH", "merchants/MERCH0000000001", Some(body)).await;
        assert_eq!(status, 200, "{answer}");
    };
    change(json!({ "blocked": true })).await;
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "03");
    change(json!({ "blocked": false, "categories": ["5812", "7011"] })).await;
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "58");
    change(json!({ "categories": null })).await;
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "00");
}

#[actix_web::test]
async fn unissued_numbers_get_14_and_numbers_outside_the_sandbox_15() {
    let world = World::start().await;
    let unissued = CardNumber::parse("4000010099999998").unwrap();
    let answer = world.send(&world.purchase_with(unissued, None)).await;
    assert_eq!((code(&answer), source(&answer)), ("14".into(), "account".into()));
    let outside = CardNumber::parse("4242424242424259").unwrap();
    assert_eq!(code(&world.send(&world.purchase_with(outside, None)).await), "15");
    let stored = world.get("cards").await.to_string();
    assert!(!stored.contains("4242424242424259"));
    world.check_invariants().await;
}

#[actix_web::test]
async fn the_issuer_checks_date_and_security_code() {
    let world = World::start().await;
    let mut past = world.purchase("visa.ok");
    past.expiry = Some("2610".into());
    assert_eq!(code(&world.send(&past).await), "54");
    let mut this_month = world.purchase("visa.ok");
    this_month.expiry = Some("2611".into());
    assert_eq!(code(&world.send(&this_month).await), "00");
    for (alias, wrong, expected) in
        [("visa.ok", "124", "N7"), ("mc.ok", "124", "89"), ("amex.ok", "1235", "N7")]
    {
        let mut message = world.purchase(alias);
        let brand = message.pan.as_ref().unwrap().brand();
        message.cvv = Some(SecurityCode::parse(wrong, brand).unwrap());
        let answer = world.send(&message).await;
        assert_eq!(code(&answer), expected, "{alias}");
        assert_eq!(answer.additional.unwrap().cvv_result.as_deref(), Some("N"));
    }
    let mut without = world.purchase("visa.ok");
    without.cvv = None;
    let answer = world.send(&without).await;
    assert_eq!(code(&answer), "00");
    assert_eq!(answer.additional.unwrap().cvv_result.as_deref(), Some("P"));
    let card = world.get("cards/visa.ok").await;
    assert_eq!(card["wrong_codes"], json!(1));
}

#[actix_web::test]
async fn an_amount_above_the_limit_of_a_million_gets_51() {
    let world = World::start().await;
    let mut large = world.purchase("visa.ok");
    large.amount = Some(amount(100_000_001));
    let answer = world.send(&large).await;
    assert_eq!((code(&answer), source(&answer)), ("51".into(), "account".into()));
    let mut limit = world.purchase("visa.ok");
    limit.amount = Some(amount(100_000_000));
    assert_eq!(code(&world.send(&limit).await), "00");
    // The account pays its debt by itself, so that it never runs dry.
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "00");
    world.check_invariants().await;
    let ledger = world.get("ledger/aurora").await;
    let paid = ledger["postings"].as_array().unwrap().iter().any(|it| it["reason"] == "debt_paid");
    assert!(paid, "{ledger}");
}

#[actix_web::test]
async fn a_verification_of_nothing_is_answered_85() {
    let world = World::start().await;
    let mut message = world.purchase("visa.ok");
    message.amount = Some(amount(0));
    message.function_code = Some("113".into());
    let answer = world.send(&message).await;
    assert_eq!(code(&answer), "85");
    assert!(answer.auth_code.is_some());
    let card = world.get("cards/visa.ok").await;
    assert_eq!(card["verifications"], json!(1));
    assert_eq!(world.held("visa.ok").await, 0);
    let attached = world.purchase("stripe.decline_after_attach");
    let mut verification = attached.clone();
    verification.stan = "900001".into();
    verification.rrn = Some("632610900001".into());
    verification.amount = Some(amount(0));
    verification.function_code = Some("113".into());
    assert_eq!(code(&world.send(&verification).await), "85");
    assert_eq!(code(&world.send(&attached).await), "05");
    world.check_invariants().await;
}

#[actix_web::test]
async fn network_management_is_acknowledged() {
    let world = World::start().await;
    for (function, expected) in [("831", "00"), ("801", "00"), ("999", "30")] {
        let mut message = world.message(Mti::NetworkRequest);
        message.function_code = Some(function.into());
        let answer = world.send(&message).await;
        assert_eq!((answer.mti, code(&answer)), (Mti::NetworkAnswer, expected.into()));
    }
}

#[actix_web::test]
async fn an_unsigned_or_wrongly_signed_message_is_refused() {
    let world = World::start().await;
    for damage in ["corrupt_signature", "wrong_key"] {
        world
            .gateway
            .faults
            .arm(vec![
                serde_json::from_value(json!({
                    "on": "gateway->processor", "times": 1, "do": damage
                }))
                .unwrap(),
            ])
            .unwrap();
        let reply = world.try_send(&world.purchase("visa.ok")).await;
        assert!(reply.is_ok_and(|reply| reply.status == 401), "{damage}");
    }
    assert_eq!(world.ladder("processor->network").await, Vec::<String>::new());
}
