//! Amounts that move: parts, several cards, increments, tips, windows, and making an
//! authorization again. Each row of the catalogue's group D is looked at from all three sides.

use crate::ladder::messages;
use payrig_tests::payer::CardTyped;
use payrig_tests::world::World;
use serde_json::{Value, json};

const VISA: &str = "4242424242424242";
const MASTERCARD: &str = "5555555555554444";
/// Covers 100.00 and no more.
const PREPAID: &str = "4000010080050009";
/// Approves 60 % of any amount, whether that is accepted or not.
const SIXTY_PERCENT: &str = "4000010080010003";
const HOTEL: &str = "7011";
const RESTAURANT: &str = "5812";

struct Paid {
    world: World,
    id: String,
    body: Value,
}

impl Paid {
    /// Pays at once by API; `terms` are merged into the request.
    async fn start(number: &str, value: i64, terms: Value) -> Self {
        let world = World::start().await;
        let (id, body) = pay(&world, number, value, terms).await;
        Self { world, id, body }
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let path = format!("/payments/{}/{path}", self.id);
        let answer = self.world.api("shop").post(&path, body).await;
        self.world.settle().await;
        (answer.status, answer.json())
    }

    async fn done(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.post(path, body.clone()).await;
        assert_eq!(status, 200, "{path} {body}: {answer:#}");
        answer
    }

    async fn refused(&self, path: &str, body: Value) -> String {
        let (status, problem) = self.post(path, body).await;
        assert!((400..500).contains(&status), "{path}: {problem:#}");
        problem["code"].as_str().unwrap().to_owned()
    }

    async fn payment(&self) -> Value {
        self.world.api("shop").get(&format!("/payments/{}", self.id)).await.json()
    }

    /// Status and amounts: authorized, captured, reversed.
    async fn sum(&self) -> (String, [i64; 3]) {
        self.world.settle().await;
        let payment = self.payment().await;
        let amount = |name: &str| payment["amounts"][name].as_i64().unwrap();
        let amounts = ["authorized", "captured", "reversed"].map(amount);
        (payment["status"].as_str().unwrap().to_owned(), amounts)
    }

    async fn pay_rest(&self, number: &str) -> Value {
        let token = self.world.token(number).await;
        self.done("confirm", json!({"card_token": token})).await
    }

    async fn messages(&self, link: &str, kind: &str) -> Vec<String> {
        messages(&self.world, link, kind).await
    }

    async fn end(&self) {
        self.world.assert_invariants().await;
    }
}

