//! Forgetting a person: names, mail addresses, requests that hold them, cart and customer.

use rusqlite::Connection;
use wire::time::Timestamp;

use super::{Store, StoreError, optional};
use crate::domain::customer::Customer;

impl Store {
    /// Whether a payment of a visitor may still be paid.
    pub async fn has_open_payment(&self, visitor: i64) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql = r#"SELECT 1 FROM payments p JOIN order_visitors v ON v."order" = p."order"
                         WHERE v.visitor = ?1
                           AND p.status IN ('creating', 'open', 'checking', 'authorized') LIMIT 1"#;
            let found: Option<i64> = optional(connection, sql, [visitor], |row| row.get(0))?;
            Ok(found.is_some())
        })
        .await
    }

    /// Takes a person out of the orders and subscriptions of a visitor.
    pub async fn erase_visitor(&self, visitor: i64, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| erase(connection, visitor, now)).await
    }
}

fn erase(connection: &Connection, visitor: i64, now: Timestamp) -> Result<(), StoreError> {
    let nobody = Customer::erased();
    let who = (visitor, nobody.name, nobody.email);
    let sql = r#"INSERT INTO history ("order", at, source, text)
                 SELECT v."order", ?2, 'customer', 'Name and mail address were erased'
                 FROM order_visitors v WHERE v.visitor = ?1"#;
    connection.prepare_cached(sql)?.execute((visitor, now.millis()))?;
    let sql = r#"UPDATE orders SET customer_name = ?2, customer_email = ?3
                 WHERE id IN (SELECT "order" FROM order_visitors WHERE visitor = ?1)"#;
    connection.prepare_cached(sql)?.execute(who.clone())?;
    let sql = "UPDATE subscriptions SET customer_name = ?2, customer_email = ?3, card = NULL
               WHERE visitor = ?1";
    connection.prepare_cached(sql)?.execute(who)?;
    // What was asked of the gateway holds the name, too; it is not sent again.
    let sql = r#"UPDATE payments SET request = X''
                 WHERE "order" IN (SELECT "order" FROM order_visitors WHERE visitor = ?1)"#;
    connection.prepare_cached(sql)?.execute([visitor])?;
    for sql in [
        "DELETE FROM card_customers WHERE visitor = ?1",
        "DELETE FROM cart_lines WHERE visitor = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([visitor])?;
    }
    Ok(())
}
