//! Saved cards, payments that the merchant starts, verifications, and the merchant's own rules.

use crate::ladder::messages;
use payrig_tests::payer::CardTyped;
use payrig_tests::world::World;
use serde_json::{Value, json};

const VISA: &str = "4000010000000001";
const STOP_MERCHANT: &str = "4000010020050002";
const SCA_REQUIRED: &str = "4000010020010006";
const CVV_NO_MATCH: &str = "4000010080040000";
const AVS_NO_MATCH: &str = "4000010080020002";
const SINGLE_USE: &str = "5200010021410002";

/// A world with a customer.
struct Shop {
    world: World,
    customer: String,
}

impl Shop {
    async fn start() -> Self {
        let world = World::start().await;
        let new = json!({"name": "Ada Example", "email": "ada@example.com", "reference": "c-1"});
        let answer = world.api("shop").post("/customers", new).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let customer = answer.json()["id"].as_str().unwrap().to_owned();
        Self { world, customer }
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.world.api("shop").post(path, body).await;
        self.world.settle().await;
        (answer.status, answer.json())
    }

    async fn get(&self, path: &str) -> Value {
        self.world.api("shop").get(path).await.json()
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        let answer = self.world.api("shop").call("DELETE", path, None, Default::default()).await;
        self.world.settle().await;
        (answer.status, answer.json())
    }

    /// Pays at once with a card that its customer lets be saved.
    async fn first(&self, number: &str, value: i64) -> Value {
        let token = self.world.token(number).await;
        let body = json!({"amount": {"value": value, "currency": "EUR"},
            "order_reference": format!("first-{token}"), "card_token": token, "confirm": true,
            "customer_id": self.customer, "save_card": {"reason": "recurring"}});
        let (status, payment) = self.post("/payments", body).await;
        assert_eq!(status, 201, "{payment:#}");
        payment
    }

    /// A payment that the merchant starts.
    async fn by_merchant(&self, with: Value, value: i64, reference: &str) -> (u16, Value) {
        let mut body = json!({"amount": {"value": value, "currency": "EUR"},
            "order_reference": reference, "confirm": true, "initiator": "merchant",
            "mit_reason": "recurring"});
        body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        self.post("/payments", body).await
    }

    async fn cards(&self) -> Vec<Value> {
        let path = format!("/customers/{}/cards", self.customer);
        self.get(&path).await["data"].as_array().unwrap().clone()
    }
}

