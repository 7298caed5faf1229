//! Asking the account updater what became of saved cards: before a merchant charges one, and after
//! a decline that it may explain.

use rusqlite::Connection;
use wire::events::EventType;
use wire::ids::{CardId, MerchantId, TokenId};
use wire::time::Timestamp;

use super::Context;
use super::announce::Occasion;
use super::failure::Failure;
use super::idempotency::Call;
use super::stored_cards::{self, WantedCard};
use crate::domain::stored_card::{CardState, StoredCard};
use crate::processor::{Outcome, Told};
use crate::store::stored_cards as rows;
use crate::store::vault::{Opening, Purpose, erase_card, keep_card, open_card};
use crate::vault::CardData;

/// Asks before a merchant charges a saved card, when it is due. What cannot be found out stays as
/// it is: the payment itself tells.
pub(super) async fn before_charge(context: &Context, call: &Call, wanted: WantedCard) {
    let merchant = call.merchant;
    let now = context.plumbing.clock.now();
    let load = move |connection: &Connection| {
        let card = stored_cards::find(connection, &merchant, &wanted)?;
        Ok::<_, Failure>(card)
    };
    let found = context.database.read(load).await.ok();
    if let Some(card) = found.filter(|card| card.is_update_due(now)) {
        ask(context, call, card.id).await;
    }
}

/// Asks after a decline.
pub(super) async fn after_decline(context: &Context, call: &Call, card: CardId) {
    let merchant = call.merchant;
    let now = context.plumbing.clock.now();
    let load = move |connection: &Connection| -> Result<_, Failure> {
        Ok(rows::card(connection, &merchant, &card)?)
    };
    let found = context.database.read(load).await.ok().flatten();
    if found.is_some_and(|card| card.is_decline_asked_about(now)) {
        ask(context, call, card).await;
    }
}

async fn ask(context: &Context, call: &Call, card: CardId) {
    let asked = ask_and_record(context, call, card).await;
    match asked {
        Ok(true) => context.notifier.wake(),
        Ok(false) => {}
        Err(failure) => tracing::warn!(card.id = %card, %failure, "no update of a saved card"),
    }
}

/// Whether the merchant has something to hear of.
async fn ask_and_record(context: &Context, call: &Call, id: CardId) -> Result<bool, Failure> {
    let identity = context.identities.next().await?;
    let (inner, merchant, at) = (context.clone(), call.merchant, identity.transmission_at);
    let opened = context
        .database
        .write(move |connection| open(&inner, connection, (merchant, id), at))
        .await?;
    let Some(data) = opened else { return Ok(false) };
    let told = match context.processor.ask_updater(&data, identity, call.trace).await {
        Outcome::Answered(told) => told,
        Outcome::NotSent | Outcome::Unanswered => return Ok(false),
    };
    let occasion = Occasion { trace: call.trace, at: context.plumbing.clock.now() };
    let inner = context.clone();
    context
        .database
        .write(move |connection| record(&inner, connection, (merchant, id), told, occasion))
        .await
}

fn open(
    context: &Context,
    connection: &Connection,
    (merchant, id): (MerchantId, CardId),
    now: Timestamp,
) -> Result<Option<CardData>, Failure> {
    let Some(card) = there(connection, merchant, id)? else { return Ok(None) };
    let token = card.card.token;
    let purpose = Purpose::Authorization;
    let opening = Opening { token, merchant, purpose, payment: None, now };
    Ok(Some(open_card(connection, &context.vault, &opening)?.data))
}

fn there(
    connection: &Connection,
    merchant: MerchantId,
    id: CardId,
) -> Result<Option<StoredCard>, Failure> {
    let found = rows::card(connection, &merchant, &id)?;
    Ok(found.filter(|card| card.state != CardState::Deleted))
}

/// Writes down what was told; the merchant hears of what has changed.
fn record(
    context: &Context,
    connection: &Connection,
    (merchant, id): (MerchantId, CardId),
    told: Told,
    occasion: Occasion,
) -> Result<bool, Failure> {
    // Erased while the question was on its way.
    let Some(mut card) = there(connection, merchant, id)? else { return Ok(false) };
    let changed = card.take_update(told.update, told.par, occasion.at);
    if let Some(data) = &told.card {
        let place = (context.plumbing.ids.with(TokenId::new), merchant);
        let kept = keep_card(connection, &context.vault, place, None, data, occasion.at)?;
        erase_card(connection, card.card.token, merchant, "updated", occasion.at)?;
        card.card = kept;
    }
    rows::save_card(connection, &merchant, &card)?;
    if changed {
        let event = EventType::CardUpdated;
        stored_cards::tell(context, connection, merchant, &card, event, occasion)?;
    }
    Ok(changed)
}
