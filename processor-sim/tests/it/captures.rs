//! Captures, refunds, repeats and inquiries.

use wire::processor_api::Mti;

use crate::world::{World, amount, code};

#[actix_web::test]
async fn captures_are_queued_up_to_the_authorized_amount() {
    let world = World::start().await;
    let authorization = world.purchase("visa.ok");
    world.send(&authorization).await;
    let take = async |value| code(&world.send(&world.capture(&authorization, value)).await);
    assert_eq!(take(3000).await, "00");
    assert_eq!(take(2000).await, "13");
    assert_eq!(take(1999).await, "00");
    assert_eq!(take(1).await, "13");
    let stranger = world.purchase("visa.ok");
    assert_eq!(code(&world.send(&world.capture(&stranger, 1)).await), "25");
    let declined = world.purchase("visa.stolen");
    world.send(&declined).await;
    assert_eq!(code(&world.send(&world.capture(&declined, 1)).await), "12");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_tip_within_the_networks_tolerance_is_captured() {
    let world = World::start().await;
    for (alias, category, value, expected) in [
        ("visa.ok", "5812", 5998, "00"),
        ("visa.ok", "5812", 6000, "13"),
        ("mc.ok", "5812", 5100, "13"),
        ("post.over_clear", "5732", 5998, "00"),
    ] {
        let mut authorization = world.purchase(alias);
        authorization.mcc = Some(category.into());
        world.send(&authorization).await;
        let answer = world.send(&world.capture(&authorization, value)).await;
        assert_eq!(code(&answer), expected, "{alias} {value}");
    }
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_repeat_gets_the_same_answer_and_another_body_gets_94() {
    let world = World::start().await;
    let authorization = world.purchase("visa.ok");
    let first = world.send(&authorization).await;
    let mut repeat = authorization.clone();
    repeat.mti = Mti::AuthorizationRepeat;
    repeat.repeat_no = 1;
    assert_eq!(world.send(&repeat).await, first);
    let mut other = repeat.clone();
    other.amount = Some(amount(1));
    assert_eq!(code(&world.send(&other).await), "94");
    assert_eq!(world.held("visa.ok").await, 4999);

    let capture = world.capture(&authorization, 4999);
    assert_eq!(code(&world.send(&capture).await), "00");
    let mut repeat = capture.clone();
    repeat.mti = Mti::CaptureAdviceRepeat;
    assert_eq!(code(&world.send(&repeat).await), "00");
    let mut other = capture.clone();
    other.amount = Some(amount(1));
    assert_eq!(code(&world.send(&other).await), "94");
    world.check_invariants().await;
}

#[actix_web::test]
async fn two_copies_at_the_same_time_are_one_request() {
    let world = World::start().await;
    let mut authorization = world.purchase("slow.just_in_time");
    authorization.amount = Some(amount(700));
    let both =
        futures_util::future::join(world.try_send(&authorization), world.try_send(&authorization));
    let (one, two) = world.stepping(both).await;
    assert_eq!(one.unwrap().body, two.unwrap().body);
    assert_eq!(world.ladder("network->issuer").await, ["0100 00"]);
    assert_eq!(world.held("slow.just_in_time").await, 700);
    world.check_invariants().await;
}

#[actix_web::test]
async fn an_inquiry_gives_the_answer_of_then_or_25() {
    let world = World::start().await;
    let authorization = world.purchase("visa.insufficient_funds");
    let answered = world.send(&authorization).await;
    let found = world.send(&world.inquiry(&authorization)).await;
    assert_eq!((found.mti, code(&found)), (Mti::AdministrativeAnswer, "00".into()));
    let inquired = *found.inquired.unwrap();
    assert_eq!(inquired, answered);
    let capture = world.capture(&authorization, 1);
    world.send(&capture).await;
    let about_capture = world.send(&world.inquiry(&capture)).await;
    assert_eq!(code(&about_capture.inquired.unwrap()), "12");
    let never_sent = world.purchase("visa.ok");
    assert_eq!(code(&world.send(&world.inquiry(&never_sent)).await), "25");
}

#[actix_web::test]
async fn refunds_are_credits_that_leave_what_is_available_alone() {
    let world = World::start().await;
    let authorization = world.purchase("visa.ok");
    world.send(&authorization).await;
    world.send(&world.capture(&authorization, 4999)).await;
    let mut refund = world.refund("visa.ok", 2000);
    refund.payment_reference.clone_from(&authorization.payment_reference);
    let answer = world.send(&refund).await;
    assert_eq!(code(&answer), "00");
    assert_eq!(world.held("visa.ok").await, 4999);
    let mut expired = world.refund("visa.stolen", 100);
    expired.expiry = Some("2401".into());
    assert_eq!(code(&world.send(&expired).await), "00", "a refund asks for no date and no status");
    assert_eq!(code(&world.send(&world.refund("post.refund_declined", 100)).await), "57");
    assert_eq!(code(&world.send(&world.reversal(&refund, 0)).await), "00");
    assert_eq!(world.held("visa.ok").await, 4999);
}

#[actix_web::test]
async fn the_first_answer_to_a_capture_or_refund_can_be_lost() {
    let world = World::start().await;
    let authorization = world.purchase("post.capture_timeout");
    world.send(&authorization).await;
    let mut capture = world.capture(&authorization, 4999);
    assert!(world.stepping(world.try_send(&capture)).await.is_err());
    capture.mti = Mti::CaptureAdviceRepeat;
    assert_eq!(code(&world.send(&capture).await), "00");
    let mut refund = world.refund("post.refund_timeout", 100);
    assert!(world.stepping(world.try_send(&refund)).await.is_err());
    refund.mti = Mti::AuthorizationRepeat;
    assert_eq!(code(&world.send(&refund).await), "00");
    assert_eq!(world.ladder("network->issuer").await, ["0100 00", "0100 00"]);
}
