//! Customers with saved cards, and subscriptions.

use rusqlite::{Connection, Row, named_params};
use wire::ids::{CardId, CustomerId, OrderId, SubscriptionId};
use wire::money::{Currency, MinorUnits, Money};
use wire::time::Timestamp;

use super::{Store, StoreError, all, optional};
use crate::domain::customer::Customer;
use crate::domain::subscription::{Effect, Event, State, Subscription};

/// Subscriptions that are taken up at once, or shown.
const TAKEN_MAX: u32 = 100;

/// How an order's payments come about.
#[derive(Clone, Copy, Debug, Default)]
pub struct PayTerms {
    /// The customer at the gateway, where there is one.
    pub customer: Option<CustomerId>,
    /// The order is a month of a subscription.
    pub subscription: Option<SubscriptionId>,
}

impl Store {
    /// The customer at the gateway of a visitor.
    pub async fn card_customer(&self, visitor: i64) -> Result<Option<CustomerId>, StoreError> {
        self.read(move |connection| customer_of(connection, visitor)).await
    }

    /// Notes the customer at the gateway of a visitor; the first one stays.
    pub async fn keep_card_customer(
        &self,
        visitor: i64,
        customer: CustomerId,
        now: Timestamp,
    ) -> Result<CustomerId, StoreError> {
        self.write(move |connection| {
            let sql = "INSERT INTO card_customers (visitor, public_id, created_at)
                       VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            connection.prepare_cached(sql)?.execute((visitor, customer.bytes(), now.millis()))?;
            Ok(customer_of(connection, visitor)?.unwrap_or(customer))
        })
        .await
    }

    /// How an order is paid: for whom, and whether it is a month of a subscription.
    pub async fn pay_terms(&self, order: OrderId) -> Result<PayTerms, StoreError> {
        self.read(move |connection| {
            let sql = r#"SELECT public_id, gateway_customer FROM subscriptions
                         WHERE "order" = ?1 AND state <> 'canceled'"#;
            let found = optional(connection, sql, [order.bytes()], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, [u8; 16]>(1)?))
            })?;
            if let Some((subscription, customer)) = found {
                return Ok(PayTerms {
                    customer: Some(CustomerId::from_bytes(customer)),
                    subscription: Some(SubscriptionId::from_bytes(subscription)),
                });
            }
            let sql = r#"SELECT c.public_id FROM card_customers c
                         JOIN order_visitors v ON v.visitor = c.visitor
                         WHERE v."order" = (SELECT id FROM orders WHERE public_id = ?1)"#;
            let found: Option<[u8; 16]> =
                optional(connection, sql, [order.bytes()], |row| row.get(0))?;
            let customer = found.map(CustomerId::from_bytes);
            Ok(PayTerms { customer, subscription: None })
        })
        .await
    }

    /// Adds a subscription.
    pub async fn add_subscription(
        &self,
        visitor: i64,
        subscription: Subscription,
    ) -> Result<(), StoreError> {
        self.write(move |connection| save(connection, Some(visitor), &subscription)).await
    }

    /// A subscription.
    pub async fn subscription(
        &self,
        id: SubscriptionId,
    ) -> Result<Option<(i64, Subscription)>, StoreError> {
        self.read(move |connection| load(connection, id)).await
    }

    /// Takes an event into a subscription; none where it does not apply.
    pub async fn change_subscription(
        &self,
        id: SubscriptionId,
        event: Event,
        note: impl FnOnce(&mut Subscription) + Send + 'static,
    ) -> Result<Option<(Subscription, Option<Effect>)>, StoreError> {
        self.write(move |connection| {
            let Some((_, mut subscription)) = load(connection, id)? else { return Ok(None) };
            let Ok(effect) = subscription.apply(event) else { return Ok(None) };
            note(&mut subscription);
            save(connection, None, &subscription)?;
            Ok(Some((subscription, effect)))
        })
        .await
    }

    /// Subscriptions whose time has come, and those that wait for what an order comes to.
    pub async fn subscriptions_to_look_at(
        &self,
        now: Timestamp,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM subscriptions WHERE due_at <= ?1
                       OR state IN ('pending', 'charging', 'retrying', 'past_due')
                       ORDER BY id LIMIT ?2";
            all(connection, sql, (now.millis(), TAKEN_MAX), read)
        })
        .await
    }

    /// When the next subscription is due.
    pub async fn next_subscription_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT MIN(due_at) FROM subscriptions WHERE due_at IS NOT NULL";
            let at: Option<i64> = optional(connection, sql, [], |row| row.get(0))?.flatten();
            Ok(at.map(Timestamp::from_millis))
        })
        .await
    }

    /// The subscriptions of a visitor, or all, newest first.
    pub async fn subscriptions(
        &self,
        visitor: Option<i64>,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM subscriptions WHERE ?1 IS NULL OR visitor = ?1
                       ORDER BY id DESC LIMIT ?2";
            all(connection, sql, (visitor, TAKEN_MAX), read)
        })
        .await
    }
}

