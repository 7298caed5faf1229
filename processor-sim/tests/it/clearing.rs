//! Clearing and settlement: files, fees, books, payouts, and what goes wrong on purpose.

use std::time::Duration;

use kit::random::Random;
use serde_json::{Value, json};
use wire::money::Currency;
use wire::processor_api::{Message, Mti};

use crate::world::{World, amount, code};

const DAY: Duration = Duration::from_hours(24);
const MERCHANT: &str = "MERCH0000000001";

/// Authorizes and captures with a card.
async fn sell(world: &World, alias: &str, value: i64) -> Message {
    let mut authorization = world.purchase(alias);
    authorization.amount = Some(amount(value));
    assert_eq!(code(&world.send(&authorization).await), "00");
    assert_eq!(code(&world.send(&world.capture(&authorization, value)).await), "00");
    authorization
}

async fn give_back(world: &World, sold: &Message, alias: &str, value: i64) -> Message {
    let mut refund = world.refund(alias, value);
    refund.payment_reference.clone_from(&sold.payment_reference);
    assert_eq!(code(&world.send(&refund).await), "00");
    refund
}

async fn records(world: &World) -> Vec<Value> {
    let mut all = world.get("clearing").await["data"].as_array().unwrap().clone();
    all.reverse();
    all
}

async fn states(world: &World) -> Vec<String> {
    records(world).await.iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect()
}

async fn batches(world: &World) -> Vec<Value> {
    let mut all = world.get("batches").await["data"].as_array().unwrap().clone();
    all.reverse();
    all
}

async fn report(world: &World, batch: &Value) -> Value {
    world.get(&format!("batches/{}", batch["row"])).await
}

/// Balance of a ledger account in EUR.
async fn balance(world: &World, party: &str, account: &str) -> i64 {
    let ledger = world.get(&format!("ledger/{party}")).await;
    let all = ledger["balances"].as_array().unwrap();
    let of = |it: &&Value| it["account"] == account && it["currency"] == "EUR";
    all.iter().filter(of).map(|it| it["balance"].as_i64().unwrap()).sum()
}

#[actix_web::test]
async fn a_sale_is_cleared_at_the_cut_off_and_paid_out_on_the_next_open_day() {
    let world = World::start().await;
    sell(&world, "visa.ok", 10_000).await;
    assert_eq!(states(&world).await, ["queued"]);
    // Sunday 10:00; the cut-off is at 22:00.
    world.advance(Duration::from_hours(11)).await;
    assert_eq!(states(&world).await, ["queued"]);
    world.advance(Duration::from_hours(1)).await;
    assert_eq!(states(&world).await, ["posted"]);
    world.check_invariants().await;
    assert_eq!(world.held("visa.ok").await, 0);
    assert_eq!(balance(&world, "issuer", "cardholder").await, 10_000);
    assert_eq!(balance(&world, "visa", "issuer_due").await, 9855);
    assert_eq!(balance(&world, "visa", "acquirer_due").await, -9837);
    assert_eq!(balance(&world, "acquirer", "merchant").await, -9710);
    world.advance(Duration::from_hours(10)).await;
    assert_eq!(states(&world).await, ["settled"]);
    for (party, account) in [
        ("issuer", "scheme"),
        ("visa", "issuer_due"),
        ("visa", "acquirer_due"),
        ("acquirer", "scheme"),
        ("acquirer", "merchant"),
    ] {
        assert_eq!(balance(&world, party, account).await, 0, "{party} {account}");
    }
    let batch = batches(&world).await.remove(0);
    assert_eq!((batch["net"].as_i64(), batch["payout"].as_i64()), (Some(9710), Some(9710)));
    assert_eq!(batch["business_day"], "2026-11-22");
    let report = report(&world, &batch).await;
    let summary = &report["summary"];
    assert_eq!(summary["gross_sales"], 10_000);
    assert_eq!(summary["interchange"], 150);
    assert_eq!(summary["scheme_fees"], 13);
    assert_eq!(summary["merchant_discount"], 290);
    let line = &report["lines"][0];
    assert_eq!(line["interchange_program"], "STANDARD");
    assert_eq!(line["masked_pan"].as_str().unwrap().len(), "400001******0001".len());
    assert!(line["arn"].as_str().unwrap().starts_with("74123456326"), "{line}");
    world.check_invariants().await;
}

