//! Payments: create, list, read, confirm, capture, void, cancel, refund, timeline.

use actix_web::web::ServiceConfig;

/// The routes of this room.
pub fn routes(_config: &mut ServiceConfig) {}
