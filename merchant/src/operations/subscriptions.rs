//! Saved cards and subscriptions: the first month by the customer, the others by the shop when they
//! are due.

use sha2::{Digest, Sha256};
use wire::codes::Advice;
use wire::gateway_api::{CreateCustomer, StoredCardView};
use wire::ids::{CardId, CustomerId, OrderId, SubscriptionId};
use wire::time::Timestamp;

use crate::domain::catalogue::{self, Plan};
use crate::domain::customer::Customer;
use crate::domain::order::{Line, Order, State as OrderState, Status, Unpaid};
use crate::domain::payment::Status as PaymentStatus;
use crate::domain::subscription::{Effect, Event, FIRST_PAYMENT_WITHIN, State, Subscription};
use crate::gateway::{Failure, How};
use crate::keys::sha256;
use crate::store::orders::{Placed, Placement};

use super::pay::NextStep;
use super::{Context, Trouble, pay};

/// The customer at the gateway of a browser, if cards are saved for it.
pub async fn customer(context: &Context, cookie: &str) -> Result<Option<CustomerId>, Trouble> {
    match context.store.visitor(sha256(cookie.as_bytes())).await? {
        Some(visitor) => Ok(context.store.card_customer(visitor.row).await?),
        None => Ok(None),
    }
}

/// Has cards saved for a browser from now on.
pub async fn save_cards(
    context: &Context,
    cookie: &str,
    who: Option<&Customer>,
) -> Result<(i64, CustomerId), Trouble> {
    let now = context.clock.now();
    let visitor = context.store.know_visitor(sha256(cookie.as_bytes()), now).await?;
    if let Some(known) = context.store.card_customer(visitor.row).await? {
        return Ok((visitor.row, known));
    }
    let request = CreateCustomer {
        reference: Some(format!("visitor-{}", visitor.row)),
        name: who.map(|who| who.name.clone()),
        email: who.map(|who| who.email.clone()),
    };
    let key = format!("visitor-{}-{}", visitor.row, now.millis());
    let made = context.gateway.create_customer(&request, &key).await.map_err(silent)?;
    let customer = context.store.keep_card_customer(visitor.row, made.id, now).await?;
    Ok((visitor.row, customer))
}

fn silent(failure: Failure) -> Trouble {
    match failure {
        Failure::Refused { status: 404, .. } => Trouble::NotThere,
        Failure::Refused { .. } | Failure::Unknown(_) => Trouble::GatewaySilent,
    }
}

/// The saved cards of a browser that can pay.
pub async fn cards(context: &Context, cookie: &str) -> Result<Vec<StoredCardView>, Trouble> {
    let mut cards = all_cards(context, cookie).await?;
    cards.retain(|card| card.status == "active");
    Ok(cards)
}

/// The saved cards of a browser, also those that are closed; none when the gateway does not answer.
pub async fn all_cards(context: &Context, cookie: &str) -> Result<Vec<StoredCardView>, Trouble> {
    let Some(customer) = customer(context, cookie).await? else { return Ok(Vec::new()) };
    match context.gateway.cards(customer).await {
        Ok(cards) => Ok(cards),
        Err(failure) => {
            tracing::warn!(%failure, "saved cards cannot be shown");
            Ok(Vec::new())
        }
    }
}

/// Has a saved card of a browser forgotten.
pub async fn forget_card(context: &Context, cookie: &str, card: CardId) -> Result<(), Trouble> {
    let customer = customer(context, cookie).await?.ok_or(Trouble::NotThere)?;
    context.gateway.delete_card(customer, card).await.map_err(silent)
}

/// Pays an order with a saved card: one click, no payment page.
pub async fn pay_with_card(
    context: &Context,
    cookie: &str,
    order: OrderId,
    card: CardId,
) -> Result<NextStep, Trouble> {
    let customer = customer(context, cookie).await?.ok_or(Trouble::NotThere)?;
    pay::pay_how(context, order, false, How::Saved(customer, card)).await
}

