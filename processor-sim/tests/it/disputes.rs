//! Disputes at the networks: cards that dispute, people who file, clocks and money.

use std::time::Duration;

use serde_json::{Value, json};
use wire::processor_api::Message;

use crate::world::{World, amount, code};

const DAY: Duration = Duration::from_hours(24);

async fn sell_secure(world: &World, alias: &str, value: i64, eci: Option<&str>) -> Message {
    let mut authorization = world.purchase(alias);
    authorization.amount = Some(amount(value));
    if let Some(eci) = eci {
        world.authenticate(&mut authorization).await;
        authorization.threeds.as_mut().unwrap().eci = Some(eci.into());
    }
    assert_eq!(code(&world.send(&authorization).await), "00");
    assert_eq!(code(&world.send(&world.capture(&authorization, value)).await), "00");
    world.advance(DAY).await;
    authorization
}

async fn sell(world: &World, alias: &str, value: i64) -> Message {
    sell_secure(world, alias, value, None).await
}

async fn arn(world: &World) -> String {
    world.get("clearing").await["data"][0]["arn"].as_str().unwrap().to_owned()
}

async fn file(world: &World, body: Value) -> Value {
    let (status, filed) = world.control("POST", "disputes", Some(body)).await;
    assert_eq!(status, 201, "{filed}");
    filed
}

async fn all(world: &World) -> Vec<Value> {
    let mut all = world.get("disputes").await["data"].as_array().unwrap().clone();
    all.reverse();
    all
}

async fn state(world: &World) -> String {
    all(world).await.pop().unwrap()["state"].as_str().unwrap().to_owned()
}

async fn happen(world: &World, event: &str, evidence: Option<&str>) -> (u16, Value) {
    let id = all(world).await.pop().unwrap()["id"].as_str().unwrap().to_owned();
    let body = evidence.map(|text| json!({"evidence": text}));
    world.control("POST", &format!("disputes/{id}/{event}"), body).await
}

async fn balance(world: &World, party: &str, account: &str) -> i64 {
    let ledger = world.get(&format!("ledger/{party}")).await;
    let of = |it: &&Value| it["account"] == account && it["currency"] == "EUR";
    let all = ledger["balances"].as_array().unwrap();
    all.iter().filter(of).map(|it| it["balance"].as_i64().unwrap()).sum()
}

/// What the cardholder owes, and what the acquirer owes the merchant.
async fn money(world: &World) -> (i64, i64) {
    let paid = balance(world, "acquirer", "cash").await;
    let owed = balance(world, "acquirer", "merchant").await;
    let _ = paid;
    (balance(world, "issuer", "cardholder").await, owed)
}

#[actix_web::test]
async fn a_card_that_disputes_opens_its_case_two_days_after_the_posting() {
    let world = World::start().await;
    sell(&world, "dispute.fraud", 10_000).await;
    world.advance(DAY).await;
    assert!(all(&world).await.is_empty());
    world.advance(DAY).await;
    let case = all(&world).await.remove(0);
    assert_eq!((&case["state"], &case["reason"]), (&json!("chargeback"), &json!("10.4")));
    assert_eq!(money(&world).await.0, 0, "the cardholder has the money back");
    let (status, after) = happen(&world, "accept", None).await;
    assert_eq!((status, &after["state"]), (200, &json!("accepted")));
    world.advance(DAY * 3).await;
    assert_eq!(balance(&world, "acquirer", "dispute_fees").await, -1500);
    // 97.10 were paid out; 100.00 and 15.00 are owed now.
    assert_eq!(money(&world).await.1, 11_500);
    world.check_invariants().await;
}

#[actix_web::test]
async fn fraud_after_authentication_is_refused_for_liability_shift() {
    let world = World::start().await;
    sell_secure(&world, "visa.ok", 10_000, Some("05")).await;
    let arn = arn(&world).await;
    let filed = file(&world, json!({"arn": arn, "reason": "10.4"})).await;
    assert_eq!(
        (&filed["state"], &filed["invalid"]),
        (&json!("rejected"), &json!("liability_shift"))
    );
    assert_eq!(money(&world).await.0, 10_000);
    let forced = file(&world, json!({"arn": arn, "reason": "10.4", "force": true})).await;
    assert_eq!(forced["state"], "chargeback");
    world.check_invariants().await;
}

#[actix_web::test]
async fn evidence_before_the_deadline_wins_when_the_issuer_is_silent() {
    let world = World::start().await;
    sell(&world, "visa.ok", 10_000).await;
    file(&world, json!({"arn": arn(&world).await, "reason": "13.1"})).await;
    world.advance(DAY * 29).await;
    let (status, after) = happen(&world, "answer", Some("the parcel was signed for")).await;
    assert_eq!((status, &after["state"]), (200, &json!("represented")));
    assert_eq!(money(&world).await.0, 10_000, "the cardholder is debited again");
    world.advance(DAY * 31).await;
    assert_eq!(state(&world).await, "won");
    world.check_invariants().await;
}

#[actix_web::test]
async fn evidence_after_the_deadline_is_refused() {
    let world = World::start().await;
    sell(&world, "dispute.not_received", 10_000).await;
    world.advance(DAY * 33).await;
    assert_eq!(state(&world).await, "expired");
    assert_eq!(happen(&world, "answer", Some("late")).await.0, 409);
    assert_eq!(money(&world).await.0, 0);
    world.check_invariants().await;
}

