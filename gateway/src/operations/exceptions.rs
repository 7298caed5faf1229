//! What a person has to look at, and trying it again.

use kit::facts::TraceId;
use serde::Serialize;
use wire::codes::ResponseCode;
use wire::ids::{PaymentId, ReversalId};
use wire::money::Money;
use wire::time::Timestamp;

use super::Context;
use super::failure::Failure;
use super::unit_of_work::{self, Change};
use crate::domain::payment::{Event, Payment};
use crate::domain::reversal::{Reversal, ReversalEvent, ReversalState};
use crate::store::{payments, reversals};

/// Payments with exceptions that are listed.
const LISTED_MAX: u32 = 100;

/// A reversal that a person has to look at.
#[derive(Debug, Serialize)]
pub struct Exception {
    /// `reversal_parked`: given up, it may be tried again. `already_cleared`: acknowledged after
    /// the money had left for clearing.
    pub kind: &'static str,
    /// The payment.
    pub payment: PaymentId,
    /// The merchant's reference.
    pub order_reference: String,
    /// The reversal.
    pub reversal: ReversalId,
    /// Field 25.
    pub reason_code: &'static str,
    /// What should have been given back.
    pub amount: Money,
    /// How often it was sent.
    pub tries: u32,
    /// When it was first due.
    pub since: Timestamp,
}

/// Every exception, oldest payment first.
pub async fn list(context: &Context) -> Result<Vec<Exception>, Failure> {
    context
        .database
        .read(|connection| -> Result<_, Failure> {
            let mut found = Vec::new();
            for row in reversals::exceptions(connection, LISTED_MAX)? {
                let Some(stored) = payments::load_row(connection, row)? else { continue };
                let payment = &stored.payment;
                found.extend(payment.reversals.iter().filter_map(|it| exception(payment, it)));
            }
            Ok(found)
        })
        .await
}

fn exception(payment: &Payment, reversal: &Reversal) -> Option<Exception> {
    let cleared = reversal.response_code == Some(ResponseCode::ALREADY_CLEARED);
    let kind = match reversal.state {
        ReversalState::Parked => "reversal_parked",
        ReversalState::Acknowledged if cleared => "already_cleared",
        ReversalState::Queued | ReversalState::Retry | ReversalState::Acknowledged => return None,
    };
    let given_back = reversal.amount.checked_sub(reversal.remains).unwrap_or_default();
    Some(Exception {
        kind,
        payment: payment.id,
        order_reference: payment.order_reference.clone(),
        reversal: reversal.id,
        reason_code: reversal.reason.as_str(),
        amount: Money::new(given_back, payment.currency),
        tries: reversal.tries,
        since: reversal.transmission_at,
    })
}

/// Tries a parked reversal again; false when there is no such reversal, or it is not parked.
pub async fn requeue(context: &Context, id: ReversalId) -> Result<bool, Failure> {
    let row =
        context.database.read(move |connection| reversals::payment_of(connection, &id)).await?;
    let Some(row) = row else { return Ok(false) };
    let at = context.plumbing.clock.now();
    let event = Event::Reversal {
        id,
        event: ReversalEvent::Requeued(at),
        age_max: context.settings.timers.reversal_age_max,
        jitter_permille: context.jitter_permille(id, at),
    };
    let trace = TraceId::new(&context.jitter);
    let take_in = move |change: &mut Change<'_>| change.take_in(event);
    Ok(unit_of_work::in_background(context, row, trace, take_in).await?.is_some())
}
