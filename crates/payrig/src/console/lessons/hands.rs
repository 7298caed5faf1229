//! The buttons of lessons: what a learner could do by hand, done over the same wires.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use http::Method;
use scenario::client::http::{Answer, Http, NoAnswer, Outgoing};
use scenario::client::page::Page;
use scenario::client::payer::Payer;
use serde_json::{Value, json};

use super::super::Console;
use super::super::{faults, time};
use super::{Ended, attacks, begun};
use crate::access::refused;
use crate::failure::{Failure, Outcome};
use crate::program::Program;

/// A card that pays, and one that was reported lost.
const PAYS: &str = "4242424242424242";
const LOST: &str = "4000010010410000";
const CHALLENGED: &str = "4000010030070008";
/// Pages on the way to the bank and back, at most.
const STEPS_MAX: usize = 60;
/// Pause before a page that waits is looked at again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// An order that a lesson made.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub id: String,
    pub key: String,
    pub checkout_url: String,
}

/// What stands on a button; the button itself when nobody knows it.
pub(super) fn label(button: &str) -> String {
    let (verb, what) = button.split_once(' ').unwrap_or((button, ""));
    match verb {
        "buy" if what == "lost" => "Buy with a lost card".into(),
        "buy" if what == "twice" => "Press Pay twice".into(),
        "buy" if what == "challenge" => "Buy and confirm at the bank".into(),
        "buy" => "Buy a tin of tea".into(),
        "arm" => faults::preset(what).map_or(button.to_owned(), |it| format!("Arm: {}", it.words)),
        "clock" => match what {
            "idle" => "Clock: until idle".into(),
            "day" => "Clock: +1 day".into(),
            "hour" => "Clock: +1 h".into(),
            _ => button.to_owned(),
        },
        "protect" if what.ends_with(" on") => "Switch the protection on".into(),
        "protect" => "Switch the protection off".into(),
        "attack" => "Attack".into(),
        "refund" => "Refund twice at once".into(),
        "dispute" if what == "shifted" => "Dispute the confirmed payment".into(),
        "dispute" if what == "plain" => "Dispute the other payment".into(),
        "dispute" => "Dispute the payment".into(),
        "token" => "Make a token and use it twice".into(),
        "rotate" => "Rotate the webhook secret".into(),
        _ => button.to_owned(),
    }
}

/// Does what a button says.
pub(super) async fn press(console: &Console, lesson: &str, button: &str) -> Outcome<String> {
    begun(console, lesson)?;
    let (verb, what) = button.split_once(' ').unwrap_or((button, ""));
    match verb {
        "buy" => buy(console, lesson, what).await,
        "arm" => faults::arm_preset(console, what).await,
        "clock" => time::move_by(console, what).await,
        "protect" => {
            let (attack, on) = what.split_once(' ').unwrap_or((what, "off"));
            faults::switch_weakness(console, attacks::protection(attack), on == "off").await
        }
        "attack" => attacks::attack(console, lesson, what).await,
        "refund" => refund_twice(console).await,
        "dispute" if !what.is_empty() => dispute_fraud(console, lesson, what).await,
        "dispute" => dispute(console).await,
        "token" => use_token_twice(console).await,
        "rotate" => rotate(console).await,
        _ => Err(Failure::usage(format!("there is no button `{button}`"))),
    }
}

fn unreachable(error: NoAnswer) -> Failure {
    Failure::could_not_run(error.to_string())
}

fn http(console: &Console) -> Http {
    Http::new(console.access.plumbing.activity.clone(), kit::gate::Gate::default())
}

/// One request of an outsider.
pub(super) async fn send(
    console: &Console,
    method: &str,
    url: &str,
    headers: Vec<(String, String)>,
    body: String,
) -> Outcome<Answer> {
    let (method, url) = (method.to_owned(), url.to_owned());
    let outgoing = Outgoing { method, url, headers, body: body.into_bytes() };
    http(console).send(outgoing).await.map_err(unreachable)
}

/// Orders a tin of tea.
pub(super) async fn order(console: &Console, lesson: &str) -> Outcome<Order> {
    let url = format!("{}/api/orders", console.access.addresses.of(Program::Merchant));
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = json!({ "sku": "tea-42", "quantity": 1 }).to_string();
    let answer = send(console, "POST", &url, headers, body).await?;
    let told = answer.json();
    let text = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
    let made = (text("id"), text("order_key"), text("checkout_url"));
    let (Some(id), Some(key), Some(checkout_url)) = made else {
        return Err(Failure::check(format!("the shop took no order: {}", answer.text())));
    };
    let order = Order { id, key, checkout_url };
    console.progress.change(lesson, |begun| begun.orders.push(order.clone()));
    Ok(order)
}

