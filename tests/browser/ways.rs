//! Three ways to pay, also from a page of another origin, and what is refused on each.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use payrig::program::Program;
use payrig_tests::browser::Device;
use payrig_tests::http::Http;
use payrig_tests::processes::until;
use wire::order_code::{OrderCodeKey, OrderFields, code};

use super::customer::{Customer, PAYS};

/// Serves one page on an origin of its own; gives back the origin.
fn serve(page: impl Fn(&str) -> String + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let body = page(&origin);
    let app = move || {
        let body = body.clone();
        App::new().default_service(web::to(move || {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body) }
        }))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
    actix_web::rt::spawn(server);
    origin
}

pub async fn place(customer: &Customer, way: &str) {
    let browser = &customer.browser;
    browser.open(&customer.shop("/products/tea-42")).await;
    browser.press("add-to-cart").await;
    browser.see("added").await;
    browser.press("nav-cart").await;
    browser.press("checkout-EUR").await;
    browser.fill("name", "Ada Example").await;
    browser.fill("email", "ada@example.com").await;
    browser.press(way).await;
    browser.picture("shop-checkout-ways").await;
    browser.press("place-order").await;
}

pub async fn type_into_frame(customer: &Customer, number: &str) {
    let browser = &customer.browser;
    browser.enter_frame("iframe").await;
    browser.fill("card-number", number).await;
    browser.fill("card-expiry", "1239").await;
    browser.fill("card-code", "123").await;
    browser.leave_frame().await;
}

#[actix_web::test]
async fn card_fields_on_the_shops_page_pay_with_a_token() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    place(&customer, "way-embedded").await;
    browser.wait_for("card-token-form", "data-ready", "yes").await;
    // Mistakes are named in the frame and told to the page.
    browser.press("pay-embedded").await;
    until("the page is told of all mistakes", Duration::from_secs(20), async || {
        (browser.text("card-said").await == "3 card fields have mistakes.").then_some(())
    })
    .await;
    browser.picture("embedded-mistakes").await;
    // Messages that do not come from the frame change nothing.
    browser
        .evaluate(
            "window.postMessage({payrig: 1, nonce: 'x'.repeat(32), type: 'token', token: 'tok_x'}, '*')",
        )
        .await;
    type_into_frame(&customer, PAYS).await;
    let token = browser.evaluate("document.querySelector('[name=card_token]').value").await;
    assert_eq!(token, "", "a forged message was believed");
    browser.picture("embedded-filled").await;
    browser.press("pay-embedded").await;
    browser.wait_for("order-state", "data-status", "paid").await;
    assert!(!browser.source().await.contains(PAYS));
}

#[actix_web::test]
async fn a_declined_card_in_the_fields_leaves_the_order_payable() {
    let Some(customer) = Customer::enter(Device::PHONE).await else { return };
    let browser = &customer.browser;
    place(&customer, "way-embedded").await;
    browser.wait_for("card-token-form", "data-ready", "yes").await;
    browser.assert_fits().await;
    browser.picture("phone-embedded").await;
    type_into_frame(&customer, "4000000000000002").await;
    browser.press("pay-embedded").await;
    browser.wait_for("order-state", "data-status", "declined").await;
    browser.press("pay").await;
    browser.see("card-form").await;
}

#[actix_web::test]
async fn a_sealed_form_pays_and_a_changed_one_is_refused() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    place(&customer, "way-form").await;
    browser.see("sealed-form").await;
    browser.picture("sealed-form").await;
    let form = browser.address().await;
    for (field, value) in
        [("amount", "1"), ("currency", "JPY"), ("return_url", "http://127.0.0.1:1/"), ("code", "")]
    {
        browser
            .evaluate(&format!("document.querySelector('[name={field}]').value = '{value}'"))
            .await;
        browser.press("send-sealed").await;
        assert_eq!(browser.text("problem-code").await, "order_code_invalid", "{field}");
        browser.open(&form).await;
    }
    browser.press("send-sealed").await;
    browser.see("card-form").await;
    assert!(browser.text("amount").await.contains("49.99"));
    customer.type_card(PAYS).await;
    browser.wait_for("outcome", "data-outcome", "paid").await;
    customer.open_last_order().await;
    browser.wait_for("order-state", "data-status", "paid").await;
}

