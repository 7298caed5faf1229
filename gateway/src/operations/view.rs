//! A payment as clients see it, and the secrets by which a browser may see it.

use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wire::codes::Family;
use wire::gateway_api::{
    Amounts, AttemptView, CaptureMode as CaptureWord, CaptureView, CardView, ConversionView,
    FailureView, NextAction, PaymentStatus, PaymentView, RefundStatus, RefundView, ThreeDsView,
};
use wire::ids::{CardId, PaymentId};
use wire::json::Metadata;
use wire::money::{MinorUnits, Money};
use wire::stored_credential::Initiator;
use wire::three_ds::{VERSION, shifts_liability};
use zeroize::Zeroizing;

use crate::domain::answer::Decline;
use crate::domain::attempt::Attempt;
use crate::domain::capture::Capture;
use crate::domain::card::Card;
use crate::domain::conversion::Conversion;
use crate::domain::descriptor::on_statement;
use crate::domain::payment::{CaptureMode, Payment, State};
use crate::domain::refund::{Refund, RefundState};
use crate::domain::reversal::ReversalState;

/// The block of SHA-256: such a key is used as it is (RFC 2104).
const KEY_BYTES: usize = 64;

/// Derives the secrets of payments: nothing is stored, and a repeated answer shows them again.
pub struct ClientSecrets {
    page: Zeroizing<[u8; KEY_BYTES]>,
    client: Zeroizing<[u8; KEY_BYTES]>,
    public_url: String,
}

impl fmt::Debug for ClientSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientSecrets(..)")
    }
}

impl ClientSecrets {
    /// From the session key (base64) and the address under which browsers reach the gateway.
    pub fn derive(session_key: &str, public_url: &str) -> Self {
        let root = Zeroizing::new(BASE64.decode(session_key.as_bytes()).unwrap_or_default());
        Self {
            page: derived(&root, b"payrig/checkout/v1"),
            client: derived(&root, b"payrig/client-secret/v1"),
            public_url: public_url.trim_end_matches('/').to_owned(),
        }
    }

    /// `pay_…_secret_…`: lets an embedded form work with this payment.
    pub fn client_secret(&self, payment: &PaymentId) -> String {
        format!("{payment}_secret_{}", code(&self.client, payment))
    }

    /// The address of the payment page, with the key that opens it.
    pub fn checkout_url(&self, payment: &PaymentId) -> String {
        format!("{}/pay/{payment}?cs={}", self.public_url, code(&self.page, payment))
    }

    /// Whether `given` is the client secret of this payment; in constant time.
    pub fn is_client_secret(&self, payment: &PaymentId, given: &str) -> bool {
        let given = given
            .strip_prefix(payment.to_string().as_str())
            .and_then(|rest| rest.strip_prefix("_secret_"));
        given.is_some_and(|given| verifies(&self.client, payment, given))
    }

    /// Whether `given` is the `cs` of this payment's page; in constant time.
    pub fn is_page_key(&self, payment: &PaymentId, given: &str) -> bool {
        verifies(&self.page, payment, given)
    }
}

fn keyed(key: &[u8; KEY_BYTES], payment: &PaymentId) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new(key.into());
    mac.update(payment.bytes());
    mac
}

fn code(key: &[u8; KEY_BYTES], payment: &PaymentId) -> String {
    BASE64URL_NOPAD.encode(&keyed(key, payment).finalize().into_bytes())
}

fn verifies(key: &[u8; KEY_BYTES], payment: &PaymentId, given: &str) -> bool {
    let Ok(given) = BASE64URL_NOPAD.decode(given.as_bytes()) else { return false };
    keyed(key, payment).verify_slice(&given).is_ok()
}

fn derived(root: &[u8], label: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    // Only lengths over 255 hashes are refused (RFC 5869 section 2.3).
    let _ = Hkdf::<Sha256>::new(None, root).expand(label, key.as_mut_slice());
    key
}

