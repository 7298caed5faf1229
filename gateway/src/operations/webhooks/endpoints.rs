//! Webhook endpoints: created, changed, given new secrets, removed.

use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use serde::Serialize;
use wire::card::contains_card_number;
use wire::events::EventType;
use wire::gateway_api::{CreateEndpoint, EndpointView, UpdateEndpoint};
use wire::ids::{EndpointId, MerchantId};
use wire::time::Timestamp;
use wire::webhook::{WebhookKeyError, WebhookSecret};
use zeroize::Zeroizing;

use crate::domain::webhooks::target::{TargetRefusal, TargetUrl};
use crate::domain::webhooks::{ALL_TYPES, DisabledReason, Health, HealthEvent, Subscription};
use crate::operations::Context;
use crate::operations::failure::Failure;
use crate::operations::idempotency::{Call, Claim, StoredAnswer, claim};
use crate::settings::SecretText;
use crate::store::idempotency::{StoredBody, answer_with};
use crate::store::webhooks::{self as rows, EndpointChange, EndpointRow, NewEndpoint};
use crate::vault::{SecretPlace, Vault, VaultError};

/// Endpoints that one merchant may have.
pub const ENDPOINTS_MAX: usize = 16;
/// Longest description.
const DESCRIPTION_CHARACTERS_MAX: usize = 200;
/// Bytes of a new secret.
const SECRET_BYTES: usize = 32;
/// Where answers that show a secret are kept, sealed.
const ANSWER_TABLE: &str = "idempotency";

/// Why something about an endpoint was refused. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address may not be called.
    #[error(transparent)]
    Url(#[from] TargetRefusal),
    /// Not event types, or none at all.
    #[error("name event types, for example payment.captured, or `*` alone for all")]
    EventTypes,
    /// Too long, or with a card number in it.
    #[error("a description has at most 200 characters and no card number")]
    Description,
    /// The status is neither enabled nor disabled.
    #[error("the status is `enabled` or `disabled`")]
    Status,
    /// The merchant has as many as it may have.
    #[error("a merchant has at most {ENDPOINTS_MAX} endpoints")]
    TooMany,
    /// There is no such endpoint or event.
    #[error("there is no such endpoint or event")]
    NotFound,
    /// A key is malformed.
    #[error(transparent)]
    Key(#[from] WebhookKeyError),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The call as such was refused.
    #[error(transparent)]
    Call(#[from] Failure),
}

impl From<DatabaseError> for EndpointError {
    fn from(error: DatabaseError) -> Self {
        Self::Call(error.into())
    }
}

impl From<rusqlite::Error> for EndpointError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Call(error.into())
    }
}

/// Checks an address before it is stored. A name is judged again by what it is resolved to
/// whenever a connection is made.
pub fn check_url(context: &Context, url: &str) -> Result<TargetUrl, TargetRefusal> {
    let target = TargetUrl::parse(url)?;
    // Events travel over plain connections so far.
    if target.secure {
        return Err(TargetRefusal::Scheme);
    }
    context.courier.settings().targets.judge_literal(&target)?;
    Ok(target)
}

fn check_types(types: &[String]) -> Result<Subscription, EndpointError> {
    let all = types.len() == 1 && types.iter().any(|it| it == ALL_TYPES);
    let known = types.iter().all(|it| EventType::from_str(it).is_ok());
    let mut sorted = types.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if all || (known && !types.is_empty() && sorted.len() == types.len()) {
        Ok(Subscription::new(types.to_vec()))
    } else {
        Err(EndpointError::EventTypes)
    }
}

fn check_description(text: Option<&String>) -> Result<(), EndpointError> {
    let fits = |text: &String| {
        text.chars().count() <= DESCRIPTION_CHARACTERS_MAX
            && !text.chars().any(char::is_control)
            && !contains_card_number(text)
    };
    if text.is_none_or(fits) { Ok(()) } else { Err(EndpointError::Description) }
}

fn seal(vault: &Vault, id: EndpointId, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
    let row = rows::secret_row(id);
    vault.seal_secret(SecretPlace { table: rows::SECRET_TABLE, row: &row }, secret)
}

