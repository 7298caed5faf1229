//! The merchant's dashboard: sign in, payments, refunds, disputes, payouts, developers.

mod access;
mod clients;
mod developers;
mod disputes;
mod payments;
mod payouts;
mod refunds;
mod settings;

use actix_web::web::{self, ServiceConfig};

/// The routes of this room.
pub fn routes(config: &mut ServiceConfig) {
    let dashboard = web::scope("/dashboard")
        .route("", web::get().to(payments::list))
        .route("/login", web::get().to(access::show))
        .route("/login", web::post().to(access::sign_in))
        .route("/logout", web::post().to(access::sign_out))
        .route("/payments/{id}", web::get().to(payments::detail))
        .route("/payments/{id}/capture", web::post().to(payments::capture))
        .route("/payments/{id}/void", web::post().to(payments::void))
        .route("/payments/{id}/refund", web::post().to(payments::refund))
        .route("/refunds", web::get().to(refunds::list))
        .route("/disputes", web::get().to(disputes::list))
        .route("/disputes/{id}", web::get().to(disputes::detail))
        .route("/disputes/{id}/evidence", web::post().to(disputes::submit))
        .route("/disputes/{id}/accept", web::post().to(disputes::accept))
        .route("/payouts", web::get().to(payouts::list))
        .route("/payouts/{id}", web::get().to(payouts::detail))
        .route("/payouts/{id}/lines.csv", web::get().to(payouts::download))
        .route("/developers", web::get().to(developers::show))
        .route("/go-live", web::get().to(settings::go_live))
        .route("/settings", web::get().to(settings::show))
        .route("/events/{id}", web::get().to(developers::event))
        .route("/events/{id}/resend", web::post().to(developers::resend))
        .route("/clients", web::post().to(clients::add))
        .route("/clients/{id}/remove", web::post().to(clients::remove))
        .route("/clients/{id}/rotate-key", web::post().to(clients::rotate_key))
        .route("/clients/{id}/keys/{key}/revoke", web::post().to(clients::revoke_key))
        .route("/webhook-endpoints", web::post().to(developers::add_endpoint))
        .route("/webhook-endpoints/{id}/rotate-secret", web::post().to(developers::rotate_secret));
    config.service(dashboard);
}
