//! Delivering events to webhook endpoints, and managing the endpoints.