/// Begins a subscription: an order for the first month, which the customer pays.
pub async fn subscribe(
    context: &Context,
    cookie: &str,
    who: Customer,
) -> Result<(SubscriptionId, OrderId), Trouble> {
    let (visitor, customer) = save_cards(context, cookie, Some(&who)).await?;
    let plan = catalogue::plan().ok_or(Trouble::NotThere)?;
    let id = context.ids.with(SubscriptionId::new);
    let order = month(context, id, &who, &plan, 1).await?;
    context.store.let_see(visitor, order).await?;
    let now = context.clock.now();
    let subscription = Subscription {
        id,
        customer: who,
        gateway_customer: customer,
        card: None,
        price: plan.price,
        state: State::Pending,
        started_at: None,
        months: 0,
        retries: 0,
        order,
        due_at: Some(now.plus(FIRST_PAYMENT_WITHIN)),
        reason: None,
        created_at: now,
    };
    context.store.add_subscription(visitor, subscription).await?;
    context.due.wake();
    Ok((id, order))
}

/// The order of one month; placed once, however often it is asked for.
async fn month(
    context: &Context,
    id: SubscriptionId,
    who: &Customer,
    plan: &Plan,
    number: u32,
) -> Result<OrderId, Trouble> {
    let key: [u8; 32] = Sha256::digest(format!("subscription/{id}/{number}")).into();
    let line = Line {
        sku: plan.sku.to_owned(),
        name: plan.name.to_owned(),
        quantity: 1,
        unit_price: plan.price.value,
    };
    let order = Order {
        id: context.ids.with(OrderId::new),
        customer: who.clone(),
        lines: vec![line],
        total: plan.price,
        state: OrderState::Unpaid(Unpaid::Awaiting),
        attention: None,
        payments: Vec::new(),
        refunds: Vec::new(),
        placed_at: context.clock.now(),
    };
    let placement = Placement { order, checkout_key: Some(key), digest: key, cart: None };
    match context.store.place(placement).await? {
        Placed::New(order) | Placed::Again(order) => Ok(order),
        Placed::CartChanged | Placed::KeyReused => Err(Trouble::NoOrder),
    }
}

/// Ends a subscription of a browser.
pub async fn cancel(context: &Context, cookie: &str, id: SubscriptionId) -> Result<(), Trouble> {
    let visitor = context.store.visitor(sha256(cookie.as_bytes())).await?;
    let found = context.store.subscription(id).await?;
    let own = found.zip(visitor).is_some_and(|((owner, _), visitor)| owner == visitor.row);
    if !own {
        return Err(Trouble::NotThere);
    }
    context.store.change_subscription(id, Event::CanceledByCustomer, |_| {}).await?;
    Ok(())
}

/// The subscriptions of a browser.
pub async fn own(context: &Context, cookie: &str) -> Result<Vec<Subscription>, Trouble> {
    match context.store.visitor(sha256(cookie.as_bytes())).await? {
        Some(visitor) => Ok(context.store.subscriptions(Some(visitor.row)).await?),
        None => Ok(Vec::new()),
    }
}

/// Does what is due for subscriptions.
pub(super) async fn work(context: &Context) -> Result<(), Trouble> {
    let now = context.clock.now();
    for subscription in context.store.subscriptions_to_look_at(now).await? {
        if is_not_charged_yet(context, &subscription).await? {
            charge(context, &subscription).await?;
            continue;
        }
        let Some(event) = look(context, &subscription, now).await? else { continue };
        let card = match event {
            Event::Paid(_) => paying_card(context, &subscription).await?,
            Event::Due(_) | Event::Declined { .. } | Event::CanceledByCustomer => None,
        };
        // The order of the next month is there before the subscription points to it.
        let next = match (subscription.state, event) {
            (State::Active, Event::Due(_)) => Some(next_month(context, &subscription).await?),
            _ => None,
        };
        let refused = match event {
            Event::Declined { advice: Advice::UpdateCard, .. } => {
                why_refused(context, &subscription).await
            }
            _ => None,
        };
        let note = move |it: &mut Subscription| {
            it.card = card.or(it.card);
            it.order = next.unwrap_or(it.order);
            if it.state == State::PastDue {
                it.reason = refused.map(str::to_owned);
            }
        };
        let changed = context.store.change_subscription(subscription.id, event, note).await?;
        if let Some((subscription, Some(effect))) = changed {
            follow(context, &subscription, effect).await?;
        }
    }
    Ok(())
}

/// The program ended between the beginning of a charge and its payment.
async fn is_not_charged_yet(
    context: &Context,
    subscription: &Subscription,
) -> Result<bool, Trouble> {
    if subscription.state != State::Charging {
        return Ok(false);
    }
    let stored = context.store.order(subscription.order).await?.ok_or(Trouble::NoOrder)?;
    Ok(stored.order.payments.is_empty())
}