#[actix_web::test]
async fn the_words_winning_and_losing_decide_at_once() {
    for (text, expected, owed) in
        [("winning_evidence", "won", 10_000), ("losing_evidence", "lost", 0)]
    {
        for reason in ["10.4", "13.1"] {
            let world = World::start().await;
            sell(&world, "visa.ok", 10_000).await;
            file(&world, json!({"arn": arn(&world).await, "reason": reason})).await;
            happen(&world, "answer", Some(text)).await;
            world.quiet().await;
            assert_eq!(state(&world).await, expected, "{reason} {text}");
            assert_eq!(money(&world).await.0, owed, "{reason} {text}");
            world.check_invariants().await;
        }
    }
}

#[actix_web::test]
async fn a_declined_pre_arbitration_goes_to_the_network_and_costs_the_loser_a_fee() {
    let world = World::start().await;
    sell(&world, "dispute.prearb", 10_000).await;
    world.advance(DAY * 2).await;
    happen(&world, "answer", Some("a receipt")).await;
    world.advance(DAY).await;
    assert_eq!(state(&world).await, "pre_arbitration");
    happen(&world, "answer", Some("we insist")).await;
    assert_eq!(state(&world).await, "arbitration");
    world.advance(DAY * 10).await;
    assert_eq!(state(&world).await, "lost");
    assert_eq!(money(&world).await.0, 0);
    assert_eq!(balance(&world, "acquirer", "dispute_fees").await, -51_500);
    world.check_invariants().await;
}

#[actix_web::test]
async fn some_mastercard_reasons_skip_the_pre_arbitration() {
    let world = World::start().await;
    sell(&world, "mc.ok", 10_000).await;
    let body = json!({"arn": arn(&world).await, "reason": "4808", "story": "insisting"});
    file(&world, body).await;
    happen(&world, "answer", Some("it was authorized")).await;
    world.advance(DAY).await;
    assert_eq!(state(&world).await, "arbitration");
    happen(&world, "rule-for-merchant", None).await;
    assert_eq!(state(&world).await, "won");
    assert_eq!(money(&world).await.0, 10_000);
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_issuer_that_withdraws_gives_the_money_back() {
    let world = World::start().await;
    sell(&world, "dispute.withdrawn", 10_000).await;
    world.advance(DAY * 2).await;
    assert_eq!(state(&world).await, "chargeback");
    world.advance(DAY * 3).await;
    assert_eq!(state(&world).await, "withdrawn");
    assert_eq!(money(&world).await.0, 10_000);
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_inquiry_moves_no_money_unless_nobody_answers() {
    let world = World::start().await;
    sell(&world, "dispute.inquiry", 10_000).await;
    world.advance(DAY * 2).await;
    assert_eq!(state(&world).await, "inquiry");
    assert_eq!(money(&world).await.0, 10_000);
    happen(&world, "answer", Some("winning_evidence")).await;
    world.quiet().await;
    assert_eq!(state(&world).await, "closed");
    let world = World::start().await;
    sell(&world, "dispute.inquiry", 10_000).await;
    world.advance(DAY * 33).await;
    assert_eq!(state(&world).await, "chargeback");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refund_prevents_what_an_alert_warned_of() {
    let world = World::start().await;
    let sold = sell(&world, "dispute.alert", 10_000).await;
    world.advance(DAY * 2).await;
    assert_eq!(state(&world).await, "alert");
    let mut refund = world.refund("dispute.alert", 10_000);
    refund.payment_reference.clone_from(&sold.payment_reference);
    world.send(&refund).await;
    assert_eq!(state(&world).await, "prevented");
    world.advance(DAY * 5).await;
    assert_eq!(money(&world).await.0, 0);
    assert_eq!(balance(&world, "acquirer", "dispute_fees").await, 0);
    world.check_invariants().await;
}

#[actix_web::test]
async fn no_case_takes_more_than_is_left() {
    let world = World::start().await;
    let sold = sell(&world, "dispute.after_refund", 10_000).await;
    let mut refund = world.refund("dispute.after_refund", 10_000);
    refund.payment_reference.clone_from(&sold.payment_reference);
    world.send(&refund).await;
    world.advance(DAY * 3).await;
    let case = all(&world).await.remove(0);
    assert_eq!(
        (&case["state"], &case["invalid"]),
        (&json!("rejected"), &json!("credit_processed"))
    );

    let world = World::start().await;
    sell(&world, "visa.ok", 10_000).await;
    let arn = arn(&world).await;
    let first = file(&world, json!({"arn": arn, "reason": "13.1", "amount": 6000})).await;
    assert_eq!(first["state"], "chargeback");
    let second = file(&world, json!({"arn": arn, "reason": "13.3", "amount": 6000})).await;
    assert_eq!(second["invalid"], "amount_exceeded");
    let again = file(&world, json!({"arn": arn, "reason": "13.1", "amount": 1000})).await;
    assert_eq!(again["invalid"], "duplicate_case");
    assert_eq!(money(&world).await.0, 4000);
    let nobody = file(&world, json!({"arn": "7412345", "reason": "13.1", "amount": 1})).await;
    assert_eq!(nobody["invalid"], "unknown_arn");
    let late = file(&world, json!({"arn": arn, "reason": "13.7"})).await;
    let foreign = file(&world, json!({"arn": arn, "reason": "4853", "amount": 1})).await;
    assert_eq!(foreign["invalid"], "foreign_reason");
    assert_eq!(late["state"], "chargeback", "what is left may be disputed for another reason");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_card_with_several_disputes_has_half_the_amount_in_each() {
    let world = World::start().await;
    sell(&world, "stripe.multiple_disputes", 10_000).await;
    world.advance(DAY * 2).await;
    let amounts: Vec<Value> = all(&world).await.iter().map(|it| it["amount"].clone()).collect();
    assert_eq!(amounts, [5000, 5000]);
    assert_eq!(money(&world).await.0, 0);
    world.check_invariants().await;
}
