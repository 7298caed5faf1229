//! The back office: who gets in, who may do what, and that nothing happens twice.

use serde_json::json;
use wire::events::EventType;

use crate::browser::{Browser, field, text_of};
use crate::gateway::Trick;
use crate::world::{Change, PASSWORD, World};

async fn logged_in(world: &World, name: &str) -> Browser {
    let mut browser = world.browser();
    browser.log_in(name).await;
    browser
}

async fn ask_refund(
    browser: &mut Browser,
    order: &str,
    amount: &str,
    reason: &str,
) -> (u16, String) {
    let page = format!("/office/orders/{order}");
    let text = browser.get(&page).await.text();
    let (token, key) = (field(&text, "csrf"), refund_key(&text));
    let pairs = [("csrf", token.as_str()), ("key", &key), ("amount", amount), ("reason", reason)];
    let answer = browser.post(&format!("{page}/refunds"), &pairs).await;
    (answer.status, answer.header("location").unwrap_or_default().to_owned())
}

fn refund_key(page: &str) -> String {
    field(page, "key")
}

#[actix_web::test]
async fn nobody_gets_in_without_a_password_and_guessing_is_slow() {
    let world = World::start().await;
    let mut eve = world.browser();
    for page in [
        "/office",
        "/office/orders.csv",
        "/office/approvals",
        "/office/payments",
        "/office/webhooks",
        "/office/reconciliation",
        "/office/settlements",
        "/office/settlements/set_00000000000000000000000000",
        "/office/disputes",
        "/office/disputes/dsp_00000000000000000000000000",
        "/office/audit",
    ] {
        assert_eq!(eve.get(page).await.header("location"), Some("/office/login"), "{page}");
    }
    let guess = async |eve: &mut Browser, name: &str, password: &str| {
        let pairs = [("name", name), ("password", password)];
        eve.submit("/office/login", "/office/login", &pairs).await
    };
    for name in ["ada", "nobody", "", "ada", "ada"] {
        let answer = guess(&mut eve, name, "wrong").await;
        assert_eq!(answer.status, 401);
        assert!(answer.text().contains("Name or password are wrong."));
    }
    assert_eq!(
        guess(&mut eve, "ada", PASSWORD).await.status,
        429,
        "five failures from one address"
    );
    world.plumbing.clock.advance(std::time::Duration::from_secs(901)).unwrap();
    assert_eq!(guess(&mut eve, "ada", PASSWORD).await.status, 303);
}

#[actix_web::test]
async fn a_session_is_new_at_every_login_ends_at_logout_and_by_time() {
    let world = World::start().await;
    let mut ada = logged_in(&world, "ada").await;
    let first = ada.cookie("payrig_office").cloned().unwrap();
    let mut again = ada.clone();
    again.log_in("ada").await;
    assert_ne!(again.cookie("payrig_office"), Some(&first));
    let out = ada.submit("/office", "/office/logout", &[]).await;
    assert_eq!(out.header("location"), Some("/office/login"));
    assert!(out.header("set-cookie").unwrap().contains("SameSite=Strict"));
    let mut stolen = again.clone();
    assert_eq!(stolen.get("/office").await.status, 200);
    world.plumbing.clock.advance(std::time::Duration::from_secs(43_201)).unwrap();
    assert_eq!(stolen.get("/office").await.status, 303);
}

#[actix_web::test]
async fn a_refund_within_the_limit_goes_out_at_once_and_only_once() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    let mut ada = logged_in(&world, "ada").await;
    let page = format!("/office/orders/{order}");
    let text = ada.get(&page).await.text();
    let (token, key) = (field(&text, "csrf"), refund_key(&text));
    let pairs = [
        ("csrf", token.as_str()),
        ("key", key.as_str()),
        ("amount", "10.50"),
        ("reason", "tin was dented"),
    ];
    let action = format!("{page}/refunds");
    let (mut one, mut two) = (ada.clone(), ada.clone());
    let (left, right) = tokio::join!(one.post(&action, &pairs), two.post(&action, &pairs));
    for answer in [left, right] {
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert!(answer.header("location").unwrap().starts_with(&page));
    }
    assert_eq!(world.gateway.only_payment().refunds.len(), 1);
    let text = ada.get(&page).await.text();
    assert_eq!(text_of(&text, "refunded"), "€10.50");
    assert_eq!(text_of(&text, "status"), "Partially refunded");
    assert!(text.contains("tin was dented"));
    for (amount, reason, why) in [
        ("0", "x", "must be more than zero"),
        ("39.50", "x", "more than what is left"),
        ("1.005", "x", "too many decimals"),
        ("-1", "x", "not an amount"),
        ("1e3", "x", "not an amount"),
        ("1", "", "give a reason"),
    ] {
        let text = ada.get(&page).await.text();
        let (token, key) = (field(&text, "csrf"), refund_key(&text));
        let pairs =
            [("csrf", token.as_str()), ("key", &key), ("amount", amount), ("reason", reason)];
        let answer = ada.post(&action, &pairs).await;
        assert_eq!(answer.status, 422, "{amount}");
        assert!(answer.text().contains(why), "{amount}: {why}");
    }
    assert_eq!(world.gateway.only_payment().refunds.len(), 1);
    world.check_invariants().await;
}

