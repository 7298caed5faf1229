//! Every status code and error code that a client can see.

use kit::http::Problem;

use crate::domain::caps::{Cap, Exceeded};
use crate::domain::conversion::QuoteRefusal;
use crate::domain::payment::{Refusal, State};
use crate::domain::stored_card::CardRefusal;
use crate::operations::failure::{Failure, Verb};
use crate::store::vault::TokenError;

/// How a failure looks to a client.
pub fn problem(failure: &Failure) -> Problem {
    match failure {
        Failure::PaymentNotFound => {
            Problem::new(404, "payment_not_found", "there is no such payment")
        }
        Failure::RefundNotFound => Problem::new(404, "refund_not_found", "there is no such refund"),
        Failure::PreviousNotFound => {
            let detail = "there is no such previous payment";
            Problem::new(404, "payment_not_found", detail).param("previous_payment")
        }
        Failure::PreviousNotExpired => {
            let detail = "only a payment that has expired is authorized again, in its currency";
            Problem::new(409, "not_reauthorizable", detail).param("previous_payment")
        }
        Failure::DisputeNotFound => {
            Problem::new(404, "dispute_not_found", "there is no such dispute")
        }
        Failure::SettlementNotFound => {
            Problem::new(404, "settlement_not_found", "there is no such settlement")
        }
        Failure::Disputed => {
            let detail = "the cardholder's bank disputes this payment; answer the dispute instead";
            Problem::new(409, "disputed", detail)
        }
        Failure::DisputeRefused(detail) => {
            Problem::new(409, "dispute_state_refused", detail.clone())
        }
        Failure::ProcessorSilent => {
            let detail = "the processor did not answer; make the same call again";
            Problem::new(503, "processor_unavailable", detail)
        }
        Failure::CustomerNotFound => {
            Problem::new(404, "customer_not_found", "there is no such customer")
                .param("customer_id")
        }
        Failure::CardNotFound => {
            Problem::new(404, "card_not_found", "there is no such saved card").param("card")
        }
        Failure::Card(refusal) => card(*refusal),
        Failure::Quote(refusal) => quote(*refusal),
        Failure::Refused { verb, refusal } => refused(*verb, *refusal),
        Failure::CapExceeded(exceeded) => cap_exceeded(*exceeded),
        Failure::OrderPaid => {
            let detail = "another payment of this order and amount is paid, or is being paid";
            Problem::new(409, "order_already_paid", detail)
        }
        Failure::Token(error) => token(error),
        Failure::Invalid(field) => {
            Problem::new(400, field.code, field.detail.clone()).param(field.param.clone())
        }
        Failure::KeyInUse => {
            let detail = "a call with this idempotency key is still running";
            Problem::new(409, "idempotency_key_in_use", detail).param("idempotency-key")
        }
        Failure::KeyReused => {
            let detail = "this idempotency key was used with another body";
            Problem::new(422, "idempotency_key_reused", detail).param("idempotency-key")
        }
        Failure::NoTraceNumbers | Failure::SubmissionUnknown | Failure::Ending => {
            Problem::unavailable(failure)
        }
        Failure::Encode(error) => Problem::internal(error),
        Failure::Database(error) => Problem::unavailable(error),
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        problem(&failure)
    }
}

fn cap_exceeded(exceeded: Exceeded) -> Problem {
    let Exceeded { cap, limit, left, asked } = exceeded;
    let problem = Problem::new(422, "cap_exceeded", exceeded.to_string())
        .reason(cap.as_str())
        .member("limit", limit)
        .member("left", left)
        .member("asked", asked);
    match cap {
        Cap::Payment => problem.param("amount"),
        Cap::CardDay | Cap::MerchantDay => problem,
    }
}

fn quote(refusal: QuoteRefusal) -> Problem {
    let (status, code, param) = match refusal {
        QuoteRefusal::NotFound => (404, "conversion_quote_not_found", "currency_conversion.quote"),
        QuoteRefusal::OtherCard => {
            (409, "conversion_quote_other_card", "currency_conversion.quote")
        }
        QuoteRefusal::Used => (409, "conversion_quote_used", "currency_conversion.quote"),
        QuoteRefusal::Expired => (409, "conversion_quote_expired", "currency_conversion.quote"),
        QuoteRefusal::NotAtOnce => (409, "conversion_not_possible", "capture"),
        QuoteRefusal::NotOffered => (422, "conversion_not_offered", "card_token"),
    };
    let hint = match refusal {
        QuoteRefusal::NotFound
        | QuoteRefusal::OtherCard
        | QuoteRefusal::Used
        | QuoteRefusal::Expired => ": ask for a new quote with the token that will pay",
        QuoteRefusal::NotAtOnce => ": create it with `\"capture\": \"automatic\"`",
        QuoteRefusal::NotOffered => ": confirm without a conversion",
    };
    Problem::new(status, code, format!("{refusal}{hint}")).param(param)
}

