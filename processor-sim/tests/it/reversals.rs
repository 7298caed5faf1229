//! What is taken back is taken back all the way to the bank, once.

use serde_json::json;
use wire::processor_api::Mti;

use crate::recovery::Scratch;
use crate::world::{START, World, amount, code};

#[actix_web::test]
async fn a_void_releases_the_hold_and_withdraws_the_capture() {
    let world = World::start().await;
    let authorization = world.purchase("visa.ok");
    world.send(&authorization).await;
    world.send(&world.capture(&authorization, 4999)).await;
    assert_eq!(world.held("visa.ok").await, 4999);
    let void = world.reversal(&authorization, 0);
    assert_eq!(code(&world.send(&void).await), "00");
    assert_eq!(world.held("visa.ok").await, 0);
    let mut repeat = void.clone();
    repeat.mti = Mti::ReversalRepeat;
    repeat.repeat_no = 1;
    assert_eq!(code(&world.send(&repeat).await), "00");
    assert_eq!(world.ladder("network->issuer").await, ["0100 00", "0400 00"]);
    assert_eq!(code(&world.send(&world.capture(&authorization, 1)).await), "12");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_partial_reversal_leaves_the_rest_to_be_captured() {
    let world = World::start().await;
    let authorization = world.purchase("mc.ok");
    world.send(&authorization).await;
    assert_eq!(code(&world.send(&world.reversal(&authorization, 1000)).await), "00");
    assert_eq!(world.held("mc.ok").await, 1000);
    assert_eq!(code(&world.send(&world.capture(&authorization, 1001)).await), "13");
    assert_eq!(code(&world.send(&world.capture(&authorization, 1000)).await), "00");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_reversal_that_overtakes_its_request_leaves_tombstones() {
    let world = World::start().await;
    let authorization = world.purchase("visa.ok");
    let mut reversal = world.reversal(&authorization, 0);
    reversal.pan.clone_from(&authorization.pan);
    reversal.mti = Mti::ReversalAdvice;
    let answer = world.send(&reversal).await;
    assert_eq!((answer.mti, code(&answer)), (Mti::ReversalAdviceAnswer, "25".into()));
    assert_eq!(code(&world.send(&authorization).await), "21");
    assert_eq!(world.ladder("network->issuer").await, ["0420 25"]);
    assert_eq!(code(&world.send(&world.inquiry(&authorization)).await), "25");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_late_request_meets_the_tombstone_at_the_bank() {
    let world = World::start().await;
    world
        .fault(json!({
            "on": "network->issuer", "match": { "type": "authorization" }, "times": 1,
            "do": { "delay_request": "9s" }
        }))
        .await;
    let mut authorization = world.purchase("visa.ok");
    // Above what the network approves in the bank's place.
    authorization.amount = Some(amount(90_000));
    let answer = world.stepping(world.try_send(&authorization)).await.unwrap();
    assert_eq!(code(&serde_json::from_slice(&answer.body).unwrap()), "91");
    world.advance(std::time::Duration::from_secs(30)).await;
    assert_eq!(world.held("visa.ok").await, 0);
    assert_eq!(world.ladder("network->issuer").await[..2], ["0100 --", "0420 25"]);
    world.check_invariants().await;
}

#[actix_web::test]
async fn answers_to_reversals_are_lost_three_times_and_money_moves_once() {
    let world = World::start().await;
    let authorization = world.purchase("slow.reversal_lost");
    assert!(world.stepping(world.try_send(&authorization)).await.is_err());
    assert_eq!(world.held("slow.reversal_lost").await, 4999);
    let inquiry = world.inquiry(&authorization);
    assert!(world.stepping(world.try_send(&inquiry)).await.is_err());
    let mut reversal = world.reversal(&authorization, 0);
    for (mti, answered) in [
        (Mti::ReversalRequest, false),
        (Mti::ReversalRepeat, false),
        (Mti::ReversalAdvice, false),
        (Mti::ReversalAdviceRepeat, true),
    ] {
        reversal.mti = mti;
        let reply = world.stepping(world.try_send(&reversal)).await;
        assert_eq!(reply.is_ok(), answered, "{mti}");
    }
    assert_eq!(world.held("slow.reversal_lost").await, 0);
    assert_eq!(world.ladder("network->issuer").await, ["0100 00", "0400 00"]);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_reversal_is_refused_twice_and_then_taken() {
    let world = World::start().await;
    let authorization = world.purchase("slow.reversal_rejected");
    assert!(world.stepping(world.try_send(&authorization)).await.is_err());
    let reversal = world.reversal(&authorization, 0);
    for expected in ["96", "96", "00"] {
        assert_eq!(code(&world.send(&reversal).await), expected);
    }
    assert_eq!(world.held("slow.reversal_rejected").await, 0);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_reversal_waits_while_the_bank_is_away() {
    let world = World::start().await;
    let authorization = world.purchase("visa.ok");
    world.send(&authorization).await;
    world.control("POST", "issuers/aurora/sign-off", None).await;
    let void = world.reversal(&authorization, 0);
    assert_eq!(code(&world.send(&void).await), "91");
    assert_eq!(world.held("visa.ok").await, 4999);
    world.control("POST", "issuers/aurora/sign-on", None).await;
    assert_eq!(code(&world.send(&void).await), "00");
    assert_eq!(world.held("visa.ok").await, 0);
    world.check_invariants().await;
}

#[actix_web::test]
async fn what_has_left_for_clearing_is_not_taken_back() {
    let scratch = Scratch::new("submitted");
    let clock = kit::clock::Clock::virtual_at(START);
    let world = World::start_with_file(&scratch.database(), clock.clone()).await;
    let authorization = world.purchase("visa.ok");
    world.send(&authorization).await;
    let capture = world.capture(&authorization, 3000);
    world.send(&capture).await;
    assert_eq!(code(&world.send(&world.inquiry(&capture)).await), "00", "it can still be voided");
    world.stop().await;
    // As the cut-off leaves it.
    let books = rusqlite::Connection::open(scratch.database()).unwrap();
    books.execute("UPDATE clearing_records SET state = 'in_file'", []).unwrap();
    drop(books);
    let world = World::start_with_file(&scratch.database(), clock).await;
    let mut inquiry = world.inquiry(&capture);
    inquiry.stan = "700001".into();
    assert_eq!(code(&world.send(&inquiry).await), "21");
    let mut void = world.reversal(&authorization, 0);
    void.reversal_id = None;
    assert_eq!(code(&world.send(&void).await), "21");
    assert_eq!(world.held("visa.ok").await, 4999, "it waits for the presentment");
    // What was not captured can still be given back.
    let mut rest = world.reversal(&authorization, 3000);
    rest.transmission_at = void.transmission_at.plus(std::time::Duration::from_secs(1));
    assert_eq!(code(&world.send(&rest).await), "00");
    assert_eq!(world.held("visa.ok").await, 3000);
    world.check_invariants().await;
}
