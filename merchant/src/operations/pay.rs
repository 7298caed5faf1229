//! Taking a customer to the payment page: one open payment per order, made once.

use wire::ids::OrderId;
use wire::time::Timestamp;

use crate::domain::order::{Order, Refusal};
use crate::domain::payment::{Payment, Status};
use crate::gateway::payment_request;
use crate::store::orders::Outcome;

use super::refresh::{self, Refreshed};
use super::{Context, Trouble};

/// Where to send the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// To the payment page.
    Checkout(String),
    /// To the order's page: it tells why there is nothing to pay.
    Order,
    /// To the order's page: the gateway did not answer; it is asked again in the background.
    Later,
}

/// Opens a payment for an order, or finds the one that is open. `with_key`: the customer has no
/// cookie, so the way back carries the order's key.
pub async fn pay(context: &Context, id: OrderId, with_key: bool) -> Result<NextStep, Trouble> {
    // Twice at most: a payment that turns out to have ended is replaced once.
    for _ in 0..2 {
        let number = match begin(context, id, with_key).await? {
            Ok(number) => number,
            Err(Refusal::AlreadyPaid | Refusal::BeingChecked | Refusal::TooManyPayments) => {
                return Ok(NextStep::Order);
            }
        };
        match refresh::refresh(context, id, number).await? {
            Refreshed::Open { checkout_url } => return Ok(NextStep::Checkout(checkout_url)),
            Refreshed::Unreachable => return Ok(NextStep::Later),
            Refreshed::Ended => {}
            Refreshed::Busy => return Ok(NextStep::Order),
        }
    }
    Ok(NextStep::Order)
}

async fn begin(
    context: &Context,
    id: OrderId,
    with_key: bool,
) -> Result<Result<u32, Refusal>, Trouble> {
    let now = context.clock.now();
    let return_url = context.return_url(id, with_key);
    let begun = context.store.decide(id, now, move |order: &mut Order| {
        let before = order.payments.len();
        let number =
            order.begin_payment(|order, number| begin_with(order, number, &return_url, now))?;
        let outcome = Outcome::of(number);
        Ok(if order.payments.len() > before {
            outcome.noting("customer", format!("Payment {number} begun"))
        } else {
            outcome
        })
    });
    begun.await?.ok_or(Trouble::NoOrder)
}

/// The request is written down before it is sent: every repeat sends the same bytes.
fn begin_with(order: &Order, number: u32, return_url: &str, now: Timestamp) -> Payment {
    let key = format!("{}-payment-{number}", order.id);
    let request = payment_request(order, &key, return_url);
    let mut payment = Payment::begin(number, key, request, now);
    payment.read_due_at = Some(now.plus(payment.patience(now)));
    debug_assert_eq!(payment.status, Status::Creating);
    payment
}