async fn pay(world: &World, number: &str, value: i64, terms: Value) -> (String, Value) {
    let token = world.token(number).await;
    let mut body = json!({"amount": {"value": value, "currency": "EUR"},
        "order_reference": format!("ref-{token}"), "card_token": token, "confirm": true,
        "capture": "manual"});
    for (name, value) in terms.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = world.api("shop").post("/payments", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    world.settle().await;
    let body = answer.json();
    (body["id"].as_str().unwrap().to_owned(), body)
}

fn sum(status: &str, amounts: [i64; 3]) -> (String, [i64; 3]) {
    (status.to_owned(), amounts)
}

#[actix_web::test]
async fn a3_a4_a_void_before_and_after_the_capture_gives_everything_back() {
    for captures in [false, true] {
        let paid = Paid::start(VISA, 10_000, json!({})).await;
        if captures {
            paid.done("capture", json!({})).await;
        }
        paid.done("void", json!({})).await;
        assert_eq!(paid.sum().await, sum("canceled", [10_000, 0, 10_000]));
        let payment = paid.payment().await;
        let withdrawn = payment["captures"][0]["status"] == "withdrawn";
        assert_eq!((withdrawn, &payment["reversal_state"]), (captures, &json!("acked")));
        let reversals = paid.messages("network->issuer", "reversal").await;
        assert_eq!(reversals, ["0400 4000 0 00"]);
        assert_eq!(paid.world.open_holds().await, 0);
        paid.end().await;
    }
}

#[actix_web::test]
async fn a_card_may_allow_more_than_its_network() {
    let paid = Paid::start("4000010050060004", 10_000, json!({})).await;
    assert_eq!(paid.payment().await["capturable"], 12_000);
    paid.done("capture", json!({"amount": 12_000})).await;
    assert_eq!(paid.sum().await, sum("captured", [10_000, 12_000, 0]));
    paid.end().await;
}

#[actix_web::test]
async fn d1_a_prepaid_card_covers_a_part_and_a_second_card_the_rest() {
    let terms = json!({"accept_partial": true, "capture": "automatic"});
    let paid = Paid::start(PREPAID, 16_000, terms).await;
    assert_eq!(paid.body["status"], "authorized", "{:#}", paid.body);
    assert_eq!(paid.body["amounts"]["authorized"], 10_000);
    assert_eq!(paid.world.open_holds().await, 10_000);
    let whole = paid.pay_rest(VISA).await;
    assert_eq!(whole["status"], "captured", "{whole:#}");
    assert_eq!(paid.sum().await, sum("captured", [16_000, 16_000, 0]));
    let attempts = whole["attempts"].as_array().unwrap();
    let codes: Vec<_> = attempts.iter().map(|it| it["response_code"].clone()).collect();
    assert_eq!(codes, ["10", "00"]);
    let captures = paid.messages("gateway->processor", "capture").await;
    assert_eq!(captures, ["0220 201 10000 00", "0220 201 6000 00"]);
    assert_eq!(paid.world.open_holds().await, 16_000);
    paid.end().await;
}

#[actix_web::test]
async fn d1_on_the_page_the_payer_is_asked_for_the_rest() {
    let world = World::start().await;
    let body = json!({"amount": {"value": 16_000, "currency": "EUR"}, "order_reference": "split",
        "accept_partial": true});
    let created = world.api("shop").post("/payments", body).await.json();
    let mut payer = world.payer();
    let page = payer.open(created["checkout_url"].as_str().unwrap()).await;
    let part = payer.pay(&page, CardTyped::new(PREPAID)).await;
    assert_eq!(part.attribute("decline", "data-family").as_deref(), Some("part"), "{}", part.html);
    assert!(part.text("decline").contains("100.00"), "{}", part.text("decline"));
    assert!(part.text("decline-text").contains("60.00"), "{}", part.text("decline-text"));
    assert!(part.text("amount").contains("60.00"), "{}", part.text("amount"));
    let declined = payer.pay(&part, CardTyped::new("4000000000009995")).await;
    assert_eq!(declined.attribute("decline", "data-family").as_deref(), Some("funds"));
    assert_eq!(world.open_holds().await, 10_000, "a decline leaves the part of the first card");
    let whole = payer.pay(&declined, CardTyped::new(VISA)).await;
    assert_eq!(whole.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.settle().await;
    assert_eq!(world.payment_by_reference("split").await["amounts"]["captured"], 16_000);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn d1_a_part_that_nobody_completes_is_given_back_when_the_page_ends() {
    for cancels in [true, false] {
        let world = World::start().await;
        let body = json!({"amount": {"value": 16_000, "currency": "EUR"},
            "order_reference": "split", "accept_partial": true});
        let created = world.api("shop").post("/payments", body).await.json();
        let mut payer = world.payer();
        let page = payer.open(created["checkout_url"].as_str().unwrap()).await;
        let part = payer.pay(&page, CardTyped::new(PREPAID)).await;
        if cancels {
            let page = payer.fill(&part, "/cancel\"", &[]).await;
            let outcome = page.attribute("outcome", "data-outcome");
            assert_eq!(outcome.as_deref(), Some("canceled"), "{}", page.html);
        } else {
            world.advance("31m").await;
        }
        world.settle().await;
        let payment = world.payment_by_reference("split").await;
        assert_eq!(payment["status"], "canceled", "{payment:#}");
        assert_eq!(payment["reversal_state"], "acked");
        assert_eq!(world.open_holds().await, 0);
        world.assert_invariants().await;
    }
}

#[actix_web::test]
async fn d1_a_merchant_accepts_the_part_or_voids_it() {
    let terms = json!({"accept_partial": true});
    let paid = Paid::start(PREPAID, 16_000, terms.clone()).await;
    paid.done("capture", json!({})).await;
    assert_eq!(paid.sum().await, sum("captured", [10_000, 10_000, 0]));
    paid.end().await;
    let paid = Paid::start(PREPAID, 16_000, terms).await;
    paid.done("void", json!({})).await;
    assert_eq!(paid.sum().await, sum("canceled", [10_000, 0, 10_000]));
    assert_eq!(paid.world.open_holds().await, 0);
    paid.end().await;
}

#[actix_web::test]
async fn d2_a_part_that_is_not_accepted_is_reversed_by_itself() {
    let paid = Paid::start(SIXTY_PERCENT, 10_000, json!({})).await;
    assert_eq!(paid.body["status"], "requires_payment_method", "{:#}", paid.body);
    assert_eq!(paid.body["failure"]["code"], "partial_approval");
    let reversals = paid.messages("gateway->processor", "reversal").await;
    assert_eq!(reversals, ["0400 4000 0 00"]);
    assert_eq!(paid.world.open_holds().await, 0);
    paid.end().await;
}

#[actix_web::test]
async fn d3_a_hotel_raises_its_estimate_twice_and_captures_less() {
    let terms = json!({"estimated": true, "mcc": HOTEL});
    let paid = Paid::start(VISA, 20_000, terms).await;
    paid.done("increment", json!({"amount": 5_000})).await;
    let raised = paid.done("increment", json!({"amount": 3_000})).await;
    assert_eq!(raised["status"], "authorized");
    assert_eq!(paid.sum().await, sum("authorized", [28_000, 0, 0]));
    assert_eq!(paid.world.open_holds().await, 28_000);
    paid.done("capture", json!({"amount": 26_500, "final": true})).await;
    assert_eq!(paid.sum().await, sum("captured", [28_000, 26_500, 1_500]));
    let asked = paid.messages("gateway->processor", "authorization").await;
    assert_eq!(asked, ["0100 101 20000 00", "0100 187 5000 00", "0100 187 3000 00"]);
    let captures = paid.messages("gateway->processor", "capture").await;
    assert_eq!(captures, ["0220 202 26500 00"]);
    let reversals = paid.messages("gateway->processor", "reversal").await;
    assert_eq!(reversals, ["0400 4004 26500 00"]);
    assert_eq!(paid.world.open_holds().await, 26_500);
    let ids: Vec<_> = paid.payment().await["attempts"].as_array().unwrap().clone();
    assert_eq!(ids.iter().filter(|it| it["kind"] == "increment").count(), 2);
    paid.end().await;
}

#[actix_web::test]
async fn d4_a_declined_increment_leaves_the_estimate() {
    let terms = json!({"estimated": true, "mcc": HOTEL});
    let paid = Paid::start(PREPAID, 8_000, terms).await;
    let declined = paid.done("increment", json!({"amount": 3_000})).await;
    assert_eq!(declined["status"], "authorized", "{declined:#}");
    assert_eq!(declined["failure"]["code"], "insufficient_funds");
    assert_eq!(paid.sum().await, sum("authorized", [8_000, 0, 0]));
    assert_eq!(paid.world.open_holds().await, 8_000);
    paid.done("increment", json!({"amount": 2_000})).await;
    assert_eq!(paid.world.open_holds().await, 10_000);
    paid.end().await;
}

#[actix_web::test]
async fn d5_d6_what_is_captured_or_final_is_not_raised() {
    let estimate = json!({"estimated": true, "mcc": HOTEL});
    let paid = Paid::start(VISA, 20_000, estimate).await;
    paid.done("capture", json!({"amount": 5_000})).await;
    assert_eq!(paid.refused("increment", json!({"amount": 1_000})).await, "not_incrementable");
    let before = paid.messages("gateway->processor", "authorization").await.len();
    assert_eq!(before, 1, "nothing was sent");
    paid.end().await;
    let paid = Paid::start(VISA, 20_000, json!({})).await;
    assert_eq!(paid.refused("increment", json!({"amount": 1_000})).await, "not_incrementable");
    assert_eq!(paid.sum().await, sum("authorized", [20_000, 0, 0]));
    paid.end().await;
    let paid =
        Paid::start("3528010000000006", 20_000, json!({"estimated": true, "mcc": HOTEL})).await;
    assert_eq!(paid.refused("increment", json!({"amount": 1_000})).await, "not_incrementable");
    paid.end().await;
}

#[actix_web::test]
async fn d7_an_increment_moves_the_window_on_mastercard_and_not_on_visa() {
    for (number, moves) in [(VISA, false), (MASTERCARD, true)] {
        let terms = json!({"estimated": true, "mcc": HOTEL});
        let paid = Paid::start(number, 20_000, terms).await;
        let before = paid.payment().await["capture_before"].as_str().unwrap().to_owned();
        paid.world.advance("10d").await;
        paid.done("increment", json!({"amount": 5_000})).await;
        let after = paid.payment().await["capture_before"].as_str().unwrap().to_owned();
        assert_eq!(after > before, moves, "{number}: {before} {after}");
        paid.world.advance("25d").await;
        let (status, held) = if moves { ("authorized", 25_000) } else { ("expired", 0) };
        assert_eq!(paid.sum().await.0, status, "{number}");
        assert_eq!(paid.world.open_holds().await, held, "{number}");
        paid.end().await;
    }
}

#[actix_web::test]
async fn an_increment_whose_answer_is_lost_is_found_out_or_taken_back() {
    for (lost, authorized) in [("drop_response", 25_000), ("drop_request", 20_000)] {
        let terms = json!({"estimated": true, "mcc": HOTEL});
        let paid = Paid::start(VISA, 20_000, terms).await;
        let fault = json!({"on": "gateway->processor", "match": {"type": "authorization"},
            "times": 1, "do": lost});
        paid.world.fault("gateway", fault).await;
        let api = paid.world.api("shop");
        let path = format!("/payments/{}/increment", paid.id);
        let asking =
            tokio::task::spawn(async move { api.post(&path, json!({"amount": 5_000})).await });
        tokio::task::yield_now().await;
        paid.world.advance("5m").await;
        let _ = asking.await;
        assert_eq!(paid.sum().await, sum("authorized", [authorized, 0, 0]), "{lost}");
        assert_eq!(paid.world.open_holds().await, authorized, "{lost}");
        paid.end().await;
    }
}

#[actix_web::test]
async fn d8_on_the_eleventh_day_a_visa_authorization_is_over() {
    let paid = Paid::start(VISA, 10_000, json!({})).await;
    paid.world.advance("11d").await;
    assert_eq!(paid.sum().await, sum("expired", [10_000, 0, 10_000]));
    assert_eq!(paid.refused("capture", json!({})).await, "payment_expired");
    let reversals = paid.messages("gateway->processor", "reversal").await;
    assert_eq!(reversals, ["0420 4351 0 00"]);
    assert_eq!(paid.world.open_holds().await, 0);
    paid.end().await;
}

#[actix_web::test]
async fn d9_a_hold_that_its_bank_released_early_can_still_be_captured() {
    let paid = Paid::start("4000010050070003", 10_000, json!({})).await;
    paid.world.advance("6d").await;
    assert_eq!(paid.world.open_holds().await, 0, "the bank let go on day 5");
    paid.world.advance("3d").await;
    paid.done("capture", json!({})).await;
    assert_eq!(paid.sum().await, sum("captured", [10_000, 10_000, 0]));
    let captures = paid.messages("gateway->processor", "capture").await;
    assert_eq!(captures, ["0220 201 10000 00"]);
    paid.end().await;
}

#[actix_web::test]
async fn d10_a_final_capture_gives_the_rest_back() {
    let paid = Paid::start(VISA, 10_000, json!({})).await;
    paid.done("capture", json!({"amount": 7_000, "final": true})).await;
    assert_eq!(paid.sum().await, sum("captured", [10_000, 7_000, 3_000]));
    let reversals = paid.messages("network->issuer", "reversal").await;
    assert_eq!(reversals, ["0400 4004 7000 00"]);
    assert_eq!(paid.world.open_holds().await, 7_000);
    paid.end().await;
}

#[actix_web::test]
async fn d11_d12_three_parts_make_the_whole_and_a_fourth_is_too_much() {
    let paid = Paid::start(VISA, 10_000, json!({})).await;
    for (part, status) in
        [(3_000, "partially_captured"), (3_000, "partially_captured"), (4_000, "captured")]
    {
        assert_eq!(paid.done("capture", json!({"amount": part})).await["status"], status);
    }
    assert_eq!(paid.refused("capture", json!({"amount": 1})).await, "amount_too_large");
    assert_eq!(paid.sum().await, sum("captured", [10_000, 10_000, 0]));
    let captures = paid.messages("gateway->processor", "capture").await;
    assert_eq!(captures, ["0220 202 3000 00", "0220 202 3000 00", "0220 202 4000 00"]);
    paid.end().await;
}

#[actix_web::test]
async fn d13_d14_a_restaurant_may_add_a_tip_of_a_fifth_and_no_more() {
    let terms = json!({"mcc": RESTAURANT});
    let paid = Paid::start(VISA, 10_000, terms.clone()).await;
    assert_eq!(paid.payment().await["capturable"], 12_000);
    assert_eq!(paid.refused("capture", json!({"amount": 12_500})).await, "amount_too_large");
    assert_eq!(paid.sum().await, sum("authorized", [10_000, 0, 0]));
    paid.done("capture", json!({"amount": 11_800})).await;
    assert_eq!(paid.sum().await, sum("captured", [10_000, 11_800, 0]));
    let captures = paid.messages("gateway->processor", "capture").await;
    assert_eq!(captures, ["0220 202 11800 00"]);
    paid.end().await;
    // Mastercard knows no tolerance, and neither does another trade.
    let paid = Paid::start(MASTERCARD, 10_000, terms).await;
    assert_eq!(paid.refused("capture", json!({"amount": 11_800})).await, "amount_too_large");
    paid.end().await;
    let paid = Paid::start(VISA, 10_000, json!({})).await;
    assert_eq!(paid.refused("capture", json!({"amount": 10_001})).await, "amount_too_large");
    paid.end().await;
}

#[actix_web::test]
async fn d15_after_a_part_was_captured_the_remainder_is_voided() {
    let paid = Paid::start(VISA, 10_000, json!({})).await;
    paid.done("capture", json!({"amount": 4_000})).await;
    paid.done("void", json!({})).await;
    assert_eq!(paid.sum().await, sum("captured", [10_000, 4_000, 6_000]));
    let reversals = paid.messages("network->issuer", "reversal").await;
    assert_eq!(reversals, ["0400 4000 4000 00"]);
    assert_eq!(paid.world.open_holds().await, 4_000);
    paid.end().await;
}

#[actix_web::test]
async fn d16_what_ran_out_is_authorized_again_with_the_same_card() {
    let paid = Paid::start(VISA, 10_000, json!({})).await;
    let request = |reference: &str| {
        json!({"amount": {"value": 10_000, "currency": "EUR"}, "order_reference": reference,
            "capture": "manual", "previous_payment": paid.id, "confirm": true})
    };
    let api = paid.world.api("shop");
    let early = api.post("/payments", request("again-early")).await;
    assert_eq!(early.json()["code"], "not_reauthorizable", "{}", early.text());
    paid.world.advance("11d").await;
    let again = api.post("/payments", request("again")).await;
    assert_eq!(again.status, 201, "{}", again.text());
    let (first, again) = (paid.payment().await, again.json());
    assert_eq!((&first["status"], &again["status"]), (&json!("expired"), &json!("authorized")));
    assert_eq!(again["previous_payment"], first["id"]);
    assert_eq!(again["network_transaction_id"], first["network_transaction_id"]);
    assert_ne!(again["attempts"][0]["rrn"], first["attempts"][0]["rrn"]);
    assert_eq!(paid.world.open_holds().await, 10_000);
    paid.end().await;
}

#[actix_web::test]
async fn terms_that_make_no_sense_are_refused_by_name() {
    let world = World::start().await;
    let token = world.token(VISA).await;
    let cases = [
        (json!({"mcc": "58"}), "mcc_invalid"),
        (json!({"mcc": "58x2"}), "mcc_invalid"),
        (json!({"estimated": true, "capture": "automatic"}), "field_invalid"),
        (json!({"previous_payment": "pay_00000000000000000000000000"}), "field_invalid"),
        (json!({"accept_partial": "yes"}), "field_invalid"),
    ];
    for (terms, code) in cases {
        let mut body = json!({"amount": {"value": 100, "currency": "EUR"},
            "order_reference": "terms", "card_token": token, "confirm": true,
            "capture": "manual"});
        for (name, value) in terms.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = world.api("shop").post("/payments", body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some(code)), "{terms}");
    }
    world.assert_invariants().await;
}
