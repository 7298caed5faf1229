//! The wire log as short lines, for tests that look at messages.

use payrig_tests::world::World;
use serde_json::Value;

/// Messages of a kind on a link: type, reason or function, amount (of a reversal: what remains),
/// and the code that answered it.
pub async fn messages(world: &World, link: &str, kind: &str) -> Vec<String> {
    let program = if link.starts_with("gateway") { "gateway" } else { "processor-sim" };
    let answer = world.sandbox(program, "GET", "/wire?limit=1000", Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let entries = answer.json()["entries"].as_array().unwrap().clone();
    let wanted = |entry: &&Value| {
        entry["link"] == link && entry["facts"]["type"] == kind && entry["side"] == "sender"
    };
    entries.iter().filter(wanted).map(line).collect()
}

fn line(entry: &Value) -> String {
    let body = |part: &str| -> Value {
        let text = entry[part]["body"].as_str().unwrap_or("null");
        serde_json::from_str(text).unwrap_or(Value::Null)
    };
    let (request, answer) = (body("request"), body("answer"));
    let text = |value: &Value| value.as_str().unwrap_or("--").to_owned();
    let reason = &request["reason_code"];
    let function = if reason.is_null() { &request["function_code"] } else { reason };
    let amount = request["replacement_amount"].as_i64().or(request["amount"].as_i64());
    let code = text(&answer["response_code"]);
    format!("{} {} {} {code}", text(&request["mti"]), text(function), amount.unwrap_or(0))
}
