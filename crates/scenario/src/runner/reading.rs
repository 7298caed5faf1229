//! `query`, `messages` and `webhooks`: looks that change nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::abroad::judged;
use super::calling::read;
use super::{Run, Trouble};
use crate::client::api::ApiCall;
use crate::format::PROGRAMS;
use crate::targets;
use crate::world::World;

/// Items of one list page.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryBody {
    from: String,
    #[serde(rename = "where")]
    filter: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessagesBody {
    on: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    payment: Option<String>,
    order: Option<String>,
    since: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhooksBody {
    #[serde(rename = "to")]
    _to: Option<String>,
    order: Option<String>,
    payment: Option<String>,
    event: Option<String>,
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

impl<W: World> Run<'_, W> {
    pub(super) async fn query(&self, body: &Value) -> Result<Value, Trouble> {
        let query: QueryBody = read(body)?;
        let filter = query.filter.unwrap_or_default();
        let items = match query.from.as_str() {
            "gateway.payments" => self.payments(&filter).await?,
            "gateway.attempts" => parts(&self.payments(&filter).await?, "attempts"),
            "gateway.captures" => parts(&self.payments(&filter).await?, "captures"),
            "gateway.refunds" => parts(&self.payments(&filter).await?, "refunds"),
            "merchant.orders" => self.orders(&filter).await?,
            "issuer.accounts" => list(&self.told_by("processor-sim", "accounts").await?, "data"),
            "issuer.cards" => list(&self.told_by("processor-sim", "cards").await?, "data"),
            "issuer.holds" => self.open_holds(&filter).await?,
            "clearing.records" => list(&self.told_by("processor-sim", "clearing").await?, "data"),
            "links.held" => self.held().await?,
            source => self.ledger(source.split('.').next().unwrap_or_default()).await?,
        };
        let fits = |item: &Value| {
            filter.iter().all(|(target, wanted)| {
                targets::dotted(item, target).unwrap_or(Value::Null) == *wanted
            })
        };
        let items: Vec<Value> = items.into_iter().filter(fits).collect();
        let sum: i64 = items.iter().filter_map(amount_of).fold(0, i64::saturating_add);
        Ok(json!({ "count": items.len(), "items": items, "sum": sum }))
    }

    async fn payments(&self, filter: &Map<String, Value>) -> Result<Vec<Value>, Trouble> {
        let order = filter.get("order_reference").and_then(Value::as_str);
        let narrowed = order.map(|order| format!("&order_reference={order}")).unwrap_or_default();
        let api = self.api("shop")?;
        let path = format!("/api/payments?limit={PAGE}{narrowed}");
        let call = ApiCall { method: "GET".to_owned(), path, ..ApiCall::default() };
        let answer = api.call(call).await;
        let answer = answer.map_err(|failure| Trouble::transport(failure.to_string()))?;
        super::changing::accepted(&answer)?;
        Ok(list(&answer.json(), "data"))
    }

    async fn orders(&self, filter: &Map<String, Value>) -> Result<Vec<Value>, Trouble> {
        let Some(id) = filter.get("id").and_then(Value::as_str) else {
            return Err(Trouble::check("merchant.orders needs `where: { id: … }`"));
        };
        let call = json!({ "to": "merchant", "get": format!("/api/orders/{id}") });
        let result = self.call(&call).await?;
        let found = result.get("status").is_some_and(|status| status == 200);
        Ok(result.get("body").filter(|_| found).cloned().into_iter().collect())
    }

    /// The holds of all accounts, each with the card and the account it belongs to.
    async fn open_holds(&self, filter: &Map<String, Value>) -> Result<Vec<Value>, Trouble> {
        let accounts = list(&self.told_by("processor-sim", "accounts").await?, "data");
        let wanted = filter.get("card");
        let mut holds = Vec::new();
        for account in accounts.iter().filter(|it| wanted.is_none() || it.get("card") == wanted) {
            let Some(id) = account.get("id").and_then(Value::as_str) else { continue };
            let account = self.told_by("processor-sim", &format!("accounts/{id}")).await?;
            for mut hold in list(&account, "holds") {
                if let Value::Object(fields) = &mut hold {
                    fields.insert("card".into(), account.get("card").cloned().unwrap_or_default());
                    fields.insert("account".into(), id.into());
                }
                holds.push(hold);
            }
        }
        Ok(holds)
    }

    /// The messages that are parked, wherever.
    async fn held(&self) -> Result<Vec<Value>, Trouble> {
        let mut all = Vec::new();
        for program in self.programs() {
            for mut message in list(&self.told_by(program, "held").await?, "held") {
                if let Value::Object(fields) = &mut message {
                    let text = fields.get("body").and_then(Value::as_str).unwrap_or_default();
                    let body = serde_json::from_str(text).unwrap_or_else(|_| text.into());
                    fields.insert("body".into(), body);
                }
                all.push(message);
            }
        }
        Ok(all)
    }

    async fn ledger(&self, party: &str) -> Result<Vec<Value>, Trouble> {
        let ledger = self.told_by("processor-sim", &format!("ledger/{party}")).await?;
        Ok(list(&ledger, "postings"))
    }

    pub(super) async fn messages(&self, body: &Value) -> Result<Value, Trouble> {
        let wanted: MessagesBody = read(body)?;
        let since = wanted.since.as_ref().and_then(|id| self.marks.borrow().get(id).cloned());
        let mut items = Vec::new();
        for entry in self.entries(&since.unwrap_or_default()).await? {
            let fact = |name: &str| entry.get("facts").and_then(|facts| facts.get(name));
            let is = |name: &str, wanted: &Option<String>| {
                wanted.is_none() || fact(name).and_then(Value::as_str) == wanted.as_deref()
            };
            let fits = entry.get("link").is_some_and(|link| *link == wanted.on)
                && is("type", &wanted.kind)
                && is("payment", &wanted.payment)
                && is("order", &wanted.order);
            if fits && self.is_told(&entry) {
                items.push(message(&entry));
            }
        }
        Ok(json!({ "count": items.len(), "items": items }))
    }

    pub(super) async fn webhooks(&self, body: &Value) -> Result<Value, Trouble> {
        let wanted: WebhooksBody = read(body)?;
        let mut tries: BTreeMap<String, u64> = BTreeMap::new();
        let mut items = Vec::new();
        let arrived = |entry: &Value| {
            let receiver = entry.get("side").is_some_and(|side| side == "receiver");
            receiver && entry.get("link").is_some_and(|link| link == "gateway->merchant")
        };
        let mut all = self.entries(&BTreeMap::new()).await?;
        all.retain(arrived);
        all.extend(self.knocked.borrow().iter().cloned());
        for entry in all {
            let text = |path: &str| targets::dotted(&entry, path).unwrap_or_default();
            let event: Value =
                serde_json::from_str(text("request.body").as_str().unwrap_or_default())
                    .unwrap_or_default();
            let of = |path: &str| targets::dotted(&event, path).unwrap_or_default();
            let about = |path: &str, wanted: &Option<String>| {
                wanted.is_none() || of(path).as_str() == wanted.as_deref()
            };
            let order = about("data.payment.order_reference", &wanted.order);
            let payment = about("data.payment.id", &wanted.payment);
            if !order || !payment || !about("type", &wanted.event) {
                continue;
            }
            let id = of("id").as_str().unwrap_or_default().to_owned();
            let attempt = tries.entry(id).or_default();
            *attempt = attempt.saturating_add(1);
            let answer: Value =
                serde_json::from_str(text("answer.body").as_str().unwrap_or_default())
                    .unwrap_or_default();
            let (verdict, effect) = self.world.foreign().map_or_else(
                || (text("request_verdict"), answer.get("verdict").cloned().unwrap_or_default()),
                |foreign| judged(foreign, &text("answer.status"), &answer),
            );
            items.push(json!({
                "id": of("id"), "type": of("type"), "sequence": of("sequence"),
                "attempt": *attempt, "at": text("at"), "status": text("answer.status"),
                "verdict": verdict, "effect": effect,
            }));
        }
        Ok(Value::Array(items))
    }

    /// What stands in the wire logs of all programs after some numbers, in the order of time.
    async fn entries(&self, after: &BTreeMap<&'static str, u64>) -> Result<Vec<Value>, Trouble> {
        let mut all = Vec::new();
        for program in PROGRAMS.iter().filter(|program| self.world.is_up(program)) {
            let seen = after.get(program).copied().unwrap_or_default();
            let page = self.told_by(program, &format!("wire?after={seen}")).await?;
            all.extend(list(&page, "entries").into_iter().map(|mut entry| {
                // A program knows itself by a shorter name than we do.
                if let Value::Object(fields) = &mut entry {
                    fields.insert("program".into(), (*program).into());
                }
                entry
            }));
        }
        all.sort_by_cached_key(|entry| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
            let seq = entry.get("seq").and_then(Value::as_u64);
            (text("at"), text("link"), text("program"), seq)
        });
        Ok(all)
    }

    /// Both ends of a link write a log; one of them is told. Browsers, we ourselves and a merchant
    /// that is not ours write none.
    fn is_told(&self, entry: &Value) -> bool {
        let link = entry.get("link").and_then(Value::as_str).unwrap_or_default();
        let sender = entry.get("side").is_some_and(|side| side == "sender");
        let abroad = self.world.foreign().is_some() && link == "merchant->gateway";
        sender || abroad || link.starts_with("browser->")
    }

    /// What was sent since the last step, told and kept for the report.
    /// What raced is told in the order of its words: that of its arrival is left to chance.
    pub(super) async fn news(&self, step: &str, raced: bool) -> Result<Vec<Value>, Trouble> {
        let before = self.told.borrow().clone();
        let entries = self.entries(&before).await?;
        let mut news: Vec<Value> = Vec::new();
        for entry in entries {
            let program = entry.get("program").and_then(Value::as_str).unwrap_or_default();
            if let Some(program) = PROGRAMS.iter().find(|known| **known == program) {
                let seq = entry.get("seq").and_then(Value::as_u64).unwrap_or_default();
                let mut told = self.told.borrow_mut();
                let last = told.entry(program).or_default();
                *last = seq.max(*last);
            }
            if self.is_told(&entry) {
                let mut about = message(&entry);
                if let Value::Object(fields) = &mut about {
                    fields.insert("step".into(), step.into());
                    // `event` names the line itself.
                    let notification = fields.remove("event").unwrap_or_default();
                    fields.insert("notification".into(), notification);
                    fields.remove("body");
                    fields.remove("answer");
                }
                news.push(about);
            }
        }
        // Deliveries of several events, and branches, are under way at the same time.
        let unordered = |message: &Value| raced || text_at(message, "link") == "gateway->merchant";
        news.sort_by_cached_key(|message| {
            let words = if unordered(message) { message.to_string() } else { String::new() };
            (text_at(message, "at"), text_at(message, "link"), words)
        });
        for message in &news {
            self.tell("message", message.clone());
        }
        Ok(news)
    }
}

