//! The webhook inbox: one row per notification, written in the transaction that acts on it.

use rusqlite::Connection;
use wire::ids::{OrderId, PaymentId};
use wire::time::Timestamp;

use super::orders::{self, Outcome};
use super::{Store, StoreError, all, optional};
use crate::domain::order::Order;

/// A verified notification.
#[derive(Clone, Debug)]
pub struct Received {
    /// Sixteen bytes that name the event: those of its id, or of a hash of a foreign id.
    pub key: [u8; 16],
    /// Its id, when it is none of the gateway's usual form.
    pub event: Option<String>,
    /// What it says happened.
    pub event_type: String,
    /// The payment it is about.
    pub payment: Option<PaymentId>,
    /// The order reference it names, when that is no order of this shop.
    pub reference: Option<String>,
    /// The order it names.
    pub order: Option<OrderId>,
    /// Its number within its payment.
    pub sequence: Option<u64>,
    /// When it came in.
    pub at: Timestamp,
}

/// What was made of a notification, in stable words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `applied`, `stale`, `unknown_order`, `unknown_type`, `flagged` or a refusal's reason.
    pub word: &'static str,
    /// Whether the sender is told that it was refused.
    pub refused: bool,
}

impl Verdict {
    /// Taken in.
    pub const fn taken(word: &'static str) -> Self {
        Self { word, refused: false }
    }

    /// Refused.
    pub const fn refused(word: &'static str) -> Self {
        Self { word, refused: true }
    }

    /// As stored: refusals carry a mark, so that another delivery is judged again.
    fn stored(self) -> String {
        if self.refused { format!("refused:{}", self.word) } else { self.word.to_owned() }
    }
}

/// What the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Recorded now.
    New(Verdict),
    /// Recorded before: nothing was done again.
    Duplicate,
}

impl Store {
    /// Records a notification that concerns no order of this shop.
    pub async fn record(
        &self,
        received: Received,
        verdict: Verdict,
    ) -> Result<Receipt, StoreError> {
        self.write(move |connection| record(connection, &received, None, verdict, None)).await
    }

    /// Records a notification and lets it act on its order, both or neither. `judge` is not
    /// called for a notification that was recorded before.
    pub async fn receive<F>(&self, received: Received, judge: F) -> Result<Receipt, StoreError>
    where
        F: FnOnce(&mut Order) -> Outcome<Verdict> + Send + 'static,
    {
        let merchant = self.merchant;
        self.write(move |connection| {
            let stored = match received.order {
                Some(id) => orders::load(connection, id)?,
                None => None,
            };
            let Some(mut stored) = stored else {
                return record(connection, &received, None, UNKNOWN_ORDER, None);
            };
            if is_settled(connection, received.key)? {
                count_again(connection, received.key)?;
                return Ok(Receipt::Duplicate);
            }
            let before = stored.order.clone();
            let outcome = judge(&mut stored.order);
            let effect = effect_of(&before, &stored.order, &outcome);
            let verdict = outcome.value;
            orders::save(connection, merchant, &before, &stored, outcome, received.at)?;
            record(connection, &received, Some(stored.row), verdict, effect.as_deref())
        })
        .await
    }

    /// Forgets notifications older than `before`, a few at a time. True when there may be more.
    pub async fn forget_inbox(&self, before: Timestamp) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let sql = "DELETE FROM inbox WHERE id IN
                         (SELECT id FROM inbox WHERE received_at < ?1 ORDER BY id LIMIT 500)";
            // Rows are in the order they came in, so that the oldest are found at once.
            let oldest = "SELECT received_at FROM inbox ORDER BY id LIMIT 1";
            let oldest: Option<i64> = optional(connection, oldest, [], |row| row.get(0))?;
            if oldest.is_none_or(|at| at >= before.millis()) {
                return Ok(false);
            }
            Ok(connection.prepare_cached(sql)?.execute([before.millis()])? == 500)
        })
        .await
    }

    /// Notifications, newest first, before a row; of one order when it is given.
    pub async fn inbox(
        &self,
        before: Option<i64>,
        order: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        self.read(move |connection| {
            let before = before.unwrap_or(i64::MAX);
            match order {
                None => {
                    let sql = format!("{MESSAGES} WHERE i.id < ?1 ORDER BY i.id DESC LIMIT ?2");
                    all(connection, &sql, (before, limit), read_message)
                }
                Some(order) => {
                    let sql = format!(
                        r#"{MESSAGES} WHERE i.id < ?1
                           AND i."order" = (SELECT id FROM orders WHERE public_id = ?3)
                           ORDER BY i.id DESC LIMIT ?2"#
                    );
                    all(connection, &sql, (before, limit, order.bytes()), read_message)
                }
            }
        })
        .await
    }
}

