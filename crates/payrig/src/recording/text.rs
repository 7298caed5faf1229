//! The file that a recording becomes.

use std::fmt::Write;
use std::time::Duration;

use kit::wirelog::{Entry, Side};
use serde_json::{Map, Value, json};
use wire::test_cards;
use wire::time::Timestamp;

use super::faults::Struck;
use super::{Action, Done, Story, is_authorization_of, word};
use crate::failure::{Failure, Outcome};

/// Shorter waits are left to the next one.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// Kinds of messages whose number is expected to be the same.
const COUNTED: [&str; 5] = ["authorization", "inquiry", "reversal", "capture", "refund"];

/// A file that grows step by step.
pub(super) struct File<'s> {
    story: &'s Story<'s>,
    pub text: String,
    now: Timestamp,
    pays: usize,
    calls: usize,
}

impl<'s> File<'s> {
    pub fn new(story: &'s Story<'s>) -> Self {
        let about = story.recorded.payments.first().map_or("", |it| word(it, "order_reference"));
        let mut text = String::new();
        let name = quoted(&format!("What was done by hand with {about}"));
        let begin = story.begin;
        write!(
            text,
            "version: 1\nname: {name}\ndescription: >\n  Recorded from a running sandbox: who did \
             what, which messages suffered, and how it ended. Change what it\n  should prove, and \
             play it with `payrig run`.\ntags: [recorded]\nclock: {{ start: {begin} }}\n\nsteps:\n"
        )
        .ok();
        Self { story, text, now: story.begin, pays: 0, calls: 0 }
    }

    fn step(&mut self, id: Option<&str>, name: &str, verb: &str, body: &str, expect: &str) {
        match id {
            Some(id) => write!(self.text, "  - id: {id}\n    name: {}\n", quoted(name)).ok(),
            None => writeln!(self.text, "  - name: {}", quoted(name)).ok(),
        };
        writeln!(self.text, "    {verb}: {body}").ok();
        if !expect.is_empty() {
            let space = if expect.starts_with('\n') { "" } else { " " };
            writeln!(self.text, "    expect:{space}{expect}").ok();
        }
    }

    /// All faults at once: each knows which message is its own.
    pub fn faults(&mut self, struck: &[Struck]) {
        if struck.is_empty() {
            return;
        }
        self.text.push_str("  - name: The faults that struck\n    fault:\n");
        for fault in struck {
            let mut item = Map::new();
            item.insert("on".into(), fault.on.clone().into());
            item.insert("match".into(), Value::Object(fault.matching.clone()));
            if fault.skip > 0 {
                item.insert("skip".into(), fault.skip.into());
            }
            item.insert("times".into(), fault.times.into());
            item.insert("do".into(), fault.action.clone());
            writeln!(self.text, "      - {}", flow(&Value::Object(item))).ok();
        }
    }

    /// The order at the shop, or the payment over the API.
    pub fn beginning(&mut self) -> Outcome {
        let Some(order) = &self.story.recorded.order else { return self.created() };
        let item = |item: &Value| json!({ "sku": word(item, "sku"), "quantity": item["quantity"] });
        let items = order.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let items: Vec<Value> = items.iter().map(item).collect();
        let call = json!({ "to": "merchant", "post": "/api/orders", "json": { "items": items } });
        let amount = order.get("amount").and_then(|it| it.get("value")).cloned();
        let amount = amount.unwrap_or_default();
        let expect = format!("{{ status: 201, body.amount.value: {amount} }}");
        self.step(Some("order"), "Customer orders", "call", &flow(&call), &expect);
        self.text.push_str("    capture: { id: body.id, checkout_url: body.checkout_url }\n");
        Ok(())
    }

