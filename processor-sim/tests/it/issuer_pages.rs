//! The desk of a bank in the browser: accounts, cards, money, sign-off.

use crate::world::{World, code, merchant_initiated};

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
    assert!(page.contains("€49.99"), "{page}");
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
    assert!(page.contains("€10.00") && page.contains("drawn out"), "{page}");
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "51");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_clerk_places_and_lifts_stop_orders() {
    let world = World::start().await;
    let charged = async || {
        let mut message = world.purchase("visa.ok");
        message.stored_credential = Some(merchant_initiated());
        code(&world.send(&message).await)
    };
    assert_eq!(charged().await, "00");
    let bank = world.page("/issuers/aurora").await;
    let path =
        format!("/issuers/aurora/accounts/{}", attribute(&bank, "/issuers/aurora/accounts/"));
    let token = attribute(&world.page(&path).await, "name=\"token\" value=\"");
    let merchant = world.purchase("visa.ok").card_acceptor_id.unwrap();
    let form = async |fields: &str| {
        let body = format!("token={token}&card=visa.ok&{fields}");
        world.form(&format!("{path}/card"), &body).await.0
    };
    // The next payment of a merchant: once.
    assert_eq!(form(&format!("stop=R0&merchant={merchant}")).await, 303);
    assert_eq!([charged().await, charged().await], ["R0", "00"]);
    // Another merchant's: not this one.
    assert_eq!(form("stop=R1&merchant=NOBODY000000001").await, 422);
    assert_eq!(form(&format!("stop=R1&merchant={merchant}")).await, 303);
    assert!(world.page(&path).await.contains(&format!("every payment of {merchant}")));
    assert_eq!([charged().await, charged().await], ["R1", "R1"]);
    assert_eq!(code(&world.send(&world.purchase("visa.ok")).await), "00", "the holder pays");
    assert_eq!(form("stop=R3&merchant=").await, 303);
    assert_eq!(charged().await, "R3");
    assert_eq!(form("lift=R3").await, 303);
    assert_eq!(form(&format!("lift=R1:{merchant}")).await, 303);
    assert_eq!(charged().await, "00");
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_clerk_renews_a_card_asks_its_holder_to_call_and_sends_a_new_one() {
    let world = World::start().await;
    let pay = async || code(&world.send(&world.purchase("visa.ok")).await);
    assert_eq!(pay().await, "00");
    let bank = world.page("/issuers/aurora").await;
    let path =
        format!("/issuers/aurora/accounts/{}", attribute(&bank, "/issuers/aurora/accounts/"));
    let token = attribute(&world.page(&path).await, "name=\"token\" value=\"");
    let form = async |route: &str, fields: &str| {
        let body = format!("token={token}&card=visa.ok&{fields}");
        world.form(&format!("{path}/{route}"), &body).await.0
    };
    assert_eq!(form("card", "contact=yes").await, 303);
    assert_eq!(pay().await, "05");
    assert_eq!(form("card", "contact=no").await, 303);
    assert_eq!(pay().await, "00");
    assert_eq!(form("card", "expiry=13/99").await, 422);
    assert_eq!(form("card", "expiry=01/33").await, 303);
    assert_eq!(pay().await, "54");
    assert_eq!(form("status", "status=replaced").await, 303);
    assert_eq!(pay().await, "46");
    let page = world.page(&path).await;
    assert!(page.contains("Another card took its place"), "{page}");
    assert_eq!(page.matches("data-testid=\"card\"").count(), 2, "both draw on the account");
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
