//! Saved cards: kept with an approval, used by their customer or the merchant, erased.

use rusqlite::Connection;
use serde::Serialize;
use wire::events::EventType;
use wire::gateway_api::{
    ConsentView, CreateStoredCard, Deleted, NetworkTokenView, Page, SaveCard, StoredCardView,
};
use wire::ids::{CardId, CustomerId, EventId, MerchantId, PaymentId, TokenId};
use wire::stored_credential::{Initiator, MitReason};
use wire::time::Timestamp;

use super::announce::Occasion;
use super::create_payment::text;
use super::customers::once;
use super::failure::Failure;
use super::idempotency::{Call, StoredAnswer};
use super::{Context, network_tokens};
use crate::domain::attempt::Attempt;
use crate::domain::card::Fingerprint;
use crate::domain::payment::Payment;
use crate::domain::stored_card::{
    CardEvent, CardRefusal, CardState, Consent, GivenOn, Saving, StoredCard,
};
use crate::store::vault::{
    OpenedCard, Opening, Purpose, Redemption, erase_card, keep_card, open_card, redeem_token,
};
use crate::store::{stored_cards as rows, webhooks};

/// Longest words of a consent.
pub(super) const CONSENT_CHARACTERS_MAX: usize = 500;
/// Saved cards of a customer.
const CARDS_MAX: usize = 20;

/// The saved card that a call wants to pay with.
#[derive(Clone, Copy, Debug)]
pub struct WantedCard {
    /// The card itself.
    pub card: Option<CardId>,
    /// The payment in which the customer agreed.
    pub agreement: Option<PaymentId>,
    /// Who starts the payment.
    pub initiator: Initiator,
    /// Why, when the merchant does.
    pub reason: Option<MitReason>,
}

/// Finds the wanted card and notes in the payment how it is used.
pub(super) fn link(
    connection: &Connection,
    payment: &mut Payment,
    wanted: &WantedCard,
) -> Result<(), Failure> {
    let card = find(connection, &payment.merchant, wanted)?;
    if wanted.agreement.is_some() && card.agreement != wanted.agreement {
        return Err(Failure::Card(CardRefusal::NoAgreement));
    }
    if payment.terms.customer.is_some_and(|customer| customer != card.customer) {
        return Err(Failure::CardNotFound);
    }
    let used = card.used_by(wanted.initiator, wanted.reason).map_err(Failure::Card)?;
    payment.terms.customer = Some(card.customer);
    payment.terms.stored = Some(used);
    Ok(())
}

pub(super) fn find(
    connection: &Connection,
    merchant: &MerchantId,
    wanted: &WantedCard,
) -> Result<StoredCard, Failure> {
    if let Some(id) = wanted.card {
        let found = rows::card(connection, merchant, &id)?;
        return found.ok_or(Failure::CardNotFound);
    }
    let agreement = wanted.agreement.ok_or(Failure::CardNotFound)?;
    let found = rows::card_of_agreement(connection, merchant, &agreement)?;
    found.ok_or(Failure::Card(CardRefusal::NoAgreement))
}

/// Opens the saved card that pays. The payment gets a record of its own: refunds need it when
/// the saved card is long forgotten.
pub(super) fn open(
    context: &Context,
    connection: &Connection,
    payment: &Payment,
    now: Timestamp,
) -> Result<OpenedCard, Failure> {
    let used = payment.terms.stored.as_ref().ok_or(Failure::CardNotFound)?;
    let card = rows::card(connection, &payment.merchant, &used.card)?;
    let card = card.filter(|card| card.state != CardState::Deleted);
    let card = card.ok_or(Failure::CardNotFound)?;
    let opening = Opening {
        token: card.card.token,
        merchant: payment.merchant,
        purpose: Purpose::Authorization,
        payment: Some(payment.id),
        now,
    };
    let opened = open_card(connection, &context.vault, &opening)?;
    let place = (context.plumbing.ids.with(TokenId::new), payment.merchant);
    let copy = keep_card(connection, &context.vault, place, Some(payment.id), &opened.data, now)?;
    Ok(OpenedCard { card: copy, ..opened })
}

