//! A customer's own data: shown, handed out as a file, erased.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Problem, ReceivedRequest, query_pairs};

use super::browser::{Guest, shop_form};
use super::{answer, error};
use crate::operations::Context;
use crate::operations::privacy::{self, Erased};
use crate::pages::order::Notice;
use crate::pages::privacy::PrivacyPage;

/// `GET /privacy`
pub async fn show(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let known = privacy::known(&context, &guest.cookie).await.map_err(error::trouble)?;
    let pairs = query_pairs(request.query_string())?;
    let notice = match pairs.get("done") {
        Some("erased") => Some(("good", "Your name, mail address and cards are erased.")),
        Some("open") => Some((
            "bad",
            "Nothing was erased: an order is still being paid. Pay it or cancel it first.",
        )),
        Some("unsure") => Some(("bad", "Nothing was erased. Tick the box first, to be sure.")),
        _ => None,
    };
    let page = PrivacyPage {
        frame: guest.frame(&context, "privacy"),
        notice: notice.map(|(tone, text)| Notice { tone, text }),
        orders: known.orders.len(),
        subscriptions: known.subscriptions.len(),
        at_gateway: known.at_gateway,
    };
    Ok(guest.greet(answer::page(&context, &page)?))
}

/// `GET /privacy/export`
pub async fn export(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let export = privacy::export(&context, &guest.cookie).await.map_err(error::trouble)?;
    let text = serde_json::to_string_pretty(&export).map_err(Problem::internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"my-data.json\""))
        .body(text))
}

/// `POST /privacy/erase`
pub async fn erase(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (guest, pairs) = shop_form(&context, &received).await?;
    if pairs.get("sure") != Some("yes") {
        return Ok(answer::see_other("/privacy?done=unsure"));
    }
    let erased = privacy::erase(&context, &guest.cookie).await.map_err(error::trouble)?;
    Ok(answer::see_other(match erased {
        Erased::Done => "/privacy?done=erased",
        Erased::PaymentOpen => "/privacy?done=open",
    }))
}
