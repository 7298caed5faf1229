//! Every card of the catalogue does what its row says, through the gateway's API.

use payrig_tests::world::World;
use serde_json::Value;

/// What a first payment with this card ends in, without a browser: status and decline code.
fn expected(outcome: &str, decline: &str) -> (&'static str, String) {
    match outcome {
        "lost_approve" | "reversal_response_lost" | "reversal_refused_then_ok" => {
            ("failed", "timeout_reversed".into())
        }
        "late_approve" | "timeout_no_stand_in" => {
            ("requires_payment_method", "issuer_unavailable".into())
        }
        "decline" | "partial_approval" => ("requires_payment_method", decline.into()),
        "threeds_not_authenticated" | "threeds_rejected" | "threeds_required_error" => {
            ("requires_payment_method", decline.into())
        }
        "decline_until_authenticated"
        | "threeds_always"
        | "threeds_challenge"
        | "threeds_challenge_abandon"
        | "threeds_challenge_error"
        | "threeds_challenge_fail"
        | "threeds_on_session_only"
        | "threeds_then_decline"
        | "threeds_unless_set_up" => ("requires_action", String::new()),
        "decline_after_attach" => ("requires_payment_method", "generic_decline".into()),
        "risk_block" => ("requires_payment_method", "fraudulent".into()),
        _ => ("captured", String::new()),
    }
}

#[actix_web::test]
async fn every_card_does_what_its_row_says() {
    let world = World::start().await;
    let mut wrong = Vec::new();
    let mut tried = 0;
    for card in wire::test_cards::all() {
        if card.outcome == "form_error" {
            continue;
        }
        let number = card.number.digits().to_owned();
        let reference = format!("card-{}", card.alias);
        let code = if card.brand == wire::card::Brand::Amex { "1234" } else { "123" };
        let token = world.request_token(&number, "12/30", code).await;
        if token.status != 201 {
            wrong.push(format!("{}: no token: {}", card.alias, token.text()));
            continue;
        }
        let token = token.json()["id"].as_str().unwrap().to_owned();
        let pay = world.begin_with_token(&token, 4999, "EUR", &reference).await;
        world.settle().await;
        let mut payment = world.payment_by_reference(&reference).await;
        if payment["status"] == "processing" {
            world.advance("20m").await;
            payment = world.payment_by_reference(&reference).await;
        }
        let _ = pay.await;
        tried += 1;
        let status = payment["status"].as_str().unwrap_or("none").to_owned();
        let code = payment["failure"]["code"].as_str().unwrap_or("").to_owned();
        let decline = card.decline_code.map_or("", |code| code.as_str());
        let (wanted, wanted_code) = expected(&card.outcome, decline);
        if status != wanted || (!wanted_code.is_empty() && code != wanted_code) {
            wrong.push(format!(
                "{} ({}): wanted {wanted} {wanted_code}, got {status} {code} {}",
                card.alias,
                card.outcome,
                payment["failure"].get("response_code").unwrap_or(&Value::Null)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    world.assert_invariants().await;
}
