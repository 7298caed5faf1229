//! What becomes of cards: they are replaced, renewed, closed, and stop orders are used up.

use std::sync::Arc;
use std::time::Duration;

use wire::card::{CardNumber, Expiry};
use wire::codes::ResponseCode;
use wire::ids::{AccountId, CardId};

use super::Context;
use super::card_table::IssuedCard;
use super::control_cards::{CardError, new_number};
use super::translate::TakeError;
use crate::domain::behaviour::LifeChange;
use crate::domain::checks::{CardControls, CardStatus};
use crate::domain::patch::Patch;
use crate::domain::stop_order::{self, Reach};
use crate::domain::updater::KnownCard;
use crate::store::{CardChange, CardRows, NewCard, StoredCard};

/// Cards that took each other's place, one after the other.
const REPLACEMENTS_MAX: usize = 16;
/// How long a new card is good for.
const YEARS_OF_A_CARD: u16 = 4;
const YEAR: Duration = Duration::from_hours(365 * 24);

/// The payment account reference of a card: 29 characters that the cards of a chain share.
pub fn account_reference(context: &Context, card: &IssuedCard) -> String {
    match card.state().account_reference {
        Some(reference) => reference.to_string(),
        None => derived_reference(context, &card.number),
    }
}

fn derived_reference(context: &Context, number: &CardNumber) -> String {
    let digest = context.business_digest(&[b"account reference", number.expose().as_bytes()]);
    let text = data_encoding::BASE32_NOPAD.encode(&digest.0);
    format!("V001{}", text.chars().take(25).collect::<String>())
}

/// The reference of a number, whether or not a card was issued under it.
pub fn reference_of(context: &Context, number: &CardNumber) -> String {
    match context.cards.find(number) {
        Some(card) => account_reference(context, &card),
        None => derived_reference(context, number),
    }
}

/// The card that pays and is paid now in the place of another, if that carries this reference.
pub fn latest(
    context: &Context,
    card: &Arc<IssuedCard>,
    reference: Option<&str>,
) -> Arc<IssuedCard> {
    if reference != Some(account_reference(context, card).as_str()) {
        return card.clone();
    }
    end_of_chain(context, card)
}

fn end_of_chain(context: &Context, card: &Arc<IssuedCard>) -> Arc<IssuedCard> {
    let mut last = card.clone();
    for _ in 0..REPLACEMENTS_MAX {
        let Some(row) = last.state().replaced_by else { break };
        let Some(next) = context.cards.by_row(row) else { break };
        last = next;
    }
    last
}

/// A card as the account updater looks at it, and the card that stands in its place.
pub fn known(context: &Context, card: &Arc<IssuedCard>) -> (KnownCard, Arc<IssuedCard>) {
    let last = end_of_chain(context, card);
    let state = last.state();
    let known = KnownCard {
        status: state.status,
        replaced: last.number != card.number,
        expiry: state.expiry,
        contact_wanted: state.controls.contact_wanted,
        opted_out: state.controls.updater_opt_out || card.state().controls.updater_opt_out,
    };
    (known, last)
}

/// Issues a new card of the same account in the place of another.
pub async fn replace(context: &Context, card: &IssuedCard) -> Result<StoredCard, CardError> {
    let state = card.state();
    if !state.status.may_become(CardStatus::Replaced) {
        return Err(CardError::Status { from: state.status, to: CardStatus::Replaced });
    }
    let (row, account) = rows(context, card).await?;
    let now = context.clock().now();
    let later = now.plus(YEAR.saturating_mul(u32::from(YEARS_OF_A_CARD))).utc();
    let new = NewCard {
        card_id: context.plumbing.ids.with(CardId::new),
        account_id: context.plumbing.ids.with(AccountId::new),
        account: Some(account),
        number: new_number(context, card.brand()).await?,
        alias: None,
        issuer: card.issuer.id,
        expiry: date(later.month, later.year),
        status: CardStatus::Active,
        terms: state.terms,
        at: now,
    };
    let reference = account_reference(context, card);
    let (old, next) = context.store.replace_card(row, new, reference).await?;
    context.cards.take_over(&old)?;
    context.cards.take_over(&next)?;
    Ok(old)
}

