//! `payrig client`: registers, lists and removes API clients of the gateway.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::env::quoted;
use super::print_json;
use crate::access::Access;
use crate::cli::{ClientAction, ClientAdd, ClientFlags};
use crate::failure::{Failure, Outcome};
use crate::keys::{Client, forget_client, remember_client};
use crate::program::Program;
use crate::terminal::{columns, note, print};

/// A client that was just registered; its secrets are shown this once.
#[derive(Serialize, Deserialize)]
struct NewClient {
    name: String,
    client_id: String,
    client_secret: String,
    key_id: String,
    signing_key: String,
    signatures: String,
    #[serde(default)]
    return_origins: Vec<String>,
    #[serde(default)]
    webhook_secret: Option<String>,
    #[serde(default)]
    webhook_public_key: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnownClient {
    name: String,
    client_id: String,
    signatures: String,
    #[serde(default)]
    return_origins: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Listing {
    data: Vec<KnownClient>,
}

pub(super) async fn run(flags: ClientFlags) -> Outcome {
    let state = &flags.state.state;
    let access = Access::open(state)?;
    match &flags.action {
        ClientAction::Add(wish) => {
            let client = add(&access, wish).await?;
            remember_client(state, &client.name, client.credentials())?;
            show(&client, &access, flags.json)
        }
        ClientAction::List => list(&access, flags.json).await,
        ClientAction::Remove { name } => {
            remove(&access, name).await?;
            forget_client(state, name)
        }
    }
}

impl NewClient {
    fn credentials(&self) -> Client {
        Client {
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            key_id: self.key_id.clone(),
            signing_key: self.signing_key.clone(),
            signatures: self.signatures.clone(),
        }
    }
}

async fn add(access: &Access, wish: &ClientAdd) -> Outcome<NewClient> {
    let body = json!({
        "name": wish.name,
        "return_origins": wish.return_origins,
        "webhook_url": wish.webhook,
        "signatures": wish.signatures,
    });
    let reply = access.tell(Program::Gateway, Method::POST, "clients", Some(&body)).await?;
    serde_json::from_slice(&reply.body)
        .map_err(|error| Failure::could_not_run(format!("the gateway answered {error}")))
}

fn show(client: &NewClient, access: &Access, as_json: bool) -> Outcome {
    if as_json {
        return print_json(client);
    }
    print(&exports(client, access));
    note(&format!("shown once; `payrig call … --as {}` works from here", client.name));
    Ok(())
}

fn exports(client: &NewClient, access: &Access) -> String {
    let mut lines = vec![
        ("PAY_API", access.addresses.api()),
        ("PAY_CLIENT_ID", client.client_id.clone()),
        ("PAY_CLIENT_SECRET", client.client_secret.clone()),
        ("PAY_KEY_ID", client.key_id.clone()),
        ("PAY_SIGNING_KEY", client.signing_key.clone()),
    ];
    let webhook = [
        ("PAY_WEBHOOK_SECRET", &client.webhook_secret),
        ("PAY_WEBHOOK_PUBLIC_KEY", &client.webhook_public_key),
    ];
    lines.extend(webhook.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    lines.push(("PAY_PUBLISHABLE_KEY", access.world.publishable_key.clone()));
    let lines =
        lines.into_iter().map(|(name, value)| format!("export {name}={}\n", quoted(&value)));
    lines.collect()
}

async fn clients(access: &Access) -> Outcome<Vec<KnownClient>> {
    access.ask::<Listing>(Program::Gateway, "clients").await.map(|listing| listing.data)
}

async fn list(access: &Access, as_json: bool) -> Outcome {
    let clients = clients(access).await?;
    if as_json {
        return print_json(&clients);
    }
    let mut rows =
        vec![["name", "client id", "signatures", "return origins"].map(str::to_owned).to_vec()];
    rows.extend(clients.into_iter().map(|client| {
        vec![client.name, client.client_id, client.signatures, client.return_origins.join(" ")]
    }));
    print(&columns(&rows));
    Ok(())
}

async fn remove(access: &Access, name: &str) -> Outcome {
    let clients = clients(access).await?;
    let Some(client) = clients.iter().find(|client| client.name == name) else {
        return Err(Failure::usage(format!("there is no API client `{name}`"))
            .help("`payrig client list` shows the clients"));
    };
    let path = format!("clients/{}", client.client_id);
    access.tell(Program::Gateway, Method::DELETE, &path, None).await?;
    note(&format!("{name} is removed; its credentials do not work any more"));
    Ok(())
}
