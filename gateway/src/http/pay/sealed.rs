//! `POST /pay/form`: the classic form of a merchant, with its verification code.

use actix_web::HttpResponse;
use actix_web::web::Data;
use kit::facts::Facts;
use kit::http::{Problem, ReceivedRequest, annotate, form_pairs};
use wire::order_code::OrderFields;

use crate::http::browser::see;
use crate::operations::Context;
use crate::operations::sealed_order::{self, Refused};

/// Takes the order in and leads to its payment page.
pub async fn receive(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let form = form_pairs(&received)?;
    let field = |name: &'static str| form.get(name).unwrap_or_default();
    let order = Some(field("order_id").chars().take(64).collect());
    annotate(received.http(), Facts { order, ..Facts::new("card_form", received.trace) });
    let fields = OrderFields {
        merchant_id: field("merchant_id"),
        order_id: field("order_id"),
        amount: field("amount"),
        currency: field("currency"),
        exponent: field("exponent"),
        return_url: field("return_url"),
        expires_at: field("expires_at"),
        nonce: field("nonce"),
    };
    let description = form.get("description");
    let code = field("code");
    let accepted = sealed_order::accept(&context, received.trace, fields, code, description).await;
    let id = accepted.map_err(problem)?;
    Ok(see(&context.client_secrets.checkout_url(&id)))
}

fn problem(refused: Refused) -> Problem {
    let again = "Go back to the shop and start again.";
    match refused {
        Refused::Field(name) => {
            let detail = format!("The shop sent an order that cannot be read (`{name}`). {again}");
            Problem::new(400, "order_field_invalid", detail).param(name)
        }
        Refused::Code => {
            let detail = format!("This order was not sealed by the shop it names. {again}");
            Problem::new(403, "order_code_invalid", detail).param("code")
        }
        Refused::Reused => {
            let detail = format!("This order was sent before with other contents. {again}");
            Problem::new(409, "order_code_reused", detail).param("nonce")
        }
        Refused::Expired => {
            let detail = format!("This order has expired. {again}");
            Problem::new(410, "order_expired", detail).param("expires_at")
        }
        Refused::Failure(failure) => failure.into(),
    }
}