#[actix_web::test]
async fn one_second_before_and_after_the_cut_off_are_two_business_days() {
    let world = World::start().await;
    world.advance(Duration::from_secs(12 * 3600 - 1)).await;
    sell(&world, "visa.ok", 100).await;
    world.advance(Duration::from_secs(2)).await;
    sell(&world, "visa.ok", 200).await;
    world.advance(DAY).await;
    let days: Vec<Value> =
        records(&world).await.iter().map(|it| it["business_day"].clone()).collect();
    assert_eq!(days, ["2026-11-22", "2026-11-23"]);
    assert_eq!(batches(&world).await.len(), 2);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refused_presentment_is_corrected_and_presented_again() {
    let world = World::start().await;
    sell(&world, "post.capture_rejected", 5000).await;
    world.advance(Duration::from_hours(13)).await;
    let record = records(&world).await.remove(0);
    assert_eq!(
        (&record["state"], &record["reject_reason"]),
        (&json!("queued"), &json!("technical"))
    );
    let arn = record["arn"].clone();
    world.advance(DAY).await;
    let record = records(&world).await.remove(0);
    assert_eq!((&record["state"], &record["arn"]), (&json!("posted"), &arn));
    assert_eq!(balance(&world, "issuer", "cardholder").await, 5000);
    let files = world.get("clearing/files").await;
    let of = |place: usize| files["data"][place]["state"].clone();
    assert_eq!((of(1), of(0)), (json!("partially_rejected"), json!("accepted")));
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refusal_that_nobody_corrects_is_written_off_and_stands_in_the_report() {
    let world = World::start().await;
    let order = json!({"card": "visa.ok", "corrects": false});
    world.control("POST", "clearing/rejections", Some(order)).await;
    sell(&world, "visa.ok", 5000).await;
    world.advance(DAY).await;
    assert_eq!(states(&world).await, ["rejected"]);
    world.advance(DAY * 12).await;
    assert_eq!(states(&world).await, ["written_off"]);
    assert_eq!(world.held("visa.ok").await, 0);
    assert_eq!(balance(&world, "issuer", "cardholder").await, 0);
    let mut kinds = Vec::new();
    for batch in batches(&world).await {
        for line in report(&world, &batch).await["lines"].as_array().unwrap() {
            kinds.push(line["kind"].clone());
        }
    }
    assert_eq!(kinds, ["loss"]);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_file_that_is_sent_twice_is_posted_once() {
    let world = World::start().await;
    world
        .fault(json!({"on": "processor->network", "match": {"type": "presentment"},
            "times": 1, "do": "drop_response"}))
        .await;
    sell(&world, "visa.ok", 700).await;
    world.advance(Duration::from_hours(13)).await;
    assert_eq!(states(&world).await, ["posted"]);
    assert_eq!(balance(&world, "issuer", "cardholder").await, 700);
    assert_eq!(balance(&world, "visa", "fee_income").await, -1);
    let files = world.get("clearing/files").await;
    assert_eq!(
        (&files["data"][0]["tries"], &files["data"][0]["state"]),
        (&json!(2), &json!("accepted"))
    );
    world.check_invariants().await;
}

#[actix_web::test]
async fn wrong_control_totals_stop_the_batch_until_the_file_is_sent_again() {
    let world = World::start().await;
    let order = json!({"do": "wrong_totals", "on": "clearing_file"});
    assert_eq!(world.control("POST", "corruptions", Some(order)).await.0, 201);
    sell(&world, "visa.ok", 700).await;
    world.advance(DAY * 3).await;
    assert_eq!(states(&world).await, ["in_file"]);
    assert_eq!(batches(&world).await[0]["state"], "exception");
    assert_eq!(balance(&world, "issuer", "cardholder").await, 0);
    let file = world.get("clearing/files").await["data"][0].clone();
    assert_eq!(file["state"], "out_of_balance");
    let path = format!("clearing/files/{}/resubmit", file["id"]);
    assert_eq!(world.control("POST", &path, None).await.0, 202);
    world.advance(DAY).await;
    assert_eq!(states(&world).await, ["settled"]);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_presentment_without_authorization_is_posted_by_force() {
    let world = World::start().await;
    sell(&world, "visa.ok", 100).await;
    let body = json!({"card": "visa.ok", "amount": {"value": 2500, "currency": "EUR"}});
    assert_eq!(world.control("POST", "presentments", Some(body)).await.0, 201);
    world.advance(DAY).await;
    let all = records(&world).await;
    assert_eq!((&all[0]["posting"], &all[1]["posting"]), (&json!("regular"), &json!("force_post")));
    assert_eq!(balance(&world, "issuer", "cardholder").await, 2600);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_capture_after_the_release_of_the_hold_is_posted_late() {
    let world = World::start().await;
    let authorization = world.purchase("post.force_post");
    world.send(&authorization).await;
    world.advance(DAY * 6).await;
    assert_eq!(world.held("post.force_post").await, 0);
    assert_eq!(code(&world.send(&world.capture(&authorization, 4999)).await), "00");
    world.advance(DAY).await;
    assert_eq!(records(&world).await[0]["posting"], "late");
    assert_eq!(balance(&world, "issuer", "cardholder").await, 4999);
    world.check_invariants().await;
}

#[actix_web::test]
async fn partial_captures_cost_what_one_capture_costs() {
    let world = World::start().await;
    let mut authorization = world.purchase("visa.ok");
    authorization.amount = Some(amount(99));
    world.send(&authorization).await;
    for _ in 0..3 {
        world.send(&world.capture(&authorization, 33)).await;
    }
    world.advance(DAY).await;
    assert_eq!(world.held("visa.ok").await, 0);
    let fees: i64 =
        records(&world).await.iter().map(|it| it["interchange"].as_i64().unwrap()).sum();
    let discounts: i64 =
        records(&world).await.iter().map(|it| it["discount"].as_i64().unwrap()).sum();
    assert_eq!((fees, discounts), (1, 3));
    world.check_invariants().await;
}

#[actix_web::test]
async fn secure_payments_and_a_program_that_changes_show_their_own_rate() {
    let world = World::start().await;
    sell(&world, "visa.ok", 10_000).await;
    let order = json!({"program": "STANDARD", "basis_points": 200});
    world.advance(Duration::from_mins(1)).await;
    assert_eq!(world.control("POST", "interchange", Some(order)).await.0, 201);
    sell(&world, "visa.ok", 10_000).await;
    let mut secure = world.purchase("visa.ok");
    secure.amount = Some(amount(10_000));
    world.authenticate(&mut secure).await;
    world.send(&secure).await;
    world.send(&world.capture(&secure, 10_000)).await;
    world.advance(DAY).await;
    let all: Vec<(String, i64)> = records(&world)
        .await
        .iter()
        .map(|it| {
            let program = it["interchange_program"].as_str().unwrap().to_owned();
            (program, it["interchange"].as_i64().unwrap())
        })
        .collect();
    let expected = [("STANDARD", 150), ("STANDARD", 200), ("EEA_CONS_CREDIT_SECURE", 30)];
    assert_eq!(all, expected.map(|(name, fee)| (name.to_owned(), fee)));
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_cardholder_abroad_pays_the_rate_of_the_clearing_day() {
    let world = World::start().await;
    sell(&world, "post.fx_drift", 10_000).await;
    world.advance(DAY).await;
    let record = records(&world).await.remove(0);
    assert_eq!(record["billed"], json!({"amount": 10_908, "currency": "USD", "rate": "1.090800"}));
    assert_eq!(record["amount"], 10_000);
    assert_eq!(batches(&world).await[0]["payout"], 9710);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refund_is_a_credit_of_its_own_with_its_own_reference() {
    let world = World::start().await;
    let sold = sell(&world, "visa.ok", 10_000).await;
    world.advance(DAY).await;
    give_back(&world, &sold, "visa.ok", 10_000).await;
    world.advance(DAY * 2).await;
    let all = records(&world).await;
    assert_ne!(all[0]["arn"], all[1]["arn"]);
    assert_eq!(balance(&world, "issuer", "cardholder").await, 0);
    // The discount is kept, the interchange comes back.
    assert_eq!(balance(&world, "acquirer", "interchange_expense").await, 0);
    assert_eq!(balance(&world, "acquirer", "discount_income").await, -290);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_negative_balance_is_carried_until_sales_cover_it() {
    let world = World::start().await;
    let sold = sell(&world, "visa.ok", 10_000).await;
    world.advance(DAY).await;
    give_back(&world, &sold, "visa.ok", 10_000).await;
    world.advance(DAY * 2).await;
    let all = batches(&world).await;
    assert_eq!((&all[1]["net"], &all[1]["payout"]), (&json!(-10_000), &json!(0)));
    assert_eq!(all[1]["payout_reference"], Value::Null);
    sell(&world, "visa.ok", 20_000).await;
    world.advance(DAY * 2).await;
    let last = batches(&world).await.pop().unwrap();
    assert_eq!((&last["carried"], &last["payout"]), (&json!(-10_000), &json!(9420)));
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_reserve_is_kept_for_ninety_days() {
    let world = World::start().await;
    sell(&world, "visa.ok", 10_000).await;
    let terms = json!({"reserve": 1000, "reserve_days": 90});
    world.control("PATCH", &format!("merchants/{MERCHANT}/terms"), Some(terms)).await;
    world.advance(DAY * 2).await;
    let first = batches(&world).await.remove(0);
    assert_eq!((&first["reserve_in"], &first["payout"]), (&json!(1000), &json!(8710)));
    assert_eq!(balance(&world, "acquirer", "reserve").await, -1000);
    world.check_invariants().await;
    world.advance(DAY * 92).await;
    let last = batches(&world).await.pop().unwrap();
    assert_eq!((&last["reserve_out"], &last["payout"]), (&json!(1000), &json!(1000)));
    assert_eq!(balance(&world, "acquirer", "reserve").await, 0);
    assert_eq!(balance(&world, "acquirer", "merchant").await, 0);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_foreign_currency_settles_a_day_later_and_yen_have_no_cents() {
    let world = World::start().await;
    let mut authorization = world.purchase("visa.ok");
    authorization.currency = Some(Currency::parse("JPY").unwrap());
    authorization.amount = Some(amount(1000));
    world.send(&authorization).await;
    world.send(&world.capture(&authorization, 1000)).await;
    world.advance(DAY).await;
    assert_eq!(states(&world).await, ["posted"]);
    world.advance(DAY).await;
    assert_eq!(states(&world).await, ["settled"]);
    let batch = batches(&world).await.remove(0);
    assert_eq!((&batch["currency"], &batch["payout"]), (&json!("JPY"), &json!(971)));
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_refund_to_a_closed_account_comes_back() {
    let world = World::start().await;
    let sold = sell(&world, "post.refund_bounces", 5000).await;
    world.advance(DAY).await;
    give_back(&world, &sold, "post.refund_bounces", 5000).await;
    world.advance(DAY * 4).await;
    assert_eq!(balance(&world, "issuer", "cardholder").await, 5000);
    let mut kinds = Vec::new();
    for batch in batches(&world).await {
        for line in report(&world, &batch).await["lines"].as_array().unwrap() {
            kinds.push(format!("{} {}", line["kind"].as_str().unwrap(), line["amount"]));
        }
    }
    assert_eq!(kinds, ["sale 5000", "refund -5000", "refund_returned 5000"]);
    world.check_invariants().await;
}

#[actix_web::test]
async fn weeks_that_pass_in_one_jump_are_worked_off_day_by_day() {
    let world = World::start().await;
    sell(&world, "visa.ok", 1000).await;
    world.clock.advance(DAY * 40).unwrap();
    world.quiet().await;
    assert_eq!(states(&world).await, ["settled"]);
    let mut repeat = world.message(Mti::NetworkRequest);
    repeat.function_code = Some("831".into());
    world.send(&repeat).await;
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_day_that_is_ended_by_hand_is_settled_by_hand() {
    let world = World::start().await;
    sell(&world, "visa.ok", 1000).await;
    assert_eq!(world.control("POST", "cutoff", None).await.0, 200);
    assert_eq!(states(&world).await, ["posted"]);
    // What comes after the early cut-off belongs to the next day.
    sell(&world, "visa.ok", 2000).await;
    let (status, answer) = world.control("POST", "settle", None).await;
    assert_eq!((status, &answer["settled"]), (200, &json!(1)));
    assert_eq!(states(&world).await, ["settled", "queued"]);
    world.check_invariants().await;
    world.advance(DAY * 3).await;
    assert_eq!(states(&world).await, ["settled", "settled"]);
    let payouts: Vec<Value> = batches(&world).await.iter().map(|it| it["payout"].clone()).collect();
    assert_eq!(payouts, [971, 1942]);
    world.check_invariants().await;
}

#[actix_web::test]
async fn bad_orders_of_the_control_plane_are_refused_by_name() {
    let world = World::start().await;
    for (path, body, param) in [
        ("corruptions", json!({"do": "burn"}), "do"),
        ("corruptions", json!({"do": "drop_line", "on": "clearing_file"}), "on"),
        ("interchange", json!({"program": "CHEAP", "basis_points": 1}), "program"),
        ("disputes", json!({"arn": "7", "reason": "99.9"}), "reason"),
        ("disputes", json!({"arn": "7", "reason": "13.1", "stage": "trial"}), "stage"),
        ("disputes", json!({"arn": "7", "reason": "13.1", "story": "sad"}), "story"),
        (
            "presentments",
            json!({"card": "none", "amount": {"value": 1, "currency": "EUR"}}),
            "card",
        ),
    ] {
        let (status, answer) = world.control("POST", path, Some(body)).await;
        assert_eq!((status, &answer["param"]), (422, &json!(param)), "{answer}");
    }
    assert_eq!(world.control("POST", "clearing/7/correct", None).await.0, 409);
    assert_eq!(world.control("POST", "clearing/files/1/resubmit", None).await.0, 409);
    assert_eq!(world.control("GET", "batches/9", None).await.0, 404);
    let nobody = "merchants/NOBODY/terms";
    assert_eq!(world.control("PATCH", nobody, Some(json!({"reserve": 1}))).await.0, 404);
}

/// Something that happens in a month of a shop.
async fn was_disputed(world: &World) -> bool {
    world.get("disputes").await["data"].as_array().unwrap().iter().any(|it| it["taken"] == true)
}

async fn happens(world: &World, random: &Random, sold: &mut Vec<(Message, &'static str)>) {
    let cards = [
        "visa.ok",
        "mc.ok",
        "amex.ok",
        "dispute.fraud",
        "dispute.prearb",
        "dispute.withdrawn",
        "stripe.multiple_disputes",
        "post.capture_rejected",
        "post.fx_drift",
        "post.refund_bounces",
    ];
    let value = i64::try_from(random.below(20_000)).unwrap() + 2;
    match random.below(8) {
        0..=2 => {
            let place = usize::try_from(random.below(10)).unwrap();
            sold.push((sell(world, cards[place], value).await, cards[place]));
        }
        3 if !sold.is_empty() => {
            let place = usize::try_from(random.below(u64::try_from(sold.len()).unwrap())).unwrap();
            let (message, card) = sold.swap_remove(place);
            let part = message.amount.unwrap().get() / 2;
            let mut refund = world.refund(card, part);
            refund.payment_reference.clone_from(&message.payment_reference);
            let code = code(&world.send(&refund).await).clone();
            // What a chargeback has taken is not given back once more.
            assert!(code == "00" || (code == "12" && was_disputed(world).await), "{code}");
        }
        4 => {
            let all = world.get("disputes").await["data"].as_array().unwrap().clone();
            let Some(case) = all.first() else { return };
            let events = ["accept", "answer", "withdraw", "issuer-insists", "rule-for-merchant"];
            let event = events[usize::try_from(random.below(5)).unwrap()];
            let path = format!("disputes/{}/{event}", case["id"].as_str().unwrap());
            let texts = ["winning_evidence", "losing_evidence", "a receipt"];
            let text = texts[usize::try_from(random.below(3)).unwrap()];
            world.control("POST", &path, Some(json!({"evidence": text}))).await;
        }
        5 => {
            let fault = json!({"on": "network->issuer", "match": {"type": "presentment"},
                "times": 1, "do": "drop_response"});
            world.fault(fault).await;
        }
        _ => world.advance(Duration::from_hours(random.below(60) + 1)).await,
    }
}

#[actix_web::test]
async fn the_books_agree_after_every_history_of_a_month() {
    for seed in 0..6 {
        let random = Random::seeded(seed);
        let world = World::start().await;
        let mut sold = Vec::new();
        for _ in 0..30 {
            happens(&world, &random, &mut sold).await;
            let report = world.get("invariants").await;
            assert_eq!(report["violations"], json!([]), "seed {seed}");
        }
        world.advance(DAY * 90).await;
        world.check_invariants().await;
        for (party, account) in [
            ("issuer", "scheme"),
            ("network", "issuer_due"),
            ("network", "acquirer_due"),
            ("acquirer", "scheme"),
        ] {
            assert_eq!(balance(&world, party, account).await, 0, "seed {seed} {party} {account}");
        }
        world.stop().await;
    }
}