/// Nothing in the shop goes by that reference.
pub const UNKNOWN_ORDER: Verdict = Verdict::taken("unknown_order");

/// A notification as the back office shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Row number, for the next page.
    pub row: i64,
    /// Event id.
    pub event: String,
    /// What it said happened.
    pub event_type: String,
    /// The payment.
    pub payment: Option<PaymentId>,
    /// The order, if it is one of the shop's.
    pub order: Option<OrderId>,
    /// The reference it named otherwise.
    pub reference: Option<String>,
    /// Its number within its payment.
    pub sequence: Option<i64>,
    /// What was made of it.
    pub verdict: String,
    /// What it changed.
    pub effect: Option<String>,
    /// How often it came.
    pub deliveries: i64,
    /// When it came first.
    pub received_at: Timestamp,
}

const MESSAGES: &str = r#"SELECT i.id, i.received_at, i.key, i.event, i.type, i.payment,
    i.reference, i.sequence, i.verdict, i.effect, i.deliveries, o.public_id AS order_id
  FROM inbox i LEFT JOIN orders o ON o.id = i."order""#;

fn read_message(row: &rusqlite::Row<'_>) -> Result<Message, StoreError> {
    let key: [u8; 16] = row.get("key")?;
    let event: Option<String> = row.get("event")?;
    let payment: Option<[u8; 16]> = row.get("payment")?;
    let order: Option<[u8; 16]> = row.get("order_id")?;
    Ok(Message {
        row: row.get("id")?,
        event: event.unwrap_or_else(|| wire::ids::EventId::from_bytes(key).to_string()),
        event_type: row.get("type")?,
        payment: payment.map(PaymentId::from_bytes),
        order: order.map(OrderId::from_bytes),
        reference: row.get("reference")?,
        sequence: row.get("sequence")?,
        verdict: row.get("verdict")?,
        effect: row.get("effect")?,
        deliveries: row.get("deliveries")?,
        received_at: kit::sqlite::timestamp(row, 1)?,
    })
}

/// Writes the row; a row that was refused before is overwritten by the new verdict.
fn record(
    connection: &Connection,
    received: &Received,
    order: Option<i64>,
    verdict: Verdict,
    effect: Option<&str>,
) -> Result<Receipt, StoreError> {
    let sql = r#"INSERT INTO inbox (key, event, type, payment, reference, "order", sequence,
          verdict, effect, received_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (key) DO UPDATE SET deliveries = deliveries + 1, verdict = excluded.verdict,
          effect = excluded.effect, "order" = excluded."order"
        WHERE verdict LIKE 'refused:%'"#;
    let sequence = received.sequence.map(|it| i64::try_from(it).unwrap_or(i64::MAX));
    let changed = connection.prepare_cached(sql)?.execute((
        received.key,
        &received.event,
        &received.event_type,
        received.payment.map(|id| *id.bytes()),
        &received.reference,
        order,
        sequence,
        verdict.stored(),
        effect,
        received.at.millis(),
    ))?;
    if changed == 0 {
        count_again(connection, received.key)?;
        return Ok(Receipt::Duplicate);
    }
    Ok(Receipt::New(verdict))
}

/// Whether this notification was recorded before and not refused.
fn is_settled(connection: &Connection, key: [u8; 16]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM inbox WHERE key = ?1 AND verdict NOT LIKE 'refused:%'";
    Ok(optional(connection, sql, [key], |_| Ok(()))?.is_some())
}

fn count_again(connection: &Connection, key: [u8; 16]) -> Result<(), StoreError> {
    let sql = "UPDATE inbox SET deliveries = deliveries + 1 WHERE key = ?1";
    connection.prepare_cached(sql)?.execute([key])?;
    Ok(())
}

/// What changed, in a word for the inbox page: the status before and after.
fn effect_of(before: &Order, after: &Order, outcome: &Outcome<Verdict>) -> Option<String> {
    let (from, to) = (before.status().as_str(), after.status().as_str());
    if before.attention != after.attention || !outcome.effects.is_empty() && from == to {
        return Some("flagged".to_owned());
    }
    if from != to {
        return Some(format!("{from} → {to}"));
    }
    (before != after).then(|| "recorded".to_owned())
}
