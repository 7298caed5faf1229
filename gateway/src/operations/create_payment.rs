//! Creating a payment, and the checks of what a merchant says about it.

use data_encoding::BASE64;
use kit::crash_points::Boundary;
use wire::card::contains_card_number;
use wire::gateway_api::{
    CaptureMode as CaptureWord, CreatePayment, ExemptionWord, LineItem, ThreeDsMode,
    ThreeDsRequest, ThreeDsResult, UnavailablePolicy,
};
use wire::ids::{MerchantId, PaymentId};
use wire::money::MinorUnits;
use wire::stored_credential::{Initiator, PaymentPurpose};
use wire::time::Timestamp;

use super::announce::Occasion;
use super::failure::Failure;
use super::idempotency::{self, Answered, Call, Claim};
use super::stored_cards::{self, WantedCard};
use super::unit_of_work::{Answer, committed, store_answer};
use super::{Context, announce, caps};
use crate::domain::access::ReturnOrigins;
use crate::domain::check_rules::CheckRules;
use crate::domain::payment::{
    Announcement, CaptureMode, Details, Effect, Line, NewPayment, Payment,
};
use crate::domain::terms::{Previous, SavingTerms, Terms};
use crate::domain::three_ds::{Exemption, Mode, OnUnavailable, OwnResult, ThreeDsTerms};
use crate::store::payments::{self, Stored};
use crate::store::stored_cards as customers;

const REFERENCE_CHARACTERS_MAX: usize = 64;
const DESCRIPTION_CHARACTERS_MAX: usize = 200;
const NAME_CHARACTERS_MAX: usize = 100;
const EMAIL_CHARACTERS_MAX: usize = 254;
const URL_BYTES_MAX: usize = 2048;
const LINES_MAX: usize = 100;

/// A payment that passed every check of form.
#[derive(Clone, Debug)]
pub struct CheckedPayment {
    order_reference: String,
    amount: wire::money::Money,
    capture_mode: CaptureMode,
    terms: Terms,
    details: Details,
    /// The saved card that is to pay.
    pub(super) wanted: Option<WantedCard>,
}

/// Checks what a merchant says about a payment, field by field.
/// Where the payment says nothing, the account's settings do.
pub fn check(
    request: CreatePayment,
    origins: &ReturnOrigins,
    context: &Context,
) -> Result<CheckedPayment, Failure> {
    check_amount(&request)?;
    caps::check_payment(context, request.amount.value)?;
    text(&request.order_reference, "order_reference", REFERENCE_CHARACTERS_MAX)?;
    if request.order_reference.is_empty() {
        let detail = "an order reference has 1 to 64 characters";
        return Err(Failure::invalid("field_too_short", "order_reference", detail));
    }
    optional(request.description.as_ref(), "description", DESCRIPTION_CHARACTERS_MAX)?;
    let descriptor = request.statement_descriptor.as_ref();
    optional(descriptor, "statement_descriptor", DESCRIPTION_CHARACTERS_MAX)?;
    address(request.return_url.as_ref(), "return_url", origins)?;
    address(request.cancel_url.as_ref(), "cancel_url", origins)?;
    let terms = terms(&request, context.settings.accept_partial)?;
    let wanted = wanted(&request)?;
    let customer = request.customer.unwrap_or_default();
    optional(customer.name.as_ref(), "customer.name", NAME_CHARACTERS_MAX)?;
    email(customer.email.as_ref())?;
    lines(&request.line_items, request.amount.value)?;
    for (key, value) in &request.metadata.0 {
        let param = format!("metadata.{key}");
        if contains_card_number(key) {
            return Err(card_number("metadata"));
        }
        text(value, &param, usize::MAX)?;
    }
    Ok(CheckedPayment {
        order_reference: request.order_reference,
        amount: request.amount,
        capture_mode: match request.capture {
            CaptureWord::Automatic => CaptureMode::Automatic,
            CaptureWord::Manual => CaptureMode::Manual,
        },
        terms,
        details: Details {
            description: request.description,
            descriptor: request.statement_descriptor,
            return_url: request.return_url,
            cancel_url: request.cancel_url,
            customer_name: customer.name,
            customer_email: customer.email,
            lines: request.line_items.into_iter().map(line).collect(),
            metadata: request.metadata.0,
        },
        wanted,
    })
}

