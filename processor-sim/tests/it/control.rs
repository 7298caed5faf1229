//! The control plane: cards, accounts, banks, ledgers.

use serde_json::{Value, json};
use wire::card::{CardNumber, SecurityCode};

use crate::world::{World, amount, code, source};

#[actix_web::test]
async fn a_card_can_be_issued_used_blocked_and_restored() {
    let world = World::start().await;
    let body = json!({ "brand": "amex", "kind": "debit", "whole_units": 60 });
    let (status, card) = world.control("POST", "cards", Some(body)).await;
    assert_eq!(status, 201, "{card}");
    let number = CardNumber::parse(card["number"].as_str().unwrap()).unwrap();
    assert_eq!(number.bin8(), "37000100");
    let pay = async |value: i64| {
        let brand = number.brand();
        let code_given = SecurityCode::parse("1234", brand).ok();
        let mut message = world.purchase_with(number.clone(), code_given);
        message.amount = Some(amount(value));
        code(&world.send(&message).await)
    };
    assert_eq!(pay(4000).await, "00");
    assert_eq!(pay(4000).await, "51");
    let path = format!("cards/{}", card["id"].as_str().unwrap());
    let change = async |body: Value| world.control("PATCH", &path, Some(body)).await;
    change(json!({ "available": { "value": 9000, "currency": "EUR" } })).await;
    assert_eq!(pay(4000).await, "00");
    change(json!({ "status": "blocked_temp" })).await;
    assert_eq!(pay(1).await, "78");
    change(json!({ "status": "active", "daily_count": 2 })).await;
    assert_eq!(pay(1).await, "00");
    assert_eq!(pay(1).await, "00");
    assert_eq!(pay(1).await, "65");
    change(json!({ "daily_count": null, "daily_amount": 100 })).await;
    assert_eq!(pay(101).await, "61");
    change(json!({ "daily_amount": null, "blocked_categories": ["5732"] })).await;
    assert_eq!(pay(1).await, "57");
    change(json!({ "blocked_categories": [], "suspected_fraud": true })).await;
    assert_eq!(pay(1).await, "59");
    change(json!({ "suspected_fraud": false, "status": "lost" })).await;
    assert_eq!(pay(1).await, "41");
    let (status, problem) = change(json!({ "status": "active" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("card_status_refused")));
    change(json!({ "restore": true })).await;
    assert_eq!(pay(1).await, "00");
    world.check_invariants().await;
}

#[actix_web::test]
async fn the_count_of_a_day_begins_anew_at_local_midnight() {
    let world = World::start().await;
    world.control("PATCH", "cards/visa.ok", Some(json!({ "daily_count": 1 }))).await;
    let pay = async || code(&world.send(&world.purchase("visa.ok")).await);
    assert_eq!([pay().await, pay().await], ["00", "65"]);
    world.advance(std::time::Duration::from_hours(13)).await;
    assert_eq!(pay().await, "00", "it is past midnight in France");
}

#[actix_web::test]
async fn changing_a_card_of_the_catalogue_is_the_accounts_doing() {
    let world = World::start().await;
    let (status, card) =
        world.control("PATCH", "cards/stripe.visa", Some(json!({ "status": "stolen" }))).await;
    assert_eq!(status, 200, "{card}");
    assert_eq!(card["number"], Value::Null, "numbers of the catalogue stay in the catalogue");
    let answer = world.send(&world.purchase("stripe.visa")).await;
    assert_eq!((code(&answer), source(&answer)), ("43".into(), "account".into()));
    world.control("PATCH", "cards/stripe.visa", Some(json!({ "restore": true }))).await;
    let body = json!({ "available": { "value": 100, "currency": "EUR" } });
    world.control("PATCH", "cards/stripe.visa", Some(body)).await;
    assert_eq!(code(&world.send(&world.purchase("stripe.visa")).await), "51");
    world.control("PATCH", "cards/stripe.visa", Some(json!({ "restore": true }))).await;
    assert_eq!(code(&world.send(&world.purchase("stripe.visa")).await), "00");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_second_card_draws_on_the_same_account() {
    let world = World::start().await;
    let (_, first) = world.control("POST", "cards", Some(json!({ "whole_units": 10 }))).await;
    let account = first["account"]["id"].clone();
    let body = json!({ "account": account, "expiry": "12/28" });
    let (status, second) = world.control("POST", "cards", Some(body)).await;
    assert_eq!(status, 201, "{second}");
    let pay = async |card: &Value, expiry: &str| {
        let number = CardNumber::parse(card["number"].as_str().unwrap()).unwrap();
        let mut message = world.purchase_with(number, None);
        message.amount = Some(amount(600));
        message.expiry = Some(expiry.into());
        code(&world.send(&message).await)
    };
    assert_eq!(pay(&second, "2812").await, "00");
    assert_eq!(pay(&second, "2912").await, "54", "its own date only");
    assert_eq!(pay(&first, "2912").await, "51");
    world.check_invariants().await;
}

#[actix_web::test]
async fn banks_and_ledgers_can_be_looked_at() {
    let world = World::start().await;
    let issuers = world.get("issuers").await;
    assert_eq!(issuers["data"].as_array().unwrap().len(), 6);
    assert!(!issuers.to_string().contains("false"), "everybody has signed on: {issuers}");
    world.send(&world.purchase("visa.ok")).await;
    for party in ["issuer", "network", "acquirer", "aurora", "visa"] {
        let ledger = world.get(&format!("ledger/{party}")).await;
        let sum: i64 = ledger["balances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["balance"].as_i64().unwrap())
            .sum();
        assert_eq!(sum, 0, "{party}");
    }
    let (status, _) = world.control("GET", "ledger/nobody", None).await;
    assert_eq!(status, 404);
    let (status, _) = world.control("POST", "issuers/nobody/sign-off", None).await;
    assert_eq!(status, 404);
}

#[actix_web::test]
async fn no_number_stands_in_the_wire_log() {
    let world = World::start().await;
    world.stepping(world.send(&world.purchase("slow.stip"))).await;
    world.advance(std::time::Duration::from_secs(5)).await;
    let log = world.get("wire").await.to_string();
    assert!(!log.contains("4000010040010002"));
    assert!(log.contains("400001"));
}

#[actix_web::test]
async fn the_page_shows_banks_and_ledgers() {
    let world = World::start().await;
    world.send(&world.purchase("visa.ok")).await;
    world.control("POST", "issuers/dahlia/sign-off", None).await;
    let page = world.page("/").await;
    for text in ["Aurora Bank", "JCB: signed off", "Visa: signed on", "€49.99"] {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert!(!page.contains("4000010000000001"));
}

#[actix_web::test]
async fn a_number_in_the_wrong_field_is_not_repeated() {
    let world = World::start().await;
    let mut value = serde_json::to_value(world.purchase("visa.ok")).unwrap();
    value["amount"] = json!("4242424242424242");
    let reply = world.try_send_bytes(serde_json::to_vec(&value).unwrap()).await.unwrap();
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(text.contains("\"30\"") && !text.contains("4242424242424242"), "{text}");
}
