//! Orders with their lines, payments and refunds: loaded whole, decided on, saved.

use kit::sqlite::{optional_timestamp, timestamp};
use rusqlite::{Connection, Row, named_params};
use wire::ids::{MerchantId, OrderId, PaymentId, RefundId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::audit::{self, Entry};
use super::rows::{count, family, minor_units, money, optional_word, word};
use super::{Store, StoreError, all, carts, optional};
use crate::domain::customer::Customer;
use crate::domain::order::{Attention, Effect, Line, Order, State, Status, Unpaid};
use crate::domain::payment::{CardSummary, Payment, Status as PaymentStatus};
use crate::domain::refund::{Refund, State as RefundState};

/// An order and its row.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Row number: also the order in which orders were placed.
    pub row: i64,
    /// The order.
    pub order: Order,
}

/// What a decision leaves behind besides the changed order.
#[derive(Debug)]
pub struct Outcome<T> {
    /// For the caller.
    pub value: T,
    /// What follows.
    pub effects: Vec<Effect>,
    /// Lines for the order's history: who, what.
    pub history: Vec<(String, String)>,
    /// What a person of the back office did.
    pub audit: Option<Entry>,
}

impl<T> Outcome<T> {
    /// Nothing but a value.
    pub fn of(value: T) -> Self {
        Self { value, effects: Vec::new(), history: Vec::new(), audit: None }
    }

    /// Adds what follows.
    pub fn with_effects(mut self, effects: Vec<Effect>) -> Self {
        self.effects = effects;
        self
    }

    /// Adds a line of history.
    pub fn noting(mut self, source: impl Into<String>, text: impl Into<String>) -> Self {
        self.history.push((source.into(), text.into()));
        self
    }

    /// Adds what a person did.
    pub fn audited(mut self, entry: Entry) -> Self {
        self.audit = Some(entry);
        self
    }
}

/// An order to be placed.
#[derive(Debug)]
pub struct Placement {
    /// The order.
    pub order: Order,
    /// Names what is ordered, so that it is ordered once.
    pub checkout_key: Option<[u8; 32]>,
    /// Hash of the request: another request under the same key is refused.
    pub digest: [u8; 32],
    /// Whose cart it was.
    pub cart: Option<CartSource>,
}

/// The cart an order is made from: it must not have changed since the customer saw it.
#[derive(Debug)]
pub struct CartSource {
    /// Whose.
    pub visitor: i64,
    /// Revision the customer saw.
    pub revision: i64,
}

/// What became of a placement.
#[derive(Debug, PartialEq, Eq)]
pub enum Placed {
    /// A new order.
    New(OrderId),
    /// The order that was placed before under the same key.
    Again(OrderId),
    /// The key was used for another request.
    KeyReused,
    /// The cart has changed since the customer saw it.
    CartChanged,
}

impl Store {
    /// Loads an order, lets `decide` change it, and saves it with what follows. The closure is
    /// pure; a refusal changes nothing. None when there is no such order.
    pub async fn decide<T, R, F>(
        &self,
        id: OrderId,
        now: Timestamp,
        decide: F,
    ) -> Result<Option<Result<T, R>>, StoreError>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&mut Order) -> Result<Outcome<T>, R> + Send + 'static,
    {
        let merchant = self.merchant;
        self.write(move |connection| {
            let Some(mut stored) = load(connection, id)? else { return Ok(None) };
            let before = stored.order.clone();
            match decide(&mut stored.order) {
                Err(refusal) => Ok(Some(Err(refusal))),
                Ok(outcome) => {
                    let value = save(connection, merchant, &before, &stored, outcome, now)?;
                    Ok(Some(Ok(value)))
                }
            }
        })
        .await
    }

    /// An order with everything that belongs to it.
    pub async fn order(&self, id: OrderId) -> Result<Option<Stored>, StoreError> {
        self.read(move |connection| load(connection, id)).await
    }

    /// Places an order, once per checkout key, and empties the basket it came from.
    pub async fn place(&self, placement: Placement) -> Result<Placed, StoreError> {
        self.write(move |connection| place(connection, &placement)).await
    }

    /// The order that was placed under a key.
    pub async fn order_by_checkout(&self, key: [u8; 32]) -> Result<Option<OrderId>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT public_id FROM orders WHERE checkout_key = ?1";
            let found = optional(connection, sql, [key], |row| row.get::<_, [u8; 16]>(0))?;
            Ok(found.map(OrderId::from_bytes))
        })
        .await
    }

    /// Whether a visitor may look at an order.
    pub async fn may_see(&self, visitor: i64, id: OrderId) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql = r#"SELECT 1 FROM order_visitors WHERE visitor = ?1
                         AND "order" = (SELECT id FROM orders WHERE public_id = ?2)"#;
            Ok(optional(connection, sql, (visitor, id.bytes()), |_| Ok(()))?.is_some())
        })
        .await
    }

    /// Lets a visitor look at an order.
    pub async fn let_see(&self, visitor: i64, id: OrderId) -> Result<(), StoreError> {
        self.write(move |connection| {
            let sql = r#"INSERT INTO order_visitors (visitor, "order")
                         SELECT ?1, id FROM orders WHERE public_id = ?2
                         ON CONFLICT DO NOTHING"#;
            connection.prepare_cached(sql)?.execute((visitor, id.bytes()))?;
            Ok(())
        })
        .await
    }
}

