//! The token service of the networks: gives out tokens, opens them, checks their codes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kit::sqlite::DatabaseError;
use wire::card::CardNumber;
use wire::codes::ResponseCode;
use wire::processor_api::{Message, TokenStatus};
use wire::test_cards::SANDBOX_BINS;

use super::card_table::IssuedCard;
use super::control_cards::{CardError, new_token_number};
use super::translate::RequestFields;
use super::{Context, card_lives};
use crate::domain::network_token::{self, Cryptogram, TokenEvent, has_tokens};
use crate::store::{NewToken, Store, StoredToken};

/// How long a token is good for.
const TOKEN_LIVES: Duration = Duration::from_hours(4 * 365 * 24);

/// Every token in memory, by its number.
#[derive(Default)]
pub struct TokenTable(RwLock<HashMap<String, Arc<StoredToken>>>);

impl TokenTable {
    /// What the database knows.
    pub async fn load(store: &Store) -> Result<Self, DatabaseError> {
        let table = Self::default();
        for token in store.network_tokens().await? {
            table.keep(token);
        }
        Ok(table)
    }

    fn keep(&self, token: StoredToken) -> Arc<StoredToken> {
        let token = Arc::new(token);
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(token.number.expose().to_owned(), token.clone());
        token
    }

    /// The token of a number.
    pub fn find(&self, number: &CardNumber) -> Option<Arc<StoredToken>> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tokens.get(number.expose()).cloned()
    }

    /// The tokens of a card, oldest first.
    pub fn of_card(&self, card: i64) -> Vec<Arc<StoredToken>> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = tokens.values().filter(|it| it.card == card).cloned().collect();
        found.sort_by_key(|token| token.id);
        found
    }
}

/// The card behind a token, or the one that took its place.
pub fn funding(context: &Context, token: &StoredToken) -> Option<Arc<IssuedCard>> {
    let card = context.cards.by_row(token.card)?;
    Some(card_lives::known(context, &card).1)
}

/// The number behind the one that a message names: a token is opened, a card is itself.
pub fn opened(context: &Context, message: &Message) -> Option<CardNumber> {
    let Some(number) = &message.token_pan else { return message.pan.clone() };
    let card = context.tokens.find(number).and_then(|token| funding(context, &token));
    Some(card.map_or_else(|| number.clone(), |card| card.number.clone()))
}

/// The merchant for whom a token pays.
pub fn requestor(message: &Message) -> String {
    let acceptor = message.card_acceptor_id.as_deref().unwrap_or_default();
    format!("{}/{acceptor}", message.acquirer_id)
}

/// Why a token does not pay.
pub type Refusal = (ResponseCode, &'static str);

/// Whether the token of a message pays: the merchant's own, active, of this date, and with a code
/// of its own where its holder pays.
pub async fn check(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
) -> Result<Option<Refusal>, DatabaseError> {
    let Some(number) = &message.token_pan else { return Ok(None) };
    let Some(token) = context.tokens.find(number) else {
        return Ok(Some((ResponseCode::INVALID_NUMBER, "there is no such network token")));
    };
    if token.requestor != requestor(message) {
        let note = "this network token pays for another merchant only";
        return Ok(Some((ResponseCode::NOT_PERMITTED, note)));
    }
    if let Some(code) = network_token::refusal(token.state) {
        return Ok(Some((code, "this network token is not active")));
    }
    if fields.expiry != Some(token.expiry) {
        return Ok(Some((ResponseCode::EXPIRED_CARD, "not the date of this network token")));
    }
    let credential = message.stored_credential.as_ref();
    if credential.is_some_and(|credential| credential.initiator == "MIT") {
        return Ok(None);
    }
    let refused = |note| Ok(Some((ResponseCode::DATA_CHECK_FAILED, note)));
    let Some(code) = message.cryptogram.as_deref().and_then(Cryptogram::decode) else {
        return refused("a network token pays with a cryptogram when its holder pays");
    };
    let expected = mac(context, &token, code.count, code.unpredictable);
    if Cryptogram::new(code.count, code.unpredictable, expected) != code {
        return refused("the cryptogram is not right");
    }
    if !context.store.use_token_code(token.id, code.count, fields.identity).await? {
        return refused("the cryptogram was used already");
    }
    Ok(None)
}

fn mac(context: &Context, token: &StoredToken, count: u16, unpredictable: u32) -> [u8; 16] {
    let digest = context.business_digest(&[
        b"network token cryptogram",
        token.number.expose().as_bytes(),
        token.requestor.as_bytes(),
        &count.to_be_bytes(),
        &unpredictable.to_be_bytes(),
    ]);
    digest.0
}

/// A code with which a token pays once.
pub async fn new_code(context: &Context, token: &StoredToken) -> Result<String, DatabaseError> {
    let count = context.store.next_token_code(token.id).await?;
    // So many codes are the life of a token: the last one is known as used from then on.
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let unpredictable = u32::from_be_bytes(context.plumbing.secrets.bytes::<4>());
    let digest = mac(context, token, count, unpredictable);
    Ok(Cryptogram::new(count, unpredictable, digest).encode())
}

/// Whether cards of this number can have tokens.
pub fn is_supported(number: &CardNumber) -> bool {
    has_tokens(number.brand()) && SANDBOX_BINS.iter().any(|(bin, _)| *bin == number.bin8())
}

/// The merchant's token of a card: the one it has, or a new one that waits for the bank.
pub async fn request(
    context: &Context,
    card: &IssuedCard,
    requestor: String,
) -> Result<Arc<StoredToken>, CardError> {
    let (row, _) = card_lives::rows(context, card).await?;
    let known = context.tokens.of_card(row);
    let own = known
        .into_iter()
        .find(|it| it.requestor == requestor && !network_token::is_final(it.state));
    if let Some(own) = own {
        return Ok(own);
    }
    let now = context.clock().now();
    let until = now.plus(TOKEN_LIVES).utc();
    let expiry = card_lives::date(until.month, until.year).ok_or(CardError::RangeExhausted)?;
    let number = new_token_number(context, card.brand()).await?;
    let new = NewToken { number, card: row, requestor, expiry, at: now };
    let stored = context.store.add_network_token(new).await?;
    Ok(context.tokens.keep(stored))
}

/// Takes an event into a token.
pub async fn happen(
    context: &Context,
    token: &StoredToken,
    event: TokenEvent,
) -> Result<Arc<StoredToken>, DatabaseError> {
    let stored = context.store.change_network_token(token.id, event).await?;
    Ok(context.tokens.keep(stored))
}

/// What the bank does with the tokens of a card by hand.
pub async fn set_all(context: &Context, card: i64, next: TokenStatus) -> Result<(), DatabaseError> {
    let Some(event) = network_token::event_to(next) else { return Ok(()) };
    for token in context.tokens.of_card(card) {
        happen(context, &token, event).await?;
    }
    Ok(())
}
