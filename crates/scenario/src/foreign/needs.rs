//! What a case needs of our own shop that a merchant file does not offer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::file::{Hook, MerchantFile};
use super::format::METHODS;
use super::routes::Route;
use crate::matchers;
use crate::model::{Case, Expectation, Scenario, Step, Verb};
use crate::references::Scope;

/// What every answered call tells.
const ANSWER: &[&str] = &["status", "outcome", "duration"];
/// What the hook `order` tells of an order.
const ORDERED: &[&str] = &["id", "checkout_url", "amount", "amount.value", "amount.currency"];

/// Why a case cannot be played against this merchant; nothing when it can.
pub fn reasons(scenario: &Scenario, case: &Case, file: &MerchantFile) -> Vec<String> {
    let scope = Scope {
        vars: scenario.vars.clone(),
        matrix: case.values.clone(),
        secrets: serde_json::Map::new(),
        seed: scenario.seed,
        steps: BTreeMap::new(),
    };
    let mut needs = Needs { file, scope, found: Vec::new() };
    if scenario.needs_processes() {
        needs.miss("kills or stops programs: that needs processes of our own".to_owned());
    }
    for setting in scenario.settings.keys().filter(|key| key.starts_with("merchant.")) {
        needs.miss(format!("sets `{setting}`, a setting of our shop"));
    }
    needs.steps(&scenario.steps);
    for invariant in scenario.invariants.iter().filter(|it| it.source == "merchant.orders") {
        needs.order_parts(&invariant.expect, "items.0.");
    }
    needs.found
}

struct Needs<'f> {
    file: &'f MerchantFile,
    scope: Scope,
    found: Vec<String>,
}

