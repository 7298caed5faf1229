//! Orders with their lines, payments and refunds: loaded whole, decided on, saved.

mod load;
mod save;

use rusqlite::{Connection, named_params};
use wire::ids::OrderId;
use wire::time::Timestamp;

use super::audit::Entry;
use super::{Store, StoreError, carts, optional};
use crate::domain::order::{Effect, Order};

pub(super) use load::load;
use save::note;
pub(super) use save::save;

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
