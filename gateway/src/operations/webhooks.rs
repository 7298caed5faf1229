//! Webhooks: the endpoints, the events, and the courier that brings one to the other.

mod courier;
mod endpoints;
mod events;
mod lane;

pub use courier::Courier;
pub use endpoints::{
    ENDPOINTS_MAX, EndpointError, ShopEndpoint, check_url, create_endpoint, disable_reason,
    list_endpoints, prepare_endpoint, put_shop_endpoint, read_endpoint, remove_endpoint,
    rotate_secret, update_endpoint,
};
pub use events::{
    EventsPage, deliveries, list_events, page_body, read_event, resend_event, resend_failed_events,
};