/// What an attempt saves, where its payer agreed and the payment has a customer.
pub(super) fn saving(
    context: &Context,
    connection: &Connection,
    payment: &Payment,
    fingerprint: &Fingerprint,
    (consent, at): (Option<&Agreed>, Timestamp),
) -> Result<Option<Saving>, Failure> {
    let (Some(agreed), Some(terms), Some(customer)) =
        (consent, payment.terms.saving.as_ref(), payment.terms.customer)
    else {
        return Ok(None);
    };
    let known = rows::card_like(connection, &customer, fingerprint)?;
    let card = known.map_or_else(|| context.plumbing.ids.with(CardId::new), |card| card.id);
    let text = terms.text.clone().unwrap_or_else(|| agreed.text.clone());
    let consent = Consent { reason: terms.reason, text, given_on: agreed.given_on, at };
    Ok(Some(Saving { card, consent }))
}

/// A payer agreed that the card is saved.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Where.
    pub given_on: GivenOn,
    /// The words that were shown, where the merchant has none.
    pub text: String,
}

impl Agreed {
    /// In the merchant's own pages.
    pub fn in_own_pages() -> Self {
        Self { given_on: GivenOn::Api, text: OWN_WORDS.to_owned() }
    }
}

/// What a consent says when the merchant gives no words.
const OWN_WORDS: &str = "The customer agreed in the merchant's pages that the card is saved.";

/// Saves the card of an attempt that was approved.
pub(super) fn save(
    context: &Context,
    connection: &Connection,
    payment: &Payment,
    attempt: &Attempt,
    at: Timestamp,
) -> Result<(), Failure> {
    let (Some(saving), Some(customer)) = (&attempt.saving, payment.terms.customer) else {
        return Ok(());
    };
    // Erased while the payment was on its way.
    if rows::customer(connection, &payment.merchant, &customer)?.is_none() {
        return Ok(());
    }
    let opening = Opening {
        token: attempt.card.token,
        merchant: payment.merchant,
        purpose: Purpose::Authorization,
        payment: Some(payment.id),
        now: at,
    };
    let opened = open_card(connection, &context.vault, &opening)?;
    let known = rows::card(connection, &payment.merchant, &saving.card)?;
    let mut card = keep(context, connection, payment.merchant, &opened, at, known.as_ref())?;
    card.id = saving.card;
    card.customer = customer;
    card.consent = saving.consent.clone();
    // An agreement that is there already stays: later payments are chained to it.
    if card.agreement.is_none() {
        card.agreement = Some(payment.id);
        card.network_transaction_id = payment.network_id_of(attempt);
    }
    card.grandfathered = false;
    card.par = attempt.par.clone().unwrap_or(card.par);
    card.advice_code.clone_from(&attempt.advice_code);
    rows::save_card(connection, &payment.merchant, &card)?;
    Ok(())
}

/// Puts an opened card into a record of its own, in the place of one that is known already.
fn keep(
    context: &Context,
    connection: &Connection,
    merchant: MerchantId,
    opened: &OpenedCard,
    at: Timestamp,
    known: Option<&StoredCard>,
) -> Result<StoredCard, Failure> {
    let place = (context.plumbing.ids.with(TokenId::new), merchant);
    let card = keep_card(connection, &context.vault, place, None, &opened.data, at)?;
    if let Some(known) = known {
        erase_card(connection, known.card.token, merchant, "replaced", at)?;
        let state = known.state.apply(CardEvent::Saved).unwrap_or(CardState::Active);
        return Ok(StoredCard { state, card, ..known.clone() });
    }
    Ok(StoredCard {
        id: context.plumbing.ids.with(CardId::new),
        customer: context.plumbing.ids.with(CustomerId::new),
        state: CardState::Active,
        par: par_of(&card.fingerprint),
        card,
        consent: Consent {
            reason: MitReason::Unscheduled,
            text: String::new(),
            given_on: GivenOn::Api,
            at,
        },
        agreement: None,
        network_transaction_id: None,
        grandfathered: false,
        advice_code: None,
        last_update: None,
        updated_at: None,
        network_token: None,
        created_at: at,
    })
}

