//! Disputes seen from all three sides: cardholder's bank, gateway, shop.

use payrig_tests::world::World;
use serde_json::{Value, json};

const FRAUD: &str = "4000010060010007";
const VISA: &str = "4242424242424242";

async fn disputes(world: &World) -> Vec<Value> {
    let answer = world.api("shop").get("/disputes").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].as_array().unwrap().clone()
}

async fn open(world: &World, payment: &Value, reason: &str) -> Value {
    let answer = world.sandbox("processor-sim", "GET", "/clearing", Value::Null).await.json();
    let records = answer["data"].as_array().unwrap().clone();
    let record = records.iter().find(|it| it["payment"] == payment["id"]).unwrap();
    let body = json!({"arn": record["arn"], "reason": reason});
    let filed = world.sandbox("processor-sim", "POST", "/disputes", body).await;
    assert_eq!(filed.status, 201, "{}", filed.text());
    world.settle().await;
    filed.json()
}

async fn read(world: &World, payment: &Value) -> Value {
    let id = payment["id"].as_str().unwrap();
    world.api("shop").get(&format!("/payments/{id}")).await.json()
}

async fn event_types(world: &World, payment: &Value) -> Vec<String> {
    let id = payment["id"].as_str().unwrap();
    let listed = world.api("shop").get(&format!("/events?payment={id}&limit=100")).await.json();
    let mut types: Vec<String> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .filter(|kind| kind.starts_with("dispute"))
        .collect();
    types.reverse();
    types
}

