//! What has to be done at a time: payments to read, refunds to send.

use wire::ids::OrderId;
use wire::time::Timestamp;

use super::{Store, StoreError, all, optional};

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A payment has to be made or read at the gateway.
    Payment {
        /// Of which order.
        order: OrderId,
        /// Its number within the order.
        number: u32,
    },
    /// A refund has to be sent.
    Refund {
        /// Of which order.
        order: OrderId,
        /// Its number within the order.
        number: u32,
    },
}

/// Most that is taken up at once.
const TAKEN_MAX: u32 = 64;

impl Store {
    /// What is due now, oldest first.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Due>, StoreError> {
        self.read(move |connection| {
            let sql = r#"SELECT o.public_id, p.number FROM payments p
                         JOIN orders o ON o.id = p."order"
                         WHERE p.read_due_at <= ?1 ORDER BY p.read_due_at LIMIT ?2"#;
            let mut due = all(connection, sql, (now.millis(), TAKEN_MAX), |row| {
                let order = OrderId::from_bytes(row.get(0)?);
                Ok(Due::Payment { order, number: row.get(1)? })
            })?;
            let sql = r#"SELECT o.public_id, r.number FROM refunds r
                         JOIN orders o ON o.id = r."order"
                         WHERE r.send_due_at <= ?1 ORDER BY r.send_due_at LIMIT ?2"#;
            due.extend(all(connection, sql, (now.millis(), TAKEN_MAX), |row| {
                let order = OrderId::from_bytes(row.get(0)?);
                Ok(Due::Refund { order, number: row.get(1)? })
            })?);
            Ok(due)
        })
        .await
    }

    /// When the next of these is due.
    pub async fn next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT MIN(at) FROM (
                 SELECT MIN(read_due_at) AS at FROM payments WHERE read_due_at IS NOT NULL
                 UNION ALL
                 SELECT MIN(send_due_at) FROM refunds WHERE send_due_at IS NOT NULL)";
            let at: Option<i64> = optional(connection, sql, [], |row| row.get(0))?.flatten();
            Ok(at.map(Timestamp::from_millis))
        })
        .await
    }
}
