//! Taking a customer to the payment page: one open payment per order, made once.

use wire::ids::OrderId;
use wire::time::Timestamp;

use crate::domain::order::{Order, Refusal};
use crate::domain::payment::{Payment, Status};
use crate::gateway::{How, payment_request};
use crate::store::orders::Outcome;

use wire::ids::TokenId;
use wire::order_code::{self, OrderFields};

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
    /// To the sealed form, which the customer has not sent yet.
    Sealed,
}

/// An order for the classic form.
#[derive(Debug)]
pub enum Sealed {
    /// Names and values of the fields, with their code.
    Form(Vec<(&'static str, String)>),
    /// The gateway knows the payment already.
    Begun,
    /// There is nothing to pay, or no key to seal with.
    NotPayable,
}

/// Opens a payment for an order, or finds the one that is open. `with_key`: the customer has no
/// cookie, so the way back carries the order's key.
pub async fn pay(context: &Context, id: OrderId, with_key: bool) -> Result<NextStep, Trouble> {
    let terms = context.store.pay_terms(id).await?;
    let how = match (terms.customer, terms.subscription) {
        (None, _) => How::Page,
        (Some(customer), None) => How::Saving(customer),
        (Some(customer), Some(_)) => How::Subscribing(customer),
    };
    pay_how(context, id, with_key, how).await
}

/// Pays an order in one of the ways there are.
pub async fn pay_how(
    context: &Context,
    id: OrderId,
    with_key: bool,
    how: How,
) -> Result<NextStep, Trouble> {
    // A payment page that turns out to have ended is replaced once. What a saved card was declined
    // for is not tried again at once.
    let rounds = match how {
        How::Page | How::Saving(_) | How::Subscribing(_) => 2,
        How::Saved(..) | How::ByShop(..) => 1,
    };
    for _ in 0..rounds {
        let number = match begin(context, id, with_key, how).await? {
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
            Refreshed::Sealed => return Ok(NextStep::Sealed),
        }
    }
    Ok(NextStep::Order)
}

/// Seals an order into the fields of a form. The payment comes into being when the customer sends
/// it; until then the shop has only its key, which is the nonce of the seal.
pub async fn seal(context: &Context, id: OrderId) -> Result<Sealed, Trouble> {
    let Some(key) = &context.keys.order_code else { return Ok(Sealed::NotPayable) };
    let now = context.clock.now();
    let begun = context.store.decide(id, now, move |order: &mut Order| {
        let number = order.begin_payment(|order, number| {
            let key = format!("{}-payment-{number}", order.id);
            let mut payment = Payment::begin(number, key, Vec::new(), now);
            payment.read_due_at = Some(now.plus(payment.patience(now)));
            payment
        })?;
        let payment = order.payment(number).cloned();
        Ok::<_, Refusal>(Outcome::of(payment.map(|payment| (payment, order.total))))
    });
    let begun = begun.await?.ok_or(Trouble::NoOrder)?;
    context.due.wake();
    let Ok(Some((payment, total))) = begun else {
        return Ok(Sealed::NotPayable);
    };
    if payment.id.is_some() || !payment.request.is_empty() {
        return Ok(Sealed::Begun);
    }
    if now >= payment.form_expires_at() {
        return Ok(Sealed::NotPayable);
    }
    let merchant = context.rules.merchant.to_string();
    let order = id.to_string();
    let (amount, exponent) = (total.value.get().to_string(), total.currency.exponent().to_string());
    let return_url = context.return_url(id, false);
    let expires_at = payment.form_expires_at().seconds().to_string();
    let fields = OrderFields {
        merchant_id: &merchant,
        order_id: &order,
        amount: &amount,
        currency: total.currency.code(),
        exponent: &exponent,
        return_url: &return_url,
        expires_at: &expires_at,
        nonce: &payment.idempotency_key,
    };
    let code = order_code::code(key, &fields);
    Ok(Sealed::Form(vec![
        ("merchant_id", fields.merchant_id.to_owned()),
        ("order_id", fields.order_id.to_owned()),
        ("amount", fields.amount.to_owned()),
        ("currency", fields.currency.to_owned()),
        ("exponent", fields.exponent.to_owned()),
        ("return_url", fields.return_url.to_owned()),
        ("expires_at", fields.expires_at.to_owned()),
        ("nonce", fields.nonce.to_owned()),
        ("code", code),
    ]))
}

/// Pays with a token of the embedded fields, from server to server.
pub async fn with_token(context: &Context, id: OrderId, token: TokenId) -> Result<(), Trouble> {
    if !matches!(pay(context, id, false).await?, NextStep::Checkout(_)) {
        return Ok(());
    }
    let stored = context.store.order(id).await?.ok_or(Trouble::NoOrder)?;
    let current = stored.order.current().and_then(|it| Some((it.number, it.id?)));
    let Some((number, payment)) = current else { return Ok(()) };
    let key = format!("{id}-card-{token}");
    let confirmed = context.gateway.confirm_payment(id, payment, token, &key).await;
    if let Err(failure) = confirmed {
        tracing::warn!(order.id = %id, %failure, "not paid with the token");
    }
    refresh::refresh(context, id, number).await.map(drop)
}

async fn begin(
    context: &Context,
    id: OrderId,
    with_key: bool,
    how: How,
) -> Result<Result<u32, Refusal>, Trouble> {
    let now = context.clock.now();
    let return_url = context.return_url(id, with_key);
    let begun = context.store.decide(id, now, move |order: &mut Order| {
        let before = order.payments.len();
        let number = order
            .begin_payment(|order, number| begin_with(order, number, &return_url, (now, how)))?;
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
fn begin_with(
    order: &Order,
    number: u32,
    return_url: &str,
    (now, how): (Timestamp, How),
) -> Payment {
    let key = format!("{}-payment-{number}", order.id);
    let request = payment_request(order, &key, return_url, how);
    let mut payment = Payment::begin(number, key, request, now);
    payment.read_due_at = Some(now.plus(payment.patience(now)));
    debug_assert_eq!(payment.status, Status::Creating);
    payment
}
