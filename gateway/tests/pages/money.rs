//! Disputes, payouts and refunds at the dashboard.

use std::path::PathBuf;

use kit::sqlite::Location;
use rusqlite::Connection;
use serde_json::json;
use wire::ids::{DisputeId, PaymentId, SettlementId};
use wire::settlement::{DisputeCase, News};

use crate::support::{Browser, Gateway, NOW, NewPayment};

/// A bank wants the money of a payment back.
async fn disputed(gateway: &Gateway, payment: &NewPayment) -> DisputeId {
    let payment: PaymentId = payment.id.parse().unwrap();
    let case = DisputeCase {
        id: DisputeId::new(NOW, [7; 10]),
        sequence: 1,
        state: "chargeback".to_owned(),
        network: "visa".to_owned(),
        reason_code: "13.1".to_owned(),
        reason: "product_not_received".to_owned(),
        amount: 4999,
        currency: "EUR".parse().unwrap(),
        arn: "74000006019000000000017".to_owned(),
        payment: Some(payment),
        taken: true,
        evidence: None,
        due_by: Some(NOW.plus(std::time::Duration::from_hours(24 * 20))),
        opened_at: NOW,
        updated_at: NOW,
    };
    let id = case.id;
    gateway.tell(1, News::Dispute { case: Box::new(case) }).await;
    id
}

#[actix_web::test]
async fn a_dispute_is_listed_read_and_linked_from_its_payment() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let mut admin = Browser::signed_in(&gateway, "admin").await;
    let page = admin.get("/dashboard/disputes").await;
    assert!(page.body.contains("data-testid=\"no-disputes\""), "{}", page.body);
    assert!(!admin.get(&payment_page(&payment)).await.body.contains("payment-disputes"));

    let id = disputed(&gateway, &payment).await;
    let path = format!("/dashboard/disputes/{id}");
    let page = admin.get("/dashboard/disputes").await;
    assert_eq!(page.link("dispute-link"), Some(path.clone()));
    for word in ["€49.99", "Chargeback", "Product not received", "13.1", "12 Dec 2026"] {
        assert!(page.body.contains(word), "{word}: {}", page.body);
    }
    let page = admin.get(&path).await;
    assert_eq!(page.link("payment-link"), Some(payment_page(&payment)));
    for word in ["Visa", "74000006019000000000017", "the cardholder", "evidence-form"] {
        assert!(page.body.contains(word), "{word}: {}", page.body);
    }
    let page = admin.get(&payment_page(&payment)).await;
    assert_eq!(page.link("dispute-link"), Some(path));
    assert!(page.body.contains("data-testid=\"amount-charged-back\">€49.99"), "{}", page.body);
}

fn payment_page(payment: &NewPayment) -> String {
    format!("/dashboard/payments/{}", payment.id)
}

#[actix_web::test]
async fn who_may_only_look_answers_no_dispute() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let path = format!("/dashboard/disputes/{}", disputed(&gateway, &payment).await);
    let mut viewer = Browser::signed_in(&gateway, "vera").await;
    let page = viewer.get(&path).await;
    assert!(page.body.contains("Your role may look at disputes"), "{}", page.body);
    assert!(!page.body.contains("-form\""));
    for (deed, typed) in [("evidence", "a receipt"), ("accept", "")] {
        let fields = [("key", "0123456789abcdef"), ("evidence", typed)];
        let answer = viewer.submit(&format!("{path}/{deed}"), &fields).await;
        assert_eq!(answer.status, 403, "{deed}");
        assert!(answer.body.contains("role_insufficient"), "{deed}");
    }
}

#[actix_web::test]
async fn evidence_that_cannot_be_sent_says_what_to_do() {
    let gateway = Gateway::start().await;
    let payment = gateway.create_payment(4999).await;
    let path = format!("/dashboard/disputes/{}", disputed(&gateway, &payment).await);
    let mut admin = Browser::signed_in(&gateway, "admin").await;
    let long = "no ".repeat(7000);
    for (evidence, why) in [
        (" ", "a text of 1 to 20000 characters"),
        (long.as_str(), "a text of 1 to 20000 characters"),
        ("paid with 4242 4242 4242 4242", "may not hold what may be a card number"),
    ] {
        admin.get(&path).await;
        let page = admin.submit(&format!("{path}/evidence"), &[("evidence", evidence)]).await;
        assert_eq!(page.status, 422, "{why}");
        assert!(page.body.contains(why) && page.body.contains("Change it"), "{}", page.body);
        let kept = page.between("data-testid=\"evidence\">", "</textarea>").unwrap();
        assert_eq!(kept, if evidence.contains("4242") { "" } else { evidence });
    }
    // Nobody takes the answer: the processor of this world does not exist.
    admin.get(&path).await;
    let typed = [("evidence", "Signed for & <b>received</b>")];
    let page = admin.submit(&format!("{path}/evidence"), &typed).await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("the processor did not answer; send it once more"), "{}", page.body);
    assert!(page.body.contains("Signed for &#38; &#60;b&#62;received"), "{}", page.body);
    let page = admin.get("/dashboard/developers").await;
    assert!(page.body.contains("answer dispute"), "it is in the log");
    assert_eq!(page.body.matches("answer dispute").count(), 1, "what was refused is not");
}