fn customer_of(connection: &Connection, visitor: i64) -> Result<Option<CustomerId>, StoreError> {
    let sql = "SELECT public_id FROM card_customers WHERE visitor = ?1";
    let found: Option<[u8; 16]> = optional(connection, sql, [visitor], |row| row.get(0))?;
    Ok(found.map(CustomerId::from_bytes))
}

fn load(
    connection: &Connection,
    id: SubscriptionId,
) -> Result<Option<(i64, Subscription)>, StoreError> {
    let sql = "SELECT * FROM subscriptions WHERE public_id = ?1";
    let found = all(connection, sql, [id.bytes()], |row| Ok((row.get("visitor")?, read(row)?)))?;
    Ok(found.into_iter().next())
}

fn read(row: &Row<'_>) -> Result<Subscription, StoreError> {
    let (state, code): (String, String) = (row.get("state")?, row.get("currency")?);
    let currency =
        Currency::parse(&code).map_err(|_| StoreError::corrupt(format!("currency = {code}")))?;
    let price = MinorUnits::new(row.get("price")?).map_err(|_| StoreError::corrupt("price"))?;
    let time = |name: &str| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.get::<_, Option<i64>>(name)?.map(Timestamp::from_millis))
    };
    let card: Option<[u8; 16]> = row.get("card")?;
    Ok(Subscription {
        id: SubscriptionId::from_bytes(row.get("public_id")?),
        customer: Customer { name: row.get("customer_name")?, email: row.get("customer_email")? },
        gateway_customer: CustomerId::from_bytes(row.get("gateway_customer")?),
        card: card.map(CardId::from_bytes),
        price: Money::new(price, currency),
        state: State::parse(&state)
            .ok_or_else(|| StoreError::corrupt(format!("state = {state}")))?,
        started_at: time("started_at")?,
        months: row.get("months")?,
        retries: row.get("retries")?,
        order: OrderId::from_bytes(row.get("order")?),
        due_at: time("due_at")?,
        reason: row.get("reason")?,
        created_at: Timestamp::from_millis(row.get("created_at")?),
    })
}

fn save(
    connection: &Connection,
    visitor: Option<i64>,
    it: &Subscription,
) -> Result<(), StoreError> {
    let sql = r#"INSERT INTO subscriptions (public_id, visitor, customer_name, customer_email,
            gateway_customer, card, currency, price, state, started_at, months, retries, "order",
            due_at, reason, created_at)
        VALUES (:id, COALESCE(:visitor, (SELECT visitor FROM subscriptions WHERE public_id = :id)),
            :name, :email, :customer, :card, :currency, :price, :state, :started_at, :months,
            :retries, :order, :due_at, :reason, :created_at)
        ON CONFLICT (public_id) DO UPDATE SET card = :card, state = :state,
            started_at = :started_at, months = :months, retries = :retries, "order" = :order,
            due_at = :due_at, reason = :reason"#;
    connection.prepare_cached(sql)?.execute(named_params! {
        ":id": it.id.bytes(),
        ":visitor": visitor,
        ":name": it.customer.name,
        ":email": it.customer.email,
        ":customer": it.gateway_customer.bytes(),
        ":card": it.card.as_ref().map(CardId::bytes),
        ":currency": it.price.currency.code(),
        ":price": it.price.value.get(),
        ":state": it.state.as_str(),
        ":started_at": it.started_at.map(Timestamp::millis),
        ":months": it.months,
        ":retries": it.retries,
        ":order": it.order.bytes(),
        ":due_at": it.due_at.map(Timestamp::millis),
        ":reason": it.reason,
        ":created_at": it.created_at.millis(),
    })?;
    Ok(())
}
