//! Lists for pages, newest first, by keyset.

use kit::sqlite::timestamp;
use rusqlite::Row;
use wire::ids::{OrderId, PaymentId, RefundId};
use wire::money::Money;
use wire::time::Timestamp;

use super::rows::{money, word};
use super::{Store, StoreError, all, optional};
use crate::domain::order::{Attention, Status};
use crate::domain::payment::Status as PaymentStatus;

/// An order in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSummary {
    /// Row number, for the next page.
    pub row: i64,
    /// Its id.
    pub id: OrderId,
    /// Who ordered.
    pub customer_name: String,
    /// Their mail address.
    pub customer_email: String,
    /// The total.
    pub total: Money,
    /// Given back.
    pub refunded: Money,
    /// Where it stands.
    pub status: Status,
    /// Why a person has to look.
    pub attention: Option<Attention>,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// Which orders to list.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Only those in this status.
    pub status: Option<Status>,
    /// Only those a person has to look at.
    pub attention: bool,
    /// An order id, or a part of the name or mail address.
    pub search: Option<String>,
    /// Rows before this one.
    pub before: Option<i64>,
}

/// A payment in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentSummary {
    /// Row number, for the next page.
    pub row: i64,
    /// Of which order.
    pub order: OrderId,
    /// Which of its payments.
    pub number: i64,
    /// Its id at the gateway.
    pub id: Option<PaymentId>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The order's total.
    pub total: Money,
    /// Taken.
    pub captured: Money,
    /// Given back.
    pub refunded: Money,
    /// `Visa •••• 4242`.
    pub card: Option<String>,
    /// Why the last card did not work, exactly.
    pub decline_code: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// A refund in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundSummary {
    /// Of which order.
    pub order: OrderId,
    /// Which of its refunds.
    pub number: u32,
    /// Its id at the gateway.
    pub id: Option<RefundId>,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
    /// Where it stands.
    pub state: String,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A line of an order's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// When.
    pub at: Timestamp,
    /// Who or what.
    pub source: String,
    /// What happened.
    pub text: String,
}

const ORDERS: &str = "SELECT o.id, o.public_id, o.placed_at, o.customer_name, o.customer_email,
    o.currency, o.total, o.refunded, o.status, o.attention FROM orders o";

fn read_order(row: &Row<'_>) -> Result<OrderSummary, StoreError> {
    Ok(OrderSummary {
        row: row.get("id")?,
        id: OrderId::from_bytes(row.get("public_id")?),
        customer_name: row.get("customer_name")?,
        customer_email: row.get("customer_email")?,
        total: money(row, "total")?,
        refunded: money(row, "refunded")?,
        status: word(row, "status", Status::parse)?,
        attention: super::rows::optional_word(row, "attention", Attention::parse)?,
        placed_at: timestamp(row, 2)?,
    })
}

impl Store {
    /// Orders for the back office.
    pub async fn orders(
        &self,
        filter: OrderFilter,
        limit: u32,
    ) -> Result<Vec<OrderSummary>, StoreError> {
        self.read(move |connection| {
            let id: Option<OrderId> = filter.search.as_deref().and_then(|it| it.parse().ok());
            let text = filter.search.filter(|_| id.is_none());
            let sql = format!(
                "{ORDERS} WHERE o.id < ?1 AND (?2 IS NULL OR o.status = ?2)
                   AND (NOT ?3 OR o.attention IS NOT NULL)
                   AND (?4 IS NULL OR o.public_id = ?4)
                   AND (?5 IS NULL OR instr(lower(o.customer_name), lower(?5)) > 0
                        OR instr(lower(o.customer_email), lower(?5)) > 0)
                 ORDER BY o.id DESC LIMIT ?6"
            );
            let parameters = (
                filter.before.unwrap_or(i64::MAX),
                filter.status.map(Status::as_str),
                filter.attention,
                id.map(|id| *id.bytes()),
                text,
                limit,
            );
            all(connection, &sql, parameters, read_order)
        })
        .await
    }

