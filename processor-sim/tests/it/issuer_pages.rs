//! The desk of a bank in the browser: accounts, cards, money, sign-off.

use crate::world::{World, code};

fn attribute(page: &str, before: &str) -> String {
    let rest = page.split_once(before).unwrap_or_else(|| panic!("no {before} in {page}")).1;
    rest.split_once('"').unwrap().0.to_owned()
}

#[actix_web::test]
async fn a_clerk_blocks_and_unblocks_a_card() {
    let world = World::start().await;
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "00");
    let bank = world.page("/issuers/aurora").await;
    assert!(bank.contains("visa.ok") && bank.contains("signed on"), "{bank}");
    let path =
        format!("/issuers/aurora/accounts/{}", attribute(&bank, "/issuers/aurora/accounts/"));
    let page = world.page(&path).await;
    assert!(page.contains("EUR\u{a0}49.99"), "{page}");
    let token = attribute(&page, "name=\"token\" value=\"");
    let block = format!("token={token}&card=visa.ok&status=blocked_temp");
    assert_eq!(world.form(&format!("{path}/status"), &block).await.0, 303);
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "78");
    let unblock = format!("token={token}&card=visa.ok&status=active");
    assert_eq!(world.form(&format!("{path}/status"), &unblock).await.0, 303);
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "00");

    let forged = "token=guess&card=visa.ok&status=lost";
    assert_eq!(world.form(&format!("{path}/status"), forged).await.0, 403);
    let lost = format!("token={token}&card=visa.ok&status=lost");
    assert_eq!(world.form(&format!("{path}/status"), &lost).await.0, 303);
    let (status, text) = world.form(&format!("{path}/status"), &unblock).await;
    assert!(status == 409 && text.contains("a card that is lost cannot become active"), "{text}");
    assert_eq!(world.form("/issuers/borealis/accounts/acc_none/status", &lost).await.0, 404);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_clerk_sets_what_is_available_and_sees_the_postings() {
    let world = World::start().await;
    world.send(&world.purchase("visa.ok")).await;
    let bank = world.page("/issuers/aurora").await;
    let path =
        format!("/issuers/aurora/accounts/{}", attribute(&bank, "/issuers/aurora/accounts/"));
    let page = world.page(&path).await;
    let token = attribute(&page, "name=\"token\" value=\"");
    let set = |amount: &str| format!("token={token}&card=visa.ok&currency=EUR&amount={amount}");
    let (status, text) = world.form(&format!("{path}/available"), &set("10.001")).await;
    assert!(status == 422 && text.contains("Not changed"), "{text}");
    assert_eq!(world.form(&format!("{path}/available"), &set("10")).await.0, 303);
    let page = world.page(&path).await;
    assert!(page.contains("EUR\u{a0}10.00") && page.contains("drawn out"), "{page}");
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "51");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_bank_is_signed_off_and_on_in_the_browser() {
    let world = World::start().await;
    let page = world.page("/issuers/aurora").await;
    let token = attribute(&page, "name=\"token\" value=\"");
    let off = format!("token={token}&to=off");
    assert_eq!(world.form("/issuers/aurora/sign", &off).await.0, 303);
    assert!(world.page("/issuers/aurora").await.contains(": signed off"));
    let on = format!("token={token}&to=on");
    assert_eq!(world.form("/issuers/aurora/sign", &on).await.0, 303);
    assert!(!world.page("/issuers/aurora").await.contains(": signed off"));
    assert_eq!(world.form("/issuers/nowhere/sign", &on).await.0, 404);
    assert_eq!(world.form("/issuers/aurora/sign", "to=off").await.0, 403);
}
