//! Events, the endpoints they go to, and what became of each delivery.

mod endpoints;
mod queue;
pub mod views;

use kit::facts::TraceId;
use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};
use wire::ids::{EventId, MerchantId, PaymentId};
use wire::time::Timestamp;

pub use endpoints::{
    EndpointChange, EndpointRow, NewEndpoint, SECRET_TABLE, endpoint, endpoints, insert_endpoint,
    remove_endpoint, replace_secret, reseal_secrets, secret_row, update_endpoint,
};
pub use queue::{
    AttemptRow, AttemptsOfEndpoint, Lookup, QueuedEvent, Work, next_work, prune, record_attempts,
    resend, resend_failed,
};
pub use views::{
    DeliveryRow, EventFilter, EventRow, EventWithBody, PastAttempt, deliveries, event, events,
    events_of_payment,
};

/// An event that happens now.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'e> {
    /// Its id; the same on every delivery.
    pub id: EventId,
    /// Whose payment.
    pub merchant: MerchantId,
    /// Which payment.
    pub payment: PaymentId,
    /// The merchant's reference.
    pub order_reference: &'e str,
    /// The operation that caused it.
    pub trace: TraceId,
    /// For example `payment.captured`.
    pub event_type: &'e str,
    /// Rises by one per payment.
    pub sequence: u64,
    /// When it happened.
    pub created_at: Timestamp,
    /// The bytes that are sent and signed.
    pub body: &'e [u8],
}

/// Writes an event and returns its row; part of the transaction of the state change that it tells
/// of. Wake the notifier after the commit.
pub fn enqueue(connection: &Connection, event: &NewEvent<'_>) -> Result<i64, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO events (public_id, merchant, payment, order_reference, trace, type, sequence, \
         created_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        event.id.bytes(),
        event.merchant.bytes(),
        event.payment.bytes(),
        event.order_reference,
        event.trace.bytes(),
        event.event_type,
        i64::try_from(event.sequence).unwrap_or(i64::MAX),
        event.created_at.millis(),
        event.body,
    ])?;
    Ok(connection.last_insert_rowid())
}

#[cfg(test)]
mod tests;
