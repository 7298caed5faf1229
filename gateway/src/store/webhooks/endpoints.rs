//! Webhook endpoints as rows.

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use wire::ids::{EndpointId, MerchantId};
use wire::time::Timestamp;

use crate::domain::webhooks::{DisabledReason, Health, Subscription};
use crate::vault::{SecretPlace, Vault, VaultError};

/// Name of the table, as sealed secrets are bound to it.
pub const SECRET_TABLE: &str = "webhook_endpoints";

/// An endpoint as it is stored.
#[derive(Clone, Debug)]
pub struct EndpointRow {
    /// Its row.
    pub row: i64,
    /// Its id.
    pub id: EndpointId,
    /// Whose events it gets.
    pub merchant: MerchantId,
    /// Where they go.
    pub url: String,
    /// For people.
    pub description: Option<String>,
    /// Which events it gets.
    pub subscription: Subscription,
    /// The signing secret, sealed by the vault.
    pub secret: Vec<u8>,
    /// The secret before, and until when it signs too.
    pub previous_secret: Option<(Vec<u8>, Timestamp)>,
    /// Whether it takes events.
    pub health: Health,
    /// Every event up to this row was handed over to attempts and retries.
    pub delivered_to: i64,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An endpoint that is to be created.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose events it gets.
    pub merchant: MerchantId,
    /// Where they go.
    pub url: String,
    /// For people.
    pub description: Option<String>,
    /// Which events it gets.
    pub subscription: Subscription,
    /// The signing secret, sealed by the vault.
    pub secret: Vec<u8>,
    /// When it is created.
    pub created_at: Timestamp,
}

/// What may change about an endpoint; absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct EndpointChange {
    /// Where events go.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Which events it gets.
    pub subscription: Option<Subscription>,
    /// Whether it takes events.
    pub health: Option<Health>,
}

const COLUMNS: &str = "id, public_id, merchant, url, description, event_types, secret, \
    previous_secret, previous_until, disabled_reason, failing_since, delivered_to, created_at";

fn read(row: &Row<'_>) -> Result<EndpointRow, rusqlite::Error> {
    let types: String = row.get(5)?;
    let previous: Option<Vec<u8>> = row.get(7)?;
    let disabled: Option<String> = row.get(9)?;
    let health = match disabled {
        None => Health::Enabled { failing_since: optional_timestamp(row, 10)? },
        // The table holds no other word.
        Some(word) => {
            Health::Disabled(DisabledReason::parse(&word).unwrap_or(DisabledReason::ByOwner))
        }
    };
    Ok(EndpointRow {
        row: row.get(0)?,
        id: EndpointId::from_bytes(bytes16(row, 1)?),
        merchant: MerchantId::from_bytes(bytes16(row, 2)?),
        url: row.get(3)?,
        description: row.get(4)?,
        subscription: Subscription::new(types.split(' ').map(str::to_owned).collect()),
        secret: row.get(6)?,
        previous_secret: previous.zip(optional_timestamp(row, 8)?),
        health,
        delivered_to: row.get(11)?,
        created_at: timestamp(row, 12)?,
    })
}

/// Every endpoint that was not removed, oldest first; of one merchant or of all.
pub fn endpoints(
    connection: &Connection,
    merchant: Option<MerchantId>,
) -> Result<Vec<EndpointRow>, DatabaseError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhook_endpoints \
         WHERE removed_at IS NULL AND (?1 IS NULL OR merchant = ?1) ORDER BY id"
    ))?;
    let rows = statement.query_map([merchant.as_ref().map(MerchantId::bytes)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One endpoint of a merchant.
pub fn endpoint(
    connection: &Connection,
    merchant: MerchantId,
    id: EndpointId,
) -> Result<Option<EndpointRow>, DatabaseError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhook_endpoints \
         WHERE public_id = ?1 AND merchant = ?2 AND removed_at IS NULL"
    ))?;
    Ok(statement.query_row(params![id.bytes(), merchant.bytes()], read).optional()?)
}

