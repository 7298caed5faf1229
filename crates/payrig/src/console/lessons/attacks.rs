//! Attacks on the shop and the gateway of this sandbox, played as an outsider would.

use scenario::client::http::{Answer, encode_form};
use serde_json::{Value, json};

use super::super::Console;
use super::super::frame::weaknesses;
use super::hands::{self, Order};
use super::{Ended, begun};
use crate::failure::{Failure, Outcome};
use crate::program::Program;

/// The attacks.
pub(super) const ALL: [&str; 4] = ["return", "amount", "currency", "webhook"];

/// The protection that an attack meets.
pub(super) fn protection(attack: &str) -> &'static str {
    match attack {
        "return" => "trust_return_url",
        "webhook" => "webhook_signature_unchecked",
        _ => "order_code_unchecked",
    }
}

/// Attacks once, looks what came of it, and remembers whether the protection was on.
pub(super) async fn attack(console: &Console, lesson: &str, attack: &str) -> Outcome<String> {
    begun(console, lesson)?;
    debug_assert!(ALL.contains(&attack), "a lesson knows an attack that nobody plays");
    let off = weaknesses(console).await;
    let protected = !off.iter().any(|it| it.id == protection(attack) && it.on);
    let succeeded = match attack {
        "return" => come_back(console, lesson).await?,
        "webhook" => forge_webhook(console, lesson).await?,
        "amount" => tampered_form(console, ("amount", "1")).await?,
        "currency" => tampered_form(console, ("currency", "USD")).await?,
        _ => return Err(Failure::usage(format!("there is no attack `{attack}`"))),
    };
    let ended = Ended { attack: attack.to_owned(), protected, succeeded };
    console.progress.change(lesson, |begun| begun.attacks.push(ended));
    Ok(if succeeded { "The attack worked".to_owned() } else { "The attack was refused".to_owned() })
}

async fn is_paid(console: &Console, order: &Order) -> Outcome<bool> {
    let url = format!("{}/api/orders/{}", console.access.addresses.of(Program::Merchant), order.id);
    let key = vec![("authorization".to_owned(), format!("Bearer {}", order.key))];
    let answer = hands::send(console, "GET", &url, key, String::new()).await?;
    Ok(answer.json().get("status").and_then(Value::as_str) == Some("paid"))
}

/// Opens the way back of an unpaid order with an outcome that was typed in.
async fn come_back(console: &Console, lesson: &str) -> Outcome<bool> {
    let order = hands::order(console, lesson).await?;
    let shop = console.access.addresses.of(Program::Merchant);
    let url = format!("{shop}/orders/{}/return?cs={}&outcome=paid", order.id, order.key);
    hands::send(console, "GET", &url, Vec::new(), String::new()).await?;
    is_paid(console, &order).await
}

/// Tells the shop that an order is paid, without the gateway's secret.
async fn forge_webhook(console: &Console, lesson: &str) -> Outcome<bool> {
    let order = hands::order(console, lesson).await?;
    let path = format!("/api/payments?order_reference={}&limit=1", order.id);
    let page: Value = console.client.read(&path).await?;
    let payment = page.get("data").and_then(|data| data.get(0)).cloned().unwrap_or_default();
    let body = forged_event(console, payment).await?;
    let now = console.client.now().await?.seconds();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", body.0),
        ("webhook-timestamp", now.to_string()),
        ("webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let url = format!("{}/webhooks/payments", console.access.addresses.of(Program::Merchant));
    hands::send(console, "POST", &url, headers, body.1).await?;
    is_paid(console, &order).await
}

/// The id and the body of an event that never happened.
async fn forged_event(console: &Console, mut payment: Value) -> Outcome<(String, String)> {
    let value = payment.pointer("/amount/value").cloned().unwrap_or_default();
    if let Some(fields) = payment.as_object_mut() {
        fields.insert("status".into(), json!("captured"));
        fields.remove("client_secret");
        fields.remove("checkout_url");
        if let Some(amounts) = fields.get_mut("amounts").and_then(Value::as_object_mut) {
            amounts.insert("authorized".into(), value.clone());
            amounts.insert("captured".into(), value);
        }
    }
    let now = console.client.now().await?;
    let id = wire::ids::EventId::new(now, console.access.plumbing.secrets.bytes()).to_string();
    let event = json!({
        "id": id, "type": "payment.captured", "created_at": now, "sequence": 1000,
        "previous_status": "authorized", "merchant_id": console.access.world.merchant_id,
        "livemode": false, "data": { "payment": payment },
    });
    Ok((id, event.to_string()))
}

/// Sends the shop's sealed form with one field changed.
async fn tampered_form(console: &Console, change: (&str, &str)) -> Outcome<bool> {
    let (shop, gateway) = (Program::Merchant, Program::Gateway);
    let base = console.access.addresses.of(shop);
    let fields = hands::sealed_fields(console, &base).await?;
    let changed: Vec<(String, String)> = fields
        .into_iter()
        .map(|(name, value)| if name == change.0 { (name, change.1.into()) } else { (name, value) })
        .collect();
    let kind = "application/x-www-form-urlencoded".to_owned();
    let url = format!("{}/pay/form", console.access.addresses.of(gateway));
    let headers = vec![("content-type".to_owned(), kind)];
    let answer: Answer = hands::send(console, "POST", &url, headers, encode_form(&changed)).await?;
    Ok(answer.status == 303)
}