/// A report of a day on which nothing was sold: a fee of a dispute, and nothing is paid out.
async fn settled(gateway: &Gateway) -> SettlementId {
    let id = SettlementId::new(NOW, [8; 10]);
    let summary = json!({
        "batch_id": id, "date": "2026-11-21", "currency": "EUR", "gross_sales": 0, "refunds": 0,
        "chargebacks": 0, "cases_won": 0, "interchange": 0, "scheme_fees": 0,
        "merchant_discount": 0, "adjustments": -2000, "reserve_in": 0, "reserve_out": 0,
        "carried_balance": -2000, "net": -2000, "payout": 0, "payout_reference": null, "lines": 0,
    });
    let report = serde_json::from_value(json!({"summary": summary, "lines": []})).unwrap();
    gateway.tell(2, News::Settlement { report: Box::new(report) }).await;
    id
}

#[actix_web::test]
async fn a_report_that_pays_nothing_out_says_why() {
    let gateway = Gateway::start().await;
    let mut viewer = Browser::signed_in(&gateway, "vera").await;
    assert!(viewer.get("/dashboard/payouts").await.body.contains("Nothing was paid out yet"));
    let path = format!("/dashboard/payouts/{}", settled(&gateway).await);
    let page = viewer.get("/dashboard/payouts").await;
    assert_eq!(page.link("payout-link"), Some(path.clone()));
    let page = viewer.get(&path).await;
    let sums = page.between("data-testid=\"sums\">", "</dl>").unwrap();
    for words in [
        "<dt>Sales</dt><dd class=\"amount\">€0.00</dd>",
        "<dt>Fees of disputes, returned refunds</dt><dd class=\"amount\">−€20.00</dd>",
        "<dt>Balance carried</dt><dd class=\"amount\">−€20.00</dd>",
        "<dt class=\"total\">Paid out</dt><dd class=\"amount total\">€0.00</dd>",
    ] {
        assert!(sums.contains(words), "{words}: {sums}");
    }
    assert!(!sums.contains("Refunds<") && !sums.contains("Reference"), "{sums}");
    assert!(page.body.contains("This report has no lines."));
    let csv = viewer.get(&format!("{path}/lines.csv")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let disposition = csv.header("content-disposition");
    assert_eq!(disposition, Some("attachment; filename=\"settlement-2026-11-21-EUR.csv\""));
    assert!(csv.body.starts_with("kind,payment_id,"), "{}", csv.body);
}

#[actix_web::test]
async fn what_belongs_to_another_merchant_is_not_found() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gateway-foreign-money");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("gateway.db");
    let location = Location::File(file.clone());
    let gateway = Gateway::start_with(|settings| settings.database = location).await;
    let payment = gateway.create_payment(4999).await;
    let dispute = format!("/dashboard/disputes/{}", disputed(&gateway, &payment).await);
    let payout = format!("/dashboard/payouts/{}", settled(&gateway).await);
    let csv = format!("{payout}/lines.csv");
    let mut admin = Browser::signed_in(&gateway, "admin").await;
    for path in [&dispute, &payout, &csv] {
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
    let database = Connection::open(&file).unwrap();
    for table in ["disputes", "settlements"] {
        let sql = format!("UPDATE {table} SET merchant = x'000102030405060708090a0b0c0d0e0f'");
        assert_eq!(database.execute(&sql, []), Ok(1));
    }
    for path in [&payout, &csv] {
        assert_eq!(admin.get(path).await.status, 404, "{path}");
    }
    for path in [dispute.as_str(), "/dashboard/disputes/dsp_00000000000000000000000000"] {
        assert_eq!(admin.get(path).await.status, 404, "{path}");
        for deed in ["evidence", "accept"] {
            let answer = admin.submit(&format!("{path}/{deed}"), &[("evidence", "mine")]).await;
            assert_eq!(answer.status, 404, "{path}/{deed}");
        }
    }
    assert!(admin.get("/dashboard/disputes").await.body.contains("no-disputes"));
    assert!(admin.get("/dashboard/payouts").await.body.contains("no-payouts"));
}
