//! `payrig world`: further worlds beside a running `payrig up`.

use http::Method;
use kit::link::Reply;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::print_json;
use crate::access::Access;
use crate::cli::{WorldAction, WorldFlags, WorldNew};
use crate::failure::{Failure, Outcome};
use crate::terminal::{columns, note, print};

#[derive(Debug, Deserialize)]
struct Listing {
    data: Vec<Map<String, Value>>,
    limit: usize,
}

pub(super) async fn run(flags: WorldFlags) -> Outcome {
    let access = Access::open(&flags.state.state)?;
    match flags.action {
        None | Some(WorldAction::Ls) => list(&access, flags.json).await,
        Some(WorldAction::New(wish)) => {
            let wish = body(&wish)?;
            let reply = access.tell_console(Method::POST, "/worlds", Some(&wish)).await?;
            print_json(&read::<Value>(&reply)?)
        }
        Some(WorldAction::Rm { id }) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            if !id.bytes().all(plain) {
                return Err(Failure::usage(format!("`{id}` is no id of a world"))
                    .help("`payrig world ls` lists them"));
            }
            access.tell_console(Method::DELETE, &format!("/worlds/{id}"), None).await?;
            note(&format!("{id} has ended"));
            Ok(())
        }
    }
}

fn body(wish: &WorldNew) -> Outcome<Value> {
    let mut settings = Map::new();
    for setting in &wish.settings {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(Failure::usage(format!("`--set {setting}` has no value"))
                .help("write --set gateway.processor_deadline=5s"));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        settings.insert(key.to_owned(), value);
    }
    let clock = wish.clock.map(crate::cli::ClockMode::as_str);
    Ok(json!({ "ttl": wish.ttl, "seed": wish.seed, "clock": clock, "settings": settings }))
}

async fn list(access: &Access, as_json: bool) -> Outcome {
    let reply = access.tell_console(Method::GET, "/worlds", None).await?;
    let Listing { data, limit } = read(&reply)?;
    if as_json {
        return print_json(&data);
    }
    if data.is_empty() {
        note(&format!("no further worlds; `payrig world new` starts one of at most {limit}"));
        return Ok(());
    }
    let mut rows = vec![["id", "api", "clock", "seed", "ends at"].map(str::to_owned).to_vec()];
    let word = |world: &Map<String, Value>, key: &str| match world.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let keys = ["id", "api", "clock", "seed", "ends_at"];
    rows.extend(data.iter().map(|world| keys.map(|key| word(world, key)).to_vec()));
    print(&columns(&rows));
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> Outcome<T> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| Failure::could_not_run(format!("the console answered {error}")))
}
