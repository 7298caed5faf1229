//! The control plane's list of what a person has to look at.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use kit::http::Problem;
use serde_json::json;
use wire::ids::ReversalId;

use crate::operations::{Context, exceptions};

/// The routes, below `/_sandbox`.
pub fn sandbox_routes(config: &mut ServiceConfig) {
    config
        .route("/exceptions", web::get().to(list))
        .route("/reversals/{id}/requeue", web::post().to(requeue));
}

async fn list(context: Data<Context>) -> Result<HttpResponse, Problem> {
    let found = exceptions::list(&context).await?;
    Ok(HttpResponse::Ok().json(json!({ "data": found })))
}

/// `POST /_sandbox/reversals/{id}/requeue`: an operator has it tried again.
async fn requeue(context: Data<Context>, path: Path<String>) -> Result<HttpResponse, Problem> {
    let id: ReversalId = path.parse().map_err(|_| Problem::not_found())?;
    if exceptions::requeue(&context, id).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::new(409, "not_parked", "there is no parked reversal of this id"))
}