    /// Orders that a visitor may look at.
    pub async fn orders_of(
        &self,
        visitor: i64,
        limit: u32,
    ) -> Result<Vec<OrderSummary>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                r#"{ORDERS} JOIN order_visitors v ON v."order" = o.id WHERE v.visitor = ?1
                   ORDER BY o.id DESC LIMIT ?2"#
            );
            all(connection, &sql, (visitor, limit), read_order)
        })
        .await
    }

    /// Payments of all orders, before a row.
    pub async fn payments(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<PaymentSummary>, StoreError> {
        self.read(move |connection| {
            let sql = r#"SELECT p.id, o.public_id, p.created_at, p.number,
                  p.public_id AS payment_id, p.status, o.currency, o.total, p.captured, p.refunded,
                  p.card_brand, p.card_last4,
                  p.decline_code
                FROM payments p JOIN orders o ON o.id = p."order"
                WHERE p.id < ?1 ORDER BY p.id DESC LIMIT ?2"#;
            all(connection, sql, (before.unwrap_or(i64::MAX), limit), read_payment)
        })
        .await
    }

    /// Whether a payment is one of the shop's.
    pub async fn knows_payment(&self, id: PaymentId) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT 1 FROM payments WHERE public_id = ?1";
            Ok(optional(connection, sql, [id.bytes()], |_| Ok(()))?.is_some())
        })
        .await
    }

    /// Refunds that wait for a second person, oldest first.
    pub async fn refunds_awaiting_approval(&self) -> Result<Vec<RefundSummary>, StoreError> {
        self.read(|connection| {
            let sql = r#"SELECT o.public_id AS order_id, r.created_at, r.number, r.public_id,
                  o.currency, r.amount, r.reason, r.requested_by, r.state
                FROM refunds r JOIN orders o ON o.id = r."order"
                WHERE r.state = 'awaiting_approval' ORDER BY r.id LIMIT 200"#;
            all(connection, sql, [], |row| {
                let id: Option<[u8; 16]> = row.get("public_id")?;
                Ok(RefundSummary {
                    order: OrderId::from_bytes(row.get("order_id")?),
                    number: row.get("number")?,
                    id: id.map(RefundId::from_bytes),
                    amount: money(row, "amount")?,
                    reason: row.get("reason")?,
                    requested_by: row.get("requested_by")?,
                    state: row.get("state")?,
                    created_at: timestamp(row, 1)?,
                })
            })
        })
        .await
    }

    /// How many refunds wait for a second person.
    pub async fn approvals_waiting(&self) -> Result<u32, StoreError> {
        self.read(|connection| {
            let sql = "SELECT count(*) FROM refunds WHERE state = 'awaiting_approval'";
            Ok(optional(connection, sql, [], |row| row.get(0))?.unwrap_or(0))
        })
        .await
    }

    /// What happened to an order, oldest first.
    pub async fn history(&self, order: i64) -> Result<Vec<HistoryLine>, StoreError> {
        self.read(move |connection| {
            let sql =
                r#"SELECT at, source, text FROM history WHERE "order" = ?1 ORDER BY id LIMIT 500"#;
            all(connection, sql, [order], |row| {
                Ok(HistoryLine {
                    at: timestamp(row, 0)?,
                    source: row.get("source")?,
                    text: row.get("text")?,
                })
            })
        })
        .await
    }

    /// When an order's goods left, if they did.
    pub async fn fulfilled_at(&self, order: i64) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |connection| {
            let sql = r#"SELECT at FROM fulfilments WHERE "order" = ?1"#;
            optional(connection, sql, [order], |row| timestamp(row, 0))
        })
        .await
    }
}

fn read_payment(row: &Row<'_>) -> Result<PaymentSummary, StoreError> {
    let id: Option<[u8; 16]> = row.get("payment_id")?;
    let brand: Option<String> = row.get("card_brand")?;
    let last4: Option<String> = row.get("card_last4")?;
    Ok(PaymentSummary {
        row: row.get("id")?,
        order: OrderId::from_bytes(row.get("public_id")?),
        number: row.get("number")?,
        id: id.map(PaymentId::from_bytes),
        status: word(row, "status", PaymentStatus::parse)?,
        total: money(row, "total")?,
        captured: money(row, "captured")?,
        refunded: money(row, "refunded")?,
        card: brand.zip(last4).map(|(brand, last4)| format!("{brand} •••• {last4}")),
        decline_code: row.get("decline_code")?,
        created_at: timestamp(row, 2)?,
    })
}
