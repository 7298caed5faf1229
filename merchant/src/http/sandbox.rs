//! What the control plane asks the shop.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use futures_util::future::LocalBoxFuture;
use kit::http::{InvariantReport, Problem, SandboxHooks, sandbox_routes_with};
use kit::plumbing::Plumbing;
use wire::time::Timestamp;

use super::error;
use crate::operations::{Context, settlements};

struct Hooks(Context);

impl SandboxHooks for Hooks {
    fn next_due_at(&self) -> LocalBoxFuture<'_, Option<Timestamp>> {
        Box::pin(async { self.0.store.next_due_at().await.ok().flatten() })
    }

    fn invariants(&self) -> LocalBoxFuture<'_, InvariantReport> {
        Box::pin(async {
            match self.0.store.check_invariants().await {
                Ok((checked, violations)) => {
                    InvariantReport::new(u32::try_from(checked).unwrap_or(u32::MAX), violations)
                }
                Err(error) => InvariantReport::new(0, vec![format!("not checked: {error}")]),
            }
        })
    }
}

/// The routes under `/_sandbox`.
pub fn sandbox(
    config: &mut ServiceConfig,
    plumbing: &Plumbing,
    sandbox_key: &str,
    context: &Context,
) {
    let hooks = Arc::new(Hooks(context.clone()));
    sandbox_routes_with(config, plumbing, sandbox_key, hooks, |own| {
        own.route("/reconciliation", web::get().to(reconciliation));
    });
}

/// `GET reconciliation`: what the books and the settlement reports differ in.
async fn reconciliation(context: web::Data<Context>) -> Result<HttpResponse, Problem> {
    let compared = settlements::compare(&context).await.map_err(error::trouble)?;
    let difference = |it: &crate::domain::settlement::Difference| {
        serde_json::json!({
            "kind": it.kind.as_str(),
            "batch": it.batch,
            "day": it.day,
            "currency": it.currency,
            "payment": it.payment,
            "order": it.order,
            "arn": it.arn,
            "ours": it.ours,
            "theirs": it.theirs,
        })
    };
    let differences: Vec<serde_json::Value> = compared.differences.iter().map(difference).collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "reports": compared.reports.len(),
        "differences": differences,
    })))
}