fn new_secret(context: &Context) -> Result<(Vec<u8>, SecretText), WebhookKeyError> {
    let bytes = context.plumbing.secrets.bytes::<SECRET_BYTES>();
    let text = WebhookSecret::new(&bytes)?.encode();
    Ok((bytes.to_vec(), SecretText(text)))
}

/// An endpoint for all events with a secret of its own, not stored yet.
pub fn prepare_endpoint(
    context: &Context,
    url: String,
    now: Timestamp,
) -> Result<(NewEndpoint, SecretText), EndpointError> {
    check_url(context, &url)?;
    let id = context.plumbing.ids.with(EndpointId::new);
    let (secret, shown) = new_secret(context)?;
    let new = NewEndpoint {
        id,
        merchant: context.settings.keys.merchant.id,
        url,
        description: None,
        subscription: Subscription::new(vec![ALL_TYPES.to_owned()]),
        secret: seal(&context.vault, id, &secret)?,
        created_at: now,
    };
    Ok((new, shown))
}

/// Creates an endpoint; its secret is shown in this answer only.
pub async fn create_endpoint(
    context: &Context,
    call: Call,
    request: CreateEndpoint,
) -> Result<StoredAnswer, EndpointError> {
    check_description(request.description.as_ref())?;
    let subscription = check_types(&request.events)?;
    let (new, secret) = prepare_endpoint(context, request.url, context.plumbing.clock.now())?;
    let new = NewEndpoint {
        subscription,
        description: request.description,
        merchant: call.merchant,
        ..new
    };
    let public_key = context.courier.public_key().encode();
    let answer = once(context, call, 201, Keep::Sealed, move |connection| {
        if rows::endpoints(connection, Some(new.merchant))?.len() >= ENDPOINTS_MAX {
            return Err(EndpointError::TooMany);
        }
        rows::insert_endpoint(connection, &new)?;
        let stored = rows::endpoint(connection, new.merchant, new.id)?;
        let stored = stored.ok_or(EndpointError::NotFound)?;
        Ok(view(&stored, public_key, Some(secret)))
    })
    .await?;
    context.courier.endpoints_changed();
    Ok(answer)
}

/// An endpoint as clients see it.
fn view(endpoint: &EndpointRow, public_key: String, secret: Option<SecretText>) -> EndpointView {
    let (status, disabled_reason) = match endpoint.health {
        Health::Enabled { .. } => ("enabled", None),
        Health::Disabled(reason) => ("disabled", Some(disable_reason(reason).to_owned())),
    };
    EndpointView {
        id: endpoint.id,
        object: "webhook_endpoint".to_owned(),
        url: endpoint.url.clone(),
        events: endpoint.subscription.types().to_vec(),
        description: endpoint.description.clone(),
        status: status.to_owned(),
        disabled_reason,
        secret: secret.map(|secret| secret.0),
        public_key,
        created_at: endpoint.created_at,
    }
}

/// Why an endpoint is disabled, for clients.
pub const fn disable_reason(reason: DisabledReason) -> &'static str {
    match reason {
        DisabledReason::ByOwner => "disabled by its owner",
        DisabledReason::Gone => "the endpoint answered 410 Gone",
        DisabledReason::Failing => "every attempt failed for 120 hours",
    }
}

/// A merchant's endpoints, oldest first.
pub async fn list_endpoints(
    context: &Context,
    merchant: MerchantId,
) -> Result<Vec<EndpointView>, EndpointError> {
    let read = move |connection: &Connection| rows::endpoints(connection, Some(merchant));
    let stored: Vec<EndpointRow> = context.database.read(read).await?;
    let public_key = context.courier.public_key().encode();
    Ok(stored.iter().map(|endpoint| view(endpoint, public_key.clone(), None)).collect())
}

/// One endpoint of a merchant.
pub async fn read_endpoint(
    context: &Context,
    merchant: MerchantId,
    id: EndpointId,
) -> Result<EndpointView, EndpointError> {
    let read = move |connection: &Connection| rows::endpoint(connection, merchant, id);
    let stored: Option<EndpointRow> = context.database.read(read).await?;
    let stored = stored.ok_or(EndpointError::NotFound)?;
    Ok(view(&stored, context.courier.public_key().encode(), None))
}