async fn next_month(context: &Context, subscription: &Subscription) -> Result<OrderId, Trouble> {
    let plan = catalogue::plan().ok_or(Trouble::NotThere)?;
    let plan = Plan { price: subscription.price, ..plan };
    let number = subscription.months.saturating_add(1);
    let order = month(context, subscription.id, &subscription.customer, &plan, number).await?;
    if let Some((visitor, _)) = context.store.subscription(subscription.id).await? {
        context.store.let_see(visitor, order).await?;
    }
    Ok(order)
}

/// What has happened to a subscription.
async fn look(
    context: &Context,
    subscription: &Subscription,
    now: Timestamp,
) -> Result<Option<Event>, Trouble> {
    let stored = context.store.order(subscription.order).await?.ok_or(Trouble::NoOrder)?;
    let order = stored.order;
    let waits = subscription.state != State::Active;
    if waits && order.status() == Status::Paid {
        return Ok(Some(Event::Paid(now)));
    }
    if subscription.state == State::Charging
        && let Some(payment) = order.current()
    {
        match payment.status {
            PaymentStatus::Failed => {
                return declined(context, subscription.order, payment.id, now).await.map(Some);
            }
            // The gateway did not make the payment: no agreement, or no card any more.
            PaymentStatus::Refused | PaymentStatus::Canceled | PaymentStatus::Expired => {
                let advice = Advice::UpdateCard;
                return Ok(Some(Event::Declined { advice, retry_at: None, at: now }));
            }
            PaymentStatus::Creating
            | PaymentStatus::Open
            | PaymentStatus::Checking
            | PaymentStatus::Authorized
            | PaymentStatus::Captured
            | PaymentStatus::CaptureFailed => {}
        }
    }
    let due = subscription.due_at.is_some_and(|due| due <= now);
    Ok(due.then_some(Event::Due(now)))
}

/// Why a charge was declined, and what the bank advises.
async fn declined(
    context: &Context,
    order: OrderId,
    payment: Option<wire::ids::PaymentId>,
    now: Timestamp,
) -> Result<Event, Trouble> {
    let payment = payment.ok_or(Trouble::NotThere)?;
    let view = context.gateway.payment_view(order, payment).await.map_err(silent)?;
    let failure = view.failure.as_ref();
    Ok(Event::Declined {
        advice: failure.map_or(Advice::DoNotRetry, |failure| failure.advice),
        retry_at: failure.and_then(|failure| failure.retry_after),
        at: now,
    })
}

/// What the gateway has learned of the saved card that could not be charged.
async fn why_refused(context: &Context, subscription: &Subscription) -> Option<&'static str> {
    let cards = context.gateway.cards(subscription.gateway_customer).await.ok()?;
    let card = cards.iter().find(|card| Some(card.id) == subscription.card)?;
    match card.status.as_str() {
        "closed" => Some("card_closed"),
        "contact_issuer" => Some("card_contact"),
        _ => None,
    }
}

/// The saved card that paid a month.
async fn paying_card(
    context: &Context,
    subscription: &Subscription,
) -> Result<Option<CardId>, Trouble> {
    let stored = context.store.order(subscription.order).await?.ok_or(Trouble::NoOrder)?;
    let Some(payment) = stored.order.current().and_then(|payment| payment.id) else {
        return Ok(None);
    };
    let view = context.gateway.payment_view(subscription.order, payment).await.map_err(silent)?;
    Ok(view.stored_card)
}

async fn follow(
    context: &Context,
    subscription: &Subscription,
    effect: Effect,
) -> Result<(), Trouble> {
    match effect {
        Effect::ChargeNextMonth | Effect::ChargeAgain => charge(context, subscription).await,
        Effect::AskCustomer => {
            tracing::info!(subscription.id = %subscription.id, "the customer is asked to pay");
            Ok(())
        }
    }
}

/// Charges the current month to the saved card.
async fn charge(context: &Context, subscription: &Subscription) -> Result<(), Trouble> {
    let Some(card) = subscription.card else { return Ok(()) };
    let how = How::ByShop(subscription.gateway_customer, card);
    pay::pay_how(context, subscription.order, false, how).await?;
    context.due.wake();
    Ok(())
}
