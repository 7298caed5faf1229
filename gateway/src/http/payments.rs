//! Payments: create, list, read, confirm, capture, void, cancel, refund, timeline.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use kit::http::Problem;
use wire::gateway_api::{
    CapturePayment, ConfirmPayment, CreatePayment, CreateQuote, CreateRefund, Empty,
    IncrementPayment, VoidPayment,
};
use wire::ids::PaymentId;

use super::access::Authorized;
use super::answer::{answered, call, decode, id_of, json, pairs, respond, sandbox_outcome};
use crate::domain::access::Scope;
use crate::operations::capture_payment::{self, Capturing};
use crate::operations::confirm_payment::{self, Confirmation, PayWith, ToPay};
use crate::operations::failure::Failure;
use crate::operations::increment_payment::{self, Incrementing};
use crate::operations::read_payment::{self, Listing};
use crate::operations::refund_payment::{self, Refunding};
use crate::operations::stored_cards::Agreed;
use crate::operations::{
    Context, cancel_payment, convert_payment, create_payment, timeline, void_payment,
};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/payments", web::post().to(create))
        .route("/api/payments", web::get().to(list))
        .route("/api/payments/{id}", web::get().to(read))
        .route("/api/payments/{id}/conversion_quotes", web::post().to(quote))
        .route("/api/payments/{id}/confirm", web::post().to(confirm))
        .route("/api/payments/{id}/increment", web::post().to(increment))
        .route("/api/payments/{id}/capture", web::post().to(capture))
        .route("/api/payments/{id}/void", web::post().to(void))
        .route("/api/payments/{id}/cancel", web::post().to(cancel))
        .route("/api/payments/{id}/refunds", web::post().to(refund))
        .route("/api/payments/{id}/timeline", web::get().to(show_timeline));
}

type Answer = Result<HttpResponse, Problem>;

async fn create(context: Data<Context>, caller: Authorized) -> Answer {
    caller.require(Scope::PaymentsWrite)?;
    let request: CreatePayment = decode(&caller)?;
    let confirm = request.confirm;
    let saved = request.card.is_some() || request.agreement.is_some();
    let card = match (request.card_token, request.previous_payment) {
        (Some(_), Some(_)) => return Err(conflict().into()),
        (Some(token), None) => Some(PayWith::Token(token)),
        (None, Some(previous)) => Some(PayWith::Previous(previous)),
        (None, None) => saved.then_some(PayWith::Saved),
    };
    // With a token of its own the merchant's pages have asked the payer.
    let consent = request.save_card.as_ref().filter(|_| request.card_token.is_some());
    let consent = consent.map(|_| Agreed::in_own_pages());
    let checked = create_payment::check(request, &caller.client.return_origins, &context)?;
    let call = call(&context, &caller, 201)?;
    let created = match (card, confirm) {
        (None, false) => create_payment::create(&context, call, checked).await?,
        (Some(card), true) => {
            let sandbox_outcome = sandbox_outcome(&context, &caller)?;
            let (payment, in_browser) = (ToPay::New(Box::new(checked)), false);
            let confirmation =
                Confirmation { payment, card, sandbox_outcome, in_browser, consent, quote: None };
            confirm_payment::confirm(&context, call, confirmation).await?
        }
        (None, true) => return Err(missing("card_token").into()),
        (Some(_), false) => return Err(missing("confirm").into()),
    };
    answered(&context, 201, created)
}

fn conflict() -> Failure {
    let detail = "`previous_payment` is paid with its own card: leave `card_token` out";
    Failure::invalid("field_invalid", "card_token", detail)
}

fn missing(param: &'static str) -> Failure {
    let detail = "`card_token` and `confirm` belong together: pay at once with this token";
    Failure::invalid("field_missing", param, detail)
}

async fn list(context: Data<Context>, caller: Authorized) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let pairs = pairs(&caller)?;
    let listing = Listing::parse(pairs.iter())?;
    json(200, &read_payment::list(&context, caller.merchant, listing).await?)
}

async fn read(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    json(200, &read_payment::read_payment(&context, caller.merchant, id).await?)
}

async fn quote(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsWrite)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    let request: CreateQuote = decode(&caller)?;
    let call = call(&context, &caller, 201)?;
    Ok(respond(convert_payment::quote(&context, call, id, request.card_token).await?))
}

async fn confirm(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsWrite)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    let request: ConfirmPayment = decode(&caller)?;
    let call = call(&context, &caller, 200)?;
    let confirmation = Confirmation {
        in_browser: false,
        payment: ToPay::Existing(id),
        card: PayWith::Token(request.card_token),
        sandbox_outcome: sandbox_outcome(&context, &caller)?,
        consent: Some(Agreed::in_own_pages()),
        quote: request.currency_conversion.map(|taken| taken.quote),
    };
    let paid = confirm_payment::confirm(&context, call, confirmation).await?;
    answered(&context, 200, paid)
}

async fn increment(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsWrite)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    let request: IncrementPayment = decode(&caller)?;
    let call = call(&context, &caller, 200)?;
    let incrementing = Incrementing {
        amount: request.amount,
        sandbox_outcome: sandbox_outcome(&context, &caller)?,
    };
    let raised = increment_payment::increment(&context, call, id, incrementing).await?;
    answered(&context, 200, raised)
}

async fn capture(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsWrite)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    let request: CapturePayment = decode(&caller)?;
    let call = call(&context, &caller, 200)?;
    let capturing = Capturing { amount: request.amount, is_final: request.is_final };
    let captured = capture_payment::capture(&context, call, id, capturing).await?;
    answered(&context, 200, captured)
}

async fn void(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsWrite)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    let request: VoidPayment = decode(&caller)?;
    let call = call(&context, &caller, 200)?;
    let voided = void_payment::void(&context, call, id, request.amount).await?;
    answered(&context, 200, voided)
}

async fn cancel(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsWrite)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    let _: Empty = decode(&caller)?;
    let call = call(&context, &caller, 200)?;
    let canceled = cancel_payment::cancel(&context, call, id).await?;
    answered(&context, 200, canceled)
}

async fn refund(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::RefundsWrite)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    let request: CreateRefund = decode(&caller)?;
    let call = call(&context, &caller, 201)?;
    let refunding = Refunding { amount: request.amount, reason: request.reason };
    let refunded = refund_payment::refund(&context, call, id, refunding).await?;
    answered(&context, 201, refunded)
}

async fn show_timeline(context: Data<Context>, caller: Authorized, path: Path<String>) -> Answer {
    caller.require(Scope::PaymentsRead)?;
    let id = id_of::<PaymentId>(&caller, &path, Failure::PaymentNotFound)?;
    json(200, &timeline::timeline(&context, caller.merchant, id).await?)
}
