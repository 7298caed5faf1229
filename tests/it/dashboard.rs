//! The money of a merchant at the gateway's dashboard: disputes, payouts, refunds.

use payrig_tests::payer::{PageSeen, Payer};
use payrig_tests::world::World;
use serde_json::json;

const PAYS: &str = "4242424242424242";
const DISPUTED: &str = "4000010060010007";

async fn signed_in(world: &World, path: &str) -> (Payer, PageSeen) {
    let account = world.keys.world.accounts.iter().find(|it| it.name == "admin").unwrap();
    let mut admin = world.payer();
    let page = admin.open(&format!("{}{path}", world.gateway)).await;
    let typed = [("name", "admin"), ("password", account.password.as_str())];
    let page = admin.fill(&page, "data-testid=\"login\"", &typed).await;
    assert!(page.has("logout"), "{}", page.html);
    (admin, page)
}

/// The page behind a link.
async fn follow(world: &World, admin: &mut Payer, page: &PageSeen, link: &str) -> PageSeen {
    let path = page.attribute(link, "href").unwrap_or_else(|| panic!("{link}: {}", page.html));
    admin.open(&format!("{}{path}", world.gateway)).await
}

#[actix_web::test]
async fn a_dispute_is_answered_once_and_won() {
    let world = World::start().await;
    world.pay(DISPUTED, 5000, "EUR").await;
    world.advance("4d").await;
    let (mut admin, list) = signed_in(&world, "/dashboard/disputes").await;
    assert_eq!(list.attribute("dispute", "data-status").as_deref(), Some("chargeback"));
    let page = follow(&world, &mut admin, &list, "dispute-link").await;
    assert_eq!(page.text("money"), "the cardholder");
    let typed = [("evidence", "winning_evidence: signed for")];
    let sent = admin.fill(&page, "data-testid=\"evidence-form\"", &typed).await;
    assert_eq!(sent.text("notice"), "The evidence was sent.", "{}", sent.html);
    assert_eq!(sent.text("evidence-given"), "winning_evidence: signed for");
    // A second press, also of the other form of that page, does nothing.
    for form in ["evidence-form", "accept-form"] {
        let again = admin.fill(&page, &format!("data-testid=\"{form}\""), &typed).await;
        assert!(again.text("notice").contains("nothing was done twice"), "{}", again.html);
    }
    world.settle().await;
    let page = admin.open(&page.url).await;
    assert_eq!(page.attribute("status", "data-status").as_deref(), Some("won"));
    assert_eq!(page.text("money"), "you");
    assert!(page.has("nothing-to-do") && !page.has("evidence-form"));
    let log = admin.open(&format!("{}/dashboard/developers", world.gateway)).await;
    let told = log.text("actions");
    assert!(told.contains("answer dispute") && !told.contains("accept dispute"), "{told}");
    assert!(told.contains("€50.00: evidence of 28 characters"), "{told}");
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_dispute_is_accepted_and_takes_no_answer_then() {
    let world = World::start().await;
    world.pay(DISPUTED, 5000, "EUR").await;
    world.advance("4d").await;
    let (mut admin, list) = signed_in(&world, "/dashboard/disputes").await;
    let page = follow(&world, &mut admin, &list, "dispute-link").await;
    let other_tab = admin.open(&page.url).await;
    let sent = admin.fill(&page, "data-testid=\"accept-form\"", &[]).await;
    assert_eq!(sent.text("notice"), "The dispute was accepted.", "{}", sent.html);
    assert_eq!(sent.attribute("status", "data-status").as_deref(), Some("accepted"));
    assert!(!sent.has("accept-form"));
    let typed = [("evidence", "winning_evidence")];
    let late = admin.fill(&other_tab, "data-testid=\"evidence-form\"", &typed).await;
    assert_eq!(late.status, 409, "{}", late.html);
    assert!(late.text("notice").starts_with("Not done: "), "{}", late.html);
    let payment = follow(&world, &mut admin, &late, "payment-link").await;
    assert_eq!(payment.text("amount-charged-back"), "€50.00");
    assert_eq!(payment.text("amount-kept"), "€0.00");
    assert!(payment.attribute("dispute-link", "href").unwrap().contains("/dashboard/disputes/"));
    world.assert_invariants().await;
}

#[actix_web::test]
async fn a_payout_shows_its_report_and_gives_its_lines_as_csv() {
    let world = World::start().await;
    let payment = world.pay(PAYS, 10_000, "EUR").await;
    let (mut admin, empty) = signed_in(&world, "/dashboard/payouts").await;
    assert!(empty.has("no-payouts"), "{}", empty.html);
    world.advance("1d").await;
    let (mut reader, list) = signed_in(&world, "/dashboard/payouts").await;
    let row = list.text("payout-row");
    assert_eq!(row, "2026-01-15 EUR 1 €100.00 −€2.90 €97.10 €97.10");
    let report = follow(&world, &mut reader, &list, "payout-link").await;
    assert_eq!(report.text("payout"), "€97.10");
    assert!(report.text("sums").contains("Merchant discount −€2.90"), "{}", report.html);
    let line = report.text("line");
    for word in ["sale", payment["id"].as_str().unwrap(), "€100.00", "−€2.90", "€97.10"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    let csv = follow(&world, &mut reader, &report, "lines-csv").await;
    let rows: Vec<&str> = csv.html.trim_end().split("\r\n").collect();
    assert_eq!(rows.len(), 2, "{}", csv.html);
    assert!(rows[1].starts_with(&format!("sale,{}", payment["id"].as_str().unwrap())));
    // Who is not signed in any more gets neither page nor file.
    let gone = admin.open(&csv.url).await;
    assert!(gone.has("login-form") && !gone.html.contains("sale,"), "{}", gone.html);
    let nothing = "/dashboard/payouts/set_00000000000000000000000000";
    for path in [nothing.to_owned(), format!("{nothing}/lines.csv")] {
        assert_eq!(reader.open(&format!("{}{path}", world.gateway)).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn refunds_are_listed_page_by_page_and_filtered() {
    let world = World::start().await;
    let (mut admin, page) = signed_in(&world, "/dashboard/refunds").await;
    assert!(page.has("no-refunds"), "{}", page.html);
    let payment = world.pay(PAYS, 10_000, "EUR").await;
    let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
    for n in 1..=27 {
        let body = json!({"amount": n, "reason": format!("<i>part</i> {n}.")});
        let refund = world.api("shop").post(&path, body).await;
        assert_eq!(refund.status, 201, "{}", refund.text());
    }
    world.settle().await;
    let count = |page: &PageSeen| page.html.matches("data-testid=\"refund-row\"").count();
    let first = admin.open(&page.url).await;
    assert_eq!(count(&first), 25);
    let row = first.text("refund-row");
    for word in ["Accepted", "<i>part</i>", payment["id"].as_str().unwrap()] {
        assert!(row.contains(word), "{word}: {row}");
    }
    assert!(!first.html.contains("<i>part"));
    assert!(!first.has("newer"));
    let older = follow(&world, &mut admin, &first, "older").await;
    assert_eq!(count(&older), 2);
    assert!(!older.has("older"));
    let newer = follow(&world, &mut admin, &older, "newer").await;
    assert_eq!(count(&newer), 25);
    assert_eq!(newer.text("refund-row"), row);

    let open = async |admin: &mut Payer, query: &str| {
        admin.open(&format!("{}/dashboard/refunds?{query}", world.gateway)).await
    };
    let accepted = open(&mut admin, "status=succeeded").await;
    assert_eq!(count(&accepted), 25);
    assert!(accepted.attribute("older", "href").unwrap().contains("status=succeeded"));
    let failed = open(&mut admin, "status=failed").await;
    assert!(failed.text("no-refunds").contains("No refund has this status"), "{}", failed.html);
    for (query, why) in [
        ("status=nonsense", "choose one of pending, succeeded, failed, reversed"),
        ("after=pay_1", "`after` is the id of a refund"),
        ("colour=red", "no such parameter"),
    ] {
        let refused = open(&mut admin, query).await;
        assert_eq!(refused.status, 400, "{query}");
        assert!(refused.text("problem").contains(why), "{query}: {}", refused.html);
    }
    let to = follow(&world, &mut admin, &first, "payment-link").await;
    assert!(to.has("refund-row"), "{}", to.html);
}
