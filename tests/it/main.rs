//! Behaviour of the whole system, seen from outside.

mod architecture;
mod cards;
mod interop;
mod purchase;
mod refusals;
mod scenarios;
mod tidy;
mod unknown_outcomes;
