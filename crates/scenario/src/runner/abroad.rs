//! `call` to a merchant that is not ours: through the hooks of its file.

use serde_json::{Map, Value, json};

use super::calling::CallBody;
use super::{Run, Trouble};
use crate::client::http::{Answer, NoAnswer, Outgoing};
use crate::foreign::hooks::{ask, text_at};
use crate::foreign::routes::Route;
use crate::foreign::{Hook, State};
use crate::targets;
use crate::world::{Foreign, World};

/// The header of an event that says when it was sent.
const TIMESTAMP: &str = "webhook-timestamp";

/// What is remembered of an order there.
#[derive(Debug, Clone, Default)]
pub(super) struct Ordered {
    amount: i64,
    currency: String,
    refunded: i64,
}

type Names = Map<String, Value>;

fn names(foreign: &Foreign, more: Value) -> Names {
    let mut names = match more {
        Value::Object(names) => names,
        _ => Names::new(),
    };
    names.insert("world".to_owned(), foreign.world.clone().into());
    names
}

impl<W: World> Run<'_, W> {
    /// Does by a hook what our shop would do by its API.
    pub(super) async fn call_abroad(
        &self,
        foreign: &Foreign,
        call: &CallBody,
        (method, path): (&str, &str),
    ) -> Result<Value, Trouble> {
        let done = match Route::of(method, path) {
            Route::Order => self.order_abroad(foreign, call).await?,
            Route::State(id) => self.order_there(foreign, id).await?,
            Route::Again(id) => self.again_abroad(foreign, id).await?,
            Route::Refund(id) => self.refund_abroad(foreign, id, call).await?,
            Route::Cancel(id) => {
                let hook = foreign.file.cancel.as_ref();
                let hook = hook.ok_or_else(|| no_hook(foreign, "cancel"))?;
                let answer = self.ask_abroad(foreign, hook, json!({ "id": id })).await?;
                answer.map(|answer| bare(&answer, 200, 409))
            }
            Route::Webhook => self.event_abroad(foreign, call).await?,
            Route::Other => {
                return Err(Trouble::check(format!("only our own shop knows {method} {path}")));
            }
        };
        Ok(done.unwrap_or_else(
            |failure| json!({ "outcome": "no_answer", "reason": failure.to_string() }),
        ))
    }

    async fn ask_abroad(
        &self,
        foreign: &Foreign,
        hook: &Hook,
        more: Value,
    ) -> Result<Result<Answer, NoAnswer>, Trouble> {
        let names = names(foreign, more);
        self.in_time(ask(&self.http, &foreign.file, hook, &names)).await
    }

    async fn order_abroad(
        &self,
        foreign: &Foreign,
        call: &CallBody,
    ) -> Result<Result<Value, NoAnswer>, Trouble> {
        let wish = call.json.clone().unwrap_or_default();
        let sku = wish.get("sku").and_then(Value::as_str).unwrap_or_default().to_owned();
        let quantity = wish.get("quantity").and_then(Value::as_i64).unwrap_or(1);
        let price = self.world.price(&sku, quantity);
        let (amount, currency) =
            price.ok_or_else(|| Trouble::check(format!("nobody knows what `{sku}` costs")))?;
        let count = self.ordered.borrow().len().saturating_add(1);
        let reference = format!("{}-{count}", foreign.world);
        let more = json!({
            "amount": amount, "currency": currency, "reference": reference, "sku": sku,
            "quantity": quantity,
        });
        let (file, order) = (&foreign.file, &foreign.file.order);
        let answer = match self.ask_abroad(foreign, &order.hook, more).await? {
            Ok(answer) if answer.status < 300 => answer,
            Ok(answer) => return Ok(Ok(bare(&answer, 201, answer.status))),
            Err(failure) => return Ok(Err(failure)),
        };
        let body = answer.json();
        let text = |key: &str, pointer: &str, what: &str| {
            text_at(file, key, pointer, what, &body).map_err(Trouble::check)
        };
        let id = text("order.id", &order.id, "the id of the order")?;
        let page = text("order.checkout_url", &order.checkout_url, "an address")?;
        let page = address(foreign, &page)?;
        let payment = order.payment_id.as_ref();
        let payment = payment.map(|pointer| text("order.payment_id", pointer, "a payment's id"));
        let payment = payment.transpose()?;
        let kept = Ordered { amount, currency: currency.clone(), refunded: 0 };
        self.ordered.borrow_mut().insert(id.clone(), kept);
        let mut told = json!({
            "id": id, "checkout_url": page, "payment_id": payment,
            "amount": { "value": amount, "currency": currency },
        });
        if file.state.is_some() {
            let there = self.order_there(foreign, &id).await?;
            let status = there.ok().and_then(|there| targets::dotted(&there, "body.status"));
            if let (Some(status), Some(told)) = (status, told.as_object_mut()) {
                told.insert("status".to_owned(), status);
            }
        }
        Ok(Ok(json!({ "outcome": "answered", "status": 201, "header": {}, "body": told })))
    }

    /// An order as our shop would show it.
    async fn order_there(
        &self,
        foreign: &Foreign,
        id: &str,
    ) -> Result<Result<Value, NoAnswer>, Trouble> {
        let state = foreign.file.state.as_ref().ok_or_else(|| no_hook(foreign, "state"))?;
        let answer = match self.ask_abroad(foreign, &state.hook, json!({ "id": id })).await? {
            Ok(answer) if answer.status < 300 => answer.json(),
            Ok(answer) => return Ok(Ok(bare(&answer, 200, answer.status))),
            Err(failure) => return Ok(Err(failure)),
        };
        let mut told = json!({ "id": id, "status": status(foreign, state, &answer)? });
        for (name, pointer) in &state.also {
            if let Some(value) = answer.pointer(pointer) {
                put(&mut told, name, value.clone());
            }
        }
        Ok(Ok(json!({ "outcome": "answered", "status": 200, "header": {}, "body": told })))
    }

    async fn again_abroad(
        &self,
        foreign: &Foreign,
        id: &str,
    ) -> Result<Result<Value, NoAnswer>, Trouble> {
        let again = foreign.file.again.as_ref().ok_or_else(|| no_hook(foreign, "again"))?;
        let answer = match self.ask_abroad(foreign, &again.hook, json!({ "id": id })).await? {
            Ok(answer) if answer.status < 300 => answer.json(),
            Ok(answer) => return Ok(Ok(bare(&answer, 201, answer.status))),
            Err(failure) => return Ok(Err(failure)),
        };
        let (key, what) = ("again.checkout_url", "an address");
        let page = text_at(&foreign.file, key, &again.checkout_url, what, &answer);
        let page = address(foreign, &page.map_err(Trouble::check)?)?;
        let body = json!({ "id": id, "checkout_url": page });
        Ok(Ok(json!({ "outcome": "answered", "status": 201, "header": {}, "body": body })))
    }

    async fn refund_abroad(
        &self,
        foreign: &Foreign,
        id: &str,
        call: &CallBody,
    ) -> Result<Result<Value, NoAnswer>, Trouble> {
        let hook = foreign.file.refund.as_ref().ok_or_else(|| no_hook(foreign, "refund"))?;
        let wish = call.json.clone().unwrap_or_default();
        let known = self.ordered.borrow().get(id).cloned().unwrap_or_default();
        let rest = known.amount.saturating_sub(known.refunded);
        let amount = wish.get("amount").and_then(Value::as_i64).unwrap_or(rest);
        let more = json!({
            "id": id, "amount": amount, "currency": known.currency,
            "reason": wish.get("reason").and_then(Value::as_str).unwrap_or("returned"),
        });
        let answer = self.ask_abroad(foreign, hook, more).await?;
        if answer.as_ref().is_ok_and(|answer| answer.status < 300)
            && let Some(order) = self.ordered.borrow_mut().get_mut(id)
        {
            order.refunded = order.refunded.saturating_add(amount);
        }
        Ok(answer.map(|answer| bare(&answer, 201, answer.status)))
    }

    /// What pretends to be an event. Its time is moved to the clock on the wall, so that it is the
    /// signature that decides.
    async fn event_abroad(
        &self,
        foreign: &Foreign,
        call: &CallBody,
    ) -> Result<Result<Value, NoAnswer>, Trouble> {
        let (body, kind) = call.body();
        let body = body.unwrap_or_default();
        let mut headers = call.plain_headers();
        for (_, value) in headers.iter_mut().filter(|(name, _)| name == TIMESTAMP) {
            if let Ok(told) = value.parse::<i64>() {
                let late = self.now().seconds().saturating_sub(told);
                let wall = kit::clock::Clock::real().now().seconds();
                *value = wall.saturating_sub(late).to_string();
            }
        }
        if let Some(kind) = kind {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        let url = foreign.file.webhook_url(&foreign.world);
        let sent = Outgoing { method: "POST".to_owned(), url, headers, body: body.clone() };
        let answer = self.in_time(self.http.send(sent)).await?;
        if let Ok(answer) = &answer {
            let event: Value = serde_json::from_slice(&body).unwrap_or_default();
            self.knocked.borrow_mut().push(json!({
                "request": { "body": event.to_string() }, "at": self.now(),
                "answer": { "status": answer.status, "body": answer.text() },
            }));
        }
        Ok(answer.map(|answer| bare(&answer, 200, 401)))
    }
}

