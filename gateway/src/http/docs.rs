//! The OpenAPI document and the pages that explain the API.

mod codes;
mod document;
mod routes;

use std::sync::LazyLock;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, http::header};
use bytes::Bytes;
use kit::http::Problem;

use super::browser::page;
use crate::operations::Context;
use crate::pages::api_docs::ApiDocsPage;
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, shown};

pub use routes::document;

/// The document as it is served: made once, when somebody asks for it.
static JSON: LazyLock<Bytes> =
    LazyLock::new(|| document().to_pretty_json().unwrap_or_default().into());

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    config.route("/api/openapi.json", web::get().to(openapi));
    config.route("/api/docs", web::get().to(docs));
}

/// `GET /api/openapi.json`
async fn openapi() -> HttpResponse {
    let kept = (header::CACHE_CONTROL, "no-cache");
    HttpResponse::Ok().insert_header(kept).content_type("application/json").body(JSON.clone())
}

/// `GET /api/docs`
async fn docs(context: Data<Context>) -> Result<HttpResponse, Problem> {
    let document = serde_json::to_value(document()).map_err(Problem::internal)?;
    let merchant = shown(&context.settings.keys.merchant.name, SHOWN_CHARACTERS_MAX);
    page(200, &ApiDocsPage::new(&document, merchant, &context.settings.public_url))
}