/// Creates an endpoint; it gets the events that happen from now on.
pub fn insert_endpoint(connection: &Connection, new: &NewEndpoint) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO webhook_endpoints (public_id, merchant, url, description, event_types, \
         secret, delivered_to, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT coalesce(max(id), 0) FROM events), ?7)",
    )?;
    statement.execute(params![
        new.id.bytes(),
        new.merchant.bytes(),
        new.url,
        new.description,
        new.subscription.types().join(" "),
        new.secret,
        new.created_at.millis(),
    ])?;
    Ok(())
}

const fn health_columns(health: Health) -> (Option<&'static str>, Option<i64>) {
    match health {
        Health::Enabled { failing_since: Some(since) } => (None, Some(since.millis())),
        Health::Enabled { failing_since: None } => (None, None),
        Health::Disabled(reason) => (Some(reason.as_str()), None),
    }
}

/// Changes an endpoint.
pub fn update_endpoint(
    connection: &Connection,
    row: i64,
    change: &EndpointChange,
) -> Result<(), DatabaseError> {
    let types = change.subscription.as_ref().map(|it| it.types().join(" "));
    connection
        .prepare_cached(
            "UPDATE webhook_endpoints SET url = coalesce(?2, url), \
             description = coalesce(?3, description), event_types = coalesce(?4, event_types) \
             WHERE id = ?1",
        )?
        .execute(params![row, change.url, change.description, types])?;
    match change.health {
        Some(health) => set_health(connection, row, health),
        None => Ok(()),
    }
}

pub(super) fn set_health(
    connection: &Connection,
    row: i64,
    health: Health,
) -> Result<(), DatabaseError> {
    let (reason, since) = health_columns(health);
    connection
        .prepare_cached(
            "UPDATE webhook_endpoints SET disabled_reason = ?2, failing_since = ?3 WHERE id = ?1",
        )?
        .execute(params![row, reason, since])?;
    Ok(())
}

/// Removes an endpoint; nothing is sent to it any more.
pub fn remove_endpoint(
    connection: &Connection,
    row: i64,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "UPDATE webhook_endpoints SET removed_at = ?2, secret = x'', previous_secret = NULL, \
             previous_until = NULL WHERE id = ?1",
        )?
        .execute(params![row, now.millis()])?;
    connection.prepare_cached("DELETE FROM webhook_retries WHERE endpoint = ?1")?.execute([row])?;
    Ok(())
}

/// Gives an endpoint a new secret; the old one signs too until `overlap_ends`.
pub fn replace_secret(
    connection: &Connection,
    row: i64,
    secret: &[u8],
    previous: &[u8],
    overlap_ends: Timestamp,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "UPDATE webhook_endpoints SET secret = ?2, previous_secret = ?3, previous_until = ?4 \
             WHERE id = ?1",
        )?
        .execute(params![row, secret, previous, overlap_ends.millis()])?;
    Ok(())
}

/// Where the present secret of an endpoint is sealed for, as the row part of its place.
pub fn secret_row(id: EndpointId) -> String {
    id.to_string()
}

/// Seals every secret under the present key-encryption key; returns how many were changed.
pub fn reseal_secrets<E>(connection: &Connection, vault: &Vault) -> Result<usize, E>
where
    E: From<DatabaseError> + From<VaultError>,
{
    let mut changed = 0_usize;
    for endpoint in endpoints(connection, None)? {
        let row = secret_row(endpoint.id);
        let place = SecretPlace { table: SECRET_TABLE, row: &row };
        let secret = vault.reseal_secret(place, &endpoint.secret)?;
        let previous = match &endpoint.previous_secret {
            Some((previous, _)) => vault.reseal_secret(place, previous)?,
            None => None,
        };
        if secret.is_none() && previous.is_none() {
            continue;
        }
        changed = changed.saturating_add(1);
        connection
            .prepare_cached(
                "UPDATE webhook_endpoints SET secret = coalesce(?2, secret), \
                 previous_secret = coalesce(?3, previous_secret) WHERE id = ?1",
            )
            .and_then(|mut statement| statement.execute(params![endpoint.row, secret, previous]))
            .map_err(DatabaseError::from)?;
    }
    Ok(changed)
}