#[actix_web::test]
async fn another_origin_can_embed_the_fields_and_send_the_form_if_it_is_registered() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let browser = &customer.browser;
    let gateway = customer.up.url(Program::Gateway);
    let keys = customer.up.keys();
    let (script, key) = (format!("{gateway}/js/payrig.js"), keys.publishable_key.clone());
    let origin = serve(move |_| {
        format!(
            "<!doctype html><title>t</title><div id=card></div><p id=said data-testid=said></p>\
             <button id=go data-testid=go>Go</button><script src='{script}'></script><script>\
             const fields = Payrig.fields({{key: '{key}', mount: '#card'}});\
             fields.on('ready', () => {{ said.textContent = 'ready'; }});\
             fields.on('token', (it) => {{ said.textContent = it.token + ' ' + JSON.stringify(it); }});\
             go.onclick = () => fields.submit();</script>"
        )
    });
    browser.open(&origin).await;
    payrig_tests::processes::until("ready", std::time::Duration::from_secs(10), async || {
        (browser.text("said").await == "ready").then_some(())
    })
    .await;
    type_into_frame(&customer, PAYS).await;
    browser.press("go").await;
    payrig_tests::processes::until("token", std::time::Duration::from_secs(10), async || {
        browser.text("said").await.starts_with("tok_").then_some(())
    })
    .await;
    assert!(!browser.text("said").await.contains(PAYS), "the page learned the number");

    // A frame that names another page as its home is not shown here.
    let shop = customer.up.url(Program::Merchant);
    let fields = format!("{gateway}/fields?key={}&nonce=0123456789abcdef", keys.publishable_key);
    let thief = format!("{fields}&origin={shop}");
    let foreign = serve(move |_| format!("<!doctype html><iframe src='{thief}'></iframe>"));
    browser.open(&foreign).await;
    browser.enter_frame("iframe").await;
    assert!(!browser.has("fields").await, "a foreign page shows the fields");
    browser.leave_frame().await;
    let http = Http::default();
    for origin in ["https://evil.example", "http://127.0.0.1:7071/path", "*"] {
        let answer = http.get(&format!("{fields}&origin={origin}")).await;
        assert_eq!(answer.status, 403, "{origin}: {}", answer.text());
    }
}

#[actix_web::test]
async fn a_form_of_another_shop_is_judged_by_its_seal_alone() {
    let Some(customer) = Customer::enter(Device::DESKTOP).await else { return };
    let keys = customer.up.keys();
    let gateway = customer.up.url(Program::Gateway);
    let browser = &customer.browser;
    let key = OrderCodeKey::from_base64(&keys.order_code_key).unwrap();
    let now = kit::clock::Clock::real().now().seconds();
    let expires = (now + 600).to_string();
    let fields = OrderFields {
        merchant_id: &keys.merchant_id,
        order_id: "mine-1",
        amount: "1250",
        currency: "EUR",
        exponent: "2",
        return_url: "http://127.0.0.1:9/thanks",
        expires_at: &expires,
        nonce: "0123456789abcdef",
    };
    let inputs = |fields: &OrderFields<'_>, code: &str| {
        let pairs = [
            ("merchant_id", fields.merchant_id),
            ("order_id", fields.order_id),
            ("amount", fields.amount),
            ("currency", fields.currency),
            ("exponent", fields.exponent),
            ("return_url", fields.return_url),
            ("expires_at", fields.expires_at),
            ("nonce", fields.nonce),
            ("code", code),
        ];
        pairs.map(|(name, value)| (name, value.to_owned()))
    };
    let sealed = inputs(&fields, &code(&key, &fields));
    let action = format!("{gateway}/pay/form");
    let shown = sealed.clone();
    let origin = serve(move |_| {
        let hidden: Vec<String> = shown
            .iter()
            .map(|(name, value)| format!("<input type=hidden name={name} value='{value}'>"))
            .collect();
        format!(
            "<!doctype html><form method=post action='{action}'>{}<button data-testid=go>Go\
             </button></form>",
            hidden.concat()
        )
    });
    browser.open(&origin).await;
    browser.press("go").await;
    browser.see("card-form").await;
    let first = browser.address().await;
    // Sent again, as with the back button, it is the same payment.
    browser.open(&origin).await;
    browser.press("go").await;
    browser.see("card-form").await;
    assert_eq!(browser.address().await, first);

    let http = Http::default();
    let send = async |pairs: &[(&str, String)]| {
        let body: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B")))
            .collect();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        http.send("POST", &format!("{gateway}/pay/form"), &kind, body.join("&")).await
    };
    let with = |changed: OrderFields<'_>| {
        let code = code(&key, &changed);
        inputs(&changed, &code)
    };
    // Well sealed, and wrong all the same.
    for (pairs, status, word) in [
        (with(OrderFields { amount: "1", ..fields }), 409, "order_code_reused"),
        (
            with(OrderFields { expires_at: "1000", nonce: "fedcba9876543210", ..fields }),
            410,
            "order_expired",
        ),
        (
            with(OrderFields { exponent: "0", nonce: "fedcba9876543211", ..fields }),
            400,
            "order_field_invalid",
        ),
        (
            with(OrderFields {
                return_url: "https://evil.example/",
                nonce: "fedcba9876543212",
                ..fields
            }),
            400,
            "order_field_invalid",
        ),
    ] {
        let answer = send(&pairs).await;
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (status, word));
    }
    // A field that stands twice is nobody's order.
    let mut doubled = sealed.to_vec();
    doubled.push(("amount", "1".to_owned()));
    assert_eq!(send(&doubled).await.status, 400);
}
