//! Settlement reports at the gateway, and what the shop makes of them.

use payrig_tests::payer::CardTyped;
use payrig_tests::world::World;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";

async fn settlements(world: &World) -> Vec<Value> {
    let answer = world.api("shop").get("/settlements").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].as_array().unwrap().clone()
}

/// A customer of the shop buys.
async fn buy(world: &World, sku: &str) -> String {
    let (mut payer, order) = world.order(sku, 1).await;
    let page = payer.open(&order.checkout_url).await;
    payer.pay(&page, CardTyped::new(VISA)).await;
    world.settle().await;
    assert_eq!(world.order_status(&order.id).await, "paid");
    order.id
}

async fn corrupt(world: &World, action: &str) {
    let armed = world.sandbox("processor-sim", "POST", "/corruptions", json!({"do": action})).await;
    assert_eq!(armed.status, 201, "{}", armed.text());
}

async fn answer_key(world: &World) -> Vec<Value> {
    let answer = world.sandbox("processor-sim", "GET", "/corruptions", Value::Null).await;
    answer.json()["data"].as_array().unwrap().clone()
}

/// What the shop finds when it compares its books with the reports.
async fn differences(world: &World) -> Vec<Value> {
    let answer = world.sandbox("merchant", "GET", "/reconciliation", Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["differences"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_payment_stands_in_the_report_of_its_day_as_json_and_csv() {
    let world = World::start().await;
    let payment = world.pay(VISA, 10_000, "EUR").await;
    world.advance("1d").await;
    let summary = settlements(&world).await.remove(0);
    assert_eq!(summary["date"], "2026-01-15");
    assert_eq!((&summary["gross_sales"], &summary["payout"]), (&json!(10_000), &json!(9710)));
    let id = summary["batch_id"].as_str().unwrap();
    let report = world.api("shop").get(&format!("/settlements/{id}")).await.json();
    let line = &report["lines"][0];
    assert_eq!(line["payment_id"], payment["id"]);
    assert_eq!(line["reference"], payment["captures"][0]["id"]);
    let csv = world.api("shop").get(&format!("/settlements/{id}/lines.csv")).await.text();
    let rows: Vec<&str> = csv.trim_end().split("\r\n").collect();
    assert_eq!(rows.len(), 2, "{csv}");
    assert!(rows[1].starts_with(&format!("sale,{}", payment["id"].as_str().unwrap())), "{csv}");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_refund_that_bounces_fails_later_at_the_gateway() {
    let world = World::start().await;
    let payment = world.pay("4000010050050005", 5000, "EUR").await;
    world.advance("1d").await;
    let id = payment["id"].as_str().unwrap();
    let refund = world.api("shop").post(&format!("/payments/{id}/refunds"), json!({})).await;
    assert_eq!(refund.json()["status"], "succeeded", "{}", refund.text());
    world.advance("3d").await;
    let payment = world.api("shop").get(&format!("/payments/{id}")).await.json();
    assert_eq!(payment["refunds"][0]["status"], "failed");
    assert_eq!(payment["amounts"]["refunded"], 0);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_true_report_shows_no_difference() {
    let world = World::start().await;
    for sku in ["tea-42", "mug-3", "tea-7"] {
        buy(&world, sku).await;
    }
    world.advance("1d").await;
    assert_eq!(settlements(&world).await.len(), 1);
    assert_eq!(differences(&world).await, Vec::<Value>::new());
    world.assert_invariants().await;
}

#[actix_web::test]
async fn every_corruption_is_found_and_nothing_else() {
    for (action, kind) in [
        ("drop_line", "missing"),
        ("duplicate_line", "duplicate"),
        ("alter_line", "amount_mismatch"),
        ("wrong_totals", "totals"),
    ] {
        let world = World::start().await;
        for sku in ["tea-42", "mug-3", "tea-7"] {
            buy(&world, sku).await;
        }
        corrupt(&world, action).await;
        world.advance("1d").await;
        let key = answer_key(&world).await.remove(0);
        let found = differences(&world).await;
        assert_eq!(found.len(), 1, "{action}: {found:?}");
        assert_eq!(found[0]["kind"], kind, "{action}");
        if !key["payment"].is_null() {
            assert_eq!(found[0]["payment"], key["payment"], "{action}");
        }
        assert_eq!(found[0]["batch"], key["batch"], "{action}");
        world.assert_invariants().await;
    }
}

#[actix_web::test]
async fn a_report_that_is_late_is_missed_and_then_arrives() {
    let world = World::start().await;
    buy(&world, "tea-42").await;
    corrupt(&world, "delay_file").await;
    world.advance("1d").await;
    let found = differences(&world).await;
    assert_eq!((found.len(), found[0]["kind"].as_str()), (1, Some("late_report")), "{found:?}");
    world.advance("1d").await;
    assert_eq!(differences(&world).await, Vec::<Value>::new());
    world.assert_invariants().await;
}

#[actix_web::test]
async fn the_back_office_shows_reports_and_what_they_differ_in() {
    let world = World::start().await;
    let order = buy(&world, "tea-42").await;
    buy(&world, "mug-3").await;
    corrupt(&world, "alter_line").await;
    world.advance("1d").await;
    let mut ada = world.colleague("ada").await;
    let list = ada.open(&format!("{}/office/settlements", world.shop)).await;
    assert_eq!(list.attribute("differences", "data-count").as_deref(), Some("1"), "{}", list.html);
    assert_eq!(list.attribute("difference", "data-kind").as_deref(), Some("amount_mismatch"));
    let id = settlements(&world).await[0]["batch_id"].as_str().unwrap().to_owned();
    let url = format!("{}/office/settlements/{id}", world.shop);
    let page = ada.open(&url).await;
    assert_eq!(page.attribute("differences", "data-count").as_deref(), Some("1"));
    assert!(page.has("line") && page.has("sums"), "{}", page.html);
    let file = ada.open(&format!("{url}/lines.csv")).await;
    assert_eq!(file.html.lines().count(), 3, "{}", file.html);
    assert_eq!(world.order_status(&order).await, "paid");
    let missing = ada.open(&format!("{}/office/settlements/set_nothing", world.shop)).await;
    assert_eq!(missing.status, 404);
}

#[actix_web::test]
async fn thirty_days_end_with_books_that_agree_to_the_cent() {
    let world = World::start().await;
    let cards = [VISA, "4000010060010007", VISA, "4000010060020006", VISA, "5555555555554444"];
    for (day, card) in cards.iter().cycle().take(30).enumerate() {
        let (mut payer, order) = world.order("tea-42", 1).await;
        let page = payer.open(&order.checkout_url).await;
        payer.pay(&page, CardTyped::new(card)).await;
        world.settle().await;
        if day % 7 == 2 {
            let payment = world.payment_of(&order.id).await;
            let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
            world.api("shop").post(&path, json!({})).await;
        }
        if day == 20 {
            corrupt(&world, "drop_line").await;
        }
        world.advance("1d").await;
    }
    // The last cases come to their end, the last batches are paid.
    world.advance("45d").await;
    world.assert_invariants().await;
    let key = answer_key(&world).await.remove(0);
    let found = differences(&world).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["batch"], key["batch"]);
    let (mut paid, mut net) = (0, 0);
    for summary in settlements(&world).await {
        paid += summary["payout"].as_i64().unwrap();
        net += summary["net"].as_i64().unwrap();
    }
    for (party, open) in [
        ("network", &["issuer_due", "acquirer_due"][..]),
        ("issuer", &["scheme"]),
        ("acquirer", &["scheme"]),
    ] {
        let path = format!("/ledger/{party}");
        let ledger = world.sandbox("processor-sim", "GET", &path, Value::Null).await.json();
        let balances = ledger["balances"].as_array().unwrap();
        assert_eq!(balances.iter().map(|it| it["balance"].as_i64().unwrap()).sum::<i64>(), 0);
        for balance in balances {
            let name = balance["account"].as_str().unwrap();
            assert!(!open.contains(&name) || balance["balance"] == 0, "{party}: {balance}");
        }
    }
    let ledger = world.sandbox("processor-sim", "GET", "/ledger/acquirer", Value::Null).await;
    let ledger = ledger.json();
    let balances = ledger["balances"].as_array().unwrap();
    let merchant = balances.iter().find(|it| it["account"] == "merchant").unwrap();
    assert_eq!(paid - net, merchant["balance"].as_i64().unwrap(), "what is not paid is owed");
}
