//! What people do at the dashboard: sign in, look, move money, and the log of it.

use std::cmp::Reverse;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use kit::sqlite::DatabaseError;
use sha2::{Digest, Sha256};
use wire::ids::{EventId, MerchantId, PaymentId};
use wire::time::Timestamp;

use super::Context;
use crate::domain::operator::{Role, Task};
use crate::settings::OperatorKeys;
use crate::store::checklist::{self, Seen};
use crate::store::dashboard::{self as rows, ActionRow};
use crate::store::webhooks::views::{self, DeliveryRow, EventFilter, EventWithBody};
use crate::store::{access, hosted_page};

/// Longest life of a session.
const SESSION_LIFE: Duration = Duration::from_hours(12);
/// Failed sign-ins are counted over this time.
const FAILURES_WINDOW: Duration = Duration::from_mins(15);
/// So many failed sign-ins, then the account and the address have to wait.
const FAILURES_MAX: u32 = 5;
/// Longest name and password that are looked at.
const ENTERED_BYTES_MAX: usize = 256;
/// Actions shown.
const ACTIONS_SHOWN: u32 = 50;

/// A person who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Name to sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Why somebody could not sign in.
#[derive(Debug, thiserror::Error)]
pub enum SignInFailure {
    /// Wrong name or password; which of them stays untold.
    #[error("name or password is wrong")]
    Wrong,
    /// Too many tries.
    #[error("too many tries: wait {} minutes", .0.as_secs().div_ceil(60))]
    TooMany(Duration),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Signs in; the answer is the session's token, for the cookie.
pub async fn sign_in(
    context: &Context,
    name: &str,
    password: &str,
    peer: &str,
) -> Result<String, SignInFailure> {
    let subjects = [format!("account {name}"), format!("address {peer}")];
    count_try(context, subjects.clone()).await?;
    let operators = &context.settings.keys.operators;
    let known = operators.iter().find(|it| it.name == name && it.role.parse::<Role>().is_ok());
    // An unknown name costs the same time as a wrong password.
    let hash = known.or(operators.first()).map(|it| it.password_hash.expose().to_owned());
    let short = name.len() <= ENTERED_BYTES_MAX && password.len() <= ENTERED_BYTES_MAX;
    let matches = short && password_matches(hash.unwrap_or_default(), password.to_owned()).await;
    let Some(operator) = known.filter(|_| matches) else {
        tracing::warn!(operator.name = name, "sign-in failed");
        return Err(SignInFailure::Wrong);
    };
    Ok(open_session(context, operator.name.clone(), subjects).await?)
}

async fn password_matches(hash: String, password: String) -> bool {
    let verify =
        move || Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok();
    tokio::task::spawn_blocking(verify).await.unwrap_or(false)
}

/// Counts this try as failed until it has worked, so that tries at the same time count too.
async fn count_try(context: &Context, subjects: [String; 2]) -> Result<(), SignInFailure> {
    let now = context.plumbing.clock.now();
    let since = now.minus(FAILURES_WINDOW);
    context
        .database
        .write(move |connection| {
            for subject in &subjects {
                let (failures, oldest) = rows::login_failures(connection, subject, since)?;
                if failures >= FAILURES_MAX {
                    let free = oldest.unwrap_or(now).plus(FAILURES_WINDOW);
                    return Err(SignInFailure::TooMany(free.since(now)));
                }
            }
            for subject in &subjects {
                rows::note_login_failure(connection, subject, now, since)?;
            }
            Ok(())
        })
        .await
}

impl From<rusqlite::Error> for SignInFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

async fn open_session(
    context: &Context,
    operator: String,
    subjects: [String; 2],
) -> Result<String, DatabaseError> {
    let token = context.plumbing.secrets.token("prs_", 43);
    let hash = token_hash(&token);
    let now = context.plumbing.clock.now();
    let action = ActionRow {
        at: now,
        operator: operator.clone(),
        action: "sign_in".to_owned(),
        subject: "dashboard".to_owned(),
        detail: String::new(),
    };
    context
        .database
        .write(move |connection| {
            for subject in &subjects {
                rows::forget_login_failures(connection, subject)?;
            }
            rows::append_action(connection, &action)?;
            rows::open_session(connection, &hash, &operator, now, now.plus(SESSION_LIFE))?;
            Ok::<_, DatabaseError>(())
        })
        .await?;
    Ok(token)
}

fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The person of a session's token; none when it ended or the person was removed.
pub async fn operator(context: &Context, token: &str) -> Result<Option<Operator>, DatabaseError> {
    let (hash, now) = (token_hash(token), context.plumbing.clock.now());
    let name = context
        .database
        .read(move |connection| Ok::<_, DatabaseError>(rows::session(connection, &hash, now)?))
        .await?;
    let find = |name: String| {
        let keys: &OperatorKeys =
            context.settings.keys.operators.iter().find(|it| it.name == name)?;
        Some(Operator { role: keys.role.parse().ok()?, name })
    };
    Ok(name.and_then(find))
}

/// Ends a session.
pub async fn sign_out(context: &Context, token: &str) -> Result<(), DatabaseError> {
    let hash = token_hash(token);
    context.database.write(move |connection| Ok(rows::close_session(connection, &hash)?)).await
}

/// What an operator is about to do, noted before it is done.
#[derive(Clone, Debug)]
pub struct Deed {
    /// Who.
    pub operator: Operator,
    /// What.
    pub task: Task,
    /// To what.
    pub subject: String,
    /// With which words or amounts.
    pub detail: String,
    /// Key of the form, which is good for one press.
    pub form_key: String,
}

/// Why a deed was not begun.
#[derive(Debug, thiserror::Error)]
pub enum DeedFailure {
    /// The role does not allow it.
    #[error("the role {} may not do this", .0.as_str())]
    Forbidden(Role),
    /// The form was sent before.
    #[error("this form was sent already")]
    SentAlready,
    /// The database refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for DeedFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Checks the role, uses up the form and writes the log, in one transaction.
pub async fn begin(context: &Context, deed: Deed) -> Result<(), DeedFailure> {
    if !deed.operator.role.may(deed.task) {
        return Err(DeedFailure::Forbidden(deed.operator.role));
    }
    let at = context.plumbing.clock.now();
    // Forms of the dashboard share the table of the payment page under the id of nobody.
    let nobody = PaymentId::from_bytes([0; 16]);
    context
        .database
        .write(move |connection| {
            if !hosted_page::use_form(connection, nobody, &deed.form_key, at)? {
                return Err(DeedFailure::SentAlready);
            }
            let action = ActionRow {
                at,
                operator: deed.operator.name,
                action: deed.task.as_str().to_owned(),
                subject: deed.subject,
                detail: deed.detail,
            };
            Ok(rows::append_action(connection, &action)?)
        })
        .await
}

/// An event with where it went.
pub struct EventDetail {
    /// The event and its bytes.
    pub event: EventWithBody,
    /// Its deliveries.
    pub deliveries: Vec<DeliveryRow>,
}

/// Events of the merchant, newest first, each with its deliveries, and whether there are more.
pub async fn events(
    context: &Context,
    filter: EventFilter,
    limit: usize,
) -> Result<(Vec<EventDetail>, bool), DatabaseError> {
    let merchant = merchant(context);
    context
        .database
        .read(move |connection| {
            let (found, more) = views::events(connection, merchant, &filter, limit)?;
            let detailed = found.into_iter().map(|event| {
                let deliveries = views::deliveries(connection, merchant, &event.event)?;
                Ok(EventDetail { event, deliveries })
            });
            Ok((detailed.collect::<Result<_, DatabaseError>>()?, more))
        })
        .await
}

/// One event with its deliveries.
pub async fn event(context: &Context, id: EventId) -> Result<Option<EventDetail>, DatabaseError> {
    let merchant = merchant(context);
    context
        .database
        .read(move |connection| {
            let Some(event) = views::event(connection, merchant, id)? else { return Ok(None) };
            let deliveries = views::deliveries(connection, merchant, &event.event)?;
            Ok(Some(EventDetail { event, deliveries }))
        })
        .await
}

/// An API client and its signing keys.
pub struct Client {
    /// The client.
    pub client: access::ClientRow,
    /// Its signing keys that are accepted: id, and the end of one that was replaced.
    pub keys: Vec<(String, Option<Timestamp>)>,
}

/// API clients, and the log of actions with whether it is whole.
pub struct Registrations {
    /// API clients of the merchant.
    pub clients: Vec<Client>,
    /// The latest actions, newest first.
    pub actions: Vec<ActionRow>,
    /// Whether every action is chained to the one before it.
    pub chain_unbroken: bool,
}

/// Clients and actions.
pub async fn registrations(context: &Context) -> Result<Registrations, DatabaseError> {
    let (merchant, now) = (merchant(context), context.plumbing.clock.now());
    context
        .database
        .read(move |connection| {
            let keys = access::client_keys(connection)?;
            let clients = access::clients(connection)?;
            let with_keys = |client: access::ClientRow| {
                let own = keys.iter().filter(|key| key.client_id == client.client_id);
                let accepted = own.filter(|key| key.retires_at.is_none_or(|end| end > now));
                let mut keys: Vec<_> =
                    accepted.map(|key| (key.key_id.clone(), key.retires_at)).collect();
                // The key in use first, then those that end last.
                keys.sort_by_key(|(_, end)| Reverse(end.unwrap_or(Timestamp::MAX)));
                Client { client, keys }
            };
            let own = clients.into_iter().filter(|client| client.merchant == merchant);
            Ok(Registrations {
                clients: own.map(with_keys).collect(),
                actions: rows::recent_actions(connection, ACTIONS_SHOWN)?,
                chain_unbroken: rows::actions_are_unbroken(connection)?,
            })
        })
        .await
}

/// What has happened in the account so far.
pub async fn seen_so_far(context: &Context) -> Result<Seen, DatabaseError> {
    let merchant = merchant(context);
    context.database.read(move |connection| checklist::seen(connection, &merchant)).await
}

/// The merchant whose dashboard this is.
pub fn merchant(context: &Context) -> MerchantId {
    context.settings.keys.merchant.id
}