/// Money has an amount, a verification has none.
fn check_amount(request: &CreatePayment) -> Result<(), Failure> {
    let detail = match (request.amount.value.is_zero(), request.purpose) {
        (true, PaymentPurpose::Purchase) => "an amount must be more than zero",
        (false, PaymentPurpose::Verification) => "a verification has the amount 0",
        (true, PaymentPurpose::Verification) | (false, PaymentPurpose::Purchase) => return Ok(()),
    };
    Err(Failure::invalid("invalid_amount", "amount.value", detail))
}

/// The saved card that is to pay, and who starts the payment.
fn wanted(request: &CreatePayment) -> Result<Option<WantedCard>, Failure> {
    let invalid = |param, detail: &str| Err(Failure::invalid("field_invalid", param, detail));
    let by_merchant = request.initiator == Initiator::Merchant;
    if !by_merchant && request.mit_reason.is_some() {
        return invalid("mit_reason", "only payments with `\"initiator\": \"merchant\"` have one");
    }
    if request.card.is_none() && request.agreement.is_none() {
        if by_merchant {
            let detail = "a merchant starts payments on a saved card: name `card` or `agreement`";
            return Err(Failure::invalid("field_missing", "card", detail));
        }
        return Ok(None);
    }
    if by_merchant && request.mit_reason.is_none() {
        let detail = "a payment that the merchant starts says why: `mit_reason`";
        return Err(Failure::invalid("field_missing", "mit_reason", detail));
    }
    if !by_merchant && request.customer_id.is_none() {
        let detail = "a saved card is paid with by its customer: name `customer_id`";
        return Err(Failure::invalid("field_missing", "customer_id", detail));
    }
    if request.card_token.is_some() || request.previous_payment.is_some() {
        return invalid("card", "a payment is paid with one card: leave the others out");
    }
    if request.save_card.is_some() {
        return invalid("save_card", "the card is saved already");
    }
    Ok(Some(WantedCard {
        card: request.card,
        agreement: request.agreement,
        initiator: request.initiator,
        reason: request.mit_reason,
    }))
}

/// What is agreed beside the amount.
fn terms(request: &CreatePayment, accepts_partial: bool) -> Result<Terms, Failure> {
    if let Some(mcc) = &request.mcc
        && (mcc.len() != 4 || !mcc.bytes().all(|byte| byte.is_ascii_digit()))
    {
        let detail = "a merchant category code has four digits";
        return Err(Failure::invalid("mcc_invalid", "mcc", detail));
    }
    if request.estimated && request.capture == CaptureWord::Automatic {
        let detail = "an estimate is captured by a call of its own: send `\"capture\": \"manual\"`";
        return Err(Failure::invalid("field_invalid", "estimated", detail));
    }
    Ok(Terms {
        three_ds: three_ds(request.three_ds.as_ref())?,
        accept_partial: request.accept_partial.unwrap_or(accepts_partial),
        estimated: request.estimated,
        category: request.mcc.clone(),
        previous: request
            .previous_payment
            .map(|payment| Previous { payment, network_transaction_id: None }),
        purpose: request.purpose,
        rules: request.check_rules.map_or(CheckRules::default(), |rules| CheckRules {
            cvv: rules.cvv,
            avs: rules.avs,
            avs_unavailable: rules.avs_unavailable,
        }),
        customer: request.customer_id,
        saving: saving(request)?,
        stored: None,
    })
}

