//! Which rule decides: header, cardholder name, card, amount, account.

use serde_json::json;
use wire::processor_api::SandboxData;

use crate::world::{World, amount, code, source};

fn wish(outcome: &str) -> SandboxData {
    SandboxData { outcome: Some(outcome.into()), ..SandboxData::default() }
}

#[actix_web::test]
async fn a_wish_in_the_request_decides_before_everything_else() {
    let world = World::start().await;
    for (alias, outcome, expected) in [
        ("visa.ok", "rc:51", "51"),
        ("visa.stolen", "rc:00", "00"),
        ("visa.ok", "card:visa.stolen", "43"),
        ("visa.ok", "rc:91", "91"),
        ("visa.ok", "rc:15", "15"),
        ("visa.ok", "rc:N0", "00"),
        ("visa.ok", "card:verif.partial60", "10"),
    ] {
        let mut message = world.purchase(alias);
        message.sandbox = Some(wish(outcome));
        let answer = world.send(&message).await;
        assert_eq!(code(&answer), expected, "{outcome}");
        assert_eq!(source(&answer), "header", "{outcome}");
    }
    world.advance(std::time::Duration::from_secs(1)).await;
    world.check_invariants().await;
}

#[actix_web::test]
async fn names_and_amounts_decide_only_where_the_merchant_wants_it() {
    let world = World::start().await;
    let pay = async |name: Option<&str>, value: i64, alias: &str| {
        let mut message = world.purchase(alias);
        message.cardholder_name = name.map(str::to_owned);
        message.amount = Some(amount(value));
        let answer = world.send(&message).await;
        format!("{} {}", code(&answer), source(&answer))
    };
    assert_eq!(pay(Some("INSUFFICIENT_FUNDS"), 1051, "visa.ok").await, "00 default");
    let body = json!({ "triggers": ["holder_name", "amount"] });
    world.control("PATCH", "merchants/MERCH0000000001", Some(body)).await;
    assert_eq!(pay(Some("STOLEN_CARD"), 1051, "visa.ok").await, "43 holder_name");
    assert_eq!(pay(Some("Ada Example"), 1051, "visa.ok").await, "51 amount");
    assert_eq!(pay(None, 1051, "visa.lost").await, "41 card");
    assert_eq!(pay(None, 1000, "visa.ok").await, "00 default");
}

#[actix_web::test]
async fn the_answer_names_its_source_in_a_header_too() {
    let world = World::start().await;
    let reply = world.try_send(&world.purchase("visa.insufficient_funds")).await.unwrap();
    assert_eq!(reply.header("payrig-outcome-source"), Some("card"));
}

#[actix_web::test]
async fn c14_the_same_trace_number_on_another_day_is_another_request() {
    let world = World::start().await;
    let first = world.purchase("visa.ok");
    assert_eq!(code(&world.send(&first).await), "00");
    world.advance(std::time::Duration::from_hours(24)).await;
    let mut second = world.purchase("visa.ok");
    second.stan.clone_from(&first.stan);
    assert_eq!(code(&world.send(&second).await), "00");
    assert_eq!(world.held("visa.ok").await, 2 * 4999, "two holds");
    world.check_invariants().await;
}