    /// A payment over the API, with a token for its card.
    fn created(&mut self) -> Outcome {
        let id = self.story.id(0).to_owned();
        let is_creation = |entry: &&Entry| {
            entry.link == "merchant->gateway"
                && entry.side == Side::Receiver
                && entry.request.method == "POST"
                && entry.request.path == "/api/payments"
                && entry.answer.as_ref().is_some_and(|answer| answer.body.contains(&id))
        };
        let entry = self.story.entries.iter().find(is_creation).ok_or_else(|| {
            Failure::check("the call that created the payment is no longer in the wire log")
                .help("record a payment soon after it was made")
        })?;
        let mut body: Value = serde_json::from_str(&entry.request.body).unwrap_or_default();
        if let Some(token) = body.get_mut("card_token") {
            let sent = self.story.entries.iter().find(|it| is_authorization_of(it, &id));
            let card = sent.and_then(|it| test_cards::by_alias(it.facts.card.as_deref()?));
            let number = card.map(|card| card.number.digits()).ok_or_else(|| {
                Failure::check("the card of this payment is none of the catalogue")
            })?;
            *token = "${card.token}".into();
            let code = if number.len() == 15 { "1234" } else { "123" };
            let json = json!({ "number": number, "expiry": "12/30", "security_code": code });
            let call =
                json!({ "to": "gateway", "post": "/api/tokens", "as": "browser", "json": json });
            self.step(
                Some("card"),
                "The card becomes a token",
                "call",
                &flow(&call),
                "{ status: 201 }",
            );
            self.text.push_str("    capture: { token: body.id }\n");
        }
        let call = json!({ "to": "gateway", "post": "/api/payments", "json": body });
        let status = entry.answer.as_ref().map_or(201, |answer| answer.status);
        let expect = format!("{{ status: {status} }}");
        self.step(
            Some("payment"),
            "The merchant asks for a payment",
            "call",
            &flow(&call),
            &expect,
        );
        self.text.push_str("    capture: { id: body.id }\n");
        Ok(())
    }

    /// Lets as much time pass as passed then.
    fn wait_until(&mut self, at: Timestamp) {
        let gap = at.since(self.now);
        if gap >= WAIT_MIN {
            let gap = kit::durations::text(gap);
            self.step(None, &format!("{gap} later"), "clock", &format!("{{ advance: {gap} }}"), "");
            self.now = at;
        }
    }

    /// Something that was done.
    pub fn action(&mut self, done: &Done) {
        self.wait_until(done.at);
        match &done.action {
            Action::Pay { payment, card, key, outcome } => {
                self.pays = self.pays.saturating_add(1);
                let id = format!("pay_{}", self.pays);
                let checkout = match payment {
                    0 => "${order.checkout_url}".to_owned(),
                    number => format!("${{again_{number}.checkout_url}}"),
                };
                let mut pay = json!({ "checkout": checkout, "card": card });
                if let (Some(key), Value::Object(fields)) = (key, &mut pay) {
                    fields.insert("idempotency_key".into(), key.clone().into());
                }
                let expect = format!("{{ outcome: {outcome} }}");
                self.step(Some(&id), "Customer pays", "pay", &flow(&pay), &expect);
            }
            Action::Again { payment } => {
                let id = format!("again_{payment}");
                let post = "/api/orders/${order.id}/payments";
                let call = json!({ "to": "merchant", "post": post, "json": {} });
                let expect = "{ status: 201 }";
                self.step(Some(&id), "Customer asks to pay again", "call", &flow(&call), expect);
                self.text.push_str("    capture: { checkout_url: body.checkout_url }\n");
            }
            Action::CancelOrder => {
                let call = json!({ "to": "merchant", "post": "/api/orders/${order.id}/cancel", "json": {} });
                self.step(None, "Customer cancels the order", "call", &flow(&call), "");
            }
            Action::Call { payment, path, body, status } => {
                self.call(*payment, path, body, *status);
            }
        }
    }