fn no_hook(foreign: &Foreign, name: &str) -> Trouble {
    Trouble::check(format!("{} has no `{name}` hook", foreign.file.path))
}

/// An answer of which only counts whether it says yes or no: in the numbers that our shop has for
/// that. What the merchant said stands beside it.
fn bare(answer: &Answer, yes: u16, no: u16) -> Value {
    let status = match answer.status {
        ..300 => yes,
        400..500 => no,
        other => other,
    };
    json!({
        "outcome": "answered", "status": status, "header": answer.headers_json(),
        "body": answer.json(),
    })
}

fn status<'s>(foreign: &Foreign, state: &'s State, answer: &Value) -> Result<&'s str, Trouble> {
    let (file, what) = (&foreign.file, "the state of the order");
    let theirs =
        text_at(file, "state.status", &state.status, what, answer).map_err(Trouble::check)?;
    let ours = state.states.get(&theirs).map(String::as_str);
    ours.ok_or_else(|| {
        let known: Vec<&str> = state.states.keys().map(String::as_str).collect();
        Trouble::check(format!(
            "the merchant calls the state of the order `{theirs}`; `state.states` of {} names {}: \
             add `{theirs}: …`",
            file.path,
            known.join(", ")
        ))
    })
}

/// An address of a page; one that begins with a slash is the merchant's.
fn address(foreign: &Foreign, page: &str) -> Result<String, Trouble> {
    match page {
        page if page.starts_with("http://") => Ok(page.to_owned()),
        page if page.starts_with('/') => Ok(format!("{}{page}", foreign.file.url)),
        other => Err(Trouble::check(format!(
            "the merchant's payment page is at `{other}`: expected http://… or a path of {}",
            foreign.file.url
        ))),
    }
}

/// Puts a value at a dotted path.
fn put(into: &mut Value, path: &str, value: Value) {
    let mut here = into;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let Some(fields) = here.as_object_mut() else { return };
        if parts.peek().is_none() {
            fields.insert(part.to_owned(), value);
            return;
        }
        here = fields.entry(part).or_insert_with(|| json!({}));
    }
}

/// The effect and the verdict of an event at a merchant that is not ours.
pub(super) fn judged(foreign: &Foreign, status: &Value, answer: &Value) -> (Value, Value) {
    let taken = status.as_u64().is_some_and(|status| status < 300);
    let verdict = if taken { "ok" } else { "refused" };
    let effect = foreign.file.effect(answer).filter(|_| taken);
    (verdict.into(), effect.map_or(Value::Null, Value::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_order_stand_where_our_shop_has_them() {
        let mut order = json!({ "id": "o1" });
        put(&mut order, "fulfilments", json!(1));
        put(&mut order, "amounts.refunded", json!(5));
        put(&mut order, "amounts.refundable", json!(7));
        let wanted = json!({
            "id": "o1", "fulfilments": 1, "amounts": { "refunded": 5, "refundable": 7 },
        });
        assert_eq!(order, wanted);
    }
}
