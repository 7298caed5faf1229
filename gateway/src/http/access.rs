//! Who may call: bearer token, signature and scope, checked before anything is parsed.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use kit::http::{Problem, ReceivedRequest, json, on_link, verify};
use serde::{Deserialize, Serialize};
use wire::ids::MerchantId;
use wire::signature::{VerifiedSignature, Wire};
use wire::time::Timestamp;

use crate::domain::access::{Scope, Scopes};
use crate::operations::access::{
    self, AccessError, Client, Grant, NewClient, RegisteredClient, TokenRefusal,
};
use crate::operations::fence::{self, Fenced};
use crate::operations::idempotency::{Call, KeyParts, Keyed, Render, call_key};
use crate::operations::{Context, vault};
use crate::settings::Signatures;
use crate::store::access::SeenNonce;

/// The link that merchants' calls travel on.
const LINK: &str = "merchant->gateway";
/// Longest idempotency key (draft-ietf-httpapi-idempotency-key-header-07).
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// What is asked for when nothing was given (RFC 6750 section 3).
const CHALLENGE: &str = "Bearer realm=\"payrig\"";

/// A call that may be made: its token is live, its signature fits, and both are one client's.
pub struct Authorized {
    /// Who calls.
    pub client: Arc<Client>,
    /// Whose payments it works with.
    pub merchant: MerchantId,
    /// What the token allows.
    pub scopes: Scopes,
    /// Whether it was signed.
    pub signed: bool,
    /// The nonce of an unsafe call, to be kept in the transaction of what it does.
    pub nonce: Option<SeenNonce>,
    /// The request as it came.
    pub received: ReceivedRequest,
}

impl FromRequest for Authorized {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let context = request.app_data::<Data<Context>>().cloned();
        let received = ReceivedRequest::from_request(request, payload);
        Box::pin(async move {
            let context = context.ok_or_else(|| Problem::internal("no context"))?;
            authorize(&context, received.await?)
        })
    }
}

/// Verifies first, so that the answer to a signed call is signed whatever it says.
fn authorize(context: &Context, received: ReceivedRequest) -> Result<Authorized, Problem> {
    on_link(received.http(), LINK);
    let headers = received.headers();
    let signed = headers.contains_key("signature") || headers.contains_key("signature-input");
    let verified = signed.then(|| verified(context, &received));
    fence::admit_call(context, caller(context, &received)).map_err(fenced)?;
    let verified = verified.transpose()?;
    let grant = granted(context, &received)?;
    fence::admit_client(context, &grant.client.client_id).map_err(fenced)?;
    match &verified {
        Some(verified) => same_client(context, verified, &grant.client)?,
        None if grant.client.signatures == Signatures::Optional => {}
        None if context.planted("accept_unsigned_calls") => {}
        // Says which part of a signature is missing.
        None => drop(self::verified(context, &received)?),
    }
    let nonce = verified.filter(|_| is_unsafe(&received.method)).map(|verified| SeenNonce {
        key_id: verified.key_id,
        nonce: verified.nonce,
        expires: verified.expires,
    });
    let mut received = received;
    if context.planted("ignore_idempotency_keys") && received.idempotency_key.is_some() {
        received.idempotency_key = Some(received.request_id.clone());
    }
    Ok(Authorized {
        merchant: grant.client.merchant,
        client: grant.client,
        scopes: grant.scopes,
        signed,
        nonce,
        received,
    })
}

/// Who calls: the peer, or whom a trusted proxy names.
pub fn caller(context: &Context, received: &ReceivedRequest) -> IpAddr {
    fence::caller(context, received.peer, || received.header_values("x-forwarded-for"))
}

/// What a call that is not let through is answered.
pub fn fenced(fenced: Fenced) -> Problem {
    match fenced {
        Fenced::Address(address) => {
            let detail = format!("the lists of addresses do not let {address} call this API");
            Problem::new(403, "ip_not_allowed", detail)
        }
        Fenced::TooMany(wait) => {
            let detail = "too many calls in a short time: wait as long as `retry-after` says";
            Problem::new(429, "rate_exceeded", detail).retry_after(wait)
        }
    }
}

fn verified(context: &Context, received: &ReceivedRequest) -> Result<VerifiedSignature, Problem> {
    let keys = &context.access;
    let (clock, nonces) = keys.line_of_key(claimed_key(received));
    let verified = verify(received, Wire::Api, keys, nonces, clock);
    verified.map_err(|problem| match problem.status() {
        401 => problem.header("www-authenticate", "Signature realm=\"payrig\", tag=\"payrig-v1\""),
        _ => problem,
    })
}

