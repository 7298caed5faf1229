//! Looking at payments and refunds.

use std::str::FromStr;

use wire::codes::DeclineCode;
use wire::gateway_api::{Page, PaymentStatus, PaymentView, RefundView};
use wire::ids::{MerchantId, PaymentId, RefundId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::failure::Failure;
use super::{Context, view};
use crate::domain::payment::Payment;
use crate::store::payments::{self, Filter, Position, Stored};
use crate::store::{cases, refunds};

/// Payments on a page unless asked otherwise.
pub const PAGE_DEFAULT: u32 = 10;
/// Most payments on a page.
pub const PAGE_MAX: u32 = 100;

/// Which payments a merchant wants to see, and which page of them.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Which payments.
    pub filter: Filter,
    /// Which page.
    pub position: Position,
    /// How many.
    pub limit: u32,
}

impl Listing {
    /// Reads the parameters of a list; each may stand once.
    pub fn parse<'q>(pairs: impl IntoIterator<Item = (&'q str, &'q str)>) -> Result<Self, Failure> {
        let mut filter = Filter::default();
        let (mut after, mut before) = (None, None);
        let mut limit = PAGE_DEFAULT;
        for (name, value) in pairs {
            match name {
                "status" => filter.states = view::states_of(read::<PaymentStatus>(name, value)?),
                "order_reference" => filter.order_reference = Some(value.to_owned()),
                "created_after" => filter.created_after = Some(read::<Timestamp>(name, value)?),
                "created_before" => filter.created_before = Some(read::<Timestamp>(name, value)?),
                "amount_min" => filter.amount_min = Some(amount(name, value)?),
                "amount_max" => filter.amount_max = Some(amount(name, value)?),
                "card_last4" => filter.card_last4 = Some(last4(value)?),
                "decline_code" => {
                    filter.decline_code = Some(read::<DeclineCode>(name, value)?.to_string());
                }
                "after" => after = Some(read::<PaymentId>(name, value)?),
                "before" => before = Some(read::<PaymentId>(name, value)?),
                "limit" => limit = page_size(value)?,
                _ => {
                    let detail = "this list has no such parameter";
                    return Err(Failure::invalid("parameter_unknown", name, detail));
                }
            }
        }
        let position = match (after, before) {
            (None, None) => Position::First,
            (Some(id), None) => Position::After(id),
            (None, Some(id)) => Position::Before(id),
            (Some(_), Some(_)) => {
                let detail = "give `after` or `before`, not both";
                return Err(Failure::invalid("parameter_conflict", "before", detail));
            }
        };
        Ok(Self { filter, position, limit })
    }
}

fn invalid(name: &str, detail: impl Into<String>) -> Failure {
    Failure::invalid("parameter_invalid", name, detail)
}

fn read<T: FromStr>(name: &str, value: &str) -> Result<T, Failure>
where
    T::Err: std::fmt::Display,
{
    value.parse().map_err(|error: T::Err| invalid(name, error.to_string()))
}

fn amount(name: &str, value: &str) -> Result<MinorUnits, Failure> {
    let number: i64 =
        value.parse().map_err(|_| invalid(name, "not a whole number of minor units"))?;
    MinorUnits::new(number).map_err(|error| invalid(name, error.to_string()))
}

fn last4(value: &str) -> Result<String, Failure> {
    let four = value.len() == 4 && value.bytes().all(|byte| byte.is_ascii_digit());
    four.then(|| value.to_owned()).ok_or_else(|| invalid("card_last4", "not four digits"))
}

fn page_size(value: &str) -> Result<u32, Failure> {
    let size = value.parse().ok().filter(|size| (1..=PAGE_MAX).contains(size));
    size.ok_or_else(|| invalid("limit", format!("not a number from 1 to {PAGE_MAX}")))
}

/// One payment of a merchant.
pub async fn payment(
    context: &Context,
    merchant: MerchantId,
    id: PaymentId,
) -> Result<Payment, Failure> {
    let load = move |connection: &rusqlite::Connection| -> Result<Payment, Failure> {
        let found = payments::load(connection, &merchant, &id)?;
        Ok(found.ok_or(Failure::PaymentNotFound)?.payment)
    };
    context.database.read(load).await
}

/// One payment as its merchant sees it.
pub async fn read_payment(
    context: &Context,
    merchant: MerchantId,
    id: PaymentId,
) -> Result<PaymentView, Failure> {
    let load = move |connection: &rusqlite::Connection| -> Result<PaymentView, Failure> {
        let found = payments::load(connection, &merchant, &id)?;
        let payment = found.ok_or(Failure::PaymentNotFound)?.payment;
        let mut view = view::payment(&payment);
        view.amounts.charged_back = cases::charged_back(connection, &id)?;
        Ok(view)
    };
    let view = context.database.read(load).await?;
    Ok(view::with_secrets(view, &context.client_secrets))
}

/// One refund of a merchant.
pub async fn read_refund(
    context: &Context,
    merchant: MerchantId,
    id: RefundId,
) -> Result<RefundView, Failure> {
    let load = move |connection: &rusqlite::Connection| -> Result<RefundView, Failure> {
        let row = refunds::payment_of(connection, &id)?.ok_or(Failure::RefundNotFound)?;
        let found = payments::load_row(connection, row)?;
        let owned = found.filter(|stored| stored.payment.merchant == merchant);
        let payment = owned.ok_or(Failure::RefundNotFound)?.payment;
        let refund = payment.refunds.iter().find(|refund| refund.id == id);
        refund.map(|refund| view::refund(&payment, refund)).ok_or(Failure::RefundNotFound)
    };
    context.database.read(load).await
}

/// A page of a merchant's payments, newest first.
pub async fn list(
    context: &Context,
    merchant: MerchantId,
    listing: Listing,
) -> Result<Page<PaymentView>, Failure> {
    let Listing { filter, position, limit } = listing;
    let load = move |connection: &rusqlite::Connection| -> Result<Vec<Stored>, Failure> {
        Ok(payments::list(connection, &merchant, &filter, position, limit)?)
    };
    let mut found = context.database.read(load).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > shown;
    found.truncate(shown);
    if matches!(position, Position::Before(_)) {
        found.reverse();
    }
    let secrets = &context.client_secrets;
    let shown = |stored: Stored| view::with_secrets(view::payment(&stored.payment), secrets);
    Ok(Page { data: found.into_iter().map(shown).collect(), has_more })
}
