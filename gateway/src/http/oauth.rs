//! OAuth 2.0 for clients: token, revocation, introspection, metadata.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use data_encoding::BASE64;
use kit::http::{Pairs, Problem, ReceivedRequest, form_pairs, no_wire_log, query_pairs};
use serde_json::json;
use wire::gateway_api::AccessToken;

use super::access::{caller, fenced};
use crate::domain::access::{Scope, Scopes};
use crate::operations::access::{
    AccessError, Client, ClientRefusal, TOKEN_LIFETIME, introspect, issue_token, revoke_token,
};
use crate::operations::{Context, fence};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/oauth/token", web::post().to(token))
        .route("/api/oauth/revoke", web::post().to(revoke))
        .route("/api/oauth/introspect", web::post().to(introspection))
        .route("/.well-known/oauth-authorization-server", web::get().to(metadata));
}

/// An error of RFC 6749 section 5.2.
enum OAuthError {
    /// 400 with one of the registered words.
    Refused(&'static str, String),
    /// 401: the client is unknown or its secret is wrong.
    Client,
    /// 429.
    SlowDown(Duration),
    /// 403: the lists of addresses do not let the caller in.
    Fenced(Problem),
    /// 500.
    Internal(AccessError),
}

impl From<Problem> for OAuthError {
    fn from(problem: Problem) -> Self {
        Self::Refused("invalid_request", problem.detail().to_owned())
    }
}

impl From<AccessError> for OAuthError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NotFound => Self::Client,
            other => Self::Internal(other),
        }
    }
}

impl OAuthError {
    fn response(self) -> HttpResponse {
        let (status, error, description) = match &self {
            Self::Fenced(problem) => return problem.error_response(),
            Self::Refused(error, description) => (400, *error, description.as_str()),
            Self::Client => (401, "invalid_client", "client authentication failed"),
            Self::SlowDown(_) => (429, "temporarily_unavailable", "too many calls, wait"),
            Self::Internal(error) => {
                tracing::error!(%error, "an access token could not be handled");
                (500, "server_error", "something failed here")
            }
        };
        let mut response = uncached(StatusCode::from_u16(status).unwrap_or_default());
        match self {
            Self::Client => {
                response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"payrig\""));
            }
            Self::SlowDown(wait) => {
                let seconds = wait.as_secs().saturating_add(1);
                response.insert_header((header::RETRY_AFTER, seconds));
            }
            Self::Refused(..) | Self::Fenced(_) | Self::Internal(_) => {}
        }
        response.json(json!({ "error": error, "error_description": description }))
    }
}

fn uncached(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response.insert_header((header::PRAGMA, HeaderValue::from_static("no-cache")));
    response
}

/// `POST /api/oauth/token` (RFC 6749 section 4.4)
async fn token(context: Data<Context>, received: ReceivedRequest) -> HttpResponse {
    match try_token(&context, &received).await {
        Ok(response) => response,
        Err(error) => error.response(),
    }
}

