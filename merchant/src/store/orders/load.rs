//! Rows to orders.

use kit::sqlite::{optional_timestamp, timestamp};
use rusqlite::{Connection, Row};
use wire::ids::{OrderId, PaymentId, RefundId};

use super::super::rows::{count, family, minor_units, money, optional_word, word};
use super::super::{StoreError, all};
use super::Stored;
use crate::domain::customer::Customer;
use crate::domain::order::{Attention, Line, Order, State, Status, Unpaid};
use crate::domain::payment::{CardSummary, Payment, Status as PaymentStatus};
use crate::domain::refund::{Refund, State as RefundState};

/// An order with everything that belongs to it, by its public id.
pub fn load(connection: &Connection, id: OrderId) -> Result<Option<Stored>, StoreError> {
    let sql = "SELECT id, customer_name, customer_email, currency, total, status, declined,
                 paid_by, captured, refunded, attention, placed_at
               FROM orders WHERE public_id = ?1";
    let mut found = all(connection, sql, [id.bytes()], |row| read_order(row, id))?;
    let Some(mut stored) = found.pop() else { return Ok(None) };
    stored.order.lines = load_lines(connection, stored.row)?;
    stored.order.payments = load_payments(connection, stored.row)?;
    stored.order.refunds = load_refunds(connection, stored.row)?;
    Ok(Some(stored))
}

fn read_order(row: &Row<'_>, id: OrderId) -> Result<Stored, StoreError> {
    let state = read_state(row)?;
    let order = Order {
        id,
        customer: Customer { name: row.get("customer_name")?, email: row.get("customer_email")? },
        lines: Vec::new(),
        total: money(row, "total")?,
        state,
        attention: optional_word(row, "attention", Attention::parse)?,
        payments: Vec::new(),
        refunds: Vec::new(),
        placed_at: timestamp(row, 11)?,
    };
    Ok(Stored { row: row.get("id")?, order })
}

fn read_state(row: &Row<'_>) -> Result<State, StoreError> {
    let missing = |what: &str| StoreError::corrupt(format!("order without {what}"));
    Ok(match word(row, "status", Status::parse)? {
        Status::AwaitingPayment => State::Unpaid(Unpaid::Awaiting),
        Status::Checking => State::Unpaid(Unpaid::Checking),
        Status::Canceled => State::Canceled,
        Status::Declined => {
            let family = family(row)?.ok_or_else(|| missing("a reason"))?;
            State::Unpaid(Unpaid::Declined { family })
        }
        Status::Paid | Status::PartiallyRefunded | Status::Refunded => {
            let paid_by: Option<[u8; 16]> = row.get("paid_by")?;
            State::Fulfilled {
                payment: PaymentId::from_bytes(paid_by.ok_or_else(|| missing("a payment"))?),
                captured: minor_units(row, "captured")?,
                refunded: minor_units(row, "refunded")?,
            }
        }
    })
}

fn load_lines(connection: &Connection, order: i64) -> Result<Vec<Line>, StoreError> {
    let sql = r#"SELECT sku, name, quantity, unit_price FROM order_lines
                 WHERE "order" = ?1 ORDER BY position"#;
    all(connection, sql, [order], |row| {
        Ok(Line {
            sku: row.get("sku")?,
            name: row.get("name")?,
            quantity: count(row, "quantity")?,
            unit_price: minor_units(row, "unit_price")?,
        })
    })
}

fn load_payments(connection: &Connection, order: i64) -> Result<Vec<Payment>, StoreError> {
    let sql = r#"SELECT number, public_id, read_due_at, created_at, idempotency_key, request,
                   status, outcome_unknown, attempts, declined, decline_code, captured, refunded,
                   card_brand, card_last4, approval_code, sequence, ahead, needs_action
                 FROM payments WHERE "order" = ?1 ORDER BY number"#;
    all(connection, sql, [order], |row| {
        let brand: Option<String> = row.get("card_brand")?;
        let last4: Option<String> = row.get("card_last4")?;
        Ok(Payment {
            number: count(row, "number")?,
            idempotency_key: row.get("idempotency_key")?,
            request: row.get("request")?,
            id: row.get::<_, Option<[u8; 16]>>("public_id")?.map(PaymentId::from_bytes),
            status: word(row, "status", PaymentStatus::parse)?,
            outcome_unknown: row.get("outcome_unknown")?,
            needs_action: row.get("needs_action")?,
            attempts: count(row, "attempts")?,
            declined: family(row)?,
            decline_code: row.get("decline_code")?,
            captured: minor_units(row, "captured")?,
            refunded: minor_units(row, "refunded")?,
            card: brand.zip(last4).map(|(brand, last4)| CardSummary { brand, last4 }),
            approval_code: row.get("approval_code")?,
            sequence: count(row, "sequence")?,
            ahead: row.get("ahead")?,
            read_due_at: optional_timestamp(row, 2)?,
            created_at: timestamp(row, 3)?,
        })
    })
}

fn load_refunds(connection: &Connection, order: i64) -> Result<Vec<Refund>, StoreError> {
    let sql = r#"SELECT number, send_due_at, created_at, public_id, amount, reason, requested_by,
                   needs_second, decided_by, idempotency_key, request_key, state, failure,
                   moved_to
                 FROM refunds WHERE "order" = ?1 ORDER BY number"#;
    all(connection, sql, [order], |row| {
        Ok(Refund {
            number: count(row, "number")?,
            amount: minor_units(row, "amount")?,
            reason: row.get("reason")?,
            requested_by: row.get("requested_by")?,
            needs_second_person: row.get("needs_second")?,
            decided_by: row.get("decided_by")?,
            idempotency_key: row.get("idempotency_key")?,
            request_key: row.get("request_key")?,
            state: read_refund_state(row)?,
            moved_to: row.get("moved_to")?,
            send_due_at: optional_timestamp(row, 1)?,
            created_at: timestamp(row, 2)?,
        })
    })
}

fn read_refund_state(row: &Row<'_>) -> Result<RefundState, StoreError> {
    let id = row.get::<_, Option<[u8; 16]>>("public_id")?.map(RefundId::from_bytes);
    let code: Option<String> = row.get("failure")?;
    let text: String = row.get("state")?;
    match (text.as_str(), id) {
        ("awaiting_approval", None) => Ok(RefundState::AwaitingApproval),
        ("sending", None) => Ok(RefundState::Sending),
        ("pending", Some(id)) => Ok(RefundState::Pending { id }),
        ("succeeded", Some(id)) => Ok(RefundState::Succeeded { id }),
        ("failed", id) => Ok(RefundState::Failed { id, code: code.unwrap_or_default() }),
        ("rejected", None) => Ok(RefundState::Rejected),
        (_, _) => Err(StoreError::corrupt(format!("refund state {text}"))),
    }
}