async fn buy(console: &Console, lesson: &str, how: &str) -> Outcome<String> {
    let order = order(console, lesson).await?;
    let mut payer = Payer::new(http(console));
    let page = payer.open(&order.checkout_url).await.map_err(unreachable)?;
    let form = page.form("data-testid=\"card-form\"");
    let form = form.ok_or_else(|| Failure::check("there is no card form".to_owned()))?;
    let number = match how {
        "lost" => LOST,
        "challenge" => CHALLENGED,
        _ => PAYS,
    };
    let typed = [("cc-number", number), ("cc-exp", "12/39"), ("cc-csc", "123")];
    let mut fields = form.fields;
    for (name, value) in typed {
        fields.retain(|(known, _)| known != name);
        fields.push((name.to_owned(), value.to_owned()));
    }
    let mut twin = payer.clone();
    let first = payer.submit(&page, &form.action, &fields);
    let outcome = if how == "twice" {
        let (first, _) = join(first, twin.submit(&page, &form.action, &fields)).await;
        first
    } else {
        first.await
    };
    let mut shown: Page = outcome.map_err(unreachable)?;
    if how == "challenge" {
        shown = confirm(console, &mut payer, shown).await?;
    }
    let said = shown.attribute("outcome", "data-outcome").unwrap_or_else(|| "declined".to_owned());
    Ok(format!("The payment page says: {said}"))
}

/// Goes through the bank's device check and its question, and comes back.
async fn confirm(console: &Console, payer: &mut Payer, page: Page) -> Outcome<Page> {
    let mark = |testid: &str| format!("data-testid=\"{testid}\"");
    let mut page = page;
    for _ in 0..STEPS_MAX {
        let approves = page.has("challenge");
        let asks = ["method-form", "challenge-form", "return-form"];
        let form = asks.iter().find_map(|testid| Some((*testid, page.form(&mark(testid))?)));
        page = match form {
            Some(("method-form", form)) => {
                // A hidden frame; the page itself stays and looks again.
                let frame = payer.submit(&page, &form.action, &form.fields).await;
                let frame = frame.map_err(unreachable)?;
                if let Some(back) = frame.form(&mark("method-return-form")) {
                    let sent = payer.submit(&frame, &back.action, &back.fields).await;
                    sent.map_err(unreachable)?;
                }
                payer.open(&page.url).await.map_err(unreachable)?
            }
            Some((_, form)) => {
                let answer = ("answer".to_owned(), "approve".to_owned());
                let fields = form.fields.into_iter().chain(approves.then_some(answer));
                let fields: Vec<(String, String)> = fields.collect();
                payer.submit(&page, &form.action, &fields).await.map_err(unreachable)?
            }
            None if page.attribute("outcome", "data-outcome").as_deref() == Some("processing") => {
                console.access.plumbing.clock.sleep(LOOK_AGAIN_AFTER).await;
                payer.open(&page.url).await.map_err(unreachable)?
            }
            None => return Ok(page),
        };
    }
    Ok(page)
}

/// The fields of the shop's sealed form, as a browser gets them.
pub(super) async fn sealed_fields(console: &Console, shop: &str) -> Outcome<Vec<(String, String)>> {
    let mut payer = Payer::new(http(console));
    let product = payer.open(&format!("{shop}/products/tea-42")).await.map_err(unreachable)?;
    let add = product.form("class=\"row buy-form\"").ok_or_else(|| no_form("cart"))?;
    let mut chosen = add.fields;
    chosen.push(("quantity".to_owned(), "1".to_owned()));
    payer.submit(&product, &add.action, &chosen).await.map_err(unreachable)?;
    let checkout = payer.open(&format!("{shop}/checkout?currency=EUR")).await;
    let checkout = checkout.map_err(unreachable)?;
    let place =
        checkout.form("data-testid=\"checkout-form\"").ok_or_else(|| no_form("checkout"))?;
    let mut fields = place.fields;
    let answers = [("name", "Mallory"), ("email", "m@example.com"), ("way", "form")];
    for (name, value) in answers {
        fields.retain(|(known, _)| known != name);
        fields.push((name.to_owned(), value.to_owned()));
    }
    let page = payer.submit(&checkout, &place.action, &fields).await.map_err(unreachable)?;
    let sealed = page.form("data-testid=\"sealed-form\"").ok_or_else(|| no_form("sealed"))?;
    Ok(sealed.fields)
}

fn no_form(name: &str) -> Failure {
    Failure::check(format!("the shop shows no {name} form"))
}

fn key(console: &Console) -> String {
    data_encoding::HEXLOWER.encode(&console.access.plumbing.secrets.bytes::<12>())
}

async fn newest(console: &Console, query: &str) -> Outcome<Value> {
    let page: Value = console.client.read(&format!("/api/payments?limit=1{query}")).await?;
    let newest = page.get("data").and_then(|data| data.get(0)).cloned();
    newest.ok_or_else(|| Failure::check("there is no such payment yet".to_owned()))
}

