//! The shop's books as a settlement report would see them.

use rusqlite::Row;
use wire::ids::{OrderId, PaymentId};
use wire::money::Currency;
use wire::time::Timestamp;

use super::{Store, StoreError, all};
use crate::domain::settlement::Booked;

impl Store {
    /// Every payment from which something was taken since a time.
    pub async fn booked_since(&self, since: Timestamp) -> Result<Vec<Booked>, StoreError> {
        self.read(move |connection| {
            let sql = r#"SELECT payments.public_id, orders.public_id, orders.currency,
                    payments.captured, payments.refunded,
                    COALESCE(fulfilments.at, payments.created_at),
                    (SELECT MAX(refunds.created_at) FROM refunds
                     WHERE refunds."order" = orders.id AND refunds.state = 'succeeded')
                FROM payments JOIN orders ON orders.id = payments."order"
                LEFT JOIN fulfilments ON fulfilments.payment = payments.public_id
                WHERE payments.captured > 0 AND payments.public_id IS NOT NULL
                    AND COALESCE(fulfilments.at, payments.created_at) >= ?1
                ORDER BY payments.id"#;
            all(connection, sql, [since.millis()], booked)
        })
        .await
    }
}

fn booked(row: &Row<'_>) -> Result<Booked, StoreError> {
    let code: String = row.get(2)?;
    let refunded_at: Option<i64> = row.get(6)?;
    Ok(Booked {
        payment: PaymentId::from_bytes(row.get(0)?),
        order: OrderId::from_bytes(row.get(1)?),
        currency: Currency::parse(&code)
            .map_err(|_| StoreError::corrupt(format!("currency = {code}")))?,
        captured: row.get(3)?,
        refunded: row.get(4)?,
        captured_at: Timestamp::from_millis(row.get(5)?),
        refunded_at: refunded_at.map(Timestamp::from_millis),
    })
}
