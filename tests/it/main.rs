//! Behaviour of the whole system, seen from outside.

mod amounts;
mod architecture;
mod cards;
mod client_keys;
mod dashboard;
mod disputes;
mod foreign;
mod interop;
mod ladder;
mod mutants;
mod purchase;
mod races;
mod recording;
mod refusals;
mod scenarios;
mod settlement;
mod stored_cards;
mod subscriptions;
mod three_d_secure;
mod tidy;
mod timeouts;
mod unknown_outcomes;
mod worlds;
