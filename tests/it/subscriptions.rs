//! Saved cards and the subscription of the shop: a customer agrees once, the shop charges by timer.

use payrig_tests::payer::{PageSeen, Payer};
use payrig_tests::world::World;
use serde_json::{Value, json};

const VISA: &str = "4000010000000001";
const STOP_MERCHANT: &str = "4000010020050002";

/// Somebody who has subscribed with a card.
struct Subscriber {
    world: World,
    payer: Payer,
}

impl Subscriber {
    async fn start(number: &str) -> Self {
        let world = World::start().await;
        let payer = world.payer();
        let mut it = Self { world, payer };
        let page = it.page().await;
        let typed = [("name", "Ada Example"), ("email", "ada@example.com")];
        let page = it.payer.fill(&page, "data-testid=\"subscribe-form\"", &typed).await;
        assert!(page.text("consent").contains("charges it each month"), "{}", page.html);
        it.pay(&page, number).await;
        it
    }

    async fn pay(&mut self, page: &PageSeen, number: &str) {
        let typed =
            [("cc-number", number), ("cc-exp", "12 / 30"), ("cc-csc", "123"), ("save-card", "yes")];
        self.payer.fill(page, "data-testid=\"card-form\"", &typed).await;
        self.world.settle().await;
    }

    async fn page(&mut self) -> PageSeen {
        let url = format!("{}/subscriptions", self.world.shop);
        self.payer.open(&url).await
    }

    /// State, months paid, and the day of the next payment.
    async fn stand(&mut self) -> (String, String, String) {
        self.world.settle().await;
        let page = self.page().await;
        let status = page.attribute("subscription", "data-status").unwrap_or_default();
        let next = page.attribute("next-payment", "datetime").unwrap_or_default();
        (status, page.text("months"), next.chars().take(10).collect())
    }

    async fn captured(&self) -> Vec<Value> {
        let listed = self.world.api("shop").get("/payments?status=captured&limit=100").await.json();
        listed["data"].as_array().unwrap().clone()
    }

    /// Gives the only card of the subscriber another state at its bank.
    async fn card_becomes(&self, alias: &str, change: Value) {
        let path = format!("/cards/{alias}");
        let card = self.world.sandbox("processor-sim", "GET", &path, Value::Null).await;
        let id = card.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/cards/{id}");
        let answer = self.world.sandbox("processor-sim", "PATCH", &path, change).await;
        assert!(answer.status < 300, "{}", answer.text());
    }
}

fn stand(status: &str, months: &str, next: &str) -> (String, String, String) {
    (status.to_owned(), months.to_owned(), next.to_owned())
}

