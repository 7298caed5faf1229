//! Silent and late parties: stand-in, advices, reversals of the network and of the processor.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, code};

#[actix_web::test]
async fn the_network_stands_in_for_a_silent_bank_and_tells_it_later() {
    let world = World::start().await;
    let authorization = world.purchase("slow.stip");
    let before = world.clock.now();
    let answer = world.stepping(world.send(&authorization)).await;
    assert_eq!(code(&answer), "00");
    assert_eq!(answer.additional.unwrap().stip_reason.as_deref(), Some("1002"));
    assert_eq!(world.clock.now().since(before), Duration::from_secs(7));
    world.advance(Duration::from_secs(5)).await;
    assert_eq!(world.ladder("network->issuer").await, ["0100 --", "0120 00"]);
    assert_eq!(world.held("slow.stip").await, 4999);
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_advice_is_linked_to_a_hold_that_was_made_late() {
    let world = World::start().await;
    world
        .fault(json!({
            "on": "network->issuer", "match": { "type": "authorization" }, "times": 1,
            "do": { "delay_response": "9s" }
        }))
        .await;
    let answer = world.stepping(world.send(&world.purchase("visa.ok"))).await;
    assert_eq!(code(&answer), "00");
    assert!(answer.additional.unwrap().stip_reason.is_some());
    world.advance(Duration::from_secs(30)).await;
    assert_eq!(world.held("visa.ok").await, 4999, "one hold");
    world.check_invariants().await;
}

#[actix_web::test]
async fn without_stand_in_the_network_answers_91_and_takes_the_request_back() {
    let world = World::start().await;
    let answer = world.stepping(world.send(&world.purchase("slow.no_stip"))).await;
    assert_eq!(code(&answer), "91");
    world.advance(Duration::from_secs(5)).await;
    assert_eq!(world.ladder("network->issuer").await, ["0100 --", "0420 25"]);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_bank_that_approves_too_late_is_reversed() {
    let world = World::start().await;
    let answer = world.stepping(world.send(&world.purchase("slow.late_approve"))).await;
    assert_eq!(code(&answer), "91");
    world.advance(Duration::from_secs(5)).await;
    assert_eq!(world.held("slow.late_approve").await, 0);
    assert_eq!(world.ladder("network->issuer").await, ["0100 --", "0420 00"]);
    assert_eq!(world.ladder("issuer->network").await, ["0110 --"], "the late answer is dropped");
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_answer_one_millisecond_before_the_deadline_counts() {
    let world = World::start().await;
    let before = world.clock.now();
    let answer = world.stepping(world.send(&world.purchase("slow.just_in_time"))).await;
    assert_eq!(code(&answer), "00");
    assert_eq!(world.clock.now().since(before), Duration::from_millis(4999));
}

#[actix_web::test]
async fn the_second_copy_of_an_answer_is_ignored() {
    let world = World::start().await;
    let answer = world.send(&world.purchase("slow.double_response")).await;
    assert_eq!(code(&answer), "00");
    world.quiet().await;
    assert_eq!(world.ladder("issuer->network").await, ["0110 --"]);
    assert_eq!(world.held("slow.double_response").await, 4999);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_signed_off_bank_is_stood_in_for_and_hears_of_it_when_it_is_back() {
    let world = World::start().await;
    world.control("POST", "issuers/aurora/sign-off", None).await;
    let answer = world.send(&world.purchase("visa.ok")).await;
    assert_eq!(code(&answer), "00");
    assert_eq!(answer.additional.unwrap().stip_reason.as_deref(), Some("1001"));
    let mut large = world.purchase("visa.ok");
    large.amount = Some(crate::world::amount(50_001));
    assert_eq!(code(&world.send(&large).await), "91", "above the limit");
    let unissued = wire::card::CardNumber::parse("4000010099999998").unwrap();
    assert_eq!(code(&world.send(&world.purchase_with(unissued, None)).await), "91");
    world.advance(Duration::from_secs(40)).await;
    assert_eq!(world.ladder("network->issuer").await, Vec::<String>::new());
    world.control("POST", "issuers/aurora/sign-on", None).await;
    world.quiet().await;
    assert_eq!(world.ladder("network->issuer").await, ["0121 00"]);
    assert_eq!(world.held("visa.ok").await, 4999);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_silent_network_is_answered_68_and_the_processor_takes_the_request_back() {
    let world = World::start().await;
    world
        .fault(json!({
            "on": "processor->network", "match": { "type": "authorization" }, "times": 1,
            "do": "drop_response"
        }))
        .await;
    let authorization = world.purchase("visa.ok");
    let before = world.clock.now();
    let answer = world.stepping(world.send(&authorization)).await;
    assert_eq!(code(&answer), "68");
    assert_eq!(world.clock.now().since(before), Duration::from_secs(12));
    world.advance(Duration::from_secs(1)).await;
    assert_eq!(world.ladder("processor->network").await, ["0100 --", "0400 00"]);
    assert_eq!(world.held("visa.ok").await, 0);
    let inquired = world.send(&world.inquiry(&authorization)).await.inquired.unwrap();
    assert_eq!(code(&inquired), "68");
    assert_eq!(code(&world.send(&world.reversal(&authorization, 0)).await), "00");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_reversal_is_repeated_until_it_is_acknowledged() {
    let world = World::start().await;
    world
        .fault(json!({
            "on": "processor->network", "match": { "type": "authorization" }, "times": 1,
            "do": "drop_request"
        }))
        .await;
    world
        .fault(json!({
            "on": "processor->network", "match": { "type": "reversal" }, "times": 3,
            "do": { "status": 503 }
        }))
        .await;
    let answer = world.stepping(world.send(&world.purchase("visa.ok"))).await;
    assert_eq!(code(&answer), "68");
    world.advance(Duration::from_mins(1)).await;
    assert_eq!(
        world.ladder("processor->network").await,
        ["0100 --", "0400 --", "0401 --", "0420 --", "0421 25"]
    );
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_wish_for_68_is_a_network_that_never_answers() {
    let world = World::start().await;
    let mut message = world.purchase("visa.ok");
    message.sandbox = Some(wire::processor_api::SandboxData {
        outcome: Some("rc:68".into()),
        ..Default::default()
    });
    assert_eq!(code(&world.stepping(world.send(&message)).await), "68");
    world.advance(Duration::from_secs(5)).await;
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_broken_signature_between_roles_is_no_answer() {
    let world = World::start().await;
    world
        .fault(json!({
            "on": "network->issuer", "match": { "type": "authorization" }, "times": 1,
            "do": "corrupt_signature"
        }))
        .await;
    let answer = world.send(&world.purchase("visa.ok")).await;
    assert_eq!(answer.additional.unwrap().stip_reason.as_deref(), Some("1003"));
    world.quiet().await;
    assert_eq!(world.held("visa.ok").await, 4999);
    world.check_invariants().await;
}

#[actix_web::test]
async fn holds_are_released_when_their_time_has_come() {
    let world = World::start().await;
    let day = Duration::from_hours(24);
    world.send(&world.purchase("jcb.ok")).await;
    world.send(&world.purchase("visa.ok")).await;
    world.send(&world.purchase("post.force_post")).await;
    world.advance(day * 5).await;
    assert_eq!(world.held("post.force_post").await, 0);
    assert_eq!(world.held("visa.ok").await, 4999);
    world.advance(day * 5).await;
    assert_eq!(world.held("visa.ok").await, 0);
    assert_eq!(world.held("jcb.ok").await, 4999);
    world.check_invariants().await;
}
