//! Orders that travel through a browser: the fields of a classic form, sealed by the merchant.

use kit::facts::TraceId;
use serde::Deserialize;
use wire::gateway_api::{CaptureMode, CreatePayment};
use wire::ids::PaymentId;
use wire::json::Metadata;
use wire::money::{Currency, MinorUnits, Money};
use wire::order_code::{OrderCodeKey, OrderFields, verify};
use wire::stored_credential::{Initiator, PaymentPurpose};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::idempotency::{Answered, Call, KeyParts, Keyed, call_key};
use super::{Context, create_payment};

/// The switch that lets an order in whatever its code says.
pub const UNCHECKED: &str = "order_code_unchecked";
/// How far ahead an order may expire, in seconds: as long as answers are remembered.
const AHEAD_MAX: i64 = 24 * 60 * 60;
/// The name under which the nonce stands in the payment's metadata.
const NONCE_IN_METADATA: &str = "nonce";

/// Why a form was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A field does not have its form.
    #[error("the field `{0}` is missing or malformed")]
    Field(&'static str),
    /// The code is wrong, missing or badly formed; the three look the same from outside.
    #[error("the order code does not fit the order")]
    Code,
    /// The same nonce came with other fields.
    #[error("this order was sent before with other contents")]
    Reused,
    /// Too late.
    #[error("this order has expired")]
    Expired,
    /// The payment could not be made.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// What a stored answer tells: which payment was made.
#[derive(Deserialize)]
struct Made {
    id: PaymentId,
}

/// Takes a sealed order in; the same order again is the same payment.
pub async fn accept(
    context: &Context,
    trace: TraceId,
    fields: OrderFields<'_>,
    code: &str,
    description: Option<&str>,
) -> Result<PaymentId, Refused> {
    fields.check().map_err(|error| Refused::Field(error.field))?;
    let merchant = context.settings.keys.merchant.id;
    check_code(context, &fields, code)?;
    if fields.merchant_id.parse() != Ok(merchant) {
        return Err(Refused::Code);
    }
    let currency = Currency::parse(fields.currency).map_err(|_| Refused::Field("currency"))?;
    if fields.exponent.parse() != Ok(currency.exponent()) {
        return Err(Refused::Field("exponent"));
    }
    let now = context.plumbing.clock.now().seconds();
    let expires: i64 = fields.expires_at.parse().map_err(|_| Refused::Field("expires_at"))?;
    if expires <= now {
        return Err(Refused::Expired);
    }
    if expires > now.saturating_add(AHEAD_MAX) {
        return Err(Refused::Field("expires_at"));
    }
    let amount = fields.amount.parse().ok().and_then(|value| MinorUnits::positive(value).ok());
    let amount = Money::new(amount.ok_or(Refused::Field("amount"))?, currency);
    create(context, trace, &fields, amount, description).await
}

fn check_code(context: &Context, fields: &OrderFields<'_>, code: &str) -> Result<(), Refused> {
    if context.plumbing.vulnerabilities.is_on(UNCHECKED) {
        tracing::warn!(order = fields.order_id, "a lesson lets an order in without its code");
        return Ok(());
    }
    let master = context.settings.keys.merchant.master_secret.expose().as_bytes();
    let master = data_encoding::BASE64.decode(master).map(Zeroizing::new);
    let key = master.ok().and_then(|it| OrderCodeKey::derive_from_master(&it).ok());
    // Nothing fails open: without a key no code fits.
    let key = key.ok_or(Refused::Code)?;
    verify(&[&key], fields, code).map_err(|refusal| {
        tracing::warn!(order = fields.order_id, %refusal, "an order was refused");
        Refused::Code
    })
}

async fn create(
    context: &Context,
    trace: TraceId,
    fields: &OrderFields<'_>,
    amount: Money,
    description: Option<&str>,
) -> Result<PaymentId, Refused> {
    let mut metadata = Metadata::default();
    metadata.0.insert(NONCE_IN_METADATA.to_owned(), fields.nonce.to_owned());
    let request = CreatePayment {
        amount,
        order_reference: fields.order_id.to_owned(),
        capture: CaptureMode::Automatic,
        return_url: Some(fields.return_url.to_owned()),
        cancel_url: Some(fields.return_url.to_owned()),
        statement_descriptor: None,
        description: description.map(str::to_owned),
        customer: None,
        line_items: Vec::new(),
        metadata,
        card_token: None,
        confirm: false,
        accept_partial: None,
        estimated: false,
        mcc: None,
        previous_payment: None,
        three_ds: None,
        purpose: PaymentPurpose::Purchase,
        check_rules: None,
        customer_id: None,
        save_card: None,
        card: None,
        initiator: Initiator::Customer,
        mit_reason: None,
        agreement: None,
    };
    let merchant = context.settings.keys.merchant.id;
    // The seal covers the address; it must lie where one of the merchant's programs lives, too.
    let clients = context.access.clients();
    let home = clients.iter().find(|client| {
        client.merchant == merchant && client.return_origins.allow(fields.return_url)
    });
    let home = home.ok_or(Refused::Field("return_url"))?;
    let checked = create_payment::check(request, &home.return_origins, context)?;
    // Seal and nonce make the form what an idempotency key makes a call.
    let key = call_key(&KeyParts {
        status: 201,
        merchant: &merchant,
        method: "POST",
        path: "/pay/form",
        key: fields.nonce,
        content_type: "application/x-www-form-urlencoded",
        body: &fields.sealed_bytes(),
    });
    let render =
        std::sync::Arc::new(|failure: &Failure| (422, bytes::Bytes::from(failure.to_string())));
    let call = Call { merchant, trace, nonce: None, key: Some(Keyed { key, render }) };
    match create_payment::create(context, call, checked).await {
        Ok(Answered::Payment(payment)) => Ok(payment.id),
        Ok(Answered::Stored(stored)) => {
            let made = serde_json::from_slice::<Made>(&stored.body);
            made.map(|made| made.id).map_err(|_| Refused::Reused)
        }
        Ok(Answered::Refund(..)) | Err(Failure::KeyReused) => Err(Refused::Reused),
        Err(failure) => Err(failure.into()),
    }
}
