//! Telling the merchant: one event for each change, in the transaction of the change.

use kit::facts::TraceId;
use rusqlite::Connection;
use wire::events::{Event, EventData, EventType};
use wire::gateway_api::{PaymentStatus, RefundView};
use wire::ids::{EventId, RefundId};
use wire::settlement::DisputeView;
use wire::time::Timestamp;

use super::failure::Failure;
use super::{Context, stored_cards, view};
use crate::domain::payment::{Announcement, Effect, Payment};
use crate::store::webhooks;

/// What an event is written with.
#[derive(Clone, Copy)]
pub(super) struct Occasion {
    /// The operation that causes it.
    pub trace: TraceId,
    /// When it happens.
    pub at: Timestamp,
}

const fn event_type(announcement: Announcement) -> EventType {
    match announcement {
        Announcement::Created => EventType::PaymentCreated,
        Announcement::RequiresAction => EventType::PaymentRequiresAction,
        Announcement::Processing => EventType::PaymentProcessing,
        Announcement::Authorized => EventType::PaymentAuthorized,
        Announcement::Captured => EventType::PaymentCaptured,
        Announcement::PartiallyCaptured => EventType::PaymentPartiallyCaptured,
        Announcement::Verified => EventType::PaymentVerified,
        Announcement::AttemptFailed => EventType::PaymentAttemptFailed,
        Announcement::Failed => EventType::PaymentFailed,
        Announcement::Canceled => EventType::PaymentCanceled,
        Announcement::Expired => EventType::PaymentExpired,
        Announcement::CaptureFailed => EventType::PaymentCaptureFailed,
        Announcement::RefundCreated(_) => EventType::RefundCreated,
        Announcement::RefundSucceeded(_) => EventType::RefundSucceeded,
        Announcement::RefundFailed(_) => EventType::RefundFailed,
    }
}

const fn refund_of(announcement: Announcement) -> Option<RefundId> {
    match announcement {
        Announcement::RefundCreated(id)
        | Announcement::RefundSucceeded(id)
        | Announcement::RefundFailed(id) => Some(id),
        Announcement::Created
        | Announcement::Processing
        | Announcement::RequiresAction
        | Announcement::Authorized
        | Announcement::Captured
        | Announcement::PartiallyCaptured
        | Announcement::Verified
        | Announcement::AttemptFailed
        | Announcement::Failed
        | Announcement::Canceled
        | Announcement::Expired
        | Announcement::CaptureFailed => None,
    }
}

/// Writes the events of `effects`, logs what operations must know, and gives back the row of the
/// last event.
pub(super) fn effects(
    context: &Context,
    connection: &Connection,
    payment: &mut Payment,
    previous: Option<PaymentStatus>,
    effects: &[Effect],
    occasion: Occasion,
) -> Result<Option<i64>, Failure> {
    let mut last = None;
    for effect in effects {
        match effect {
            Effect::Announce(announcement) => {
                let row = event(context, connection, payment, previous, *announcement, occasion)?;
                last = Some(row);
            }
            Effect::SaveCard(id) => {
                if let Some(attempt) = payment.attempts.iter().find(|it| it.id == *id) {
                    stored_cards::save(context, connection, payment, attempt, occasion.at)?;
                }
            }
            Effect::LateApproval(attempt) => {
                tracing::warn!(
                    payment.id = %payment.id,
                    attempt.id = %attempt,
                    "an approval came after its reversal was queued: late_response"
                );
            }
            Effect::AmountAlarm(attempt) => {
                tracing::error!(
                    payment.id = %payment.id,
                    attempt.id = %attempt,
                    "the issuer approved another amount than was asked"
                );
            }
            Effect::Tampered(authentication) => {
                tracing::error!(
                    payment.id = %payment.id,
                    authentication.id = %authentication,
                    "a browser brought another result of an authentication than its bank: tampering"
                );
            }
            Effect::AlreadyCleared(reversal) => {
                tracing::error!(
                    payment.id = %payment.id,
                    reversal.id = %reversal,
                    "a reversal came after the money had left for clearing: a person has to look"
                );
            }
            Effect::ReversalParked(reversal) => {
                tracing::error!(
                    payment.id = %payment.id,
                    reversal.id = %reversal,
                    "a reversal was given up: a person has to look"
                );
            }
        }
    }
    Ok(last)
}

fn event(
    context: &Context,
    connection: &Connection,
    payment: &mut Payment,
    previous: Option<PaymentStatus>,
    announcement: Announcement,
    occasion: Occasion,
) -> Result<i64, Failure> {
    let data = EventData {
        payment: view::payment(payment),
        refund: refund_of(announcement).and_then(|id| refund_view(payment, id)),
        dispute: None,
    };
    write(context, connection, payment, previous, (event_type(announcement), data), occasion)
}

/// Writes an event about a dispute of a payment.
pub(super) fn dispute(
    context: &Context,
    connection: &Connection,
    payment: &mut Payment,
    (event_type, view): (EventType, DisputeView),
    occasion: Occasion,
) -> Result<i64, Failure> {
    let status = view::status(payment.state);
    let data = EventData { payment: view::payment(payment), refund: None, dispute: Some(view) };
    write(context, connection, payment, Some(status), (event_type, data), occasion)
}

fn write(
    context: &Context,
    connection: &Connection,
    payment: &mut Payment,
    previous: Option<PaymentStatus>,
    (event_type, data): (EventType, EventData),
    occasion: Occasion,
) -> Result<i64, Failure> {
    payment.sequence = payment.sequence.saturating_add(1);
    let event = Event {
        id: context.plumbing.ids.with(EventId::new),
        event_type,
        created_at: occasion.at,
        sequence: payment.sequence,
        previous_status: previous,
        merchant_id: payment.merchant,
        livemode: false,
        data,
    };
    context.metrics.count(event_type);
    let body = serde_json::to_vec(&event)?;
    webhooks::enqueue(
        connection,
        &webhooks::NewEvent {
            id: event.id,
            merchant: payment.merchant,
            payment: payment.id,
            order_reference: &payment.order_reference,
            trace: occasion.trace,
            event_type: event_type.as_str(),
            sequence: payment.sequence,
            created_at: occasion.at,
            body: &body,
        },
    )?;
    Ok(connection.last_insert_rowid())
}

fn refund_view(payment: &Payment, id: RefundId) -> Option<RefundView> {
    payment.refunds.iter().find(|it| it.id == id).map(|it| view::refund(payment, it))
}
