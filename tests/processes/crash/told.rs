//! What clients were told, and whether it was ever taken back.

use std::collections::BTreeMap;

use serde_json::Value;

/// What one client knows of one purchase.
#[derive(Default)]
pub struct Told {
    /// Reference of the order.
    pub reference: String,
    /// Id of the payment, once an answer named it.
    pub payment: Option<String>,
    /// The payment in the last answer.
    pub view: Value,
    /// Refunds by id, as in the last answer.
    pub refunds: BTreeMap<String, Value>,
    /// The shop's order was confirmed.
    pub ordered: bool,
    /// What the payment page said in the end.
    pub outcome: Option<String>,
}

impl Told {
    /// Takes an answer that shows the payment; says what is wrong with it.
    pub fn payment(&mut self, view: &Value) -> Result<(), String> {
        let fault = goes_back(&self.view, view);
        self.payment = view["id"].as_str().map(str::to_owned);
        self.view = view.clone();
        fault
    }

    /// Takes an answer that shows a refund; says what is wrong with it.
    pub fn refund(&mut self, view: &Value) -> Result<(), String> {
        let id = view["id"].as_str().unwrap_or("").to_owned();
        let before = self.refunds.insert(id.clone(), view.clone()).unwrap_or(Value::Null);
        refund_goes_back(&before, view).map_err(|fault| format!("{id}: {fault}"))
    }
}

fn number(view: &Value, pointer: &str) -> i64 {
    view.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn word<'a>(view: &'a Value, name: &str) -> &'a str {
    view[name].as_str().unwrap_or("")
}

/// Whether a later view of a payment denies an earlier one.
pub fn goes_back(before: &Value, after: &Value) -> Result<(), String> {
    let (from, to) = (word(before, "status"), word(after, "status"));
    let legal: &[&str] = match from {
        "authorized" => &["authorized", "partially_captured", "captured", "canceled", "expired"],
        "partially_captured" => &["partially_captured", "captured", "canceled"],
        "captured" => &["captured", "canceled"],
        "canceled" | "expired" | "failed" => &[from],
        _ => &[to],
    };
    if !legal.contains(&to) || to.is_empty() {
        return Err(format!("`{from}` became `{to}`"));
    }
    for name in ["authorized", "captured", "reversed", "refunded"] {
        let pointer = format!("/amounts/{name}");
        let (was, is) = (number(before, &pointer), number(after, &pointer));
        // A reversed authorization is the one amount that may be taken back.
        if is < was && !(name == "captured" && to == "canceled") {
            return Err(format!("{name} fell from {was} to {is} in `{to}`"));
        }
    }
    Ok(())
}

/// Whether a later view of a refund denies an earlier one.
pub fn refund_goes_back(before: &Value, after: &Value) -> Result<(), String> {
    let (from, to) = (word(before, "status"), word(after, "status"));
    let legal = matches!((from, to), ("" | "pending", "pending" | "succeeded" | "failed"))
        || (from == to && !to.is_empty());
    if legal { Ok(()) } else { Err(format!("refund `{from}` became `{to}`")) }
}