fn card(refusal: CardRefusal) -> Problem {
    let (status, code) = match refusal {
        CardRefusal::Deleted => (404, "card_not_found"),
        CardRefusal::Closed => (422, "card_closed"),
        CardRefusal::ContactIssuer => (422, "card_contact_issuer"),
        CardRefusal::NoAgreement => (422, "no_agreement"),
    };
    Problem::new(status, code, refusal.to_string()).param("card")
}

fn token(error: &TokenError) -> Problem {
    let status = match error {
        TokenError::NotFound => 404,
        TokenError::Used | TokenError::OtherPayment => 409,
        TokenError::Expired | TokenError::CodeGone => 422,
        TokenError::Vault(_) | TokenError::Database(_) => return Problem::internal(error),
    };
    Problem::new(status, error.code(), error.to_string()).param("card_token")
}

fn refused(verb: Verb, refusal: Refusal) -> Problem {
    let detail = refusal.to_string();
    let (status, code) = match refusal {
        Refusal::InProgress => (409, "payment_in_progress"),
        Refusal::Paid => (409, "payment_already_paid"),
        Refusal::Ended(state) => (409, ended(state)),
        Refusal::SessionOver => (409, "payment_session_expired"),
        Refusal::RetryBlocked => (422, "retry_blocked"),
        Refusal::NotAuthorized => (409, "not_authorized"),
        Refusal::NotCaptured => (409, "not_captured"),
        Refusal::CapturePending => (409, "capture_pending"),
        Refusal::InvalidAmount => (400, "invalid_amount"),
        Refusal::AmountTooLarge(_) => (422, "amount_too_large"),
        Refusal::NotIncrementable(_) => (409, "not_incrementable"),
        Refusal::AlreadySubmitted | Refusal::RefundSubmitted => (409, "already_submitted"),
        Refusal::AlreadyRefunded => (409, "already_refunded"),
        Refusal::AuthorizationOver => (409, "authorization_expired"),
        Refusal::RefundWindowClosed => (422, "refund_window_closed"),
        Refusal::RefundDecided(_) => (409, "refund_not_cancelable"),
        Refusal::NotWaiting => (409, not_waiting(verb)),
    };
    let problem = Problem::new(status, code, detail);
    match refusal {
        Refusal::InvalidAmount => problem.param("amount"),
        Refusal::AmountTooLarge(left) => problem.param("amount").member("left", left.get()),
        Refusal::RetryBlocked => problem.param("card_token"),
        Refusal::InProgress
        | Refusal::Paid
        | Refusal::Ended(_)
        | Refusal::SessionOver
        | Refusal::NotAuthorized
        | Refusal::NotCaptured
        | Refusal::CapturePending
        | Refusal::NotIncrementable(_)
        | Refusal::AlreadySubmitted
        | Refusal::RefundSubmitted
        | Refusal::AlreadyRefunded
        | Refusal::AuthorizationOver
        | Refusal::RefundWindowClosed
        | Refusal::RefundDecided(_)
        | Refusal::NotWaiting => problem,
    }
}

const fn ended(state: State) -> &'static str {
    match state {
        State::Canceled => "payment_canceled",
        State::Expired => "payment_expired",
        State::Verified => "payment_already_paid",
        State::RequiresPaymentMethod
        | State::Authenticating
        | State::RequiresAction
        | State::Processing
        | State::OutcomeUnknown(_)
        | State::Authorized
        | State::PartiallyCaptured
        | State::Captured
        | State::CaptureFailed
        | State::Failed => "payment_failed",
    }
}

const fn not_waiting(verb: Verb) -> &'static str {
    match verb {
        Verb::Confirm => "not_confirmable",
        Verb::Increment => "not_incrementable",
        Verb::Capture => "not_capturable",
        Verb::Void => "not_voidable",
        Verb::Cancel => "not_cancelable",
        Verb::Refund => "not_refundable",
        Verb::CancelRefund => "refund_not_cancelable",
    }
}