impl Needs<'_> {
    fn miss(&mut self, reason: String) {
        if !self.found.contains(&reason) {
            self.found.push(reason);
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            if self.may_happen(&step.condition) {
                self.step(step);
            }
        }
    }

    /// Whether a step is played in this case, as far as its row says.
    fn may_happen(&self, conditions: &[Expectation]) -> bool {
        conditions.iter().all(|condition| {
            let Some(got) = self.scope.look_up(&condition.target) else { return true };
            let expected = self.scope.resolve(&condition.expected);
            expected.is_ok_and(|expected| matchers::mismatch(&expected, Some(&got)).is_none())
        })
    }

    fn step(&mut self, step: &Step) {
        match &step.inner {
            Some((verb, body)) => self.verb(*verb, body, step),
            None => self.verb(step.verb, &step.body, step),
        }
        for branch in &step.branches {
            self.steps(branch);
        }
    }

    fn verb(&mut self, verb: Verb, body: &Value, step: &Step) {
        let word = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        match verb {
            Verb::Call if word("to") == "merchant" => self.call(body, step),
            Verb::Fault => {
                let one = std::slice::from_ref(body);
                for item in body.as_array().map_or(one, Vec::as_slice) {
                    self.link(item);
                }
            }
            Verb::Query if word("from") == "merchant.orders" => {
                self.order_parts(&step.expect, "items.0.");
            }
            Verb::Webhooks if self.file.events.is_none() => {
                let targets = step.expect.iter().map(|it| it.target.as_str());
                if targets.chain(captured(step)).any(|target| target.contains("effect")) {
                    self.miss(
                        "needs to know what the merchant did with an event; the merchant file has \
                         no `events`"
                            .to_owned(),
                    );
                }
            }
            Verb::Call
            | Verb::Pay
            | Verb::Issuer
            | Verb::Clock
            | Verb::Parallel
            | Verb::Eventually
            | Verb::Never
            | Verb::Query
            | Verb::Messages
            | Verb::Webhooks
            | Verb::Process
            | Verb::Use => {}
        }
    }

    /// Who sends on a link plays its faults.
    fn link(&mut self, item: &Value) {
        let Some(on) = item.get("on").map(|on| self.scope.resolve(on)) else { return };
        let Ok(Value::String(on)) = on else { return };
        if on == "browser->merchant" || on.starts_with("merchant->") {
            self.miss(format!("breaks the link {on}, which our shop would have to do"));
        }
    }

    fn call(&mut self, body: &Value, step: &Step) {
        let target = METHODS
            .iter()
            .find_map(|method| Some((method.to_ascii_uppercase(), body.get(*method)?.as_str()?)));
        let Some((method, path)) = target else { return };
        let wanted = || {
            let targets = step.expect.iter().map(|it| it.target.as_str()).chain(captured(step));
            targets.filter(|target| !ANSWER.contains(target)).map(str::to_owned).collect()
        };
        let wanted: Vec<String> = wanted();
        match Route::of(&method, path) {
            Route::Order => self.order(body, &wanted),
            Route::State(_) => self.parts_of_an_order(&wanted, "body."),
            Route::Again(_) => {
                let hook = self.file.again.as_ref().map(|again| &again.hook);
                self.hook(hook.is_some(), "another payment page for an order", "again");
                self.only(&wanted, &["body.id", "body.checkout_url"], "again");
            }
            Route::Refund(_) => self.bare(self.file.refund.clone(), "refunds", "refund", &wanted),
            Route::Cancel(_) => {
                self.bare(self.file.cancel.clone(), "to cancel an order", "cancel", &wanted);
            }
            Route::Webhook => self.only(&wanted, &[], "webhook"),
            Route::Other => self.miss(format!("asks our shop itself: {method} {path}")),
        }
    }

    fn hook(&mut self, has: bool, what: &str, name: &str) {
        if !has {
            self.miss(format!("needs {what}; the merchant file has no `{name}` hook"));
        }
    }

    fn bare(&mut self, hook: Option<Hook>, what: &str, name: &str, wanted: &[String]) {
        self.hook(hook.is_some(), what, name);
        self.only(wanted, &[], name);
    }

    /// Of an answer by this hook only so much is known.
    fn only(&mut self, wanted: &[String], known: &[&str], name: &str) {
        for target in wanted.iter().filter(|target| !known.contains(&target.as_str())) {
            self.miss(format!("expects `{target}`, which an answer to `{name}` does not tell"));
        }
    }

    fn order(&mut self, body: &Value, wanted: &[String]) {
        let json = body.get("json").and_then(Value::as_object);
        for key in json.into_iter().flat_map(serde_json::Map::keys) {
            if !matches!(key.as_str(), "sku" | "quantity") {
                self.miss(format!("orders with `{key}`, which only our shop takes"));
            }
        }
        for target in wanted {
            let part = target.strip_prefix("body.").unwrap_or_default();
            match part {
                "status" => self.state(),
                "payment_id" if self.file.order.payment_id.is_some() => {}
                known if ORDERED.contains(&known) => {}
                _ => self.miss(format!("expects `{target}`, which `order` does not tell")),
            }
        }
    }

    fn state(&mut self) {
        self.hook(self.file.state.is_some(), "the state of an order", "state");
    }

    fn order_parts(&mut self, expect: &[Expectation], start: &str) {
        let targets: Vec<String> = expect.iter().map(|it| it.target.clone()).collect();
        self.parts_of_an_order(&targets, start);
    }

    fn parts_of_an_order(&mut self, wanted: &[String], start: &str) {
        self.state();
        let Some(state) = &self.file.state else { return };
        let names: Vec<String> = state.also.iter().map(|(name, _)| name.clone()).collect();
        for target in wanted {
            let Some(part) = target.strip_prefix(start) else { continue };
            let below = |name: &String| {
                part.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if !matches!(part, "id" | "status") && !names.iter().any(below) {
                self.miss(format!(
                    "expects `{part}` of an order; `state.also` of the merchant file does not say \
                     where it stands"
                ));
            }
        }
    }
}

fn captured(step: &Step) -> impl Iterator<Item = &str> {
    step.capture.iter().map(|(_, target)| target.as_str())
}
