//! Visitors and their carts. A visitor is a cookie, of which only a hash is kept.

use rusqlite::Connection;
use wire::money::Currency;
use wire::time::Timestamp;

use super::rows::count;
use super::{Store, StoreError, all, optional};
use crate::domain::cart::{Cart, CartLine, Quantity};
use crate::domain::catalogue;

/// SHA-256 of a cookie's value.
pub type TokenHash = [u8; 32];

/// A visitor with a cart.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Row number.
    pub row: i64,
    /// What was chosen so far.
    pub cart: Cart,
}

impl Store {
    /// The visitor of a cookie, if it ever put something into a cart.
    pub async fn visitor(&self, token: TokenHash) -> Result<Option<Visitor>, StoreError> {
        self.read(move |connection| load(connection, token)).await
    }

    /// Changes the cart of a cookie, making the visitor known.
    pub async fn change_cart(
        &self,
        token: TokenHash,
        now: Timestamp,
        change: impl FnOnce(&mut Cart) + Send + 'static,
    ) -> Result<Visitor, StoreError> {
        self.write(move |connection| {
            let mut visitor = ensure(connection, token, now)?;
            change(&mut visitor.cart);
            save(connection, &visitor)?;
            Ok(visitor)
        })
        .await
    }

    /// Makes a cookie known without a cart: somebody who looks at an order by its key.
    pub async fn know_visitor(
        &self,
        token: TokenHash,
        now: Timestamp,
    ) -> Result<Visitor, StoreError> {
        self.write(move |connection| ensure(connection, token, now)).await
    }
}

fn load(connection: &Connection, token: TokenHash) -> Result<Option<Visitor>, StoreError> {
    let sql = "SELECT id, cart_revision FROM visitors WHERE token_hash = ?1";
    let found = optional(connection, sql, [token], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((row, revision)) = found else { return Ok(None) };
    let sql = "SELECT sku, quantity FROM cart_lines WHERE visitor = ?1 ORDER BY position, sku";
    let lines = all(connection, sql, [row], |line| {
        let sku: String = line.get("sku")?;
        let quantity = Quantity::new(count(line, "quantity")?)
            .map_err(|_| StoreError::corrupt("cart quantity"))?;
        // What is no longer sold is no longer in the cart.
        Ok(catalogue::find(&sku).map(|product| CartLine { product, quantity }))
    })?;
    let cart = Cart::new(lines.into_iter().flatten().collect(), revision);
    Ok(Some(Visitor { row, cart }))
}

fn ensure(
    connection: &Connection,
    token: TokenHash,
    now: Timestamp,
) -> Result<Visitor, StoreError> {
    if let Some(visitor) = load(connection, token)? {
        return Ok(visitor);
    }
    let sql = "INSERT INTO visitors (token_hash, created_at) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute((token, now.millis()))?;
    Ok(Visitor { row: connection.last_insert_rowid(), cart: Cart::default() })
}

fn save(connection: &Connection, visitor: &Visitor) -> Result<(), StoreError> {
    let sql = "UPDATE visitors SET cart_revision = ?2 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute((visitor.row, visitor.cart.revision))?;
    connection
        .prepare_cached("DELETE FROM cart_lines WHERE visitor = ?1")?
        .execute([visitor.row])?;
    let sql = "INSERT INTO cart_lines (visitor, sku, quantity, position) VALUES (?1, ?2, ?3, ?4)";
    for (position, line) in (1_i64..).zip(visitor.cart.lines()) {
        let quantity = line.quantity.get();
        connection.prepare_cached(sql)?.execute((
            visitor.row,
            line.product.sku,
            quantity,
            position,
        ))?;
    }
    Ok(())
}

/// Takes the basket of a currency out of a cart, if the cart is still as it was seen.
pub(super) fn take_basket(
    connection: &Connection,
    visitor: i64,
    revision: i64,
    currency: Currency,
) -> Result<bool, StoreError> {
    let sql = "SELECT token_hash FROM visitors WHERE id = ?1 AND cart_revision = ?2";
    let token = optional(connection, sql, (visitor, revision), |row| row.get(0))?;
    let Some(token) = token else { return Ok(false) };
    let Some(mut visitor) = load(connection, token)? else { return Ok(false) };
    if visitor.cart.take(currency).is_none() {
        return Ok(false);
    }
    save(connection, &visitor)?;
    Ok(true)
}