#[actix_web::test]
async fn a_card_is_saved_on_the_payment_page_when_its_holder_ticks_the_box() {
    let shop = Shop::start().await;
    let body = json!({"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "page-1",
        "customer_id": shop.customer, "save_card": {"reason": "unscheduled"}});
    let (status, payment) = shop.post("/payments", body).await;
    assert_eq!(status, 201, "{payment:#}");
    let mut payer = shop.world.payer();
    let page = payer.open(payment["checkout_url"].as_str().unwrap()).await;
    assert!(page.text("consent").contains("Save this card"), "{}", page.html);
    let typed =
        [("cc-number", VISA), ("cc-exp", "12 / 30"), ("cc-csc", "123"), ("save-card", "yes")];
    payer.fill(&page, "data-testid=\"card-form\"", &typed).await;
    shop.world.settle().await;

    let paid = shop.get(&format!("/payments/{}", payment["id"].as_str().unwrap())).await;
    assert_eq!(paid["status"], "captured", "{paid:#}");
    let cards = shop.cards().await;
    let [card] = cards.as_slice() else { panic!("{cards:#?}") };
    assert_eq!(paid["stored_card"], card["id"]);
    assert_eq!(card["agreement"], payment["id"]);
    assert_eq!(card["network_transaction_id"], paid["network_transaction_id"]);
    assert_eq!((card["first6"].as_str(), card["last4"].as_str()), (Some("400001"), Some("0001")));
    assert_eq!(card["consent"]["given_on"], "payment_page");
    let words = card["consent"]["text"].as_str().unwrap();
    assert!(words.contains("Save this card"), "{words}");
    assert_eq!(card["par"].as_str().unwrap().len(), 29);

    // The merchant starts the next payment under the number of the first.
    let with = json!({"card": card["id"], "agreement": payment["id"]});
    let (status, next) = shop.by_merchant(with, 500, "page-2").await;
    assert_eq!((status, next["status"].as_str()), (201, Some("captured")), "{next:#}");
    assert_eq!(next["network_transaction_id"], paid["network_transaction_id"]);
    assert_eq!(
        (next["initiator"].as_str(), next["agreement"].as_str()),
        (Some("merchant"), payment["id"].as_str())
    );
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn nobody_is_asked_to_save_a_card_where_the_payment_does_not_and_none_is_saved_unasked() {
    let shop = Shop::start().await;
    let body = json!({"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "page-1",
        "customer_id": shop.customer});
    let (_, payment) = shop.post("/payments", body.clone()).await;
    let page = shop.world.payer().open(payment["checkout_url"].as_str().unwrap()).await;
    assert!(!page.has("save-card"));

    let mut asking = body;
    asking["save_card"] = json!({});
    asking["order_reference"] = json!("page-2");
    let (_, payment) = shop.post("/payments", asking.clone()).await;
    let mut payer = shop.world.payer();
    let page = payer.open(payment["checkout_url"].as_str().unwrap()).await;
    payer.pay(&page, CardTyped::new(VISA)).await;
    shop.world.settle().await;
    assert!(shop.cards().await.is_empty());

    // A subscription cannot do without.
    asking["save_card"] = json!({"required": true, "text": "Charge me every month"});
    asking["order_reference"] = json!("page-3");
    let (_, payment) = shop.post("/payments", asking).await;
    let page = payer.open(payment["checkout_url"].as_str().unwrap()).await;
    assert_eq!(page.text("consent"), "Charge me every month");
    let refused = payer.pay(&page, CardTyped::new(VISA)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.text("save-card-error"), "This payment needs your consent: tick the box.");
    let seen = shop.get(&format!("/payments/{}", payment["id"].as_str().unwrap())).await;
    assert_eq!(seen["attempts"], json!([]));
}

#[actix_web::test]
async fn one_first_payment_and_months_of_payments_that_the_merchant_starts() {
    let shop = Shop::start().await;
    let first = shop.first(VISA, 999).await;
    let ntid = first["network_transaction_id"].clone();
    // A whole year is a scenario: `scenarios/stored-credentials/a-year`.
    for month in 1..=3 {
        shop.world.advance("720h").await;
        let with = json!({"card": first["stored_card"]});
        let (status, next) = shop.by_merchant(with, 999, &format!("month-{month}")).await;
        assert_eq!((status, next["status"].as_str()), (201, Some("captured")), "{next:#}");
        assert_eq!(next["network_transaction_id"], ntid);
    }
    shop.world.advance("72h").await;
    let listed = shop.get("/payments?limit=100&status=captured").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 4);
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn without_an_approved_first_payment_the_merchant_starts_none() {
    let shop = Shop::start().await;
    // Declined: nothing is saved, and nothing is agreed.
    let declined = shop.first("4000010010510007", 999).await;
    assert_eq!(declined["status"], "requires_payment_method");
    assert!(shop.cards().await.is_empty());
    let (status, refused) =
        shop.by_merchant(json!({"agreement": declined["id"]}), 999, "m-1").await;
    assert_eq!((status, refused["code"].as_str()), (422, Some("no_agreement")), "{refused:#}");

    // Saved without a payment: the same.
    let token = shop.world.token(VISA).await;
    let path = format!("/customers/{}/cards", shop.customer);
    let body = json!({"card_token": token, "consent": {"reason": "recurring"}});
    let (status, card) = shop.post(&path, body).await;
    assert_eq!(status, 201, "{card:#}");
    let (status, refused) = shop.by_merchant(json!({"card": card["id"]}), 999, "m-2").await;
    assert_eq!((status, refused["code"].as_str()), (422, Some("no_agreement")), "{refused:#}");
    let sent = messages(&shop.world, "gateway->processor", "authorization").await;
    assert_eq!(sent.len(), 1, "only the first: {sent:?}");

    // Its customer may pay with it, with one click and without the code.
    let body = json!({"amount": {"value": 700, "currency": "EUR"}, "order_reference": "click",
        "confirm": true, "customer_id": shop.customer, "card": card["id"]});
    let (status, paid) = shop.post("/payments", body.clone()).await;
    assert_eq!((status, paid["status"].as_str()), (201, Some("captured")), "{paid:#}");
    assert_eq!(paid.get("initiator"), None);
    // Nobody else may.
    let other = shop.post("/customers", json!({})).await.1;
    let mut theft = body;
    theft["customer_id"] = other["id"].clone();
    let (status, refused) = shop.post("/payments", theft).await;
    assert_eq!((status, refused["code"].as_str()), (404, Some("card_not_found")));
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn an_agreement_from_before_the_numbers_goes_out_flagged() {
    let shop = Shop::start().await;
    let token = shop.world.token(VISA).await;
    let path = format!("/customers/{}/cards", shop.customer);
    let body = json!({"card_token": token, "consent": {"reason": "recurring"},
        "grandfathered": true});
    let (_, card) = shop.post(&path, body).await;
    let (status, paid) = shop.by_merchant(json!({"card": card["id"]}), 999, "m-1").await;
    assert_eq!((status, paid["status"].as_str()), (201, Some("captured")), "{paid:#}");
    assert_eq!(paid["grandfathered"], true);
    shop.world.assert_invariants().await;
}

/// Retries of saved cards.
impl Shop {
    /// A card that is saved under an agreement from before the numbers of networks.
    async fn imported(&self, number: &str) -> Value {
        let token = self.world.token(number).await;
        let path = format!("/customers/{}/cards", self.customer);
        let body = json!({"card_token": token, "consent": {}, "grandfathered": true});
        let (status, card) = self.post(&path, body).await;
        assert_eq!(status, 201, "{card:#}");
        card["id"].clone()
    }

    /// The code and the advice of a payment that the merchant starts.
    async fn tried(&self, card: &Value, value: i64, reference: &str) -> (String, String) {
        let (status, tried) = self.by_merchant(json!({"card": card}), value, reference).await;
        assert_eq!(status, 201, "{tried:#}");
        let word = |name: &str| tried["failure"][name].as_str().unwrap_or("-").to_owned();
        (word("code"), word("advice"))
    }

    async fn sent_to_networks(&self) -> usize {
        messages(&self.world, "processor->network", "authorization").await.len()
    }
}

fn pair(code: &str, advice: &str) -> (String, String) {
    (code.to_owned(), advice.to_owned())
}

#[actix_web::test]
async fn after_a_hard_decline_the_same_card_and_amount_are_not_sent_again() {
    for (number, code) in [("4000010010410000", "lost_card"), ("4000010010430008", "stolen_card")] {
        let shop = Shop::start().await;
        let card = shop.imported(number).await;
        assert_eq!(shop.tried(&card, 999, "one").await, pair(code, "do_not_retry"));
        assert_eq!(shop.tried(&card, 999, "two").await, pair("retry_blocked", "do_not_retry"));
        assert_eq!(shop.sent_to_networks().await, 1, "one decline only");
        // Another amount is another payment.
        assert_eq!(shop.tried(&card, 500, "three").await.0, code);
        shop.world.assert_invariants().await;
    }
}

#[actix_web::test]
async fn the_sixteenth_retry_after_soft_declines_within_thirty_days_is_not_sent() {
    let shop = Shop::start().await;
    let card = shop.imported("4000010010510007").await;
    for n in 0..16 {
        let tried = shop.tried(&card, 999, &format!("try-{n}")).await;
        assert_eq!(tried, pair("insufficient_funds", "retry_later"), "{n}");
        shop.world.advance("24h").await;
    }
    let (_, blocked) = shop.by_merchant(json!({"card": card}), 999, "try-16").await;
    assert_eq!(blocked["failure"]["code"], "retry_blocked", "{blocked:#}");
    assert_eq!(shop.sent_to_networks().await, 16);
    // Thirty days after the first of them there is room again.
    shop.world.advance("360h").await;
    assert_eq!(shop.tried(&card, 999, "later").await.0, "insufficient_funds");
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_merchant_advice_code_says_when_the_card_may_be_tried_again() {
    let shop = Shop::start().await;
    let token = shop.world.token("5200010021240003").await;
    let body = json!({"amount": {"value": 0, "currency": "EUR"}, "purpose": "verification",
        "order_reference": "verify", "card_token": token, "confirm": true,
        "customer_id": shop.customer, "save_card": {"reason": "recurring"}});
    let (_, verified) = shop.post("/payments", body).await;
    assert_eq!(verified["status"], "verified", "{verified:#}");
    let with = json!({"card": verified["stored_card"]});
    let (_, declined) = shop.by_merchant(with.clone(), 999, "at once").await;
    assert_eq!(declined["failure"]["code"], "insufficient_funds", "{declined:#}");
    assert_eq!(declined["failure"]["retry_after"], "2026-01-15T11:00:00.000Z");
    shop.world.advance("30m").await;
    let (_, early) = shop.by_merchant(with.clone(), 999, "after 30 minutes").await;
    assert_eq!(early["failure"]["code"], "retry_blocked", "{early:#}");
    assert_eq!(early["failure"]["advice"], "retry_later");
    assert_eq!(early["failure"]["retry_after"], "2026-01-15T11:00:00.000Z");
    shop.world.advance("31m").await;
    let (_, paid) = shop.by_merchant(with, 999, "after 61 minutes").await;
    assert_eq!(paid["status"], "captured", "{paid:#}");
    assert_eq!(shop.sent_to_networks().await, 3, "verification, decline, approval");
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn the_fourth_wrong_security_code_of_a_card_in_a_day_is_not_sent() {
    let shop = Shop::start().await;
    let pay = async |code: &str, reference: String| {
        let token = shop.world.request_token(VISA, "12/30", code).await.json()["id"].clone();
        let body = json!({"amount": {"value": 999, "currency": "EUR"}, "card_token": token,
            "order_reference": reference, "confirm": true});
        shop.post("/payments", body).await.1["failure"]["code"].clone()
    };
    for n in 0..3 {
        assert_eq!(pay("999", format!("wrong-{n}")).await, "incorrect_cvc");
    }
    assert_eq!(pay("123", "right".to_owned()).await, "retry_blocked");
    assert_eq!(shop.sent_to_networks().await, 3);
    shop.world.advance("24h").await;
    assert_eq!(pay("123", "next day".to_owned()).await, Value::Null);
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_network_may_refuse_what_names_no_first_payment() {
    let shop = Shop::start().await;
    let card = shop.imported("5200010000000006").await;
    let (_, failed) = shop.by_merchant(json!({"card": card}), 999, "m").await;
    assert_eq!(failed["failure"]["response_code"], "05", "{failed:#}");
    assert_eq!(failed["grandfathered"], true);
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_stop_order_and_a_missing_authentication_end_payments_that_the_merchant_starts() {
    let shop = Shop::start().await;
    let stopped = shop.first(STOP_MERCHANT, 999).await;
    assert_eq!(stopped["status"], "captured");
    let (status, failed) =
        shop.by_merchant(json!({"card": stopped["stored_card"]}), 999, "s").await;
    assert_eq!((status, failed["status"].as_str()), (201, Some("failed")), "{failed:#}");
    assert_eq!(failed["failure"]["code"], "stop_payment_merchant");
    assert_eq!(failed["failure"]["advice"], "stop_recurring");

    // The card wants its holder: here it never got one, so it was imported.
    let token = shop.world.token(SCA_REQUIRED).await;
    let path = format!("/customers/{}/cards", shop.customer);
    let body = json!({"card_token": token, "consent": {}, "grandfathered": true});
    let (_, card) = shop.post(&path, body).await;
    let (_, failed) = shop.by_merchant(json!({"card": card["id"]}), 999, "a").await;
    assert_eq!(failed["status"], "failed", "{failed:#}");
    assert_eq!(failed["failure"]["code"], "authentication_required");
    assert_eq!(failed["failure"]["advice"], "authenticate");
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_single_use_card_is_saved_with_a_warning_and_pays_no_second_time() {
    let shop = Shop::start().await;
    let first = shop.first(SINGLE_USE, 999).await;
    assert_eq!(first["status"], "captured", "{first:#}");
    assert_eq!(shop.cards().await[0]["warning"], "single_use_virtual_card");
    let (_, failed) = shop.by_merchant(json!({"card": first["stored_card"]}), 999, "m").await;
    assert_eq!(
        (failed["status"].as_str(), failed["failure"]["response_code"].as_str()),
        (Some("failed"), Some("05")),
        "{failed:#}"
    );
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn an_account_is_verified_without_money() {
    let shop = Shop::start().await;
    let token = shop.world.token(VISA).await;
    let body = json!({"amount": {"value": 0, "currency": "EUR"}, "purpose": "verification",
        "order_reference": "verify", "card_token": token, "confirm": true,
        "customer_id": shop.customer, "save_card": {"reason": "unscheduled"}});
    let (status, verified) = shop.post("/payments", body.clone()).await;
    assert_eq!((status, verified["status"].as_str()), (201, Some("verified")), "{verified:#}");
    assert_eq!(verified["attempts"][0]["response_code"], "85");
    assert_eq!(shop.world.open_holds().await, 0);
    let card = shop.world.sandbox("processor-sim", "GET", "/cards/visa.ok", Value::Null).await;
    assert_eq!(card.json()["verifications"], 1, "{}", card.text());
    // A verification begins an agreement as a payment does.
    let (_, next) = shop.by_merchant(json!({"card": verified["stored_card"]}), 500, "m").await;
    assert_eq!(next["status"], "captured", "{next:#}");
    assert_eq!(next["network_transaction_id"], verified["network_transaction_id"]);
    for wrong in [json!({"value": 100, "currency": "EUR"}), Value::Null] {
        let mut body = body.clone();
        if wrong.is_null() {
            body.as_object_mut().unwrap().remove("purpose");
        } else {
            body["amount"] = wrong;
        }
        let (status, refused) = shop.post("/payments", body).await;
        assert_eq!((status, refused["code"].as_str()), (400, Some("invalid_amount")));
    }
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn the_merchants_rules_take_an_approval_back_or_hold_it_for_review() {
    let shop = Shop::start().await;
    let pay = async |number: &str, rules: Value| {
        let token = shop.world.token(number).await;
        let body = json!({"amount": {"value": 999, "currency": "EUR"}, "check_rules": rules,
            "order_reference": format!("rules-{token}"), "card_token": token, "confirm": true});
        shop.post("/payments", body).await.1
    };
    let rejected = pay(CVV_NO_MATCH, json!({"cvv": "reject"})).await;
    assert_eq!(rejected["status"], "failed", "{rejected:#}");
    assert_eq!(rejected["failure"]["code"], "rule_rejected");
    let after = shop.get(&format!("/payments/{}", rejected["id"].as_str().unwrap())).await;
    assert_eq!(after["reversal_state"], "acked");
    assert_eq!(shop.world.open_holds().await, 0);

    let review = pay(AVS_NO_MATCH, json!({"avs": "review"})).await;
    assert_eq!(
        (review["status"].as_str(), review["review"].as_str()),
        (Some("authorized"), Some("avs_no_match")),
        "{review:#}"
    );
    assert_eq!(shop.world.open_holds().await, 999);
    let path = format!("/payments/{}/capture", review["id"].as_str().unwrap());
    let (_, captured) = shop.post(&path, json!({})).await;
    assert_eq!((captured["status"].as_str(), captured.get("review")), (Some("captured"), None));

    assert_eq!(pay(CVV_NO_MATCH, json!({})).await["status"], "captured");
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_deleted_card_pays_no_more_and_what_it_paid_is_still_refunded() {
    let shop = Shop::start().await;
    let first = shop.first(VISA, 999).await;
    let card = first["stored_card"].as_str().unwrap();
    let (_, paid) = shop.by_merchant(json!({"card": card}), 500, "m-1").await;
    let path = format!("/customers/{}/cards/{card}", shop.customer);
    let (status, deleted) = shop.delete(&path).await;
    assert_eq!((status, deleted["deleted"].as_bool()), (200, Some(true)), "{deleted:#}");
    assert!(shop.cards().await.is_empty());
    let (status, refused) = shop.by_merchant(json!({"card": card}), 500, "m-2").await;
    assert_eq!((status, refused["code"].as_str()), (404, Some("card_not_found")));
    let path = format!("/payments/{}/refunds", paid["id"].as_str().unwrap());
    let (status, refund) = shop.post(&path, json!({})).await;
    assert_eq!((status, refund["status"].as_str()), (201, Some("succeeded")), "{refund:#}");
    let told = shop.get("/events?type=card.erased").await;
    assert_eq!(told["data"][0]["data"]["card"]["id"], card, "{told:#}");
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_customer_gets_everything_and_is_then_forgotten_while_the_books_stay() {
    let shop = Shop::start().await;
    let first = shop.first(VISA, 999).await;
    let path = format!("/customers/{}", shop.customer);
    let export = shop.get(&format!("{path}/export")).await;
    assert_eq!(export["customer"]["email"], "ada@example.com");
    assert_eq!(export["cards"][0]["id"], first["stored_card"]);
    assert_eq!(export["payments"][0]["id"], first["id"]);
    let (status, _) = shop.delete(&path).await;
    assert_eq!(status, 200);
    assert_eq!(shop.get(&path).await["code"], "customer_not_found");
    let (_, refused) = shop.by_merchant(json!({"card": first["stored_card"]}), 9, "m").await;
    assert_eq!(refused["code"], "card_not_found");
    let books = shop.get(&format!("/payments/{}", first["id"].as_str().unwrap())).await;
    assert_eq!(
        (books["status"].as_str(), books["amounts"]["captured"].as_i64()),
        (Some("captured"), Some(999))
    );
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn the_account_updater_is_asked_once_a_week_and_when_a_decline_may_mean_a_new_card() {
    let shop = Shop::start().await;
    let first = shop.first(VISA, 999).await;
    let charge = async |reference: &str| {
        let (status, payment) =
            shop.by_merchant(json!({"card": first["stored_card"]}), 999, reference).await;
        assert_eq!(status, 201, "{payment:#}");
        payment["failure"]["response_code"].as_str().unwrap_or("00").to_owned()
    };
    let asked = async || messages(&shop.world, "gateway->processor", "file_action").await.len();
    assert_eq!((charge("m-1").await.as_str(), asked().await), ("00", 1));
    assert_eq!((charge("m-2").await.as_str(), asked().await), ("00", 1), "asked today already");
    assert_eq!(shop.cards().await[0]["last_update"], "no_change");
    // Between two questions the bank sends a new card: the decline tells.
    shop.world.advance("2h").await;
    let change = json!({"status": "replaced"});
    let changed =
        shop.world.sandbox("processor-sim", "PATCH", "/cards/visa.ok", change).await.json();
    let next = changed["replaced_by"].as_str().unwrap();
    assert_eq!(charge("m-3").await, "46");
    assert_eq!(asked().await, 2);
    let card = shop.cards().await.remove(0);
    assert_eq!(
        (&card["last_update"], &card["id"]),
        (&json!("number_updated"), &first["stored_card"])
    );
    let path = format!("/cards/{next}");
    let new = shop.world.sandbox("processor-sim", "GET", &path, Value::Null).await.json();
    let number = new["number"].as_str().unwrap();
    assert_eq!(card["last4"].as_str().unwrap(), &number[number.len() - 4..]);
    assert_eq!(charge("m-4").await, "00", "the retry rules know another card");
    let events = shop.get("/events?type=card.updated").await;
    let events = events["data"].as_array().unwrap().clone();
    assert_eq!(events.len(), 1, "nothing new is no news: {events:#?}");
    // The account reference is that of the network, and stays.
    assert!(card["par"].as_str().unwrap().starts_with("V001"), "{card:#}");
    shop.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_holder_who_opted_out_and_a_network_without_updater_tell_nothing() {
    let shop = Shop::start().await;
    let first = shop.first(VISA, 999).await;
    let change = json!({"updater_opt_out": true, "status": "replaced"});
    shop.world.sandbox("processor-sim", "PATCH", "/cards/visa.ok", change).await;
    let with = json!({"card": first["stored_card"]});
    let (_, declined) = shop.by_merchant(with, 999, "m-1").await;
    assert_eq!(declined["failure"]["response_code"], "46", "{declined:#}");
    let card = shop.cards().await.remove(0);
    assert_eq!((&card["last_update"], &card["last4"]), (&json!("opted_out"), &json!("0001")));

    let jcb = shop.first("3528010000000006", 999).await;
    assert_eq!(jcb["status"], "captured", "{jcb:#}");
    shop.by_merchant(json!({"card": jcb["stored_card"]}), 999, "m-2").await;
    let told: Vec<Value> =
        shop.cards().await.iter().map(|card| card["last_update"].clone()).collect();
    assert_eq!(told, ["opted_out", "not_participating"]);
    shop.world.assert_invariants().await;
}
