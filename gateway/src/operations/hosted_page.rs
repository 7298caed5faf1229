//! What a payer can do on the payment page: look, pay, give up, ask for more time.

use std::time::Duration;

use kit::facts::TraceId;
use kit::sqlite::DatabaseError;
use wire::card::SecurityCode;
use wire::ids::{MerchantId, PaymentId};
use wire::time::Timestamp;

use super::Context;
use super::confirm_payment::{self, Confirmation, PayWith, ToPay};
use super::failure::Failure;
use super::idempotency::Call;
use super::stored_cards::Agreed;
use super::tokens::{self, TokenizeError};
use crate::domain::caps::Cap;
use crate::domain::payment::{Payment, Refusal};
use crate::store::vault::TokenError;
use crate::store::{hosted_page as forms, payments};
use crate::vault::CardData;

/// Longest life of a page, however often more time was asked for.
const PAGE_LIFE_MAX: Duration = Duration::from_hours(24);
/// How long the key of a form may be.
const FORM_KEY_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// A card whose every field is well formed and which is an issued test card.
#[derive(Debug)]
pub struct EnteredCard {
    /// What may be stored encrypted.
    pub data: CardData,
    /// What may not be stored at all.
    pub code: SecurityCode,
}

/// Who pays what.
#[derive(Clone, Copy, Debug)]
pub struct Payer {
    /// What is paid.
    pub payment: PaymentId,
    /// Whom it is paid to.
    pub merchant: MerchantId,
    /// The operation.
    pub trace: TraceId,
}

/// What became of a submitted card, as far as the payment itself does not tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// The payment tells the rest; also when this form was sent before.
    Taken,
    /// The card may not be tried again.
    Declined,
    /// The card has paid enough today.
    OverCardCap,
    /// The account has taken enough today.
    OverAccountCap,
    /// The order was paid by another payment.
    OrderPaid,
    /// It cannot be paid right now, and surely nothing was sent.
    Unavailable,
}

/// Pays with an entered card. A form is taken once, however often its button is pressed.
pub async fn pay(
    context: &Context,
    payer: Payer,
    form_key: String,
    card: EnteredCard,
    consent: Option<Agreed>,
) -> Submission {
    match try_to_pay(context, payer, form_key, card, consent).await {
        Err(Failure::Refused { refusal: Refusal::RetryBlocked, .. }) => Submission::Declined,
        Err(Failure::OrderPaid) => Submission::OrderPaid,
        Err(Failure::CapExceeded(exceeded)) => match exceeded.cap {
            Cap::Payment | Cap::MerchantDay => Submission::OverAccountCap,
            Cap::CardDay => Submission::OverCardCap,
        },
        // A refusal: the payment was faster, by another tab, by the shop, by the clock.
        Ok(()) | Err(Failure::Refused { .. }) => Submission::Taken,
        Err(failure) => {
            tracing::error!(payment.id = %payer.payment, %failure, "a card could not be taken");
            Submission::Unavailable
        }
    }
}

async fn try_to_pay(
    context: &Context,
    payer: Payer,
    form_key: String,
    card: EnteredCard,
    consent: Option<Agreed>,
) -> Result<(), Failure> {
    let Payer { payment, merchant, trace } = payer;
    if !use_form(context, payment, form_key).await? {
        return Ok(());
    }
    let EnteredCard { data, code } = card;
    let token = tokens::tokenize(context, merchant, data, Some(code), Some(payment)).await;
    let token = token.map_err(|error| match error {
        TokenizeError::Store(error) => Failure::from(error),
        TokenizeError::Fields(_) | TokenizeError::ClientSecret | TokenizeError::TooMany(_) => {
            Failure::Token(TokenError::NotFound)
        }
    })?;
    let confirmation = Confirmation {
        payment: ToPay::Existing(payment),
        card: PayWith::Token(token.card.token),
        sandbox_outcome: None,
        in_browser: true,
        consent,
        quote: None,
    };
    confirm_payment::confirm(context, Call::own(merchant, trace), confirmation).await?;
    Ok(())
}

/// Uses up a form; false when it was sent before, or when its key is none of ours.
async fn use_form(
    context: &Context,
    payment: PaymentId,
    form_key: String,
) -> Result<bool, DatabaseError> {
    if !FORM_KEY_LENGTHS.contains(&form_key.len()) {
        return Ok(false);
    }
    let now = context.plumbing.clock.now();
    context
        .database
        .write(move |connection| Ok(forms::use_form(connection, payment, &form_key, now)?))
        .await
}

/// The payment of a page.
pub async fn look(context: &Context, id: PaymentId) -> Result<Option<Payment>, DatabaseError> {
    let found =
        context.database.read(move |connection| payments::load_any(connection, &id)).await?;
    Ok(found.map(|stored| stored.payment))
}

/// Gives the payer more time; says until when the page lives.
pub async fn extend(context: &Context, payment: &Payment) -> Result<Timestamp, DatabaseError> {
    let (id, now) = (payment.id, context.plumbing.clock.now());
    let wanted = now.plus(context.settings.timers.checkout_session);
    let until = wanted.min(payment.created_at.plus(PAGE_LIFE_MAX));
    let extended = context
        .database
        .write(move |connection| Ok::<_, DatabaseError>(forms::extend(connection, id, now, until)?))
        .await?;
    if extended {
        context.timers.payments.note(Some(until));
    }
    Ok(if extended { until } else { payment.expires_at })
}
