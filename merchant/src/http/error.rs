//! Every status code that is chosen for something that failed.

use std::sync::Arc;

use askama::Template;
use kit::http::{Problem, ProblemPage};

use crate::domain::cart::CartRefusal;
use crate::domain::refund::Refusal as RefundRefusal;
use crate::operations::Trouble;
use crate::operations::receive_event::Refused;
use crate::pages;
use crate::store::StoreError;

/// Something inside failed.
pub fn store(error: StoreError) -> Problem {
    match &error.0 {
        kit::sqlite::DatabaseError::Full => Problem::unavailable(error),
        _ => Problem::internal(error),
    }
}

/// An operation could not be done.
pub fn trouble(trouble: Trouble) -> Problem {
    match trouble {
        Trouble::NoOrder | Trouble::NotThere => Problem::not_found(),
        Trouble::GatewaySilent => gateway_silent(),
        Trouble::Store(error) => store(error),
    }
}

/// A form without the token of this browser, or sent by another site.
pub fn form_foreign() -> Problem {
    let detail = "This form was not sent from this shop, or it is too old. Go back and try again.";
    Problem::new(403, "form_foreign", detail).title("Form refused")
}

/// Nobody is logged in.
pub fn login_needed() -> Problem {
    Problem::new(401, "login_needed", "This needs a login to the back office.")
}

/// The role does not allow it.
pub fn role_missing() -> Problem {
    Problem::new(403, "role_missing", "Your role does not allow this.")
}

/// A basket that is not taken.
pub fn cart(refusal: CartRefusal) -> Problem {
    let (code, param) = match refusal {
        CartRefusal::Quantity => ("quantity_invalid", "quantity"),
        CartRefusal::TooMuch => ("amount_too_large", "items"),
        CartRefusal::Empty => ("items_empty", "items"),
        CartRefusal::Currencies => ("currencies_mixed", "items"),
        CartRefusal::Repeated => ("item_repeated", "items"),
    };
    Problem::new(422, code, refusal.to_string()).param(param)
}

/// A product that is not sold.
pub fn sku_unknown() -> Problem {
    Problem::new(422, "sku_unknown", "there is no such product").param("sku")
}

/// The same key for another request.
pub fn key_reused() -> Problem {
    let detail = "this Idempotency-Key was used for another request";
    Problem::new(422, "idempotency_key_reused", detail).param("idempotency-key")
}

/// The gateway did not answer; asking again is safe.
pub fn gateway_silent() -> Problem {
    let detail = "The payment gateway does not answer. Nothing was charged. Try again.";
    Problem::new(503, "gateway_unavailable", detail).retry_after(std::time::Duration::from_secs(5))
}

/// The order is in a state in which this cannot be done.
pub fn order_state(code: &'static str, detail: &'static str) -> Problem {
    Problem::new(409, code, detail)
}

/// A refund that is not asked for.
pub fn refund(refusal: RefundRefusal) -> Problem {
    let (status, code) = match refusal {
        RefundRefusal::NotPaid => (409, "order_not_paid"),
        RefundRefusal::TooMuch => (422, "amount_too_large"),
        RefundRefusal::Nothing => (422, "amount_invalid"),
        RefundRefusal::Reason => (422, "reason_invalid"),
        RefundRefusal::ReasonIsCardNumber => (422, "card_number_not_allowed_here"),
        RefundRefusal::SamePerson => (403, "second_person_needed"),
        RefundRefusal::Role => (403, "role_missing"),
        RefundRefusal::NotWaiting | RefundRefusal::NotSent => (409, "refund_not_waiting"),
    };
    Problem::new(status, code, refusal.to_string())
}

/// A notification that is refused.
pub fn notification(refused: Refused) -> Problem {
    Problem::new(refused.status, "notification_refused", refused.detail).reason(refused.reason)
}

/// A page that could not be rendered.
pub fn page(error: askama::Error) -> Problem {
    Problem::internal(error)
}

/// Problems as browsers see them.
pub fn problem_page() -> ProblemPage {
    Arc::new(|problem, context| {
        let page = pages::ProblemPage {
            frame: pages::Frame::default(),
            heading: problem.title_text(),
            detail: problem.detail(),
            code: problem.code(),
            request_id: context.request_id,
        };
        page.render().unwrap_or_else(|_| problem.detail().to_owned())
    })
}
