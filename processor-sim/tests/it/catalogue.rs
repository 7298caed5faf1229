//! Every card of the catalogue does what its row says, through the processor's own interface.

use wire::processor_api::Message;
use wire::test_cards::{self, TestCard};

use crate::world::{World, code, merchant_initiated, note, source};

/// What a card answers to a plain purchase: the code of its row, unless its story needs more.
fn expected(card: &TestCard) -> String {
    let code = match card.response_code {
        Some(code) => code.as_str().to_owned(),
        // No authorization would be sent: should one come, it is declined for the row's reason.
        None => card
            .decline_code
            .and_then(wire::codes::DeclineCode::response_code)
            .map_or("05".into(), |code| code.as_str().to_owned()),
    };
    match card.outcome.as_str() {
        // Without an authentication they ask for one.
        "threeds_then_decline" | "threeds_optional" | "threeds_optional_error" => code,
        outcome if outcome.starts_with("threeds_") => "1A".into(),
        // The first payment of these is good.
        outcome if outcome.starts_with("updater_") => "00".into(),
        // And 100.00 are enough for 49.99.
        "token_suspended" | "decline_on_mit" | "approve_up_to_balance" => "00".into(),
        // Approved, and the answer lost on the way to the gateway.
        "lost_approve" | "reversal_response_lost" | "reversal_refused_then_ok" => "lost".into(),
        _ => code,
    }
}

async fn answer(world: &World, message: &Message) -> String {
    match world.stepping(world.try_send(message)).await {
        Ok(reply) => code(&serde_json::from_slice(&reply.body).unwrap()),
        Err(_) => "lost".into(),
    }
}

