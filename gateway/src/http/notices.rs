//! `POST /processor/v1/notices`: what the processor tells by itself, signed.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use kit::facts::Facts;
use kit::http::{
    KeyTable, NonceCache, OwnedKeyLookup, Problem, ReceivedRequest, annotate, json, on_link, verify,
};
use wire::settlement::{NOTICES_PATH, Notice};
use wire::signature::{SigningKey, Wire};

use crate::operations::{Context, notices};

/// The key of the processor, and the nonces of its signatures. A notice that comes twice after a
/// restart changes nothing: its number is kept.
#[derive(Clone)]
pub struct Hop {
    key: Arc<SigningKey>,
    nonces: Arc<NonceCache>,
}

impl Hop {
    /// With the key that the processor signs with.
    pub fn new(key: Arc<SigningKey>) -> Self {
        Self { key, nonces: Arc::new(NonceCache::new()) }
    }

    /// The nonces of its signatures.
    pub fn nonces(&self) -> &NonceCache {
        &self.nonces
    }
}

impl KeyTable for Hop {
    fn find(&self, key_id: &str) -> OwnedKeyLookup {
        if key_id == self.key.key_id() {
            OwnedKeyLookup::Known(self.key.clone())
        } else {
            OwnedKeyLookup::Unknown
        }
    }
}

/// The route of this room.
pub fn routes(config: &mut ServiceConfig, hop: &Hop) {
    config.app_data(Data::new(hop.clone())).route(NOTICES_PATH, web::post().to(take));
}

async fn take(
    received: ReceivedRequest,
    context: Data<Context>,
    hop: Data<Hop>,
) -> Result<HttpResponse, Problem> {
    on_link(received.http(), "processor->gateway");
    verify(&received, Wire::MessageHop, &**hop, &hop.nonces, &context.plumbing.clock)?;
    annotate(received.http(), Facts::new("notice", received.trace));
    let notice: Notice = json(&received)?;
    notices::take(&context, notice, received.trace).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "taken": true })))
}
