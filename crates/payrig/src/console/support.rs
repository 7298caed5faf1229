//! The support bundle: what a colleague needs to see, without a secret in it.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use futures_util::future::join_all;
use kit::http::ReceivedRequest;
use serde_json::{Map, Value, json};

use super::Console;
use super::figures::{self, WINDOWS};
use super::frame::{fault_listings, weaknesses};
use super::http::{Answer, problem};
use crate::program::Program;

/// Messages of each program in a bundle.
const MESSAGES: u64 = 500;
/// Fields of payments that open doors.
const SECRET_FIELDS: [&str; 2] = ["client_secret", "checkout_url"];

/// `GET /support-bundle`
pub(super) async fn download(console: Data<Console>, _received: ReceivedRequest) -> Answer {
    let bundle = bundle(&console).await.map_err(problem)?;
    let text = serde_json::to_string_pretty(&bundle).unwrap_or_default();
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"payrig-support.json\"",
        ))
        .body(text))
}

async fn bundle(console: &Console) -> crate::failure::Outcome<Value> {
    let mut payments =
        serde_json::to_value(figures::newest_payments(console).await?).unwrap_or_default();
    redact(&mut payments);
    let figures = figures::look(console, &WINDOWS).await?;
    let named: Map<String, Value> = WINDOWS
        .iter()
        .zip(figures)
        .map(|(window, figures)| {
            (window.name.to_owned(), serde_json::to_value(figures).unwrap_or_default())
        })
        .collect();
    let armed = fault_listings(console).await.into_iter();
    let faults: Vec<Value> = armed
        .map(|(program, listing)| json!({ "program": program, "faults": listing.faults }))
        .collect();
    let weak: Vec<String> =
        weaknesses(console).await.into_iter().filter(|it| it.on).map(|it| it.id).collect();
    let invariants = console.invariants().await?;
    Ok(json!({
        "payrig": env!("CARGO_PKG_VERSION"),
        "made_at": console.client.now().await?,
        "addresses": Program::ALL.map(|program| console.access.addresses.of(program)),
        "programs": join_all(Program::ALL.map(|program| about(console, program))).await,
        "invariants": *invariants,
        "faults": faults,
        "protections_off": weak,
        "figures": named,
        "payments": payments,
    }))
}

async fn about(console: &Console, program: Program) -> Value {
    let ask = |path: String| async move {
        console.access.ask::<Value>(program, &path).await.unwrap_or_default()
    };
    let status = console.board.of(program);
    let far = ask(format!("wire?after={}&limit=1", u64::MAX)).await;
    let last = far.get("last_seq").and_then(Value::as_u64).unwrap_or(0);
    json!({
        "program": program,
        "state": status.state.as_str(),
        "restarts": status.restarts,
        "last_end": status.last_end,
        "idle": ask("idle".into()).await,
        "clock": ask("clock".into()).await,
        "timers": ask("timers".into()).await,
        "wire": ask(format!("wire?after={}&limit={MESSAGES}", last.saturating_sub(MESSAGES))).await,
    })
}

/// Takes out what opens doors, wherever it stands.
fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in SECRET_FIELDS {
                if fields.get(name).is_some_and(|value| !value.is_null()) {
                    fields.insert(name.to_owned(), json!("***"));
                }
            }
            fields.values_mut().for_each(redact);
        }
        Value::Array(list) => list.iter_mut().for_each(redact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_doors_is_taken_out_at_every_depth() {
        let mut value = json!([{"a": {"client_secret": "x", "b": 1}}, {"checkout_url": null}]);
        redact(&mut value);
        assert_eq!(value, json!([{"a": {"client_secret": "***", "b": 1}}, {"checkout_url": null}]));
    }
}
