//! Orders to rows, and what follows from a decision.

use rusqlite::{Connection, named_params};
use wire::codes::Family;
use wire::ids::MerchantId;
use wire::time::Timestamp;

use super::super::{StoreError, audit};
use super::{Outcome, Stored};
use crate::domain::order::{Attention, Effect, Order, State, Unpaid};
use crate::domain::payment::Payment;
use crate::domain::refund::{Refund, State as RefundState};

/// Saves what a decision changed, and what follows from it, in the caller's transaction.
pub fn save<T>(
    connection: &Connection,
    merchant: MerchantId,
    before: &Order,
    stored: &Stored,
    outcome: Outcome<T>,
    now: Timestamp,
) -> Result<T, StoreError> {
    let (row, after) = (stored.row, &stored.order);
    if before.state != after.state || before.attention != after.attention {
        save_state(connection, row, after)?;
    }
    for payment in &after.payments {
        if before.payment(payment.number) != Some(payment) {
            save_payment(connection, row, payment)?;
        }
    }
    for refund in &after.refunds {
        if !before.refunds.contains(refund) {
            save_refund(connection, row, refund)?;
        }
    }
    for effect in &outcome.effects {
        follow(connection, merchant, row, effect, now)?;
    }
    for (source, text) in &outcome.history {
        note(connection, row, now, source, text)?;
    }
    if let Some(entry) = &outcome.audit {
        audit::append(connection, entry, now)?;
    }
    Ok(outcome.value)
}

fn save_state(connection: &Connection, row: i64, order: &Order) -> Result<(), StoreError> {
    let (declined, paid) = match &order.state {
        State::Unpaid(Unpaid::Declined { family }) => (Some(family.as_str()), None),
        State::Unpaid(Unpaid::Awaiting | Unpaid::Checking) | State::Canceled => (None, None),
        State::Fulfilled { payment, captured, refunded } => {
            (None, Some((*payment.bytes(), captured.get(), refunded.get())))
        }
    };
    let sql = "UPDATE orders SET status = :status, declined = :declined, paid_by = :paid_by,
                 captured = :captured, refunded = :refunded, attention = :attention
               WHERE id = :row";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":status": order.status().as_str(),
        ":declined": declined,
        ":paid_by": paid.map(|(by, _, _)| by),
        ":captured": paid.map_or(0, |(_, captured, _)| captured),
        ":refunded": paid.map_or(0, |(_, _, refunded)| refunded),
        ":attention": order.attention.map(Attention::as_str),
        ":row": row,
    })?;
    Ok(())
}

fn save_payment(connection: &Connection, order: i64, it: &Payment) -> Result<(), StoreError> {
    let sql = r#"INSERT INTO payments ("order", number, public_id, idempotency_key, request, status,
          outcome_unknown, attempts, declined, decline_code, captured, refunded, card_brand,
          card_last4, approval_code, sequence, ahead, read_due_at, created_at, needs_action)
        VALUES (:order, :number, :id, :key, :request, :status, :unknown, :attempts, :declined,
          :code, :captured, :refunded, :brand, :last4, :approval, :sequence, :ahead, :due, :at,
          :action)
        ON CONFLICT ("order", number) DO UPDATE SET public_id = :id, status = :status,
          outcome_unknown = :unknown, attempts = :attempts, declined = :declined,
          decline_code = :code, captured = :captured, refunded = :refunded, card_brand = :brand,
          card_last4 = :last4, approval_code = :approval, sequence = :sequence, ahead = :ahead,
          read_due_at = :due, needs_action = :action"#;
    connection.prepare_cached(sql)?.execute(named_params! {
        ":order": order,
        ":number": it.number,
        ":id": it.id.map(|id| *id.bytes()),
        ":key": it.idempotency_key,
        ":request": it.request,
        ":status": it.status.as_str(),
        ":unknown": it.outcome_unknown,
        ":action": it.needs_action,
        ":attempts": it.attempts,
        ":declined": it.declined.map(Family::as_str),
        ":code": it.decline_code,
        ":captured": it.captured.get(),
        ":refunded": it.refunded.get(),
        ":brand": it.card.as_ref().map(|card| &card.brand),
        ":last4": it.card.as_ref().map(|card| &card.last4),
        ":approval": it.approval_code,
        ":sequence": i64::try_from(it.sequence).unwrap_or(i64::MAX),
        ":ahead": it.ahead,
        ":due": it.read_due_at.map(Timestamp::millis),
        ":at": it.created_at.millis(),
    })?;
    Ok(())
}

fn save_refund(connection: &Connection, order: i64, it: &Refund) -> Result<(), StoreError> {
    let sql = r#"INSERT INTO refunds ("order", number, public_id, amount, reason, requested_by,
          needs_second, decided_by, idempotency_key, request_key, state, failure, send_due_at,
          created_at, moved_to)
        VALUES (:order, :number, :id, :amount, :reason, :requested_by, :second, :decided_by, :key,
          :request_key, :state, :failure, :due, :at, :moved_to)
        ON CONFLICT ("order", number) DO UPDATE SET public_id = :id, decided_by = :decided_by,
          state = :state, failure = :failure, send_due_at = :due, moved_to = :moved_to"#;
    let failure = match &it.state {
        RefundState::Failed { code, .. } => Some(code),
        RefundState::AwaitingApproval
        | RefundState::Sending
        | RefundState::Pending { .. }
        | RefundState::Succeeded { .. }
        | RefundState::Rejected => None,
    };
    connection.prepare_cached(sql)?.execute(named_params! {
        ":order": order,
        ":number": it.number,
        ":id": it.state.id().map(|id| *id.bytes()),
        ":amount": it.amount.get(),
        ":reason": it.reason,
        ":requested_by": it.requested_by,
        ":second": it.needs_second_person,
        ":decided_by": it.decided_by,
        ":key": it.idempotency_key,
        ":request_key": it.request_key,
        ":state": it.state.as_str(),
        ":failure": failure,
        ":due": it.send_due_at.map(Timestamp::millis),
        ":at": it.created_at.millis(),
        ":moved_to": it.moved_to,
    })?;
    Ok(())
}

/// Does what follows from a decision. The goods leave here, and the primary key lets them once.
fn follow(
    connection: &Connection,
    merchant: MerchantId,
    order: i64,
    effect: &Effect,
    now: Timestamp,
) -> Result<(), StoreError> {
    match effect {
        Effect::Fulfil { payment, captured } => {
            let sql = r#"INSERT INTO fulfilments
                           ("order", payment, merchant, captured, currency, at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)"#;
            connection.prepare_cached(sql)?.execute((
                order,
                payment.bytes(),
                merchant.bytes(),
                captured.value.get(),
                captured.currency.code(),
                now.millis(),
            ))?;
            note(connection, order, now, "shop", "Paid in full: packed and sent")
        }
        Effect::Flag(attention) => note(connection, order, now, "shop", attention.text()),
    }
}

/// Adds a line to an order's history.
pub(super) fn note(
    connection: &Connection,
    order: i64,
    at: Timestamp,
    source: &str,
    text: &str,
) -> Result<(), StoreError> {
    let sql = r#"INSERT INTO history ("order", at, source, text) VALUES (?1, ?2, ?3, ?4)"#;
    connection.prepare_cached(sql)?.execute((order, at.millis(), source, text))?;
    Ok(())
}
