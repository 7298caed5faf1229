//! A merchant that is not ours: finding its file, and telling it what it needs of a world.

use std::path::Path;
use std::sync::Arc;

use kit::activity::Activity;
use kit::gate::Gate;
use scenario::client::http::{Http, Outgoing};
use scenario::foreign::{MerchantFile, parse};
use serde_json::{Map, Value, json};

use crate::failure::{Exit, Failure, Outcome};
use crate::keys::{FOREIGN_CLIENT, World};
use crate::terminal::note;

/// The file that is read when an address is given.
pub const DEFAULT_FILE: &str = "payrig.merchant.yaml";

/// Reads what `--merchant` names: a file, or an address that takes the place of `url` in
/// `payrig.merchant.yaml`.
pub fn load(wanted: &str) -> Outcome<MerchantFile> {
    let url = wanted.contains("://").then(|| wanted.trim_end_matches('/'));
    if let Some(url) = url
        && !url.starts_with("http://")
    {
        let message = format!("`--merchant {url}` does not begin with http://");
        return Err(Failure::usage(message).help(
            "the world of a scenario is reached on this machine only: http://127.0.0.1:8500",
        ));
    }
    let path = if url.is_some() { DEFAULT_FILE } else { wanted };
    let source = std::fs::read_to_string(Path::new(path)).map_err(|error| {
        let failure = Failure::unreadable(format!("the merchant file {path}: {error}"));
        failure.help(
            "it says how a scenario orders at your merchant; docs/examples/foreign_merchant has one \
             to begin with",
        )
    })?;
    parse(path, &source, url).map_err(|mistakes| {
        for mistake in mistakes {
            note(&mistake.render(path, &source));
        }
        Failure::said(Exit::Unreadable)
    })
}

/// Whether anybody listens where the merchant should.
pub async fn greet(file: &MerchantFile) -> Outcome {
    let http = Http::new(Activity::default(), Gate::default());
    let hello = Outgoing { method: "GET".to_owned(), url: file.url.clone(), ..Outgoing::default() };
    // Whatever it says to this: it is there.
    http.send(hello).await.map(drop).map_err(|error| {
        Failure::could_not_run(format!("no merchant answers at {}: {}", file.url, error.reason))
            .help(format!("start it, or correct `url` in {}", file.path))
    })
}

/// What a hook may name, and what the merchant is told when its file does not say otherwise.
pub(crate) fn introduction(
    file: &MerchantFile,
    world: &World,
    gateway: &str,
) -> (Map<String, Value>, Value) {
    let Some(client) = world.clients.get(FOREIGN_CLIENT) else {
        return (Map::new(), Value::Null);
    };
    let id = client.client_id.as_str();
    let (api, webhook) = (format!("{gateway}/api"), file.webhook_url(id));
    let document = json!({
        "world": id,
        "api": api,
        "merchant_id": world.merchant_id,
        "clients": { "shop": client },
        "publishable_key": world.publishable_key,
        "webhook": { "url": webhook, "secret": world.webhook_secret },
    });
    let names = json!({
        "world": id,
        "api": api,
        "merchant_id": world.merchant_id,
        "client_id": id,
        "client_secret": client.client_secret,
        "key_id": client.key_id,
        "signing_key": client.signing_key,
        "publishable_key": world.publishable_key,
        "webhook_url": webhook,
        "webhook_secret": world.webhook_secret,
    });
    let names = match names {
        Value::Object(names) => names,
        _ => Map::new(),
    };
    (names, document)
}

/// What an article of our shop costs. A merchant that is not ours is asked for that amount.
pub(crate) fn price(sku: &str, quantity: i64) -> Option<(i64, String)> {
    let price = merchant::domain::catalogue::find(sku)?.price;
    let amount = price.value.checked_times(quantity)?;
    Some((amount.get(), price.currency.code().to_owned()))
}

/// The file that a run was given, read and with somebody listening at its address.
pub(crate) fn of_run(wanted: Option<&str>) -> Outcome<Option<Arc<MerchantFile>>> {
    let Some(wanted) = wanted else { return Ok(None) };
    let file = load(wanted)?;
    actix_web::rt::System::new().block_on(greet(&file))?;
    Ok(Some(Arc::new(file)))
}
