//! `payrig fault`: lists, arms and clears faults, each in the program that sends on the link.

use std::time::Duration;

use http::Method;
use kit::faults::Fault;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::print_json;
use crate::access::Access;
use crate::cli::{FaultAction, FaultAdd, FaultFlags};
use crate::failure::{Failure, Outcome};
use crate::program::Program;
use crate::terminal::{columns, note, print};

/// How often is looked whether what is armed is used up.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A fault that is armed, and where.
#[derive(Debug, Serialize)]
struct ArmedRow {
    program: Program,
    #[serde(flatten)]
    fault: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Listing {
    faults: Vec<Map<String, Value>>,
    links: Vec<String>,
    elsewhere: usize,
}

#[derive(Debug, Deserialize)]
struct Armed {
    ids: Vec<String>,
}

pub(super) async fn run(flags: FaultFlags) -> Outcome {
    let access = Access::open(&flags.state.state)?;
    match flags.action {
        None | Some(FaultAction::List) => list(&access, flags.json).await,
        Some(FaultAction::Add(add)) => {
            let faults = wanted(&add)?;
            let ids = arm(&access, faults).await?;
            if flags.json {
                return print_json(&json!({ "ids": ids }));
            }
            print(&ids.join("\n"));
            note("armed; `payrig fault list` shows how often a fault was hit");
            Ok(())
        }
        Some(FaultAction::Clear { id }) => clear(&access, id.as_deref()).await,
    }
}

async fn list(access: &Access, as_json: bool) -> Outcome {
    let (mut rows, mut links) = (Vec::new(), Vec::new());
    for program in Program::ALL {
        let listing: Listing = access.ask(program, "faults").await?;
        rows.extend(listing.faults.into_iter().map(|fault| ArmedRow { program, fault }));
        links.extend(listing.links);
    }
    if as_json {
        return print_json(&json!({ "faults": rows, "links": links }));
    }
    if rows.is_empty() {
        note(&format!("no faults are armed; links: {}", links.join(", ")));
        return Ok(());
    }
    let head = ["id", "link", "does", "only", "times", "hits"].map(str::to_owned).to_vec();
    let mut cells = vec![head];
    cells.extend(rows.iter().map(|row| cells_of(&row.fault)));
    print(&columns(&cells));
    Ok(())
}

fn cells_of(listed: &Map<String, Value>) -> Vec<String> {
    let fault = listed.get("fault").and_then(Value::as_object).unwrap_or(listed);
    let plain = |name: &str| fault.get(name).map_or(String::new(), in_words);
    let only = plain("match");
    let times = if fault.contains_key("times") { plain("times") } else { "always".into() };
    let hits = listed.get("hits").map_or(String::new(), in_words);
    vec![plain("id"), plain("on"), plain("do"), only, times, hits]
}

/// `{"type":"authorization"}` as `type=authorization`, `{"duplicate":2}` as `duplicate=2`.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Object(pairs) => {
            let pair = |(name, value): (&String, &Value)| format!("{name}={}", in_words(value));
            pairs
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(pair)
                .collect::<Vec<_>>()
                .join(" ")
        }
        other => other.to_string(),
    }
}

/// What a fault does and to which messages, in a few words each.
pub(crate) fn spoken_fault(fault: &Value) -> (String, String) {
    let words = |name: &str| fault.get(name).map_or(String::new(), in_words);
    (words("do").replace('_', " "), words("match"))
}

/// Arms faults; each goes to the program that sends on its link. Returns their ids.
pub(crate) async fn arm(access: &Access, faults: Vec<Fault>) -> Outcome<Vec<String>> {
    let mut ids = Vec::new();
    for fault in faults {
        let program = Program::sending_on(&fault.on).ok_or_else(|| unknown_link(&fault.on))?;
        let body = json!({ "faults": [fault] });
        let reply = access.tell(program, Method::POST, "faults", Some(&body)).await?;
        let armed: Armed = serde_json::from_slice(&reply.body)
            .map_err(|error| Failure::could_not_run(error.to_string()))?;
        ids.extend(armed.ids);
    }
    tell_everyone(access).await;
    Ok(ids)
}

/// How many faults act in a program, and how many it believes to act in the others.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    acting: usize,
    elsewhere: usize,
}