#[actix_web::test]
async fn every_card_of_the_catalogue_answers_as_its_row_says() {
    let world = World::start().await;
    let mut wrong = Vec::new();
    let mut tried = 0;
    for card in test_cards::all() {
        if card.number.card().is_none() {
            continue;
        }
        tried += 1;
        let got = answer(&world, &world.purchase(&card.alias)).await;
        if got != expected(card) {
            wrong.push(format!("{}: {got} instead of {}", card.alias, expected(card)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 200);
    world.advance(std::time::Duration::from_mins(1)).await;
    world.check_invariants().await;
}

#[actix_web::test]
async fn cards_without_a_story_of_their_own_are_decided_by_default() {
    let world = World::start().await;
    for alias in ["visa.ok", "stripe.visa", "unionpay.ok19", "maestro.ok12", "classic.visa_13"] {
        let answer = world.send(&world.purchase(alias)).await;
        assert_eq!((code(&answer), source(&answer)), ("00".into(), "default".into()), "{alias}");
        assert_eq!(answer.auth_code.unwrap().len(), 6);
        assert_eq!(answer.network_transaction_id.unwrap().len(), 15);
        assert_eq!(answer.settlement_date.as_deref(), Some("2026-11-22"));
    }
    let answer = world.send(&world.purchase("visa.stolen")).await;
    assert_eq!(source(&answer), "card");
    let additional = answer.additional.unwrap();
    assert_eq!(additional.visa_category, Some(1));
    assert_eq!(answer.auth_code, None);
}

#[actix_web::test]
async fn cards_that_wait_for_3d_secure_say_so() {
    let world = World::start().await;
    let answer = world.send(&world.purchase("3ds.frictionless")).await;
    assert_eq!(code(&answer), "1A");
    assert!(note(&answer).contains("3-D Secure first"), "{}", note(&answer));
    let mut authenticated = world.purchase("3ds.frictionless");
    world.authenticate(&mut authenticated).await;
    assert_eq!(code(&world.send(&authenticated).await), "00");
}

#[actix_web::test]
async fn a_soft_decline_ends_with_the_indicator_of_an_authentication() {
    let world = World::start().await;
    for (alias, soft) in [("visa.sca_required", "1A"), ("mc.sca_required", "65")] {
        assert_eq!(code(&world.send(&world.purchase(alias)).await), soft);
        let mut again = world.purchase(alias);
        world.authenticate(&mut again).await;
        assert_eq!(code(&world.send(&again).await), "00");
    }
}

#[actix_web::test]
async fn stop_orders_bite_when_the_merchant_starts_the_payment() {
    let world = World::start().await;
    for (alias, expected) in
        [("visa.stop_once", "R0"), ("visa.stop_merchant", "R1"), ("visa.stop_all", "R3")]
    {
        let mut message = world.purchase(alias);
        message.stored_credential = Some(merchant_initiated());
        assert_eq!(code(&world.send(&message).await), expected);
    }
}

#[actix_web::test]
async fn stories_that_unfold_over_several_payments() {
    let world = World::start().await;
    let pay = async |alias: &str| code(&world.send(&world.purchase(alias)).await);
    assert_eq!([pay("life.closed").await, pay("life.closed").await], ["00", "46"]);
    assert_eq!([pay("life.new_expiry").await, pay("life.new_expiry").await], ["00", "54"]);
    assert_eq!([pay("life.contact").await, pay("life.contact").await], ["00", "05"]);
    assert_eq!([pay("mc.mac_single_use").await, pay("mc.mac_single_use").await], ["00", "05"]);
    assert_eq!(pay("mc.mac_retry_1h").await, "51");
    world.advance(std::time::Duration::from_mins(30)).await;
    assert_eq!(pay("mc.mac_retry_1h").await, "51");
    world.advance(std::time::Duration::from_mins(31)).await;
    assert_eq!(pay("mc.mac_retry_1h").await, "00");
    assert_eq!(pay("mc.mac_retry_1h").await, "51", "an approval begins the story anew");
    world.check_invariants().await;
}

#[actix_web::test]
async fn results_beside_the_code_are_those_of_the_row() {
    let world = World::start().await;
    for (alias, security_code, address, advice) in [
        ("verif.avs_none", "M", Some("N"), None),
        ("verif.avs_unavailable", "M", Some("U"), None),
        ("verif.cvv_n_approved", "N", None, None),
        ("stripe.cvc_check_fails", "N", None, None),
        ("stripe.postal_check_fails", "M", Some("A"), None),
        ("stripe.line1_check_fails", "M", Some("Z"), None),
        ("stripe.address_checks_fail", "M", Some("N"), None),
        ("mc.mac_prepaid", "M", None, Some("40")),
        ("mc.mac_never", "M", None, Some("03")),
        ("mc.lifecycle", "M", None, Some("01")),
        ("mc.cvv_fail", "N", None, None),
    ] {
        let additional = world.send(&world.purchase(alias)).await.additional.unwrap();
        assert_eq!(additional.cvv_result.as_deref(), Some(security_code), "{alias}");
        assert_eq!(additional.avs_result.as_deref(), address, "{alias}");
        assert_eq!(additional.advice_code.as_deref(), advice, "{alias}");
    }
}

#[actix_web::test]
async fn partial_approvals_name_the_amount_that_is_approved() {
    let world = World::start().await;
    let answer = world.send(&world.purchase("verif.partial60")).await;
    assert_eq!((code(&answer), answer.amount.unwrap().get()), ("10".into(), 2999));
    let mut message = world.purchase("prepaid.100");
    message.amount = Some(crate::world::amount(12_000));
    assert_eq!(code(&world.send(&message).await), "51");
    let mut message = world.purchase("prepaid.100");
    message.amount = Some(crate::world::amount(12_000));
    message.accept_partial = Some(true);
    let answer = world.send(&message).await;
    assert_eq!((code(&answer), answer.amount.unwrap().get()), ("10".into(), 10_000));
    assert_eq!(world.held("prepaid.100").await, 10_000);
    assert_eq!(code(&world.send(&world.purchase("prepaid.100")).await), "51");
    world.check_invariants().await;
}
