//! Conversion at the till: what is offered, and whether a message keeps to what was agreed.

use wire::card::CardNumber;
use wire::codes::ResponseCode;
use wire::ids::QuoteId;
use wire::money::MinorUnits;
use wire::processor_api::{CurrencyConversion, FileName, FileRecord, Message};
use wire::test_cards;

use crate::domain::checks::Purpose;
use crate::domain::{conversion, exchange};
use crate::operations::Context;
use crate::operations::translate::{self, Fault, RequestFields, TakeError};
use crate::store::{NewConversion, StoredQuote};

/// Offers to pay in the currency of the card; 25 where the card is billed in the currency of the
/// amount, or that currency is not quoted.
pub(super) async fn offer(
    context: &Context,
    message: &Message,
    number: &CardNumber,
    acceptor: i64,
) -> Result<Message, TakeError> {
    let amount = message.amount.ok_or_else(|| translate::missing("amount"))?;
    let own = message.currency.ok_or_else(|| translate::missing("currency"))?;
    let abroad = test_cards::by_number(number).filter(|card| card.outcome == "fx_drift");
    let card = abroad.and_then(|_| exchange::billing_currency(own));
    let offered = card.and_then(|card| Some((card, conversion::offer(amount.get(), own, card)?)));
    let code = if offered.is_some() { ResponseCode::APPROVED } else { ResponseCode::NOT_FOUND };
    let answer = message.answer(code);
    let mut answer = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    answer.file = Some(FileRecord::of(FileName::Conversion));
    let Some((card, offer)) = offered else { return Ok(answer) };
    let quote = StoredQuote {
        quote: context.plumbing.ids.with(QuoteId::new),
        acceptor,
        card_digest: context.card_digest(number),
        amount,
        currency: own,
        card_amount: MinorUnits::new(offer.amount).unwrap_or_default(),
        card_currency: card,
        rate: offer.rate,
        base_rate: offer.base_rate,
        markup: conversion::MARKUP,
        expires_at: context.clock().now().plus(conversion::VALID_FOR),
    };
    context.store.keep_quote(quote).await?;
    answer.amount_billing = Some(quote.card_amount);
    answer.currency_billing = Some(quote.card_currency);
    answer.rate_billing = Some(exchange::decimal(quote.rate));
    answer.conversion = Some(CurrencyConversion {
        quote: quote.quote,
        amount,
        currency: own,
        rate: exchange::decimal(quote.rate),
        base_rate: exchange::decimal(quote.base_rate),
        markup_percent: conversion::percent(quote.markup),
        expires_at: quote.expires_at,
    });
    Ok(answer)
}

/// What a sale or refund was converted from, where it was; a fault where that is not what was
/// offered.
pub(super) async fn agreed(
    context: &Context,
    message: &Message,
    fields: &RequestFields,
    acceptor: i64,
) -> Result<Option<NewConversion>, TakeError> {
    let Some(told) = &message.conversion else { return Ok(None) };
    let quote = context.store.quote(told.quote).await?;
    let of_merchant = quote.filter(|quote| quote.acceptor == acceptor);
    let Some(quote) = of_merchant else { return refused("there is no such offer") };
    let same_rate = told.rate == exchange::decimal(quote.rate);
    if !same_rate || told.currency != quote.currency || fields.currency != quote.card_currency {
        return refused("the rate or a currency is not what was offered");
    }
    let fits = match fields.purpose {
        Purpose::Purchase => {
            told.amount == quote.amount
                && fields.amount == quote.card_amount
                && context.card_digest(&fields.card) == quote.card_digest
        }
        Purpose::Refund => {
            !told.amount.is_zero()
                && told.amount <= quote.amount
                && fields.amount <= quote.card_amount
        }
        Purpose::Verification => false,
    };
    if !fits {
        return refused("the amounts or the card are not what was offered");
    }
    let over = quote.expires_at.plus(conversion::HONOURED_FOR);
    if fields.purpose == Purpose::Purchase && context.clock().now() > over {
        return refused("the offer has expired");
    }
    Ok(Some(NewConversion { quote: quote.quote, amount: told.amount }))
}

fn refused(note: &str) -> Result<Option<NewConversion>, TakeError> {
    let note = format!("conversion: {note}");
    Err(Fault { code: ResponseCode::INVALID_TRANSACTION, note }.into())
}