/// The status of a state.
pub const fn status(state: State) -> PaymentStatus {
    match state {
        State::RequiresPaymentMethod => PaymentStatus::RequiresPaymentMethod,
        State::RequiresAction => PaymentStatus::RequiresAction,
        State::Authenticating | State::Processing | State::OutcomeUnknown(_) => {
            PaymentStatus::Processing
        }
        State::Authorized => PaymentStatus::Authorized,
        State::PartiallyCaptured => PaymentStatus::PartiallyCaptured,
        State::Captured => PaymentStatus::Captured,
        State::CaptureFailed => PaymentStatus::CaptureFailed,
        State::Verified => PaymentStatus::Verified,
        State::Canceled => PaymentStatus::Canceled,
        State::Expired => PaymentStatus::Expired,
        State::Failed => PaymentStatus::Failed,
    }
}

/// The states of a status, for lists.
pub fn states_of(wanted: PaymentStatus) -> Vec<State> {
    State::ALL.into_iter().filter(|state| status(*state) == wanted).collect()
}

/// A payment as events show it: without the secrets of its payer.
pub fn payment(payment: &Payment) -> PaymentView {
    let last = payment.attempts.last();
    let shown = payment.shown_attempt();
    let details = &payment.details;
    PaymentView {
        id: payment.id,
        object: "payment".to_owned(),
        status: status(payment.state),
        order_reference: payment.order_reference.clone(),
        amount: Money::new(payment.amounts.requested, payment.currency),
        amounts: Amounts {
            authorized: payment.amounts.authorized,
            captured: payment.amounts.captured,
            reversed: payment.amounts.reversed,
            refunded: payment.amounts.refunded,
            charged_back: MinorUnits::ZERO,
        },
        capture: match payment.capture_mode {
            CaptureMode::Automatic => CaptureWord::Automatic,
            CaptureMode::Manual => CaptureWord::Manual,
        },
        capture_before: payment.capture_before,
        estimated: payment.terms.estimated,
        accept_partial: payment.terms.accept_partial,
        capturable: capturable(payment),
        previous_payment: payment.terms.previous.as_ref().map(|it| it.payment),
        purpose: payment.terms.purpose,
        customer_id: payment.terms.customer,
        stored_card: stored_card(payment),
        initiator: initiator(payment),
        mit_reason: payment.terms.stored.as_ref().and_then(|it| it.reason),
        agreement: payment.terms.stored.as_ref().and_then(|it| it.agreement),
        grandfathered: payment.terms.stored.as_ref().is_some_and(|it| it.grandfathered),
        review: payment.review().map(str::to_owned),
        currency_conversion: shown
            .and_then(|attempt| attempt.conversion.as_deref())
            .map(|it| conversion(it, it.card_amount)),
        card: shown.map(|attempt| card(&attempt.card)),
        failure: last.and_then(|attempt| failure(payment, attempt)),
        three_ds: shown.and_then(|attempt| three_ds(payment, attempt)),
        next_action: None,
        outcome_unknown: matches!(payment.state, State::OutcomeUnknown(_)),
        reversal_state: reversal_word(payment).to_owned(),
        network_transaction_id: payment.network_transaction_id.clone(),
        checkout_url: None,
        client_secret: None,
        attempts: payment.attempts.iter().map(|it| attempt(payment, it)).collect(),
        refunds: payment.refunds.iter().map(|it| refund(payment, it)).collect(),
        captures: payment.captures.iter().map(capture).collect(),
        description: details.description.clone(),
        statement_descriptor: details.descriptor.as_ref().map(|text| match shown {
            None => text.clone(),
            Some(attempt) => on_statement(text, attempt.card.brand),
        }),
        created_at: payment.created_at,
        expires_at: payment.expires_at,
        metadata: Metadata(details.metadata.clone()),
    }
}

