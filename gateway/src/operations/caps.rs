//! Amount caps: looked at in the transaction in which an attempt is recorded, so that of many at
//! the same time only those pass that fit.

use rusqlite::Connection;
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::Context;
use super::failure::Failure;
use crate::domain::caps::{Exceeded, OverCap, Share, begin_of, changes, day_of, shares};
use crate::domain::card::Fingerprint;
use crate::domain::payment::{Payment, State};
use crate::store::caps::{self, Account};
use crate::store::payments;

/// What is about to be asked of a card.
pub(super) struct Asked<'a> {
    /// By which payment.
    pub payment: &'a Payment,
    /// Of which card.
    pub card: &'a Fingerprint,
    /// How much.
    pub amount: MinorUnits,
    /// When.
    pub at: Timestamp,
    /// Whether its capture can wait for a person: what is converted is taken at once.
    pub may_wait: bool,
}

/// Refuses more than one payment may ask for.
pub(super) fn check_payment(context: &Context, amount: MinorUnits) -> Result<(), Failure> {
    Ok(context.settings.limits.caps.check_payment(amount).inspect_err(note)?)
}

/// Looks at the caps of the day. True when one is exceeded and a person is to look: by
/// `over_cap = review`; else that is refused.
pub(super) fn check_day(
    context: &Context,
    connection: &Connection,
    asked: &Asked<'_>,
) -> Result<bool, Failure> {
    let caps = context.settings.limits.caps;
    // A payment that takes no card now says so itself.
    let takes = matches!(asked.payment.state, State::RequiresPaymentMethod | State::Authorized);
    if !caps.are_daily() || !takes || asked.amount.is_zero() {
        return Ok(false);
    }
    let spent = caps::spent(connection, &account(asked.payment, day_of(asked.at)), asked.card)?;
    match caps.check_day(spent, asked.amount).inspect_err(note) {
        Ok(()) => Ok(false),
        Err(_) if caps.over == OverCap::Review && asked.may_wait => Ok(true),
        Err(exceeded) => Err(exceeded.into()),
    }
}

fn note(exceeded: &Exceeded) {
    let (cap, left, asked) = (exceeded.cap.as_str(), exceeded.left, exceeded.asked);
    tracing::warn!(cap, left, asked, "a cap is exceeded");
}

fn account(payment: &Payment, day: i64) -> Account<'_> {
    Account { merchant: &payment.merchant, currency: payment.currency, day }
}

/// Keeps the totals of the day while a payment changes. Without caps there are none.
pub(super) fn count(
    context: &Context,
    connection: &Connection,
    before: &Payment,
    after: &Payment,
) -> Result<(), Failure> {
    if !context.settings.limits.caps.are_daily() {
        return Ok(());
    }
    for (old, new) in changes(before, after) {
        // An attempt may wait for its cardholder over midnight, and is sent on the next day.
        if old.day == new.day {
            add(connection, after, &new, signed(new.amount).saturating_sub(signed(old.amount)))?;
        } else {
            add(connection, after, &old, signed(old.amount).saturating_neg())?;
            add(connection, after, &new, signed(new.amount))?;
        }
    }
    Ok(())
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

fn add(
    connection: &Connection,
    payment: &Payment,
    share: &Share,
    amount: i64,
) -> Result<(), Failure> {
    if amount != 0 {
        caps::add(connection, &account(payment, share.day), &share.card, amount)?;
    }
    Ok(())
}

/// Counts the day anew: it may have begun without caps, or with others.
pub(super) fn count_anew(
    context: &Context,
    connection: &Connection,
    at: Timestamp,
) -> Result<(), Failure> {
    if !context.settings.limits.caps.are_daily() {
        return Ok(());
    }
    caps::forget_all(connection)?;
    let today = day_of(at);
    for row in caps::attempted_since(connection, begin_of(today))? {
        let Some(stored) = payments::load_row(connection, row)? else { continue };
        for share in shares(&stored.payment).iter().filter(|share| share.day >= today) {
            add(connection, &stored.payment, share, signed(share.amount))?;
        }
    }
    Ok(())
}