async fn try_token(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<HttpResponse, OAuthError> {
    let (client, form) = enter(context, received)?;
    let refused = |error, description: &str| OAuthError::Refused(error, description.to_owned());
    match form.get("grant_type") {
        Some("client_credentials") => {}
        None => return Err(refused("invalid_request", "`grant_type` is missing")),
        Some(_) => {
            let description = "the only grant is client_credentials";
            return Err(refused("unsupported_grant_type", description));
        }
    }
    let audience = format!("{}/api", context.settings.public_url.trim_end_matches('/'));
    let asked = form.get("resource").or_else(|| form.get("audience"));
    if asked.is_some_and(|asked| asked.trim_end_matches('/') != audience) {
        return Err(refused("invalid_target", "tokens are for this API only (RFC 8707)"));
    }
    let scopes = match form.get("scope").filter(|scope| !scope.is_empty()) {
        None => client.scopes,
        Some(text) => Scopes::parse(text)
            .ok()
            .filter(|scopes| scopes.is_subset_of(client.scopes))
            .ok_or_else(|| refused("invalid_scope", "not scopes of this client"))?,
    };
    let issued = issue_token(context, client, scopes).await?;
    Ok(uncached(StatusCode::OK).json(AccessToken {
        access_token: issued.token.0,
        token_type: "Bearer".to_owned(),
        expires_in: TOKEN_LIFETIME.as_secs(),
        scope: issued.scopes.to_string(),
    }))
}

/// Lets a client in by HTTP Basic, the only way, and reads its form.
fn enter(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<(Arc<Client>, Pairs), OAuthError> {
    let peer = caller(context, received);
    fence::admit(context, peer).map_err(|refused| OAuthError::Fenced(fenced(refused)))?;
    if !received.query.is_empty() {
        query_pairs(&received.query)?;
        let description = "parameters belong into the body".to_owned();
        return Err(OAuthError::Refused("invalid_request", description));
    }
    let form = form_pairs(received)?;
    if form.get("client_secret").is_some() || form.get("client_assertion").is_some() {
        let description = "authenticate by HTTP Basic".to_owned();
        return Err(OAuthError::Refused("invalid_request", description));
    }
    let (client_id, secret) = basic(received).ok_or(OAuthError::Client)?;
    if form.get("client_id").is_some_and(|named| named != client_id) {
        let description = "`client_id` is another one than in `Authorization`".to_owned();
        return Err(OAuthError::Refused("invalid_request", description));
    }
    let client = context.access.authenticate(&client_id, &secret, peer);
    let client = client.map_err(|refusal| match refusal {
        ClientRefusal::Unknown => OAuthError::Client,
        ClientRefusal::SlowDown(wait) => OAuthError::SlowDown(wait),
    })?;
    Ok((client, form))
}

/// Id and secret, each encoded as in a form before they are joined (RFC 6749 section 2.3.1).
fn basic(received: &ReceivedRequest) -> Option<(String, String)> {
    let (scheme, encoded) = received.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    let pairs = query_pairs(&format!("value={}", text.replace('&', "%26"))).ok()?;
    pairs.get("value").map(str::to_owned)
}

/// `POST /api/oauth/revoke` (RFC 7009)
async fn revoke(context: Data<Context>, received: ReceivedRequest) -> HttpResponse {
    match try_revoke(&context, &received).await {
        Ok(()) => uncached(StatusCode::OK).finish(),
        Err(error) => error.response(),
    }
}

async fn try_revoke(context: &Context, received: &ReceivedRequest) -> Result<(), OAuthError> {
    // The form holds a token in plain sight.
    no_wire_log(received.http());
    let (client, form) = enter(context, received)?;
    Ok(revoke_token(context, &client, form.require("token")?).await?)
}

/// `POST /api/oauth/introspect` (RFC 7662)
async fn introspection(context: Data<Context>, received: ReceivedRequest) -> HttpResponse {
    match try_introspect(&context, &received) {
        Ok(answer) => uncached(StatusCode::OK).json(answer),
        Err(error) => error.response(),
    }
}

fn try_introspect(
    context: &Context,
    received: &ReceivedRequest,
) -> Result<serde_json::Value, OAuthError> {
    no_wire_log(received.http());
    let (client, form) = enter(context, received)?;
    let Some(grant) = introspect(context, &client, form.require("token")?) else {
        return Ok(json!({ "active": false }));
    };
    let public_url = context.settings.public_url.trim_end_matches('/');
    Ok(json!({
        "active": true,
        "scope": grant.scopes.to_string(),
        "client_id": grant.client.client_id,
        "sub": grant.client.merchant,
        "token_type": "Bearer",
        "iat": grant.issued_at.seconds(),
        "exp": grant.expires_at.seconds(),
        "aud": format!("{public_url}/api"),
        "iss": public_url,
    }))
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414)
async fn metadata(context: Data<Context>) -> HttpResponse {
    let issuer = context.settings.public_url.trim_end_matches('/');
    let scopes: Vec<&str> = Scope::ALL.into_iter().map(Scope::as_str).collect();
    let methods = ["client_secret_basic"];
    HttpResponse::Ok().json(json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/api/oauth/token"),
        "revocation_endpoint": format!("{issuer}/api/oauth/revoke"),
        "introspection_endpoint": format!("{issuer}/api/oauth/introspect"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "scopes_supported": scopes,
        "service_documentation": format!("{issuer}/api/docs"),
    }))
}
