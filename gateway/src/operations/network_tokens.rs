//! Network tokens of saved cards: asked for when a card is saved, used in its place, ended with it.

use rusqlite::Connection;
use wire::ids::{CardId, MerchantId, TokenId};
use wire::processor_api::TokenStatus;
use wire::stored_credential::Initiator;
use wire::time::Timestamp;

use super::Context;
use super::failure::Failure;
use super::idempotency::Call;
use super::stored_cards::{self, WantedCard};
use crate::domain::stored_card::{CardState, NetworkToken, StoredCard, may_pay};
use crate::processor::{Outcome, TokenForMessage, TokenTold};
use crate::store::stored_cards as rows;
use crate::store::vault::{Opening, Purpose, erase_card, keep_card, open_card};
use crate::vault::CardData;

/// Asks for a token of a card that was just saved. Without one the card pays by its number.
pub(super) async fn after_saving(context: &Context, call: &Call, card: CardId) {
    if !context.settings.network_tokens {
        return;
    }
    if let Err(failure) = provision(context, call, card).await {
        tracing::warn!(card.id = %card, %failure, "no network token for a saved card");
    }
}

async fn provision(context: &Context, call: &Call, id: CardId) -> Result<(), Failure> {
    let identity = context.identities.next().await?;
    let (inner, merchant, at) = (context.clone(), call.merchant, identity.transmission_at);
    let opened = context
        .database
        .write(move |connection| -> Result<_, Failure> {
            let found = rows::card(connection, &merchant, &id)?;
            let wants = |card: &StoredCard| {
                let live = card.network_token.as_ref().is_some_and(|it| may_pay(it.state));
                card.state == CardState::Active && !live
            };
            let Some(card) = found.filter(wants) else { return Ok(None) };
            open(&inner, connection, (merchant, card.card.token), at).map(Some)
        })
        .await?;
    let Some(data) = opened else { return Ok(()) };
    let told = context.processor.request_token(&data, identity, call.trace).await;
    let Outcome::Answered(told) = told else { return Ok(()) };
    keep(context, (merchant, id), told, at).await
}

fn open(
    context: &Context,
    connection: &Connection,
    (merchant, token): (MerchantId, TokenId),
    now: Timestamp,
) -> Result<CardData, Failure> {
    let purpose = Purpose::Authorization;
    let opening = Opening { token, merchant, purpose, payment: None, now };
    Ok(open_card(connection, &context.vault, &opening)?.data)
}

/// Writes down what the network told of a token.
async fn keep(
    context: &Context,
    (merchant, id): (MerchantId, CardId),
    told: TokenTold,
    at: Timestamp,
) -> Result<(), Failure> {
    let inner = context.clone();
    context
        .database
        .write(move |connection| -> Result<_, Failure> {
            let found = rows::card(connection, &merchant, &id)?;
            let found = found.filter(|card| card.state != CardState::Deleted);
            let Some(mut card) = found else { return Ok(()) };
            let Some(number) = told.number else { return Ok(()) };
            let data = CardData {
                number,
                expiry: told.expiry.unwrap_or(card.card.expiry),
                holder_name: None,
                postal_code: None,
            };
            let place = (inner.plumbing.ids.with(TokenId::new), merchant);
            let kept = keep_card(connection, &inner.vault, place, None, &data, at)?;
            if let Some(before) = &card.network_token {
                erase_card(connection, before.record, merchant, "replaced", at)?;
            }
            card.network_token = Some(NetworkToken {
                record: kept.token,
                last4: kept.masked.last4().to_owned(),
                state: told.state,
            });
            Ok(rows::save_card(connection, &merchant, &card)?)
        })
        .await
}

/// The token with which a saved card pays, and a code where its holder does. None: by its number.
pub(super) async fn prepare(
    context: &Context,
    call: &Call,
    wanted: WantedCard,
) -> Option<TokenForMessage> {
    if !context.settings.network_tokens {
        return None;
    }
    match ready(context, call, wanted).await {
        Ok(token) => token,
        Err(failure) => {
            tracing::warn!(%failure, "a saved card pays without its network token");
            None
        }
    }
}

