//! `issuer` and `fault`: what is changed and broken on purpose.

use ::http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::calling::read;
use super::{Run, Trouble};
use crate::client::http::{Answer, Outgoing};
use crate::format::PROGRAMS;
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerBody {
    set: Option<SetBody>,
    behave: Option<BehaveBody>,
    dispute: Option<DisputeBody>,
    id: Option<String>,
    #[serde(rename = "match")]
    matching: Option<Value>,
    times: Option<u64>,
    skip: Option<u64>,
    optional: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BehaveBody {
    decide: String,
    code: Option<String>,
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DisputeBody {
    payment: String,
    reason: String,
    amount: Option<i64>,
    stage: Option<String>,
    story: Option<String>,
}

/// The card of the catalogue whose bank approves a part of the amount.
const PARTIAL: &str = "card:verif.partial60";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBody {
    card: String,
    status: Option<String>,
    available: Option<i64>,
    currency: Option<String>,
    suspected_fraud: Option<bool>,
    daily_count: Option<i64>,
    daily_amount: Option<i64>,
    downgrades_indicator: Option<bool>,
    expiry: Option<String>,
    contact_wanted: Option<bool>,
    updater_opt_out: Option<bool>,
    stop: Option<String>,
    token: Option<String>,
    restore: Option<bool>,
}

/// The program that plays the faults of a link.
fn plays(link: &str) -> Option<&'static str> {
    match link.split_once("->")? {
        ("browser", "merchant") | ("merchant", _) => Some("merchant"),
        ("browser", "acs") | ("processor" | "network" | "issuer" | "directory" | "acs", _) => {
            Some("processor-sim")
        }
        ("browser" | "gateway", _) => Some("gateway"),
        _ => None,
    }
}

impl<W: World> Run<'_, W> {
    /// One call of a program's control plane.
    pub(super) async fn control(
        &self,
        program: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Trouble> {
        let base = self.world.address(program).unwrap_or_default();
        let key = self.world.sandbox_key().to_owned();
        let outgoing = Outgoing {
            method: method.to_string(),
            url: format!("{base}/_sandbox/{path}"),
            headers: vec![
                ("sandbox-key".to_owned(), key),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
        };
        let sent = self.http.send(outgoing).await;
        sent.map_err(|failure| Trouble::transport(failure.to_string()))
    }

    /// What a control plane says; a refusal is a failure of the step.
    pub(super) async fn told_by(&self, program: &str, path: &str) -> Result<Value, Trouble> {
        let answer = self.control(program, Method::GET, path, None).await?;
        accepted(&answer).map(|()| answer.json())
    }

    /// The programs that are there to be asked.
    pub(super) fn programs(&self) -> impl Iterator<Item = &'static str> {
        PROGRAMS.iter().copied().filter(|program| self.world.is_up(program))
    }

    pub(super) async fn issuer(&self, body: &Value) -> Result<Value, Trouble> {
        let issuer: IssuerBody = read(body)?;
        if let Some(set) = issuer.set {
            return self.set_card(set).await;
        }
        if let Some(dispute) = issuer.dispute {
            return self.dispute(dispute).await;
        }
        self.behave(&issuer).await
    }

    /// Has the bank decide by an order: its own rules, its holds and its books go on as ever.
    async fn behave(&self, issuer: &IssuerBody) -> Result<Value, Trouble> {
        let Some(behave) = &issuer.behave else {
            return Err(Trouble::check("an issuer step needs `set`, `behave` or `dispute`"));
        };
        let wish = match (behave.decide.as_str(), &behave.code) {
            ("approve", _) => Some("rc:00".to_owned()),
            ("decline", code) => Some(format!("rc:{}", code.as_deref().unwrap_or("05"))),
            ("partial", _) => Some(PARTIAL.to_owned()),
            _ => None,
        };
        let order = |wish| json!({ "sandbox": { "outcome": wish, "outcome_source": "scenario" } });
        let mut actions = vec![match wish {
            Some(wish) => json!({ "alter_signed": order(wish) }),
            None => json!("drop_request"),
        }];
        actions.extend(behave.after.as_ref().map(|after| json!({ "delay_response": after })));
        for (index, action) in actions.into_iter().enumerate() {
            let mut matching = issuer.matching.clone().unwrap_or_else(|| json!({}));
            if let Value::Object(fields) = &mut matching {
                fields.entry("type").or_insert_with(|| "authorization".into());
            }
            let id = issuer.id.as_ref().map(|id| match index {
                0 => id.clone(),
                _ => format!("{id}-{index}"),
            });
            let fault = json!({
                "id": id, "on": "network->issuer", "match": matching, "do": action,
                "times": issuer.times, "skip": issuer.skip.unwrap_or_default(),
                "optional": issuer.optional.unwrap_or_default(),
            });
            self.one_fault(&fault).await?;
        }
        Ok(json!({ "body": {} }))
    }

    /// A cardholder disputes a payment that was presented.
    async fn dispute(&self, dispute: DisputeBody) -> Result<Value, Trouble> {
        let records = self.told_by("processor-sim", "clearing").await?;
        let records = records.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        let of = |record: &Value, key: &str| {
            record.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let presented = records.iter().find(|record| of(record, "payment") == dispute.payment);
        let arn = presented.map(|record| of(record, "arn")).unwrap_or_default();
        if arn.is_empty() {
            let message = format!("{} was not presented yet: let a day pass", dispute.payment);
            return Err(Trouble::check(message));
        }
        let body = json!({
            "arn": arn, "reason": dispute.reason, "amount": dispute.amount,
            "stage": dispute.stage, "story": dispute.story,
        });
        let answer = self.control("processor-sim", Method::POST, "disputes", Some(&body)).await?;
        accepted(&answer)?;
        Ok(json!({ "body": answer.json() }))
    }

    async fn set_card(&self, set: SetBody) -> Result<Value, Trouble> {
        let SetBody { card, available, currency, .. } = &set;
        let (card, available, currency) = (card.clone(), *available, currency.clone());
        let mut change = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                change.insert(name.to_owned(), value);
            }
        };
        put("status", set.status.map(Value::from));
        put("suspected_fraud", set.suspected_fraud.map(Value::from));
        put("daily_count", set.daily_count.map(Value::from));
        put("daily_amount", set.daily_amount.map(Value::from));
        put("downgrades_indicator", set.downgrades_indicator.map(Value::from));
        put("expiry", set.expiry.map(Value::from));
        put("contact_wanted", set.contact_wanted.map(Value::from));
        put("updater_opt_out", set.updater_opt_out.map(Value::from));
        put("stop_orders", set.stop.map(|code| stop_orders(&code)));
        put("token_status", set.token.map(Value::from));
        put("restore", set.restore.map(Value::from));
        let currency = currency.as_deref().unwrap_or("EUR");
        put("available", available.map(|value| json!({ "value": value, "currency": currency })));
        let path = format!("cards/{card}");
        let change = Value::Object(change);
        let answer = self.control("processor-sim", Method::PATCH, &path, Some(&change)).await?;
        accepted(&answer)?;
        Ok(json!({ "body": answer.json() }))
    }

    pub(super) async fn fault(&self, body: &Value) -> Result<Value, Trouble> {
        let one = std::slice::from_ref(body);
        for item in body.as_array().map_or(one, Vec::as_slice) {
            self.one_fault(item).await?;
        }
        Ok(json!({}))
    }

    async fn one_fault(&self, item: &Value) -> Result<(), Trouble> {
        let word = |key: &str| item.get(key).and_then(Value::as_str);
        if let Some(id) = word("clear") {
            return self.clear(id).await;
        }
        if let Some(label) = word("release") {
            for program in self.programs() {
                let mut body = json!({ "label": label });
                if let (Some(instead), Value::Object(fields)) = (item.get("with"), &mut body) {
                    fields.insert("do".into(), instead.clone());
                }
                accepted(&self.control(program, Method::POST, "release", Some(&body)).await?)?;
            }
            return Ok(());
        }
        let link = word("on").ok_or_else(|| Trouble::check("a fault needs a link: `on`"))?;
        let program = plays(link)
            .ok_or_else(|| Trouble::check(format!("no program plays faults on `{link}`")))?;
        let body = json!({ "faults": [item] });
        accepted(&self.control(program, Method::POST, "faults", Some(&body)).await?)
    }

    async fn clear(&self, id: &str) -> Result<(), Trouble> {
        let mut cleared = false;
        for program in self.programs() {
            let path = format!("faults?id={id}");
            let answer = self.control(program, Method::DELETE, &path, None).await?;
            cleared |= answer.status < 300;
        }
        if cleared { Ok(()) } else { Err(Trouble::check(format!("no fault is called `{id}`"))) }
    }

    /// A fault that never struck tests nothing.
    pub(super) async fn unused_faults(&self) -> Result<(), Trouble> {
        for program in self.programs() {
            let armed = self.told_by(program, "faults").await?;
            let armed = armed.get("faults").and_then(Value::as_array).cloned();
            for one in armed.unwrap_or_default() {
                let fault = one.get("fault").cloned().unwrap_or_default();
                let optional = fault.get("optional").and_then(Value::as_bool).unwrap_or_default();
                let limited = fault.get("times").is_some_and(|times| !times.is_null());
                let hits = one.get("hits").and_then(Value::as_u64).unwrap_or_default();
                if limited && !optional && hits == 0 {
                    let link = fault.get("on").and_then(Value::as_str).unwrap_or_default();
                    let action = fault.get("do").cloned().unwrap_or_default();
                    return Err(Trouble::check(format!(
                        "the fault {action} on {link} never struck: it tests nothing (add \
                         `optional: true` if that is meant)"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// One stop order against whoever asks, or none any more.
fn stop_orders(code: &str) -> Value {
    if code == "none" { json!([]) } else { json!([{ "code": code }]) }
}

/// A refusal in the words of the program.
pub(super) fn accepted(answer: &Answer) -> Result<(), Trouble> {
    if answer.status < 300 {
        return Ok(());
    }
    let body = answer.json();
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or("no reason given");
    Err(Trouble::check(format!("refused with {}: {detail}", answer.status)))
}
