//! Conversion at the till: offering a payer the currency of the card, and taking the offer.

use rusqlite::Connection;
use wire::gateway_api::QuoteView;
use wire::ids::{PaymentId, QuoteId, TokenId};
use wire::money::Money;
use wire::time::Timestamp;

use super::Context;
use super::customers::once;
use super::failure::Failure;
use super::idempotency::{Call, StoredAnswer};
use crate::domain::conversion::{Conversion, Quote, QuoteRefusal, may_convert};
use crate::domain::payment::{Payment, State};
use crate::processor::Outcome;
use crate::store::vault::{Redemption, look_at_token};
use crate::store::{conversions, payments};
use crate::vault::CardData;

/// Makes an offer. With a key that was used before, the offer of then is the answer.
pub async fn quote(
    context: &Context,
    call: Call,
    id: PaymentId,
    token: TokenId,
) -> Result<StoredAnswer, Failure> {
    let quote = ask(context, &call, id, token).await?;
    let view = shown(&quote);
    once(context, call, 201, move |connection| {
        conversions::insert(connection, &quote)?;
        Ok(view)
    })
    .await
}

/// Asks the processor what the card would pay.
async fn ask(
    context: &Context,
    call: &Call,
    id: PaymentId,
    token: TokenId,
) -> Result<Quote, Failure> {
    let identity = context.identities.next().await?;
    let now = identity.transmission_at;
    let merchant = call.merchant;
    let code_held = context.security_codes.holds(token, now);
    let inner = context.clone();
    let (payment, card) = context
        .database
        .write(move |connection| -> Result<(Payment, CardData), Failure> {
            let stored =
                payments::load(connection, &merchant, &id)?.ok_or(Failure::PaymentNotFound)?;
            let payment = stored.payment;
            may_convert(&payment)?;
            if payment.state != State::RequiresPaymentMethod {
                return Err(QuoteRefusal::NotAtOnce.into());
            }
            let redemption = Redemption { token, merchant, payment: id, now, code_held };
            let opened = look_at_token(connection, &inner.vault, &redemption)?;
            Ok((payment, opened.data))
        })
        .await?;
    let asked = context.processor.request_quote(&payment, &card, identity, call.trace).await;
    let conversion = match asked {
        Outcome::Answered(offered) => offered?,
        Outcome::NotSent | Outcome::Unanswered => return Err(Failure::ProcessorSilent),
    };
    Ok(Quote { conversion, merchant, payment: id, token, used: false })
}

fn shown(quote: &Quote) -> QuoteView {
    let agreed = &quote.conversion.agreed;
    QuoteView {
        id: agreed.quote,
        object: "conversion_quote".to_owned(),
        payment: quote.payment,
        amount: Money::new(agreed.amount, agreed.currency),
        converted: quote.conversion.converted(),
        rate: agreed.rate.clone(),
        base_rate: agreed.base_rate.clone(),
        markup_percent: agreed.markup_percent.clone(),
        expires_at: agreed.expires_at,
    }
}

/// Takes an offer, once, for the payment and the card that it was made for.
pub(super) fn take(
    connection: &Connection,
    payment: &Payment,
    id: QuoteId,
    token: Option<TokenId>,
    now: Timestamp,
) -> Result<Conversion, Failure> {
    let quote = conversions::find(connection, &id)?.ok_or(QuoteRefusal::NotFound)?;
    quote.judge(payment, token, now)?;
    conversions::use_up(connection, &id, now)?;
    Ok(quote.conversion)
}
