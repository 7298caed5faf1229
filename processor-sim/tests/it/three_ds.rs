//! 3-D Secure at the directory server, the ACS and the issuer.

use std::time::Duration;

use serde_json::json;
use wire::processor_api::Message;
use wire::three_ds::{
    AuthenticationResponse, ChallengeRequest, ResultInquiry, TransStatus, VERSION, inquiry_path,
    request_path, to_browser,
};

use crate::world::{World, amount, code, note};

async fn asked(world: &World, alias: &str, indicator: &str) -> AuthenticationResponse {
    let mut request = world.areq(&world.purchase(alias));
    request.challenge_indicator = indicator.into();
    world.ask(&request).await
}

fn results(message: &Message) -> (String, Option<String>, Option<String>) {
    let cavv = message.additional.as_ref().and_then(|it| it.cavv_result.clone());
    let eci = message.threeds.as_ref().and_then(|it| it.eci.clone());
    (code(message), cavv, eci)
}

fn seen(
    code: &str,
    cavv: Option<&str>,
    eci: Option<&str>,
) -> (String, Option<String>, Option<String>) {
    (code.into(), cavv.map(Into::into), eci.map(Into::into))
}

#[actix_web::test]
async fn each_card_is_authenticated_in_its_own_way() {
    let world = World::start().await;
    for (alias, status, eci) in [
        ("3ds.frictionless", TransStatus::Y, Some("05")),
        ("3ds.attempt", TransStatus::A, Some("06")),
        ("3ds.fail", TransStatus::N, Some("07")),
        ("3ds.unavailable", TransStatus::U, Some("07")),
        ("3ds.reject", TransStatus::R, None),
        ("3ds.info", TransStatus::I, Some("07")),
        ("3ds.challenge", TransStatus::C, None),
        ("mc.3ds_frictionless", TransStatus::Y, Some("02")),
        ("mc.3ds_attempt", TransStatus::A, Some("01")),
        ("maestro.3ds_challenge", TransStatus::C, None),
        ("visa.ok", TransStatus::Y, Some("05")),
    ] {
        let answer = asked(&world, alias, "01").await;
        assert_eq!((answer.trans_status, answer.eci.as_deref()), (status, eci), "{alias}");
        let vouches = matches!(status, TransStatus::Y | TransStatus::A);
        assert_eq!(answer.authentication_value.is_some(), vouches, "{alias}");
        assert_eq!(answer.acs_url.is_some(), status == TransStatus::C, "{alias}");
    }
    assert_eq!(asked(&world, "visa.ok", "04").await.trans_status, TransStatus::C, "a mandate");
    assert_eq!(asked(&world, "3ds.challenge", "05").await.trans_status, TransStatus::I, "TRA");
}

#[actix_web::test]
async fn an_areq_that_comes_twice_gets_the_answer_of_the_first_time() {
    let world = World::start().await;
    let request = world.areq(&world.purchase("3ds.frictionless"));
    let (first, second) = (world.ask(&request).await, world.ask(&request).await);
    assert_eq!(first, second);
}

#[actix_web::test]
async fn a_directory_server_that_fails_does_not_ask_the_bank() {
    let world = World::start().await;
    let request = world.areq(&world.purchase("3ds.ds_error"));
    let path = request_path(wire::card::Brand::Visa);
    let (status, problem) = world.directory(&path, serde_json::to_vec(&request).unwrap()).await;
    assert_eq!((status, &problem["code"]), (500, &json!("directory_server_failed")));
    let log = world.get("wire").await;
    let entries = log["entries"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["link"] != "directory->acs"));
}