fn text_at(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn parts(payments: &[Value], key: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for payment in payments {
        for mut part in list(payment, key) {
            if let Value::Object(fields) = &mut part {
                let of = |name: &str| payment.get(name).cloned().unwrap_or_default();
                fields.insert("payment".into(), of("id"));
                fields.insert("order_reference".into(), of("order_reference"));
            }
            all.push(part);
        }
    }
    all
}

/// The amount of an item, however it is called.
fn amount_of(item: &Value) -> Option<i64> {
    let amount = item.get("amount").or_else(|| item.get("open"))?;
    amount.as_i64().or_else(|| amount.get("value")?.as_i64())
}

/// A wire log entry as `messages` shows it.
fn message(entry: &Value) -> Value {
    let at = |path: &str| targets::dotted(entry, path).unwrap_or_default();
    let json = |path: &str| {
        let text = at(path);
        text.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
    };
    let answer: Value = json("answer.body");
    json!({
        "at": at("at"), "link": at("link"), "type": at("facts.type"), "mti": at("facts.mti"),
        "payment": at("facts.payment"), "order": at("facts.order"), "event": at("facts.event"),
        "outcome": at("outcome"), "fault": at("fault"), "status": at("answer.status"),
        "verdict": at("request_verdict"),
        "response_code": answer.get("response_code"), "answer_mti": answer.get("mti"),
        "body": json("request.body"), "answer": answer,
    })
}