/// Changes an endpoint: where it is, what it gets, whether it is enabled. Events that happen
/// while it is disabled wait until it is enabled again.
pub async fn update_endpoint(
    context: &Context,
    call: Call,
    id: EndpointId,
    request: UpdateEndpoint,
) -> Result<StoredAnswer, EndpointError> {
    check_description(request.description.as_ref())?;
    if let Some(url) = &request.url {
        check_url(context, url)?;
    }
    let subscription = request.events.as_deref().map(check_types).transpose()?;
    let health_event = match request.status.as_deref() {
        None => None,
        Some("enabled") => Some(HealthEvent::Enable),
        Some("disabled") => Some(HealthEvent::Disable),
        Some(_) => return Err(EndpointError::Status),
    };
    let (merchant, policy) = (call.merchant, context.courier.policy().clone());
    let public_key = context.courier.public_key().encode();
    let answer = once(context, call, 200, Keep::Plain, move |connection| {
        let before = rows::endpoint(connection, merchant, id)?.ok_or(EndpointError::NotFound)?;
        let change = EndpointChange {
            url: request.url,
            description: request.description,
            subscription,
            health: health_event.map(|event| before.health.after(&policy, event)),
        };
        rows::update_endpoint(connection, before.row, &change)?;
        let after = rows::endpoint(connection, merchant, id)?.ok_or(EndpointError::NotFound)?;
        Ok(view(&after, public_key, None))
    })
    .await?;
    context.courier.endpoints_changed();
    Ok(answer)
}

/// Removes an endpoint; nothing is sent to it any more.
pub async fn remove_endpoint(
    context: &Context,
    call: Call,
    id: EndpointId,
) -> Result<StoredAnswer, EndpointError> {
    let (merchant, now) = (call.merchant, context.plumbing.clock.now());
    let answer = once(context, call, 200, Keep::Plain, move |connection| {
        let endpoint = rows::endpoint(connection, merchant, id)?;
        let endpoint = endpoint.ok_or(EndpointError::NotFound)?;
        rows::remove_endpoint(connection, endpoint.row, now)?;
        Ok(serde_json::json!({ "id": id, "object": "webhook_endpoint", "deleted": true }))
    })
    .await?;
    context.courier.endpoints_changed();
    Ok(answer)
}

/// Gives an endpoint a new secret, shown in this answer only; the old one signs too for a day.
pub async fn rotate_secret(
    context: &Context,
    call: Call,
    id: EndpointId,
) -> Result<StoredAnswer, EndpointError> {
    let merchant = call.merchant;
    let (secret, shown) = new_secret(context)?;
    let sealed = seal(&context.vault, id, &secret)?;
    let overlap_ends = context.plumbing.clock.now().plus(context.courier.policy().secret_overlap);
    let public_key = context.courier.public_key().encode();
    let answer = once(context, call, 200, Keep::Sealed, move |connection| {
        let endpoint = rows::endpoint(connection, merchant, id)?;
        let endpoint = endpoint.ok_or(EndpointError::NotFound)?;
        rows::replace_secret(connection, endpoint.row, &sealed, &endpoint.secret, overlap_ends)?;
        Ok(view(&endpoint, public_key, Some(shown)))
    })
    .await?;
    context.courier.endpoints_changed();
    Ok(answer)
}

/// Registers the shop's endpoint with the secret of the keys file, or moves it to a new address.
pub fn put_shop_endpoint(
    connection: &Connection,
    vault: &Vault,
    shop: &ShopEndpoint<'_>,
) -> Result<(), EndpointError> {
    WebhookSecret::parse(shop.secret)?;
    let encoded = shop.secret.strip_prefix("whsec_").unwrap_or_default();
    let secret = BASE64.decode(encoded.as_bytes()).map(Zeroizing::new);
    let secret = secret.map_err(|_| WebhookKeyError::Encoding)?;
    let known = rows::endpoints(connection, Some(shop.merchant))?
        .into_iter()
        .find(|endpoint| endpoint.description.as_deref() == Some(SHOP_DESCRIPTION));
    let Some(endpoint) = known else {
        rows::insert_endpoint(
            connection,
            &NewEndpoint {
                id: shop.id,
                merchant: shop.merchant,
                url: shop.url.to_owned(),
                description: Some(SHOP_DESCRIPTION.to_owned()),
                subscription: Subscription::new(vec![ALL_TYPES.to_owned()]),
                secret: seal(vault, shop.id, &secret)?,
                created_at: shop.now,
            },
        )?;
        return Ok(());
    };
    let change = EndpointChange { url: Some(shop.url.to_owned()), ..Default::default() };
    rows::update_endpoint(connection, endpoint.row, &change)?;
    replace_if_new(connection, vault, &endpoint, &secret, shop)
}

