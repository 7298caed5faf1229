//! What the control plane asks the shop.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use futures_util::future::LocalBoxFuture;
use kit::http::{InvariantReport, SandboxHooks, sandbox_routes};
use kit::plumbing::Plumbing;
use wire::time::Timestamp;

use crate::operations::Context;

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
    sandbox_routes(config, plumbing, sandbox_key, Arc::new(Hooks(context.clone())));
}
