//! Giving an order up: the gateway closes its payment first, so that no money can come later.

use wire::ids::{OrderId, PaymentId};

use crate::domain::order::{Event, Order, Refusal, State};
use crate::domain::payment::Source;
use crate::gateway::Failure;
use crate::store::orders::Outcome;

use super::{Context, Trouble, refresh};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceled {
    /// It is canceled, now or before.
    Done,
    /// It is paid.
    AlreadyPaid,
    /// The bank has not answered: it cannot be canceled now.
    BeingChecked,
    /// The gateway did not answer: try again.
    Unreachable,
}

/// Cancels an order that was not paid. `by`: who asked, for its history.
pub async fn cancel(context: &Context, id: OrderId, by: &str) -> Result<Canceled, Trouble> {
    if context.mutants.has("cancel_without_asking") {
        let now = context.clock.now();
        let gone = context.store.decide(id, now, move |order: &mut Order| {
            order.state = State::Canceled;
            Ok::<_, Trouble>(Outcome::of(()))
        });
        gone.await?.ok_or(Trouble::NoOrder)??;
        return Ok(Canceled::Done);
    }
    let (payment, since) = match find_open(context, id).await? {
        Found::Nothing => return give_up(context, id, by).await,
        Found::Unreachable => return Ok(Canceled::Unreachable),
        Found::Payment { id, sequence } => (id, sequence),
    };
    match context.gateway.cancel_payment(id, payment).await {
        Ok(shown) => {
            let now = context.clock.now();
            let source = by.to_owned();
            let taken = context.store.decide(id, now, move |order: &mut Order| {
                let seen = order.observe(&shown.snapshot, Source::Read { since }, now);
                let effects = seen.map(|it| it.effects).unwrap_or_default();
                let outcome = Outcome::of(()).with_effects(effects);
                Ok::<_, Trouble>(outcome.noting(source, "Asked to cancel the order"))
            });
            taken.await?.ok_or(Trouble::NoOrder)??;
        }
        Err(Failure::Unknown(_)) => return Ok(Canceled::Unreachable),
        // Too late to cancel: its state says why.
        Err(Failure::Refused { .. }) => refresh::refresh_current(context, id).await?,
    }
    context.due.wake();
    give_up(context, id, by).await
}

enum Found {
    Payment { id: PaymentId, sequence: u64 },
    Nothing,
    Unreachable,
}

/// The open payment. One whose answer was lost exists perhaps: it is found by its key.
async fn find_open(context: &Context, id: OrderId) -> Result<Found, Trouble> {
    for may_ask in [true, false] {
        let stored = context.store.order(id).await?.ok_or(Trouble::NoOrder)?;
        let Some(open) = stored.order.open_payment() else { return Ok(Found::Nothing) };
        if let Some(id) = open.id {
            return Ok(Found::Payment { id, sequence: open.sequence });
        }
        if may_ask {
            refresh::refresh(context, id, open.number).await?;
        }
    }
    Ok(Found::Unreachable)
}

/// Cancels an order without a payment that could still succeed.
async fn give_up(context: &Context, id: OrderId, by: &str) -> Result<Canceled, Trouble> {
    let now = context.clock.now();
    let source = by.to_owned();
    let done = context.store.decide(id, now, move |order: &mut Order| {
        if order.open_payment().is_some() {
            return Err(Refusal::BeingChecked);
        }
        let before = order.state.clone();
        order.apply(Event::GivenUp)?;
        let outcome = Outcome::of(());
        let news = before != State::Canceled;
        Ok(if news { outcome.noting(source, "Order canceled") } else { outcome })
    });
    Ok(match done.await?.ok_or(Trouble::NoOrder)? {
        Ok(()) => Canceled::Done,
        Err(Refusal::AlreadyPaid) => Canceled::AlreadyPaid,
        Err(Refusal::BeingChecked | Refusal::TooManyPayments) => Canceled::BeingChecked,
    })
}