#[actix_web::test]
async fn above_the_limit_a_second_person_has_to_approve() {
    let world = World::start().await;
    let order = world.paid_order("table-1").await;
    let mut ada = logged_in(&world, "ada").await;
    let mut grace = logged_in(&world, "grace").await;
    let mut victor = logged_in(&world, "victor").await;
    let (status, to) = ask_refund(&mut ada, &order, "500.01", "leg broken").await;
    assert_eq!((status, to.ends_with("said=waiting")), (303, true));
    assert!(world.gateway.only_payment().refunds.is_empty(), "nothing went out");
    let approve = format!("/office/orders/{order}/refunds/1/approve");
    let approvals = ada.get("/office/approvals").await.text();
    assert!(
        approvals.contains("data-testid=\"not-yours\"")
            && !approvals.contains("data-testid=\"approve\"")
    );
    assert_eq!(text_of(&approvals, "approvals-count"), "1");
    let own = ada.submit("/office/approvals", &approve, &[]).await;
    assert_eq!(own.status, 403, "the requester cannot approve");
    assert!(own.text().contains("second_person_needed"));
    assert_eq!(victor.submit("/office/approvals", &approve, &[]).await.status, 403);
    assert!(world.gateway.only_payment().refunds.is_empty());
    let (mut one, mut two) = (grace.clone(), grace.clone());
    let token = grace.form_token("/office/approvals").await;
    let pairs = [("csrf", token.as_str())];
    let (left, right) = tokio::join!(one.post(&approve, &pairs), two.post(&approve, &pairs));
    let mut statuses = [left.status, right.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409], "approved once");
    assert_eq!(world.gateway.only_payment().refunds.len(), 1);
    let read = world.read(&order).await;
    assert_eq!(read["refunds"][0]["approved_by"], "grace");
    assert_eq!(read["status"], "partially_refunded");
    world.check_invariants().await;
}

