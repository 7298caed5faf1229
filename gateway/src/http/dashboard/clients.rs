//! API clients at the dashboard: add, new signing key, revoke the one before, remove.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use kit::http::{Pairs, Problem, ReceivedRequest};
use wire::card::contains_card_number;

use super::access::{SignedIn, signed_in};
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
pub async fn add(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let signed_in = match signed_in(&context, &received).await? {
        Ok(signed_in) => signed_in,
        Err(response) => return Ok(*response),
    };
    let form = signed_in.form(&context, &received)?;
    // What may be a card number is neither noted nor shown again.
    let text = |name: &str| {
        let typed = form.get(name).map(str::trim).filter(|it| !contains_card_number(it));
        typed.unwrap_or_default().to_owned()
    };
    let typed = TypedClient { name: text("name"), origins: text("origins") };
    let (subject, detail) = (shown(&typed.name, SHOWN_CHARACTERS_MAX), String::new());
    if !signed_in.begin(&context, &form, Task::AddClient, subject, detail).await? {
        return Ok(see(PAGE));
    }
    let origins = typed.origins.split([',', ' ']).filter(|it| !it.is_empty());
    let new = NewClient {
        name: typed.name.clone(),
        return_origins: origins.map(str::to_owned).collect(),
        signatures: Signatures::Required,
        webhook_url: None,
    };
    let said = match access::register_client(&context, new).await {
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
    developers_page(&context, &signed_in, &Pairs::default(), said).await
}

/// `POST /dashboard/clients/{id}/rotate-key`: the only answer that shows the new key.
pub async fn rotate_key(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (signed_in, client) = match begun(&context, &received, Task::RotateKey).await? {
        Begun::Now(signed_in, client) => (signed_in, client),
        Begun::Not(response) => return Ok(response),
    };
    let rotated = access::rotate_client_key(&context, &client.client_id).await;
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
    developers_page(&context, &signed_in, &Pairs::default(), said).await
}

/// `POST /dashboard/clients/{id}/keys/{key}/revoke`
pub async fn revoke_key(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (signed_in, client) = match begun(&context, &received, Task::RevokeKey).await? {
        Begun::Now(signed_in, client) => (signed_in, client),
        Begun::Not(response) => return Ok(response),
    };
    let key = part(&received, "key")?;
    access::revoke_client_key(&context, &client.client_id, key).await.map_err(access_problem)?;
    let text = format!(
        "The key {key} of {} is revoked: what it signs is refused from now on.",
        client.name
    );
    done(&context, &signed_in, text).await
}

/// `POST /dashboard/clients/{id}/remove`
pub async fn remove(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (signed_in, client) = match begun(&context, &received, Task::RemoveClient).await? {
        Begun::Now(signed_in, client) => (signed_in, client),
        Begun::Not(response) => return Ok(response),
    };
    access::remove_client(&context, &client.client_id).await.map_err(access_problem)?;
    let text = format!("{} is removed: its keys and tokens are refused from now on.", client.name);
    done(&context, &signed_in, text).await
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

/// Whether a deed may be done now.
enum Begun {
    /// It is noted; this is the client.
    Now(SignedIn, Arc<Client>),
    /// Nobody is signed in, or the form was sent before.
    Not(HttpResponse),
}

/// Checks the session, its form and the client; then notes what is done to it.
async fn begun(
    context: &Context,
    received: &ReceivedRequest,
    task: Task,
) -> Result<Begun, Problem> {
    let signed_in = match signed_in(context, received).await? {
        Ok(signed_in) => signed_in,
        Err(response) => return Ok(Begun::Not(*response)),
    };
    let form = signed_in.form(context, received)?;
    let client = context.access.client(part(received, "id")?).ok_or_else(Problem::not_found)?;
    let subject = received.http().match_info().get("key").unwrap_or(&client.client_id);
    let subject = shown(subject, SHOWN_CHARACTERS_MAX);
    if !signed_in.begin(context, &form, task, subject, client.name.clone()).await? {
        return Ok(Begun::Not(see(PAGE)));
    }
    Ok(Begun::Now(signed_in, client))
}

fn part<'a>(received: &'a ReceivedRequest, name: &str) -> Result<&'a str, Problem> {
    received.http().match_info().get(name).ok_or_else(Problem::not_found)
}
