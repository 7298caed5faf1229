//! Everything this program listens to: path, method, handler.

mod challenges;
mod clearing;
mod directory_server;
mod disputes;
mod error;
mod issuers;
mod messages;
mod sandbox;
mod status;

use std::sync::Arc;

use actix_web::web;
use kit::http::{KeyTable, NonceCache, OwnedKeyLookup, sandbox_routes_with};
use wire::processor_api::PROCESSOR_PATH;
use wire::settlement::DISPUTES_PATH;
use wire::signature::SigningKey;

use crate::operations::Context;

pub use error::problem_page;

/// What the handlers need beside the context.
#[derive(Clone)]
pub struct Served {
    /// The context of operations.
    pub context: Context,
    /// The key of the gateway.
    pub gateway_key: Arc<SigningKey>,
    /// Nonces of the gateway's signatures.
    pub nonces: Arc<NonceCache>,
    /// Key of the control plane.
    pub sandbox_key: Arc<str>,
}

impl KeyTable for Served {
    fn find(&self, key_id: &str) -> OwnedKeyLookup {
        if key_id == self.gateway_key.key_id() {
            OwnedKeyLookup::Known(self.gateway_key.clone())
        } else {
            OwnedKeyLookup::Unknown
        }
    }
}

/// The routes.
pub fn routes(config: &mut web::ServiceConfig, served: &Served) {
    let hooks = Arc::new(sandbox::Hooks(served.context.clone()));
    config
        .app_data(web::Data::new(served.clone()))
        .app_data(web::Data::new(served.context.clone()))
        .route("/", web::get().to(status::page))
        .configure(issuers::routes)
        .route(PROCESSOR_PATH, web::post().to(messages::take))
        .route(DISPUTES_PATH, web::post().to(disputes::answer))
        .configure(directory_server::routes)
        .configure(challenges::routes);
    let plumbing = &served.context.plumbing;
    sandbox_routes_with(config, plumbing, &served.sandbox_key, hooks, |own| {
        own.route("/cards", web::get().to(sandbox::list_cards))
            .route("/cards", web::post().to(sandbox::issue_card))
            .route("/cards/{name}", web::get().to(sandbox::show_card))
            .route("/cards/{name}", web::patch().to(sandbox::change_card))
            .route("/cards/{name}/cryptogram", web::post().to(sandbox::make_cryptogram))
            .route("/accounts", web::get().to(sandbox::list_accounts))
            .route("/accounts/{id}", web::get().to(sandbox::show_account))
            .route("/issuers", web::get().to(sandbox::list_issuers))
            .route("/issuers/{id}/sign-off", web::post().to(sandbox::sign_off))
            .route("/issuers/{id}/sign-on", web::post().to(sandbox::sign_on))
            .route("/merchants", web::get().to(sandbox::list_merchants))
            .route("/merchants/{id}", web::patch().to(sandbox::change_merchant))
            .route("/ledger/{party}", web::get().to(sandbox::show_ledger))
            .route("/acs", web::patch().to(challenges::set))
            .configure(clearing::control_routes)
            .configure(disputes::control_routes);
    });
}
