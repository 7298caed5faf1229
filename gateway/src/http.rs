//! The gateway at a glance: path, method, handler.

pub mod access;
pub mod answer;
pub mod browser;
pub mod customers;
pub mod dashboard;
pub mod disputes;
pub mod docs;
pub mod error;
pub mod events;
mod exceptions;
pub mod fields;
pub mod notices;
pub mod oauth;
pub mod pay;
pub mod payments;
pub mod refunds;
pub mod sandbox;
pub mod settlements;
pub mod three_ds;
pub mod tokens;
pub mod webhook_endpoints;

use actix_web::web::ServiceConfig;

/// Every route of the gateway.
pub fn routes(config: &mut ServiceConfig) {
    oauth::routes(config);
    tokens::routes(config);
    payments::routes(config);
    refunds::routes(config);
    customers::routes(config);
    webhook_endpoints::routes(config);
    events::routes(config);
    disputes::routes(config);
    settlements::routes(config);
    docs::routes(config);
    fields::routes(config);
    pay::routes(config);
    dashboard::routes(config);
}