/// The saved card that pays, or that the payment has saved.
fn stored_card(payment: &Payment) -> Option<CardId> {
    let saved = payment.authorizations().find_map(|attempt| attempt.saving.as_ref());
    let used = payment.terms.stored.as_ref().map(|it| it.card);
    used.or_else(|| saved.map(|saving| saving.card))
}

fn initiator(payment: &Payment) -> Initiator {
    if payment.terms.by_merchant() { Initiator::Merchant } else { Initiator::Customer }
}

/// What captures may take now.
fn capturable(payment: &Payment) -> MinorUnits {
    match payment.state {
        State::Authorized | State::PartiallyCaptured | State::CaptureFailed => payment.capturable(),
        State::RequiresPaymentMethod
        | State::Authenticating
        | State::RequiresAction
        | State::Processing
        | State::OutcomeUnknown(_)
        | State::Captured
        | State::Verified
        | State::Canceled
        | State::Expired
        | State::Failed => MinorUnits::ZERO,
    }
}

/// A payment as its merchant sees it.
pub fn with_secrets(mut view: PaymentView, secrets: &ClientSecrets) -> PaymentView {
    view.checkout_url = Some(secrets.checkout_url(&view.id));
    view.next_action = (view.status == PaymentStatus::RequiresAction).then(|| NextAction {
        kind: "redirect_to_url".to_owned(),
        url: secrets.checkout_url(&view.id),
    });
    view.client_secret = Some(secrets.client_secret(&view.id));
    view
}

/// The authentication of an attempt, or what the merchant's own 3DS server said.
fn three_ds(payment: &Payment, attempt: &Attempt) -> Option<ThreeDsView> {
    let effective = attempt.indicator.as_deref();
    let approved = attempt.is_authorization();
    let Some(it) = payment.authentication_of(attempt) else {
        let own = payment.terms.three_ds.own.as_ref()?;
        let eci = effective.unwrap_or(&own.eci);
        return Some(ThreeDsView {
            version: own.version.clone(),
            stage: "done".to_owned(),
            status: None,
            eci: Some(eci.to_owned()),
            cavv: own.value.clone(),
            cavv_result: attempt.cavv_result.clone(),
            liability_shift: approved && shifts_liability(attempt.card.brand, Some(eci)),
            challenge_indicator: None,
            challenged: false,
            challenge_cancel: None,
            reason: None,
            tampered: false,
            server_trans_id: None,
            ds_trans_id: Some(own.ds_trans_id.to_string()),
            acs_trans_id: None,
        });
    };
    let values = &it.values;
    Some(ThreeDsView {
        version: VERSION.to_owned(),
        stage: it.stage.as_str().to_owned(),
        status: it.status().map(|status| status.as_str().to_owned()),
        eci: effective.map(str::to_owned).or_else(|| values.eci.clone()),
        cavv: values.value.clone(),
        cavv_result: attempt.cavv_result.clone(),
        liability_shift: approved && it.shifts_liability(effective),
        challenge_indicator: Some(it.wanted.code().to_owned()),
        challenged: it.challenged,
        challenge_cancel: values.cancel.clone(),
        reason: values.reason.clone(),
        tampered: it.tampered,
        server_trans_id: Some(it.id.to_string()),
        ds_trans_id: it.ds_trans_id.map(|id| id.to_string()),
        acs_trans_id: it.acs_trans_id.map(|id| id.to_string()),
    })
}

/// A card as far as anybody may know it.
pub fn card(card: &Card) -> CardView {
    CardView {
        brand: card.brand.as_str().to_owned(),
        bin: card.masked.first6().to_owned(),
        last4: card.masked.last4().to_owned(),
        expiry_month: card.expiry.month(),
        expiry_year: card.expiry.year(),
        fingerprint: card.fingerprint.to_string(),
        funding: "unknown".to_owned(),
        country: None,
    }
}

