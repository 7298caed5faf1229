//! 3-D Secure: the payer's bank decides alone, or asks the payer; its result decides the payment.

use payrig_tests::payer::{CardTyped, PageSeen, Payer};
use payrig_tests::world::World;
use serde_json::{Value, json};
use wire::three_ds::{ChallengeResponse, TransStatus, from_browser, to_browser};

const CHALLENGE: &str = "4000010030070008";

/// Comes as far as a browser with scripts would by itself: through the 3DS Method and to the bank.
async fn to_the_bank(payer: &mut Payer, mut page: PageSeen) -> PageSeen {
    for _ in 0..500 {
        if page.has("method-form") {
            // A hidden frame; the page itself stays and looks again.
            let status = page.url.clone();
            let frame = payer.fill(&page, "data-testid=\"method-form\"", &[]).await;
            if frame.has("method-return-form") {
                payer.fill(&frame, "data-testid=\"method-return-form\"", &[]).await;
            }
            page = payer.open(&status).await;
        } else if page.has("challenge-form") {
            return payer.fill(&page, "data-testid=\"challenge-form\"", &[]).await;
        } else if page.attribute("outcome", "data-outcome").as_deref() == Some("processing") {
            tokio::task::yield_now().await;
            page = payer.open(&page.url.clone()).await;
        } else {
            return page;
        }
    }
    page
}

/// Presses a button of the bank's page.
async fn press(payer: &mut Payer, page: &PageSeen, answer: &str) -> PageSeen {
    payer.fill(page, "data-testid=\"challenge-form\"", &[("answer", answer)]).await
}

/// Types a code into the bank's page.
async fn code(payer: &mut Payer, page: &PageSeen, code: &str) -> PageSeen {
    let typed = [("answer", "code"), ("code", code)];
    payer.fill(page, "data-testid=\"challenge-form\"", &typed).await
}

/// Goes back from the bank, and waits for what the payment's page then says.
async fn come_back(world: &World, payer: &mut Payer, page: &PageSeen) -> PageSeen {
    let seen = payer.fill(page, "data-testid=\"return-form\"", &[]).await;
    world.settle().await;
    payer.open(&seen.url.clone()).await
}

/// An order, its card typed, and the bank's page reached.
async fn challenged(world: &World) -> (Payer, String, PageSeen) {
    let (mut payer, order) = world.order("tea-42", 1).await;
    let page = payer.open(&order.checkout_url).await;
    let page = payer.pay(&page, CardTyped::new(CHALLENGE)).await;
    let page = to_the_bank(&mut payer, page).await;
    assert!(page.has("challenge"), "{}", page.html);
    (payer, order.id, page)
}

