//! API clients at the dashboard: add, new signing key, revoke the one before, remove.

use std::sync::Arc;

use actix_web::HttpResponse;
use kit::http::{Pairs, Problem, ReceivedRequest};
use wire::card::contains_card_number;

use super::access::{SignedIn, Visit};
use super::developers::{Shown, developers_page};
use crate::domain::operator::Task;
use crate::http::access::access_problem;
use crate::http::browser::see;
use crate::operations::Context;
use crate::operations::access::{self, AccessError, Client, NewClient};
use crate::pages::dashboard::Notice;
use crate::pages::dashboard::developers::{NewClientKeys, TypedClient};
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, instant, shown};
use crate::settings::Signatures;

const PAGE: &str = "/dashboard/developers";

/// `POST /dashboard/clients`: the only answer that shows the new client's secrets.
pub async fn add(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let form = signed_in.form(context, received)?;
    // What may be a card number is neither noted nor shown again.
    let text = |name: &str| {
        let typed = form.get(name).map(str::trim).filter(|it| !contains_card_number(it));
        typed.unwrap_or_default().to_owned()
    };
    let typed = TypedClient { name: text("name"), origins: text("origins") };
    let (subject, detail) = (shown(&typed.name, SHOWN_CHARACTERS_MAX), String::new());
    if !signed_in.begin(context, &form, Task::AddClient, subject, detail).await? {
        return Ok(see(PAGE));
    }
    let origins = typed.origins.split([',', ' ']).filter(|it| !it.is_empty());
    let new = NewClient {
        name: typed.name.clone(),
        return_origins: origins.map(str::to_owned).collect(),
        signatures: Signatures::Required,
        webhook_url: None,
    };
    let said = match access::register_client(context, new).await {
        Ok(registered) => Shown {
            new_keys: Some(NewClientKeys {
                client: registered.client.name.clone(),
                head: "The client was added",
                previous: None,
                client_id: registered.client.client_id.clone(),
                client_secret: Some(registered.client_secret.expose().to_owned()),
                key_id: registered.key_id,
                signing_key: registered.signing_key.expose().to_owned(),
            }),
            ..Shown::default()
        },
        Err(failure @ (AccessError::Name | AccessError::ReturnOrigin(_))) => {
            let text = format!("The client was not added: {failure}.");
            let notice = Some(Notice { tone: "bad", text });
            Shown { notice, typed_client: typed, ..Shown::default() }
        }
        Err(failure) => return Err(access_problem(failure)),
    };
    developers_page(context, signed_in, &Pairs::default(), said).await
}

/// `POST /dashboard/clients/{id}/rotate-key`: the only answer that shows the new key.
pub async fn rotate_key(visit: Visit) -> Result<HttpResponse, Problem> {
    let Some(client) = begun(&visit, Task::RotateKey).await? else { return Ok(see(PAGE)) };
    let Visit { context, signed_in, .. } = &visit;
    let rotated = access::rotate_client_key(context, &client.client_id).await;
    let rotated = rotated.map_err(access_problem)?;
    let until = instant(rotated.previous_until);
    let new_keys = Some(NewClientKeys {
        client: client.name.clone(),
        head: "The client has a new signing key",
        previous: Some(format!(
            "The key before is accepted until {until}. Give every server the new one by then, or \
             revoke the old one sooner below."
        )),
        client_id: client.client_id.clone(),
        client_secret: None,
        key_id: rotated.key_id,
        signing_key: rotated.signing_key.expose().to_owned(),
    });
    let said = Shown { new_keys, ..Shown::default() };
    developers_page(context, signed_in, &Pairs::default(), said).await
}

/// `POST /dashboard/clients/{id}/keys/{key}/revoke`
pub async fn revoke_key(visit: Visit) -> Result<HttpResponse, Problem> {
    let Some(client) = begun(&visit, Task::RevokeKey).await? else { return Ok(see(PAGE)) };
    let Visit { context, received, signed_in } = &visit;
    let key = part(received, "key")?;
    access::revoke_client_key(context, &client.client_id, key).await.map_err(access_problem)?;
    let text = format!(
        "The key {key} of {} is revoked: what it signs is refused from now on.",
        client.name
    );
    done(context, signed_in, text).await
}

/// `POST /dashboard/clients/{id}/remove`
pub async fn remove(visit: Visit) -> Result<HttpResponse, Problem> {
    let Some(client) = begun(&visit, Task::RemoveClient).await? else { return Ok(see(PAGE)) };
    let Visit { context, signed_in, .. } = &visit;
    access::remove_client(context, &client.client_id).await.map_err(access_problem)?;
    let text = format!("{} is removed: its keys and tokens are refused from now on.", client.name);
    done(context, signed_in, text).await
}

async fn done(
    context: &Context,
    signed_in: &SignedIn,
    text: String,
) -> Result<HttpResponse, Problem> {
    let notice = Some(Notice { tone: "good", text });
    let said = Shown { notice, ..Shown::default() };
    developers_page(context, signed_in, &Pairs::default(), said).await
}

/// Checks the form and the client, then notes what is done to it. None when it was sent before.
async fn begun(visit: &Visit, task: Task) -> Result<Option<Arc<Client>>, Problem> {
    let Visit { context, received, signed_in } = visit;
    let form = signed_in.form(context, received)?;
    let client = context.access.client(part(received, "id")?).ok_or_else(Problem::not_found)?;
    let subject = received.http().match_info().get("key").unwrap_or(&client.client_id);
    let subject = shown(subject, SHOWN_CHARACTERS_MAX);
    let first = signed_in.begin(context, &form, task, subject, client.name.clone()).await?;
    Ok(first.then_some(client))
}

fn part<'a>(received: &'a ReceivedRequest, name: &str) -> Result<&'a str, Problem> {
    received.http().match_info().get(name).ok_or_else(Problem::not_found)
}