/// The furthest that the reversals of a payment have come; pending outweighs parked.
fn reversal_word(payment: &Payment) -> &'static str {
    let any = |wanted: &[ReversalState]| {
        payment.reversals.iter().any(|reversal| wanted.contains(&reversal.state))
    };
    if any(&[ReversalState::Queued, ReversalState::Retry]) {
        "pending"
    } else if any(&[ReversalState::Parked]) {
        "parked"
    } else if any(&[ReversalState::Acknowledged]) {
        "acked"
    } else {
        "none"
    }
}

fn attempt(payment: &Payment, attempt: &Attempt) -> AttemptView {
    AttemptView {
        id: attempt.id,
        n: attempt.n,
        kind: attempt.kind.as_str().to_owned(),
        amount: attempt.asked,
        approved: attempt.approved,
        state: attempt.state.as_str().to_owned(),
        card: Some(card(&attempt.card)),
        stan: Some(attempt.identity.stan_text()),
        network_token: attempt.network_token.clone(),
        rrn: Some(attempt.identity.rrn_text()),
        auth_code: attempt.auth_code.clone(),
        response_code: attempt.response_code,
        failure: failure(payment, attempt),
        outcome_source: attempt.outcome_source.clone(),
        cvv_result: attempt.cvv_result.clone(),
        avs_result: attempt.avs_result.clone(),
        created_at: attempt.created_at,
    }
}

/// Why an attempt did not work. That nothing was charged is said only when it is certain.
fn failure(payment: &Payment, attempt: &Attempt) -> Option<FailureView> {
    let decline = attempt.decline?;
    let family = family(payment, attempt, &decline);
    let mut view = failure_view(&decline, family, attempt.outcome_source.clone());
    view.retry_after = attempt.retry_after;
    Some(view)
}

fn family(payment: &Payment, attempt: &Attempt, decline: &Decline) -> Family {
    use crate::domain::reversal::Original;
    let unsettled = payment.reversals.iter().any(|reversal| {
        reversal.original == Original::Attempt(attempt.id)
            && reversal.state != ReversalState::Acknowledged
    });
    if unsettled { Family::Unknown } else { decline.family() }
}

fn failure_view(decline: &Decline, family: Family, decided_by: Option<String>) -> FailureView {
    FailureView {
        code: decline.code,
        response_code: decline.response_code,
        message: family.payer_message().to_owned(),
        advice: decline.advice,
        decided_by,
        retry_after: None,
    }
}

/// What was agreed, with what of it is spoken of.
fn conversion(it: &Conversion, amount: MinorUnits) -> ConversionView {
    ConversionView {
        quote: it.agreed.quote,
        amount: Money::new(amount, it.card_currency),
        rate: it.agreed.rate.clone(),
        base_rate: it.agreed.base_rate.clone(),
        markup_percent: it.agreed.markup_percent.clone(),
    }
}

fn capture(capture: &Capture) -> CaptureView {
    CaptureView {
        id: capture.id,
        amount: capture.amount,
        status: capture.state.as_str().to_owned(),
        created_at: capture.created_at,
    }
}

/// A refund as clients see it.
pub fn refund(payment: &Payment, refund: &Refund) -> RefundView {
    RefundView {
        id: refund.id,
        payment: payment.id,
        amount: Money::new(refund.amount, payment.currency),
        status: match refund.state {
            RefundState::Authorizing | RefundState::Unknown => RefundStatus::Pending,
            RefundState::Queued => RefundStatus::Succeeded,
            RefundState::Failed => RefundStatus::Failed,
            RefundState::Reversed => RefundStatus::Reversed,
        },
        reason: refund.reason.clone(),
        failure: refund
            .decline
            .map(|decline| failure_view(&decline, decline.family(), refund.outcome_source.clone())),
        arn: None,
        moved_to: refund.moved_to.clone(),
        currency_conversion: payment
            .conversion_of(refund.attempt)
            .zip(refund.card_amount)
            .map(|(it, amount)| conversion(it, amount)),
        created_at: refund.created_at,
    }
}