#[actix_web::test]
async fn a_challenge_that_succeeds_pays_the_order() {
    let world = World::start().await;
    let (mut payer, order, page) = challenged(&world).await;
    assert_eq!(world.payment_of(&order).await["status"], "requires_action");
    assert_eq!(page.text("amount"), "€49.99");
    let page = code(&mut payer, &page, "1234").await;
    assert!(page.has("challenge-over"), "{}", page.html);
    let page = come_back(&world, &mut payer, &page).await;
    assert_eq!(page.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.settle().await;
    assert_eq!(world.order_status(&order).await, "paid");
    let payment = world.payment_of(&order).await;
    assert_eq!(payment["status"], "captured");
    assert_eq!(payment["three_ds"]["status"], "Y");
    assert_eq!(payment["three_ds"]["eci"], "05");
    assert_eq!(payment["three_ds"]["cavv_result"], "2");
    assert_eq!(payment["three_ds"]["liability_shift"], true);
    world.assert_invariants().await;
}

/// Messages of one type on a link.
async fn sent(world: &World, program: &str, link: &str, kind: &str) -> Vec<Value> {
    let log = world.sandbox(program, "GET", "/wire", Value::Null).await.json();
    let entries = log["entries"].as_array().unwrap().iter();
    entries.filter(|it| it["link"] == link && it["facts"]["type"] == kind).cloned().collect()
}

/// Pays server to server, with more fields than usual.
async fn pay_with(world: &World, number: &str, value: i64, more: Value) -> Value {
    let token = world.token(number).await;
    let mut body = json!({"amount": {"value": value, "currency": "EUR"},
        "order_reference": format!("ref-{token}"), "card_token": token, "confirm": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = world.api("shop").post("/payments", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    world.settle().await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    world.api("shop").get(&format!("/payments/{id}")).await.json()
}

fn number(alias: &str) -> String {
    wire::test_cards::by_alias(alias).unwrap().number.digits().to_owned()
}

/// Status, response to the cardholder's bank, and who bears a fraud.
fn summary(payment: &Value) -> String {
    let three_ds = &payment["three_ds"];
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {} {} {} {}",
        word(&payment["status"]),
        word(&payment["failure"]["code"]),
        word(&three_ds["status"]),
        word(&three_ds["eci"]),
        word(&three_ds["cavv_result"]),
        three_ds["liability_shift"]
    )
}

#[actix_web::test]
async fn a_bank_that_decides_alone_needs_no_browser() {
    let world = World::start().await;
    for (alias, expected) in [
        ("3ds.frictionless", "captured - Y 05 2 true"),
        ("3ds.attempt", "captured - A 06 3 true"),
        ("3ds.info", "captured - I 07 - false"),
        ("3ds.unavailable", "captured - U 07 - false"),
        ("3ds.ds_error", "captured - U 07 - false"),
        ("3ds.fail", "requires_payment_method authentication_failed N 07 - false"),
        ("3ds.reject", "requires_payment_method authentication_rejected R - - false"),
        ("mc.3ds_frictionless", "captured - Y 02 2 true"),
        ("mc.3ds_attempt", "captured - A 01 3 true"),
        ("mc.3ds_unavailable", "captured - U 00 - false"),
        ("visa.ok", "captured - - - - null"),
    ] {
        let payment = world.pay(&number(alias), 4999, "EUR").await;
        assert_eq!(summary(&payment), expected, "{alias}");
    }
    let hold = |it: &&Value| it["request"]["body"].as_str().unwrap().contains("authentication_");
    let log = sent(&world, "processor-sim", "network->issuer", "authorization").await;
    assert_eq!(log.iter().filter(hold).count(), 0);
    assert_eq!(log.len(), 9, "nothing is sent for cards that were not authenticated");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn the_merchant_says_what_happens_when_the_bank_cannot_be_asked() {
    let world = World::start().await;
    let stop = json!({"three_ds": {"on_unavailable": "stop"}});
    for alias in ["3ds.unavailable", "3ds.ds_error"] {
        let payment = pay_with(&world, &number(alias), 4999, stop.clone()).await;
        let expected = "requires_payment_method authentication_failed U 07 - false";
        assert_eq!(summary(&payment), expected, "{alias}");
    }
    let payment = world.pay(&number("stripe.3ds_required_error"), 4999, "EUR").await;
    assert_eq!(payment["failure"]["code"], "processing_error");
    assert!(sent(&world, "processor-sim", "network->issuer", "authorization").await.is_empty());
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_rejected_card_is_blocked_for_its_payment_and_another_one_pays() {
    let world = World::start().await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    let page = payer.open(&order.checkout_url).await;
    let page = payer.pay(&page, CardTyped::new(&number("3ds.reject"))).await;
    assert!(page.has("decline"), "{}", page.html);
    let page = payer.pay(&page, CardTyped::new(&number("3ds.reject"))).await;
    assert!(page.has("decline"), "{}", page.html);
    assert_eq!(sent(&world, "gateway", "gateway->directory", "areq").await.len(), 1);
    let page = payer.pay(&page, CardTyped::new("4000010000000001")).await;
    assert_eq!(page.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_merchant_may_force_it_or_go_without() {
    let world = World::start().await;
    let forced = json!({"three_ds": {"mode": "force"}});
    let payment = pay_with(&world, &number("visa.ok"), 4999, forced.clone()).await;
    assert_eq!(summary(&payment), "captured - Y 05 2 true");
    let payment = pay_with(&world, &number("stripe.visa"), 4999, forced).await;
    assert_eq!(summary(&payment), "captured - - - - null", "not enrolled");
    let skipped = json!({"three_ds": {"mode": "skip"}});
    let payment = pay_with(&world, &number("3ds.frictionless"), 4999, skipped.clone()).await;
    assert_eq!(payment["failure"]["code"], "authentication_required");
    assert_eq!(payment["status"], "requires_payment_method");
    let payment = pay_with(&world, &number("visa.sca_required"), 4999, skipped).await;
    assert_eq!(payment["failure"]["response_code"], "1A");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn exemptions_spare_the_challenge_or_lead_to_it() {
    let world = World::start().await;
    let exempt = json!({"three_ds": {"exemption": "tra"}});
    let pay = async |alias: &str, value: i64| {
        summary(&pay_with(&world, &number(alias), value, exempt.clone()).await)
    };
    assert_eq!(pay("3ds.challenge", 4999).await, "captured - I 07 - false");
    assert_eq!(pay("3ds.challenge", 60_000).await, "requires_action - - - - false");
    assert_eq!(pay("visa.sca_required", 4999).await, "captured - - - - null");
    assert_eq!(pay("visa.sca_required", 60_000).await, "requires_action - - - - false");
    world.assert_invariants().await;
}

/// Sends the payer of a payment to the bank, and gives the bank's page.
async fn follow(world: &World, payment: &Value) -> (Payer, PageSeen) {
    assert_eq!(payment["status"], "requires_action");
    assert_eq!(payment["next_action"]["type"], "redirect_to_url");
    let mut payer = world.payer();
    let page = payer.open(payment["next_action"]["url"].as_str().unwrap()).await;
    let page = to_the_bank(&mut payer, page).await;
    (payer, page)
}

#[actix_web::test]
async fn a_soft_decline_leads_to_the_bank_and_is_paid_afterwards() {
    let world = World::start().await;
    for alias in ["visa.sca_required", "mc.sca_required"] {
        let payment = world.pay(&number(alias), 4999, "EUR").await;
        let (mut payer, page) = follow(&world, &payment).await;
        let page = press(&mut payer, &page, "approve").await;
        let page = come_back(&world, &mut payer, &page).await;
        assert_eq!(page.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
        let path = format!("/payments/{}", payment["id"].as_str().unwrap());
        let payment = world.api("shop").get(&path).await.json();
        assert_eq!(payment["status"], "captured");
        let codes: Vec<&str> = payment["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| attempt["response_code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, [if alias.starts_with("visa") { "1A" } else { "65" }, "00"]);
        assert_eq!(payment["three_ds"]["liability_shift"], true);
    }
    world.assert_invariants().await;
}

#[actix_web::test]
async fn three_wrong_codes_fail_and_the_card_form_is_there_again() {
    let world = World::start().await;
    let (mut payer, order, mut page) = challenged(&world).await;
    for left in ["2 more times", "once more"] {
        page = code(&mut payer, &page, "0000").await;
        assert!(page.text("challenge-error").contains(left), "{}", page.html);
    }
    page = code(&mut payer, &page, "").await;
    assert_eq!(page.text("challenge-error"), "Enter the code.");
    page = code(&mut payer, &page, "0000").await;
    assert!(page.has("challenge-over"), "{}", page.html);
    let page = come_back(&world, &mut payer, &page).await;
    assert!(page.has("card-form") && page.has("decline"), "{}", page.html);
    let payment = world.payment_of(&order).await;
    let expected = "requires_payment_method authentication_failed N 07 - false";
    assert_eq!(summary(&payment), expected);
    assert!(sent(&world, "gateway", "gateway->processor", "authorization").await.is_empty());
    let result = &sent(&world, "processor-sim", "acs->directory", "rreq").await[0];
    let body = result["request"]["body"].as_str().unwrap();
    assert!(body.contains("\"interactionCounter\":\"03\""), "{body}");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn buttons_of_the_bank_end_a_challenge_each_in_its_way() {
    let world = World::start().await;
    for (answer, cancel, failure) in [
        ("fail", Value::Null, "authentication_failed"),
        ("cancel", json!("01"), "challenge_canceled"),
    ] {
        let (mut payer, order, page) = challenged(&world).await;
        let page = press(&mut payer, &page, answer).await;
        let page = come_back(&world, &mut payer, &page).await;
        assert!(page.has("card-form"), "{}", page.html);
        let payment = world.payment_of(&order).await;
        assert_eq!(payment["status"], "requires_payment_method");
        assert_eq!(payment["failure"]["code"], failure);
        assert_eq!(payment["three_ds"]["challenge_cancel"], cancel);
    }
    let (mut payer, order, page) = challenged(&world).await;
    let page = code(&mut payer, &page, "9999").await;
    come_back(&world, &mut payer, &page).await;
    let payment = world.payment_of(&order).await;
    assert_eq!(summary(&payment), "captured - U 07 - false");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_payer_who_leaves_at_the_bank_has_the_form_again_then_the_session_ends() {
    let world = World::start().await;
    let (_, order, _) = challenged(&world).await;
    world.advance("9m").await;
    assert_eq!(world.payment_of(&order).await["status"], "requires_action");
    world.advance("2m").await;
    let payment = world.payment_of(&order).await;
    assert_eq!(payment["status"], "requires_payment_method");
    assert_eq!(payment["three_ds"]["challenge_cancel"], "04");
    world.advance("30m").await;
    assert_eq!(world.payment_of(&order).await["status"], "canceled");
    assert_eq!(world.order_status(&order).await, "canceled");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_challenge_that_no_browser_opens_ends_after_half_a_minute() {
    let world = World::start().await;
    let payment = world.pay(&number("3ds.challenge"), 4999, "EUR").await;
    assert_eq!(payment["status"], "requires_action");
    world.advance("31s").await;
    let path = format!("/payments/{}", payment["id"].as_str().unwrap());
    let payment = world.api("shop").get(&path).await.json();
    assert_eq!(payment["status"], "requires_payment_method");
    assert_eq!(payment["three_ds"]["challenge_cancel"], "05");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn the_result_of_the_bank_pays_though_the_browser_never_comes_back() {
    let world = World::start().await;
    let (mut payer, order, page) = challenged(&world).await;
    press(&mut payer, &page, "approve").await;
    world.settle().await;
    assert_eq!(world.payment_of(&order).await["status"], "captured");
    assert_eq!(world.order_status(&order).await, "paid");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_browser_that_says_yes_where_the_bank_said_no_changes_nothing_and_is_noticed() {
    let world = World::start().await;
    let (mut payer, order, page) = challenged(&world).await;
    let page = press(&mut payer, &page, "fail").await;
    let (action, fields) = page.form("data-testid=\"return-form\"");
    let sent: ChallengeResponse = from_browser(&fields[0].1).unwrap();
    let forged = ChallengeResponse { trans_status: TransStatus::Y, ..sent };
    payer.submit(&action, &[("cres".to_owned(), to_browser(&forged))]).await;
    world.settle().await;
    let payment = world.payment_of(&order).await;
    assert_eq!(payment["status"], "requires_payment_method");
    assert_eq!(payment["three_ds"]["status"], "N");
    assert_eq!(payment["three_ds"]["tampered"], true);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_forged_yes_before_the_bank_has_answered_only_asks_the_bank() {
    let world = World::start().await;
    let (mut payer, order, _) = challenged(&world).await;
    let payment = world.payment_of(&order).await;
    let id = |name: &str| payment["three_ds"][name].as_str().unwrap().parse().unwrap();
    let forged = ChallengeResponse {
        message_type: "CRes".into(),
        message_version: "2.2.0".into(),
        server_trans_id: id("server_trans_id"),
        acs_trans_id: id("acs_trans_id"),
        challenge_completion_ind: "Y".into(),
        trans_status: TransStatus::Y,
    };
    let url = format!("{}/3ds/notify", world.gateway);
    payer.submit(&url, &[("cres".to_owned(), to_browser(&forged))]).await;
    world.advance("4s").await;
    assert_eq!(sent(&world, "gateway", "gateway->directory", "inquiry").await.len(), 1);
    assert_eq!(world.payment_of(&order).await["status"], "requires_action");
    let unknown = payer.submit(&url, &[("cres".to_owned(), "nonsense".to_owned())]).await;
    assert_eq!(unknown.status, 403);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_result_that_comes_twice_authorizes_once() {
    let world = World::start().await;
    let fault =
        json!({"on": "directory->gateway", "match": {"type": "rreq"}, "do": {"duplicate": 2}});
    world.fault("processor-sim", fault).await;
    let (mut payer, order, page) = challenged(&world).await;
    press(&mut payer, &page, "approve").await;
    world.settle().await;
    assert_eq!(world.payment_of(&order).await["status"], "captured");
    assert_eq!(sent(&world, "gateway", "gateway->processor", "authorization").await.len(), 1);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_lost_result_is_asked_for_when_the_browser_comes_back() {
    let world = World::start().await;
    let fault = json!({"on": "directory->gateway", "match": {"type": "rreq"}, "times": 5,
        "do": {"status": 503}});
    world.fault("processor-sim", fault).await;
    let (mut payer, order, page) = challenged(&world).await;
    let page = press(&mut payer, &page, "approve").await;
    payer.fill(&page, "data-testid=\"return-form\"", &[]).await;
    assert_eq!(world.payment_of(&order).await["status"], "requires_action");
    world.advance("4s").await;
    assert_eq!(world.payment_of(&order).await["status"], "captured");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_silent_device_check_is_waited_for_ten_seconds() {
    let world = World::start().await;
    let (mut payer, order) = world.order("tea-42", 1).await;
    let page = payer.open(&order.checkout_url).await;
    let page = payer.pay(&page, CardTyped::new(&number("3ds.method_hang"))).await;
    assert!(page.has("method-form"), "{}", page.html);
    payer.fill(&page, "data-testid=\"method-form\"", &[]).await;
    assert_eq!(world.payment_of(&order.id).await["three_ds"]["stage"], "method_pending");
    world.advance("11s").await;
    let payment = world.payment_of(&order.id).await;
    assert_eq!(summary(&payment), "captured - Y 05 2 true");
    let request = &sent(&world, "gateway", "gateway->directory", "areq").await[0];
    let body = request["request"]["body"].as_str().unwrap();
    assert!(body.contains("\"threeDSCompInd\":\"N\""), "{body}");
    assert!(!body.contains(&number("3ds.method_hang")), "the number is masked");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn the_way_back_after_a_challenge_says_that_it_is_over() {
    let world = World::start().await;
    let (mut payer, order, page) = challenged(&world).await;
    let creq = payer.last_form("creq").expect("the CReq that was sent");
    let page = press(&mut payer, &page, "approve").await;
    come_back(&world, &mut payer, &page).await;
    let again = payer.submit(&page.url.replace("/answer", ""), &creq).await;
    assert!(again.html.contains("already completed"), "{}", again.html);
    let seen = come_back(&world, &mut payer, &again).await;
    assert_eq!(seen.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
    assert_eq!(sent(&world, "gateway", "gateway->processor", "authorization").await.len(), 1);
    assert_eq!(sent(&world, "processor-sim", "acs->directory", "rreq").await.len(), 1);
    assert_eq!(world.order_status(&order).await, "paid");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_cavv_of_an_own_server_is_checked_by_the_issuer() {
    let world = World::start().await;
    let first = world.pay(&number("3ds.frictionless"), 4999, "EUR").await;
    let result = json!({"version": "2.2.0", "eci": "05", "cavv": first["three_ds"]["cavv"],
        "ds_trans_id": first["three_ds"]["ds_trans_id"]});
    let again = json!({"three_ds": {"result": result}});
    let payment = pay_with(&world, &number("3ds.frictionless"), 4999, again).await;
    assert_eq!(payment["failure"]["code"], "verification_failed");
    assert_eq!(payment["failure"]["response_code"], "6P");
    assert_eq!(payment["three_ds"]["cavv_result"], "1");
    for (field, value) in [("eci", "5"), ("cavv", "AAAA"), ("ds_trans_id", "x"), ("version", "")] {
        let mut wrong = json!({"version": "2.2.0", "eci": "05",
            "ds_trans_id": first["three_ds"]["ds_trans_id"]});
        wrong[field] = json!(value);
        let body = json!({"amount": {"value": 1, "currency": "EUR"}, "order_reference": "o",
            "three_ds": {"result": wrong}});
        let answer = world.api("shop").post("/payments", body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.json()["param"], format!("three_ds.result.{field}"));
    }
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_payer_gives_up_before_going_to_the_bank() {
    let world = World::start().await;
    let payment = world.pay(&number("3ds.challenge"), 4999, "EUR").await;
    let mut payer = world.payer();
    let page = payer.open(payment["next_action"]["url"].as_str().unwrap()).await;
    let csp = page.answer.header("content-security-policy");
    assert!(csp.contains(&format!("form-action 'self' {}", world.processor)), "{csp}");
    let page = payer.fill(&page, "data-testid=\"cancel-form\"", &[]).await;
    assert_eq!(page.attribute("outcome", "data-outcome").as_deref(), Some("canceled"));
    let path = format!("/payments/{}", payment["id"].as_str().unwrap());
    let payment = world.api("shop").get(&path).await.json();
    assert_eq!(payment["status"], "canceled");
    assert_eq!(payment["next_action"], Value::Null);
    world.assert_invariants().await;
}

#[actix_web::test]
async fn the_pages_of_the_bank_are_for_the_gateway_only() {
    let world = World::start().await;
    let (_, _, page) = challenged(&world).await;
    let csp = page.answer.header("content-security-policy");
    let gateway = &world.gateway;
    assert!(csp.contains(&format!("frame-ancestors {gateway}")), "{csp}");
    assert!(csp.contains(&format!("form-action 'self' {gateway}")), "{csp}");
    assert!(!page.html.contains(CHALLENGE), "only the last digits are shown");
}

#[actix_web::test]
async fn an_event_tells_that_the_payer_is_asked() {
    let world = World::start().await;
    let (_, order, _) = challenged(&world).await;
    let mut types = Vec::new();
    for (_, body) in world.sent_webhooks().await {
        let event: Value = serde_json::from_str(&body).unwrap();
        types.push(event["type"].as_str().unwrap().to_owned());
        assert_eq!(event["data"]["payment"]["next_action"], Value::Null);
    }
    assert_eq!(types, ["payment.created", "payment.processing", "payment.requires_action"]);
    assert_eq!(world.order_status(&order).await, "awaiting_payment");
}