fn place(connection: &Connection, placement: &Placement) -> Result<Placed, StoreError> {
    if let Some(key) = placement.checkout_key {
        let sql = "SELECT public_id, request_digest FROM orders WHERE checkout_key = ?1";
        let found = optional(connection, sql, [key], |row| {
            Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, [u8; 32]>(1)?))
        })?;
        if let Some((id, digest)) = found {
            let same = placement.cart.is_some() || digest == placement.digest;
            let id = OrderId::from_bytes(id);
            return Ok(if same { Placed::Again(id) } else { Placed::KeyReused });
        }
    }
    let order = &placement.order;
    if let Some(cart) = &placement.cart
        && !carts::take_basket(connection, cart.visitor, cart.revision, order.total.currency)?
    {
        return Ok(Placed::CartChanged);
    }
    let row = insert(connection, placement)?;
    if let Some(cart) = &placement.cart {
        let sql = r#"INSERT INTO order_visitors (visitor, "order") VALUES (?1, ?2)"#;
        connection.prepare_cached(sql)?.execute((cart.visitor, row))?;
    }
    note(connection, row, order.placed_at, "customer", "Order placed")?;
    Ok(Placed::New(order.id))
}

fn insert(connection: &Connection, placement: &Placement) -> Result<i64, StoreError> {
    let order = &placement.order;
    let sql = "INSERT INTO orders (public_id, checkout_key, request_digest, customer_name,
                 customer_email, currency, total, status, placed_at)
               VALUES (:id, :key, :digest, :name, :email, :currency, :total, :status, :at)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":id": order.id.bytes(),
        ":key": placement.checkout_key,
        ":digest": placement.digest,
        ":name": order.customer.name,
        ":email": order.customer.email,
        ":currency": order.total.currency.code(),
        ":total": order.total.value.get(),
        ":status": order.status().as_str(),
        ":at": order.placed_at.millis(),
    })?;
    let row = connection.last_insert_rowid();
    let sql = r#"INSERT INTO order_lines ("order", position, sku, name, quantity, unit_price)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)"#;
    for (position, line) in (1_i64..).zip(&order.lines) {
        let price = line.unit_price.get();
        connection.prepare_cached(sql)?.execute((
            row,
            position,
            &line.sku,
            &line.name,
            line.quantity,
            price,
        ))?;
    }
    Ok(row)
}

/// An order with everything that belongs to it, by its public id.
pub(super) fn load(connection: &Connection, id: OrderId) -> Result<Option<Stored>, StoreError> {
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
                   card_brand, card_last4, approval_code, sequence, ahead
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
                   needs_second, decided_by, idempotency_key, request_key, state, failure
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

/// Saves what a decision changed, and what follows from it, in the caller's transaction.
pub(super) fn save<T>(
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
          card_last4, approval_code, sequence, ahead, read_due_at, created_at)
        VALUES (:order, :number, :id, :key, :request, :status, :unknown, :attempts, :declined,
          :code, :captured, :refunded, :brand, :last4, :approval, :sequence, :ahead, :due, :at)
        ON CONFLICT ("order", number) DO UPDATE SET public_id = :id, status = :status,
          outcome_unknown = :unknown, attempts = :attempts, declined = :declined,
          decline_code = :code, captured = :captured, refunded = :refunded, card_brand = :brand,
          card_last4 = :last4, approval_code = :approval, sequence = :sequence, ahead = :ahead,
          read_due_at = :due"#;
    connection.prepare_cached(sql)?.execute(named_params! {
        ":order": order,
        ":number": it.number,
        ":id": it.id.map(|id| *id.bytes()),
        ":key": it.idempotency_key,
        ":request": it.request,
        ":status": it.status.as_str(),
        ":unknown": it.outcome_unknown,
        ":attempts": it.attempts,
        ":declined": it.declined.map(wire::codes::Family::as_str),
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
          needs_second, decided_by, idempotency_key, request_key, state, failure, send_due_at, created_at)
        VALUES (:order, :number, :id, :amount, :reason, :requested_by, :second, :decided_by, :key,
          :request_key, :state, :failure, :due, :at)
        ON CONFLICT ("order", number) DO UPDATE SET public_id = :id, decided_by = :decided_by,
          state = :state, failure = :failure, send_due_at = :due"#;
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
            let sql = r#"INSERT INTO fulfilments ("order", payment, merchant, captured, currency, at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)"#;
            let amount: MinorUnits = captured.value;
            connection.prepare_cached(sql)?.execute((
                order,
                payment.bytes(),
                merchant.bytes(),
                amount.get(),
                captured.currency.code(),
                now.millis(),
            ))?;
            note(connection, order, now, "shop", "Paid in full: packed and sent")
        }
        Effect::Flag(attention) => note(connection, order, now, "shop", attention.text()),
    }
}

/// Adds a line to an order's history.
fn note(
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