fn three_ds(request: Option<&ThreeDsRequest>) -> Result<ThreeDsTerms, Failure> {
    let Some(request) = request else { return Ok(ThreeDsTerms::default()) };
    Ok(ThreeDsTerms {
        mode: match request.mode {
            ThreeDsMode::Automatic => Mode::Automatic,
            ThreeDsMode::Force => Mode::Force,
            ThreeDsMode::Skip => Mode::Skip,
        },
        exemption: request.exemption.map(|word| match word {
            ExemptionWord::Tra => Exemption::RiskAnalysed,
            ExemptionWord::LowValue => Exemption::LowValue,
        }),
        on_unavailable: match request.on_unavailable {
            UnavailablePolicy::Authorize => OnUnavailable::Authorize,
            UnavailablePolicy::Stop => OnUnavailable::Stop,
        },
        own: request.result.as_ref().map(own_result).transpose()?,
    })
}

/// The result of a merchant's own 3DS server. What it is worth the issuer decides.
fn own_result(result: &ThreeDsResult) -> Result<OwnResult, Failure> {
    let invalid = |field: &str, detail: &str| {
        Failure::invalid("field_invalid", format!("three_ds.result.{field}"), detail)
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if result.version.is_empty() || result.version.len() > 8 || !is_digits(&result.version) {
        return Err(invalid("version", "expected a version such as 2.2.0"));
    }
    if result.eci.len() != 2 || !is_digits(&result.eci) {
        return Err(invalid("eci", "expected two digits, such as 05"));
    }
    let is_value = |text: &String| BASE64.decode(text.as_bytes()).is_ok_and(|it| it.len() == 20);
    if result.cavv.as_ref().is_some_and(|text| !is_value(text)) {
        return Err(invalid("cavv", "expected 20 bytes in base64"));
    }
    let ds_trans_id = result.ds_trans_id.parse();
    Ok(OwnResult {
        version: result.version.clone(),
        eci: result.eci.clone(),
        value: result.cavv.clone(),
        ds_trans_id: ds_trans_id.map_err(|_| invalid("ds_trans_id", "expected a UUID"))?,
    })
}

/// What the payer is asked to agree to.
fn saving(request: &CreatePayment) -> Result<Option<SavingTerms>, Failure> {
    let Some(asked) = &request.save_card else { return Ok(None) };
    if request.customer_id.is_none() {
        let detail = "a card is saved for a customer: name `customer_id`";
        return Err(Failure::invalid("field_missing", "customer_id", detail));
    }
    let checked = stored_cards::checked_consent(asked)?;
    Ok(Some(SavingTerms { reason: checked.reason, required: checked.required, text: checked.text }))
}

fn line(item: LineItem) -> Line {
    Line { name: item.name, quantity: item.quantity, unit_price: item.unit_price }
}

fn card_number(param: &str) -> Failure {
    let detail = "this field holds what may be a card number: card data goes into the card form";
    Failure::invalid("card_number_not_allowed_here", param, detail)
}

/// A free text: not too long, without control characters, and without card numbers.
pub(super) fn text(value: &str, param: &str, characters_max: usize) -> Result<(), Failure> {
    if value.chars().count() > characters_max {
        let detail = format!("at most {characters_max} characters");
        return Err(Failure::invalid("field_too_long", param, detail));
    }
    if value.chars().any(char::is_control) {
        let detail = "control characters are not allowed";
        return Err(Failure::invalid("text_invalid", param, detail));
    }
    if contains_card_number(value) {
        return Err(card_number(param));
    }
    Ok(())
}

fn optional(value: Option<&String>, param: &str, characters_max: usize) -> Result<(), Failure> {
    value.map_or(Ok(()), |value| text(value, param, characters_max))
}

fn email(value: Option<&String>) -> Result<(), Failure> {
    optional(value, "customer.email", EMAIL_CHARACTERS_MAX)?;
    let plausible = |value: &String| {
        value.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
    };
    match value {
        Some(value) if !plausible(value) => {
            let detail = "not a mail address";
            Err(Failure::invalid("email_invalid", "customer.email", detail))
        }
        Some(_) | None => Ok(()),
    }
}

fn address(
    value: Option<&String>,
    param: &'static str,
    origins: &ReturnOrigins,
) -> Result<(), Failure> {
    let Some(value) = value else { return Ok(()) };
    text(value, param, URL_BYTES_MAX)?;
    if origins.allow(value) {
        return Ok(());
    }
    let code =
        if param == "return_url" { "return_url_not_allowed" } else { "cancel_url_not_allowed" };
    let detail = "this address lies under none of the client's registered origins";
    Err(Failure::invalid(code, param, detail))
}

fn lines(items: &[LineItem], amount: MinorUnits) -> Result<(), Failure> {
    if items.len() > LINES_MAX {
        let detail = format!("at most {LINES_MAX} line items");
        return Err(Failure::invalid("field_too_long", "line_items", detail));
    }
    let mut sum = Some(MinorUnits::ZERO);
    for (index, item) in items.iter().enumerate() {
        text(&item.name, &format!("line_items.{index}.name"), DESCRIPTION_CHARACTERS_MAX)?;
        if item.quantity == 0 {
            let param = format!("line_items.{index}.quantity");
            return Err(Failure::invalid("quantity_invalid", param, "a quantity is 1 or more"));
        }
        let part = item.unit_price.checked_times(i64::from(item.quantity));
        sum = sum.zip(part).and_then(|(sum, part)| sum.checked_add(part));
    }
    if items.is_empty() || sum == Some(amount) {
        return Ok(());
    }
    let detail = "the line items do not sum to the amount";
    Err(Failure::invalid("line_items_mismatch", "line_items", detail))
}

/// A new payment of a merchant, ready to be stored.
pub(super) fn new_payment(
    context: &Context,
    merchant: MerchantId,
    checked: CheckedPayment,
    at: Timestamp,
) -> Payment {
    Payment::create(NewPayment {
        id: context.plumbing.ids.with(PaymentId::new),
        merchant,
        order_reference: checked.order_reference,
        currency: checked.amount.currency,
        amount: checked.amount.value,
        capture_mode: checked.capture_mode,
        terms: checked.terms,
        details: checked.details,
        at,
        expires_at: at.plus(context.settings.timers.checkout_session),
    })
}

/// Stores a new payment with its first event; gives back where it stands, and the event's row.
pub(super) fn insert(
    context: &Context,
    connection: &rusqlite::Connection,
    mut payment: Payment,
    occasion: Occasion,
) -> Result<(Stored, Option<i64>), Failure> {
    if let Some(customer) = payment.terms.customer {
        let found = customers::customer(connection, &payment.merchant, &customer)?;
        found.ok_or(Failure::CustomerNotFound)?;
    }
    let created = [Effect::Announce(Announcement::Created)];
    let event = announce::effects(context, connection, &mut payment, None, &created, occasion)?;
    let row = payments::insert(connection, &payment)?;
    Ok((Stored { row, payment }, event))
}

/// Creates a payment that waits for a card.
pub async fn create(
    context: &Context,
    call: Call,
    checked: CheckedPayment,
) -> Result<Answered, Failure> {
    let at = context.plumbing.clock.now();
    let payment = new_payment(context, call.merchant, checked, at);
    let (inner, kind) = (context.clone(), call.message_kind());
    let answered = context
        .database
        .write(move |connection| -> Result<Answered, Failure> {
            let row = match idempotency::claim(connection, &call, at)? {
                Claim::Go(row) => row,
                Claim::Answered(status, body) => {
                    return idempotency::replay(&inner, status, body);
                }
            };
            let occasion = Occasion { trace: call.trace, at };
            let (stored, event) = insert(&inner, connection, payment, occasion)?;
            store_answer(connection, row, event, Answer::Payment)?;
            Ok(Answered::Payment(Box::new(stored.payment)))
        })
        .await?;
    if let Answered::Payment(payment) = &answered {
        context.plumbing.crash_points.reached(kind, Boundary::Stored);
        committed(context, payment);
    }
    Ok(answered)
}