/// The payment account reference of a new card: 29 characters that stay when the number changes.
fn par_of(fingerprint: &Fingerprint) -> String {
    let text = fingerprint.to_string().to_uppercase();
    format!("V001{}", text.chars().take(25).collect::<String>())
}

/// Saves a card that the customer gave in the merchant's pages, without a payment.
pub async fn create(
    context: &Context,
    call: Call,
    customer: CustomerId,
    request: CreateStoredCard,
) -> Result<StoredAnswer, Failure> {
    let consent = checked_consent(&request.consent)?;
    let (inner, merchant) = (context.clone(), call.merchant);
    let now = context.plumbing.clock.now();
    // Without a payment nobody checks the code: it is forgotten.
    drop(context.security_codes.take(request.card_token, now));
    once(context, call, 201, move |connection| {
        let context = &inner;
        rows::customer(connection, &merchant, &customer)?.ok_or(Failure::CustomerNotFound)?;
        let redemption = Redemption {
            token: request.card_token,
            merchant,
            payment: PaymentId::from_bytes([0; 16]),
            now,
            code_held: true,
        };
        let opened = redeem_token(connection, &context.vault, &redemption)?;
        let known = rows::card_like(connection, &customer, &opened.card.fingerprint)?;
        let cards = rows::cards_of(connection, &customer)?;
        if known.is_none() && cards.iter().filter(|it| is_there(it)).count() >= CARDS_MAX {
            let detail = format!("a customer has at most {CARDS_MAX} saved cards");
            return Err(Failure::invalid("cards_too_many", "customer", detail));
        }
        let mut card = keep(context, connection, merchant, &opened, now, known.as_ref())?;
        card.customer = customer;
        card.consent = Consent {
            reason: consent.reason,
            text: consent.text.clone().unwrap_or_else(|| OWN_WORDS.to_owned()),
            given_on: GivenOn::Api,
            at: now,
        };
        card.grandfathered = request.grandfathered && card.agreement.is_none();
        rows::save_card(connection, &merchant, &card)?;
        erase_card(connection, request.card_token, merchant, "saved_elsewhere", now)?;
        Ok(view(&card))
    })
    .await
}

fn is_there(card: &StoredCard) -> bool {
    card.state != CardState::Deleted
}

/// Checks the words of a consent.
pub(super) fn checked_consent(consent: &SaveCard) -> Result<SaveCard, Failure> {
    if let Some(words) = &consent.text {
        text(words, "save_card.text", CONSENT_CHARACTERS_MAX)?;
    }
    Ok(consent.clone())
}

/// The saved cards of a customer.
pub async fn list(
    context: &Context,
    merchant: MerchantId,
    customer: CustomerId,
) -> Result<Page<StoredCardView>, Failure> {
    let load = move |connection: &Connection| -> Result<_, Failure> {
        rows::customer(connection, &merchant, &customer)?.ok_or(Failure::CustomerNotFound)?;
        Ok(rows::cards_of(connection, &customer)?)
    };
    let cards = context.database.read(load).await?;
    let data = cards.iter().filter(|card| is_there(card)).map(view).collect();
    Ok(Page { data, has_more: false })
}

/// One saved card of a customer.
pub async fn read(
    context: &Context,
    merchant: MerchantId,
    (customer, id): (CustomerId, CardId),
) -> Result<StoredCardView, Failure> {
    let load = move |connection: &Connection| -> Result<_, Failure> {
        let found = rows::card(connection, &merchant, &id)?;
        found
            .filter(|card| card.customer == customer && is_there(card))
            .ok_or(Failure::CardNotFound)
    };
    Ok(view(&context.database.read(load).await?))
}