/// The key that a signature names. It decides by which clock the signature is looked at, and nothing
/// else: the verifier reads for itself.
fn claimed_key(received: &ReceivedRequest) -> &str {
    let input = received.header("signature-input").unwrap_or_default();
    let named = input.split_once(";keyid=\"").and_then(|(_, rest)| rest.split_once('"'));
    named.map_or("", |(key_id, _)| key_id)
}

const fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn same_client(
    context: &Context,
    verified: &VerifiedSignature,
    client: &Client,
) -> Result<(), Problem> {
    if context.access.key_belongs_to(&verified.key_id, &client.client_id) {
        return Ok(());
    }
    let detail = "the access token and the signing key belong to different clients";
    Err(Problem::new(403, "token_key_mismatch", detail))
}

fn granted(context: &Context, received: &ReceivedRequest) -> Result<Grant, Problem> {
    refuse_token_elsewhere(received)?;
    let Some(token) = received.bearer() else {
        let detail = "send an access token: `Authorization: Bearer …`";
        return Err(Problem::new(401, "token_missing", detail)
            .param("authorization")
            .header("www-authenticate", CHALLENGE));
    };
    context.access.grant(token).map_err(|refusal| {
        let code = match refusal {
            TokenRefusal::Unknown => "token_invalid",
            TokenRefusal::Expired => "token_expired",
        };
        let challenge =
            format!("{CHALLENGE}, error=\"invalid_token\", error_description=\"{refusal}\"");
        Problem::new(401, code, refusal.to_string())
            .param("authorization")
            .header("www-authenticate", &challenge)
    })
}

/// Addresses and forms end up in logs and histories (RFC 6750 section 5.3).
fn refuse_token_elsewhere(received: &ReceivedRequest) -> Result<(), Problem> {
    let kind = received.content_type.as_deref().unwrap_or_default();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    let in_form = is_form && received.body.windows(13).any(|part| part == b"access_token=");
    if !in_form && !received.query.contains("access_token=") {
        return Ok(());
    }
    let challenge = format!("{CHALLENGE}, error=\"invalid_request\"");
    let detail = "an access token belongs into the header `Authorization`, nowhere else";
    Err(Problem::new(400, "token_in_url", detail).header("www-authenticate", &challenge))
}

impl Authorized {
    /// Refuses a token without this scope: 403 `scope_missing`.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        let scope = scope.as_str();
        let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"{scope}\"");
        let detail = format!("the access token does not allow `{scope}`");
        Err(Problem::new(403, "scope_missing", detail)
            .reason(scope)
            .header("www-authenticate", &challenge))
    }

    /// The id in the path. A malformed one is as absent as a foreign one: 404.
    pub fn id<T: FromStr>(&self) -> Result<T, Problem> {
        let text = self.received.http().match_info().get("id");
        text.and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)
    }

    /// The call as operations take it. `status` is that of its answer, `render` shows failures.
    pub fn call(&self, status: u16, render: Render) -> Result<Call, Problem> {
        let key = self.idempotency_key()?;
        let received = &self.received;
        let key = call_key(&KeyParts {
            status,
            merchant: &self.merchant,
            method: received.method.as_str(),
            path: &received.path,
            key,
            content_type: received.content_type.as_deref().unwrap_or_default(),
            body: &received.body,
        });
        Ok(Call {
            merchant: self.merchant,
            trace: received.trace,
            nonce: self.nonce.clone(),
            key: Some(Keyed { key, render }),
        })
    }

    fn idempotency_key(&self) -> Result<&str, Problem> {
        let Some(key) = self.received.idempotency_key.as_deref() else {
            let detail = "an unsafe call carries the header `Idempotency-Key`";
            return Err(
                Problem::new(400, "idempotency_key_missing", detail).param("idempotency-key")
            );
        };
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX || !visible {
            let detail = "an idempotency key has 1 to 255 visible ASCII characters";
            return Err(
                Problem::new(400, "idempotency_key_invalid", detail).param("idempotency-key")
            );
        }
        Ok(key)
    }
}