impl From<&Listing> for Known {
    fn from(listing: &Listing) -> Self {
        let used_up = |fault: &Map<String, Value>| fault.get("used_up") == Some(&json!(true));
        let acting = listing.faults.iter().filter(|fault| !used_up(fault)).count();
        Self { acting, elsewhere: listing.elsewhere }
    }
}

/// Has the pages of every program tell what is armed in the others, as well as they can be reached.
pub(crate) async fn tell_everyone(access: &Access) {
    let mut known = Vec::new();
    for program in Program::ALL {
        let listing = access.ask::<Listing>(program, "faults").await;
        known.push((program, listing.as_ref().map(Known::from).unwrap_or_default()));
    }
    let all: usize = known.iter().map(|(_, it)| it.acting).sum();
    for (program, it) in known {
        let armed = all.saturating_sub(it.acting);
        if armed == it.elsewhere {
            continue;
        }
        let body = json!({ "armed": armed });
        if let Err(failure) =
            access.tell(program, Method::POST, "faults/elsewhere", Some(&body)).await
        {
            tracing::debug!(%failure.message, "a program was not told what is armed");
        }
    }
}

/// Keeps the pages of every program true while the world runs: a fault is used up, another is
/// armed at a program itself, a program that was started again knows of none.
pub(super) async fn keep_telling(access: &Access) {
    loop {
        access.plumbing.clock.sleep(LOOK_EVERY).await;
        tell_everyone(access).await;
    }
}

/// Disarms one fault, or all.
pub(crate) async fn clear(access: &Access, id: Option<&str>) -> Outcome {
    let mut cleared = false;
    for program in Program::ALL {
        let listing: Listing = access.ask(program, "faults").await?;
        let id_of = |listed: &Map<String, Value>| {
            let fault = listed.get("fault").and_then(Value::as_object).unwrap_or(listed);
            fault.get("id").cloned()
        };
        let has = |id: &str| listing.faults.iter().any(|it| id_of(it) == Some(json!(id)));
        let path = match id {
            None => "faults".to_owned(),
            Some(id) if has(id) => format!("faults?id={id}"),
            Some(_) => continue,
        };
        access.tell(program, Method::DELETE, &path, None).await?;
        cleared = true;
    }
    tell_everyone(access).await;
    if cleared {
        return Ok(());
    }
    Err(Failure::usage(format!("no fault with the id `{}` is armed", id.unwrap_or_default()))
        .help("`payrig fault list` shows the armed faults"))
}

fn unknown_link(link: &str) -> Failure {
    Failure::usage(format!("`{link}` is not a link that a program of this world sends on"))
        .help("`payrig fault list` names the links, for example gateway->processor")
}

/// The faults that the command line asks for.
pub(crate) fn wanted(add: &FaultAdd) -> Outcome<Vec<Fault>> {
    if add.on.trim_start().starts_with(['{', '[']) {
        return read_list(&add.on);
    }
    let Some(action) = &add.action else {
        return Err(Failure::usage(format!("what shall happen on {}?", add.on))
            .help(format!("for example `payrig fault add '{}' drop_response`", add.on)));
    };
    let mut matching = Map::new();
    let conditions = [
        ("type", &add.message_type),
        ("payment", &add.payment),
        ("order", &add.order),
        ("card", &add.card),
        ("event", &add.event),
        ("path", &add.path),
    ];
    for (name, value) in conditions {
        if let Some(value) = value {
            matching.insert(name.to_owned(), json!(value));
        }
    }
    let mut fault = json!({ "on": add.on, "match": matching, "do": action_value(action) });
    if let Some(fault) = fault.as_object_mut() {
        let counts = [("times", add.times.map(Value::from)), ("skip", add.skip.map(Value::from))];
        for (name, value) in
            counts.into_iter().chain([("probability", add.probability.map(Value::from))])
        {
            if let Some(value) = value {
                fault.insert(name.to_owned(), value);
            }
        }
    }
    read_list(&fault.to_string())
}

