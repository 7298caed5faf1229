//! OAuth 2.0: client credentials, revocation, introspection, metadata.

use actix_web::web::ServiceConfig;

/// The routes of this room.
pub fn routes(_config: &mut ServiceConfig) {}