#[actix_web::test]
async fn a_card_that_disputes_tells_the_merchant_who_accepts() {
    let world = World::start().await;
    let payment = world.pay(FRAUD, 10_000, "EUR").await;
    world.advance("4d").await;
    let dispute = disputes(&world).await.remove(0);
    assert_eq!(dispute["status"], "chargeback");
    assert_eq!(
        (&dispute["reason"], &dispute["network_reason_code"]),
        (&json!("fraudulent"), &json!("10.4"))
    );
    assert_eq!(dispute["payment"], payment["id"]);
    assert!(dispute["due_by"].is_string());
    assert_eq!(read(&world, &payment).await["amounts"]["charged_back"], 10_000);

    let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    let refund = world.api("shop").post(&path, json!({})).await;
    assert_eq!((refund.status, refund.json()["code"].clone()), (409, json!("disputed")));

    let path = format!("/disputes/{}/accept", dispute["id"].as_str().unwrap());
    let accepted = world.api("shop").post(&path, json!({})).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    assert_eq!(accepted.json()["status"], "accepted");
    let again = world.api("shop").post(&path, json!({})).await;
    assert_eq!((again.status, again.json()["status"].clone()), (200, json!("accepted")));
    assert_eq!(event_types(&world, &payment).await, ["dispute.opened", "dispute.closed"]);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn winning_and_losing_evidence_decide() {
    let world = World::start().await;
    for (evidence, status, back) in
        [("winning_evidence", "won", 0), ("losing_evidence", "lost", 5000)]
    {
        let payment = world.pay(VISA, 5000, "EUR").await;
        world.advance("1d").await;
        open(&world, &payment, "13.1").await;
        let dispute = disputes(&world).await.remove(0);
        let path = format!("/disputes/{}/evidence", dispute["id"].as_str().unwrap());
        let empty = world.api("shop").post(&path, json!({"evidence": " "})).await;
        assert_eq!((empty.status, empty.json()["param"].clone()), (400, json!("evidence")));
        let leak = json!({"evidence": "paid with 4242 4242 4242 4242"});
        let refused = world.api("shop").post(&path, leak).await;
        assert_eq!(refused.json()["code"], "card_number_not_allowed_here");
        let sent = world.api("shop").post(&path, json!({"evidence": evidence})).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        world.settle().await;
        let dispute = disputes(&world).await.remove(0);
        assert_eq!(dispute["status"], status);
        assert_eq!(read(&world, &payment).await["amounts"]["charged_back"], back);
        let late = world.api("shop").post(&path, json!({"evidence": "more"})).await;
        assert_eq!(
            (late.status, late.json()["code"].clone()),
            (409, json!("dispute_state_refused"))
        );
        let types = event_types(&world, &payment).await;
        assert_eq!(
            (types.first(), types.last()),
            (Some(&"dispute.opened".to_owned()), Some(&"dispute.closed".to_owned()))
        );
    }
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_refund_answers_an_alert() {
    let world = World::start().await;
    let payment = world.pay("4000010060060002", 5000, "EUR").await;
    world.advance("4d").await;
    assert_eq!(disputes(&world).await[0]["status"], "alert");
    let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    let refund = world.api("shop").post(&path, json!({})).await;
    assert_eq!(refund.status, 201, "{}", refund.text());
    world.settle().await;
    assert_eq!(disputes(&world).await[0]["status"], "prevented");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_notice_that_is_lost_is_sent_again_and_one_that_comes_twice_changes_nothing() {
    let world = World::start().await;
    let payment = world.pay(VISA, 5000, "EUR").await;
    world.advance("1d").await;
    let fault = json!({"on": "processor->gateway", "match": {"type": "chargeback"}, "times": 1,
        "do": "drop_response"});
    world.fault("processor-sim", fault).await;
    open(&world, &payment, "13.1").await;
    world.advance("2m").await;
    assert_eq!(disputes(&world).await.len(), 1);
    assert_eq!(event_types(&world, &payment).await, ["dispute.opened"]);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn somebody_elses_dispute_is_not_found() {
    let world = World::start().await;
    let answer = world.api("shop").get("/disputes/dsp_00000000000000000000000000").await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!("dispute_not_found")));
    let answer = world.api("shop").get("/settlements/set_00000000000000000000000000").await;
    assert_eq!(
        (answer.status, answer.json()["code"].clone()),
        (404, json!("settlement_not_found"))
    );
}

#[actix_web::test]
async fn the_shop_answers_a_dispute_in_its_back_office() {
    let world = World::start().await;
    let payment = world.pay("4000010060020006", 5000, "EUR").await;
    world.advance("4d").await;
    let mut grace = world.colleague("grace").await;
    let list = grace.open(&format!("{}/office/disputes", world.shop)).await;
    assert_eq!(list.attribute("dispute", "data-status").as_deref(), Some("chargeback"));
    let id = disputes(&world).await[0]["id"].as_str().unwrap().to_owned();
    let url = format!("{}/office/disputes/{id}", world.shop);
    let page = grace.open(&url).await;
    assert_eq!(page.text("money"), "the cardholder");
    assert!(page.text("payment").contains(payment["id"].as_str().unwrap()));
    let sent = grace.fill(&page, "submit-evidence", &[("evidence", "winning_evidence")]).await;
    assert_eq!(sent.text("notice"), "The answer was sent", "{}", sent.html);
    world.settle().await;
    let page = grace.open(&url).await;
    assert_eq!(page.attribute("status", "data-status").as_deref(), Some("won"));
    assert_eq!(page.text("money"), "the shop");
    assert_eq!(page.text("evidence-given"), "winning_evidence");
    assert!(page.has("nothing-to-do"));

    let payment = world.pay(FRAUD, 5000, "EUR").await;
    world.advance("4d").await;
    let id = disputes(&world).await[0]["id"].as_str().unwrap().to_owned();
    let url = format!("{}/office/disputes/{id}", world.shop);
    let mut grace = world.colleague("grace").await;
    let page = grace.open(&url).await;
    let accepted = grace.fill(&page, "accept-form", &[]).await;
    assert_eq!(accepted.attribute("status", "data-status").as_deref(), Some("accepted"));
    assert_eq!(read(&world, &payment).await["amounts"]["charged_back"], 5000);
    world.assert_invariants().await;
}