/// Forgets a saved card: its record is erased, its row keeps what the books refer to.
pub async fn delete(
    context: &Context,
    call: Call,
    (customer, id): (CustomerId, CardId),
) -> Result<StoredAnswer, Failure> {
    let (inner, merchant) = (context.clone(), call.merchant);
    let occasion = Occasion { trace: call.trace, at: context.plumbing.clock.now() };
    let token = network_tokens::ending(context, &call, id).await;
    let told = call.clone();
    let answer = once(context, call, 200, move |connection| {
        let found = rows::card(connection, &merchant, &id)?;
        let card = found.filter(|card| card.customer == customer && is_there(card));
        let card = card.ok_or(Failure::CardNotFound)?;
        erase(&inner, connection, merchant, card, occasion)?;
        Ok(Deleted { id: id.to_string(), object: "card".to_owned(), deleted: true })
    })
    .await?;
    context.notifier.wake();
    if let Some(token) = token {
        network_tokens::end(context, &told, &token).await;
    }
    Ok(answer)
}

/// Erases one card and tells the merchant.
pub(super) fn erase(
    context: &Context,
    connection: &Connection,
    merchant: MerchantId,
    mut card: StoredCard,
    occasion: Occasion,
) -> Result<(), Failure> {
    let Some(state) = card.state.apply(CardEvent::Deleted) else { return Ok(()) };
    card.state = state;
    erase_card(connection, card.card.token, merchant, "card_deleted", occasion.at)?;
    if let Some(token) = card.network_token.take() {
        erase_card(connection, token.record, merchant, "card_deleted", occasion.at)?;
    }
    rows::save_card(connection, &merchant, &card)?;
    tell(context, connection, merchant, &card, EventType::CardErased, occasion)
}

#[derive(Serialize)]
struct CardEventBody {
    id: EventId,
    #[serde(rename = "type")]
    event_type: EventType,
    created_at: Timestamp,
    sequence: u64,
    previous_status: Option<String>,
    merchant_id: MerchantId,
    livemode: bool,
    data: CardEventData,
}

#[derive(Serialize)]
struct CardEventData {
    card: StoredCardView,
}

/// Writes an event about a card. Its subject is the card, not a payment.
pub(super) fn tell(
    context: &Context,
    connection: &Connection,
    merchant: MerchantId,
    card: &StoredCard,
    event_type: EventType,
    occasion: Occasion,
) -> Result<(), Failure> {
    let sequence = rows::next_sequence(connection, &card.id)?;
    let id = context.plumbing.ids.with(EventId::new);
    let body = serde_json::to_vec(&CardEventBody {
        id,
        event_type,
        created_at: occasion.at,
        sequence,
        previous_status: None,
        merchant_id: merchant,
        livemode: false,
        data: CardEventData { card: view(card) },
    })?;
    context.metrics.count(event_type);
    webhooks::enqueue(
        connection,
        &webhooks::NewEvent {
            id,
            merchant,
            payment: PaymentId::from_bytes(*card.id.bytes()),
            order_reference: "",
            trace: occasion.trace,
            event_type: event_type.as_str(),
            sequence,
            created_at: occasion.at,
            body: &body,
        },
    )?;
    Ok(())
}

/// A saved card as clients see it.
pub fn view(card: &StoredCard) -> StoredCardView {
    StoredCardView {
        id: card.id,
        object: "card".to_owned(),
        customer: card.customer,
        status: card.state.as_str().to_owned(),
        brand: card.card.brand.as_str().to_owned(),
        first6: card.card.masked.first6().to_owned(),
        last4: card.card.masked.last4().to_owned(),
        expiry_month: card.card.expiry.month(),
        expiry_year: card.card.expiry.year(),
        fingerprint: card.card.fingerprint.to_string(),
        par: card.par.clone(),
        consent: ConsentView {
            reason: card.consent.reason,
            text: card.consent.text.clone(),
            given_on: card.consent.given_on.as_str().to_owned(),
            given_at: card.consent.at,
        },
        agreement: card.agreement,
        network_transaction_id: card.network_transaction_id.clone(),
        grandfathered: card.grandfathered,
        warning: card.warning().map(str::to_owned),
        last_update: card.last_update.clone(),
        network_token: card.network_token.as_ref().map(|token| NetworkTokenView {
            status: token.state.as_str().to_owned(),
            last4: token.last4.clone(),
        }),
        created_at: card.created_at,
    }
}
