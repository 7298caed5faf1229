//! Authorizing again what ran out before it was captured: the same card, without its holder.

use rusqlite::Connection;
use wire::ids::PaymentId;
use wire::time::Timestamp;

use super::failure::Failure;
use crate::domain::payment::{Payment, State};
use crate::domain::terms::Previous;
use crate::store::payments;
use crate::store::vault::{OpenedCard, Opening, Purpose, open_card};
use crate::vault::Vault;

fn find(
    connection: &Connection,
    payment: &Payment,
    previous: &PaymentId,
) -> Result<Payment, Failure> {
    let found = payments::load(connection, &payment.merchant, previous)?;
    let found = found.ok_or(Failure::PreviousNotFound)?.payment;
    let fits = found.state == State::Expired && found.currency == payment.currency;
    if fits { Ok(found) } else { Err(Failure::PreviousNotExpired) }
}

/// Completes what a new payment says about the one that it makes again.
pub(super) fn link(connection: &Connection, payment: &mut Payment) -> Result<(), Failure> {
    let Some(previous) = payment.terms.previous.as_ref().map(|it| it.payment) else {
        return Ok(());
    };
    let found = find(connection, payment, &previous)?;
    let network_transaction_id = found.network_transaction_id;
    payment.terms.previous = Some(Previous { payment: previous, network_transaction_id });
    Ok(())
}

/// The card of the payment that is made again, opened with an audit row.
pub(super) fn card(
    connection: &Connection,
    vault: &Vault,
    payment: &Payment,
    previous: PaymentId,
    now: Timestamp,
) -> Result<OpenedCard, Failure> {
    let found = find(connection, payment, &previous)?;
    let attempt = found.authorizations().next().ok_or(Failure::PreviousNotExpired)?;
    let opening = Opening {
        token: attempt.card.token,
        merchant: payment.merchant,
        purpose: Purpose::Authorization,
        payment: Some(payment.id),
        now,
    };
    Ok(open_card(connection, vault, &opening)?)
}
