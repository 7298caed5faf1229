//! A customer with a browser in front of a running world.

use payrig::program::Program;
use payrig_tests::browser::{Browser, Device};
use payrig_tests::processes::{Scratch, Up};

/// A card that pays.
pub const PAYS: &str = "4242424242424242";

/// Somebody who shops.
pub struct Customer {
    /// What they look at.
    pub browser: Browser,
    /// The world that they are in.
    pub up: Up,
    _state: Scratch,
}

impl Customer {
    /// A new world and somebody in it; none on a machine without a browser.
    pub async fn enter(device: Device) -> Option<Self> {
        let browser = Browser::start(device).await?;
        let state = Scratch::new("browser-world");
        let up = Up::start(&state).await;
        Some(Self { browser, up, _state: state })
    }

    /// An address of the shop.
    pub fn shop(&self, path: &str) -> String {
        format!("{}{path}", self.up.url(Program::Merchant))
    }

    /// Puts a product into the cart and goes to the payment page.
    pub async fn order(&self, sku: &str) {
        let browser = &self.browser;
        browser.open(&self.shop(&format!("/products/{sku}"))).await;
        browser.press("add-to-cart").await;
        browser.see("added").await;
        browser.press("nav-cart").await;
        let currency = if sku == "pot-9" { "KWD" } else { "EUR" };
        browser.press(&format!("checkout-{currency}")).await;
        browser.fill("name", "Ada Example").await;
        browser.fill("email", "ada@example.com").await;
        browser.press("place-order").await;
        browser.see("card-form").await;
    }

    /// Types a card into the form and presses Pay.
    pub async fn type_card(&self, number: &str) {
        let browser = &self.browser;
        browser.fill("card-number", number).await;
        browser.fill("card-expiry", "1239").await;
        browser.fill("card-code", "123").await;
        browser.press("pay").await;
    }

    /// The order that the customer made last, on its page.
    pub async fn open_last_order(&self) -> String {
        self.browser.open(&self.shop("/orders")).await;
        let path =
            self.browser.evaluate("document.querySelector('[data-testid=order] a').pathname");
        let path = path.await.as_str().unwrap().to_owned();
        self.browser.open(&self.shop(&path)).await;
        path.trim_start_matches("/orders/").to_owned()
    }

    /// Buys something with a card that pays, up to the order's page.
    pub async fn buy(&self, sku: &str) -> String {
        self.order(sku).await;
        self.type_card(PAYS).await;
        self.browser.wait_for("outcome", "data-outcome", "paid").await;
        let order = self.open_last_order().await;
        self.browser.wait_for("order-state", "data-status", "paid").await;
        order
    }

    /// A token for a card, as the card fields would get it.
    pub async fn token(&self, number: &str) -> String {
        let bearer = format!("Bearer {}", self.up.keys().publishable_key);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let card = serde_json::json!({"number": number, "expiry": "12/39", "security_code": "123"});
        let url = format!("{}/api/tokens", self.up.url(Program::Gateway));
        let http = payrig_tests::http::Http::default();
        let answer = http.send("POST", &url, &headers, card.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Logs in to the back office.
    pub async fn log_in(&self, name: &str) {
        let keys = self.up.keys();
        let account = keys.accounts.iter().find(|account| account.name == name).unwrap();
        self.browser.open(&self.shop("/office")).await;
        self.browser.fill("login-name", name).await;
        self.browser.fill("login-password", &account.password).await;
        self.browser.press("login-submit").await;
        self.browser.see("logout").await;
    }
}