    fn call(&mut self, payment: usize, path: &str, body: &Value, status: u16) {
        let Some(id) = self.reference(payment) else { return };
        self.calls = self.calls.saturating_add(1);
        let post = format!("/api/payments/{id}/{path}");
        let json = if body.is_object() { body.clone() } else { json!({}) };
        let call = json!({ "to": "gateway", "post": post, "json": json });
        let name = format!("The merchant calls {path}");
        let call_id = format!("call_{}", self.calls);
        self.step(Some(&call_id), &name, "call", &flow(&call), &format!("{{ status: {status} }}"));
    }

    /// How a payment is called in the file; none before anybody came to its page.
    fn reference(&self, payment: usize) -> Option<String> {
        if self.story.recorded.order.is_none() {
            return Some("${payment.id}".to_owned());
        }
        let paid = self.story.done().into_iter().filter_map(|done| match done.action {
            Action::Pay { payment, .. } => Some(payment),
            _ => None,
        });
        let place = paid.take(self.pays).position(|number| number == payment)?;
        Some(format!("${{pay_{}.payment_id}}", place.saturating_add(1)))
    }

    /// Lets everything happen that happened afterwards.
    pub fn ending(&mut self) {
        let Some(last) = self.story.entries.iter().map(|entry| entry.at).max() else { return };
        let whole = last.plus(WAIT_MIN);
        self.wait_until(whole);
    }

    /// How it ended.
    pub fn expectations(&mut self, done: &[Done]) {
        for number in 0..self.story.recorded.payments.len() {
            let touched = self.story.recorded.order.is_none()
                || done.iter().any(|done| {
                    matches!(&done.action,
                    Action::Pay { payment, .. } if *payment == number)
                });
            if let Some(id) = self.reference(number).filter(|_| touched) {
                self.payment(number, &id);
            }
        }
        if let Some(order) = &self.story.recorded.order {
            let call = json!({ "to": "merchant", "get": "/api/orders/${order.id}" });
            let expect = format!("{{ status: 200, body.status: {} }}", word(order, "status"));
            self.step(None, "The order is as it was left", "call", &flow(&call), &expect);
        }
    }

    fn payment(&mut self, number: usize, id: &str) {
        let Some(payment) = self.story.recorded.payments.get(number) else { return };
        let mut expect = Map::new();
        expect.insert("status".into(), 200.into());
        let of = |path: &[&str]| {
            path.iter().try_fold(payment, |value, key| value.get(key)).cloned().unwrap_or_default()
        };
        expect.insert("body.status".into(), of(&["status"]));
        expect.insert("body.outcome_unknown".into(), of(&["outcome_unknown"]));
        expect.insert("body.amounts.captured".into(), of(&["amounts", "captured"]));
        expect.insert("body.amounts.refunded".into(), of(&["amounts", "refunded"]));
        let code = of(&["failure", "code"]);
        if code.is_string() {
            expect.insert("body.failure.code".into(), code);
        }
        let call = json!({ "to": "gateway", "get": format!("/api/payments/{id}") });
        self.step(None, "The payment is as it was left", "call", &flow(&call), &lines(&expect));
        let real = self.story.id(number).to_owned();
        for kind in COUNTED {
            let is = |entry: &&Entry| {
                entry.link == "gateway->processor"
                    && entry.side == Side::Sender
                    && entry.facts.kind == kind
                    && entry.facts.payment.as_deref() == Some(&real)
            };
            let count = self.story.entries.iter().filter(is).count();
            let messages = json!({ "on": "gateway->processor", "type": kind, "payment": id });
            let name = format!("So many messages of the kind {kind} were sent");
            self.step(None, &name, "messages", &flow(&messages), &format!("{{ count: {count} }}"));
        }
    }
}

/// A value as YAML on one line, in quotes only where they are needed.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let pairs: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// Expectations on a line each: whoever changes one sees it in full when it fails.
fn lines(expect: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (key, value) in expect {
        write!(text, "\n      {key}: {}", flow(value)).ok();
    }
    text
}

fn quoted(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" _-./>".contains(&byte))
        && !text.ends_with(' ')
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text);
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}