/// Description of the endpoint that is registered at start.
const SHOP_DESCRIPTION: &str = "The demo shop";

/// The endpoint that is registered at start.
#[derive(Debug)]
pub struct ShopEndpoint<'a> {
    /// Its id, when it is new.
    pub id: EndpointId,
    /// Whose it is.
    pub merchant: MerchantId,
    /// Where it is.
    pub url: &'a str,
    /// `whsec_…`.
    pub secret: &'a str,
    /// The present.
    pub now: Timestamp,
    /// How long an older secret signs beside it.
    pub overlap: std::time::Duration,
}

fn replace_if_new(
    connection: &Connection,
    vault: &Vault,
    endpoint: &EndpointRow,
    secret: &[u8],
    shop: &ShopEndpoint<'_>,
) -> Result<(), EndpointError> {
    let row = rows::secret_row(endpoint.id);
    let place = SecretPlace { table: rows::SECRET_TABLE, row: &row };
    let stored = vault.open_secret(place, &endpoint.secret)?;
    if stored.as_slice() == secret {
        return Ok(());
    }
    let sealed = vault.seal_secret(place, secret)?;
    let until = shop.now.plus(shop.overlap);
    rows::replace_secret(connection, endpoint.row, &sealed, &endpoint.secret, until)?;
    Ok(())
}

/// How an answer is kept for a repeated call.
#[derive(Clone, Copy)]
pub(super) enum Keep {
    /// As it is.
    Plain,
    /// Sealed, because it shows a secret.
    Sealed,
}

/// Does something once per idempotency key and keeps the answer, in one transaction.
pub(super) async fn once<T, F>(
    context: &Context,
    call: Call,
    status: u16,
    keep: Keep,
    act: F,
) -> Result<StoredAnswer, EndpointError>
where
    T: Serialize,
    F: FnOnce(&Connection) -> Result<T, EndpointError> + Send + 'static,
{
    let now = context.plumbing.clock.now();
    let vault = context.vault.clone();
    let place = call.key.as_ref().map(|keyed| HEXLOWER.encode(&keyed.key.hash));
    let work = move |connection: &Connection| {
        let place = place.as_deref().unwrap_or_default();
        let place = SecretPlace { table: ANSWER_TABLE, row: place };
        let row = match claim(connection, &call, now)? {
            Claim::Go(row) => row,
            Claim::Answered(status, body) => return again(&vault, place, keep, status, body),
        };
        let body = serde_json::to_vec(&act(connection)?).map_err(Failure::from)?;
        if let Some(row) = row {
            match keep {
                Keep::Plain => answer_with(connection, row, status, &body)?,
                Keep::Sealed => {
                    answer_with(connection, row, status, &vault.seal_secret(place, &body)?)?;
                }
            }
        }
        Ok(answer(status, body, false))
    };
    context.database.write(work).await
}

fn again(
    vault: &Vault,
    place: SecretPlace<'_>,
    keep: Keep,
    status: u16,
    body: StoredBody,
) -> Result<StoredAnswer, EndpointError> {
    let body = match body {
        StoredBody::Own(body) | StoredBody::Payment(body) | StoredBody::Refund(body) => body,
    };
    let body = match keep {
        Keep::Plain => body,
        Keep::Sealed => vault.open_secret(place, &body)?.to_vec(),
    };
    Ok(answer(status, body, true))
}

fn answer(status: u16, body: Vec<u8>, replayed: bool) -> StoredAnswer {
    StoredAnswer { status, body: body.into(), is_problem: false, replayed, outcome_source: None }
}