/// Clients and keys, below the fence of the control plane: `/_sandbox/clients`.
pub fn sandbox_routes(config: &mut ServiceConfig) {
    config
        .route("/vault/rotate-data-key", web::post().to(rotate_data_key))
        .route("/clients", web::get().to(list_clients))
        .route("/clients", web::post().to(register_client))
        .route("/clients/{id}", web::delete().to(remove_client))
        .route("/clients/{id}/rotate-key", web::post().to(rotate_key));
}

/// `POST /_sandbox/clients`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterClient {
    name: String,
    #[serde(default)]
    return_origins: Vec<String>,
    signatures: Option<Signatures>,
    webhook_url: Option<String>,
}

#[derive(Serialize)]
struct ClientView<'a> {
    name: &'a str,
    client_id: &'a str,
    merchant_id: MerchantId,
    signatures: Signatures,
    scopes: String,
    return_origins: &'a [String],
    from_keys_file: bool,
    created_at: Timestamp,
    /// Everything below is shown at registration only.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publishable_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_public_key: Option<String>,
}

fn client_view(client: &Client) -> ClientView<'_> {
    ClientView {
        name: &client.name,
        client_id: &client.client_id,
        merchant_id: client.merchant,
        signatures: client.signatures,
        scopes: client.scopes.to_string(),
        return_origins: client.return_origins.as_slice(),
        from_keys_file: client.from_keys_file,
        created_at: client.created_at,
        client_secret: None,
        key_id: None,
        signing_key: None,
        publishable_key: None,
        webhook_endpoint: None,
        webhook_secret: None,
        webhook_public_key: None,
    }
}

async fn list_clients(context: Data<Context>) -> HttpResponse {
    let clients = context.access.clients();
    let views: Vec<ClientView<'_>> = clients.iter().map(|client| client_view(client)).collect();
    HttpResponse::Ok().json(serde_json::json!({ "data": views, "has_more": false }))
}

async fn register_client(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let request: RegisterClient = json(&received)?;
    let new = NewClient {
        name: request.name,
        return_origins: request.return_origins,
        signatures: request.signatures.unwrap_or(Signatures::Required),
        webhook_url: request.webhook_url,
    };
    let registered = access::register_client(&context, new).await.map_err(access_problem)?;
    Ok(HttpResponse::Created().json(registered_view(&context, &registered)))
}

fn registered_view<'a>(context: &'a Context, registered: &'a RegisteredClient) -> ClientView<'a> {
    let webhook = registered.webhook.as_ref();
    ClientView {
        client_secret: Some(registered.client_secret.expose()),
        key_id: Some(&registered.key_id),
        signing_key: Some(registered.signing_key.expose()),
        publishable_key: Some(&context.settings.keys.publishable_key),
        webhook_endpoint: webhook.map(|(id, _)| id.to_string()),
        webhook_secret: webhook.map(|(_, secret)| secret.expose()),
        webhook_public_key: webhook.map(|_| context.courier.public_key().encode()),
        ..client_view(&registered.client)
    }
}

async fn remove_client(
    context: Data<Context>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    access::remove_client(&context, &id).await.map_err(access_problem)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn rotate_key(
    context: Data<Context>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let rotated = access::rotate_client_key(&context, &id).await.map_err(access_problem)?;
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "client_id": id.as_str(),
        "key_id": rotated.key_id,
        "signing_key": rotated.signing_key.expose(),
        "previous_until": rotated.previous_until,
    })))
}

/// Answers when every record is encrypted with the new key and the old one is destroyed.
async fn rotate_data_key(context: Data<Context>) -> Result<HttpResponse, Problem> {
    let merchant = context.settings.keys.merchant.id;
    vault::rotate_data_key(&context, merchant).await.map_err(Problem::internal)?;
    let version = context.vault.current_dek(merchant).map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "version": version })))
}

/// What a refused change of clients and keys is answered.
pub fn access_problem(error: AccessError) -> Problem {
    let detail = error.to_string();
    match error {
        AccessError::Name => Problem::new(422, "client_name_invalid", detail).param("name"),
        AccessError::ReturnOrigin(_) => {
            Problem::new(422, "return_origin_invalid", detail).param("return_origins")
        }
        AccessError::Endpoint(error) => super::webhook_endpoints::problem(error),
        AccessError::NotFound => Problem::not_found(),
        AccessError::FromKeysFile => Problem::new(409, "client_from_keys_file", detail),
        AccessError::KeyInUse => Problem::new(409, "key_in_use", detail),
        AccessError::KeyText { .. } | AccessError::Vault(_) | AccessError::Database(_) => {
            Problem::internal(detail)
        }
    }
}