async fn ready(
    context: &Context,
    call: &Call,
    wanted: WantedCard,
) -> Result<Option<TokenForMessage>, Failure> {
    let Some((id, token, data)) = opened(context, call, wanted).await? else { return Ok(None) };
    let mut message =
        TokenForMessage { number: data.number.clone(), expiry: data.expiry, cryptogram: None };
    let by_customer = wanted.initiator == Initiator::Customer;
    if !by_customer && token.state == TokenStatus::Active {
        return Ok(Some(message));
    }
    let identity = context.identities.next().await?;
    let told = context.processor.ask_for_code(&data, identity, call.trace).await;
    let Outcome::Answered(told) = told else {
        return Ok(Some(message).filter(|_| !by_customer));
    };
    note_state(context, (call.merchant, id), told.state).await?;
    if !may_pay(told.state) {
        return Ok(None);
    }
    message.cryptogram = told.cryptogram.filter(|_| by_customer);
    Ok(Some(message))
}

/// Asks where a token stands that did not pay.
pub(super) async fn after_decline(context: &Context, call: &Call, card: CardId) {
    if let Err(failure) = ask_again(context, call, card).await {
        tracing::warn!(card.id = %card, %failure, "the state of a network token is not known");
    }
}

async fn ask_again(context: &Context, call: &Call, card: CardId) -> Result<(), Failure> {
    let wanted = by_merchant(card);
    let Some((id, _, data)) = opened(context, call, wanted).await? else { return Ok(()) };
    let identity = context.identities.next().await?;
    let told = context.processor.ask_for_code(&data, identity, call.trace).await;
    let Outcome::Answered(told) = told else { return Ok(()) };
    note_state(context, (call.merchant, id), told.state).await
}

/// A saved card, whoever pays with it.
const fn by_merchant(card: CardId) -> WantedCard {
    let initiator = Initiator::Merchant;
    WantedCard { card: Some(card), agreement: None, initiator, reason: None }
}

/// The token of the wanted card, opened.
async fn opened(
    context: &Context,
    call: &Call,
    wanted: WantedCard,
) -> Result<Option<(CardId, NetworkToken, CardData)>, Failure> {
    let (inner, merchant) = (context.clone(), call.merchant);
    let now = context.plumbing.clock.now();
    context
        .database
        .write(move |connection| -> Result<_, Failure> {
            let Ok(card) = stored_cards::find(connection, &merchant, &wanted) else {
                return Ok(None);
            };
            let token = card.network_token.filter(|token| may_pay(token.state));
            let Some(token) = token else { return Ok(None) };
            let data = open(&inner, connection, (merchant, token.record), now)?;
            Ok(Some((card.id, token, data)))
        })
        .await
}

async fn note_state(
    context: &Context,
    (merchant, id): (MerchantId, CardId),
    state: TokenStatus,
) -> Result<(), Failure> {
    context
        .database
        .write(move |connection| -> Result<_, Failure> {
            let Some(mut card) = rows::card(connection, &merchant, &id)? else { return Ok(()) };
            if let Some(token) = card.network_token.as_mut().filter(|it| it.state != state) {
                token.state = state;
                rows::save_card(connection, &merchant, &card)?;
            }
            Ok(())
        })
        .await
}

/// The token of a card that is about to be forgotten, opened so that the network can be told.
pub(super) async fn ending(context: &Context, call: &Call, card: CardId) -> Option<CardData> {
    opened(context, call, by_merchant(card)).await.ok().flatten().map(|(_, _, data)| data)
}

/// Tells the network that a token is not used any more.
pub(super) async fn end(context: &Context, call: &Call, token: &CardData) {
    let Ok(identity) = context.identities.next().await else { return };
    let told = context.processor.end_token(token, identity, call.trace).await;
    if !matches!(told, Outcome::Answered(_)) {
        tracing::warn!("the network was not told of the end of a network token");
    }
}