#[actix_web::test]
async fn a_subscription_is_charged_on_the_same_day_of_each_month_until_it_is_canceled() {
    let mut it = Subscriber::start(VISA).await;
    assert_eq!(it.stand().await, stand("active", "1", "2026-02-15"));
    for (months, next) in [("2", "2026-03-15"), ("3", "2026-04-15")] {
        it.world.advance("744h").await;
        assert_eq!(it.stand().await, stand("active", months, next));
    }
    let payments = it.captured().await;
    assert_eq!(payments.len(), 3);
    let by_merchant = payments.iter().filter(|it| it["initiator"] == "merchant").count();
    assert_eq!(by_merchant, 2);
    let ids: std::collections::HashSet<&str> =
        payments.iter().map(|it| it["network_transaction_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1, "every month is chained to the first");

    let page = it.page().await;
    let after = it.payer.fill(&page, "data-testid=\"cancel-subscription\"", &[]).await;
    assert_eq!(after.attribute("subscription", "data-status").as_deref(), Some("canceled"));
    it.world.advance("1488h").await;
    assert_eq!(it.captured().await.len(), 3);
    let mut colleague = it.world.colleague("grace").await;
    let desk = colleague.open(&format!("{}/office/subscriptions", it.world.shop)).await;
    assert_eq!(desk.attribute("subscription", "data-status").as_deref(), Some("canceled"));
    it.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_cardholder_who_stops_the_merchant_ends_the_subscription() {
    let mut it = Subscriber::start(STOP_MERCHANT).await;
    assert_eq!(it.stand().await.0, "active");
    it.world.advance("744h").await;
    assert_eq!(it.stand().await, stand("canceled", "1", ""));
    assert_eq!(it.captured().await.len(), 1);
    it.world.advance("1488h").await;
    let declined = it.world.api("shop").get("/payments?status=failed").await.json();
    let failed = declined["data"].as_array().unwrap();
    assert_eq!(failed.len(), 1, "stopped after one decline");
    assert_eq!(failed[0]["failure"]["code"], "stop_payment_merchant");
    it.world.assert_invariants().await;
}

#[actix_web::test]
async fn soft_declines_are_tried_again_when_the_bank_advises_and_then_paid() {
    let mut it = Subscriber::start(VISA).await;
    it.card_becomes("visa.ok", json!({"status": "blocked_temp"})).await;
    it.world.advance("744h").await;
    assert_eq!(it.stand().await.0, "retrying");
    it.card_becomes("visa.ok", json!({"status": "active"})).await;
    it.world.advance("24h").await;
    assert_eq!(it.stand().await, stand("active", "2", "2026-03-15"));
    it.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_hard_decline_leaves_the_month_to_the_customer_who_pays_with_another_card() {
    let mut it = Subscriber::start(VISA).await;
    it.card_becomes("visa.ok", json!({"status": "lost"})).await;
    it.world.advance("744h").await;
    assert_eq!(it.stand().await.0, "past_due");
    let page = it.page().await;
    let page = it.payer.fill(&page, "data-testid=\"pay-month\"", &[]).await;
    it.pay(&page, "5200010000000006").await;
    assert_eq!(it.stand().await, stand("active", "2", "2026-03-15"));
    // From now on the other card is charged.
    it.world.advance("744h").await;
    assert_eq!(it.stand().await.1, "3");
    let payments = it.captured().await;
    assert_eq!(payments[0]["card"]["brand"], "mastercard", "{:#}", payments[0]);
    it.world.assert_invariants().await;
}

#[actix_web::test]
async fn a_customer_saves_a_card_pays_with_one_click_and_deletes_it() {
    let world = World::start().await;
    let mut payer = world.payer();
    let cards = format!("{}/cards", world.shop);
    let page = payer.open(&cards).await;
    let page = payer.fill(&page, "data-testid=\"save-cards\"", &[]).await;
    assert!(page.has("no-cards"), "{}", page.html);
    let order = async |payer: &mut Payer| {
        let page = payer.open(&format!("{}/products/tea-42", world.shop)).await;
        payer.fill(&page, "data-testid=\"add-to-cart\"", &[("quantity", "1")]).await;
        payer.open(&format!("{}/checkout?currency=EUR", world.shop)).await
    };
    let who = [("name", "Ada Example"), ("email", "ada@example.com")];
    let page = order(&mut payer).await;
    let page = payer.fill(&page, "data-testid=\"checkout-form\"", &who).await;
    let typed =
        [("cc-number", VISA), ("cc-exp", "12 / 30"), ("cc-csc", "123"), ("save-card", "yes")];
    payer.fill(&page, "data-testid=\"card-form\"", &typed).await;
    world.settle().await;
    let page = payer.open(&cards).await;
    assert!(page.text("card").contains("Visa ending in 0001"), "{}", page.html);

    let page = order(&mut payer).await;
    assert!(page.has("saved-card"), "{}", page.html);
    let paid = payer.fill(&page, "data-testid=\"checkout-form\"", &who).await;
    assert!(paid.url.contains("/orders/"), "{}", paid.url);
    assert!(paid.html.contains("Paid"), "{}", paid.html);
    let page = payer.open(&cards).await;
    let page = payer.fill(&page, "data-testid=\"delete-card\"", &[]).await;
    assert!(page.has("no-cards"), "{}", page.html);
    world.assert_invariants().await;
}