/// Reads one fault or a list of faults, as `payrig fault list --json` prints them too.
pub(crate) fn read_list(text: &str) -> Outcome<Vec<Fault>> {
    let refused = |error: serde_json::Error| {
        Failure::usage(format!("this is not a fault: {error}")).help(
            "for example '{\"on\":\"gateway->processor\",\"match\":{\"type\":\"authorization\"},\
             \"times\":1,\"do\":\"drop_response\"}'",
        )
    };
    let value: Value = serde_json::from_str(text).map_err(refused)?;
    let list = match value {
        Value::Array(list) => list,
        Value::Object(mut fields) => match fields.remove("faults") {
            Some(Value::Array(list)) => list,
            Some(_) | None => vec![serde_json::from_str(text).map_err(refused)?],
        },
        other => vec![other],
    };
    let read = |mut fault: Value| {
        if let Some(fields) = fault.as_object_mut() {
            for counter in ["program", "matched", "hits", "used_up"] {
                fields.remove(counter);
            }
        }
        serde_json::from_value::<Fault>(fault).map_err(refused)
    };
    list.into_iter().map(read).collect()
}

/// `drop_response` stays a word; `duplicate:2` becomes `{"duplicate": 2}`.
fn action_value(action: &str) -> Value {
    match action.split_once(':') {
        None => json!(action),
        Some((word, value)) => {
            let value =
                serde_json::from_str::<u64>(value).map_or_else(|_| json!(value), Value::from);
            json!({ word: value })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(on: &str, action: Option<&str>) -> FaultAdd {
        FaultAdd {
            on: on.into(),
            action: action.map(str::to_owned),
            message_type: None,
            payment: None,
            order: None,
            card: None,
            event: None,
            path: None,
            times: None,
            skip: None,
            probability: None,
        }
    }

    #[test]
    fn words_and_flags_become_a_fault() {
        let wish = FaultAdd {
            message_type: Some("authorization".into()),
            times: Some(1),
            ..add("gateway->processor", Some("delay_response:45s"))
        };
        let faults = wanted(&wish).unwrap();
        insta::assert_json_snapshot!(faults, @r#"
        [
          {
            "on": "gateway->processor",
            "match": {
              "type": "authorization"
            },
            "times": 1,
            "do": {
              "delay_response": "45s"
            }
          }
        ]
        "#);
        assert!(wanted(&add("gateway->merchant", Some("duplicate:3"))).is_ok());
        assert!(wanted(&add("gateway->merchant", Some("status:503"))).is_ok());
        assert!(wanted(&add("gateway->merchant", Some("reset:response"))).is_ok());
    }

    #[test]
    fn a_whole_fault_can_be_given_as_json() {
        let text = r#"{"on":"gateway->processor","times":1,"do":"drop_response"}"#;
        assert_eq!(wanted(&add(text, None)).unwrap().len(), 1);
        let list = format!("[{text},{text}]");
        assert_eq!(read_list(&list).unwrap().len(), 2);
        let listed = format!(r#"{{"links":[],"faults":[{text}]}}"#);
        assert_eq!(read_list(&listed).unwrap().len(), 1);
    }

    #[test]
    fn a_wrong_fault_says_what_a_right_one_looks_like() {
        let failure = wanted(&add("gateway->processor", Some("explode"))).unwrap_err();
        insta::assert_snapshot!(failure, @r#"
        error: this is not a fault: unknown variant `explode`, expected one of `drop_request`, `drop_response`, `delay_request`, `delay_response`, `duplicate`, `reorder`, `status`, `answer`, `reset`, `truncate`, `garbage`, `corrupt_signature`, `stale_timestamp`, `wrong_key`, `down`, `hold`, `replay`, `alter`, `alter_signed`
        help: for example '{"on":"gateway->processor","match":{"type":"authorization"},"times":1,"do":"drop_response"}'
        "#);
        insta::assert_snapshot!(wanted(&add("gateway->processor", None)).unwrap_err(), @r"
        error: what shall happen on gateway->processor?
        help: for example `payrig fault add 'gateway->processor' drop_response`
        ");
        insta::assert_snapshot!(unknown_link("mars->venus"), @r"
        error: `mars->venus` is not a link that a program of this world sends on
        help: `payrig fault list` names the links, for example gateway->processor
        ");
    }

    #[test]
    fn conditions_are_shown_as_words() {
        let fault =
            json!({"match": {"type": "authorization", "card": null}, "do": {"duplicate": 2}});
        let cells = cells_of(fault.as_object().unwrap());
        assert_eq!(cells, ["", "", "duplicate=2", "type=authorization", "always", ""]);
    }
}