#[actix_web::test]
async fn a_cavv_pays_once() {
    let world = World::start().await;
    let mut first = world.purchase("3ds.frictionless");
    world.authenticate(&mut first).await;
    let answer = world.send(&first).await;
    assert_eq!(results(&answer), seen("00", Some("2"), Some("05")));
    assert_eq!(results(&world.send(&first).await), seen("00", Some("2"), Some("05")), "a repeat");
    let mut second = world.purchase("3ds.frictionless");
    second.threeds.clone_from(&first.threeds);
    let answer = world.send(&second).await;
    assert_eq!(results(&answer), seen("6P", Some("1"), None));
    assert_eq!(note(&answer), "the CAVV was used before");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_cavv_belongs_to_card_amount_and_indicator() {
    let world = World::start().await;
    let authenticated = async |alias: &str| {
        let mut message = world.purchase(alias);
        world.authenticate(&mut message).await;
        message
    };
    let mut more = authenticated("3ds.frictionless").await;
    more.amount = Some(amount(5000));
    assert_eq!(results(&world.send(&more).await), seen("6P", Some("1"), None));
    let mut other = world.purchase("visa.ok");
    other.threeds = authenticated("3ds.frictionless").await.threeds;
    assert_eq!(results(&world.send(&other).await), seen("6P", Some("1"), None));
    let mut raised = authenticated("3ds.attempt").await;
    raised.threeds.as_mut().unwrap().eci = Some("05".into());
    assert_eq!(code(&world.send(&raised).await), "6P");
    let mut without = authenticated("3ds.frictionless").await;
    without.threeds.as_mut().unwrap().cavv = None;
    assert_eq!(results(&world.send(&without).await), seen("6P", Some("1"), None));
    let mut lowered = authenticated("3ds.frictionless").await;
    lowered.threeds.as_mut().unwrap().eci = Some("07".into());
    assert_eq!(results(&world.send(&lowered).await), seen("00", Some("B"), Some("07")));
    let old = authenticated("3ds.frictionless").await;
    world.advance(Duration::from_hours(91 * 24)).await;
    let mut late = world.purchase("3ds.frictionless");
    late.threeds = old.threeds;
    assert_eq!(note(&world.send(&late).await), "the CAVV is more than 90 days old");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_bank_that_takes_no_liability_lowers_the_indicator() {
    let world = World::start().await;
    let change = json!({"downgrades_indicator": true});
    let (status, card) = world.control("PATCH", "cards/3ds.frictionless", Some(change)).await;
    assert_eq!((status, &card["controls"]["downgrades_indicator"]), (200, &json!(true)));
    let mut message = world.purchase("3ds.frictionless");
    world.authenticate(&mut message).await;
    assert_eq!(results(&world.send(&message).await), seen("00", Some("B"), Some("07")));
    world.check_invariants().await;
}

#[actix_web::test]
async fn exemptions_are_accepted_up_to_their_limit() {
    let world = World::start().await;
    let pay = async |value: i64, exemption: &str| {
        let mut message = world.purchase("visa.sca_required");
        message.amount = Some(amount(value));
        message.threeds = Some(wire::processor_api::ThreeDsData {
            exemption: Some(exemption.into()),
            ..Default::default()
        });
        code(&world.send(&message).await)
    };
    assert_eq!([pay(50_000, "tra").await, pay(50_001, "tra").await], ["00", "1A"]);
    assert_eq!([pay(3_000, "low_value").await, pay(3_001, "low_value").await], ["00", "1A"]);
    assert_eq!(pay(100, "wish").await, "1A");
}

/// Whether a result is known, and how the challenge ended.
async fn inquire(world: &World, answer: &AuthenticationResponse) -> String {
    let inquiry = ResultInquiry {
        message_version: VERSION.into(),
        server_trans_id: answer.server_trans_id,
        ds_trans_id: answer.ds_trans_id,
    };
    let path = inquiry_path(wire::card::Brand::Visa);
    let (_, found) = world.directory(&path, serde_json::to_vec(&inquiry).unwrap()).await;
    let result = &found["result"];
    if result.is_null() {
        return "open".into();
    }
    format!("{} {}", result["transStatus"], result["challengeCancel"]).replace('"', "")
}

#[actix_web::test]
async fn a_challenge_that_nobody_opens_or_finishes_runs_out() {
    let world = World::start().await;
    let unopened = asked(&world, "3ds.challenge", "01").await;
    world.advance(Duration::from_secs(29)).await;
    assert_eq!(inquire(&world, &unopened).await, "open");
    world.advance(Duration::from_secs(2)).await;
    assert_eq!(inquire(&world, &unopened).await, "N 05");
    let opened = asked(&world, "3ds.challenge", "01").await;
    let creq = to_browser(&ChallengeRequest::new(opened.server_trans_id, opened.acs_trans_id));
    let (status, page) = world.form("/acs/aurora/challenge", &format!("creq={creq}")).await;
    assert!(status == 200 && page.contains("challenge-code"), "{page}");
    world.advance(Duration::from_secs(599)).await;
    assert_eq!(inquire(&world, &opened).await, "open");
    world.advance(Duration::from_secs(2)).await;
    assert_eq!(inquire(&world, &opened).await, "N 04");
    let (_, page) = world.form("/acs/aurora/challenge", &format!("creq={creq}")).await;
    assert!(page.contains("already completed"), "{page}");
    let (status, _) = world.form("/acs/borealis/challenge", &format!("creq={creq}")).await;
    assert_eq!(status, 404, "another bank knows nothing of it");
    let (status, _) = world.form("/acs/aurora/challenge", "creq=nonsense").await;
    assert_eq!(status, 400);
}

#[actix_web::test]
async fn challenges_may_be_approved_without_a_person() {
    let world = World::start().await;
    let (status, _) = world.control("PATCH", "acs", Some(json!({"auto": "approve"}))).await;
    assert_eq!(status, 200);
    let answer = asked(&world, "3ds.challenge", "01").await;
    let creq = to_browser(&ChallengeRequest::new(answer.server_trans_id, answer.acs_trans_id));
    let (_, page) = world.form("/acs/aurora/challenge", &format!("creq={creq}")).await;
    assert!(page.contains("challenge-over"), "{page}");
    assert_eq!(inquire(&world, &answer).await, "Y null");
    let (status, _) = world.control("PATCH", "acs", Some(json!({"auto": "always"}))).await;
    assert_eq!(status, 422);
}

#[actix_web::test]
async fn only_the_gateway_of_the_request_frames_and_gets_the_pages() {
    let world = World::start().await;
    let mut request = world.areq(&world.purchase("3ds.challenge"));
    request.notification_url = "javascript:alert(1)".into();
    let path = request_path(wire::card::Brand::Visa);
    let (status, _) = world.directory(&path, serde_json::to_vec(&request).unwrap()).await;
    assert_eq!(status, 500);
}
