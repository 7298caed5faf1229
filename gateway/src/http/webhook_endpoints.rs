//! Webhook endpoints: create, list, read, disable, rotate the secret.

use actix_web::web::ServiceConfig;

/// The routes of this room.
pub fn routes(_config: &mut ServiceConfig) {}
