//! The money of a merchant at the gateway's dashboard: disputes, payouts, refunds.

use payrig_tests::payer::{PageSeen, Payer};
use payrig_tests::world::World;

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
