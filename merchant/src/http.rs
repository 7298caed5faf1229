//! Routes: path to method to handler, the shop at a glance.

mod answer;
mod api;
mod browser;
mod checkout;
mod error;
mod notifications;
mod office;
mod orders;
mod privacy;
mod sandbox;
mod storefront;
mod subscription_api;
mod subscriptions;
mod ways;

use actix_web::web::{self, ServiceConfig, get, post};

pub use error::problem_page;
pub use sandbox::sandbox;

/// Every route of the shop but those of the control plane.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/webhooks/payments", post().to(notifications::receive))
        .service(web::scope("/api").configure(api_routes))
        .service(web::scope("/office").configure(office_routes))
        .configure(shop_routes);
}

fn shop_routes(config: &mut ServiceConfig) {
    config
        .route("/", get().to(storefront::home))
        .route("/products/{sku}", get().to(storefront::product))
        .route("/cart", get().to(storefront::cart))
        .route("/cart/add", post().to(storefront::add))
        .route("/cart/set", post().to(storefront::set))
        .route("/checkout", get().to(checkout::show))
        .route("/checkout", post().to(checkout::place))
        .route("/cards", get().to(subscriptions::cards))
        .route("/cards", post().to(subscriptions::save))
        .route("/cards/{card}/delete", post().to(subscriptions::delete))
        .route("/privacy", get().to(privacy::show))
        .route("/privacy/export", get().to(privacy::export))
        .route("/privacy/erase", post().to(privacy::erase))
        .route("/subscriptions", get().to(subscriptions::list))
        .route("/subscriptions", post().to(subscriptions::subscribe))
        .route("/subscriptions/{id}/cancel", post().to(subscriptions::cancel))
        .route("/orders", get().to(orders::own))
        .route("/orders/{order}", get().to(orders::show))
        .route("/orders/{order}/return", get().to(orders::come_back))
        .route("/orders/{order}/receipt", get().to(orders::receipt))
        .route("/orders/{order}/pay", post().to(orders::pay))
        .route("/orders/{order}/card", get().to(ways::card))
        .route("/orders/{order}/card", post().to(ways::pay_with_token))
        .route("/orders/{order}/form", get().to(ways::sealed))
        .route("/orders/{order}/cancel", post().to(orders::cancel))
        .route("/orders/{order}/again", post().to(orders::again));
}

fn api_routes(config: &mut ServiceConfig) {
    config
        .route("/orders", post().to(api::place))
        .route("/orders/{order}", get().to(api::show))
        .route("/orders/{order}/payments", post().to(api::pay))
        .route("/orders/{order}/cancel", post().to(api::cancel))
        .route("/orders/{order}/refunds", post().to(api::refund))
        .route("/subscriptions", post().to(subscription_api::subscribe))
        .route("/subscriptions/{id}", get().to(subscription_api::show));
}

fn office_routes(config: &mut ServiceConfig) {
    config
        .route("", get().to(office::orders::list))
        .route("/orders.csv", get().to(office::orders::download))
        .route("/login", get().to(office::login::show))
        .route("/login", post().to(office::login::sign_in))
        .route("/logout", post().to(office::login::sign_out))
        .route("/orders/{order}", get().to(office::orders::show))
        .route("/orders/{order}/cancel", post().to(office::orders::cancel))
        .route("/orders/{order}/refresh", post().to(office::orders::refresh))
        .route("/orders/{order}/refunds", post().to(office::refunds::request))
        .route("/orders/{order}/refunds/{number}/approve", post().to(office::refunds::approve))
        .route("/orders/{order}/refunds/{number}/reject", post().to(office::refunds::reject))
        .route("/approvals", get().to(office::refunds::approvals))
        .route("/payments", get().to(office::logs::payments))
        .route("/webhooks", get().to(office::logs::webhooks))
        .route("/reconciliation", get().to(office::logs::reconciliation))
        .route("/settlements", get().to(office::settlements::list))
        .route("/settlements/{id}", get().to(office::settlements::show))
        .route("/settlements/{id}/lines.csv", get().to(office::settlements::download))
        .route("/subscriptions", get().to(office::subscriptions::list))
        .route("/disputes", get().to(office::disputes::list))
        .route("/disputes/{id}", get().to(office::disputes::show))
        .route("/disputes/{id}/accept", post().to(office::disputes::accept))
        .route("/disputes/{id}/evidence", post().to(office::disputes::submit))
        .route("/audit", get().to(office::logs::audit));
}
