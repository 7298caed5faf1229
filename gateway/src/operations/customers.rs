//! Customers: known by an id, exported and erased when they ask for it.

use rusqlite::Connection;
use serde::Serialize;
use wire::gateway_api::{
    CreateCustomer, CustomerExport, CustomerView, Deleted, Page, PaymentView, StoredCardView,
};
use wire::ids::{CustomerId, MerchantId};

use super::announce::Occasion;
use super::create_payment::text;
use super::failure::Failure;
use super::idempotency::{Call, Claim, StoredAnswer, claim};
use super::{Context, stored_cards, view};
use crate::store::idempotency::{StoredBody, answer_with};
use crate::store::stored_cards::{self as rows, Customer};
use crate::store::{payments, vault};

const REFERENCE_CHARACTERS_MAX: usize = 64;
const NAME_CHARACTERS_MAX: usize = 100;
const EMAIL_CHARACTERS_MAX: usize = 254;
/// Customers of one page of a list.
const LIST_MAX: u32 = 100;

/// Does something once per idempotency key and keeps the answer, in one transaction.
pub(super) async fn once<T, F>(
    context: &Context,
    call: Call,
    status: u16,
    act: F,
) -> Result<StoredAnswer, Failure>
where
    T: Serialize,
    F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
{
    let now = context.plumbing.clock.now();
    let work = move |connection: &Connection| {
        let answer = |status, body: Vec<u8>, replayed| StoredAnswer {
            status,
            body: body.into(),
            is_problem: false,
            replayed,
            outcome_source: None,
        };
        let row = match claim(connection, &call, now)? {
            Claim::Go(row) => row,
            Claim::Answered(status, body) => {
                let (StoredBody::Own(body) | StoredBody::Payment(body) | StoredBody::Refund(body)) =
                    body;
                return Ok(answer(status, body, true));
            }
        };
        let body = serde_json::to_vec(&act(connection)?)?;
        if let Some(row) = row {
            answer_with(connection, row, status, &body)?;
        }
        Ok(answer(status, body, false))
    };
    context.database.write(work).await
}

/// Adds a customer.
pub async fn create(
    context: &Context,
    call: Call,
    request: CreateCustomer,
) -> Result<StoredAnswer, Failure> {
    let check = |value: &Option<String>, param: &str, longest: usize| {
        value.as_ref().map_or(Ok(()), |value| text(value, param, longest))
    };
    check(&request.reference, "reference", REFERENCE_CHARACTERS_MAX)?;
    check(&request.name, "name", NAME_CHARACTERS_MAX)?;
    check(&request.email, "email", EMAIL_CHARACTERS_MAX)?;
    if request.email.as_ref().is_some_and(|email| !email.contains('@')) {
        return Err(Failure::invalid("email_invalid", "email", "not a mail address"));
    }
    let merchant = call.merchant;
    let customer = Customer {
        id: context.plumbing.ids.with(CustomerId::new),
        reference: request.reference,
        name: request.name,
        email: request.email,
        created_at: context.plumbing.clock.now(),
    };
    once(context, call, 201, move |connection| {
        rows::insert_customer(connection, merchant, &customer)?;
        Ok(customer_view(&customer))
    })
    .await
}

fn customer_view(customer: &Customer) -> CustomerView {
    CustomerView {
        id: customer.id,
        object: "customer".to_owned(),
        reference: customer.reference.clone(),
        name: customer.name.clone(),
        email: customer.email.clone(),
        created_at: customer.created_at,
    }
}

/// One customer.
pub async fn read(
    context: &Context,
    merchant: MerchantId,
    id: CustomerId,
) -> Result<CustomerView, Failure> {
    let load = move |connection: &Connection| -> Result<_, Failure> {
        rows::customer(connection, &merchant, &id)?.ok_or(Failure::CustomerNotFound)
    };
    Ok(customer_view(&context.database.read(load).await?))
}

/// Customers, newest first.
pub async fn list(
    context: &Context,
    merchant: MerchantId,
    (after, limit): (Option<CustomerId>, u32),
) -> Result<Page<CustomerView>, Failure> {
    let limit = limit.clamp(1, LIST_MAX);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let load = move |connection: &Connection| -> Result<_, Failure> {
        Ok(rows::customers(connection, &merchant, after, limit.saturating_add(1))?)
    };
    let found = context.database.read(load).await?;
    let data = found.iter().take(wanted).map(customer_view).collect();
    Ok(Page { data, has_more: found.len() > wanted })
}

/// Everything that is known of a customer.
pub async fn export(
    context: &Context,
    merchant: MerchantId,
    id: CustomerId,
) -> Result<CustomerExport, Failure> {
    let exported_at = context.plumbing.clock.now();
    let load = move |connection: &Connection| -> Result<_, Failure> {
        let customer = rows::customer(connection, &merchant, &id)?;
        let customer = customer.ok_or(Failure::CustomerNotFound)?;
        let cards: Vec<StoredCardView> =
            rows::cards_of(connection, &id)?.iter().map(stored_cards::view).collect();
        let mut payments: Vec<PaymentView> = Vec::new();
        for row in rows::payments_of(connection, &id)? {
            payments
                .extend(payments::load_row(connection, row)?.map(|it| view::payment(&it.payment)));
        }
        Ok(CustomerExport { customer: customer_view(&customer), cards, payments, exported_at })
    };
    context.database.read(load).await
}

/// Erases a customer: saved cards, the cards of payments, name and address. Amounts, references
/// and dates stay: the books need them. Payments cannot be refunded to the card afterwards.
pub async fn erase(context: &Context, call: Call, id: CustomerId) -> Result<StoredAnswer, Failure> {
    let (inner, merchant) = (context.clone(), call.merchant);
    let occasion = Occasion { trace: call.trace, at: context.plumbing.clock.now() };
    let answer = once(context, call, 200, move |connection| {
        rows::customer(connection, &merchant, &id)?.ok_or(Failure::CustomerNotFound)?;
        for card in rows::cards_of(connection, &id)? {
            stored_cards::erase(&inner, connection, merchant, card, occasion)?;
        }
        for row in rows::payments_of(connection, &id)? {
            let Some(stored) = payments::load_row(connection, row)? else { continue };
            for attempt in &stored.payment.attempts {
                let token = attempt.card.token;
                vault::erase_card(connection, token, merchant, "customer_erased", occasion.at)?;
            }
            payments::forget_payer(connection, row, &stored.payment)?;
        }
        rows::erase_customer(connection, &id, occasion.at)?;
        Ok(Deleted { id: id.to_string(), object: "customer".to_owned(), deleted: true })
    })
    .await?;
    context.notifier.wake();
    Ok(answer)
}