/// A date in the future, where it can be one.
pub fn date(month: i64, year: i64) -> Option<Expiry> {
    Expiry::new(u8::try_from(month).ok()?, u16::try_from(year).ok()?).ok()
}

/// The rows of a card and its account; written when this is its first use.
pub async fn rows(context: &Context, card: &IssuedCard) -> Result<(i64, i64), CardError> {
    match card.rows(context, &card.state()) {
        CardRows::Stored { card, account } => Ok((card, account)),
        CardRows::Missing(new) => {
            let stored = context.store.issue_card(*new).await?;
            context.cards.take_over(&stored)?;
            Ok((stored.id, stored.account))
        }
    }
}

/// What happened to a card in an authorization.
pub struct Happened<'h> {
    /// The card.
    pub card: Option<&'h IssuedCard>,
    /// Whether a payment was approved.
    pub paid: bool,
    /// The answer.
    pub code: ResponseCode,
    /// The merchant.
    pub merchant: Option<&'h str>,
    /// The merchant started the payment.
    pub by_merchant: bool,
    /// The date that was given.
    pub saved_with: Option<Expiry>,
}

/// Does what follows: the story of a card of the catalogue goes on, a stop order is used up.
pub async fn after(context: &Context, happened: &Happened<'_>) -> Result<(), TakeError> {
    let Some(card) = happened.card else { return Ok(()) };
    let done = if happened.by_merchant && happened.code == Reach::Next.code() {
        use_up(context, card, happened.merchant).await
    } else if let (true, Some(life)) = (happened.paid, card.behaviour.life) {
        live(context, card, (life, happened.saved_with)).await
    } else {
        return Ok(());
    };
    match done {
        Ok(()) => Ok(()),
        Err(CardError::Database(error)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "what follows for a card was not done");
            Ok(())
        }
    }
}

/// The order against the next payment has done its work.
async fn use_up(
    context: &Context,
    card: &IssuedCard,
    merchant: Option<&str>,
) -> Result<(), CardError> {
    let mut controls = CardControls::clone(&card.state().controls);
    let Some(order) = stop_order::stopping(&controls.stop_orders, merchant).cloned() else {
        return Ok(());
    };
    controls.stop_orders.retain(|it| *it != order);
    change(context, card, CardChange { controls: Some(controls), ..CardChange::default() }).await
}

/// The first payment with a card whose story goes on.
async fn live(
    context: &Context,
    card: &IssuedCard,
    (life, saved_with): (LifeChange, Option<Expiry>),
) -> Result<(), CardError> {
    let state = card.state();
    let begun = state.status != CardStatus::Active
        || state.expiry.is_some()
        || state.controls.contact_wanted;
    if begun {
        return Ok(());
    }
    let mut wanted = CardChange::default();
    match life {
        LifeChange::NewNumber => return replace(context, card).await.map(|_| ()),
        LifeChange::NewExpiry => {
            let Some(expiry) = saved_with else { return Ok(()) };
            let year = i64::from(expiry.year()).saturating_add(3);
            let next = date(i64::from(expiry.month()), year);
            wanted.expiry = next.map_or(Patch::Keep, Patch::Set);
        }
        LifeChange::Closed => wanted.status = Some(CardStatus::Closed),
        LifeChange::Contact => {
            let controls = CardControls::clone(&state.controls);
            wanted.controls = Some(CardControls { contact_wanted: true, ..controls });
        }
    }
    change(context, card, wanted).await
}

async fn change(context: &Context, card: &IssuedCard, wanted: CardChange) -> Result<(), CardError> {
    let (row, _) = rows(context, card).await?;
    let stored = context.store.change_card(row, wanted, context.clock().now()).await?;
    context.cards.take_over(&stored)?;
    Ok(())
}
