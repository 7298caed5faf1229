//! A browser without JavaScript: cookies, links, forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::http::{Answer, form, send};
use crate::world::PASSWORD;

#[derive(Clone)]
pub struct Browser {
    address: SocketAddr,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new() }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], "").await
    }

    /// Fills a form: its token is read from the page it stands on.
    pub async fn submit(&mut self, page: &str, action: &str, pairs: &[(&str, &str)]) -> Answer {
        let token = self.form_token(page).await;
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(pairs);
        self.post(action, &all).await
    }

    pub async fn post(&mut self, action: &str, pairs: &[(&str, &str)]) -> Answer {
        self.post_with(action, pairs, &[]).await
    }

    pub async fn post_with(
        &mut self,
        action: &str,
        pairs: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.request("POST", action, &all, &form(pairs)).await
    }

    pub async fn form_token(&mut self, page: &str) -> String {
        field(&self.get(page).await.text(), "csrf")
    }

    async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let pairs: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = pairs.join("; ");
        let mut all = vec![("accept", "text/html")];
        if !cookie.is_empty() {
            all.push(("cookie", &cookie));
        }
        all.extend_from_slice(headers);
        let answer = send(self.address, method, path, &all, body.as_bytes()).await;
        for (name, value) in &answer.headers {
            if name.eq_ignore_ascii_case("set-cookie") {
                let pair = value.split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub fn cookie(&self, name: &str) -> Option<&String> {
        self.cookies.get(name)
    }

    pub async fn add_to_cart(&mut self, sku: &str, quantity: &str) {
        let page = format!("/products/{sku}");
        let pairs = [("sku", sku), ("quantity", quantity)];
        let added = self.submit(&page, "/cart/add", &pairs).await;
        assert_eq!(added.status, 303, "{}", added.text());
    }

    /// Fills the checkout as it is shown, without sending it.
    pub async fn checkout_form(&mut self, currency: &str) -> Vec<(String, String)> {
        let page = self.get(&format!("/checkout?currency={currency}")).await;
        assert_eq!(page.status, 200, "{:?}", page.header("location"));
        let mut pairs: Vec<(String, String)> = ["csrf", "currency", "revision"]
            .iter()
            .map(|name| ((*name).to_owned(), field(&page.text(), name)))
            .collect();
        pairs.push(("name".into(), "Ada Example".into()));
        pairs.push(("email".into(), "ada@example.com".into()));
        pairs
    }

    pub async fn send_checkout(&mut self, pairs: &[(String, String)]) -> Answer {
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("/checkout", &pairs).await
    }

    /// Orders one product; the id of the order.
    pub async fn buy(&mut self, sku: &str, currency: &str) -> String {
        self.add_to_cart(sku, "1").await;
        let pairs = self.checkout_form(currency).await;
        let placed = self.send_checkout(&pairs).await;
        assert_eq!(placed.status, 303, "{}", placed.text());
        self.newest_order().await
    }

    pub async fn newest_order(&mut self) -> String {
        let page = self.get("/orders").await.text();
        let at = page.find("/orders/ord_").expect("an order");
        page[at + 8..at + 8 + 30].to_owned()
    }

    pub async fn log_in(&mut self, name: &str) {
        let pairs = [("name", name), ("password", PASSWORD)];
        let answer = self.submit("/office/login", "/office/login", &pairs).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/office")));
    }
}

/// The value of a hidden field.
pub fn field(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let at = page.find(&mark).unwrap_or_else(|| panic!("no field {name} in {page}"));
    let rest = &page[at + mark.len()..];
    rest[..rest.find('"').unwrap()].to_owned()
}

/// The text of the element with a test id.
pub fn text_of(page: &str, test_id: &str) -> String {
    let mark = format!("data-testid=\"{test_id}\"");
    let at = page.find(&mark).unwrap_or_else(|| panic!("no {test_id} in {page}"));
    let rest = &page[at..];
    let rest = &rest[rest.find('>').unwrap() + 1..];
    rest[..rest.find('<').unwrap()].trim().to_owned()
}
