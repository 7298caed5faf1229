//! Logging in to the back office: slow to guess, the same time for every name.

use std::net::IpAddr;
use std::time::Duration;

use argon2::{Argon2, PasswordHash, PasswordVerifier};

use crate::domain::operator::Actor;
use crate::keys::sha256;
use crate::store::StoreError;
use crate::store::audit::Entry;

use super::Context;

/// Failed logins of one account or from one address before both have to wait.
const FAILURES_MAX: u32 = 5;
/// How long failures count.
const FAILURES_COUNT: Duration = Duration::from_mins(15);
/// Longest password that is looked at.
const PASSWORD_BYTES_MAX: usize = 256;
/// Bytes of a session's token.
const TOKEN_BYTES: usize = 32;

/// What became of a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Login {
    /// In: the value of the new session's cookie.
    Welcome(String),
    /// Name or password are wrong.
    Wrong,
    /// Too many failures: wait.
    Wait(Duration),
}

/// Tries a name and a password.
pub async fn sign_in(
    context: &Context,
    name: &str,
    password: String,
    peer: IpAddr,
) -> Result<Login, StoreError> {
    let now = context.clock.now();
    let name: String = name.chars().take(64).collect();
    let subjects = || [format!("account {name}"), format!("address {peer}")];
    let since = now.minus(FAILURES_COUNT);
    if context.store.login_failures(subjects(), since).await? >= FAILURES_MAX {
        return Ok(Login::Wait(FAILURES_COUNT));
    }
    let known = context.keys.operator(&name).cloned();
    let checked = known.as_ref().or_else(|| context.keys.any_operator());
    let hash = checked.map(|operator| operator.password_hash.clone());
    let fits = password_fits(hash.unwrap_or_default(), password).await;
    let Some(operator) = known.filter(|_| fits) else {
        context.store.record_login_failure(subjects(), now, since).await?;
        tracing::warn!(operator = name, %peer, "login refused");
        return Ok(Login::Wrong);
    };
    let token = context.secrets.token("", TOKEN_BYTES);
    let ends_at = now.plus(context.rules.session_lives);
    let owner = operator.name.clone();
    context.store.begin_session(sha256(token.as_bytes()), owner, now, ends_at).await?;
    record(context, &operator.name, "login").await?;
    Ok(Login::Welcome(token))
}

/// Whose session this is.
pub async fn session(context: &Context, token: &str) -> Result<Option<Actor>, StoreError> {
    let found = context.store.session(sha256(token.as_bytes()), context.clock.now()).await?;
    let operator = found.and_then(|name| context.keys.operator(&name).cloned());
    Ok(operator.map(|operator| Actor { name: operator.name, role: operator.role }))
}

/// Ends a session.
pub async fn sign_out(context: &Context, token: &str, actor: &Actor) -> Result<(), StoreError> {
    context.store.end_session(sha256(token.as_bytes())).await?;
    record(context, &actor.name, "logout").await
}

async fn record(context: &Context, name: &str, action: &'static str) -> Result<(), StoreError> {
    let entry =
        Entry { actor: name.to_owned(), action, subject: name.to_owned(), detail: String::new() };
    context.store.record_action(entry, context.clock.now()).await
}

/// Hashing takes milliseconds on purpose: on a thread of its own, so that nobody else waits.
async fn password_fits(hash: String, password: String) -> bool {
    let work = move || {
        let Ok(parsed) = PasswordHash::new(&hash) else { return false };
        password.len() <= PASSWORD_BYTES_MAX
            && Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(false)
}
