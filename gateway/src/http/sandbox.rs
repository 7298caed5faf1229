//! What the control plane asks of this program.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use futures_util::future::LocalBoxFuture;
use kit::http::{InvariantReport, SandboxHooks, sandbox_routes_with};
use serde_json::json;
use wire::time::Timestamp;

use super::{access, exceptions};
use crate::operations::{Context, card_attempts, invariants, metrics};

struct Hooks(Context);

impl SandboxHooks for Hooks {
    fn next_due_at(&self) -> LocalBoxFuture<'_, Option<Timestamp>> {
        Box::pin(std::future::ready(self.0.plumbing.activity.next_due().earliest()))
    }

    fn next_work_due_at(&self) -> LocalBoxFuture<'_, Option<Timestamp>> {
        Box::pin(std::future::ready(self.0.plumbing.activity.next_due().work))
    }

    fn invariants(&self) -> LocalBoxFuture<'_, InvariantReport> {
        Box::pin(invariants::check(&self.0))
    }
}

async fn figures(context: Data<Context>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(metrics::render(&context))
}

/// `GET /_sandbox/card-attempts`: the limits, and the ranges that were tried too often.
async fn tried(context: Data<Context>) -> HttpResponse {
    let limits = context.settings.limits.card_attempts;
    HttpResponse::Ok().json(json!({
        "per_address": limits.per_address,
        "per_range": limits.per_range,
        "suspicious": card_attempts::suspicions(&context),
    }))
}

/// The routes of the control plane, and the figures for monitoring.
pub fn routes(config: &mut ServiceConfig, context: &Context) {
    config.route("/metrics", web::get().to(figures));
    let key = context.settings.keys.sandbox_key.expose();
    let hooks = Arc::new(Hooks(context.clone()));
    sandbox_routes_with(config, &context.plumbing, key, hooks, |scope| {
        scope.route("/card-attempts", web::get().to(tried));
        access::sandbox_routes(scope);
        exceptions::sandbox_routes(scope);
    });
}
