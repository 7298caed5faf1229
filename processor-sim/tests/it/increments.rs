//! Increments raise the hold that they name, and nothing else.

use serde_json::json;
use wire::processor_api::{Message, Mti, StoredCredential};

use crate::world::{World, amount, code};

/// An estimate, and the first answer to it.
async fn estimate(world: &World, alias: &str, value: i64) -> (Message, Message) {
    let mut request = world.purchase(alias);
    request.function_code = Some("101".into());
    request.mcc = Some("7011".into());
    request.amount = Some(amount(value));
    let answer = world.send(&request).await;
    assert_eq!(code(&answer), "00");
    (request, answer)
}

fn increment(world: &World, alias: &str, base: &(Message, Message), value: i64) -> Message {
    let (request, answer) = base;
    let mut message = world.purchase(alias);
    message.cvv = None;
    message.mcc = request.mcc.clone();
    message.function_code = Some("187".into());
    message.amount = Some(amount(value));
    message.network_transaction_id.clone_from(&answer.network_transaction_id);
    message.original = world.capture(request, 1).original;
    message.stored_credential = Some(StoredCredential {
        initiator: "MIT".into(),
        sequence: "subsequent".into(),
        reason: Some("incremental".into()),
        original_ntid: answer.network_transaction_id.clone(),
    });
    message
}

#[actix_web::test]
async fn a_hotel_raises_its_estimate_twice_and_captures_within_it() {
    let world = World::start().await;
    let base = estimate(&world, "visa.ok", 20_000).await;
    for (more, held) in [(5_000, 25_000), (3_000, 28_000)] {
        let answer = world.send(&increment(&world, "visa.ok", &base, more)).await;
        assert_eq!(code(&answer), "00");
        assert_eq!(answer.amount, Some(amount(more)));
        assert_eq!(answer.network_transaction_id, base.1.network_transaction_id);
        assert_eq!(world.held("visa.ok").await, held);
    }
    // Lodging may go 15 % above 280.
    assert_eq!(code(&world.send(&world.capture(&base.0, 32_201)).await), "13");
    assert_eq!(code(&world.send(&world.capture(&base.0, 26_500)).await), "00");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_repeated_increment_counts_once_and_a_changed_one_conflicts() {
    let world = World::start().await;
    let base = estimate(&world, "visa.ok", 20_000).await;
    let more = increment(&world, "visa.ok", &base, 5_000);
    let first = world.send(&more).await;
    let mut repeat = more.clone();
    repeat.mti = Mti::AuthorizationRepeat;
    repeat.repeat_no = 1;
    let second = world.send(&repeat).await;
    assert_eq!((code(&second), &second.auth_code), (code(&first), &first.auth_code));
    assert_eq!(world.held("visa.ok").await, 25_000);
    repeat.amount = Some(amount(6_000));
    assert_eq!(code(&world.send(&repeat).await), "94");
    assert_eq!(world.held("visa.ok").await, 25_000);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_reversed_increment_leaves_the_estimate() {
    let world = World::start().await;
    let base = estimate(&world, "visa.ok", 20_000).await;
    let more = increment(&world, "visa.ok", &base, 5_000);
    world.send(&more).await;
    assert_eq!(code(&world.send(&world.reversal(&more, 0)).await), "00");
    assert_eq!(world.held("visa.ok").await, 20_000);
    let mut tip = world.capture(&base.0, 23_001);
    assert_eq!(code(&world.send(&tip).await), "13", "15 % above 200, not above 250");
    tip = world.capture(&base.0, 23_000);
    assert_eq!(code(&world.send(&tip).await), "00");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_full_reversal_of_the_estimate_takes_its_increments_along() {
    let world = World::start().await;
    let base = estimate(&world, "mc.ok", 20_000).await;
    world.send(&increment(&world, "mc.ok", &base, 5_000)).await;
    assert_eq!(code(&world.send(&world.reversal(&base.0, 0)).await), "00");
    assert_eq!(world.held("mc.ok").await, 0);
    assert_eq!(code(&world.send(&increment(&world, "mc.ok", &base, 1)).await), "12");
    assert_eq!(code(&world.send(&world.capture(&base.0, 1)).await), "12");
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_increment_that_its_reversal_overtook_is_buried() {
    let world = World::start().await;
    let base = estimate(&world, "visa.ok", 20_000).await;
    let more = increment(&world, "visa.ok", &base, 5_000);
    let mut reversal = world.reversal(&more, 0);
    reversal.pan.clone_from(&more.pan);
    assert_eq!(code(&world.send(&reversal).await), "25");
    assert_eq!(code(&world.send(&more).await), "21");
    assert_eq!(world.held("visa.ok").await, 20_000);
    world.check_invariants().await;
}

#[actix_web::test]
async fn networks_without_increments_refuse_them() {
    let world = World::start().await;
    let base = estimate(&world, "jcb.ok", 20_000).await;
    assert_eq!(code(&world.send(&increment(&world, "jcb.ok", &base, 5_000)).await), "12");
    assert_eq!(world.held("jcb.ok").await, 20_000);
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_increment_beyond_the_funds_is_declined_and_the_estimate_stays() {
    let world = World::start().await;
    let base = estimate(&world, "prepaid.100", 8_000).await;
    assert_eq!(code(&world.send(&increment(&world, "prepaid.100", &base, 3_000)).await), "51");
    assert_eq!(code(&world.send(&increment(&world, "prepaid.100", &base, 2_000)).await), "00");
    assert_eq!(world.held("prepaid.100").await, 10_000);
    world.check_invariants().await;
}

#[actix_web::test]
async fn nobody_stands_in_for_an_increment_whose_answer_is_lost() {
    let world = World::start().await;
    let base = estimate(&world, "visa.ok", 20_000).await;
    world
        .fault(json!({
            "on": "network->issuer", "match": { "type": "authorization" }, "times": 1,
            "do": "drop_response"
        }))
        .await;
    let more = increment(&world, "visa.ok", &base, 5_000);
    let answer = world.stepping(world.try_send(&more)).await.unwrap();
    assert_eq!(code(&serde_json::from_slice(&answer.body).unwrap()), "91");
    world.advance(std::time::Duration::from_mins(1)).await;
    assert_eq!(world.held("visa.ok").await, 20_000, "the network took back what it doubted");
    world.check_invariants().await;
}

#[actix_web::test]
async fn the_window_begins_anew_with_each_increment_on_mastercard_only() {
    let day = std::time::Duration::from_hours(24);
    for (alias, after_35_days) in [("mc.ok", 25_000), ("visa.ok", 0)] {
        let world = World::start().await;
        let base = estimate(&world, alias, 20_000).await;
        world.advance(day * 10).await;
        world.send(&increment(&world, alias, &base, 5_000)).await;
        world.advance(day * 25).await;
        assert_eq!(world.held(alias).await, after_35_days, "{alias}");
        world.check_invariants().await;
    }
}