fn id_of(payment: &Value) -> &str {
    payment.get("id").and_then(Value::as_str).unwrap_or("")
}

async fn refund_twice(console: &Console) -> Outcome<String> {
    let payment = newest(console, "&status=captured").await?;
    let path = format!("/api/payments/{}/refunds", id_of(&payment));
    let body = json!({ "amount": payment.pointer("/amounts/captured") }).to_string();
    let ask = || {
        let body = Some(Bytes::from(body.clone()));
        console.client.call(Method::POST, &path, body, Some(key(console)))
    };
    let (one, two) = join(ask(), ask()).await;
    Ok(format!("The gateway answered {} and {}", one?.status, two?.status))
}

/// "It was not me", about a payment that the bank answers for, or about one that it does not.
async fn dispute_fraud(console: &Console, lesson: &str, which: &str) -> Outcome<String> {
    let page: Value = console.client.read("/api/payments?limit=25&status=captured").await?;
    let shifted = which == "shifted";
    let fits = |payment: &&Value| {
        payment.pointer("/three_ds/liability_shift").and_then(Value::as_bool).unwrap_or(false)
            == shifted
    };
    let all = page.get("data").and_then(Value::as_array);
    let payment = all.and_then(|all| all.iter().find(fits)).cloned();
    let payment =
        payment.ok_or_else(|| Failure::check("there is no such payment yet".to_owned()))?;
    let filed = file_dispute(console, &payment).await?;
    let refused = filed.contains("liability_shift");
    let ended = Ended { attack: "dispute".to_owned(), protected: shifted, succeeded: !refused };
    console.progress.change(lesson, |begun| begun.attacks.push(ended));
    if refused {
        return Ok("The network refused: the bank itself answers for fraud".to_owned());
    }
    Ok("The network took it: the shop loses the money for now".to_owned())
}

async fn dispute(console: &Console) -> Outcome<String> {
    let payment = newest(console, "&status=captured").await?;
    file_dispute(console, &payment).await?;
    Ok("The cardholder's bank disputes the payment".to_owned())
}

/// Files a dispute as fraud; gives back what the network says about the case.
async fn file_dispute(console: &Console, payment: &Value) -> Outcome<String> {
    let cleared: Value = console.access.ask(Program::ProcessorSim, "clearing").await?;
    let records = cleared.get("data").and_then(Value::as_array);
    let record =
        records.and_then(|all| all.iter().find(|it| it.get("payment") == payment.get("id")));
    let arn = record.and_then(|record| record.get("arn")?.as_str()).ok_or_else(|| {
        Failure::check("the payment is not cleared yet: move the clock past the cut-off".to_owned())
    })?;
    let body = json!({ "arn": arn, "reason": "10.4" });
    let filed =
        console.access.tell(Program::ProcessorSim, Method::POST, "disputes", Some(&body)).await?;
    Ok(String::from_utf8_lossy(&filed.body).into_owned())
}

async fn use_token_twice(console: &Console) -> Outcome<String> {
    let url = format!("{}/api/tokens", console.access.addresses.of(Program::Gateway));
    let bearer = format!("Bearer {}", console.access.world.publishable_key);
    let headers = [("content-type", "application/json".to_owned()), ("authorization", bearer)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let card = json!({ "number": PAYS, "expiry": "12/39", "security_code": "123" });
    let made = send(console, "POST", &url, headers, card.to_string()).await?.json();
    let token = made.get("id").and_then(Value::as_str).unwrap_or("").to_owned();
    let mut answers = Vec::new();
    for order in ["token-first", "token-stolen"] {
        let body = json!({
            "amount": { "value": 1500, "currency": "EUR" }, "order_reference": order,
            "card_token": token, "confirm": true,
        });
        let body = Some(Bytes::from(body.to_string()));
        let reply =
            console.client.call(Method::POST, "/api/payments", body, Some(key(console))).await?;
        answers.push(reply.status.to_string());
    }
    Ok(format!("The token was answered {}", answers.join(", then ")))
}

async fn rotate(console: &Console) -> Outcome<String> {
    let endpoints: Value = console.client.read("/api/webhook-endpoints").await?;
    let id = endpoints.get("data").and_then(|data| data.get(0)?.get("id")?.as_str());
    let id = id.ok_or_else(|| Failure::check("there is no endpoint".to_owned()))?;
    let path = format!("/api/webhook-endpoints/{id}/rotate-secret");
    let body = Some(Bytes::from_static(b"{}"));
    let reply = console.client.call(Method::POST, &path, body, Some(key(console))).await?;
    if !reply.is_success() {
        return Err(refused(&reply));
    }
    Ok("The gateway now signs with the old and the new secret".to_owned())
}