#[actix_web::test]
async fn the_limit_counts_per_order_and_for_the_sandbox_key_too() {
    let world = World::start_with(Change {
        database: kit::sqlite::Location::Memory,
        refund_alone_max: Some(1000),
    })
    .await;
    let order = world.paid_order("tea-42").await;
    let path = format!("/api/orders/{order}/refunds");
    let ask = async |amount: i64| {
        let body = json!({"amount": amount, "reason": "x"});
        let answer = world.api("POST", &path, Some(body)).await;
        (answer.status, answer.json()["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(ask(600).await, (201, "succeeded".into()));
    assert_eq!(ask(400).await, (201, "succeeded".into()));
    assert_eq!(ask(1).await, (202, "awaiting_approval".into()), "splitting does not help");
    let mut ada = logged_in(&world, "ada").await;
    let reject = format!("/office/orders/{order}/refunds/3/reject");
    assert_eq!(ada.submit("/office/approvals", &reject, &[]).await.status, 303);
    assert_eq!(world.read(&order).await["refunds"][2]["status"], "rejected");
    assert_eq!(world.gateway.only_payment().refunds.len(), 2);
}

#[actix_web::test]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    let open = world.order("tea-7").await;
    let mut victor = logged_in(&world, "victor").await;
    let page = victor.get(&format!("/office/orders/{order}")).await.text();
    assert!(
        !page.contains("data-testid=\"refund-form\"") && !page.contains("data-testid=\"refresh\"")
    );
    let token = victor.form_token("/office").await;
    for (action, extra) in [
        (format!("/office/orders/{order}/refunds"), ("amount", "1")),
        (format!("/office/orders/{open}/cancel"), ("x", "")),
        (format!("/office/orders/{open}/refresh"), ("x", "")),
    ] {
        let pairs = [("csrf", token.as_str()), ("reason", "x"), extra];
        assert_eq!(victor.post(&action, &pairs).await.status, 403, "{action}");
    }
    assert_eq!(victor.get("/office/audit").await.status, 403);
    assert_eq!(world.status(&open).await, "awaiting_payment");
}

#[actix_web::test]
async fn what_strangers_write_is_shown_inert() {
    let world = World::start().await;
    let nasty = "<svg onload=alert(1)>\"'&";
    let customer = json!({"name": nasty, "email": "=cmd@example.com"});
    let body = json!({"sku": "tea-42", "customer": customer});
    let order = world.api("POST", "/api/orders", Some(body)).await.json();
    let id = order["id"].as_str().unwrap();
    let mut event = world.gateway.event(EventType::PaymentCreated, &world.gateway.only_payment());
    event.data.payment.order_reference = "<script>alert(2)</script>".into();
    assert_eq!(world.deliver(&event).await.status, 200);
    let mut grace = logged_in(&world, "grace").await;
    for page in ["/office", &format!("/office/orders/{id}"), "/office/webhooks", "/office/audit"] {
        let text = grace.get(page).await.text();
        assert!(!text.contains("<svg onload") && !text.contains("<script"), "{page}");
    }
    assert!(grace.get("/office").await.text().contains("&#60;svg onload=alert(1)&#62;"));
    let csv = grace.get("/office/orders.csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(
        csv.text().contains("\"<svg onload=alert(1)>\"\"'&\",\"'=cmd@example.com\""),
        "{}",
        csv.text()
    );
}

#[actix_web::test]
async fn the_inbox_shows_verdict_and_effect_and_what_was_refused() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    world.post_webhook(&[("webhook-id", "evt_x")], b"{}").await;
    let mut ada = logged_in(&world, "ada").await;
    let text = ada.get("/office/webhooks").await.text();
    assert_eq!(text_of(&text, "verdict"), "applied");
    assert_eq!(text_of(&text, "effect"), "awaiting_payment → paid");
    assert!(text.contains("header_missing"));
    let detail = ada.get(&format!("/office/orders/{order}")).await.text();
    assert!(detail.contains("payment.captured"));
}

#[actix_web::test]
async fn reconciliation_finds_what_differs_and_what_only_the_gateway_knows() {
    let world = World::start().await;
    world.paid_order("tea-42").await;
    let mut ada = logged_in(&world, "ada").await;
    let text = ada.get("/office/reconciliation").await.text();
    assert!(text.contains("data-testid=\"differences\" data-count=\"0\""), "{text}");
    world.order("tea-7").await;
    let untold = world.gateway.newest().id;
    world.gateway.submit_card(untold);
    world.gateway.capture(untold);
    let mut stranger = world.gateway.newest();
    stranger.id = wire::ids::PaymentId::new(crate::world::START, [200; 10]);
    stranger.order_reference = wire::ids::OrderId::new(crate::world::START, [201; 10]).to_string();
    world.gateway.kept().payments.insert(stranger.id, stranger);
    let text = ada.get("/office/reconciliation").await.text();
    assert!(text.contains("data-count=\"2\""));
    assert!(text.contains("status, captured") && text.contains("missing in the shop"));
    assert_eq!(
        world.status(&world.read_newest().await).await,
        "awaiting_payment",
        "nothing is corrected"
    );
}

#[actix_web::test]
async fn orders_are_found_by_state_name_and_id() {
    let world = World::start().await;
    let paid = world.paid_order("tea-42").await;
    let open = world.order("tea-7").await;
    let mut ada = logged_in(&world, "ada").await;
    let list = async |ada: &mut Browser, query: &str| {
        let text = ada.get(&format!("/office?{query}")).await.text();
        (text.contains(&paid), text.contains(&open))
    };
    assert_eq!(list(&mut ada, "").await, (true, true));
    assert_eq!(list(&mut ada, "status=paid").await, (true, false));
    assert_eq!(list(&mut ada, &format!("search={open}")).await, (false, true));
    assert_eq!(list(&mut ada, "search=GUEST").await, (true, true));
    assert_eq!(list(&mut ada, "search=nobody").await, (false, false));
    assert_eq!(list(&mut ada, "attention=1").await, (false, false));
}

#[actix_web::test]
async fn everything_people_do_is_in_the_audit_log() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    let mut grace = logged_in(&world, "grace").await;
    ask_refund(&mut grace, &order, "5", "scratched").await;
    let text = grace.get("/office/audit").await.text();
    assert!(text.contains("data-testid=\"chain\" data-ok=\"true\""));
    assert!(text.contains("refund requested") && text.contains("login") && text.contains(&order));
}

#[actix_web::test]
async fn a_refund_that_the_gateway_refuses_frees_its_amount() {
    let world = World::start().await;
    let order = world.paid_order("tea-42").await;
    world.gateway.trick("/refunds", Trick::Refuse(422, "amount_too_large"));
    let mut ada = logged_in(&world, "ada").await;
    let (status, to) = ask_refund(&mut ada, &order, "5", "scratched").await;
    assert_eq!((status, to.ends_with("said=failed")), (303, true));
    let read = world.read(&order).await;
    assert_eq!(read["refunds"][0]["failure"], "amount_too_large");
    assert_eq!(read["amounts"]["refundable"], 4999);
}
